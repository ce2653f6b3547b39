/* Other processes: forked children, and recorders that are killed. */
#include <errno.h>
#include <fastnvmetrics/fastnvmetrics.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <time.h>

#include "check.h"
#include "fixture.h"

/* Runs a function in a forked child. @return whether it ended well and none of its checks failed.
 * */
static int in_child(void (*body)(fixture *, fnvm_engine *), fixture *f, fnvm_engine *engine) {
  fflush(NULL);
  pid_t child = fork();
  if (child == 0) {
    checks_failed = 0;
    alarm(30);
    body(f, engine);
    _exit(checks_failed != 0);
  }
  int status = 0;
  return child > 0 && waitpid(child, &status, 0) == child && WIFEXITED(status) &&
         WEXITSTATUS(status) == 0;
}

static void use_the_engine_of_the_parent(fixture *f, fnvm_engine *engine) {
  (void)f;
  uint64_t id = 77;
  CHECK_EQUAL(fnvm_engine_sync(engine, &id), FNVM_E_FORKED);
  CHECK_EQUAL(id, 77);
  CHECK_EQUAL(fnvm_engine_wait_for_warmup(engine, FNVM_NO_TIMEOUT), FNVM_E_FORKED);
  CHECK_EQUAL(fnvm_engine_start(engine), FNVM_E_FORKED);
  CHECK_EQUAL(fnvm_engine_stop(engine), FNVM_E_FORKED);
  (void)fnvm_engine_sample_count(engine);
  (void)fnvm_engine_is_running(engine);
  fnvm_engine_free(engine);
}

static void a_child_cannot_use_the_engine_of_its_parent(void) {
  fixture f = fixture_create();
  fnvm_engine *engine = fixture_engine(&f, "run.bin");
  fnvm_trace *trace = NULL;
  REQUIRE(fnvm_engine_start(engine) == FNVM_OK);
  CHECK_EQUAL(fnvm_engine_wait_for_warmup(engine, FNVM_NO_TIMEOUT), FNVM_OK);
  CHECK(in_child(use_the_engine_of_the_parent, &f, engine));

  CHECK_EQUAL(fnvm_engine_is_running(engine), 1);
  CHECK_EQUAL(fnvm_engine_sync(engine, NULL), FNVM_OK);
  CHECK(wait_for_samples(engine, fnvm_engine_sample_count(engine) + 20));
  CHECK_EQUAL(fnvm_engine_stop(engine), FNVM_OK);
  REQUIRE(fnvm_trace_open(fixture_path(&f, "run.bin"), &trace) == FNVM_OK);
  CHECK_EQUAL(fnvm_trace_header(trace)->num_sync_points, 1);
  CHECK_EQUAL(fnvm_trace_header(trace)->num_fast_samples, fnvm_engine_sample_count(engine));
  CHECK_EQUAL(fixture_count(&f, "run.bin"), 1);
  fnvm_trace_close(trace);
  fnvm_engine_free(engine);
  fixture_remove(&f);
}

static void record_in_the_child(fixture *f, fnvm_engine *unused) {
  (void)unused;
  fnvm_engine *taken = fixture_engine(f, "run.bin"), *own = fixture_engine(f, "child.bin");
  CHECK_EQUAL(fnvm_engine_start(taken), FNVM_E_IO);
  CHECK_EQUAL(fnvm_last_error_errno(), EBUSY);
  CHECK(record_briefly(own));
  fnvm_engine_free(taken);
  fnvm_engine_free(own);
}

static void a_child_can_record_with_an_engine_of_its_own(void) {
  fixture f = fixture_create();
  fnvm_engine *engine = fixture_engine(&f, "run.bin");
  fnvm_trace *trace = NULL;
  REQUIRE(fnvm_engine_start(engine) == FNVM_OK);
  CHECK(in_child(record_in_the_child, &f, engine));
  CHECK_EQUAL(fnvm_engine_stop(engine), FNVM_OK);
  CHECK_EQUAL(fnvm_trace_open(fixture_path(&f, "run.bin"), &trace), FNVM_OK);
  fnvm_trace_close(trace);
  CHECK_EQUAL(fnvm_trace_open(fixture_path(&f, "child.bin"), &trace), FNVM_OK);
  fnvm_trace_close(trace);
  fnvm_engine_free(engine);
  fixture_remove(&f);
}

static void start_the_engine_of_the_parent(fixture *f, fnvm_engine *engine) {
  (void)f;
  CHECK(record_briefly(engine));
  fnvm_engine_free(engine);
}

static void an_engine_that_was_not_started_works_in_the_child(void) {
  fixture f = fixture_create();
  fnvm_engine *engine = fixture_engine(&f, "run.bin");
  CHECK(in_child(start_the_engine_of_the_parent, &f, engine));
  CHECK(record_briefly(engine));
  fnvm_engine_free(engine);
  fixture_remove(&f);
}

/* Leaves root/run.bin as a recorder leaves it that is killed after 300 samples and two marks. */
static void crash(fixture *f) {
  int ready[2];
  char byte = 0;
  REQUIRE(pipe(ready) == 0);
  fflush(NULL);
  pid_t child = fork();
  REQUIRE(child >= 0);
  if (child == 0) {
    alarm(30);
    fnvm_engine *engine = fixture_engine(f, "run.bin");
    if (fnvm_engine_start(engine) != FNVM_OK || fnvm_engine_sync(engine, NULL) != FNVM_OK ||
        !wait_for_samples(engine, 100) || fnvm_engine_sync(engine, NULL) != FNVM_OK ||
        !wait_for_samples(engine, 300))
      _exit(1);
    if (write(ready[1], "!", 1) != 1) _exit(1);
    for (;;) pause();
  }
  close(ready[1]);
  CHECK_EQUAL(read(ready[0], &byte, 1), 1);
  close(ready[0]);
  /* While it is being recorded, it is neither complete nor to be recovered. */
  fnvm_trace *trace = NULL;
  CHECK_EQUAL(fnvm_trace_open(fixture_path(f, "run.bin"), &trace), FNVM_E_UNFINISHED);
  CHECK_EQUAL(fnvm_trace_recover(fixture_path(f, "run.bin"), NULL), FNVM_E_IO);
  CHECK_EQUAL(fnvm_last_error_errno(), EBUSY);
  kill(child, SIGKILL);
  waitpid(child, NULL, 0);
}

static void a_killed_recording_can_be_recovered(void) {
  fixture f = fixture_create();
  fnvm_trace *trace = NULL;
  int recovered = 77;
  const char *path = fixture_path(&f, "run.bin");
  crash(&f);
  CHECK_EQUAL(fnvm_trace_open(path, &trace), FNVM_E_UNFINISHED);
  CHECK(strstr(fnvm_last_error_message(), "recover") != NULL);
  CHECK(trace == NULL);
  CHECK_EQUAL(fnvm_trace_recover(path, &recovered), FNVM_OK);
  CHECK_EQUAL(recovered, 1);
  CHECK_EQUAL(fnvm_trace_recover(path, &recovered), FNVM_OK);
  CHECK_EQUAL(recovered, 0);
  CHECK_EQUAL(fixture_count(&f, "run.bin"), 1); /* the spools are gone */

  REQUIRE(fnvm_trace_open(path, &trace) == FNVM_OK);
  const fnvm_file_header *header = fnvm_trace_header(trace);
  CHECK_EQUAL(header->flags & (FNVM_FLAG_VALID | FNVM_FLAG_CLOSED | FNVM_FLAG_RECOVERED),
              FNVM_FLAG_VALID | FNVM_FLAG_RECOVERED);
  CHECK(header->num_fast_samples > 0);
  const fnvm_fast_sample *fast = fnvm_trace_fast(trace, NULL);
  for (uint64_t i = 0; i < header->num_fast_samples; i++) {
    CHECK_EQUAL(fast[i].gpu_load, FIXTURE_GPU_LOAD);
    CHECK(i == 0 || fast[i].time_s > fast[i - 1].time_s);
  }
  const fnvm_medium_sample *medium = fnvm_trace_medium(trace, NULL);
  for (uint64_t i = 0; i < header->num_medium_samples; i++) CHECK(medium[i].power_mw[0] == 6170.0f);
  const fnvm_slow_sample *slow = fnvm_trace_slow(trace, NULL);
  for (uint64_t i = 0; i < header->num_slow_samples; i++) CHECK(slow[i].temp_c[0] == 45.5f);
  const fnvm_sync_point *points = fnvm_trace_sync_points(trace, NULL);
  for (uint64_t i = 0; i < header->num_sync_points; i++) {
    CHECK_EQUAL(points[i].sync_id, i + 1);
    CHECK(points[i].fast_sample_idx < header->num_fast_samples);
  }
  fnvm_trace_close(trace);
  fixture_remove(&f);
}

static void a_killed_recording_is_set_aside_by_the_next(void) {
  fixture f = fixture_create();
  crash(&f);
  fnvm_engine *engine = fixture_engine(&f, "run.bin");
  CHECK(record_briefly(engine));
  const char *notice = fnvm_engine_notice(engine, 0);
  CHECK(notice != NULL && strstr(notice, ".unfinished-") != NULL);
  CHECK(fnvm_engine_notice(engine, 1000) == NULL);
  CHECK(fixture_count(&f, "run.bin.unfinished-") >= 1);
  fnvm_engine_free(engine);
  fixture_remove(&f);
}

static atomic_int is_asking;

static void *ask_for_names(void *engine) {
  fnvm_source_stats stats = FNVM_SOURCE_STATS_INIT;
  while (atomic_load(&is_asking)) (void)fnvm_engine_source_stats(engine, 0, &stats);
  return NULL;
}

static void ask_once(fixture *f, fnvm_engine *engine) {
  fnvm_source_stats stats = FNVM_SOURCE_STATS_INIT;
  (void)f;
  CHECK_EQUAL(fnvm_engine_source_stats(engine, 0, &stats), FNVM_OK);
  CHECK_TEXT(stats.name, "cpu");
}

/* What a thread of the parent was at is not finished in the child, and nothing there waits for it. */
static void a_child_waits_for_no_thread_of_its_parent(void) {
  fixture f = fixture_create();
  fnvm_engine *engine = fixture_engine(&f, "run.bin");
  pthread_t threads[2];
  CHECK(record_briefly(engine));
  atomic_store(&is_asking, 1);
  for (int i = 0; i < 2; i++) REQUIRE(pthread_create(&threads[i], NULL, ask_for_names, engine) == 0);
  for (int round = 0; round < 100; round++) {
    const int ended = in_child(ask_once, &f, engine);
    CHECK(ended);
    if (!ended) break;
  }
  atomic_store(&is_asking, 0);
  for (int i = 0; i < 2; i++) pthread_join(threads[i], NULL);
  fnvm_engine_free(engine);
  fixture_remove(&f);
}

static void record_and_stand_still(fixture *f) {
  fnvm_board *board = NULL;
  fnvm_engine *engine = NULL;
  fnvm_options options = FNVM_OPTIONS_INIT;
  fnvm_counts counts = FNVM_COUNTS_INIT;
  options.medium_hz = options.slow_hz = 64;
  REQUIRE(fnvm_board_create("bare", 1, f->root, &board) == FNVM_OK);
  REQUIRE(fnvm_engine_create(fixture_path(f, "run.bin"), board, &options, &engine) == FNVM_OK);
  fnvm_board_free(board);
  REQUIRE(fnvm_engine_start(engine) == FNVM_OK);
  CHECK(wait_for_samples(engine, 50));
  raise(SIGSTOP);
  CHECK(wait_for_samples(engine, fnvm_engine_sample_count(engine) + 200));
  CHECK_EQUAL(fnvm_engine_stop(engine), FNVM_OK);
  CHECK_EQUAL(fnvm_engine_counts(engine, &counts), FNVM_OK);
  CHECK_EQUAL(counts.dropped_samples, 0);
  CHECK(counts.missed_fast > 1000);
  CHECK(counts.missed_medium > 64);
  CHECK(counts.missed_slow > 64);
  fnvm_engine_free(engine);
}

/* The tiers of a board without rails and zones read nothing, but they tick. */
static void a_process_that_stood_still_missed_ticks_and_lost_none(void) {
  fixture f = fixture_create();
  const struct timespec pause = {2, 500000000}; /* longer than what their rings hold */
  int status = 0;
  fflush(NULL);
  const pid_t child = fork();
  if (child == 0) {
    checks_failed = 0;
    alarm(30);
    record_and_stand_still(&f);
    _exit(checks_failed != 0);
  }
  REQUIRE(child > 0);
  CHECK(waitpid(child, &status, WUNTRACED) == child && WIFSTOPPED(status));
  nanosleep(&pause, NULL);
  CHECK_EQUAL(kill(child, SIGCONT), 0);
  CHECK(waitpid(child, &status, 0) == child && WIFEXITED(status) && WEXITSTATUS(status) == 0);
  fixture_remove(&f);
}

int main(void) {
  unsetenv("FASTNVMETRICS_ROOT");
  RUN(a_child_cannot_use_the_engine_of_its_parent);
  RUN(a_child_can_record_with_an_engine_of_its_own);
  RUN(an_engine_that_was_not_started_works_in_the_child);
  RUN(a_child_waits_for_no_thread_of_its_parent);
  RUN(a_killed_recording_can_be_recovered);
  RUN(a_killed_recording_is_set_aside_by_the_next);
  RUN(a_process_that_stood_still_missed_ticks_and_lost_none);
  return finish();
}
