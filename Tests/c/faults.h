/* A disk with faults: this program's own pwrite, fdatasync, openat … stand before libc's, also for
 * the library, and do what a test asks of them to files whose name matches a pattern.
 *
 * Included by the one source file of a test program. */
#ifndef FASTNVMETRICS_TESTS_FAULTS_H
#define FASTNVMETRICS_TESTS_FAULTS_H

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <limits.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

/* What can fail. Calls on descriptors and on names are matched by the last component; maps and
 * threads belong to no file, and match the pattern "*" alone. */
enum {
  ON_PWRITE = 1u << 0,
  ON_PREAD = 1u << 1,
  ON_SYNC = 1u << 2, /* fdatasync, fsync */
  ON_TRUNCATE = 1u << 3,
  ON_OPEN = 1u << 4,
  ON_RENAME = 1u << 5,
  ON_LOCK = 1u << 6,
  ON_MAP = 1u << 7,
  ON_THREAD = 1u << 8,
  ON_REMOVE = 1u << 9
};

/* How a matching call fares. */
enum fault_kind {
  FAULT_FAILS,       /* with `error` */
  FAULT_FULL,        /* pwrite beyond the end of the file fails with `error`, within it succeeds */
  FAULT_SHORT,       /* pwrite takes at most 37 bytes, and every second call is interrupted first */
  FAULT_SLOW,        /* 20 ms late */
  FAULT_STALLED,     /* returns when the fault is taken away, not before */
  FAULT_FAILS_ONCE   /* the call number `countdown` fails with `error`, counted from 0 */
};

typedef struct fault {
  enum fault_kind kind;
  unsigned calls; /* ON_… */
  const char *pattern;
  int error;
  int countdown;
} fault;

/* A fault is never changed once it can be seen: the threads of an engine look at any time. */
enum { MAX_FAULTS = 4096 };
static fault faults[MAX_FAULTS];
static unsigned faults_used;
static const fault *_Atomic the_fault;
static _Atomic int the_countdown;
static _Atomic unsigned calls_seen; /* ON_… of matching calls since the fault was set */

static void mend(void) { atomic_store(&the_fault, NULL); }

static void set_fault(fault f) {
  mend();
  if (faults_used == MAX_FAULTS) abort();
  faults[faults_used] = f;
  atomic_store(&the_countdown, f.countdown);
  atomic_store(&calls_seen, 0);
  atomic_store(&the_fault, &faults[faults_used++]);
}

/* Whether a fault that fails once has done so. */
static int fault_is_over(void) { return atomic_load(&the_countdown) < 0; }

static void wait_a_moment(long milliseconds) {
  const struct timespec moment = {0, milliseconds * 1000000};
  nanosleep(&moment, NULL);
}

static const char *last_component(const char *path) {
  const char *slash = strrchr(path, '/');
  return slash ? slash + 1 : path;
}

/* The fault that a call meets: NULL, or one that fails, is full or short. A slow or stalled one has
 * waited. */
static const fault *fate(unsigned call, const char *name) {
  const fault *f = atomic_load(&the_fault);
  if (!f || !(f->calls & call) || fnmatch(f->pattern, name, 0) != 0) return NULL;
  atomic_fetch_or(&calls_seen, call);
  switch (f->kind) {
    case FAULT_FAILS:
    case FAULT_FULL:
    case FAULT_SHORT: return f;
    case FAULT_FAILS_ONCE: return atomic_fetch_sub(&the_countdown, 1) == 0 ? f : NULL;
    case FAULT_SLOW: wait_a_moment(20); return NULL;
    case FAULT_STALLED:
      while (atomic_load(&the_fault) == f) wait_a_moment(1);
      return NULL;
    default: return NULL;
  }
}

static const fault *fate_of_descriptor(unsigned call, int fd) {
  char link[64], path[PATH_MAX];
  if (!atomic_load(&the_fault)) return NULL;
  snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
  const ssize_t size = readlink(link, path, sizeof path - 1);
  path[size < 0 ? 0 : size] = 0;
  return fate(call, last_component(path));
}

/* Whether the call fails, with errno set: always, or every second time to a signal. */
static int fails(const fault *f) {
  static _Atomic unsigned turn;
  if (!f || f->kind == FAULT_FULL) return 0;
  if (f->kind == FAULT_SHORT && atomic_fetch_add(&turn, 1) % 2 != 0) return 0;
  errno = f->kind == FAULT_SHORT ? EINTR : f->error;
  return 1;
}

/* ---- what the library calls instead of libc ---- */

ssize_t pwrite(int fd, const void *buffer, size_t size, off_t offset) {
  const fault *f = fate_of_descriptor(ON_PWRITE, fd);
  if (fails(f)) return -1;
  if (f && f->kind == FAULT_SHORT && size > 37) size = 37;
  if (f && f->kind == FAULT_FULL) {
    struct stat status;
    if (fstat(fd, &status) != 0) return -1;
    if (offset >= status.st_size) {
      errno = f->error;
      return -1;
    }
    const size_t room = (size_t)(status.st_size - offset);
    if (size > room) size = room;
  }
  return (ssize_t)syscall(SYS_pwrite64, fd, buffer, size, offset);
}

ssize_t pread(int fd, void *buffer, size_t size, off_t offset) {
  if (fails(fate_of_descriptor(ON_PREAD, fd))) return -1;
  return (ssize_t)syscall(SYS_pread64, fd, buffer, size, offset);
}

int fdatasync(int fd) {
  return fails(fate_of_descriptor(ON_SYNC, fd)) ? -1 : (int)syscall(SYS_fdatasync, fd);
}

int fsync(int fd) {
  return fails(fate_of_descriptor(ON_SYNC, fd)) ? -1 : (int)syscall(SYS_fsync, fd);
}

int ftruncate(int fd, off_t size) {
  return fails(fate_of_descriptor(ON_TRUNCATE, fd)) ? -1 : (int)syscall(SYS_ftruncate, fd, size);
}

int openat(int directory, const char *path, int flags, ...) {
  va_list rest;
  va_start(rest, flags);
  const mode_t mode = flags & O_CREAT ? va_arg(rest, mode_t) : 0;
  va_end(rest);
  if (fails(fate(ON_OPEN, last_component(path)))) return -1;
  return (int)syscall(SYS_openat, directory, path, flags, mode);
}

int renameat(int from_directory, const char *from, int to_directory, const char *to) {
  if (fails(fate(ON_RENAME, last_component(to)))) return -1;
  return (int)syscall(SYS_renameat2, from_directory, from, to_directory, to, 0);
}

int unlinkat(int directory, const char *path, int flags) {
  if (fails(fate(ON_REMOVE, last_component(path)))) return -1;
  return (int)syscall(SYS_unlinkat, directory, path, flags);
}

int flock(int fd, int operation) {
  if (!(operation & 8 /* LOCK_UN */) && fails(fate_of_descriptor(ON_LOCK, fd))) return -1;
  return (int)syscall(SYS_flock, fd, operation);
}

void *mmap(void *address, size_t size, int protection, int flags, int fd, off_t offset) {
  if (fails(fate(ON_MAP, "*"))) return MAP_FAILED;
  return (void *)syscall(SYS_mmap, address, size, protection, flags, fd, offset);
}

int pthread_create(pthread_t *thread, const pthread_attr_t *attributes, void *(*body)(void *),
                   void *argument) {
  typedef int create(pthread_t *, const pthread_attr_t *, void *(*)(void *), void *);
  if (fails(fate(ON_THREAD, "*"))) return errno;
  create *real = NULL;
  void *symbol = dlsym(RTLD_NEXT, "pthread_create");
  memcpy(&real, &symbol, sizeof real); /* C knows no way from an object to a function */
  return real(thread, attributes, body, argument);
}

#endif
