/* What the nodes say is what the trace says. */
#include <fastnvmetrics/fastnvmetrics.h>
#include <math.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>

#include "check.h"
#include "fixture.h"

/* Records root/run.bin briefly on a board, which it frees, and opens the trace; NULL where that
 * fails. */
static fnvm_trace *record_board(fixture *f, fnvm_board *board, fnvm_counts *counts) {
  fnvm_options options = FNVM_OPTIONS_INIT;
  options.slow_hz = 50;
  fnvm_engine *engine = NULL;
  fnvm_trace *trace = NULL;
  const char *path = fixture_path(f, "run.bin");
  CHECK_EQUAL(fnvm_engine_create(path, board, &options, &engine), FNVM_OK);
  CHECK_EQUAL(fnvm_engine_start(engine), FNVM_OK);
  CHECK(wait_for_samples(engine, 60));
  CHECK_EQUAL(fnvm_engine_stop(engine), FNVM_OK);
  if (counts) CHECK_EQUAL(fnvm_engine_counts(engine, counts), FNVM_OK);
  CHECK_EQUAL(fnvm_trace_open(path, &trace), FNVM_OK);
  fnvm_engine_free(engine);
  fnvm_board_free(board);
  return trace;
}

static void the_trace_says_what_the_nodes_say(void) {
  fixture f = fixture_create();
  fnvm_trace *trace = record_board(&f, fixture_board(&f), NULL);
  REQUIRE(trace != NULL);
  uint64_t count = 0;

  const fnvm_fast_sample *fast = fnvm_trace_fast(trace, &count);
  CHECK(count >= 60);
  for (uint64_t i = 0; i < count; i++) {
    CHECK_EQUAL(fast[i].gpu_load, FIXTURE_GPU_LOAD);
    CHECK(fast[i].emc_util == FIXTURE_EMC_UTIL);
    CHECK_EQUAL(fast[i].ram_used_kb, FIXTURE_RAM_TOTAL_KB - FIXTURE_RAM_AVAILABLE_KB);
    CHECK_EQUAL(fast[i].ram_available_kb, FIXTURE_RAM_AVAILABLE_KB);
    CHECK(fast[i].cpu_aggregate >= 0 && fast[i].cpu_aggregate <= 100);
    for (int core = 0; core < FIXTURE_CORES; core++)
      CHECK(fast[i].cpu_util[core] >= 0 && fast[i].cpu_util[core] <= 100);
    for (int core = FIXTURE_CORES; core < FNVM_MAX_CPU_CORES; core++)
      CHECK(fast[i].cpu_util[core] == 0);
  }

  const fnvm_medium_sample *medium = fnvm_trace_medium(trace, &count);
  CHECK(count >= 2);
  for (uint64_t i = 0; i < count; i++) {
    CHECK_EQUAL(medium[i].voltage_mv[0], 5000);
    CHECK_EQUAL(medium[i].current_ma[0], 1234);
    CHECK(medium[i].power_mw[0] == 6170.0f);
    CHECK_EQUAL(medium[i].voltage_mv[1], 19000);
    CHECK_EQUAL(medium[i].current_ma[1], 40);
    CHECK(medium[i].power_mw[1] == 760.0f);
    for (int rail = 2; rail < FNVM_MAX_POWER_RAILS; rail++)
      CHECK(medium[i].voltage_mv[rail] == 0 && medium[i].current_ma[rail] == 0 &&
            medium[i].power_mw[rail] == 0);
  }

  const fnvm_slow_sample *slow = fnvm_trace_slow(trace, &count);
  CHECK(count >= 1);
  for (uint64_t i = 0; i < count; i++) {
    CHECK(slow[i].temp_c[0] == 45.5f);
    CHECK(slow[i].temp_c[1] == 51.25f);
    for (int zone = 2; zone < FNVM_MAX_THERMAL_ZONES; zone++) CHECK(slow[i].temp_c[zone] == 0);
  }
  fnvm_trace_close(trace);
  fixture_remove(&f);
}

static void the_header_describes_the_recording(void) {
  fixture f = fixture_create();
  fnvm_counts counts = FNVM_COUNTS_INIT;
  struct timespec before, after;
  clock_gettime(CLOCK_MONOTONIC, &before);
  fnvm_trace *trace = record_board(&f, fixture_board(&f), &counts);
  clock_gettime(CLOCK_MONOTONIC, &after);
  REQUIRE(trace != NULL);

  fnvm_file_header header;
  memcpy(&header, fnvm_trace_header(trace), sizeof header);
  CHECK_EQUAL(header.magic, FNVM_TRACE_MAGIC);
  CHECK_EQUAL(header.version, FNVM_TRACE_VERSION);
  CHECK_TEXT(header.board_name, "fixture");
  CHECK_EQUAL(header.num_cpu_cores, FIXTURE_CORES);
  CHECK_EQUAL(header.num_power_rails, 2);
  CHECK_EQUAL(header.num_thermal_zones, 2);
  CHECK_EQUAL(header.emc_available, 1);
  CHECK_EQUAL(header.fast_hz, 1000);
  CHECK_EQUAL(header.medium_hz, 100);
  CHECK_EQUAL(header.slow_hz, 50);
  CHECK_TEXT(header.power_rail_names[1], "VDD_B");
  CHECK_TEXT(header.thermal_zone_names[0], "cpu-thermal");
  CHECK_EQUAL(header.flags, FNVM_FLAG_VALID | FNVM_FLAG_CLOSED | FNVM_FLAG_GPU_AVAILABLE);
  CHECK_EQUAL(header.chunks_offset, 0);
  CHECK_EQUAL(header.read_errors, 0);
  CHECK_EQUAL(header.dropped_samples, 0);
  CHECK_EQUAL(header.writer_version, fnvm_version());
  const uint64_t second = 1000000000u;
  CHECK(header.start_monotonic_ns >= (uint64_t)before.tv_sec * second + (uint64_t)before.tv_nsec);
  CHECK(header.start_monotonic_ns <= (uint64_t)after.tv_sec * second + (uint64_t)after.tv_nsec);
  CHECK(header.start_realtime_ns / second + 60 >= (uint64_t)time(NULL));

  CHECK_EQUAL(header.num_fast_samples, counts.fast_samples);
  CHECK_EQUAL(header.num_medium_samples, counts.medium_samples);
  CHECK_EQUAL(header.num_slow_samples, counts.slow_samples);
  CHECK_EQUAL(header.num_sync_points, counts.sync_points);
  CHECK_EQUAL(header.missed_fast, counts.missed_fast);
  CHECK_EQUAL(counts.read_errors, 0);
  CHECK_EQUAL(counts.negative_currents, 0);

  struct stat status;
  CHECK_EQUAL(stat(fixture_path(&f, "run.bin"), &status), 0);
  CHECK_EQUAL(status.st_size, 728 + 98 * header.num_fast_samples + 104 * header.num_medium_samples +
                                  72 * header.num_slow_samples + 16 * header.num_sync_points);
  fnvm_trace_close(trace);
  fixture_remove(&f);
}

static void times_rise_from_zero(void) {
  fixture f = fixture_create();
  fnvm_trace *trace = record_board(&f, fixture_board(&f), NULL);
  REQUIRE(trace != NULL);
  uint64_t count = 0;
  const fnvm_fast_sample *fast = fnvm_trace_fast(trace, &count);
  for (uint64_t i = 0; i < count; i++)
    CHECK(fast[i].time_s >= 0 && (i == 0 || fast[i].time_s > fast[i - 1].time_s));
  const fnvm_medium_sample *medium = fnvm_trace_medium(trace, &count);
  for (uint64_t i = 0; i < count; i++)
    CHECK(medium[i].time_s >= 0 && (i == 0 || medium[i].time_s > medium[i - 1].time_s));
  const fnvm_slow_sample *slow = fnvm_trace_slow(trace, &count);
  for (uint64_t i = 0; i < count; i++)
    CHECK(slow[i].time_s >= 0 && (i == 0 || slow[i].time_s > slow[i - 1].time_s));
  fnvm_trace_close(trace);
  fixture_remove(&f);
}

static void a_board_without_nodes_is_recorded_all_the_same(void) {
  fixture f = fixture_create();
  fnvm_counts counts = FNVM_COUNTS_INIT;
  fnvm_board *board = NULL;
  REQUIRE(fnvm_board_create("bare", 1, f.root, &board) == FNVM_OK);
  fnvm_trace *trace = record_board(&f, board, &counts);
  REQUIRE(trace != NULL);
  const fnvm_file_header *header = fnvm_trace_header(trace);
  CHECK_EQUAL(header->emc_available, 0);
  CHECK_EQUAL(header->num_power_rails, 0);
  CHECK_EQUAL(header->num_thermal_zones, 0);
  CHECK_EQUAL(header->flags & FNVM_FLAG_GPU_AVAILABLE, 0);
  const fnvm_fast_sample *fast = fnvm_trace_fast(trace, NULL);
  CHECK(fast[0].emc_util == -1.0f);
  CHECK_EQUAL(fast[0].gpu_load, 0);
  CHECK_EQUAL(fast[0].ram_available_kb, FIXTURE_RAM_AVAILABLE_KB);
  CHECK(!isnan(fast[0].cpu_util[0]));
  CHECK_EQUAL(counts.read_errors, 0); /* what is not available is not an error */
  fnvm_trace_close(trace);
  fixture_remove(&f);
}

static void nodes_that_cannot_be_read_are_missing_and_counted(void) {
  fixture f = fixture_create();
  fnvm_counts counts = FNVM_COUNTS_INIT;
  fnvm_board *board = fixture_board(&f);
  fixture_write(&f, "sys/rails/garbage", "no number\n");
  CHECK_EQUAL(fnvm_board_add_power_rail(board, "GONE", fixture_path(&f, "sys/rails/gone_mv"),
                                        fixture_path(&f, "sys/rails/gone_ma")), FNVM_OK);
  CHECK_EQUAL(fnvm_board_add_power_rail(board, "GARBAGE", fixture_path(&f, "sys/rails/garbage"),
                                        fixture_path(&f, "sys/rails/garbage")), FNVM_OK);
  CHECK_EQUAL(fnvm_board_add_power_rail(board, "DIRECTORY", f.root, f.root), FNVM_OK);
  CHECK_EQUAL(fnvm_board_add_thermal_zone(board, "gone", fixture_path(&f, "sys/zones/gone")),
              FNVM_OK);
  fnvm_trace *trace = record_board(&f, board, &counts);
  REQUIRE(trace != NULL);
  const fnvm_medium_sample *medium = fnvm_trace_medium(trace, NULL);
  CHECK(medium[0].power_mw[0] == 6170.0f); /* the others are unharmed */
  CHECK(isnan(medium[0].power_mw[2]));
  CHECK(isnan(medium[0].power_mw[3]));
  CHECK(isnan(medium[0].power_mw[4]));
  const fnvm_slow_sample *slow = fnvm_trace_slow(trace, NULL);
  CHECK(slow[0].temp_c[1] == 51.25f);
  CHECK(isnan(slow[0].temp_c[2]));
  CHECK(counts.read_errors > 0);
  CHECK_EQUAL(fnvm_trace_header(trace)->read_errors, counts.read_errors);
  fnvm_trace_close(trace);
  fixture_remove(&f);
}

static void negative_currents_are_zero_and_counted(void) {
  fixture f = fixture_create();
  fnvm_counts counts = FNVM_COUNTS_INIT;
  fixture_write(&f, "sys/rails/a_ma", "-5\n");
  fnvm_trace *trace = record_board(&f, fixture_board(&f), &counts);
  REQUIRE(trace != NULL);
  const fnvm_medium_sample *medium = fnvm_trace_medium(trace, NULL);
  CHECK_EQUAL(medium[0].voltage_mv[0], 5000);
  CHECK_EQUAL(medium[0].current_ma[0], 0);
  CHECK(medium[0].power_mw[0] == 0);
  CHECK_EQUAL(counts.negative_currents, counts.medium_samples);
  CHECK_EQUAL(counts.read_errors, 0);
  fnvm_trace_close(trace);
  fixture_remove(&f);
}

static void values_outside_their_range_are_clamped(void) {
  fixture f = fixture_create();
  fixture_write(&f, "sys/gpu/load", "1001\n");
  fixture_write(&f, "sys/emc/mc_all", "9999999\n"); /* above the clock */
  fixture_write(&f, "sys/zones/cpu", "-12500\n");   /* a cold morning */
  fixture_write(&f, "sys/zones/gpu", "-256000\n");  /* L4T 35: powered down */
  fnvm_trace *trace = record_board(&f, fixture_board(&f), NULL);
  REQUIRE(trace != NULL);
  CHECK_EQUAL(fnvm_trace_fast(trace, NULL)->gpu_load, 1000);
  CHECK(fnvm_trace_fast(trace, NULL)->emc_util == 100);
  CHECK(fnvm_trace_slow(trace, NULL)->temp_c[0] == -12.5f);
  CHECK(isnan(fnvm_trace_slow(trace, NULL)->temp_c[1]));
  fnvm_trace_close(trace);
  fixture_remove(&f);
}

static void long_names_are_cut_to_their_field(void) {
  static const char name[] = "0123456789abcdefghijklmnopqrstuvwxyz";
  fixture f = fixture_create();
  fnvm_board *board = NULL;
  REQUIRE(fnvm_board_create(name, 1, f.root, &board) == FNVM_OK);
  CHECK_EQUAL(fnvm_board_add_power_rail(board, name, "/nowhere", "/nowhere"), FNVM_OK);
  CHECK_EQUAL(fnvm_board_add_thermal_zone(board, name, "/nowhere"), FNVM_OK);
  fnvm_trace *trace = record_board(&f, board, NULL);
  REQUIRE(trace != NULL);
  const fnvm_file_header *header = fnvm_trace_header(trace);
  CHECK(memcmp(header->board_name, "0123456789abcdefghijklmnopqrstu", 32) == 0);
  CHECK(memcmp(header->power_rail_names[0], "0123456789abcdefghijklm", 24) == 0);
  CHECK(memcmp(header->thermal_zone_names[0], "0123456789abcdefghijklm", 24) == 0);
  fnvm_trace_close(trace);
  fixture_remove(&f);
}

/* Writes a /proc/stat of six cores in which 2 and 3 are offline, 1 and 5 busy and 0 and 4 idle
 * since the clock tick 0, as it stands after so many. */
static void write_stat(fixture *f, unsigned ticks) {
  char text[512];
  snprintf(text, sizeof text,
           "cpu  %08u 0 0 %08u 0 0 0 0 0 0\n"
           "cpu0 %08u 0 0 %08u 0 0 0 0 0 0\n"
           "cpu1 %08u 0 0 %08u 0 0 0 0 0 0\n"
           "cpu4 %08u 0 0 %08u 0 0 0 0 0 0\n"
           "cpu5 %08u 0 0 %08u 0 0 0 0 0 0\n",
           2 * ticks, 2 * ticks, 0u, ticks, ticks, 0u, 0u, ticks, ticks, 0u);
  fixture_write(f, "proc/stat", text);
}

static unsigned clock_ticks(const struct timespec *since) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (unsigned)((now.tv_sec - since->tv_sec) * 100 + (now.tv_nsec - since->tv_nsec) / 10000000);
}

static void an_offline_core_does_not_shift_the_others(void) {
  fixture f = fixture_create();
  fnvm_board *board = NULL;
  fnvm_engine *engine = NULL;
  fnvm_trace *trace = NULL;
  struct timespec begin;
  REQUIRE(fnvm_board_create("bench", 6, f.root, &board) == FNVM_OK);
  REQUIRE(fnvm_engine_create(fixture_path(&f, "run.bin"), board, NULL, &engine) == FNVM_OK);

  clock_gettime(CLOCK_MONOTONIC, &begin);
  write_stat(&f, 0);
  REQUIRE(fnvm_engine_start(engine) == FNVM_OK);
  while (fnvm_engine_sample_count(engine) < 1000) {
    write_stat(&f, clock_ticks(&begin));
    usleep(2000);
  }
  CHECK_EQUAL(fnvm_engine_stop(engine), FNVM_OK);

  REQUIRE(fnvm_trace_open(fixture_path(&f, "run.bin"), &trace) == FNVM_OK);
  uint64_t count = 0;
  const fnvm_fast_sample *fast = fnvm_trace_fast(trace, &count);
  double mean[6] = {0}, aggregate = 0;
  for (uint64_t i = 0; i < count; i++) {
    CHECK(isnan(fast[i].cpu_util[2]) && isnan(fast[i].cpu_util[3]));
    for (int core = 0; core < 6; core++)
      mean[core] += (double)fast[i].cpu_util[core] / (double)count;
    aggregate += (double)fast[i].cpu_aggregate / (double)count;
  }
  CHECK(mean[0] < 20 && mean[4] < 20); /* generous: the machine that runs this may be busy */
  CHECK(mean[1] > 80 && mean[5] > 80);
  CHECK(aggregate > 30 && aggregate < 70); /* the mean of the four that are online */
  fnvm_trace_close(trace);
  fnvm_engine_free(engine);
  fnvm_board_free(board);
  fixture_remove(&f);
}

int main(void) {
  unsetenv("FASTNVMETRICS_ROOT");
  RUN(the_trace_says_what_the_nodes_say);
  RUN(the_header_describes_the_recording);
  RUN(times_rise_from_zero);
  RUN(a_board_without_nodes_is_recorded_all_the_same);
  RUN(nodes_that_cannot_be_read_are_missing_and_counted);
  RUN(negative_currents_are_zero_and_counted);
  RUN(values_outside_their_range_are_clamped);
  RUN(long_names_are_cut_to_their_field);
  RUN(an_offline_core_does_not_shift_the_others);
  return finish();
}
