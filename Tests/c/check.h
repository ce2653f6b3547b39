/* The whole test framework, for C and C++: CHECK inside void functions, RUN in main, and finish.
 *
 *     static void a_null_board_has_no_name(void) { CHECK(*fnvm_board_name(NULL) == 0); }
 *     int main(void) { RUN(a_null_board_has_no_name); return finish(); }
 *
 * A failed check prints where it stands and lets its function go on; REQUIRE leaves the function.
 * */
#ifndef FASTNVMETRICS_TESTS_CHECK_H
#define FASTNVMETRICS_TESTS_CHECK_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int tests_passed, tests_failed, checks_failed;

static inline int check_holds(int holds, const char *text, const char *file, int line) {
  if (!holds) {
    fprintf(stderr, "%s:%d: CHECK(%s)\n", file, line, text);
    checks_failed++;
  }
  return holds;
}

static inline int check_equal(long long a, long long b, const char *text, const char *file,
                              int line) {
  if (a != b) {
    fprintf(stderr, "%s:%d: CHECK_EQUAL(%s): %lld and %lld\n", file, line, text, a, b);
    checks_failed++;
  }
  return a == b;
}

static inline int check_text(const char *a, const char *b, const char *text, const char *file,
                             int line) {
  if (strcmp(a, b) != 0) {
    fprintf(stderr, "%s:%d: CHECK_TEXT(%s): \"%s\" and \"%s\"\n", file, line, text, a, b);
    checks_failed++;
  }
  return strcmp(a, b) == 0;
}

#define CHECK(condition) ((void)check_holds(!!(condition), #condition, __FILE__, __LINE__))
#define CHECK_EQUAL(a, b) \
  ((void)check_equal((long long)(a), (long long)(b), #a ", " #b, __FILE__, __LINE__))
#define CHECK_TEXT(a, b) ((void)check_text((a), (b), #a ", " #b, __FILE__, __LINE__))
#define REQUIRE(condition)                                                          \
  do {                                                                              \
    if (!check_holds(!!(condition), #condition, __FILE__, __LINE__)) return;        \
  } while (0)

/* Nothing tested here may hang: a test that does ends the program with SIGALRM. CHECK_PATIENCE: so many
 * seconds instead of 60, under a tool that is slow. */
static inline unsigned check_patience(void) {
  const char *seconds = getenv("CHECK_PATIENCE");
  return seconds && *seconds ? (unsigned)strtoul(seconds, NULL, 10) : 60;
}

#define RUN(test)                                               \
  do {                                                          \
    int failed_before = checks_failed;                          \
    alarm(check_patience());                                    \
    test();                                                     \
    alarm(0);                                                   \
    if (checks_failed == failed_before) {                       \
      tests_passed++;                                           \
    } else {                                                    \
      tests_failed++;                                           \
      fprintf(stderr, "FAILED %s: %s\n", __FILE__, #test);      \
    }                                                           \
  } while (0)

static inline int finish(void) {
  printf("%d passed, %d failed\n", tests_passed, tests_failed);
  return tests_failed ? 1 : 0;
}

#endif
