// What the programs of the benchmark share: clocks, page faults, order statistics.
#ifndef MEASURE_H
#define MEASURE_H

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <time.h>

static inline uint64_t clock_ns(clockid_t clock) {
  struct timespec t;
  clock_gettime(clock, &t);
  return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static inline uint64_t now_ns(void) { return clock_ns(CLOCK_MONOTONIC); }

static inline struct timespec as_timespec(uint64_t ns) {
  return (struct timespec){(time_t)(ns / 1000000000u), (long)(ns % 1000000000u)};
}

// `who`: RUSAGE_SELF or RUSAGE_THREAD.
static inline long page_faults(int who) {
  struct rusage usage;
  getrusage(who, &usage);
  return usage.ru_minflt + usage.ru_majflt;
}

static inline _Noreturn void fail(const char *what, const char *detail) {
  fprintf(stderr, "%s: %s\n", what, detail);
  exit(1);
}

static int by_value(const void *a, const void *b) {
  uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
  return (x > y) - (x < y);
}

// Prints the lateness of `count` ticks as members of a JSON object; sorts them.
static inline void print_lateness(uint32_t *late, size_t count) {
  if (count == 0) return;
  qsort(late, count, sizeof *late, by_value);
  printf("\"late_least_ns\": %u, \"late_median_ns\": %u, \"late_p99_ns\": %u, \"late_most_ns\": %u, ", late[0],
         late[count / 2], late[count - 1 - count / 100], late[count - 1]);
}

#endif
