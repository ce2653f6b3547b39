// libc as the engine uses it: one function a system call, errors returned as negative errno.
//
// Embedded Swift has no Glibc module, so this header is the only door to libc. EINTR is handled here.
// Functions marked FNVM_REALTIME neither allocate nor lock: the compiler lets the tick path call only
// these.
#ifndef FASTNVMETRICS_SHIMS_H
#define FASTNVMETRICS_SHIMS_H

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/futex.h>
#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <time.h>
#include <unistd.h>

#if defined(__clang__)
#define FNVM_REALTIME \
  __attribute__((swift_attr("@_noLocks"))) __attribute__((swift_attr("@_noAllocation")))
#else
#define FNVM_REALTIME
#endif

// ---- files ----

static inline int fnvm_sys_openat(int dir, const char *path, int flags, unsigned mode) {
  int fd;
  do {
    fd = openat(dir, path, flags | O_CLOEXEC, (mode_t)mode);
  } while (fd < 0 && errno == EINTR);
  return fd < 0 ? -errno : fd;
}

// O_NONBLOCK: a FIFO where a node was expected must not hang us. It changes nothing for nodes.
FNVM_REALTIME
static inline int fnvm_sys_open_node(const char *path) {
  int fd;
  do {
    fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
  } while (fd < 0 && errno == EINTR);
  return fd < 0 ? -errno : fd;
}

FNVM_REALTIME
static inline void fnvm_sys_close(int fd) {
  if (fd >= 0) close(fd);
}

FNVM_REALTIME
static inline long fnvm_sys_pread(int fd, void *buffer, size_t size, int64_t offset) {
  ssize_t n;
  do {
    n = pread(fd, buffer, size, (off_t)offset);
  } while (n < 0 && errno == EINTR);
  return n < 0 ? -errno : n;
}

FNVM_REALTIME
static inline long fnvm_sys_read(int fd, void *buffer, size_t size) {
  ssize_t n;
  do {
    n = read(fd, buffer, size);
  } while (n < 0 && errno == EINTR);
  return n < 0 ? -errno : n;
}

// For nodes that refuse pread (ESPIPE) or answer once an open: open, read, close.
FNVM_REALTIME
static inline long fnvm_sys_read_afresh(const char *path, void *buffer, size_t size) {
  int fd = fnvm_sys_open_node(path);
  if (fd < 0) return fd;
  long n = fnvm_sys_read(fd, buffer, size);
  close(fd);
  return n;
}

// Writes all of it, or returns a negative errno; *done says how much is in the file either way.
static inline int fnvm_sys_pwrite_all(int fd, const void *buffer, size_t size, int64_t offset,
                                      size_t *done) {
  const char *from = buffer;
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

static inline int fnvm_sys_ftruncate(int fd, int64_t size) {
  int e;
  do {
    e = ftruncate(fd, (off_t)size);
  } while (e < 0 && errno == EINTR);
  return e < 0 ? -errno : 0;
}

static inline int fnvm_sys_fdatasync(int fd) { return fdatasync(fd) < 0 ? -errno : 0; }
static inline int fnvm_sys_fsync(int fd) { return fsync(fd) < 0 ? -errno : 0; }

static inline int fnvm_sys_try_lock(int fd) { return flock(fd, LOCK_EX | LOCK_NB) < 0 ? -errno : 0; }
static inline void fnvm_sys_unlock(int fd) { flock(fd, LOCK_UN); }

static inline int fnvm_sys_renameat(int dir, const char *from, const char *to) {
  return renameat(dir, from, dir, to) < 0 ? -errno : 0;
}
static inline int fnvm_sys_unlinkat(int dir, const char *name) {
  return unlinkat(dir, name, 0) < 0 ? -errno : 0;
}

struct fnvm_sys_stat {
  uint64_t device, inode;
  int64_t size;
  bool is_regular, is_directory, is_link;
};

static inline int fnvm_sys_stat_result(int e, const struct stat *s, struct fnvm_sys_stat *out) {
  if (e < 0) return -errno;
  out->device = (uint64_t)s->st_dev;
  out->inode = (uint64_t)s->st_ino;
  out->size = (int64_t)s->st_size;
  out->is_regular = S_ISREG(s->st_mode);
  out->is_directory = S_ISDIR(s->st_mode);
  out->is_link = S_ISLNK(s->st_mode);
  return 0;
}
static inline int fnvm_sys_fstat(int fd, struct fnvm_sys_stat *out) {
  struct stat s;
  return fnvm_sys_stat_result(fstat(fd, &s), &s, out);
}
static inline int fnvm_sys_lstatat(int dir, const char *path, struct fnvm_sys_stat *out) {
  struct stat s;
  return fnvm_sys_stat_result(fstatat(dir, path, &s, AT_SYMLINK_NOFOLLOW), &s, out);
}
static inline long fnvm_sys_readlinkat(int dir, const char *path, void *buffer, size_t size) {
  ssize_t n = readlinkat(dir, path, buffer, size);
  return n < 0 ? -errno : n;
}

// 1: the file is the kernel's own procfs, whose counters run with wall time.
static inline int fnvm_sys_is_procfs(int fd) {
  struct statfs s;
  return fstatfs(fd, &s) == 0 && s.f_type == 0x9fa0;
}

// Directory listing: opendir/readdir behind an opaque pointer. NULL and *error on failure.
static inline void *fnvm_sys_opendir(const char *path, int *error) {
  DIR *d = opendir(path);
  *error = d ? 0 : -errno;
  return d;
}
static inline const char *fnvm_sys_readdir(void *dir) {
  struct dirent *e = readdir(dir);
  return e ? e->d_name : NULL;
}
static inline void fnvm_sys_closedir(void *dir) { closedir(dir); }

static inline int fnvm_sys_cwd_fd(void) { return AT_FDCWD; }

enum { FNVM_SYS_RDONLY = O_RDONLY, FNVM_SYS_RDWR = O_RDWR, FNVM_SYS_CREATE = O_CREAT,
       FNVM_SYS_EXCLUSIVE = O_EXCL, FNVM_SYS_TRUNCATE = O_TRUNC, FNVM_SYS_DIRECTORY = O_DIRECTORY,
       FNVM_SYS_NONBLOCK = O_NONBLOCK, FNVM_SYS_NOFOLLOW = O_NOFOLLOW };

// ---- memory ----

// Zeroed memory whose pages are present: the tick path never faults. NULL on failure.
static inline void *fnvm_sys_map_anonymous(size_t size) {
  void *p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
  return p == MAP_FAILED ? NULL : p;
}
static inline int fnvm_sys_map_file(int fd, size_t size, void **out) {
  void *p = mmap(NULL, size, PROT_READ, MAP_SHARED, fd, 0);
  if (p == MAP_FAILED) return -errno;
  *out = p;
  return 0;
}
static inline void fnvm_sys_unmap(void *address, size_t size) { munmap(address, size); }

// ---- time ----

FNVM_REALTIME
static inline uint64_t fnvm_sys_monotonic_ns(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}
static inline uint64_t fnvm_sys_realtime_ns(void) {
  struct timespec t;
  clock_gettime(CLOCK_REALTIME, &t);
  return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

// ---- futex words ----

// Sleeps while *word == expected, until CLOCK_MONOTONIC reaches deadline_ns (UINT64_MAX: for ever) or a
// wake. May return early: the caller looks at the word and the clock.
FNVM_REALTIME
static inline void fnvm_sys_futex_wait(const uint32_t *word, uint32_t expected, uint64_t deadline_ns) {
  struct timespec t = {(time_t)(deadline_ns / 1000000000u), (long)(deadline_ns % 1000000000u)};
  syscall(SYS_futex, word, FUTEX_WAIT_BITSET | FUTEX_PRIVATE_FLAG, expected,
          deadline_ns == UINT64_MAX ? NULL : &t, NULL, FUTEX_BITSET_MATCH_ANY);
}
FNVM_REALTIME
static inline void fnvm_sys_futex_wake_all(const uint32_t *word) {
  syscall(SYS_futex, word, FUTEX_WAKE | FUTEX_PRIVATE_FLAG, INT_MAX);
}

// ---- threads and processes ----

// Starts a thread with every signal blocked and timer slack 1 ns, called name. 0 or a negative errno.
int fnvm_sys_thread_start(uintptr_t *thread, const char *name, void (*body)(void *), void *context);
void fnvm_sys_thread_join(uintptr_t thread);
static inline int fnvm_sys_pid(void) { return getpid(); }

// A mutex for set-up and control code; never used in the tick path.
struct fnvm_sys_mutex {
  pthread_mutex_t mutex;
};
static inline void fnvm_sys_mutex_init(struct fnvm_sys_mutex *m) { pthread_mutex_init(&m->mutex, NULL); }
static inline void fnvm_sys_mutex_destroy(struct fnvm_sys_mutex *m) { pthread_mutex_destroy(&m->mutex); }
static inline void fnvm_sys_mutex_lock(struct fnvm_sys_mutex *m) { pthread_mutex_lock(&m->mutex); }
static inline void fnvm_sys_mutex_unlock(struct fnvm_sys_mutex *m) { pthread_mutex_unlock(&m->mutex); }

// ---- the environment and errno ----

static inline const char *fnvm_sys_getenv(const char *name) { return getenv(name); }

// errno in words; thread-safe, without the locale.
const char *fnvm_sys_error_text(int error);

// The last failure on this thread, for the C ABI. Texts are cut between characters where they do not fit.
void fnvm_sys_set_last_error(int error, const void *path, size_t path_size, const void *message,
                             size_t message_size);
int fnvm_sys_last_errno(void);
const char *fnvm_sys_last_path(void);
const char *fnvm_sys_last_message(void);

#endif
