// The floor: what no recorder that reads these files at this rate can do without.
//
//   floor RATE_HZ SECONDS WARM_SECONDS [--alone] < READS
//
// READS are lines "TIER HZ BYTES PATH": a pread of BYTES from the start of PATH, HZ times a second. Tier 0 ticks
// at RATE_HZ and is the one that is measured; with no reads it only sleeps. Tiers 1 and 2, where they have
// something to read, do so at the rate of their first line, on threads of their own: reads that take milliseconds
// on a board, as those of the rails do, would make a single thread late.
//
// The program parses nothing, keeps nothing and writes nothing. Ticks are on absolute deadlines with a timer slack of
// 1 ns; those that are past are skipped and counted, as a recorder does. Tier 0 has a thread of its own as
// well: the kernel looks descriptors up faster in a process of one thread, which no recorder in a
// program can be; --alone shows by how much. Everything is counted from WARM_SECONDS on.
#define _GNU_SOURCE
#include "measure.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

struct source {
  int fd;
  size_t bytes;
};

// The files that are read at one rate, in the order given.
struct group {
  uint64_t period, due;
  struct source *sources;
  size_t count;
};

enum { MAX_GROUPS = 8, TIERS = 3 };

struct tier {
  uint64_t period;
  struct group groups[MAX_GROUPS];
  size_t group_count;
  char buffer[1 << 16];
  uint64_t failed;
};

static struct tier tiers[TIERS];
static uint64_t begin, warm, end;

// What tier 0 leaves behind.
static uint32_t *late;
static uint64_t ticks, missed, thread_cpu, process_cpu, elapsed;
static long faults;

static void add(struct tier *tier, uint64_t hz, size_t bytes, const char *path) {
  int fd = open(path, O_RDONLY | O_CLOEXEC);
  if (fd < 0) fail(path, strerror(errno));
  if (hz == 0 || bytes > sizeof tier->buffer) fail(path, "out of range");
  const uint64_t period = 1000000000u / hz;
  if (tier->period == 0) tier->period = period;
  size_t g = 0;
  while (g < tier->group_count && tier->groups[g].period != period) g++;
  if (g == MAX_GROUPS) fail(path, "too many rates");
  struct group *group = &tier->groups[g];
  if (g == tier->group_count) {
    tier->group_count++;
    group->period = period;
  }
  group->sources = realloc(group->sources, (group->count + 1) * sizeof(struct source));
  if (!group->sources) fail(path, "no memory");
  group->sources[group->count++] = (struct source){fd, bytes};
}

static void read_group(struct tier *tier, const struct group *group) {
  for (size_t i = 0; i < group->count; i++) {
    if (pread(group->sources[i].fd, tier->buffer, group->sources[i].bytes, 0) <= 0) tier->failed++;
  }
}

static void *loop(void *argument) {
  struct tier *tier = argument;
  const int is_measured = tier == tiers;
  const uint64_t period = tier->period;
  prctl(PR_SET_TIMERSLACK, 1UL);
  uint64_t deadline = begin + period, warm_time = 0;
  for (size_t g = 0; g < tier->group_count; g++) tier->groups[g].due = deadline;
  while (deadline < end) {
    struct timespec t = as_timespec(deadline);
    while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &t, NULL) == EINTR) continue;
    const uint64_t woken = now_ns();
    if (is_measured) {
      if (warm_time == 0 && deadline >= warm) {
        warm_time = woken;
        ticks = missed = 0;
        faults = page_faults(RUSAGE_THREAD);
        thread_cpu = clock_ns(CLOCK_THREAD_CPUTIME_ID);
        process_cpu = clock_ns(CLOCK_PROCESS_CPUTIME_ID);
      }
      const uint64_t lateness = woken - deadline;
      late[ticks++] = lateness < UINT32_MAX ? (uint32_t)lateness : UINT32_MAX;
    }
    for (size_t g = 0; g < tier->group_count; g++) {
      struct group *group = &tier->groups[g];
      if (group->period > period) {
        if (woken < group->due) continue;
        group->due += group->period;
        if (group->due < woken + group->period / 2) group->due = woken + group->period / 2;
      }
      read_group(tier, group);
    }
    deadline += period;
    const uint64_t now = now_ns();
    if (deadline <= now) {
      const uint64_t skipped = (now - deadline) / period + 1;
      if (is_measured) missed += skipped;
      deadline += skipped * period;
    }
  }
  if (is_measured) {
    process_cpu = clock_ns(CLOCK_PROCESS_CPUTIME_ID) - process_cpu;
    thread_cpu = clock_ns(CLOCK_THREAD_CPUTIME_ID) - thread_cpu;
    faults = page_faults(RUSAGE_THREAD) - faults;
    elapsed = now_ns() - warm_time;
  }
  return NULL;
}

int main(int argc, char **argv) {
  if (argc < 4) fail("usage", "floor RATE_HZ SECONDS WARM_SECONDS [--alone] < READS");
  const uint64_t rate = strtoull(argv[1], NULL, 10);
  const uint64_t measured_ns = (uint64_t)(atof(argv[2]) * 1e9), warm_ns = (uint64_t)(atof(argv[3]) * 1e9);
  const int alone = argc > 4 && strcmp(argv[4], "--alone") == 0;
  if (rate == 0 || measured_ns == 0) fail("usage", "the rate and the time must be above 0");
  tiers[0].period = 1000000000u / rate;

  unsigned tier;
  unsigned long long hz;
  size_t bytes;
  char path[4096];
  while (scanf("%u %llu %zu %4095[^\n]", &tier, &hz, &bytes, path) == 4) {
    if (tier >= TIERS) fail(path, "no such tier");
    add(&tiers[tier], hz, bytes, path);
  }

  // Touched before the loop, so that no tick faults for it.
  const size_t room = (size_t)((warm_ns + measured_ns) / tiers[0].period) + 16;
  late = malloc(room * sizeof *late);
  if (!late) fail("floor", "no memory");
  memset(late, 0xFF, room * sizeof *late);
  for (size_t t = 0; t < TIERS; t++) {
    memset(tiers[t].buffer, 0xFF, sizeof tiers[t].buffer);
    for (size_t g = 0; g < tiers[t].group_count; g++) read_group(&tiers[t], &tiers[t].groups[g]);
  }

  begin = now_ns();
  warm = begin + warm_ns;
  end = warm + measured_ns;
  pthread_t threads[TIERS];
  size_t started = 0;
  for (size_t t = 0; t < TIERS; t++) {
    if (t == 0 ? alone : tiers[t].group_count == 0) continue;
    if (pthread_create(&threads[started++], NULL, loop, &tiers[t])) fail("floor", "cannot start a thread");
  }
  if (alone) loop(&tiers[0]);
  while (started > 0) pthread_join(threads[--started], NULL);

  printf("{");
  print_lateness(late, ticks);
  printf("\"ticks\": %llu, \"missed\": %llu, \"failed_reads\": %llu, \"cpu_ns\": %llu, \"thread_cpu_ns\": %llu, "
         "\"elapsed_ns\": %llu, \"faults\": %ld}\n",
         (unsigned long long)ticks, (unsigned long long)missed,
         (unsigned long long)(tiers[0].failed + tiers[1].failed + tiers[2].failed), (unsigned long long)process_cpu,
         (unsigned long long)thread_cpu, (unsigned long long)elapsed, faults);
  return 0;
}
