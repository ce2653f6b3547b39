// libc as the engine uses it: one function a task, failures returned as negative errno, EINTR
// handled.
//
// Embedded Swift has no Glibc module, and in full Swift a second view of libc's headers would
// collide with Glibc's: so nothing of libc but its error numbers shows here.
//
// Functions marked FNVM_REALTIME neither allocate nor lock: the tick path calls no others, which
// the compiler checks (CHECK_TICK, docs/architecture.md).
#ifndef FASTNVMETRICS_SHIMS_H
#define FASTNVMETRICS_SHIMS_H

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#if defined(__clang__)
#define FNVM_REALTIME \
  __attribute__((swift_attr("@_noLocks"))) __attribute__((swift_attr("@_noAllocation")))
#else
#define FNVM_REALTIME
#endif

// ---- nodes: files of sysfs, procfs and debugfs ----

// A descriptor for reading. A FIFO where a node was expected does not hang.
FNVM_REALTIME int fnvm_sys_open_node(const char *path);
FNVM_REALTIME void fnvm_sys_close(int fd);
FNVM_REALTIME long fnvm_sys_read(int fd, void *buffer, size_t size);
FNVM_REALTIME long fnvm_sys_pread(int fd, void *buffer, size_t size, int64_t offset);
// Opens, reads and closes: for nodes that refuse pread (ESPIPE) and answer once an open.
FNVM_REALTIME long fnvm_sys_read_afresh(const char *path, void *buffer, size_t size);
// Whether the file is the kernel's own procfs.
bool fnvm_sys_is_procfs(int fd);
// Whether the file is the kernel's own sysfs.
bool fnvm_sys_is_sysfs(int fd);
// Whether the path lies on a disk or in memory, where a read takes no longer than the copy. 1 or 0, or a negative
// errno.
int fnvm_sys_is_storage(const char *path);

// ---- files and directories ----

enum {
  FNVM_SYS_WRITE = 1, // for reading and writing, else for reading
  FNVM_SYS_CREATE = 2,
  FNVM_SYS_EXCLUSIVE = 4,
  FNVM_SYS_DIRECTORY = 8,
  FNVM_SYS_NONBLOCK = 16,
  FNVM_SYS_NOFOLLOW = 32
};

// Stands for the working directory where one of these takes a directory.
int fnvm_sys_working_directory(void);
int fnvm_sys_openat(int directory, const char *path, int flags, unsigned mode);
// Writes all of it, or returns a negative errno; *done says how much is in the file either way. A limit on
// the size of files is EFBIG, and no signal.
int fnvm_sys_pwrite_all(int fd, const void *buffer, size_t size, int64_t offset, size_t *done);
int fnvm_sys_ftruncate(int fd, int64_t size);
// Also of a directory.
int fnvm_sys_fdatasync(int fd);
// flock(2), exclusive; -EWOULDBLOCK where somebody has it, 0 also where the file system has no locks.
int fnvm_sys_try_lock(int fd);
void fnvm_sys_unlock(int fd);
int fnvm_sys_renameat(int directory, const char *from, const char *to);
int fnvm_sys_unlinkat(int directory, const char *name);
int fnvm_sys_mkdir(const char *path, unsigned mode);

struct fnvm_sys_stat {
  uint64_t device, inode;
  int64_t size;
  uint64_t links;
  uint32_t owner;
  bool is_regular, is_directory, is_link;
};
int fnvm_sys_fstat(int fd, struct fnvm_sys_stat *out);
// Of the path itself, not of what a link leads to.
int fnvm_sys_lstatat(int directory, const char *path, struct fnvm_sys_stat *out);
long fnvm_sys_readlink(const char *path, void *buffer, size_t size);

// A directory listing; NULL and a negative *error on failure.
void *fnvm_sys_opendir(const char *path, int *error);
// The next name, valid until the next call; NULL at the end.
const char *fnvm_sys_readdir(void *directory);
void fnvm_sys_closedir(void *directory);

// ---- memory ----

// Zeroed memory. NULL on failure.
void *fnvm_sys_map_anonymous(size_t size);
// Makes its pages present, so that their first use does not fault. Others may use them meanwhile.
void fnvm_sys_populate(void *address, size_t size);
int fnvm_sys_map_file(int fd, size_t size, void **out);
void fnvm_sys_unmap(void *address, size_t size);

// ---- time ----

FNVM_REALTIME uint64_t fnvm_sys_monotonic_ns(void);
uint64_t fnvm_sys_realtime_ns(void);
uint64_t fnvm_sys_boottime_ns(void);

// ---- futex words ----

// Sleeps while *word == expected, until CLOCK_MONOTONIC reaches deadline_ns (UINT64_MAX: for ever)
// or a wake. May return early: the caller looks at the word and the clock.
FNVM_REALTIME void fnvm_sys_futex_wait(const uint32_t *word, uint32_t expected, uint64_t deadline_ns);
FNVM_REALTIME void fnvm_sys_futex_wake_all(const uint32_t *word);

// ---- threads and processes ----

// Starts a thread with every signal blocked, timer slack 1 ns and short turns on the CPU, called name (15 bytes).
int fnvm_sys_thread_start(uintptr_t *thread, const char *name, void (*body)(void *), void *context);
void fnvm_sys_thread_join(uintptr_t thread);
// It is never joined, and gone when it ends.
void fnvm_sys_thread_detach(uintptr_t thread);
// The calling thread's id, as /proc/self/task has it.
int fnvm_sys_thread_id(void);
// CPU time of a thread of this process by its id; 0 where it is gone.
uint64_t fnvm_sys_thread_cpu_ns(int id);
// SCHED_FIFO. 0 or a negative errno, as for the two below.
int fnvm_sys_thread_set_realtime(uintptr_t thread, int priority);
int fnvm_sys_thread_set_cpu(uintptr_t thread, unsigned cpu);
int fnvm_sys_lock_memory(void *address, size_t size);
int fnvm_sys_pid(void);
// Whose files this process makes.
uint32_t fnvm_sys_effective_user(void);

// Changes in a forked child: whoever remembers it can tell that it is one. Any thread.
unsigned fnvm_sys_fork_generation(void);
// The descriptor is closed in forked children, so that none of them keeps its lock alive; or no more.
void fnvm_sys_close_in_children(int fd, bool close);

// A mutex for set-up and control; the tick path has none.
void *fnvm_sys_mutex_create(void);
void fnvm_sys_mutex_destroy(void *mutex);
// Free again, whoever held it: in a forked child, where its holder does not exist.
void fnvm_sys_mutex_reset(void *mutex);
void fnvm_sys_mutex_lock(void *mutex);
void fnvm_sys_mutex_unlock(void *mutex);

// ---- the environment and failures ----

const char *fnvm_sys_getenv(const char *name);
long fnvm_sys_getcwd(void *buffer, size_t size);

// errno in words; thread-safe, without the locale.
const char *fnvm_sys_error_text(int error);

// The last failure on this thread, for the C ABI. Texts are cut between characters where they do
// not fit.
void fnvm_sys_set_last_error(int error, const void *path, size_t path_size, const void *message,
                             size_t message_size);
int fnvm_sys_last_errno(void);
const char *fnvm_sys_last_path(void);
const char *fnvm_sys_last_message(void);

#endif
