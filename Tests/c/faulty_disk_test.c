/* Disks that are slow, stalled, full, over quota or failing: what a recording makes of them. */
#include <dirent.h>
#include <fastnvmetrics/fastnvmetrics.h>

#include "check.h"
#include "faults.h"
#include "fixture.h"
#include "whole_trace.h"

static int count_entries(const char *directory) {
  int count = 0;
  DIR *stream = opendir(directory);
  while (stream && readdir(stream)) count++;
  if (stream) closedir(stream);
  return count;
}

/* What a recording must give back. */
typedef struct held {
  int descriptors, threads;
} held;

static held what_is_held(void) {
  return (held){count_entries("/proc/self/fd"), count_entries("/proc/self/task")};
}

static void check_given_back(held before) {
  CHECK_EQUAL(count_entries("/proc/self/fd"), before.descriptors);
  /* A thread that was joined may be listed for a moment more. */
  for (int i = 0; i < 1000 && count_entries("/proc/self/task") != before.threads; i++)
    wait_a_moment(1);
  CHECK_EQUAL(count_entries("/proc/self/task"), before.threads);
}

/* Waits for a number that the engine counts up. */
#define WAIT_UNTIL(condition)              \
  do {                                     \
    while (!(condition)) wait_a_moment(1); \
  } while (0)

static fnvm_counts counts_of(const fnvm_engine *engine) {
  fnvm_counts counts = FNVM_COUNTS_INIT;
  CHECK_EQUAL(fnvm_engine_counts(engine, &counts), FNVM_OK);
  return counts;
}

static int notice_mentions(const fnvm_engine *engine, const char *text) {
  const char *notice;
  for (uint32_t i = 0; (notice = fnvm_engine_notice(engine, i)); i++)
    if (strstr(notice, text)) return 1;
  return 0;
}

static off_t size_of(const char *path) {
  struct stat status;
  return stat(path, &status) == 0 ? status.st_size : -1;
}

static uint64_t samples_in(const fnvm_file_header *header) {
  return header->num_fast_samples + header->num_medium_samples + header->num_slow_samples;
}

static uint64_t samples_taken(const fnvm_counts *counts) {
  return counts->fast_samples + counts->medium_samples + counts->slow_samples;
}

/* Marks, and takes some samples: an engine that is started and whose disk is well. */
static void record_some(fnvm_engine *engine) {
  CHECK_EQUAL(fnvm_engine_sync(engine, NULL), FNVM_OK);
  CHECK(wait_for_samples(engine, fnvm_engine_sample_count(engine) + 60));
  CHECK_EQUAL(fnvm_engine_sync(engine, NULL), FNVM_OK);
}

static void the_faults_reach_the_library(void) {
  fixture f = fixture_create();
  fnvm_engine *engine = fixture_engine(&f, "run.bin");
  static const unsigned all = ON_PWRITE | ON_PREAD | ON_SYNC | ON_TRUNCATE | ON_OPEN | ON_RENAME |
                              ON_LOCK | ON_MAP | ON_THREAD | ON_REMOVE;
  set_fault((fault){.kind = FAULT_SLOW, .calls = all, .pattern = "*"});
  CHECK(record_briefly(engine));
  CHECK_EQUAL(atomic_load(&calls_seen), all);
  mend();
  fnvm_engine_free(engine);
  fixture_remove(&f);
}

/* ---- slow and stalled ---- */

static fnvm_engine *slow_engine(fixture *f, const char *name) {
  /* At 20 Hz a sample that is late is not taken for the next one, on any machine. */
  fnvm_options options = FNVM_OPTIONS_INIT;
  options.fast_hz = options.medium_hz = options.slow_hz = 20;
  fnvm_board *board = fixture_board(f);
  fnvm_engine *engine = NULL;
  CHECK_EQUAL(fnvm_engine_create(fixture_path(f, name), board, &options, &engine), FNVM_OK);
  fnvm_board_free(board);
  return engine;
}

/* Deadlines between two times of a grid, both included. */
static uint64_t deadlines(double first, double last) {
  return (uint64_t)((last - first) * 20 + 0.5) + 1;
}

/* Deadlines of the three tiers from the first sample to the last one, by the times in the trace. */
static uint64_t deadlines_in(const char *path) {
  fnvm_trace *trace = NULL;
  uint64_t n = 0, total = 0;
  CHECK_EQUAL(fnvm_trace_open(path, &trace), FNVM_OK);
  if (!trace) return 0;
  /* Ten samples of the warm-up, and the closing one, are outside the grid. */
  const fnvm_fast_sample *fast = fnvm_trace_fast(trace, &n);
  total += n > 11 ? deadlines(fast[10].time_s, fast[n - 2].time_s) + 11 : 0;
  const fnvm_medium_sample *medium = fnvm_trace_medium(trace, &n);
  total += n > 0 ? deadlines(medium[0].time_s, medium[n - 1].time_s) : 0;
  const fnvm_slow_sample *slow = fnvm_trace_slow(trace, &n);
  total += n > 0 ? deadlines(slow[0].time_s, slow[n - 1].time_s) : 0;
  fnvm_trace_close(trace);
  return total;
}

/* The disk of one engine takes no data, the one of another takes data and never says that it is
 * safe; a third has a good disk. */
static void a_stalled_disk_delays_no_tick_and_every_lost_sample_is_counted(void) {
  static const char *const names[] = {"stalled.bin", "unsafe.bin", "good.bin"};
  fixture f = fixture_create();
  fnvm_engine *engines[3];
  const held before = what_is_held();
  for (int i = 0; i < 3; i++) {
    engines[i] = slow_engine(&f, names[i]);
    CHECK_EQUAL(fnvm_engine_start(engines[i]), FNVM_OK);
    CHECK_EQUAL(fnvm_engine_wait_for_warmup(engines[i], FNVM_NO_TIMEOUT), FNVM_OK);
  }
  fnvm_engine *stalled = engines[0];

  set_fault((fault){.kind = FAULT_STALLED,
                    .calls = ON_PWRITE | ON_SYNC | ON_TRUNCATE,
                    .pattern = "stalled.bin*"});
  /* Nothing is written from here on: every tick of these is one that the disk did not delay. */
  const uint64_t first = fnvm_engine_sample_count(stalled);
  WAIT_UNTIL(counts_of(stalled).dropped_samples >= 6);
  CHECK(fnvm_engine_sample_count(stalled) >= first + 40); /* two seconds of them fit */
  CHECK_EQUAL(fnvm_engine_sync(stalled, NULL), FNVM_OK);  /* nor does it delay a mark */
  CHECK(counts_of(stalled).missed_fast < 10);
  const uint64_t last = fnvm_engine_sample_count(stalled);
  mend();
  CHECK(wait_for_samples(stalled, last + 5)); /* it goes on where it can */

  for (int i = 0; i < 3; i++) CHECK_EQUAL(fnvm_engine_stop(engines[i]), FNVM_OK);
  for (int i = 0; i < 3; i++) {
    const fnvm_counts counts = counts_of(engines[i]);
    const fnvm_file_header header = check_trace(fixture_path(&f, names[i]));
    CHECK_EQUAL(samples_in(&header), samples_taken(&counts));
    CHECK_EQUAL(header.dropped_samples, counts.dropped_samples);
    CHECK_EQUAL(deadlines_in(fixture_path(&f, names[i])),
                samples_in(&header) + header.dropped_samples + header.missed_fast +
                    header.missed_medium + header.missed_slow);
    char lost[64];
    snprintf(lost, sizeof lost, "%llu samples were lost", (unsigned long long)counts.dropped_samples);
    CHECK_EQUAL(notice_mentions(engines[i], lost), i == 0);
    CHECK_EQUAL(counts.dropped_samples > 0, i == 0);
    fnvm_engine_free(engines[i]);
  }
  check_given_back(before);
  fixture_remove(&f);
}

static void a_disk_that_never_finishes_a_flush_loses_nothing(void) {
  fixture f = fixture_create();
  fnvm_engine *engine = fixture_engine(&f, "run.bin");
  set_fault((fault){.kind = FAULT_STALLED, .calls = ON_SYNC, .pattern = "run.bin*"});
  CHECK_EQUAL(fnvm_engine_start(engine), FNVM_OK);
  CHECK(wait_for_samples(engine, 600));
  CHECK(size_of(fixture_path(&f, "run.bin")) > 728 + 98 * 100); /* it is written all the same */
  mend();
  CHECK_EQUAL(fnvm_engine_stop(engine), FNVM_OK);
  CHECK_EQUAL(counts_of(engine).dropped_samples, 0);
  check_trace(fixture_path(&f, "run.bin"));
  fnvm_engine_free(engine);
  fixture_remove(&f);
}

static void a_slow_disk_loses_nothing(void) {
  fixture f = fixture_create();
  fnvm_engine *engine = fixture_engine(&f, "run.bin");
  CHECK_EQUAL(fnvm_engine_start(engine), FNVM_OK);
  set_fault((fault){.kind = FAULT_SLOW, .calls = ON_PWRITE | ON_SYNC, .pattern = "run.bin*"});
  for (int i = 0; i < 6; i++) record_some(engine);
  CHECK_EQUAL(fnvm_engine_stop(engine), FNVM_OK);
  mend();
  const fnvm_counts counts = counts_of(engine);
  const fnvm_file_header header = check_trace(fixture_path(&f, "run.bin"));
  CHECK_EQUAL(counts.dropped_samples, 0);
  CHECK_EQUAL(samples_in(&header), samples_taken(&counts));
  CHECK_EQUAL(header.num_sync_points, 12);
  fnvm_engine_free(engine);
  fixture_remove(&f);
}

static void short_and_interrupted_calls_lose_nothing(void) {
  fixture f = fixture_create();
  fnvm_engine *engine = fixture_engine(&f, "run.bin");
  set_fault((fault){.kind = FAULT_SHORT,
                    .calls = ON_PWRITE | ON_SYNC | ON_TRUNCATE,
                    .pattern = "run.bin*"});
  for (int round = 0; round < 4; round++) { /* every second call of each kind is interrupted */
    CHECK_EQUAL(fnvm_engine_start(engine), FNVM_OK);
    record_some(engine);
    CHECK_EQUAL(fnvm_engine_stop(engine), FNVM_OK);
    const fnvm_counts counts = counts_of(engine);
    const fnvm_file_header header = check_trace(fixture_path(&f, "run.bin"));
    CHECK_EQUAL(samples_in(&header), samples_taken(&counts));
    CHECK_EQUAL(header.num_sync_points, 2);
    CHECK(header.flags & FNVM_FLAG_CLOSED);
  }
  mend();
  CHECK_EQUAL(fixture_count(&f, "run.bin"), 1);
  fnvm_engine_free(engine);
  fixture_remove(&f);
}

static void *stop_it(void *engine) { return (void *)(intptr_t)fnvm_engine_stop(engine); }

static void nobody_waits_for_a_stop_that_waits_for_the_disk(void) {
  fixture f = fixture_create();
  fnvm_engine *engine = fixture_engine(&f, "run.bin");
  pthread_t stopper;
  void *result = NULL;
  uint64_t id = 0;
  CHECK_EQUAL(fnvm_engine_start(engine), FNVM_OK);
  record_some(engine);
  id = counts_of(engine).sync_points; /* of the last mark that was made, were it none of the following */
  set_fault((fault){.kind = FAULT_STALLED, .calls = ON_PWRITE | ON_SYNC, .pattern = "run.bin*"});
  REQUIRE(pthread_create(&stopper, NULL, stop_it, engine) == 0);
  WAIT_UNTIL(fnvm_engine_sync(engine, &id) == FNVM_E_NOT_RUNNING); /* it has begun to stop */
  WAIT_UNTIL(atomic_load(&calls_seen) != 0);                       /* and waits for the disk */
  CHECK(fnvm_engine_sample_count(engine) >= 60);
  CHECK_EQUAL(counts_of(engine).sync_points, id);
  CHECK(fnvm_engine_notice(engine, 0) == NULL);
  (void)fnvm_engine_is_running(engine);
  (void)fnvm_engine_wait_for_warmup(engine, FNVM_NO_TIMEOUT);
  fnvm_engine *other = fixture_engine(&f, "other.bin");
  CHECK(record_briefly(other));
  fnvm_engine_free(other);
  mend();
  pthread_join(stopper, &result);
  CHECK_EQUAL((intptr_t)result, FNVM_OK);
  const fnvm_file_header header = check_trace(fixture_path(&f, "run.bin"));
  CHECK_EQUAL(header.num_sync_points, id);
  fnvm_engine_free(engine);
  fixture_remove(&f);
}

/* ---- failing ---- */

/* A disk on which writes to some files fail from a certain moment on and ever after. */
static void record_on_a_failing_disk(fault broken) {
  fixture f = fixture_create();
  const held before = what_is_held();
  const char *path = fixture_path(&f, "run.bin");
  fnvm_engine *engine = fixture_engine(&f, "run.bin");
  CHECK_EQUAL(fnvm_engine_start(engine), FNVM_OK);
  record_some(engine);
  WAIT_UNTIL(size_of(path) >= 728 + 98 * 20);
  set_fault(broken);
  record_some(engine);
  CHECK_EQUAL(fnvm_engine_stop(engine), FNVM_E_IO);
  CHECK_EQUAL(fnvm_last_error_errno(), broken.error);
  CHECK_TEXT(fnvm_last_error_path(), path);
  CHECK(strstr(fnvm_last_error_message(), path) != NULL);
  CHECK_EQUAL(fnvm_engine_is_running(engine), 0);
  CHECK_EQUAL(fnvm_engine_stop(engine), FNVM_OK); /* said once */
  const fnvm_counts counts = counts_of(engine);
  fnvm_engine_free(engine);
  check_given_back(before);
  mend();

  CHECK_EQUAL(fnvm_trace_recover(path, NULL), FNVM_OK);
  const fnvm_file_header header = check_trace(path);
  CHECK(header.num_fast_samples >= 20);
  CHECK_EQUAL(samples_in(&header) + counts.dropped_samples, samples_taken(&counts));
  CHECK_EQUAL(fixture_count(&f, "run.bin"), 1);
  engine = fixture_engine(&f, "run.bin");
  CHECK(record_briefly(engine));
  check_trace(path);
  fnvm_engine_free(engine);
  check_given_back(before);
  fixture_remove(&f);
}

static void what_was_written_before_the_disk_was_full_is_kept(void) {
  static const char *const patterns[] = {"run.bin", "*.fnvm-medium", "*.fnvm-slow", "*.fnvm-sync",
                                         "run.bin*"};
  for (size_t i = 0; i < sizeof patterns / sizeof *patterns; i++)
    record_on_a_failing_disk((fault){
        .kind = FAULT_FULL,
        .calls = ON_PWRITE,
        .pattern = patterns[i],
        .error = i % 2 ? EDQUOT : ENOSPC});
}

static void what_was_written_before_the_disk_failed_is_kept(void) {
  static const char *const patterns[] = {"run.bin", "*.fnvm-medium", "*.fnvm-slow", "*.fnvm-sync",
                                         "run.bin*"};
  for (size_t i = 0; i < sizeof patterns / sizeof *patterns; i++)
    record_on_a_failing_disk((fault){.kind = FAULT_FAILS,
                                     .calls = ON_PWRITE | ON_SYNC | ON_TRUNCATE,
                                     .pattern = patterns[i],
                                     .error = EIO});
}

static void a_full_disk_that_is_emptied_in_time_loses_nothing(void) {
  fixture f = fixture_create();
  fnvm_engine *engine = fixture_engine(&f, "run.bin");
  CHECK_EQUAL(fnvm_engine_start(engine), FNVM_OK);
  record_some(engine);
  set_fault((fault){
      .kind = FAULT_FULL, .calls = ON_PWRITE, .pattern = "run.bin*", .error = ENOSPC});
  for (int i = 0; i < 5; i++) record_some(engine);
  mend();
  record_some(engine);
  /* Whether it is worth an error that space was short for a while is not said here. */
  (void)fnvm_engine_stop(engine);
  const fnvm_counts counts = counts_of(engine);
  const fnvm_file_header header = check_trace(fixture_path(&f, "run.bin"));
  CHECK_EQUAL(counts.dropped_samples, 0);
  CHECK_EQUAL(samples_in(&header), samples_taken(&counts));
  CHECK_EQUAL(header.num_sync_points, 14);
  CHECK_EQUAL(fixture_count(&f, "run.bin"), 1);
  fnvm_engine_free(engine);
  fixture_remove(&f);
}

static void spools_that_cannot_be_removed_are_no_obstacle(void) {
  fixture f = fixture_create();
  const char *path = fixture_path(&f, "run.bin");
  fnvm_engine *engine = fixture_engine(&f, "run.bin");
  CHECK_EQUAL(fnvm_engine_start(engine), FNVM_OK);
  record_some(engine);
  set_fault(
      (fault){.kind = FAULT_FAILS, .calls = ON_REMOVE, .pattern = "run.bin*", .error = EACCES});
  (void)fnvm_engine_stop(engine); /* the directory was made read-only: all the samples are saved */
  const fnvm_counts counts = counts_of(engine);
  fnvm_file_header header = check_trace(path);
  CHECK_EQUAL(samples_in(&header), samples_taken(&counts));
  CHECK(header.flags & FNVM_FLAG_CLOSED);
  mend();
  CHECK_EQUAL(fnvm_trace_recover(path, NULL), FNVM_OK);
  header = check_trace(path);
  CHECK_EQUAL(samples_in(&header), samples_taken(&counts));
  CHECK(record_briefly(engine));
  CHECK_EQUAL(fixture_count(&f, "run.bin"), 1);
  fnvm_engine_free(engine);
  fixture_remove(&f);
}

/* ---- every call fails once ---- */

static const struct {
  const char *name;
  unsigned call;
  int error;
} steps[] = {
    {"pwrite", ON_PWRITE, ENOSPC},   {"pread", ON_PREAD, EIO},       {"fdatasync", ON_SYNC, EIO},
    {"ftruncate", ON_TRUNCATE, EIO}, {"openat", ON_OPEN, EMFILE},    {"renameat", ON_RENAME, EACCES},
    {"mmap", ON_MAP, ENOMEM},        {"pthread_create", ON_THREAD, EAGAIN},
    {"flock", ON_LOCK, ENOLCK},
};
enum { STEPS = sizeof steps / sizeof *steps };

static fault fails_once(int step, int countdown) {
  const int has_no_file = steps[step].call & (ON_MAP | ON_THREAD);
  return (fault){.kind = FAULT_FAILS_ONCE,
                 .calls = steps[step].call,
                 .pattern = has_no_file ? "*" : "run.bin*",
                 .error = steps[step].error,
                 .countdown = countdown};
}

/* The calls that each of the following makes, and that may fail there. */
static const unsigned calls_of_start = ON_PWRITE | ON_PREAD | ON_TRUNCATE | ON_OPEN | ON_RENAME | ON_LOCK |
                                       ON_MAP | ON_THREAD;
static const unsigned calls_of_stop = ON_PWRITE | ON_PREAD | ON_SYNC | ON_TRUNCATE | ON_OPEN;
static const unsigned calls_of_recovery = ON_PWRITE | ON_PREAD | ON_SYNC | ON_TRUNCATE | ON_OPEN | ON_LOCK;

/* Says which call it was that a check failed with. */
static void name_the_step(int failed_before, int step, int countdown) {
  if (checks_failed != failed_before)
    fprintf(stderr, "  where %s number %d fails\n", steps[step].name, countdown);
}

static void a_start_that_fails_leaves_all_as_it_was(void) {
  fixture f = fixture_create();
  const held before = what_is_held();
  const char *path = fixture_path(&f, "run.bin");
  fnvm_engine *engine = fixture_engine(&f, "run.bin");
  CHECK(record_briefly(engine));
  size_t size = 0, size_after = 0;
  unsigned char *older = read_file(path, &size);
  REQUIRE(older != NULL);

  for (int step = 0; step < STEPS; step++) {
    int is_over = !(calls_of_start & steps[step].call);
    for (int countdown = 0; !is_over; countdown++) {
      const int failed_before = checks_failed;
      set_fault(fails_once(step, countdown));
      const fnvm_status status = fnvm_engine_start(engine);
      is_over = !fault_is_over();
      mend();
      if (status == FNVM_OK) { /* it can do without: the files are new */
        CHECK_EQUAL(fnvm_engine_stop(engine), FNVM_OK);
        check_trace(path);
        free(older);
        older = read_file(path, &size);
        REQUIRE(older != NULL);
      } else {
        CHECK_EQUAL(status, steps[step].call == ON_THREAD ? FNVM_E_THREAD
                            : steps[step].call == ON_MAP  ? FNVM_E_NO_MEMORY
                                                          : FNVM_E_IO);
        if (status == FNVM_E_IO) {
          CHECK_EQUAL(fnvm_last_error_errno(), steps[step].error);
          CHECK_TEXT(fnvm_last_error_path(), path);
        }
        CHECK_EQUAL(fnvm_engine_is_running(engine), 0);
        unsigned char *after = read_file(path, &size_after);
        CHECK(after && size_after == size && memcmp(after, older, size) == 0);
        free(after);
        CHECK_EQUAL(fixture_count(&f, "run.bin"), 1);
      }
      check_given_back(before);
      name_the_step(failed_before, step, countdown);
    }
  }
  CHECK(record_briefly(engine));
  free(older);
  fnvm_engine_free(engine);
  fixture_remove(&f);
}

static void a_stop_that_fails_can_be_recovered_from(void) {
  fixture f = fixture_create();
  const held before = what_is_held();
  const char *path = fixture_path(&f, "run.bin");
  fnvm_engine *engine = fixture_engine(&f, "run.bin");
  for (int step = 0; step < STEPS; step++) {
    int is_over = !(calls_of_stop & steps[step].call);
    for (int countdown = 0; !is_over; countdown++) {
      const int failed_before = checks_failed;
      CHECK_EQUAL(fnvm_engine_start(engine), FNVM_OK);
      record_some(engine);
      set_fault(fails_once(step, countdown));
      const fnvm_status status = fnvm_engine_stop(engine);
      is_over = !fault_is_over();
      mend();
      if (status != FNVM_OK) {
        CHECK_EQUAL(status, FNVM_E_IO);
        CHECK_EQUAL(fnvm_last_error_errno(), steps[step].error);
        CHECK_TEXT(fnvm_last_error_path(), path);
      }
      CHECK_EQUAL(fnvm_engine_is_running(engine), 0);
      check_given_back(before);
      const fnvm_counts counts = counts_of(engine);
      CHECK_EQUAL(fnvm_trace_recover(path, NULL), FNVM_OK);
      const fnvm_file_header header = check_trace(path);
      CHECK_EQUAL(samples_in(&header) + counts.dropped_samples, samples_taken(&counts));
      if (counts.dropped_samples == 0) CHECK_EQUAL(header.num_sync_points, 2);
      CHECK_EQUAL(fixture_count(&f, "run.bin"), 1);
      name_the_step(failed_before, step, countdown);
    }
  }
  fnvm_engine_free(engine);
  fixture_remove(&f);
}

/* ---- recovery ---- */

/* The files of a recorder that was killed, kept so that they can be put back. */
typedef struct remains {
  char names[16][64];
  unsigned char *bytes[16];
  size_t sizes[16];
  int count;
} remains;

static remains remember(fixture *f) {
  remains r;
  memset(&r, 0, sizeof r);
  DIR *directory = opendir(f->root);
  for (struct dirent *entry; directory && (entry = readdir(directory));) {
    if (strncmp(entry->d_name, "run.bin", 7) != 0 || r.count == 16) continue;
    snprintf(r.names[r.count], sizeof r.names[0], "%.63s", entry->d_name);
    r.bytes[r.count] = read_file(fixture_path(f, entry->d_name), &r.sizes[r.count]);
    r.count++;
  }
  if (directory) closedir(directory);
  return r;
}

static void put_back(fixture *f, const remains *r) {
  for (int i = 0; i < r->count; i++)
    fixture_write_bytes(f, r->names[i], r->bytes[i], r->sizes[i]);
}

static void forget(remains *r) {
  for (int i = 0; i < r->count; i++) free(r->bytes[i]);
}

static void a_recovery_that_fails_can_be_run_again(void) {
  fixture f = fixture_create();
  const held before = what_is_held();
  const char *path = fixture_path(&f, "run.bin");
  /* A stop that could not finish leaves the same files as a crash. */
  fnvm_engine *engine = fixture_engine(&f, "run.bin");
  CHECK_EQUAL(fnvm_engine_start(engine), FNVM_OK);
  record_some(engine);
  CHECK(wait_for_samples(engine, 300));
  remains crashed = remember(&f);
  fnvm_engine_free(engine);
  REQUIRE(crashed.count > 1);

  put_back(&f, &crashed);
  CHECK_EQUAL(fnvm_trace_recover(path, NULL), FNVM_OK);
  const fnvm_file_header whole = check_trace(path);
  CHECK(whole.num_fast_samples > 0 && whole.num_medium_samples > 0 && whole.num_slow_samples > 0);

  for (int step = 0; step < STEPS; step++) {
    int is_over = !(calls_of_recovery & steps[step].call);
    for (int countdown = 0; !is_over; countdown++) {
      const int failed_before = checks_failed;
      put_back(&f, &crashed);
      set_fault(fails_once(step, countdown));
      const fnvm_status status = fnvm_trace_recover(path, NULL);
      is_over = !fault_is_over();
      mend();
      if (status != FNVM_OK) {
        CHECK_EQUAL(status, FNVM_E_IO);
        CHECK_EQUAL(fnvm_last_error_errno(), steps[step].error);
        CHECK_TEXT(fnvm_last_error_path(), path);
        CHECK_EQUAL(fnvm_trace_recover(path, NULL), FNVM_OK);
      }
      const fnvm_file_header header = check_trace(path);
      CHECK_EQUAL(samples_in(&header), samples_in(&whole));
      CHECK_EQUAL(header.num_sync_points, whole.num_sync_points);
      CHECK_EQUAL(fixture_count(&f, "run.bin"), 1);
      check_given_back(before);
      name_the_step(failed_before, step, countdown);
    }
  }
  forget(&crashed);
  fixture_remove(&f);
}

static void a_crashed_trace_that_cannot_be_read_is_not_replaced(void) {
  fixture f = fixture_create();
  fnvm_engine *engine = fixture_engine(&f, "run.bin");
  CHECK_EQUAL(fnvm_engine_start(engine), FNVM_OK);
  record_some(engine);
  CHECK(wait_for_samples(engine, 300));
  remains crashed = remember(&f);
  CHECK_EQUAL(fnvm_engine_stop(engine), FNVM_OK);
  put_back(&f, &crashed);

  set_fault((fault){.kind = FAULT_FAILS, .calls = ON_PREAD, .pattern = "run.bin", .error = EIO});
  const fnvm_status status = fnvm_engine_start(engine);
  mend();
  (void)fnvm_engine_stop(engine);
  /* Refused, or set aside: either way its samples are still there. */
  CHECK(status == FNVM_E_IO || fixture_count(&f, "run.bin.unfinished-") > 0);
  forget(&crashed);
  fnvm_engine_free(engine);
  fixture_remove(&f);
}

/* 20,000 marks in the time of a stall: more than are held in memory. They are kept, or refused with an
 * error; none waits for the disk, in Python with the interpreter's lock in its hand. */
static void marks_do_not_wait_for_a_stalled_disk(void) {
  fixture f = fixture_create();
  fnvm_engine *engine = fixture_engine(&f, "run.bin");
  CHECK_EQUAL(fnvm_engine_start(engine), FNVM_OK);
  record_some(engine);
  set_fault((fault){.kind = FAULT_STALLED, .calls = ON_PWRITE | ON_SYNC, .pattern = "run.bin*"});
  for (int i = 0; i < 20000; i++) {
    const fnvm_status status = fnvm_engine_sync(engine, NULL);
    CHECK(status == FNVM_OK || status == FNVM_E_IO);
  }
  mend();
  CHECK_EQUAL(fnvm_engine_stop(engine), FNVM_OK);
  const fnvm_counts counts = counts_of(engine);
  const fnvm_file_header header = check_trace(fixture_path(&f, "run.bin"));
  CHECK_EQUAL(header.num_sync_points, counts.sync_points);
  fnvm_engine_free(engine);
  fixture_remove(&f);
}

/* The data of a disk that was full for a while, and is complete: is that an error? */
static void a_disk_that_was_full_for_a_while_and_lost_nothing_is_no_error(void) {
  fixture f = fixture_create();
  fnvm_engine *engine = fixture_engine(&f, "run.bin");
  CHECK_EQUAL(fnvm_engine_start(engine), FNVM_OK);
  record_some(engine);
  set_fault((fault){
      .kind = FAULT_FULL, .calls = ON_PWRITE, .pattern = "run.bin*", .error = ENOSPC});
  for (int i = 0; i < 5; i++) record_some(engine);
  mend();
  record_some(engine);
  CHECK_EQUAL(fnvm_engine_stop(engine), FNVM_OK);
  CHECK_EQUAL(counts_of(engine).dropped_samples, 0);
  fnvm_engine_free(engine);
  fixture_remove(&f);
}

int main(void) {
  unsetenv("FASTNVMETRICS_ROOT");
  RUN(the_faults_reach_the_library);
  RUN(a_stalled_disk_delays_no_tick_and_every_lost_sample_is_counted);
  RUN(a_disk_that_never_finishes_a_flush_loses_nothing);
  RUN(a_slow_disk_loses_nothing);
  RUN(nobody_waits_for_a_stop_that_waits_for_the_disk);
  RUN(short_and_interrupted_calls_lose_nothing);
  RUN(what_was_written_before_the_disk_was_full_is_kept);
  RUN(what_was_written_before_the_disk_failed_is_kept);
  RUN(a_full_disk_that_is_emptied_in_time_loses_nothing);
  RUN(spools_that_cannot_be_removed_are_no_obstacle);
  RUN(a_start_that_fails_leaves_all_as_it_was);
  RUN(a_stop_that_fails_can_be_recovered_from);
  RUN(a_recovery_that_fails_can_be_run_again);
  RUN(a_crashed_trace_that_cannot_be_read_is_not_replaced);
  RUN(a_disk_that_was_full_for_a_while_and_lost_nothing_is_no_error);
  RUN(marks_do_not_wait_for_a_stalled_disk);
  return finish();
}
