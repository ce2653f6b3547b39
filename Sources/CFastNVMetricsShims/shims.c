#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include "shims.h"

#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/futex.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

// ---- nodes ----

// O_NONBLOCK changes nothing for nodes.
int fnvm_sys_open_node(const char *path) {
  int fd;
  do {
    fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
  } while (fd < 0 && errno == EINTR);
  return fd < 0 ? -errno : fd;
}

void fnvm_sys_close(int fd) {
  if (fd >= 0) close(fd);
}

long fnvm_sys_read(int fd, void *buffer, size_t size) {
  ssize_t n;
  do {
    n = read(fd, buffer, size);
  } while (n < 0 && errno == EINTR);
  return n < 0 ? -errno : n;
}

long fnvm_sys_pread(int fd, void *buffer, size_t size, int64_t offset) {
  ssize_t n;
  do {
    n = pread(fd, buffer, size, (off_t)offset);
  } while (n < 0 && errno == EINTR);
  return n < 0 ? -errno : n;
}

long fnvm_sys_read_afresh(const char *path, void *buffer, size_t size) {
  int fd = fnvm_sys_open_node(path);
  if (fd < 0) return fd;
  long n = fnvm_sys_read(fd, buffer, size);
  close(fd);
  return n;
}

bool fnvm_sys_is_procfs(int fd) {
  struct statfs s;
  return fstatfs(fd, &s) == 0 && s.f_type == 0x9fa0;
}

bool fnvm_sys_is_sysfs(int fd) {
  struct statfs s;
  return fstatfs(fd, &s) == 0 && s.f_type == 0x62656572;
}

int fnvm_sys_is_storage(const char *path) {
  struct statfs s;
  if (statfs(path, &s) < 0) return -errno;
  switch ((unsigned long)s.f_type & 0xFFFFFFFF) {
  case 0xEF53:     // ext2, ext3, ext4
  case 0x01021994: // tmpfs
  case 0x858458F6: // ramfs
  case 0x794C7630: // overlayfs
  case 0x58465342: // xfs
  case 0x9123683E: // btrfs
  case 0xF2F52010: // f2fs
  case 0x2FC12FC1: // zfs
    return 1;
  default: return 0;
  }
}

// ---- files and directories ----

int fnvm_sys_working_directory(void) { return AT_FDCWD; }

int fnvm_sys_openat(int directory, const char *path, int flags, unsigned mode) {
  int how = O_CLOEXEC | (flags & FNVM_SYS_WRITE ? O_RDWR : O_RDONLY);
  if (flags & FNVM_SYS_CREATE) how |= O_CREAT;
  if (flags & FNVM_SYS_EXCLUSIVE) how |= O_EXCL;
  if (flags & FNVM_SYS_DIRECTORY) how |= O_DIRECTORY;
  if (flags & FNVM_SYS_NONBLOCK) how |= O_NONBLOCK | O_NOCTTY;
  if (flags & FNVM_SYS_NOFOLLOW) how |= O_NOFOLLOW;
  int fd;
  do {
    fd = openat(directory, path, how, (mode_t)mode);
  } while (fd < 0 && errno == EINTR);
  return fd < 0 ? -errno : fd;
}

static int pwrite_all(int fd, const char *from, size_t size, int64_t offset, size_t *done) {
  *done = 0;
  while (*done < size) {
    ssize_t n = pwrite(fd, from + *done, size - *done, (off_t)(offset + (int64_t)*done));
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return -errno;
    if (n == 0) return -EIO;
    *done += (size_t)n;
  }
  return 0;
}

// A thread of our own has all signals blocked, and nobody waits for one there.
static _Thread_local bool is_own_thread __attribute__((tls_model("initial-exec")));

int fnvm_sys_pwrite_all(int fd, const void *buffer, size_t size, int64_t offset, size_t *done) {
  if (is_own_thread) return pwrite_all(fd, buffer, size, offset, done);
  // SIGXFSZ would kill the host program. Blocked here, and taken back if it came.
  sigset_t limit, before, pending;
  sigemptyset(&limit);
  sigaddset(&limit, SIGXFSZ);
  sigpending(&pending);
  pthread_sigmask(SIG_BLOCK, &limit, &before);
  int result = pwrite_all(fd, buffer, size, offset, done);
  if (result == -EFBIG && !sigismember(&pending, SIGXFSZ)) {
    struct timespec none = {0, 0};
    sigtimedwait(&limit, NULL, &none);
  }
  pthread_sigmask(SIG_SETMASK, &before, NULL);
  return result;
}

int fnvm_sys_ftruncate(int fd, int64_t size) {
  int e;
  do {
    e = ftruncate(fd, (off_t)size);
  } while (e < 0 && errno == EINTR);
  return e < 0 ? -errno : 0;
}

int fnvm_sys_fdatasync(int fd) {
  int e;
  do {
    e = fdatasync(fd);
  } while (e < 0 && errno == EINTR);
  return e < 0 ? -errno : 0;
}

int fnvm_sys_try_lock(int fd) {
  int e;
  do {
    e = flock(fd, LOCK_EX | LOCK_NB);
  } while (e < 0 && errno == EINTR);
  // A file system without locks cannot say that somebody has it: recording goes on unprotected there.
  return e < 0 && errno == EWOULDBLOCK ? -errno : 0;
}
void fnvm_sys_unlock(int fd) { flock(fd, LOCK_UN); }

int fnvm_sys_renameat(int directory, const char *from, const char *to) {
  return renameat(directory, from, directory, to) < 0 ? -errno : 0;
}
int fnvm_sys_unlinkat(int directory, const char *name) {
  return unlinkat(directory, name, 0) < 0 ? -errno : 0;
}
int fnvm_sys_mkdir(const char *path, unsigned mode) { return mkdir(path, (mode_t)mode) < 0 ? -errno : 0; }

static int stat_result(int e, const struct stat *s, struct fnvm_sys_stat *out) {
  if (e < 0) return -errno;
  out->device = (uint64_t)s->st_dev;
  out->inode = (uint64_t)s->st_ino;
  out->size = (int64_t)s->st_size;
  out->links = (uint64_t)s->st_nlink;
  out->owner = (uint32_t)s->st_uid;
  out->is_regular = S_ISREG(s->st_mode);
  out->is_directory = S_ISDIR(s->st_mode);
  out->is_link = S_ISLNK(s->st_mode);
  return 0;
}

int fnvm_sys_fstat(int fd, struct fnvm_sys_stat *out) {
  struct stat s;
  return stat_result(fstat(fd, &s), &s, out);
}

int fnvm_sys_lstatat(int directory, const char *path, struct fnvm_sys_stat *out) {
  struct stat s;
  return stat_result(fstatat(directory, path, &s, AT_SYMLINK_NOFOLLOW), &s, out);
}

long fnvm_sys_readlink(const char *path, void *buffer, size_t size) {
  ssize_t n = readlink(path, buffer, size);
  return n < 0 ? -errno : n;
}

void *fnvm_sys_opendir(const char *path, int *error) {
  DIR *d = opendir(path);
  *error = d ? 0 : -errno;
  return d;
}

const char *fnvm_sys_readdir(void *directory) {
  struct dirent *e = readdir(directory);
  return e ? e->d_name : NULL;
}

void fnvm_sys_closedir(void *directory) { closedir(directory); }

// ---- memory ----

void *fnvm_sys_map_anonymous(size_t size) {
  void *p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  return p == MAP_FAILED ? NULL : p;
}

void fnvm_sys_populate(void *address, size_t size) {
  // Each page is written to without being changed, whoever writes there at the same time: a byte that is not 0 was
  // written already. (Of a fetch_or of 0 compilers make a load, and a page that was only read is not there yet.)
  for (size_t i = 0; i < size; i += 4096) {
    unsigned char zero = 0;
    atomic_compare_exchange_strong((atomic_uchar *)address + i, &zero, 0);
  }
}

int fnvm_sys_map_file(int fd, size_t size, void **out) {
  void *p = mmap(NULL, size, PROT_READ, MAP_SHARED, fd, 0);
  if (p == MAP_FAILED) return -errno;
  *out = p;
  return 0;
}

void fnvm_sys_unmap(void *address, size_t size) { munmap(address, size); }

// ---- time ----

static uint64_t now(clockid_t clock) {
  struct timespec t;
  clock_gettime(clock, &t);
  return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

uint64_t fnvm_sys_monotonic_ns(void) { return now(CLOCK_MONOTONIC); }
uint64_t fnvm_sys_realtime_ns(void) { return now(CLOCK_REALTIME); }
uint64_t fnvm_sys_boottime_ns(void) { return now(CLOCK_BOOTTIME); }

// ---- futex words ----

void fnvm_sys_futex_wait(const uint32_t *word, uint32_t expected, uint64_t deadline_ns) {
  struct timespec t = {(time_t)(deadline_ns / 1000000000u), (long)(deadline_ns % 1000000000u)};
  syscall(SYS_futex, word, FUTEX_WAIT_BITSET | FUTEX_PRIVATE_FLAG, expected,
          deadline_ns == UINT64_MAX ? NULL : &t, NULL, FUTEX_BITSET_MATCH_ANY);
}

void fnvm_sys_futex_wake_all(const uint32_t *word) {
  syscall(SYS_futex, word, FUTEX_WAKE | FUTEX_PRIVATE_FLAG, INT_MAX);
}

// ---- threads and processes ----

// What the new thread needs; it frees it.
struct start {
  void (*body)(void *);
  void *context;
  char name[16];
};

// Asks for a short turn on the CPU: the scheduler then lets the thread run soon after it wakes, where others keep
// every core busy. Needs no privilege; kernels before 6.12 ignore it.
static void take_short_turns(void) {
  struct {
    uint32_t size, policy;
    uint64_t flags;
    int32_t nice;
    uint32_t priority;
    uint64_t runtime, deadline, period;
  } attributes = {.size = 48, .policy = SCHED_OTHER, .runtime = 100000};
  // Whoever runs under another policy has its reasons.
  if (sched_getscheduler(0) != SCHED_OTHER) return;
  errno = 0;
  attributes.nice = getpriority(PRIO_PROCESS, 0);
  if (errno == 0) syscall(SYS_sched_setattr, 0, &attributes, 0u);
}

static void *run(void *argument) {
  struct start s = *(struct start *)argument;
  free(argument);
  is_own_thread = true;
  pthread_setname_np(pthread_self(), s.name);
  prctl(PR_SET_TIMERSLACK, 1UL);
  take_short_turns();
  s.body(s.context);
  return NULL;
}

int fnvm_sys_thread_start(uintptr_t *thread, const char *name, void (*body)(void *), void *context) {
  struct start *s = calloc(1, sizeof *s);
  if (!s) return -ENOMEM;
  s->body = body;
  s->context = context;
  strncpy(s->name, name, sizeof s->name - 1);

  // The thread inherits the mask: blocking around its creation leaves no moment in which it could
  // take a signal meant for the host program.
  sigset_t all, before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  pthread_t handle;
  pthread_attr_t attributes;
  pthread_attr_init(&attributes);
  // None of them goes deep, and there can be many. The host's thread-local variables are on it too.
  pthread_attr_setstacksize(&attributes, 1024 * 1024);
  int error = pthread_create(&handle, &attributes, run, s);
  pthread_attr_destroy(&attributes);
  pthread_sigmask(SIG_SETMASK, &before, NULL);
  if (error) {
    free(s);
    return -error;
  }
  *thread = (uintptr_t)handle;
  return 0;
}

void fnvm_sys_thread_join(uintptr_t thread) { pthread_join((pthread_t)thread, NULL); }
void fnvm_sys_thread_detach(uintptr_t thread) { pthread_detach((pthread_t)thread); }

int fnvm_sys_thread_id(void) { return (int)syscall(SYS_gettid); }

uint64_t fnvm_sys_thread_cpu_ns(int id) {
  // The clock that pthread_getcpuclockid would give, but for a thread that may have ended meanwhile.
  const clockid_t clock = (clockid_t)((~(unsigned)id << 3) | 6);
  struct timespec t;
  if (id <= 0 || clock_gettime(clock, &t) < 0) return 0;
  return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

int fnvm_sys_thread_set_realtime(uintptr_t thread, int priority) {
  struct sched_param parameters = {.sched_priority = priority};
  return -pthread_setschedparam((pthread_t)thread, SCHED_FIFO, &parameters);
}

int fnvm_sys_thread_set_cpu(uintptr_t thread, unsigned cpu) {
  cpu_set_t cpus;
  CPU_ZERO(&cpus);
  if (cpu >= CPU_SETSIZE) return -EINVAL;
  CPU_SET(cpu, &cpus);
  return -pthread_setaffinity_np((pthread_t)thread, sizeof cpus, &cpus);
}

int fnvm_sys_lock_memory(void *address, size_t size) { return mlock(address, size) < 0 ? -errno : 0; }

int fnvm_sys_pid(void) { return getpid(); }
uint32_t fnvm_sys_effective_user(void) { return (uint32_t)geteuid(); }

// Descriptors to close in a forked child, each + 1; 0: free. More than fit are left open there.
enum { CHILDREN_CLOSE = 64 };
static atomic_int close_in_children[CHILDREN_CLOSE];
static atomic_uint fork_generation;
static pthread_once_t fork_once = PTHREAD_ONCE_INIT;

static void in_child(void) {
  atomic_fetch_add(&fork_generation, 1);
  for (int i = 0; i < CHILDREN_CLOSE; i++) {
    int fd = atomic_exchange(&close_in_children[i], 0) - 1;
    if (fd >= 0) close(fd);
  }
}

static void watch_forks(void) { pthread_atfork(NULL, NULL, in_child); }

unsigned fnvm_sys_fork_generation(void) {
  pthread_once(&fork_once, watch_forks);
  return atomic_load(&fork_generation);
}

void fnvm_sys_close_in_children(int fd, bool close) {
  for (int i = 0; i < CHILDREN_CLOSE; i++) {
    int from = close ? 0 : fd + 1, to = close ? fd + 1 : 0;
    if (atomic_compare_exchange_strong(&close_in_children[i], &from, to)) return;
  }
}

void *fnvm_sys_mutex_create(void) {
  pthread_mutex_t *mutex = malloc(sizeof *mutex);
  // As Swift does for its own objects: without memory for 40 bytes nothing goes on.
  if (!mutex) abort();
  pthread_mutex_init(mutex, NULL);
  return mutex;
}

void fnvm_sys_mutex_destroy(void *mutex) {
  pthread_mutex_destroy(mutex);
  free(mutex);
}

void fnvm_sys_mutex_reset(void *mutex) { pthread_mutex_init(mutex, NULL); }
void fnvm_sys_mutex_lock(void *mutex) { pthread_mutex_lock(mutex); }
void fnvm_sys_mutex_unlock(void *mutex) { pthread_mutex_unlock(mutex); }

// ---- the environment and failures ----

const char *fnvm_sys_getenv(const char *name) { return getenv(name); }

long fnvm_sys_getcwd(void *buffer, size_t size) {
  return getcwd(buffer, size) ? (long)strlen(buffer) : -errno;
}

const char *fnvm_sys_error_text(int error) {
  const char *text = strerrordesc_np(error);
  return text ? text : "unknown error";
}

struct last_error {
  int error;
  char path[PATH_MAX];
  char message[PATH_MAX + 1024];
};

// A key and not _Thread_local: 9 KB for each thread that failed at something, instead of for every
// thread of every program that loads the library.
static pthread_key_t last_error_key;
static pthread_once_t last_error_once = PTHREAD_ONCE_INIT;
static bool last_error_ready;

static void make_last_error_key(void) { last_error_ready = !pthread_key_create(&last_error_key, free); }

static struct last_error *last_error(bool create) {
  pthread_once(&last_error_once, make_last_error_key);
  if (!last_error_ready) return NULL;
  struct last_error *last = pthread_getspecific(last_error_key);
  if (!last && create) {
    last = calloc(1, sizeof *last);
    if (last && pthread_setspecific(last_error_key, last)) {
      free(last);
      last = NULL;
    }
  }
  return last;
}

static void fill(char *to, size_t room, const char *from, size_t size) {
  size_t n = size < room ? size : room - 1;
  // A byte 10xxxxxx goes on with a character: cut before it begins.
  if (n < size) {
    while (n > 0 && (from[n] & 0xC0) == 0x80) n--;
  }
  memcpy(to, from, n);
  to[n] = 0;
}

void fnvm_sys_set_last_error(int error, const void *path, size_t path_size, const void *message,
                             size_t message_size) {
  struct last_error *last = last_error(true);
  if (!last) return;
  last->error = error;
  fill(last->path, sizeof last->path, path, path_size);
  fill(last->message, sizeof last->message, message, message_size);
}

int fnvm_sys_last_errno(void) {
  struct last_error *last = last_error(false);
  return last ? last->error : 0;
}

const char *fnvm_sys_last_path(void) {
  struct last_error *last = last_error(false);
  return last ? last->path : "";
}

const char *fnvm_sys_last_message(void) {
  struct last_error *last = last_error(false);
  return last ? last->message : "";
}
