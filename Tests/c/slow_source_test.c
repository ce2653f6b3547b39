/* Sources that block, and sources that are read no faster than they change. This program stands between the library
 * and the files below "device/": it says that they are on a file system of the kernel's, counts their reads, and
 * makes them hang. */
#include <dirent.h>
#include <fastnvmetrics/fastnvmetrics.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <time.h>

#include "check.h"
#include "fixture.h"

/* ---- the device ------------------------------------------------------------------------------ */

typedef struct node {
  atomic_ulong inode;
  atomic_ulong reads;
  atomic_int is_shut; /* a read hangs until it is opened again */
  atomic_int hanging; /* reads that do */
} node;

enum { GPU, GPU_STATUS, EMC, EMC_RATE, A_MV, A_MA, B_MV, B_MA, ZONE_CPU, ZONE_GPU, NODES };

static const struct {
  const char *path, *text;
} files[NODES] = {
    {"device/gpu/load", "437\n"},     {"device/gpu/power/runtime_status", "active\n"},
    {"device/emc/mc_all", "798000\n"}, {"device/emc/rate", "3192000000\n"},
    {"device/rails/a_mv", "5000\n"},   {"device/rails/a_ma", "1234\n"},
    {"device/rails/b_mv", "19000\n"},  {"device/rails/b_ma", "40\n"},
    {"device/zones/cpu", "45500\n"},   {"device/zones/gpu", "51250\n"}};

static node nodes[NODES];
/* What each read of mc_all takes. */
static atomic_long read_delay_ns;

int statfs(const char *path, struct statfs *out) {
  const long result = syscall(SYS_statfs, path, out);
  if (result == 0 && strstr(path, "/device/")) out->f_type = 0x62656572; /* sysfs */
  return (int)result;
}

ssize_t pread(int fd, void *buffer, size_t size, off_t offset) {
  struct stat status;
  if (fstat(fd, &status) == 0)
    for (int i = 0; i < NODES; i++)
      if (atomic_load(&nodes[i].inode) == status.st_ino) {
        const struct timespec pause = {0, 200000};
        atomic_fetch_add(&nodes[i].reads, 1);
        if (i == EMC && read_delay_ns > 0) {
          const struct timespec delay = {0, read_delay_ns};
          nanosleep(&delay, NULL);
        }
        if (!atomic_load(&nodes[i].is_shut)) continue; /* one that is just about to read does not hang */
        atomic_fetch_add(&nodes[i].hanging, 1);
        while (atomic_load(&nodes[i].is_shut)) nanosleep(&pause, NULL);
        atomic_fetch_sub(&nodes[i].hanging, 1);
      }
  return syscall(SYS_pread64, fd, buffer, size, offset);
}

/* The tree of fixture.c has plain files too: /proc and what the core has. */
static fixture tree;

static void write_node(int which, const char *text) { fixture_write(&tree, files[which].path, text); }

static fnvm_board *device_board(void) {
  fnvm_board *board = NULL;
  tree = fixture_create();
  for (int i = 0; i < NODES; i++) {
    struct stat status;
    write_node(i, files[i].text);
    if (stat(fixture_path(&tree, files[i].path), &status) != 0) exit(2);
    atomic_store(&nodes[i].inode, status.st_ino);
    atomic_store(&nodes[i].reads, 0);
  }
#define PATH(which) fixture_path(&tree, files[which].path)
  if (fnvm_board_create("device", 2, tree.root, &board) != FNVM_OK ||
      fnvm_board_set_gpu_load_path(board, PATH(GPU)) != FNVM_OK ||
      fnvm_board_set_emc_actmon_path(board, PATH(EMC)) != FNVM_OK ||
      fnvm_board_set_emc_clk_rate_path(board, PATH(EMC_RATE)) != FNVM_OK ||
      fnvm_board_add_power_rail(board, "VDD_A", PATH(A_MV), PATH(A_MA)) != FNVM_OK ||
      fnvm_board_add_power_rail(board, "VDD_B", PATH(B_MV), PATH(B_MA)) != FNVM_OK ||
      fnvm_board_add_thermal_zone(board, "cpu-thermal", PATH(ZONE_CPU)) != FNVM_OK ||
      fnvm_board_add_thermal_zone(board, "gpu-thermal", PATH(ZONE_GPU)) != FNVM_OK)
    exit(2);
  return board;
}

static fnvm_engine *device_engine(const fnvm_options *options) {
  fnvm_board *board = device_board();
  fnvm_engine *engine = NULL;
  if (fnvm_engine_create(fixture_path(&tree, "run.bin"), board, options, &engine) != FNVM_OK) exit(2);
  fnvm_board_free(board);
  return engine;
}

static void finish_engine(fnvm_engine *engine) {
  fnvm_engine_free(engine);
  for (int i = 0; i < NODES; i++) atomic_store(&nodes[i].inode, 0);
  fixture_remove(&tree);
}

static void wait_a_little(void) {
  const struct timespec pause = {0, 1000000};
  nanosleep(&pause, NULL);
}

static fnvm_counts counts_of(const fnvm_engine *engine) {
  fnvm_counts counts = FNVM_COUNTS_INIT;
  CHECK_EQUAL(fnvm_engine_counts(engine, &counts), FNVM_OK);
  return counts;
}

static void wait_for_counts(const fnvm_engine *engine, uint64_t fast, uint64_t medium, uint64_t slow) {
  for (;;) {
    const fnvm_counts counts = counts_of(engine);
    if (counts.fast_samples >= fast && counts.medium_samples >= medium && counts.slow_samples >= slow) return;
    wait_a_little();
  }
}

static fnvm_source_stats source(const fnvm_engine *engine, const char *name) {
  fnvm_source_stats stats = FNVM_SOURCE_STATS_INIT;
  for (uint32_t i = 0; fnvm_engine_source_stats(engine, i, &stats) == FNVM_OK; i++)
    if (strcmp(stats.name, name) == 0) return stats;
  CHECK_TEXT(name, "the name of a source");
  return (fnvm_source_stats)FNVM_SOURCE_STATS_INIT;
}

static void wait_for_a_hanging_read(int which) {
  while (atomic_load(&nodes[which].hanging) == 0) wait_a_little();
}

static int threads_named(const char *name) {
  DIR *tasks = opendir("/proc/self/task");
  int count = 0;
  for (struct dirent *entry; tasks && (entry = readdir(tasks));) {
    char path[300], text[32] = "";
    snprintf(path, sizeof path, "/proc/self/task/%s/comm", entry->d_name);
    FILE *file = fopen(path, "r");
    if (file && fgets(text, sizeof text, file)) count += strncmp(text, name, strlen(name)) == 0;
    if (file) fclose(file);
  }
  if (tasks) closedir(tasks);
  return count;
}

/* ---- one slow source harms no other ---------------------------------------------------------- */

static void a_gpu_that_hangs_stops_no_other_column(void) {
  fnvm_options options = FNVM_OPTIONS_INIT;
  options.slow_hz = 100;
  fnvm_engine *engine = device_engine(&options);
  fnvm_trace *trace = NULL;
  REQUIRE(fnvm_engine_start(engine) == FNVM_OK);
  wait_for_counts(engine, 50, 3, 3);

  atomic_store(&nodes[GPU].is_shut, 1);
  wait_for_a_hanging_read(GPU);
  write_node(GPU, "900\n");
  write_node(EMC, "1596000\n");
  const fnvm_counts before = counts_of(engine);
  wait_for_counts(engine, before.fast_samples + 300, before.medium_samples + 20, before.slow_samples + 20);
  CHECK_EQUAL(atomic_load(&nodes[GPU].hanging), 1);
  const fnvm_source_stats gpu = source(engine, "gpu");
  CHECK_EQUAL(gpu.has_own_thread, 1);
  CHECK(gpu.oldest_ns > 100000000);
  CHECK(source(engine, "ram").oldest_ns == 0);
  const uint64_t opened = counts_of(engine).fast_samples;
  atomic_store(&nodes[GPU].is_shut, 0);
  wait_for_counts(engine, opened + 100, 0, 0);
  CHECK_EQUAL(fnvm_engine_stop(engine), FNVM_OK);

  REQUIRE(fnvm_trace_open(fixture_path(&tree, "run.bin"), &trace) == FNVM_OK);
  uint64_t count = 0, mediums = 0, slows = 0;
  const fnvm_fast_sample *fast = fnvm_trace_fast(trace, &count);
  /* What was read before it hung is held, and the newest value is there soon after it goes on. */
  CHECK_EQUAL(fast[before.fast_samples + 100].gpu_load, 437);
  CHECK_EQUAL(fast[count - 1].gpu_load, 900);
  CHECK(fast[before.fast_samples + 250].emc_util == 50.0f);
  CHECK_EQUAL(fast[before.fast_samples + 250].ram_available_kb, FIXTURE_RAM_AVAILABLE_KB);
  const fnvm_medium_sample *medium = fnvm_trace_medium(trace, &mediums);
  for (uint64_t i = 0; i < mediums; i++) CHECK(medium[i].power_mw[0] == 6170.0f && medium[i].power_mw[1] == 760.0f);
  const fnvm_slow_sample *slow = fnvm_trace_slow(trace, &slows);
  for (uint64_t i = 0; i < slows; i++) CHECK(slow[i].temp_c[0] == 45.5f && slow[i].temp_c[1] == 51.25f);
  fnvm_trace_close(trace);
  finish_engine(engine);
}

/* It is read early from then on, so that a reading that takes long again is there in time; but once a tick. */
static void a_zone_that_took_long_is_still_read_once_a_tick(void) {
  fnvm_engine *engine = device_engine(NULL);
  REQUIRE(fnvm_engine_start(engine) == FNVM_OK);
  wait_for_counts(engine, 0, 0, 3);
  atomic_store(&nodes[ZONE_CPU].is_shut, 1);
  wait_for_a_hanging_read(ZONE_CPU);
  uint64_t slow = counts_of(engine).slow_samples;
  wait_for_counts(engine, 0, 0, slow + 2);
  atomic_store(&nodes[ZONE_CPU].is_shut, 0);
  while (atomic_load(&nodes[ZONE_CPU].hanging)) wait_a_little();
  const unsigned long reads = atomic_load(&nodes[ZONE_CPU].reads);
  slow = counts_of(engine).slow_samples;
  wait_for_counts(engine, 0, 0, slow + 10);
  CHECK(atomic_load(&nodes[ZONE_CPU].reads) <= reads + 12);
  CHECK_EQUAL(fnvm_engine_stop(engine), FNVM_OK);
  finish_engine(engine);
}

static void a_rail_and_a_zone_that_hang_stop_no_other(void) {
  fnvm_options options = FNVM_OPTIONS_INIT;
  options.slow_hz = 100;
  fnvm_engine *engine = device_engine(&options);
  fnvm_trace *trace = NULL;
  REQUIRE(fnvm_engine_start(engine) == FNVM_OK);
  wait_for_counts(engine, 50, 3, 3);
  atomic_store(&nodes[A_MA].is_shut, 1);
  atomic_store(&nodes[ZONE_CPU].is_shut, 1);
  wait_for_a_hanging_read(A_MA);
  wait_for_a_hanging_read(ZONE_CPU);
  write_node(A_MA, "2000\n");
  write_node(B_MA, "50\n");
  write_node(ZONE_GPU, "60000\n");
  const fnvm_counts before = counts_of(engine);
  wait_for_counts(engine, 0, before.medium_samples + 20, before.slow_samples + 20);
  const fnvm_counts opened = counts_of(engine);
  atomic_store(&nodes[A_MA].is_shut, 0);
  atomic_store(&nodes[ZONE_CPU].is_shut, 0);
  wait_for_counts(engine, 0, opened.medium_samples + 10, opened.slow_samples + 10);
  CHECK_EQUAL(fnvm_engine_stop(engine), FNVM_OK);

  REQUIRE(fnvm_trace_open(fixture_path(&tree, "run.bin"), &trace) == FNVM_OK);
  uint64_t count = 0;
  const fnvm_medium_sample *medium = fnvm_trace_medium(trace, &count);
  CHECK(medium[opened.medium_samples - 1].current_ma[0] == 1234);
  CHECK(medium[opened.medium_samples - 1].power_mw[1] == 950.0f);
  CHECK(medium[count - 1].power_mw[0] == 10000.0f);
  const fnvm_slow_sample *slow = fnvm_trace_slow(trace, &count);
  CHECK(slow[opened.slow_samples - 1].temp_c[0] == 45.5f && slow[opened.slow_samples - 1].temp_c[1] == 60.0f);
  fnvm_trace_close(trace);
  finish_engine(engine);
}

static void stop_does_not_wait_for_a_read_that_hangs(void) {
  fnvm_engine *engine = device_engine(NULL);
  fnvm_trace *trace = NULL;
  atomic_store(&nodes[GPU].is_shut, 1);
  REQUIRE(fnvm_engine_start(engine) == FNVM_OK);
  CHECK_EQUAL(fnvm_engine_wait_for_warmup(engine, FNVM_NO_TIMEOUT), FNVM_OK);
  wait_for_a_hanging_read(GPU);
  const struct timespec more_than_a_second = {1, 100000000};
  nanosleep(&more_than_a_second, NULL);
  CHECK_EQUAL(fnvm_engine_stop(engine), FNVM_OK);
  CHECK_EQUAL(atomic_load(&nodes[GPU].hanging), 1);
  /* And it says so. */
  const char *notice = fnvm_engine_notice(engine, 0);
  REQUIRE(notice != NULL);
  CHECK(strstr(notice, "gpu had not answered for 1 s") != NULL);
  CHECK_EQUAL(fnvm_trace_open(fixture_path(&tree, "run.bin"), &trace), FNVM_OK);
  fnvm_trace_close(trace);

  /* Nor does the next recording, nor the end of the engine. */
  CHECK(record_briefly(engine));
  fnvm_engine_free(engine);
  atomic_store(&nodes[GPU].is_shut, 0);
  while (threads_named("fnvm-") > 0) wait_a_little();
  finish_engine(NULL);
}

static void nodes_on_a_disk_are_read_by_their_tier(void) {
  fixture f = fixture_create();
  fnvm_engine *engine = fixture_engine(&f, "run.bin");
  REQUIRE(fnvm_engine_start(engine) == FNVM_OK);
  wait_for_counts(engine, 30, 2, 2);
  CHECK_EQUAL(threads_named("fnvm-"), 6);
  CHECK_EQUAL(source(engine, "gpu").has_own_thread, 0);
  CHECK_EQUAL(source(engine, "VDD_B").has_own_thread, 0);
  CHECK_EQUAL(fnvm_engine_stop(engine), FNVM_OK);
  CHECK_EQUAL(source(engine, "gpu").oldest_ns, 0);
  fnvm_engine_free(engine);
  fixture_remove(&f);
}

/* How often the thread of that name has slept. */
static unsigned long sleeps_of(const char *name) {
  DIR *tasks = opendir("/proc/self/task");
  unsigned long sleeps = 0;
  for (struct dirent *entry; tasks && (entry = readdir(tasks));) {
    char path[300], line[128];
    int is_it = 0;
    snprintf(path, sizeof path, "/proc/self/task/%s/status", entry->d_name);
    FILE *file = fopen(path, "r");
    while (file && fgets(line, sizeof line, file)) {
      unsigned long count = 0;
      if (strncmp(line, "Name:\t", 6) == 0) is_it = strncmp(line + 6, name, strlen(name)) == 0;
      if (is_it && sscanf(line, "voluntary_ctxt_switches: %lu", &count) == 1) sleeps += count;
    }
    if (file) fclose(file);
  }
  if (tasks) closedir(tasks);
  return sleeps;
}

/* A board that was detected may get its GPU and EMC later; until then their threads hardly run. */
static void what_is_not_there_is_not_asked_for_at_every_tick(void) {
  fnvm_board *board = NULL;
  fnvm_engine *engine = NULL;
  tree = fixture_create();
  fixture_write(&tree, "device/sys/kernel/nothing", "");
  REQUIRE(fnvm_board_create("bare", 1, fixture_path(&tree, "device"), &board) == FNVM_OK);
  CHECK_EQUAL(fnvm_board_set_detected(board, 1), FNVM_OK);
  REQUIRE(fnvm_engine_create(fixture_path(&tree, "run.bin"), board, NULL, &engine) == FNVM_OK);
  fnvm_board_free(board);
  REQUIRE(fnvm_engine_start(engine) == FNVM_OK);
  wait_for_counts(engine, 300, 0, 0);
  CHECK_EQUAL(source(engine, "gpu").has_own_thread, 1);
  CHECK_EQUAL(source(engine, "emc").has_own_thread, 1);
  CHECK(sleeps_of("fnvm-gpu") < fnvm_engine_sample_count(engine) / 4);
  CHECK(sleeps_of("fnvm-emc") < fnvm_engine_sample_count(engine) / 4);
  CHECK_EQUAL(fnvm_engine_stop(engine), FNVM_OK);
  finish_engine(engine);
}

/* ---- rates of single sources ----------------------------------------------------------------- */

/* Reads of a node while the engine takes so many samples. */
static void record_counting(const fnvm_options *options, uint64_t fast, unsigned long reads[NODES],
                            fnvm_counts *counts) {
  fnvm_engine *engine = device_engine(options);
  *counts = (fnvm_counts)FNVM_COUNTS_INIT;
  REQUIRE(fnvm_engine_start(engine) == FNVM_OK);
  wait_for_counts(engine, fast, 0, 0);
  CHECK_EQUAL(fnvm_engine_stop(engine), FNVM_OK);
  *counts = counts_of(engine);
  for (int i = 0; i < NODES; i++) reads[i] = atomic_load(&nodes[i].reads);
  finish_engine(engine);
}

static double elapsed(const fnvm_counts *counts, uint32_t hz) {
  return (double)(counts->fast_samples + counts->missed_fast) / hz;
}

static void by_default_every_source_is_read_at_every_tick(void) {
  unsigned long reads[NODES];
  fnvm_counts counts;
  record_counting(NULL, 1000, reads, &counts);
  const double seconds = elapsed(&counts, 1000);
  /* Threads of their own miss ticks of their own on a busy machine. */
  CHECK((double)reads[GPU] > 300 * seconds);
  CHECK((double)reads[EMC] > 300 * seconds);
  CHECK((double)reads[A_MV] > 30 * seconds && reads[A_MV] + 2 >= reads[A_MA]);
}

static void native_rates_read_nothing_faster_than_it_changes(void) {
  unsigned long reads[NODES];
  fnvm_counts counts;
  fnvm_options options = FNVM_OPTIONS_INIT;
  options.medium_hz = 500;
  options.slow_hz = 100;
  options.native_rates = 1;
  record_counting(&options, 1000, reads, &counts);
  const double seconds = elapsed(&counts, 1000);
  CHECK((double)reads[GPU] <= 61 * seconds + 3 && (double)reads[GPU] >= 20 * seconds);
  CHECK((double)reads[EMC] <= 51 * seconds + 3 && (double)reads[EMC] >= 20 * seconds);
  CHECK((double)reads[EMC_RATE] <= 51 * seconds + 3);
  /* The sensor does not say how often it measures: current at every tick, voltage a tenth as often. */
  CHECK((double)reads[A_MA] > 100 * seconds);
  CHECK((double)reads[A_MV] <= 51 * seconds + 3 && (double)reads[A_MV] >= 10 * seconds);
  CHECK((double)reads[ZONE_CPU] <= 11 * seconds + 3 && (double)reads[ZONE_CPU] >= 4 * seconds);
}

static void a_sensor_is_read_at_its_update_interval(void) {
  unsigned long reads[NODES];
  fnvm_options options = FNVM_OPTIONS_INIT;
  options.medium_hz = 500;
  options.native_rates = 1;
  fnvm_engine *engine = device_engine(&options);
  fixture_write(&tree, "device/rails/update_interval", "35\n");
  REQUIRE(fnvm_engine_start(engine) == FNVM_OK);
  wait_for_counts(engine, 1000, 0, 0);
  CHECK_EQUAL(fnvm_engine_stop(engine), FNVM_OK);
  const fnvm_counts counts = counts_of(engine);
  for (int i = 0; i < NODES; i++) reads[i] = atomic_load(&nodes[i].reads);
  const double seconds = elapsed(&counts, 1000);
  CHECK((double)reads[A_MA] <= seconds / 0.035 + 3 && (double)reads[A_MA] >= 10 * seconds);
  CHECK((double)reads[A_MV] <= seconds / 0.35 + 3);
  finish_engine(engine);
}

/* A device that takes longer than its rate allows is read when it is due again, not back to back. */
static void a_rate_that_a_device_cannot_keep_leaves_it_time(void) {
  fnvm_options options = FNVM_OPTIONS_INIT;
  options.emc_hz = 250; /* 4 ms, and each read takes 6 */
  read_delay_ns = 6000000;
  fnvm_engine *engine = device_engine(&options);
  REQUIRE(fnvm_engine_start(engine) == FNVM_OK);
  wait_for_counts(engine, 500, 0, 0);
  CHECK_EQUAL(fnvm_engine_stop(engine), FNVM_OK);
  const fnvm_counts counts = counts_of(engine);
  /* Every second time is skipped: 125 reads a second at most. */
  CHECK((double)source(engine, "emc").reads <= 126 * elapsed(&counts, 1000) + 3);
  read_delay_ns = 0;
  finish_engine(engine);
}

static void above_one_kilohertz_slow_sources_have_their_own_rate(void) {
  unsigned long reads[NODES];
  fnvm_counts counts;
  fnvm_options options = FNVM_OPTIONS_INIT;
  options.fast_hz = 2000;
  record_counting(&options, 2000, reads, &counts);
  double seconds = elapsed(&counts, 2000);
  CHECK((double)reads[GPU] <= 61 * seconds + 3);
  CHECK((double)reads[EMC] <= 51 * seconds + 3);
  /* Unless somebody wants it otherwise. */
  options.native_rates = 0;
  record_counting(&options, 2000, reads, &counts);
  seconds = elapsed(&counts, 2000);
  CHECK((double)reads[GPU] > 200 * seconds);
}

static void each_source_can_have_a_rate_of_its_own(void) {
  unsigned long reads[NODES];
  fnvm_counts counts;
  fnvm_options options = FNVM_OPTIONS_INIT;
  options.gpu_hz = 20;
  options.emc_hz = 10;
  options.voltage_hz = 5;
  options.current_hz = 25;
  options.thermal_hz = 2;
  record_counting(&options, 1000, reads, &counts);
  const double seconds = elapsed(&counts, 1000);
  CHECK((double)reads[GPU] <= 20.5 * seconds + 3 && (double)reads[GPU] >= 10 * seconds);
  CHECK((double)reads[EMC] <= 10.5 * seconds + 3 && (double)reads[EMC] >= 5 * seconds);
  CHECK((double)reads[A_MV] <= 5.5 * seconds + 3 && (double)reads[A_MA] <= 25.5 * seconds + 3);
  CHECK((double)reads[A_MA] >= 10 * seconds);
  CHECK((double)reads[ZONE_GPU] <= 2.5 * seconds + 3);
}

static void an_idle_gpu_is_left_to_sleep(void) {
  fnvm_options options = FNVM_OPTIONS_INIT;
  options.native_rates = 1;
  fnvm_engine *engine = device_engine(&options);
  REQUIRE(fnvm_engine_start(engine) == FNVM_OK);
  wait_for_counts(engine, 100, 0, 0);
  write_node(GPU, "000\n");
  /* After a second without load it is asked every two seconds at most. */
  wait_for_counts(engine, counts_of(engine).fast_samples + 1300, 0, 0);
  unsigned long before = atomic_load(&nodes[GPU].reads);
  wait_for_counts(engine, counts_of(engine).fast_samples + 500, 0, 0);
  CHECK(atomic_load(&nodes[GPU].reads) <= before + 1);
  /* And not at all while it sleeps. */
  write_node(GPU_STATUS, "suspended\n");
  wait_for_counts(engine, counts_of(engine).fast_samples + 100, 0, 0);
  before = atomic_load(&nodes[GPU].reads);
  wait_for_counts(engine, counts_of(engine).fast_samples + 300, 0, 0);
  CHECK_EQUAL(atomic_load(&nodes[GPU].reads), before);
  /* Awake and at work it is found within those two seconds. */
  write_node(GPU, "900\n");
  write_node(GPU_STATUS, "active\n\n\n\n");
  wait_for_counts(engine, counts_of(engine).fast_samples + 2200, 0, 0);
  CHECK_EQUAL(fnvm_engine_stop(engine), FNVM_OK);
  fnvm_trace *trace = NULL;
  uint64_t count = 0;
  REQUIRE(fnvm_trace_open(fixture_path(&tree, "run.bin"), &trace) == FNVM_OK);
  const fnvm_fast_sample *fast = fnvm_trace_fast(trace, &count);
  CHECK_EQUAL(fast[50].gpu_load, 437);
  CHECK_EQUAL(fast[count - 1].gpu_load, 900);
  fnvm_trace_close(trace);
  finish_engine(engine);
}

int main(void) {
  unsetenv("FASTNVMETRICS_ROOT");
  RUN(a_gpu_that_hangs_stops_no_other_column);
  RUN(a_zone_that_took_long_is_still_read_once_a_tick);
  RUN(a_rail_and_a_zone_that_hang_stop_no_other);
  RUN(stop_does_not_wait_for_a_read_that_hangs);
  RUN(nodes_on_a_disk_are_read_by_their_tier);
  RUN(what_is_not_there_is_not_asked_for_at_every_tick);
  RUN(by_default_every_source_is_read_at_every_tick);
  RUN(native_rates_read_nothing_faster_than_it_changes);
  RUN(a_sensor_is_read_at_its_update_interval);
  RUN(a_rate_that_a_device_cannot_keep_leaves_it_time);
  RUN(above_one_kilohertz_slow_sources_have_their_own_rate);
  RUN(each_source_can_have_a_rate_of_its_own);
  RUN(an_idle_gpu_is_left_to_sleep);
  return finish();
}
