/* What a call allocates it gives back, above all where it fails. */
#include <fastnvmetrics/fastnvmetrics.h>
#include <malloc.h>
#include <stdlib.h>

#include "check.h"
#include "fixture.h"

static fixture tree;
static fnvm_board *board, *other_board;
static fnvm_engine *engine, *other_engine;
static fnvm_trace *trace;

static size_t allocated(void) {
#if __GLIBC_PREREQ(2, 33)
  return mallinfo2().uordblks;
#else
  return (size_t)mallinfo().uordblks;
#endif
}

/* Checks that a call whose first rounds have filled every cache then keeps less than a byte a
 * round. */
#define CHECK_KEEPS_NOTHING(call)                                    \
  do {                                                               \
    for (int round = 0; round < 100; round++) (void)(call);          \
    const size_t before = allocated();                               \
    for (int round = 0; round < 1000; round++) (void)(call);         \
    const size_t after = allocated();                                \
    CHECK_EQUAL(after > before ? (after - before) / 1000 : 0, 0);    \
  } while (0)

static void boards_keep_nothing(void) {
  CHECK_KEEPS_NOTHING(fnvm_board_create("bench", 0, NULL, &other_board));
  CHECK_KEEPS_NOTHING(fnvm_board_named("toaster", NULL, &other_board));
  CHECK_KEEPS_NOTHING(fnvm_board_detect(tree.root, &other_board));
  CHECK_KEEPS_NOTHING((fnvm_board_copy(board, &other_board), fnvm_board_free(other_board)));
  CHECK_KEEPS_NOTHING((fnvm_board_named("agx_orin", NULL, &other_board),
                       fnvm_board_free(other_board)));
}

static void engines_keep_nothing(void) {
  static const fnvm_options wrong = {.struct_size = sizeof wrong, .medium_hz = 1, .slow_hz = 1};
  CHECK_KEEPS_NOTHING(fnvm_engine_create("run.bin", board, &wrong, &other_engine));
  CHECK_KEEPS_NOTHING((fnvm_engine_create("run.bin", board, NULL, &other_engine),
                       fnvm_engine_free(other_engine)));
  CHECK_KEEPS_NOTHING(fnvm_engine_sync(engine, NULL));
  CHECK_KEEPS_NOTHING(fnvm_engine_wait_for_warmup(engine, 0));
}

static void a_failed_start_keeps_nothing(void) {
  fnvm_engine *nowhere = NULL;
  const char *path = fixture_path(&tree, "missing/run.bin");
  REQUIRE(fnvm_engine_create(path, board, NULL, &nowhere) == FNVM_OK);
  CHECK_KEEPS_NOTHING(fnvm_engine_start(nowhere));
  fnvm_engine_free(nowhere);
}

static void traces_keep_nothing(void) {
  const char *none = fixture_path(&tree, "proc/stat"), *run = fixture_path(&tree, "run.bin");
  const char *missing = fixture_path(&tree, "missing.bin");
  CHECK(record_briefly(engine));
  CHECK_KEEPS_NOTHING(fnvm_trace_open(missing, &trace));
  CHECK_KEEPS_NOTHING(fnvm_trace_open(none, &trace));
  CHECK_KEEPS_NOTHING((fnvm_trace_open(run, &trace), fnvm_trace_close(trace)));
  CHECK_KEEPS_NOTHING(fnvm_trace_recover(missing, NULL));
  CHECK_KEEPS_NOTHING(fnvm_trace_recover(none, NULL));
  CHECK_KEEPS_NOTHING(fnvm_trace_recover(run, NULL));
}

int main(void) {
  unsetenv("FASTNVMETRICS_ROOT");
  tree = fixture_create();
  board = fixture_board(&tree);
  engine = fixture_engine(&tree, "run.bin");
  RUN(boards_keep_nothing);
  RUN(engines_keep_nothing);
  RUN(a_failed_start_keeps_nothing);
  RUN(traces_keep_nothing);
  fnvm_engine_free(engine);
  fnvm_board_free(board);
  fixture_remove(&tree);
  return finish();
}
