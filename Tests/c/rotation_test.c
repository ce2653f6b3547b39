/* One recording in several traces: on a disk that is full, in a process that is killed or forks. */
#include <fastnvmetrics/fastnvmetrics.h>
#include <signal.h>
#include <sys/wait.h>

#include "check.h"
#include "faults.h"
#include "fixture.h"
#include "whole_trace.h"

static fnvm_engine *started(fixture *f, const char *name) {
  fnvm_engine *engine = fixture_engine(f, name);
  CHECK_EQUAL(fnvm_engine_start(engine), FNVM_OK);
  CHECK_EQUAL(fnvm_engine_wait_for_warmup(engine, FNVM_NO_TIMEOUT), FNVM_OK);
  return engine;
}

/* CLOCK_MONOTONIC of the last fast sample (or of the first). */
static uint64_t time_of(const char *path, int is_last) {
  fnvm_trace *trace = NULL;
  uint64_t count = 0, time = 0;
  if (fnvm_trace_open(path, &trace) != FNVM_OK) return 0;
  const fnvm_fast_sample *fast = fnvm_trace_fast(trace, &count);
  if (count > 0)
    time = fnvm_trace_header(trace)->start_monotonic_ns +
           (uint64_t)(fast[is_last ? count - 1 : 0].time_s * 1e9 + 0.5);
  fnvm_trace_close(trace);
  return time;
}

static void an_engine_that_does_not_run_has_nothing_to_rotate(void) {
  fixture f = fixture_create();
  fnvm_engine *engine = fixture_engine(&f, "run.bin");
  CHECK_EQUAL(fnvm_engine_rotate(engine, fixture_path(&f, "next.bin")), FNVM_E_NOT_RUNNING);
  CHECK_EQUAL(fnvm_engine_rotate(NULL, "next.bin"), FNVM_E_INVALID);
  CHECK_EQUAL(fnvm_engine_rotate(engine, NULL), FNVM_E_INVALID);
  CHECK_EQUAL(fnvm_engine_rotate(engine, ""), FNVM_E_INVALID);
  CHECK_EQUAL(fixture_count(&f, "next.bin"), 0);
  fnvm_engine_free(engine);
  fixture_remove(&f);
}

static void traces_follow_each_other(void) {
  fixture f = fixture_create();
  fnvm_engine *engine = started(&f, "0.bin");
  char name[16];
  for (int i = 1; i <= 5; i++) {
    CHECK_EQUAL(fnvm_engine_sync(engine, NULL), FNVM_OK);
    snprintf(name, sizeof name, "%d.bin", i);
    CHECK_EQUAL(fnvm_engine_rotate(engine, fixture_path(&f, name)), FNVM_OK);
    CHECK_EQUAL(fnvm_engine_is_running(engine), 1);
  }
  CHECK_EQUAL(fnvm_engine_stop(engine), FNVM_OK);
  fnvm_counts counts = FNVM_COUNTS_INIT;
  CHECK_EQUAL(fnvm_engine_counts(engine, &counts), FNVM_OK);
  CHECK_EQUAL(counts.sync_points, 5);
  uint64_t end = 0;
  for (int i = 0; i <= 5; i++) {
    snprintf(name, sizeof name, "%d.bin", i);
    const fnvm_file_header header = check_trace(fixture_path(&f, name));
    CHECK_EQUAL(header.num_sync_points, i < 5);
    CHECK(header.start_monotonic_ns > end);
    end = time_of(fixture_path(&f, name), 1);
    counts.fast_samples -= header.num_fast_samples;
    counts.medium_samples -= header.num_medium_samples;
    counts.slow_samples -= header.num_slow_samples;
    counts.missed_fast -= header.missed_fast;
  }
  CHECK_EQUAL(counts.fast_samples, 0);
  CHECK_EQUAL(counts.medium_samples, 0);
  CHECK_EQUAL(counts.slow_samples, 0);
  CHECK_EQUAL(counts.missed_fast, 0);
  fnvm_engine_free(engine);
  fixture_remove(&f);
}

static void a_trace_that_cannot_be_created_changes_nothing(void) {
  static const fault broken[] = {
      {.kind = FAULT_FAILS, .calls = ON_OPEN, .pattern = "next.bin.fnvm-new", .error = EACCES},
      {.kind = FAULT_FAILS, .calls = ON_OPEN, .pattern = "next.bin.fnvm-slow", .error = ENOSPC},
      {.kind = FAULT_FAILS, .calls = ON_OPEN, .pattern = "next.bin.fnvm-journal", .error = EMFILE},
      {.kind = FAULT_FAILS, .calls = ON_PWRITE, .pattern = "next.bin.fnvm-new", .error = ENOSPC},
      {.kind = FAULT_FAILS, .calls = ON_RENAME, .pattern = "next.bin", .error = EIO},
  };
  fixture f = fixture_create();
  const char *next = fixture_path(&f, "next.bin");
  fnvm_engine *engine = started(&f, "run.bin");
  fixture_write(&f, "next.bin", "something else");
  for (size_t i = 0; i < sizeof broken / sizeof *broken; i++) {
    set_fault(broken[i]);
    CHECK_EQUAL(fnvm_engine_rotate(engine, next), FNVM_E_IO);
    CHECK_EQUAL(fnvm_last_error_errno(), broken[i].error);
    CHECK_TEXT(fnvm_last_error_path(), next);
    mend();
    CHECK_EQUAL(fixture_count(&f, "next.bin"), 1);
    size_t size = 0;
    unsigned char *bytes = read_file(next, &size);
    CHECK(bytes && size == 14 && memcmp(bytes, "something else", size) == 0);
    free(bytes);
  }
  CHECK(wait_for_samples(engine, fnvm_engine_sample_count(engine) + 20));
  CHECK_EQUAL(fnvm_engine_rotate(engine, next), FNVM_OK);
  CHECK_EQUAL(fnvm_engine_stop(engine), FNVM_OK);
  CHECK(check_trace(fixture_path(&f, "run.bin")).num_fast_samples > 20);
  CHECK(check_trace(next).num_fast_samples > 0);
  fnvm_engine_free(engine);
  fixture_remove(&f);
}

static void an_old_trace_on_a_full_disk_does_not_end_the_recording(void) {
  static const fault broken[] = {
      {.kind = FAULT_FULL, .calls = ON_PWRITE, .pattern = "run.bin*", .error = ENOSPC},
      {.kind = FAULT_FAILS, .calls = ON_TRUNCATE, .pattern = "run.bin", .error = EIO},
      {.kind = FAULT_FAILS, .calls = ON_SYNC, .pattern = "run.bin", .error = EIO},
      {.kind = FAULT_FAILS, .calls = ON_PREAD, .pattern = "run.bin.fnvm-medium", .error = EIO},
  };
  for (size_t i = 0; i < sizeof broken / sizeof *broken; i++) {
    fixture f = fixture_create();
    const char *run = fixture_path(&f, "run.bin"), *next = fixture_path(&f, "next.bin");
    fnvm_engine *engine = started(&f, "run.bin");
    CHECK(wait_for_samples(engine, fnvm_engine_sample_count(engine) + 300));
    set_fault(broken[i]);
    CHECK_EQUAL(fnvm_engine_rotate(engine, next), FNVM_E_IO);
    CHECK_EQUAL(fnvm_last_error_errno(), broken[i].error);
    CHECK_TEXT(fnvm_last_error_path(), run);
    mend();
    CHECK_EQUAL(fnvm_engine_is_running(engine), 1);
    CHECK(wait_for_samples(engine, fnvm_engine_sample_count(engine) + 20));
    CHECK_EQUAL(fnvm_engine_stop(engine), FNVM_OK);
    int recovered = 0;
    CHECK_EQUAL(fnvm_trace_recover(run, &recovered), FNVM_OK);
    CHECK_EQUAL(recovered, 1);
    const fnvm_file_header old = check_trace(run), new = check_trace(next);
    fnvm_counts counts = FNVM_COUNTS_INIT;
    CHECK_EQUAL(fnvm_engine_counts(engine, &counts), FNVM_OK);
    CHECK(old.num_fast_samples > 100);
    CHECK_EQUAL(new.dropped_samples, 0);
    const uint64_t there = old.num_fast_samples + old.num_medium_samples + old.num_slow_samples +
                           new.num_fast_samples + new.num_medium_samples + new.num_slow_samples;
    CHECK_EQUAL(there + counts.dropped_samples,
                counts.fast_samples + counts.medium_samples + counts.slow_samples);
    CHECK_EQUAL(fixture_count(&f, "run.bin"), 1);
    CHECK_EQUAL(fixture_count(&f, "next.bin"), 1);
    fnvm_engine_free(engine);
    fixture_remove(&f);
  }
}

/* Whichever call fails: nothing is lost but what the message says, and the recording goes on. */
static void each_call_may_fail_once(void) {
  static const unsigned calls[] = {ON_OPEN, ON_RENAME, ON_TRUNCATE, ON_SYNC, ON_PREAD, ON_LOCK};
  fixture f = fixture_create();
  const char *run = fixture_path(&f, "run.bin"), *next = fixture_path(&f, "next.bin");
  for (size_t i = 0; i < sizeof calls / sizeof *calls; i++) {
    int is_over = 0;
    for (int countdown = 0; !is_over; countdown++) {
      fnvm_engine *engine = started(&f, "run.bin");
      CHECK_EQUAL(fnvm_engine_sync(engine, NULL), FNVM_OK);
      set_fault((fault){.kind = FAULT_FAILS_ONCE, .calls = calls[i], .pattern = "*.bin*", .error = EIO,
                        .countdown = countdown});
      const fnvm_status status = fnvm_engine_rotate(engine, next);
      is_over = !fault_is_over();
      mend();
      CHECK(status == FNVM_OK || status == FNVM_E_IO);
      const int is_new = status == FNVM_OK || strcmp(fnvm_last_error_path(), run) == 0;
      CHECK(is_new || strcmp(fnvm_last_error_path(), next) == 0);
      CHECK_EQUAL(fnvm_engine_is_running(engine), 1);
      CHECK_EQUAL(fnvm_engine_sync(engine, NULL), FNVM_OK);
      CHECK_EQUAL(fnvm_engine_stop(engine), FNVM_OK);
      CHECK_EQUAL(fnvm_trace_recover(run, NULL), FNVM_OK);
      fnvm_counts counts = FNVM_COUNTS_INIT;
      CHECK_EQUAL(fnvm_engine_counts(engine, &counts), FNVM_OK);
      fnvm_file_header header = check_trace(run);
      CHECK_EQUAL(header.num_sync_points, is_new ? 1 : 2);
      counts.fast_samples -= header.num_fast_samples;
      if (is_new) {
        header = check_trace(next);
        CHECK_EQUAL(header.num_sync_points, 1);
        counts.fast_samples -= header.num_fast_samples;
        CHECK_EQUAL(unlink(next), 0);
      }
      CHECK_EQUAL(counts.fast_samples, 0);
      CHECK_EQUAL(fixture_count(&f, "next.bin"), 0);
      CHECK_EQUAL(fixture_count(&f, "run.bin"), 1);
      fnvm_engine_free(engine);
    }
  }
  fixture_remove(&f);
}

/* Whatever the instant, both traces can be recovered, and the new one goes on where the old one ends. */
static void a_recorder_may_be_killed_around_a_rotation(void) {
  for (int round = 0; round < 12; round++) {
    fixture f = fixture_create();
    const char *run = fixture_path(&f, "run.bin"), *next = fixture_path(&f, "next.bin");
    int ready[2];
    REQUIRE(pipe(ready) == 0);
    const pid_t child = fork();
    if (child == 0) {
      fnvm_engine *engine = fixture_engine(&f, "run.bin");
      uint64_t phase = 0;
      if (fnvm_engine_start(engine) != FNVM_OK ||
          fnvm_engine_phase_begin(engine, "open", &phase) != FNVM_OK || !wait_for_samples(engine, 400))
        _exit(1);
      if (write(ready[1], "r", 1) != 1) _exit(1);
      if (fnvm_engine_rotate(engine, next) != FNVM_OK) _exit(1);
      for (;;) pause();
    }
    char byte;
    CHECK_EQUAL(read(ready[0], &byte, 1), 1);
    /* From before the cut to long after the old trace is complete. */
    wait_a_moment(round * 25);
    kill(child, SIGKILL);
    CHECK_EQUAL(waitpid(child, NULL, 0), child);
    close(ready[0]);
    close(ready[1]);
    CHECK_EQUAL(fnvm_trace_recover(run, NULL), FNVM_OK);
    CHECK(check_trace(run).num_fast_samples > 100);
    if (access(next, F_OK) == 0) {
      int recovered = 0;
      CHECK_EQUAL(fnvm_trace_recover(next, &recovered), FNVM_OK);
      CHECK_EQUAL(recovered, 1);
      const fnvm_file_header header = check_trace(next);
      const uint64_t end = time_of(run, 1);
      if (header.num_fast_samples > 0) {
        CHECK(header.start_monotonic_ns > end);
        /* No tick of a millisecond is lost between them, unless the machine was late for it. */
        const uint64_t gap = time_of(next, 0) - end;
        CHECK(gap < 100000000);
      }
    }
    fixture_remove(&f);
  }
}

static void a_child_cannot_rotate_the_recording_of_its_parent(void) {
  fixture f = fixture_create();
  const char *next = fixture_path(&f, "next.bin");
  fnvm_engine *engine = started(&f, "run.bin");
  const pid_t child = fork();
  if (child == 0) {
    checks_failed = 0;
    CHECK_EQUAL(fnvm_engine_rotate(engine, next), FNVM_E_FORKED);
    CHECK_EQUAL(fnvm_engine_annotate(engine, "key", "value"), FNVM_E_FORKED);
    fnvm_engine_free(engine);
    _exit(checks_failed != 0);
  }
  int status = -1;
  CHECK(waitpid(child, &status, 0) == child && WIFEXITED(status) && WEXITSTATUS(status) == 0);
  CHECK_EQUAL(fixture_count(&f, "next.bin"), 0);
  CHECK_EQUAL(fnvm_engine_rotate(engine, next), FNVM_OK);
  CHECK_EQUAL(fnvm_engine_stop(engine), FNVM_OK);
  fnvm_engine_free(engine);
  fixture_remove(&f);
}

int main(void) {
  unsetenv("FASTNVMETRICS_ROOT");
  RUN(an_engine_that_does_not_run_has_nothing_to_rotate);
  RUN(traces_follow_each_other);
  RUN(a_trace_that_cannot_be_created_changes_nothing);
  RUN(an_old_trace_on_a_full_disk_does_not_end_the_recording);
  RUN(each_call_may_fail_once);
  RUN(a_recorder_may_be_killed_around_a_rotation);
  RUN(a_child_cannot_rotate_the_recording_of_its_parent);
  return finish();
}
