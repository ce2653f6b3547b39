/* No argument crashes the library: every function of the header with NULL, sizes of no version,
 * strings of a megabyte and of no encoding, indices and rates out of range.
 *
 * A function that is added to the header is added to one of the lists below; until then
 * `every_function_of_the_header_is_called` fails and names it. */
#include <fastnvmetrics/fastnvmetrics.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "check.h"
#include "fixture.h"

static fixture tree;

/* ---- what is passed ---- */

enum { LONG = 1 << 20, TEXTS = 10, NUMBERS = 8 };
static char megabyte[LONG + 1], slashes[LONG + 1];

static const char *text(int i) {
  static const char *const texts[TEXTS] = {
      NULL, "", "agx_orin", "\xff\xfe\xc3", "%s%n%x", "..", "/", "a\nb\x01\x7f", megabyte, slashes};
  return texts[i];
}

static const uint32_t numbers[NUMBERS] = {0, 1, 7, 16, 20000, 20001, INT32_MAX, UINT32_MAX};

enum { PAGE = 65536 }; /* or a multiple of one, on any machine */

/* `size` bytes with memory that may not be touched right behind them. */
static void *guarded(size_t size) {
  char *pages = mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (pages == MAP_FAILED || mprotect(pages + PAGE, PAGE, PROT_NONE) != 0) exit(2);
  return pages + PAGE - size;
}

static void unguard(void *memory, size_t size) {
  munmap((char *)memory + size - PAGE, 2 * PAGE);
}

/* ---- what comes back ---- */

static char called[16384]; /* " fnvm_x fnvm_y " */

static void note(const char *call) {
  char name[64];
  const size_t length = strcspn(call, "(");
  snprintf(name, sizeof name, " %.*s ", (int)length, call);
  if (!strstr(called, name)) strncat(called, name, sizeof called - strlen(called) - 1);
}

static fnvm_status checked_status(const char *call, fnvm_status status) {
  note(call);
  if (status > FNVM_OK || strcmp(fnvm_status_name(status), "FNVM_E_?") == 0) {
    fprintf(stderr, "%s answers %d\n", call, (int)status);
    checks_failed++;
  }
  if (status != FNVM_OK && *fnvm_last_error_message() == 0) {
    fprintf(stderr, "%s fails and does not say why\n", call);
    checks_failed++;
  }
  return status;
}

static void checked_text(const char *call, const char *answer) {
  note(call);
  if (answer) return;
  fprintf(stderr, "%s answers NULL\n", call);
  checks_failed++;
}

/* A call that answers with a status, with a string, with anything else, with nothing. */
#define STATUS(call) checked_status(#call, call)
#define TEXT(call) checked_text(#call, call)
#define VALUE(call) ((void)(call), note(#call))
#define DONE(call) ((call), note(#call))

/* One that makes a handle: there is one where the status is FNVM_OK, else it is set to NULL. */
#define MAKES(handle, call)                                  \
  do {                                                       \
    (handle) = (void *)&tree;                                \
    const fnvm_status made_status = STATUS(call);            \
    CHECK_EQUAL(made_status == FNVM_OK, (handle) != NULL);   \
  } while (0)

/* ---- boards ---- */

static void read_a_board(const fnvm_board *board) {
  TEXT(fnvm_board_name(board));
  TEXT(fnvm_board_root(board));
  TEXT(fnvm_board_gpu_load_path(board));
  TEXT(fnvm_board_emc_actmon_path(board));
  TEXT(fnvm_board_emc_clk_rate_path(board));
  VALUE(fnvm_board_num_cpu_cores(board));
  VALUE(fnvm_board_num_power_rails(board));
  VALUE(fnvm_board_num_thermal_zones(board));
  VALUE(fnvm_board_is_detected(board));
  for (int i = 0; i < NUMBERS; i++) {
    TEXT(fnvm_board_rail_label(board, numbers[i]));
    TEXT(fnvm_board_rail_voltage_path(board, numbers[i]));
    TEXT(fnvm_board_rail_current_path(board, numbers[i]));
    VALUE(fnvm_board_rail_in_total(board, numbers[i]));
    TEXT(fnvm_board_zone_name(board, numbers[i]));
    TEXT(fnvm_board_zone_temp_path(board, numbers[i]));
  }
}

/* Changes a board, or NULL, with two texts. */
static void change_a_board(fnvm_board *board, const char *one, const char *other) {
  STATUS(fnvm_board_set_gpu_load_path(board, one));
  STATUS(fnvm_board_set_emc_actmon_path(board, one));
  STATUS(fnvm_board_set_emc_clk_rate_path(board, other));
  STATUS(fnvm_board_add_power_rail(board, one, other, one));
  STATUS(fnvm_board_add_power_rail(board, "VDD", one, other));
  STATUS(fnvm_board_add_thermal_zone(board, one, other));
  STATUS(fnvm_board_set_detected(board, INT32_MIN));
}

static void boards_survive_every_argument(void) {
  fnvm_board *board, *copy;
  STATUS(fnvm_board_detect(tree.root, NULL));
  STATUS(fnvm_board_copy(NULL, NULL));
  DONE(fnvm_board_free(NULL));
  read_a_board(NULL);
  for (int i = 0; i < TEXTS; i++) {
    STATUS(fnvm_board_named(text(i), text(i), NULL));
    STATUS(fnvm_board_create(text(i), 4, text(i), NULL));
    MAKES(board, fnvm_board_detect(text(i), &board));
    fnvm_board_free(board);
    for (int k = 0; k < TEXTS; k++) {
      MAKES(board, fnvm_board_named(text(i), text(k), &board));
      fnvm_board_free(board);
      MAKES(board, fnvm_board_create(text(i), 4, text(k), &board));
      change_a_board(NULL, text(i), text(k));
      if (board) change_a_board(board, text(i), text(k));
      read_a_board(board);
      MAKES(copy, fnvm_board_copy(board, &copy));
      read_a_board(copy);
      fnvm_board_free(copy);
      fnvm_board_free(board);
    }
  }
  for (int i = 0; i < NUMBERS; i++) {
    MAKES(board, fnvm_board_create("b", (int32_t)numbers[i], "", &board));
    fnvm_board_free(board);
  }
}

static void every_root_in_the_environment_is_survived(void) {
  for (int i = 1; i < TEXTS; i++) {
    if (strlen(text(i)) > 100000) continue; /* no environment would hold it */
    fnvm_board *board;
    fnvm_doctor *doctor;
    setenv("FASTNVMETRICS_ROOT", text(i), 1);
    MAKES(board, fnvm_board_detect(NULL, &board));
    fnvm_board_free(board);
    MAKES(board, fnvm_board_named("orin_nx", NULL, &board));
    fnvm_board_free(board);
    MAKES(board, fnvm_board_create("b", 1, NULL, &board));
    fnvm_board_free(board);
    MAKES(doctor, fnvm_doctor_examine("orin_nano", NULL, &doctor));
    fnvm_doctor_free(doctor);
  }
  unsetenv("FASTNVMETRICS_ROOT");
}

/* ---- the doctor ---- */

static void read_a_doctor(const fnvm_doctor *doctor) {
  VALUE(fnvm_doctor_count(doctor));
  for (int i = 0; i < NUMBERS; i++) {
    STATUS(fnvm_doctor_report(doctor, numbers[i], NULL));
    for (int k = 0; k < NUMBERS; k++) {
      fnvm_node_report *report = guarded(sizeof *report);
      report->struct_size = numbers[k];
      STATUS(fnvm_doctor_report(doctor, numbers[i], report));
      unguard(report, sizeof *report);
    }
    /* A caller that is older than the first version has room for the size alone. */
    uint32_t *size = guarded(sizeof *size);
    *size = (uint32_t)i % 4;
    CHECK_EQUAL(fnvm_doctor_report(doctor, 0, (fnvm_node_report *)(void *)size), FNVM_E_INVALID);
    unguard(size, sizeof *size);
  }
}

static void doctors_survive_every_argument(void) {
  fnvm_doctor *doctor;
  STATUS(fnvm_doctor_examine(NULL, tree.root, NULL));
  DONE(fnvm_doctor_free(NULL));
  read_a_doctor(NULL);
  for (int i = 0; i < TEXTS; i++) {
    MAKES(doctor, fnvm_doctor_examine(text(i), tree.root, &doctor));
    read_a_doctor(doctor);
    fnvm_doctor_free(doctor);
    MAKES(doctor, fnvm_doctor_examine("agx_orin", text(i), &doctor));
    fnvm_doctor_free(doctor);
  }
}

static void sensors_survive_every_argument(void) {
  fnvm_notices *notices;
  STATUS(fnvm_sensors_restore(tree.root, NULL));
  DONE(fnvm_notices_free(NULL));
  for (int i = 0; i < TEXTS; i++) {
    /* The machine's own sensors are not this test's to put back. */
    if (!text(i) || !strcmp(text(i), "") || text(i)[0] == '/') continue;
    MAKES(notices, fnvm_sensors_restore(text(i), &notices));
    for (int k = 0; k < NUMBERS; k++) VALUE(fnvm_notices_text(notices, numbers[k]));
    fnvm_notices_free(notices);
  }
}

/* ---- engines ---- */

static void use_statistics(const fnvm_engine *engine) {
  STATUS(fnvm_engine_stats(engine, NULL));
  STATUS(fnvm_engine_tier_stats(engine, FNVM_TIER_FAST, NULL));
  STATUS(fnvm_engine_source_stats(engine, 0, NULL));
  VALUE(fnvm_engine_lateness(engine, FNVM_TIER_FAST, NULL, 0));
  VALUE(fnvm_engine_lateness(engine, FNVM_TIER_FAST, NULL, UINT32_MAX));
  for (int i = 0; i < NUMBERS; i++) {
    fnvm_stats *stats = guarded(sizeof *stats);
    stats->struct_size = numbers[i];
    STATUS(fnvm_engine_stats(engine, stats));
    unguard(stats, sizeof *stats);
    fnvm_lateness_bucket *bucket = guarded(sizeof *bucket);
    VALUE(fnvm_engine_lateness(engine, numbers[i], bucket, 1));
    unguard(bucket, sizeof *bucket);
    for (int k = 0; k < NUMBERS; k++) {
      fnvm_tier_stats *tier = guarded(sizeof *tier);
      fnvm_source_stats *source = guarded(sizeof *source);
      tier->struct_size = source->struct_size = numbers[i];
      STATUS(fnvm_engine_tier_stats(engine, numbers[k], tier));
      STATUS(fnvm_engine_source_stats(engine, numbers[k], source));
      unguard(tier, sizeof *tier);
      unguard(source, sizeof *source);
    }
  }
}

static void use_annotations(fnvm_engine *engine) {
  STATUS(fnvm_engine_annotate(engine, "key", NULL));
  STATUS(fnvm_engine_annotate(engine, NULL, "value"));
  for (int i = 0; i < TEXTS; i++) {
    STATUS(fnvm_engine_annotate(engine, text(i), "value"));
    STATUS(fnvm_engine_annotate(engine, "key", text(i)));
  }
}

static void use_marks(fnvm_engine *engine) {
  uint64_t id;
  use_annotations(engine);
  STATUS(fnvm_engine_sync_labelled(engine, "label", NULL));
  STATUS(fnvm_engine_phase_begin(engine, "phase", NULL));
  for (int i = 0; i < TEXTS; i++) {
    STATUS(fnvm_engine_sync_labelled(engine, text(i), &id));
    STATUS(fnvm_engine_phase_begin(engine, text(i), &id));
  }
  for (int i = 0; i < NUMBERS; i++) {
    STATUS(fnvm_engine_phase_end(engine, numbers[i]));
    STATUS(fnvm_engine_phase_end(engine, UINT64_MAX - numbers[i]));
  }
  STATUS(fnvm_engine_snapshot(engine, NULL));
  for (int i = 0; i < NUMBERS; i++) {
    fnvm_snapshot *snapshot = guarded(sizeof *snapshot);
    snapshot->struct_size = numbers[i];
    STATUS(fnvm_engine_snapshot(engine, snapshot));
    unguard(snapshot, sizeof *snapshot);
    uint32_t *size = guarded(sizeof *size);
    *size = (uint32_t)i % 4;
    CHECK_EQUAL(fnvm_engine_snapshot(engine, (fnvm_snapshot *)(void *)size), FNVM_E_INVALID);
    unguard(size, sizeof *size);
  }
}

static void use_an_engine(fnvm_engine *engine) {
  static const uint64_t timeouts[] = {0, 1, INT64_MAX, UINT64_MAX - 1, UINT64_MAX};
  uint64_t id;
  for (size_t i = 0; i < sizeof timeouts / sizeof *timeouts; i++)
    STATUS(fnvm_engine_wait_for_warmup(engine, timeouts[i]));
  STATUS(fnvm_engine_sync(engine, NULL));
  STATUS(fnvm_engine_sync(engine, &id));
  VALUE(fnvm_engine_sample_count(engine));
  VALUE(fnvm_engine_is_running(engine));
  STATUS(fnvm_engine_counts(engine, NULL));
  for (int i = 0; i < NUMBERS; i++) {
    VALUE(fnvm_engine_notice(engine, numbers[i]));
    fnvm_counts *counts = guarded(sizeof *counts);
    counts->struct_size = numbers[i];
    STATUS(fnvm_engine_counts(engine, counts));
    unguard(counts, sizeof *counts);
    uint32_t *size = guarded(sizeof *size);
    *size = (uint32_t)i % 4;
    CHECK_EQUAL(fnvm_engine_counts(engine, (fnvm_counts *)(void *)size), FNVM_E_INVALID);
    unguard(size, sizeof *size);
  }
  use_statistics(engine);
  use_marks(engine);
}

static void use_and_free(fnvm_engine *engine) {
  use_an_engine(engine);
  STATUS(fnvm_engine_start(engine));
  use_an_engine(engine);
  STATUS(fnvm_engine_stop(engine));
  use_an_engine(engine);
  DONE(fnvm_engine_free(engine));
}

static void engines_survive_every_argument(void) {
  fnvm_engine *engine;
  fnvm_board *board = fixture_board(&tree);
  use_and_free(NULL);
  for (int i = 0; i < TEXTS; i++) {
    STATUS(fnvm_engine_create(text(i), board, NULL, NULL));
    MAKES(engine, fnvm_engine_create(text(i), board, NULL, &engine));
    use_and_free(engine);
    /* A board of hostile texts, recorded. */
    fnvm_board *odd = NULL;
    if (fnvm_board_create(text(i), 16, i % 2 ? text(i) : tree.root, &odd) != FNVM_OK) continue;
    for (int k = 0; k < TEXTS; k++) change_a_board(odd, text(i), text(k));
    MAKES(engine, fnvm_engine_create("odd.bin", odd, NULL, &engine));
    use_and_free(engine);
    fnvm_board_free(odd);
  }
  fnvm_board_free(board);
}

/* Sets all rates but one to what a recording may have. */
static fnvm_options options_with(int rate, uint32_t hz) {
  fnvm_options options = FNVM_OPTIONS_INIT;
  if (rate == 0) options.fast_hz = hz;
  if (rate == 1) options.medium_hz = hz;
  if (rate == 2) options.slow_hz = hz;
  return options;
}

/* A later version may give them a meaning. */
static void options_say_nothing_that_is_not_known(void) {
  fnvm_board *board = NULL;
  fnvm_engine *engine = NULL;
  REQUIRE(fnvm_board_create("board", 1, NULL, &board) == FNVM_OK);
  for (int i = 0; i < 5; i++) {
    fnvm_options options = FNVM_OPTIONS_INIT;
    if (i == 0) options.native_rates = 7;
    if (i == 1) options.native_rates = -2;
    if (i == 2) options.cpu = -5;
    if (i == 3) options.write_stats = 55;
    if (i == 4) options.write_metadata = 2;
    CHECK_EQUAL(fnvm_engine_create("run.bin", board, &options, &engine), FNVM_E_INVALID);
    CHECK(engine == NULL && strstr(fnvm_last_error_message(), "native_rates") != NULL);
  }
  fnvm_board_free(board);
}

static void options_survive_every_size_and_rate(void) {
  fnvm_engine *engine;
  fnvm_board *board = fixture_board(&tree);
  for (int rate = 0; rate < 3; rate++)
    for (int i = 0; i < NUMBERS; i++) {
      const fnvm_options options = options_with(rate, numbers[i]);
      MAKES(engine, fnvm_engine_create("run.bin", board, &options, &engine));
      CHECK_EQUAL(engine != NULL, numbers[i] >= FNVM_MIN_RATE_HZ && numbers[i] <= FNVM_MAX_RATE_HZ);
      if (engine && numbers[i] > 1000) use_and_free(engine);
      else fnvm_engine_free(engine);
    }
  /* Every field behind the first rates, with every number. */
  for (size_t field = offsetof(fnvm_options, flush_interval_ms); field < sizeof(fnvm_options);
       field += sizeof(uint32_t))
    for (int i = 0; i < NUMBERS; i++) {
      fnvm_options options = FNVM_OPTIONS_INIT;
      memcpy((char *)&options + field, &numbers[i], sizeof numbers[i]);
      MAKES(engine, fnvm_engine_create("run.bin", board, &options, &engine));
      if (engine && record_briefly(engine)) VALUE(fnvm_engine_sample_count(engine));
      fnvm_engine_free(engine);
    }
  for (int i = 0; i < NUMBERS; i++) {
    fnvm_options *options = guarded(sizeof *options);
    *options = (fnvm_options)FNVM_OPTIONS_INIT;
    options->struct_size = numbers[i];
    MAKES(engine, fnvm_engine_create("run.bin", board, options, &engine));
    fnvm_engine_free(engine);
    unguard(options, sizeof *options);
  }
  for (uint32_t i = 0; i <= 4; i++) { /* there is the size and nothing else */
    uint32_t *size = guarded(sizeof *size);
    *size = i;
    CHECK_EQUAL(fnvm_engine_create("run.bin", board, (fnvm_options *)(void *)size, &engine),
                FNVM_E_INVALID);
    unguard(size, sizeof *size);
  }
  fnvm_board_free(board);
}

/* ---- traces ---- */

static void read_a_trace(const fnvm_trace *trace) {
  uint64_t count;
  VALUE(fnvm_trace_header(trace));
  VALUE(fnvm_trace_num_chunks(trace));
  STATUS(fnvm_trace_chunk(trace, 0, NULL));
  for (int i = 0; i < NUMBERS; i++) {
    fnvm_chunk *chunk = guarded(sizeof *chunk);
    chunk->struct_size = numbers[i];
    STATUS(fnvm_trace_chunk(trace, numbers[i], chunk));
    unguard(chunk, sizeof *chunk);
  }
  VALUE(fnvm_trace_num_phases(trace));
  STATUS(fnvm_trace_phase(trace, 0, NULL));
  for (int i = 0; i < NUMBERS; i++) {
    uint64_t time;
    VALUE(fnvm_trace_sync_label(trace, numbers[i], NULL));
    VALUE(fnvm_trace_sync_label(trace, UINT64_MAX - numbers[i], &time));
    fnvm_phase *phase = guarded(sizeof *phase);
    phase->struct_size = numbers[i];
    STATUS(fnvm_trace_phase(trace, numbers[i], phase));
    unguard(phase, sizeof *phase);
    uint32_t *size = guarded(sizeof *size);
    *size = (uint32_t)i % 4;
    CHECK_EQUAL(fnvm_trace_phase(trace, 0, (fnvm_phase *)(void *)size), FNVM_E_INVALID);
    unguard(size, sizeof *size);
  }
  VALUE(fnvm_trace_fast(trace, NULL));
  VALUE(fnvm_trace_fast(trace, &count));
  VALUE(fnvm_trace_medium(trace, NULL));
  VALUE(fnvm_trace_medium(trace, &count));
  VALUE(fnvm_trace_slow(trace, NULL));
  VALUE(fnvm_trace_slow(trace, &count));
  VALUE(fnvm_trace_sync_points(trace, NULL));
  VALUE(fnvm_trace_sync_points(trace, &count));
}

static void traces_survive_every_argument(void) {
  fnvm_trace *trace;
  int recovered;
  read_a_trace(NULL);
  DONE(fnvm_trace_close(NULL));
  for (int i = 0; i < TEXTS; i++) {
    STATUS(fnvm_trace_open(text(i), NULL));
    STATUS(fnvm_trace_recover(text(i), NULL));
    STATUS(fnvm_trace_recover(text(i), &recovered));
    MAKES(trace, fnvm_trace_open(text(i), &trace));
    fnvm_trace_close(trace);
  }
  MAKES(trace, fnvm_trace_open(GOLDEN_DIRECTORY "/short_v1.bin", &trace));
  read_a_trace(trace);
  fnvm_trace_close(trace);
  /* One with phases and labels, of hostile texts. */
  fnvm_engine *engine = fixture_engine(&tree, "marked.bin");
  CHECK_EQUAL(fnvm_engine_start(engine), FNVM_OK);
  use_marks(engine);
  fnvm_engine_free(engine);
  MAKES(trace, fnvm_trace_open("marked.bin", &trace));
  CHECK(fnvm_trace_num_phases(trace) > 0);
  read_a_trace(trace);
  fnvm_trace_close(trace);
}

/* ---- errors and versions ---- */

static void names_of_any_number(void) {
  for (int i = 0; i < NUMBERS; i++) {
    TEXT(fnvm_status_name((fnvm_status)numbers[i]));
    TEXT(fnvm_status_name(-(fnvm_status)(numbers[i] / 2)));
  }
  TEXT(fnvm_last_error_message());
  TEXT(fnvm_last_error_path());
  VALUE(fnvm_last_error_errno());
  TEXT(fnvm_version_string());
  VALUE(fnvm_version());
  VALUE(fnvm_abi_version());
}

static void messages_stay_whole_however_long_what_they_name(void) {
  fnvm_trace *trace = NULL;
  CHECK(fnvm_trace_open(megabyte, &trace) != FNVM_OK);
  CHECK(strlen(fnvm_last_error_message()) < 10000);
  CHECK_EQUAL(strlen(fnvm_last_error_path()), 4095);
}

static void every_function_of_the_header_is_called(void) {
  size_t size = 0;
  char *header =
      (char *)read_file(GOLDEN_DIRECTORY "/../../include/fastnvmetrics/fastnvmetrics.h", &size);
  REQUIRE(header != NULL);
  header[size] = 0;
  int functions = 0;
  for (char *at = header; (at = strstr(at, "\nFNVM_API "));) {
    at = strstr(at, "fnvm_"); /* skips types such as fnvm_status: no parenthesis follows them */
    while (at && at[strspn(at, "abcdefghijklmnopqrstuvwxyz_")] != '(')
      at = strstr(at + strspn(at, "abcdefghijklmnopqrstuvwxyz_"), "fnvm_");
    if (!at) break;
    const size_t length = strcspn(at, "(");
    char name[64];
    snprintf(name, sizeof name, " %.*s ", (int)length, at);
    functions++;
    if (!strstr(called, name)) {
      fprintf(stderr, "not called:%s\n", name);
      checks_failed++;
    }
  }
  CHECK(functions > 60);
  free(header);
}

int main(void) {
  unsetenv("FASTNVMETRICS_ROOT");
  memset(megabyte, 'x', LONG);
  memset(slashes, '/', LONG);
  tree = fixture_create();
  if (chdir(tree.root) != 0) return 2; /* some of the texts are names of files */
  RUN(boards_survive_every_argument);
  RUN(every_root_in_the_environment_is_survived);
  RUN(doctors_survive_every_argument);
  RUN(sensors_survive_every_argument);
  RUN(engines_survive_every_argument);
  RUN(options_survive_every_size_and_rate);
  RUN(options_say_nothing_that_is_not_known);
  RUN(traces_survive_every_argument);
  RUN(names_of_any_number);
  RUN(messages_stay_whole_however_long_what_they_name);
  RUN(every_function_of_the_header_is_called);
  if (chdir("/") != 0) return 2;
  fixture_remove(&tree);
  return finish();
}
