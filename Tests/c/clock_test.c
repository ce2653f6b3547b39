/* Clocks that are set while a recording runs: the order of samples and their times do not follow. */
#include <fastnvmetrics/fastnvmetrics.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <time.h>

#include "check.h"
#include "fixture.h"

/* What is added to CLOCK_REALTIME, in seconds: this program's clock_gettime stands before libc's, also
 * for the library. */
static _Atomic int64_t step_seconds;
static _Atomic int times_asked;

int clock_gettime(clockid_t clock, struct timespec *time) {
  const int result = (int)syscall(SYS_clock_gettime, clock, time);
  if (result == 0 && clock == CLOCK_REALTIME) {
    time->tv_sec += (time_t)atomic_load(&step_seconds);
    atomic_fetch_add(&times_asked, 1);
  }
  return result;
}

static uint64_t monotonic(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

/* Every time lies between the start and the end of the recording, as CLOCK_MONOTONIC has them. */
static void check_times(const fnvm_trace *trace, uint64_t before, uint64_t after) {
  const uint64_t start = fnvm_trace_header(trace)->start_monotonic_ns;
  const double longest = (double)(after - start) * 1e-9;
  uint64_t counts[3];
  const void *const records[] = {fnvm_trace_fast(trace, &counts[0]), fnvm_trace_medium(trace, &counts[1]),
                                 fnvm_trace_slow(trace, &counts[2])};
  static const size_t sizes[] = {sizeof(fnvm_fast_sample), sizeof(fnvm_medium_sample),
                                 sizeof(fnvm_slow_sample)};
  CHECK(start >= before && start <= after);
  for (int tier = 0; tier < 3; tier++) {
    double last = 0;
    CHECK(counts[tier] > 2);
    for (uint64_t i = 0; i < counts[tier]; i++) {
      double seconds;
      memcpy(&seconds, (const char *)records[tier] + i * sizes[tier], sizeof seconds);
      CHECK(seconds > last && seconds <= longest);
      last = seconds;
    }
  }
}

static void steps_of_the_clock_do_not_move_samples(void) {
  static const int64_t steps[] = {3600, -3600, 86400 * 365, -86400 * 365, 0};
  fixture f = fixture_create();
  fnvm_engine *engine = fixture_engine(&f, "run.bin");
  fnvm_trace *trace = NULL;
  const uint64_t before = monotonic();
  const time_t real = time(NULL);
  CHECK_EQUAL(fnvm_engine_start(engine), FNVM_OK);
  for (size_t i = 0; i < sizeof steps / sizeof *steps; i++) {
    CHECK(wait_for_samples(engine, fnvm_engine_sample_count(engine) + 60));
    CHECK_EQUAL(fnvm_engine_sync(engine, NULL), FNVM_OK);
    atomic_store(&step_seconds, steps[i]);
  }
  CHECK(wait_for_samples(engine, fnvm_engine_sample_count(engine) + 60));
  CHECK_EQUAL(fnvm_engine_stop(engine), FNVM_OK);
  CHECK(atomic_load(&times_asked) > 0);
  REQUIRE(fnvm_trace_open(fixture_path(&f, "run.bin"), &trace) == FNVM_OK);
  check_times(trace, before, monotonic());
  CHECK_EQUAL(fnvm_trace_header(trace)->num_sync_points, 5);
  const int64_t start = (int64_t)(fnvm_trace_header(trace)->start_realtime_ns / 1000000000u);
  CHECK(start >= real - 1 && start <= real + 60); /* of the clock as it was at the start */
  fnvm_trace_close(trace);
  fnvm_engine_free(engine);
  fixture_remove(&f);
}

static void clocks_that_are_far_off_are_recorded_all_the_same(void) {
  /* 1901, 1969, 1970 to the second, 2038 and after, 2262: where 64 bits of nanoseconds end, and beyond. */
  const int64_t now = time(NULL);
  const int64_t dates[] = {-2177452800, -1, 0, INT64_C(4294967296), INT64_C(9223372036), INT64_C(99999999999)};
  fixture f = fixture_create();
  fnvm_engine *engine = fixture_engine(&f, "run.bin");
  for (size_t i = 0; i < sizeof dates / sizeof *dates; i++) {
    fnvm_trace *trace = NULL;
    atomic_store(&step_seconds, dates[i] - now);
    const uint64_t before = monotonic();
    CHECK_EQUAL(fnvm_engine_start(engine), FNVM_OK);
    CHECK(wait_for_samples(engine, 100));
    CHECK_EQUAL(fnvm_engine_stop(engine), FNVM_OK);
    CHECK_EQUAL(fnvm_trace_open(fixture_path(&f, "run.bin"), &trace), FNVM_OK);
    if (trace) check_times(trace, before, monotonic());
    fnvm_trace_close(trace);
  }
  atomic_store(&step_seconds, 0);
  fnvm_engine_free(engine);
  fixture_remove(&f);
}

int main(void) {
  unsetenv("FASTNVMETRICS_ROOT");
  RUN(steps_of_the_clock_do_not_move_samples);
  RUN(clocks_that_are_far_off_are_recorded_all_the_same);
  return finish();
}
