/* Where a trace can go and where it cannot: found out at start, with the errno and the path. */
#include <errno.h>
#include <fastnvmetrics/fastnvmetrics.h>
#include <limits.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "check.h"
#include "fixture.h"

/* Starts an engine on a path. @return the errno of its failure, 0 where it starts. */
static int start_on(fixture *f, const char *path) {
  fnvm_board *board = fixture_board(f);
  fnvm_engine *engine = NULL;
  int error = 0;
  CHECK_EQUAL(fnvm_engine_create(path, board, NULL, &engine), FNVM_OK);
  fnvm_status status = fnvm_engine_start(engine);
  if (status != FNVM_OK) {
    error = fnvm_last_error_errno();
    CHECK_EQUAL(status, FNVM_E_IO);
    CHECK(error != 0);
    /* A path that no system call would take may come back cut. */
    if (strlen(path) < PATH_MAX) CHECK_TEXT(fnvm_last_error_path(), path);
    else CHECK(strncmp(fnvm_last_error_path(), path, 1000) == 0);
    CHECK_EQUAL(fnvm_engine_is_running(engine), 0);
    CHECK_EQUAL(fnvm_engine_stop(engine), FNVM_OK); /* there is nothing to stop */
  }
  fnvm_engine_free(engine);
  fnvm_board_free(board);
  return error;
}

static void paths_that_cannot_be_created_fail_at_start(void) {
  char long_name[301], long_path[5001];
  memset(long_name, 'x', sizeof long_name - 1);
  long_name[sizeof long_name - 1] = 0;
  for (size_t i = 0; i < sizeof long_path; i++) long_path[i] = i % 2 ? 'x' : '/';
  long_path[sizeof long_path - 1] = 0;

  fixture f = fixture_create();
  CHECK_EQUAL(start_on(&f, fixture_path(&f, "sys")), EISDIR);
  CHECK_EQUAL(start_on(&f, "/"), EISDIR);
  CHECK_EQUAL(start_on(&f, fixture_path(&f, "missing/run.bin")), ENOENT);
  CHECK_EQUAL(start_on(&f, fixture_path(&f, "proc/stat/run.bin")), ENOTDIR);
  CHECK_EQUAL(start_on(&f, fixture_path(&f, long_name)), ENAMETOOLONG);
  CHECK_EQUAL(start_on(&f, long_path), ENAMETOOLONG);
  CHECK_EQUAL(start_on(&f, fixture_path(&f, "missing-\xff\xfe/run.bin")), ENOENT);
  CHECK_EQUAL(fixture_count(&f, "run.bin"), 0);
  fixture_remove(&f);
}

static void a_directory_that_may_not_be_written_is_refused(void) {
  fixture f = fixture_create();
  const char *path = fixture_path(&f, "locked/run.bin");
  REQUIRE(mkdir(fixture_path(&f, "locked"), 0555) == 0);
  REQUIRE(chmod(f.root, 0755) == 0);
  fflush(NULL);
  pid_t child = fork();
  REQUIRE(child >= 0);
  if (child == 0) {
    checks_failed = 0;
    if (geteuid() == 0 && setuid(65534) != 0) _exit(99); /* permissions do not hold root back */
    int error = start_on(&f, path);
    _exit(checks_failed ? 98 : error);
  }
  int status = 0;
  waitpid(child, &status, 0);
  CHECK(WIFEXITED(status));
  CHECK_EQUAL(WEXITSTATUS(status), EACCES);
  fixture_remove(&f);
}

static void a_failed_start_leaves_the_trace_that_was_there(void) {
  fixture f = fixture_create();
  fnvm_engine *engine = fixture_engine(&f, "run.bin");
  CHECK(record_briefly(engine));
  fnvm_engine *other = fixture_engine(&f, "run.bin");
  REQUIRE(fnvm_engine_start(engine) == FNVM_OK);
  CHECK_EQUAL(fnvm_engine_start(other), FNVM_E_IO);
  CHECK_EQUAL(fnvm_engine_stop(engine), FNVM_OK);
  fnvm_trace *trace = NULL;
  CHECK_EQUAL(fnvm_trace_open(fixture_path(&f, "run.bin"), &trace), FNVM_OK);
  fnvm_trace_close(trace);
  fnvm_engine_free(engine);
  fnvm_engine_free(other);
  fixture_remove(&f);
}

static void a_path_is_bytes(void) {
  fixture f = fixture_create();
  const char *const names[] = {"run-\xff\xfe.bin", " ", "-", "a\nb", "%s%n", "na\xc3\xafve.bin"};
  for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
    fnvm_engine *engine = fixture_engine(&f, names[i]);
    CHECK(record_briefly(engine));
    fnvm_engine_free(engine);
    fnvm_trace *trace = NULL;
    CHECK_EQUAL(fnvm_trace_open(fixture_path(&f, names[i]), &trace), FNVM_OK);
    CHECK_EQUAL(fixture_count(&f, names[i]), 1);
    fnvm_trace_close(trace);
  }
  fixture_remove(&f);
}

static void a_relative_path_is_taken_at_start(void) {
  fixture f = fixture_create();
  fnvm_board *board = fixture_board(&f);
  fnvm_engine *engine = NULL;
  fnvm_trace *trace = NULL;
  char before[4096];
  REQUIRE(getcwd(before, sizeof before) != NULL);
  CHECK_EQUAL(fnvm_engine_create("relative.bin", board, NULL, &engine), FNVM_OK);
  REQUIRE(chdir(f.root) == 0);
  CHECK_EQUAL(fnvm_engine_start(engine), FNVM_OK);
  REQUIRE(chdir("/") == 0);
  CHECK_EQUAL(fnvm_engine_sync(engine, NULL), FNVM_OK);
  CHECK_EQUAL(fnvm_engine_stop(engine), FNVM_OK);
  CHECK_EQUAL(fnvm_trace_open(fixture_path(&f, "relative.bin"), &trace), FNVM_OK);
  CHECK_EQUAL(fixture_count(&f, "relative.bin"), 1);
  REQUIRE(chdir(before) == 0);
  fnvm_trace_close(trace);
  fnvm_engine_free(engine);
  fnvm_board_free(board);
  fixture_remove(&f);
}

static void an_open_trace_outlives_its_replacement(void) {
  fixture f = fixture_create();
  fnvm_engine *engine = fixture_engine(&f, "run.bin");
  fnvm_trace *trace = NULL;
  CHECK(record_briefly(engine));
  REQUIRE(fnvm_trace_open(fixture_path(&f, "run.bin"), &trace) == FNVM_OK);
  const uint64_t start = fnvm_trace_header(trace)->start_monotonic_ns;
  CHECK(record_briefly(engine));
  CHECK_EQUAL(fnvm_trace_header(trace)->start_monotonic_ns, start);
  fnvm_trace_close(trace);
  REQUIRE(fnvm_trace_open(fixture_path(&f, "run.bin"), &trace) == FNVM_OK);
  CHECK(fnvm_trace_header(trace)->start_monotonic_ns > start);
  fnvm_trace_close(trace);
  fnvm_engine_free(engine);
  fixture_remove(&f);
}

int main(void) {
  unsetenv("FASTNVMETRICS_ROOT");
  RUN(paths_that_cannot_be_created_fail_at_start);
  RUN(a_directory_that_may_not_be_written_is_refused);
  RUN(a_failed_start_leaves_the_trace_that_was_there);
  RUN(a_path_is_bytes);
  RUN(a_relative_path_is_taken_at_start);
  RUN(an_open_trace_outlives_its_replacement);
  return finish();
}
