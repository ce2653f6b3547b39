// Records with the library for a while and says what it cost, with nothing but the library in the process.
//
//   recorder PATH BOARD ROOT FAST_HZ MEDIUM_HZ SLOW_HZ SECONDS WARM_SECONDS
//
// BOARD is a name, or "detect". CPU time, page faults, allocations, locks and missed ticks are counted from
// WARM_SECONDS after the start until just before the stop. The program puts itself between the library
// and the calls that it counts or times: what can be interposed need not be estimated.
#define _GNU_SOURCE
#include "measure.h"

#include <fastnvmetrics/fastnvmetrics.h>

#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

// ---- what is interposed ----

static atomic_int is_counting, fast_thread;
static atomic_long allocations, fast_allocations, fast_locks;
static atomic_ullong flush_ns;

static int on_fast_thread(void) {
  static __thread pid_t id; // asked once: a system call at each allocation would be in the figures
  if (id == 0) id = gettid();
  return id == atomic_load(&fast_thread);
}

static void count_allocation(void) {
  if (!atomic_load_explicit(&is_counting, memory_order_relaxed)) return;
  atomic_fetch_add(&allocations, 1);
  if (on_fast_thread()) atomic_fetch_add(&fast_allocations, 1);
}

void *__libc_malloc(size_t);
void *__libc_calloc(size_t, size_t);
void *__libc_realloc(void *, size_t);
void *__libc_memalign(size_t, size_t);

void *malloc(size_t size) {
  count_allocation();
  return __libc_malloc(size);
}
void *calloc(size_t count, size_t size) {
  count_allocation();
  return __libc_calloc(count, size);
}
void *realloc(void *from, size_t size) {
  count_allocation();
  return __libc_realloc(from, size);
}
void *aligned_alloc(size_t alignment, size_t size) {
  count_allocation();
  return __libc_memalign(alignment, size);
}
int posix_memalign(void **out, size_t alignment, size_t size) {
  count_allocation();
  void *memory = __libc_memalign(alignment, size);
  if (!memory) return ENOMEM;
  *out = memory;
  return 0;
}

static int (*real_lock)(pthread_mutex_t *);

int pthread_mutex_lock(pthread_mutex_t *mutex) {
  if (!real_lock) real_lock = (int (*)(pthread_mutex_t *))dlsym(RTLD_NEXT, "pthread_mutex_lock");
  if (atomic_load_explicit(&is_counting, memory_order_relaxed) && on_fast_thread()) atomic_fetch_add(&fast_locks, 1);
  return real_lock(mutex);
}

static int timed(long result, uint64_t begin) {
  atomic_fetch_add(&flush_ns, now_ns() - begin);
  return (int)result;
}

int fsync(int fd) {
  uint64_t begin = now_ns();
  return timed(syscall(SYS_fsync, fd), begin);
}
int fdatasync(int fd) {
  uint64_t begin = now_ns();
  return timed(syscall(SYS_fdatasync, fd), begin);
}

// ---- the threads of the recording ----

struct thread {
  int id;
  char name[16];
  uint64_t cpu;
  long faults;
};

enum { MAX_THREADS = 32 };
static struct thread threads[MAX_THREADS];
static size_t thread_count;

static void slurp(char *into, size_t room, int id, const char *file) {
  char path[64];
  snprintf(path, sizeof path, "/proc/self/task/%d/%s", id, file);
  int fd = open(path, O_RDONLY | O_CLOEXEC);
  ssize_t n = fd >= 0 ? read(fd, into, room - 1) : 0;
  if (fd >= 0) close(fd);
  into[n > 0 ? n : 0] = 0;
}

static void find_threads(void) {
  DIR *tasks = opendir("/proc/self/task");
  if (!tasks) fail("/proc/self/task", strerror(errno));
  for (struct dirent *entry; (entry = readdir(tasks)) && thread_count < MAX_THREADS;) {
    int id = atoi(entry->d_name);
    if (id == 0) continue;
    struct thread *thread = &threads[thread_count++];
    thread->id = id;
    slurp(thread->name, sizeof thread->name, id, "comm");
    thread->name[strcspn(thread->name, "\n")] = 0;
    if (strcmp(thread->name, "fnvm-fast") == 0) atomic_store(&fast_thread, id);
  }
  closedir(tasks);
}

// The clock of another thread, as pthread_getcpuclockid makes it.
static uint64_t thread_cpu(int id) { return clock_ns((clockid_t)(~(unsigned)id << 3 | 6)); }

static long thread_faults(int id) {
  char stat[1024];
  slurp(stat, sizeof stat, id, "stat");
  const char *rest = strrchr(stat, ')');
  long minor = 0, major = 0;
  // state ppid pgrp session tty tpgid flags minflt cminflt majflt
  if (rest) sscanf(rest + 2, "%*c %*d %*d %*d %*d %*d %*u %ld %*d %ld", &minor, &major);
  return minor + major;
}

static void visit_threads(int sign) {
  for (size_t i = 0; i < thread_count; i++) {
    threads[i].cpu += (uint64_t)sign * thread_cpu(threads[i].id);
    threads[i].faults += sign * thread_faults(threads[i].id);
  }
}

// ---- the recording ----

static void check(fnvm_status status, const char *what) {
  if (status != FNVM_OK) fail(what, fnvm_last_error_message());
}

static void sleep_until(uint64_t deadline) {
  struct timespec t = as_timespec(deadline);
  while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &t, NULL) == EINTR) continue;
}

int main(int argc, char **argv) {
  if (argc != 9) fail("usage", "recorder PATH BOARD ROOT FAST_HZ MEDIUM_HZ SLOW_HZ SECONDS WARM_SECONDS");
  const char *path = argv[1], *name = argv[2], *root = argv[3];
  fnvm_options options = FNVM_OPTIONS_INIT;
  options.fast_hz = (uint32_t)atoi(argv[4]);
  options.medium_hz = (uint32_t)atoi(argv[5]);
  options.slow_hz = (uint32_t)atoi(argv[6]);
  const uint64_t measured_ns = (uint64_t)(atof(argv[7]) * 1e9), warm_ns = (uint64_t)(atof(argv[8]) * 1e9);

  fnvm_board *board = NULL;
  if (strcmp(name, "detect") == 0) {
    check(fnvm_board_detect(root, &board), "detect");
  } else {
    check(fnvm_board_named(name, root, &board), name);
  }
  fnvm_engine *engine = NULL;
  check(fnvm_engine_create(path, board, &options, &engine), "create");
  fnvm_board_free(board);

  const uint64_t whole_cpu = clock_ns(CLOCK_PROCESS_CPUTIME_ID);
  const uint64_t before_start = now_ns();
  check(fnvm_engine_start(engine), "start");
  const uint64_t started = now_ns();

  fnvm_counts first = FNVM_COUNTS_INIT, last = FNVM_COUNTS_INIT;
  sleep_until(started + warm_ns);
  find_threads(); // By now they have their names.
  visit_threads(-1);
  check(fnvm_engine_counts(engine, &first), "counts");
  const long first_faults = page_faults(RUSAGE_SELF);
  const uint64_t first_time = now_ns();
  atomic_store(&is_counting, 1);
  const uint64_t first_cpu = clock_ns(CLOCK_PROCESS_CPUTIME_ID);

  sleep_until(started + warm_ns + measured_ns);
  const uint64_t cpu = clock_ns(CLOCK_PROCESS_CPUTIME_ID) - first_cpu;
  atomic_store(&is_counting, 0);
  const uint64_t elapsed = now_ns() - first_time;
  const long faults = page_faults(RUSAGE_SELF) - first_faults;
  check(fnvm_engine_counts(engine, &last), "counts");
  visit_threads(+1);

  atomic_store(&flush_ns, 0);
  const uint64_t before_stop = now_ns();
  check(fnvm_engine_stop(engine), "stop");
  const uint64_t stopped = now_ns();
  const uint64_t whole = clock_ns(CLOCK_PROCESS_CPUTIME_ID) - whole_cpu;
  fnvm_counts all = FNVM_COUNTS_INIT;
  check(fnvm_engine_counts(engine, &all), "counts");

  printf("{");
#ifdef FNVM_TIER_STATS_INIT
  fnvm_tier_stats stats = FNVM_TIER_STATS_INIT;
  check(fnvm_engine_tier_stats(engine, FNVM_TIER_FAST, &stats), "tier stats");
  printf("\"late_median_ns\": %llu, \"late_p99_ns\": %llu, \"late_most_ns\": %llu, ",
         (unsigned long long)stats.lateness_median_ns, (unsigned long long)stats.lateness_p99_ns,
         (unsigned long long)stats.lateness_max_ns);
#endif
  printf("\"ticks\": %llu, \"missed\": %llu, \"read_errors\": %llu, \"dropped\": %llu, \"cpu_ns\": %llu, "
         "\"elapsed_ns\": %llu, \"faults\": %ld, \"allocations\": %ld, \"fast_allocations\": %ld, "
         "\"fast_locks\": %ld, ",
         (unsigned long long)(last.fast_samples - first.fast_samples),
         (unsigned long long)(last.missed_fast - first.missed_fast), (unsigned long long)all.read_errors,
         (unsigned long long)all.dropped_samples, (unsigned long long)cpu, (unsigned long long)elapsed, faults,
         atomic_load(&allocations), atomic_load(&fast_allocations), atomic_load(&fast_locks));
  printf("\"whole_cpu_ns\": %llu, \"whole_ticks\": %llu, \"before_start_ns\": %llu, \"started_ns\": %llu, "
         "\"before_stop_ns\": %llu, \"stop_ns\": %llu, \"flush_ns\": %llu, \"threads\": {",
         (unsigned long long)whole, (unsigned long long)all.fast_samples, (unsigned long long)before_start,
         (unsigned long long)started, (unsigned long long)before_stop, (unsigned long long)(stopped - before_stop),
         (unsigned long long)atomic_load(&flush_ns));
  for (size_t i = 0; i < thread_count; i++) {
    printf("%s\"%s\": {\"cpu_ns\": %llu, \"faults\": %ld}", i ? ", " : "", threads[i].name,
           (unsigned long long)threads[i].cpu, threads[i].faults);
  }
  printf("}}\n");
  fnvm_engine_free(engine);
  return 0;
}
