/* The life of an engine: arguments, states, sync points, several engines, what it leaves behind. */
#include <dirent.h>
#include <errno.h>
#include <fastnvmetrics/fastnvmetrics.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>

#include "check.h"
#include "fixture.h"

enum { MARKERS = 4, MARKS = 100 };

static int count_entries(const char *directory) {
  int count = 0;
  DIR *stream = opendir(directory);
  while (stream && readdir(stream)) count++;
  if (stream) closedir(stream);
  return count;
}

static void null_is_refused_everywhere(void) {
  fnvm_engine *engine = NULL;
  fnvm_counts counts = FNVM_COUNTS_INIT;
  uint64_t id = 77;
  CHECK_EQUAL(fnvm_engine_create(NULL, NULL, NULL, &engine), FNVM_E_INVALID);
  CHECK_EQUAL(fnvm_engine_create("run.bin", NULL, NULL, NULL), FNVM_E_INVALID);
  CHECK_EQUAL(fnvm_engine_start(NULL), FNVM_E_INVALID);
  CHECK_EQUAL(fnvm_engine_stop(NULL), FNVM_E_INVALID);
  CHECK_EQUAL(fnvm_engine_wait_for_warmup(NULL, 0), FNVM_E_INVALID);
  CHECK_EQUAL(fnvm_engine_sync(NULL, &id), FNVM_E_INVALID);
  CHECK_EQUAL(id, 77);
  CHECK_EQUAL(fnvm_engine_sample_count(NULL), 0);
  CHECK_EQUAL(fnvm_engine_is_running(NULL), 0);
  CHECK_EQUAL(fnvm_engine_counts(NULL, &counts), FNVM_E_INVALID);
  CHECK(fnvm_engine_notice(NULL, 0) == NULL);
  fnvm_engine_free(NULL);
}

static void options_outside_the_limits_are_refused(void) {
  static const struct {
    fnvm_options options;
    fnvm_status expected;
  } cases[] = {
      {{.struct_size = sizeof(fnvm_options), .fast_hz = 1, .medium_hz = 1, .slow_hz = 1}, FNVM_OK},
      {{.struct_size = sizeof(fnvm_options), .fast_hz = 20000, .medium_hz = 20000, .slow_hz = 20000}, FNVM_OK},
      {{.struct_size = sizeof(fnvm_options), .fast_hz = 0, .medium_hz = 100, .slow_hz = 10}, FNVM_E_INVALID},
      {{.struct_size = sizeof(fnvm_options), .fast_hz = 1000, .medium_hz = 0, .slow_hz = 10}, FNVM_E_INVALID},
      {{.struct_size = sizeof(fnvm_options), .fast_hz = 1000, .medium_hz = 100, .slow_hz = 0}, FNVM_E_INVALID},
      {{.struct_size = sizeof(fnvm_options), .fast_hz = 20001, .medium_hz = 100, .slow_hz = 10}, FNVM_E_INVALID},
      {{.struct_size = sizeof(fnvm_options), .fast_hz = 1000, .medium_hz = 20001, .slow_hz = 10}, FNVM_E_INVALID},
      {{.struct_size = sizeof(fnvm_options), .fast_hz = 1000, .medium_hz = 100, .slow_hz = UINT32_MAX}, FNVM_E_INVALID},
      {{.struct_size = 0, .fast_hz = 1000, .medium_hz = 100, .slow_hz = 10}, FNVM_E_INVALID},
      {{.struct_size = 3, .fast_hz = 1000, .medium_hz = 100, .slow_hz = 10}, FNVM_E_INVALID},
      {{.struct_size = sizeof(fnvm_options) - 1, .fast_hz = 1000, .medium_hz = 100, .slow_hz = 10}, FNVM_E_INVALID},
      {{.struct_size = UINT32_MAX, .fast_hz = 1000, .medium_hz = 100, .slow_hz = 10}, FNVM_E_INVALID},
  };
  fixture f = fixture_create();
  fnvm_board *board = fixture_board(&f);
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    fnvm_engine *engine = NULL;
    const fnvm_status expected = cases[i].expected;
    CHECK_EQUAL(fnvm_engine_create("run.bin", board, &cases[i].options, &engine), expected);
    CHECK_EQUAL(engine != NULL, expected == FNVM_OK);
    fnvm_engine_free(engine);
  }
  /* What a program compiled against the first version of the header passes. */
  const uint32_t first_version[] = {16, 1000, 100, 10};
  fnvm_engine *engine = NULL;
  CHECK_EQUAL(fnvm_engine_create("run.bin", board, (const fnvm_options *)first_version, &engine),
              FNVM_OK);
  fnvm_engine_free(engine);
  engine = (fnvm_engine *)&engine;
  CHECK_EQUAL(fnvm_engine_create("", board, NULL, &engine), FNVM_E_INVALID);
  CHECK(engine == NULL);
  fnvm_board_free(board);
  fixture_remove(&f);
}

static void counts_need_their_size(void) {
  fixture f = fixture_create();
  fnvm_engine *engine = fixture_engine(&f, "run.bin");
  fnvm_counts counts = FNVM_COUNTS_INIT;
  CHECK_EQUAL(fnvm_engine_counts(engine, NULL), FNVM_E_INVALID);
  CHECK_EQUAL(fnvm_engine_counts(engine, &counts), FNVM_OK);
  CHECK_EQUAL(counts.struct_size, sizeof counts);
  CHECK_EQUAL(counts.fast_samples, 0);
  const uint32_t wrong[] = {0, 4, sizeof counts - 1};
  for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
    counts.struct_size = wrong[i];
    counts.fast_samples = 77;
    CHECK_EQUAL(fnvm_engine_counts(engine, &counts), FNVM_E_INVALID);
    CHECK_EQUAL(counts.fast_samples, 77);
  }
  struct {
    fnvm_counts counts;
    uint64_t beyond;
  } guarded = {FNVM_COUNTS_INIT, 77};
  guarded.counts.struct_size = UINT32_MAX; /* whatever it answers, it stays inside what it knows */
  (void)fnvm_engine_counts(engine, &guarded.counts);
  CHECK_EQUAL(guarded.beyond, 77);
  fnvm_engine_free(engine);
  fixture_remove(&f);
}

static void only_a_running_engine_can_be_marked_or_awaited(void) {
  fixture f = fixture_create();
  fnvm_engine *engine = fixture_engine(&f, "run.bin");
  for (int round = 0; round < 2; round++) {
    uint64_t id = 77;
    CHECK_EQUAL(fnvm_engine_is_running(engine), 0);
    CHECK_EQUAL(fnvm_engine_sync(engine, &id), FNVM_E_NOT_RUNNING);
    CHECK_EQUAL(id, 77);
    CHECK_EQUAL(fnvm_engine_wait_for_warmup(engine, FNVM_NO_TIMEOUT), FNVM_E_NOT_RUNNING);
    CHECK_EQUAL(fnvm_engine_stop(engine), FNVM_OK); /* harmless */
    if (round == 0) CHECK(record_briefly(engine));
  }
  fnvm_engine_free(engine);
  fixture_remove(&f);
}

static void nothing_is_written_before_start(void) {
  fixture f = fixture_create();
  fnvm_engine *engine = fixture_engine(&f, "run.bin");
  CHECK_EQUAL(fixture_count(&f, "run.bin"), 0);
  fnvm_engine_free(engine);
  CHECK_EQUAL(fixture_count(&f, "run.bin"), 0);
  fixture_remove(&f);
}

static void a_running_engine_cannot_be_started_again(void) {
  fixture f = fixture_create();
  fnvm_engine *engine = fixture_engine(&f, "run.bin");
  REQUIRE(fnvm_engine_start(engine) == FNVM_OK);
  CHECK_EQUAL(fnvm_engine_is_running(engine), 1);
  CHECK_EQUAL(fnvm_engine_start(engine), FNVM_E_ALREADY_RUNNING);
  CHECK(strstr(fnvm_last_error_message(), "already running") != NULL);
  CHECK_EQUAL(fnvm_engine_is_running(engine), 1);
  CHECK_EQUAL(fnvm_engine_stop(engine), FNVM_OK);
  CHECK_EQUAL(fnvm_engine_stop(engine), FNVM_OK);
  CHECK_EQUAL(fnvm_engine_is_running(engine), 0);
  fnvm_engine_free(engine);
  fixture_remove(&f);
}

static void warmup_is_ten_samples(void) {
  fixture f = fixture_create();
  fnvm_engine *engine = fixture_engine(&f, "run.bin");
  REQUIRE(fnvm_engine_start(engine) == FNVM_OK);
  CHECK_EQUAL(fnvm_engine_wait_for_warmup(engine, FNVM_NO_TIMEOUT), FNVM_OK);
  CHECK(fnvm_engine_sample_count(engine) >= 10);
  CHECK_EQUAL(fnvm_engine_wait_for_warmup(engine, 0), FNVM_OK);
  fnvm_engine_free(engine);
  fixture_remove(&f);
}

/* The next two race against the warm-up, about 10 ms: whoever wins, the answer must be right, and
 * in twenty rounds the warm-up must not win them all. */
static void waiting_ends_when_its_time_is_up(void) {
  fixture f = fixture_create();
  fnvm_engine *engine = fixture_engine(&f, "run.bin");
  fnvm_status status = FNVM_OK;
  for (int round = 0; round < 20 && status == FNVM_OK; round++) {
    REQUIRE(fnvm_engine_start(engine) == FNVM_OK);
    status = fnvm_engine_wait_for_warmup(engine, (uint64_t)round % 2 * 100000);
    if (status == FNVM_OK) CHECK(fnvm_engine_sample_count(engine) >= 10);
    CHECK_EQUAL(fnvm_engine_is_running(engine), 1);
    CHECK_EQUAL(fnvm_engine_stop(engine), FNVM_OK);
  }
  CHECK_EQUAL(status, FNVM_E_TIMEOUT);
  fnvm_engine_free(engine);
  fixture_remove(&f);
}

static void *wait_without_limit(void *engine) {
  return (void *)(intptr_t)fnvm_engine_wait_for_warmup(engine, FNVM_NO_TIMEOUT);
}

static void waiting_ends_when_the_engine_is_stopped(void) {
  fixture f = fixture_create();
  fnvm_engine *engine = fixture_engine(&f, "run.bin");
  intptr_t status = FNVM_OK;
  for (int round = 0; round < 20 && status == FNVM_OK; round++) {
    pthread_t waiter;
    void *result = NULL;
    REQUIRE(fnvm_engine_start(engine) == FNVM_OK);
    REQUIRE(pthread_create(&waiter, NULL, wait_without_limit, engine) == 0);
    sched_yield();
    CHECK_EQUAL(fnvm_engine_stop(engine), FNVM_OK);
    pthread_join(waiter, &result);
    status = (intptr_t)result;
    if (status == FNVM_OK) CHECK(fnvm_engine_sample_count(engine) >= 10);
  }
  CHECK_EQUAL(status, FNVM_E_NOT_RUNNING);
  fnvm_engine_free(engine);
  fixture_remove(&f);
}

/* Opens root/run.bin and checks what is true of every mark. @return their number. */
static uint64_t check_marks(fixture *f) {
  fnvm_trace *trace = NULL;
  uint64_t marks = 0, samples = 0;
  CHECK_EQUAL(fnvm_trace_open(fixture_path(f, "run.bin"), &trace), FNVM_OK);
  const fnvm_sync_point *points = fnvm_trace_sync_points(trace, &marks);
  (void)fnvm_trace_fast(trace, &samples);
  for (uint64_t i = 0; i < marks; i++) {
    CHECK_EQUAL(points[i].sync_id, i + 1);
    CHECK(points[i].fast_sample_idx < samples);
    CHECK(i == 0 || points[i].fast_sample_idx >= points[i - 1].fast_sample_idx);
  }
  fnvm_trace_close(trace);
  return marks;
}

static void marks_count_from_one(void) {
  fixture f = fixture_create();
  fnvm_engine *engine = fixture_engine(&f, "run.bin");
  uint64_t id = 0;
  REQUIRE(fnvm_engine_start(engine) == FNVM_OK);
  CHECK_EQUAL(fnvm_engine_sync(engine, &id), FNVM_OK); /* before the first sample, perhaps */
  CHECK_EQUAL(id, 1);
  CHECK_EQUAL(fnvm_engine_wait_for_warmup(engine, FNVM_NO_TIMEOUT), FNVM_OK);
  CHECK_EQUAL(fnvm_engine_sync(engine, NULL), FNVM_OK);
  CHECK(wait_for_samples(engine, fnvm_engine_sample_count(engine) + 5));
  CHECK_EQUAL(fnvm_engine_sync(engine, &id), FNVM_OK);
  CHECK_EQUAL(id, 3);
  CHECK_EQUAL(fnvm_engine_stop(engine), FNVM_OK);
  CHECK_EQUAL(check_marks(&f), 3);
  fnvm_engine_free(engine);
  fixture_remove(&f);
}

static void a_mark_right_before_stop_is_followed_by_a_sample(void) {
  fixture f = fixture_create();
  fnvm_engine *engine = fixture_engine(&f, "run.bin");
  for (int round = 0; round < 20; round++) {
    REQUIRE(fnvm_engine_start(engine) == FNVM_OK);
    if (round % 2) CHECK_EQUAL(fnvm_engine_wait_for_warmup(engine, FNVM_NO_TIMEOUT), FNVM_OK);
    CHECK_EQUAL(fnvm_engine_sync(engine, NULL), FNVM_OK);
    CHECK_EQUAL(fnvm_engine_stop(engine), FNVM_OK);
    CHECK_EQUAL(check_marks(&f), 1);
  }
  fnvm_engine_free(engine);
  fixture_remove(&f);
}

static void *mark_often(void *engine) {
  uint64_t last = 0, id = 0;
  for (int i = 0; i < MARKS; i++) {
    if (fnvm_engine_sync(engine, &id) != FNVM_OK || id <= last) return (void *)1;
    last = id;
  }
  return NULL;
}

static void marks_from_many_threads_are_all_kept(void) {
  fixture f = fixture_create();
  fnvm_engine *engine = fixture_engine(&f, "run.bin");
  pthread_t markers[MARKERS];
  REQUIRE(fnvm_engine_start(engine) == FNVM_OK);
  for (int i = 0; i < MARKERS; i++)
    REQUIRE(pthread_create(&markers[i], NULL, mark_often, engine) == 0);
  for (int i = 0; i < MARKERS; i++) {
    void *failed = NULL;
    pthread_join(markers[i], &failed);
    CHECK(failed == NULL);
  }
  CHECK_EQUAL(fnvm_engine_stop(engine), FNVM_OK);
  CHECK_EQUAL(check_marks(&f), MARKERS * MARKS);
  fnvm_engine_free(engine);
  fixture_remove(&f);
}

static void a_second_recording_begins_anew(void) {
  fixture f = fixture_create();
  fnvm_engine *engine = fixture_engine(&f, "run.bin");
  uint64_t id = 0;
  REQUIRE(fnvm_engine_start(engine) == FNVM_OK);
  for (int i = 0; i < 5; i++) CHECK_EQUAL(fnvm_engine_sync(engine, NULL), FNVM_OK);
  CHECK(wait_for_samples(engine, 200));
  CHECK_EQUAL(fnvm_engine_stop(engine), FNVM_OK);
  CHECK(fnvm_engine_sample_count(engine) >= 200); /* readable after stop */
  CHECK_EQUAL(check_marks(&f), 5);

  REQUIRE(fnvm_engine_start(engine) == FNVM_OK);
  CHECK(fnvm_engine_sample_count(engine) < 200);
  CHECK_EQUAL(fnvm_engine_sync(engine, &id), FNVM_OK);
  CHECK_EQUAL(id, 1);
  CHECK_EQUAL(fnvm_engine_stop(engine), FNVM_OK);
  CHECK_EQUAL(check_marks(&f), 1);
  CHECK_EQUAL(fixture_count(&f, "run.bin"), 1); /* no spools, nothing set aside */
  fnvm_engine_free(engine);
  fixture_remove(&f);
}

static void freeing_a_running_engine_completes_the_trace(void) {
  fixture f = fixture_create();
  fnvm_engine *engine = fixture_engine(&f, "run.bin");
  REQUIRE(fnvm_engine_start(engine) == FNVM_OK);
  CHECK_EQUAL(fnvm_engine_sync(engine, NULL), FNVM_OK);
  fnvm_engine_free(engine);
  CHECK_EQUAL(check_marks(&f), 1);
  fixture_remove(&f);
}

static void engines_do_not_disturb_each_other(void) {
  fixture f = fixture_create();
  fnvm_engine *first = fixture_engine(&f, "run.bin"), *second = fixture_engine(&f, "other.bin");
  REQUIRE(fnvm_engine_start(first) == FNVM_OK);
  REQUIRE(fnvm_engine_start(second) == FNVM_OK);
  CHECK_EQUAL(fnvm_engine_sync(first, NULL), FNVM_OK);
  CHECK_EQUAL(fnvm_engine_wait_for_warmup(second, FNVM_NO_TIMEOUT), FNVM_OK);
  CHECK_EQUAL(fnvm_engine_stop(second), FNVM_OK);
  CHECK_EQUAL(fnvm_engine_is_running(first), 1);
  CHECK_EQUAL(fnvm_engine_stop(first), FNVM_OK);
  CHECK_EQUAL(check_marks(&f), 1);
  fnvm_trace *trace = NULL;
  CHECK_EQUAL(fnvm_trace_open(fixture_path(&f, "other.bin"), &trace), FNVM_OK);
  CHECK_EQUAL(fnvm_trace_header(trace)->num_sync_points, 0);
  fnvm_trace_close(trace);
  fnvm_engine_free(first);
  fnvm_engine_free(second);
  fixture_remove(&f);
}

static void two_engines_cannot_share_a_path(void) {
  fixture f = fixture_create();
  fnvm_engine *first = fixture_engine(&f, "run.bin"), *second = fixture_engine(&f, "run.bin");
  REQUIRE(fnvm_engine_start(first) == FNVM_OK);
  CHECK_EQUAL(fnvm_engine_start(second), FNVM_E_IO);
  CHECK_EQUAL(fnvm_last_error_errno(), EBUSY);
  CHECK_TEXT(fnvm_last_error_path(), fixture_path(&f, "run.bin"));
  CHECK_EQUAL(fnvm_engine_is_running(second), 0);
  CHECK_EQUAL(fnvm_engine_sync(first, NULL), FNVM_OK);
  CHECK_EQUAL(fnvm_engine_stop(first), FNVM_OK);
  CHECK_EQUAL(check_marks(&f), 1); /* the refusal left it alone */
  CHECK_EQUAL(fixture_count(&f, "run.bin"), 1);

  CHECK(record_briefly(second)); /* now the path is free */
  CHECK_EQUAL(check_marks(&f), 0);
  fnvm_engine_free(first);
  fnvm_engine_free(second);
  fixture_remove(&f);
}

typedef struct watcher {
  fnvm_engine *engine;
  atomic_int is_done;
} watcher;

static void *ask_for_statistics(void *argument) {
  watcher *w = argument;
  while (!atomic_load(&w->is_done)) {
    fnvm_tier_stats stats = FNVM_TIER_STATS_INIT;
    (void)fnvm_engine_tier_stats(w->engine, FNVM_TIER_FAST, &stats);
  }
  return NULL;
}

static void *wait_for_warmups(void *argument) {
  watcher *w = argument;
  while (!atomic_load(&w->is_done)) (void)fnvm_engine_wait_for_warmup(w->engine, FNVM_NO_TIMEOUT);
  return NULL;
}

/* Other threads may hold on to the recording that has just ended. */
static void it_starts_again_whoever_looks_at_the_last_recording(void) {
  fixture f = fixture_create();
  watcher w = {fixture_engine(&f, "run.bin"), 0};
  pthread_t threads[4];
  for (int i = 0; i < 4; i++)
    REQUIRE(pthread_create(&threads[i], NULL, i % 2 ? ask_for_statistics : wait_for_warmups, &w) == 0);
  for (int round = 0; round < 50; round++) {
    CHECK_EQUAL(fnvm_engine_start(w.engine), FNVM_OK);
    CHECK_EQUAL(fnvm_engine_stop(w.engine), FNVM_OK);
  }
  atomic_store(&w.is_done, 1);
  for (int i = 0; i < 4; i++) pthread_join(threads[i], NULL);
  fnvm_engine_free(w.engine);
  fixture_remove(&f);
}

static void recording_leaves_no_descriptor_and_no_thread_behind(void) {
  fixture f = fixture_create();
  fnvm_engine *engine = fixture_engine(&f, "run.bin");
  CHECK(record_briefly(engine));
  fnvm_engine_free(engine);
  const int descriptors = count_entries("/proc/self/fd");
  const int threads = count_entries("/proc/self/task");
  for (int i = 0; i < 10; i++) {
    engine = fixture_engine(&f, "run.bin");
    CHECK(record_briefly(engine));
    CHECK(record_briefly(engine));
    fnvm_engine_free(engine);
  }
  CHECK_EQUAL(count_entries("/proc/self/fd"), descriptors);
  CHECK_EQUAL(count_entries("/proc/self/task"), threads);
  fixture_remove(&f);
}

int main(void) {
  unsetenv("FASTNVMETRICS_ROOT");
  RUN(null_is_refused_everywhere);
  RUN(options_outside_the_limits_are_refused);
  RUN(counts_need_their_size);
  RUN(only_a_running_engine_can_be_marked_or_awaited);
  RUN(nothing_is_written_before_start);
  RUN(a_running_engine_cannot_be_started_again);
  RUN(warmup_is_ten_samples);
  RUN(waiting_ends_when_its_time_is_up);
  RUN(waiting_ends_when_the_engine_is_stopped);
  RUN(marks_count_from_one);
  RUN(a_mark_right_before_stop_is_followed_by_a_sample);
  RUN(marks_from_many_threads_are_all_kept);
  RUN(a_second_recording_begins_anew);
  RUN(freeing_a_running_engine_completes_the_trace);
  RUN(engines_do_not_disturb_each_other);
  RUN(two_engines_cannot_share_a_path);
  RUN(it_starts_again_whoever_looks_at_the_last_recording);
  RUN(recording_leaves_no_descriptor_and_no_thread_behind);
  return finish();
}
