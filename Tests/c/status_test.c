/* Versions, status names and the error that is kept per thread. */
#include <fastnvmetrics/fastnvmetrics.h>
#include <pthread.h>
#include <stdint.h>

#include "check.h"

static void the_library_is_the_one_of_this_header(void) {
  CHECK_EQUAL(fnvm_version(),
              FNVM_VERSION_MAJOR << 16 | FNVM_VERSION_MINOR << 8 | FNVM_VERSION_PATCH);
  CHECK_EQUAL(fnvm_abi_version(), FNVM_ABI_VERSION);
  char text[32];
  snprintf(text, sizeof text, "%d.%d.%d", FNVM_VERSION_MAJOR, FNVM_VERSION_MINOR,
           FNVM_VERSION_PATCH);
  CHECK_TEXT(fnvm_version_string(), text);
}

static void every_status_has_its_name(void) {
  CHECK_TEXT(fnvm_status_name(FNVM_OK), "FNVM_OK");
  CHECK_TEXT(fnvm_status_name(FNVM_E_INVALID), "FNVM_E_INVALID");
  CHECK_TEXT(fnvm_status_name(FNVM_E_NO_BOARD), "FNVM_E_NO_BOARD");
  CHECK_TEXT(fnvm_status_name(FNVM_E_UNKNOWN_BOARD), "FNVM_E_UNKNOWN_BOARD");
  CHECK_TEXT(fnvm_status_name(FNVM_E_ALREADY_RUNNING), "FNVM_E_ALREADY_RUNNING");
  CHECK_TEXT(fnvm_status_name(FNVM_E_NOT_RUNNING), "FNVM_E_NOT_RUNNING");
  CHECK_TEXT(fnvm_status_name(FNVM_E_IO), "FNVM_E_IO");
  CHECK_TEXT(fnvm_status_name(FNVM_E_NO_MEMORY), "FNVM_E_NO_MEMORY");
  CHECK_TEXT(fnvm_status_name(FNVM_E_THREAD), "FNVM_E_THREAD");
  CHECK_TEXT(fnvm_status_name(FNVM_E_FORMAT), "FNVM_E_FORMAT");
  CHECK_TEXT(fnvm_status_name(FNVM_E_UNFINISHED), "FNVM_E_UNFINISHED");
  CHECK_TEXT(fnvm_status_name(FNVM_E_TIMEOUT), "FNVM_E_TIMEOUT");
  CHECK_TEXT(fnvm_status_name(FNVM_E_FORKED), "FNVM_E_FORKED");
}

static void a_number_that_is_no_status_has_a_name_too(void) {
  CHECK_TEXT(fnvm_status_name(1), "FNVM_E_?");
  CHECK_TEXT(fnvm_status_name(FNVM_E_FORKED - 1), "FNVM_E_?");
  CHECK_TEXT(fnvm_status_name(INT32_MAX), "FNVM_E_?");
  CHECK_TEXT(fnvm_status_name(INT32_MIN), "FNVM_E_?");
}

static void *look_before_the_first_failure(void *unused) {
  (void)unused;
  CHECK_TEXT(fnvm_last_error_message(), "");
  CHECK_TEXT(fnvm_last_error_path(), "");
  CHECK_EQUAL(fnvm_last_error_errno(), 0);
  return NULL;
}

static void errors_are_kept_per_thread(void) {
  look_before_the_first_failure(NULL);

  fnvm_trace *trace = NULL;
  CHECK_EQUAL(fnvm_trace_open("/nowhere/run.bin", &trace), FNVM_E_IO);
  CHECK(trace == NULL);
  CHECK(strstr(fnvm_last_error_message(), "/nowhere/run.bin") != NULL);
  CHECK_TEXT(fnvm_last_error_path(), "/nowhere/run.bin");
  CHECK(fnvm_last_error_errno() != 0);

  pthread_t other;
  REQUIRE(pthread_create(&other, NULL, look_before_the_first_failure, NULL) == 0);
  pthread_join(other, NULL);
  CHECK_TEXT(fnvm_last_error_path(), "/nowhere/run.bin");
}

static void an_invalid_argument_has_no_errno_and_no_path(void) {
  fnvm_trace *trace = NULL;
  CHECK_EQUAL(fnvm_trace_open("/nowhere/run.bin", &trace), FNVM_E_IO);
  CHECK_EQUAL(fnvm_engine_start(NULL), FNVM_E_INVALID);
  CHECK(*fnvm_last_error_message() != 0);
  CHECK_EQUAL(fnvm_last_error_errno(), 0);
  CHECK_TEXT(fnvm_last_error_path(), "");
}

int main(void) {
  RUN(errors_are_kept_per_thread); /* first: nothing has failed yet */
  RUN(the_library_is_the_one_of_this_header);
  RUN(every_status_has_its_name);
  RUN(a_number_that_is_no_status_has_a_name_too);
  RUN(an_invalid_argument_has_no_errno_and_no_path);
  return finish();
}
