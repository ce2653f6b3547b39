/* A program of somebody who has fastnvmetrics installed: records a tree of known values, reads the
 * trace back and compares.
 *
 *     record ROOT TRACE */
#include <fastnvmetrics/fastnvmetrics.h>

#include <stdio.h>
#include <string.h>
#include <time.h>

#define REQUIRE(condition)                                                            \
  do {                                                                                \
    if (!(condition)) {                                                               \
      fprintf(stderr, "record.c:%d: not so: %s (%s)\n", __LINE__, #condition,         \
              fnvm_last_error_message());                                             \
      return 1;                                                                       \
    }                                                                                 \
  } while (0)

static const char *path(char *buffer, size_t size, const char *root, const char *file) {
  snprintf(buffer, size, "%s/%s", root, file);
  return buffer;
}

int main(int argc, char **argv) {
  REQUIRE(argc == 3);
  const char *root = argv[1], *output = argv[2];
  char one[4096], other[4096];

  REQUIRE(fnvm_abi_version() == FNVM_ABI_VERSION);
  REQUIRE(fnvm_version() == (FNVM_VERSION_MAJOR << 16 | FNVM_VERSION_MINOR << 8 | FNVM_VERSION_PATCH));

  fnvm_board *board = NULL;
  REQUIRE(fnvm_board_create("bench", 2, root, &board) == FNVM_OK);
  REQUIRE(fnvm_board_set_gpu_load_path(board, path(one, sizeof one, root, "sys/gpu/load")) == FNVM_OK);
  REQUIRE(fnvm_board_add_power_rail(board, "VDD_A", path(one, sizeof one, root, "sys/rails/a_mv"),
                                    path(other, sizeof other, root, "sys/rails/a_ma")) == FNVM_OK);
  REQUIRE(fnvm_board_add_thermal_zone(board, "cpu-thermal",
                                      path(one, sizeof one, root, "sys/zones/cpu")) == FNVM_OK);

  fnvm_engine *engine = NULL;
  REQUIRE(fnvm_engine_create(output, board, NULL, &engine) == FNVM_OK);
  fnvm_board_free(board);
  REQUIRE(fnvm_engine_start(engine) == FNVM_OK);
  REQUIRE(fnvm_engine_wait_for_warmup(engine, FNVM_NO_TIMEOUT) == FNVM_OK);
  REQUIRE(fnvm_engine_sync(engine, NULL) == FNVM_OK);
  while (fnvm_engine_sample_count(engine) < 50) {
    const struct timespec pause = {0, 1000000};
    nanosleep(&pause, NULL);
  }
  REQUIRE(fnvm_engine_stop(engine) == FNVM_OK);
  fnvm_engine_free(engine);

  fnvm_trace *trace = NULL;
  REQUIRE(fnvm_trace_open(output, &trace) == FNVM_OK);
  const fnvm_file_header *header = fnvm_trace_header(trace);
  REQUIRE(strcmp(header->board_name, "bench") == 0 && header->num_cpu_cores == 2);
  REQUIRE(strcmp(header->power_rail_names[0], "VDD_A") == 0 && header->num_power_rails == 1);

  uint64_t count = 0, others = 0;
  const fnvm_fast_sample *fast = fnvm_trace_fast(trace, &count);
  REQUIRE(count >= 50);
  for (uint64_t i = 1; i < count; i++) {
    REQUIRE(fast[i].time_s > fast[i - 1].time_s);
    REQUIRE(fast[i].gpu_load == 437);
    REQUIRE(fast[i].ram_used_kb == 12000000 && fast[i].ram_available_kb == 20000000);
  }
  const fnvm_medium_sample *medium = fnvm_trace_medium(trace, &others);
  REQUIRE(others > 0 && medium[others - 1].voltage_mv[0] == 5000 && medium[others - 1].current_ma[0] == 1200);
  REQUIRE(medium[others - 1].power_mw[0] == 6000.0f);
  const fnvm_slow_sample *slow = fnvm_trace_slow(trace, &others);
  REQUIRE(others > 0 && slow[others - 1].temp_c[0] == 45.5f);
  const fnvm_sync_point *marks = fnvm_trace_sync_points(trace, &others);
  REQUIRE(others == 1 && marks[0].sync_id == 1 && marks[0].fast_sample_idx < count);
  fnvm_trace_close(trace);

  printf("C: fastnvmetrics %s, as expected\n", fnvm_version_string());
  return 0;
}
