/* What the engine makes of a board, for scenario.sh in the VM of virtual-orin.
 *
 *   scenario board                     the board that is detected, one "part value" a line
 *   scenario doctor                    the findings of an examination, one line a node
 *   scenario record TRACE [OPTION=N...] <PHASES    records while PHASES come in, then holds the trace
 *                                      against them; options: native interval samples stats
 *   scenario crash TRACE PID           kills the recorder PID, and completes the trace that it leaves
 *   scenario restore                   puts back the settings of power sensors, and says what it did
 *   scenario burn CPU PERCENT PERIOD_MS SECONDS    keeps a core busy, and says how busy it was
 *
 * A phase is a line "NAME SECONDS EXPECTATION...". It begins when the line is read and lasts SECONDS, or
 * until the next line. Expectations hold from `settle` (0.15 s) after its begin:
 *
 *   settle=S            for the expectations after it
 *   FIELD=V~T           every sample is within T of V; V can be nan
 *   mean:FIELD=V~T      the mean is; V can be `stat`: what /proc/stat counted between the phase's ends
 *   back:FIELD=S        a value that is no NaN comes within S seconds of the phase's begin
 *   errors=N negatives=N   how many the engine counted; `some`: at least one
 *   source=load|counters   where GPU load comes from at the end of the phase
 *   own:SOURCE=0|1      whether threads of their own read it
 *   reads:SOURCE=LOW..HIGH   how often a second it was read
 *   figures             says what each source was read and what that took
 *
 * Sources: as fnvm_source_stats names them, and `rails` and `zones` for all of them.
 * Fields: gpu emc aggregate cpuN, RAIL.mv RAIL.ma RAIL.mw, and zones by name. */
#define _GNU_SOURCE
#include <errno.h>
#include <fastnvmetrics/fastnvmetrics.h>
#include <math.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

enum { MAX_PHASES = 64, MAX_LINE = 1024, MAX_SOURCES = 4 + FNVM_MAX_POWER_RAILS + FNVM_MAX_THERMAL_ZONES };

static int passed, failed;

static void report(int is_good, const char *phase, const char *expectation, const char *found) {
  printf("%s %s: %s: %s\n", is_good ? "ok  " : "FAIL", phase, expectation, found);
  if (is_good) passed++; else failed++;
}

static void require(fnvm_status status, const char *what) {
  if (status == FNVM_OK) return;
  printf("FAIL %s: %s %s\n", what, fnvm_status_name(status), fnvm_last_error_message());
  exit(1);
}

static double seconds_of(clockid_t clock) {
  struct timespec now;
  clock_gettime(clock, &now);
  return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

/* ---- board ---- */

static int print_board(void) {
  fnvm_board *board = NULL;
  require(fnvm_board_detect(NULL, &board), "fnvm_board_detect");
  printf("name %s\ncores %d\ngpu %s\n", fnvm_board_name(board), fnvm_board_num_cpu_cores(board),
         fnvm_board_gpu_load_path(board));
  printf("mc_all %s\nrate %s\n", fnvm_board_emc_actmon_path(board), fnvm_board_emc_clk_rate_path(board));
  for (uint32_t i = 0; i < fnvm_board_num_power_rails(board); i++)
    printf("rail %s %d %s\n", fnvm_board_rail_label(board, i), fnvm_board_rail_in_total(board, i),
           fnvm_board_rail_current_path(board, i));
  for (uint32_t i = 0; i < fnvm_board_num_thermal_zones(board); i++)
    printf("zone %s %s\n", fnvm_board_zone_name(board, i), fnvm_board_zone_temp_path(board, i));
  fnvm_board_free(board);
  return 0;
}

/* ---- doctor ---- */

static const char *state_name(uint32_t state) {
  static const char *const names[] = {"good", "absent", "forbidden", "failing", "powered-down", "left-out"};
  return state < sizeof names / sizeof *names ? names[state] : "?";
}

static int print_doctor(void) {
  fnvm_doctor *doctor = NULL;
  require(fnvm_doctor_examine(NULL, NULL, &doctor), "fnvm_doctor_examine");
  for (uint32_t i = 0; i < fnvm_doctor_count(doctor); i++) {
    fnvm_node_report node = FNVM_NODE_REPORT_INIT;
    require(fnvm_doctor_report(doctor, i, &node), "fnvm_doctor_report");
    printf("%s %s %lld %s, %.1f us, refresh %g ms, errno %d, %s, %s\n", node.name, state_name(node.state),
           (long long)node.value, node.unit, (double)node.read_ns / 1e3, node.refresh_ms, node.error_number,
           node.path, node.advice);
  }
  fnvm_doctor_free(doctor);
  return 0;
}

/* ---- burn ---- */

static void sleep_until(double seconds) {
  struct timespec until = {(time_t)seconds, (long)((seconds - floor(seconds)) * 1e9)};
  clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, NULL);
}

static int burn(int cpu, double percent, double period, double seconds) {
  cpu_set_t set;
  CPU_ZERO(&set);
  CPU_SET(cpu, &set);
  if (sched_setaffinity(0, sizeof set, &set) != 0) return perror("sched_setaffinity"), 1;
  const double start = seconds_of(CLOCK_MONOTONIC), cpu_start = seconds_of(CLOCK_PROCESS_CPUTIME_ID);
  double begin = start;
  while (begin - start < seconds) {
    while (seconds_of(CLOCK_MONOTONIC) < begin + period * percent / 100) {}
    begin += period;
    if (percent < 100) sleep_until(begin);
  }
  const double wall = seconds_of(CLOCK_MONOTONIC) - start;
  printf("     burner on cpu%d, %g %% of %g ms: its own CPU time was %.1f %% of %.2f s\n", cpu, percent,
         period * 1e3, 100 * (seconds_of(CLOCK_PROCESS_CPUTIME_ID) - cpu_start) / wall, wall);
  return 0;
}

/* ---- phases ---- */

/* What the program itself sees at the end of a phase, which is the begin of the next. */
struct moment {
  double time; /* CLOCK_MONOTONIC */
  fnvm_counts counts;
  long long idle_ticks[FNVM_MAX_CPU_CORES]; /* -1: offline */
  uint32_t source_count;
  fnvm_source_stats sources[MAX_SOURCES];
};

struct phase {
  char name[64];
  double seconds;
  char expectations[MAX_LINE];
  struct moment begin, end;
};

static struct phase phases[MAX_PHASES];
static int phase_count;

static void read_idle_ticks(long long *idle_ticks) {
  for (int i = 0; i < FNVM_MAX_CPU_CORES; i++) idle_ticks[i] = -1;
  FILE *stat = fopen("/proc/stat", "r");
  char line[MAX_LINE];
  unsigned cpu;
  long long idle, iowait;
  while (stat != NULL && fgets(line, sizeof line, stat) != NULL)
    if (line[3] != ' ' && sscanf(line, "cpu%u %*d %*d %*d %lld %lld", &cpu, &idle, &iowait) == 3 && cpu < FNVM_MAX_CPU_CORES)
      idle_ticks[cpu] = idle + iowait;
  if (stat != NULL) fclose(stat);
}

static void read_sources(const fnvm_engine *engine, struct moment *now) {
  fnvm_stats stats = FNVM_STATS_INIT;
  require(fnvm_engine_stats(engine, &stats), "fnvm_engine_stats");
  for (uint32_t i = 0; i < stats.num_sources && i < MAX_SOURCES; i++) {
    now->sources[i] = (fnvm_source_stats)FNVM_SOURCE_STATS_INIT;
    require(fnvm_engine_source_stats(engine, i, &now->sources[i]), "fnvm_engine_source_stats");
    now->source_count++;
  }
}

static struct moment look(const fnvm_engine *engine) {
  struct moment now = {.counts = FNVM_COUNTS_INIT};
  require(fnvm_engine_counts(engine, &now.counts), "fnvm_engine_counts");
  read_idle_ticks(now.idle_ticks);
  read_sources(engine, &now);
  now.time = seconds_of(CLOCK_MONOTONIC);
  return now;
}

static void read_phases(const fnvm_engine *engine) {
  char line[MAX_LINE];
  while (phase_count < MAX_PHASES && fgets(line, sizeof line, stdin) != NULL) {
    const struct moment now = look(engine);
    struct phase *phase = &phases[phase_count];
    int used = 0;
    if (sscanf(line, "%63s %lf %n", phase->name, &phase->seconds, &used) < 2) continue;
    line[strcspn(line, "\n")] = '\0';
    snprintf(phase->expectations, sizeof phase->expectations, "%s", line + used);
    phase->begin = now;
    if (phase_count > 0) phases[phase_count - 1].end = now;
    phase_count++;
  }
  if (phase_count > 0) phases[phase_count - 1].end = look(engine);
}

/* ---- fields of a trace ---- */

static const fnvm_trace *trace;

struct series {
  enum { FAST, MEDIUM, SLOW } tier;
  enum { GPU, EMC, AGGREGATE, CORE, MILLIVOLTS, MILLIAMPERES, MILLIWATTS, DEGREES } quantity;
  uint32_t index;
};

static int find_name(const char (*names)[24], uint32_t count, const char *name, size_t length, uint32_t *index) {
  for (*index = 0; *index < count; ++*index)
    if (strlen(names[*index]) == length && strncmp(names[*index], name, length) == 0) return 1;
  return 0;
}

static int find_series(const char *field, struct series *found) {
  const fnvm_file_header *header = fnvm_trace_header(trace);
  *found = (struct series){FAST, GPU, 0};
  if (strcmp(field, "gpu") == 0) return 1;
  if (strcmp(field, "emc") == 0) return found->quantity = EMC, 1;
  if (strcmp(field, "aggregate") == 0) return found->quantity = AGGREGATE, 1;
  if (sscanf(field, "cpu%u", &found->index) == 1) return found->quantity = CORE, found->index < FNVM_MAX_CPU_CORES;
  const char *dot = strrchr(field, '.');
  if (dot == NULL) {
    *found = (struct series){SLOW, DEGREES, 0};
    return find_name(header->thermal_zone_names, header->num_thermal_zones, field, strlen(field), &found->index);
  }
  found->tier = MEDIUM;
  found->quantity = strcmp(dot, ".mv") == 0 ? MILLIVOLTS : strcmp(dot, ".ma") == 0 ? MILLIAMPERES : MILLIWATTS;
  return find_name(header->power_rail_names, header->num_power_rails, field, (size_t)(dot - field), &found->index);
}

static uint64_t count_of(struct series series) {
  const fnvm_file_header *header = fnvm_trace_header(trace);
  return series.tier == FAST ? header->num_fast_samples
         : series.tier == MEDIUM ? header->num_medium_samples : header->num_slow_samples;
}

static double time_of(struct series series, uint64_t i) {
  return series.tier == FAST ? fnvm_trace_fast(trace, NULL)[i].time_s
         : series.tier == MEDIUM ? fnvm_trace_medium(trace, NULL)[i].time_s : fnvm_trace_slow(trace, NULL)[i].time_s;
}

static double fast_value(struct series series, const fnvm_fast_sample *sample) {
  switch (series.quantity) {
    case GPU: return sample->gpu_load;
    case EMC: return sample->emc_util;
    case AGGREGATE: return sample->cpu_aggregate;
    default: return sample->cpu_util[series.index];
  }
}

static double medium_value(struct series series, const fnvm_medium_sample *sample) {
  switch (series.quantity) {
    case MILLIVOLTS: return sample->voltage_mv[series.index];
    case MILLIAMPERES: return sample->current_ma[series.index];
    default: return sample->power_mw[series.index];
  }
}

static double value_of(struct series series, uint64_t i) {
  if (series.tier == FAST) return fast_value(series, &fnvm_trace_fast(trace, NULL)[i]);
  if (series.tier == MEDIUM) return medium_value(series, &fnvm_trace_medium(trace, NULL)[i]);
  return fnvm_trace_slow(trace, NULL)[i].temp_c[series.index];
}

/* ---- expectations ---- */

struct stretch {
  double begin, end; /* seconds since t = 0 */
};

struct summary {
  unsigned long count, missing, off; /* samples, NaN among them, those that are not as expected */
  double lowest, highest, weighted, weight, first_off, last_off;
};

static struct stretch stretch_of(const struct phase *phase, double settle) {
  const double start = (double)fnvm_trace_header(trace)->start_monotonic_ns / 1e9;
  const double begin = phase->begin.time - start, end = phase->end.time - start;
  return (struct stretch){begin + settle, end < begin + phase->seconds ? end : begin + phase->seconds};
}

static int is_near(double value, double expected, double tolerance) {
  return isnan(expected) ? isnan(value) : fabs(value - expected) <= tolerance;
}

static void add(struct summary *sum, double value, double interval, double at, int is_expected) {
  sum->count++;
  if (!is_expected) {
    if (sum->off++ == 0) sum->first_off = at;
    sum->last_off = at;
  }
  if (isnan(value)) {
    sum->missing++;
    return;
  }
  sum->lowest = fmin(sum->lowest, value);
  sum->highest = fmax(sum->highest, value);
  sum->weighted += value * interval;
  sum->weight += interval;
}

static struct summary summarise(struct series series, struct stretch in, double expected, double tolerance) {
  struct summary sum = {.lowest = INFINITY, .highest = -INFINITY};
  for (uint64_t i = 0; i < count_of(series); i++) {
    const double time = time_of(series, i), value = value_of(series, i);
    if (time < in.begin || time > in.end) continue;
    add(&sum, value, i > 0 ? time - time_of(series, i - 1) : time, time - in.begin,
        is_near(value, expected, tolerance));
  }
  return sum;
}

static void check_each(const struct phase *phase, const char *text, struct series series, struct stretch in,
                       double expected, double tolerance) {
  const struct summary sum = summarise(series, in, expected, tolerance);
  char found[256];
  int length = snprintf(found, sizeof found, "%lu samples, %lu NaN", sum.count, sum.missing);
  if (sum.count > sum.missing)
    length += snprintf(found + length, sizeof found - (size_t)length, ", %g..%g", sum.lowest, sum.highest);
  if (sum.off > 0)
    snprintf(found + length, sizeof found - (size_t)length, "; %lu off, the first %.3f s and the last %.3f s in",
             sum.off, sum.first_off, sum.last_off);
  report(sum.count > 0 && sum.off == 0, phase->name, text, found);
}

static double counted_by_stat(const struct phase *phase, uint32_t cpu) {
  const double idle = 0.01 * (double)(phase->end.idle_ticks[cpu] - phase->begin.idle_ticks[cpu]);
  return 100 * (1 - idle / (phase->end.time - phase->begin.time));
}

static void check_mean(const struct phase *phase, const char *text, struct series series, const char *wanted,
                       double tolerance) {
  struct phase whole = *phase;
  whole.seconds = INFINITY; /* until the phase's second look at /proc/stat */
  const struct summary sum = summarise(series, stretch_of(&whole, 0), 0, INFINITY);
  const double expected = strncmp(wanted, "stat", 4) == 0 ? counted_by_stat(phase, series.index) : atof(wanted);
  const double mean = sum.weighted / sum.weight;
  char found[256];
  snprintf(found, sizeof found, "mean %.2f, expected %.2f, %lu samples %g..%g, %lu NaN", mean, expected, sum.count,
           sum.lowest, sum.highest, sum.missing);
  report(fabs(mean - expected) <= tolerance, phase->name, text, found);
}

static void check_back(const struct phase *phase, const char *text, struct series series, double limit) {
  const struct stretch in = stretch_of(phase, 0);
  double after = INFINITY;
  for (uint64_t i = 0; i < count_of(series) && isinf(after); i++)
    if (time_of(series, i) >= in.begin && !isnan(value_of(series, i))) after = time_of(series, i) - in.begin;
  char found[64];
  snprintf(found, sizeof found, "after %.3f s", after);
  report(after <= limit, phase->name, text, found);
}

static void check_count(const struct phase *phase, const char *text, uint64_t counted, const char *wanted) {
  char found[64];
  snprintf(found, sizeof found, "%llu", (unsigned long long)counted);
  report(strcmp(wanted, "some") == 0 ? counted > 0 : counted == strtoull(wanted, NULL, 10), phase->name, text, found);
}

static void check_source(const struct phase *phase, const char *text, const char *wanted) {
  static const char *const names[] = {"none", "load", "counters"};
  const char *found = names[phase->end.counts.gpu_source % 3];
  report(strcmp(found, wanted) == 0, phase->name, text, found);
}

static void check_field(const struct phase *phase, const char *text, double settle) {
  char field[64];
  const char *start = strchr(text, ':'), *equals = strchr(text, '='), *tilde = strchr(text, '~');
  struct series series;
  start = start == NULL ? text : start + 1;
  snprintf(field, sizeof field, "%.*s", (int)(equals - start), start);
  if (!find_series(field, &series)) return report(0, phase->name, text, "no such field in the trace");
  const double tolerance = tilde == NULL ? 0 : atof(tilde + 1);
  if (strncmp(text, "mean:", 5) == 0) return check_mean(phase, text, series, equals + 1, tolerance);
  if (strncmp(text, "back:", 5) == 0) return check_back(phase, text, series, atof(equals + 1));
  check_each(phase, text, series, stretch_of(phase, settle), atof(equals + 1), tolerance);
}

/* ---- sources ---- */

static int is_of(const fnvm_source_stats *source, const char *name) {
  if (strcmp(name, "rails") == 0) return source->tier == FNVM_TIER_MEDIUM;
  if (strcmp(name, "zones") == 0) return source->tier == FNVM_TIER_SLOW;
  return strcmp(source->name, name) == 0;
}

static double reads_per_second(const struct phase *phase, uint32_t source) {
  return (double)(phase->end.sources[source].reads - phase->begin.sources[source].reads) /
         (phase->end.time - phase->begin.time);
}

/* own:SOURCE=N or reads:SOURCE=LOW..HIGH */
static void check_sources(const struct phase *phase, const char *text) {
  const char *start = strchr(text, ':') + 1, *equals = strchr(text, '='), *dots = strstr(text, "..");
  const int is_rate = strncmp(text, "reads:", 6) == 0;
  const double low = atof(equals + 1), high = dots == NULL ? low : atof(dots + 2);
  char name[64], found[128];
  double least = INFINITY, most = -INFINITY;
  unsigned count = 0;
  snprintf(name, sizeof name, "%.*s", (int)(equals - start), start);
  for (uint32_t i = 0; i < phase->end.source_count; i++) {
    if (!is_of(&phase->end.sources[i], name)) continue;
    const double value = is_rate ? reads_per_second(phase, i) : (double)phase->end.sources[i].has_own_thread;
    least = fmin(least, value);
    most = fmax(most, value);
    count++;
  }
  snprintf(found, sizeof found, "%u of them, %.4g..%.4g", count, least, most);
  report(count > 0 && least >= low && most <= high, phase->name, text, found);
}

static void print_figures(const struct phase *phase) {
  const double seconds = phase->end.time - phase->begin.time;
  double all = 0;
  for (uint32_t i = 0; i < phase->end.source_count; i++) {
    const fnvm_source_stats *after = &phase->end.sources[i];
    const double busy = (double)(after->read_ns - phase->begin.sources[i].read_ns) / 1e6 / seconds;
    printf("     %s: %-16s %7.1f reads/s, %6.2f ms/s in them; so far: the longest %.2f ms, mean age %.2f ms\n",
           phase->name, after->name, reads_per_second(phase, i), busy, (double)after->longest_read_ns / 1e6,
           (double)after->mean_age_ns / 1e6);
    all += busy;
  }
  printf("     %s: all sources %.2f ms/s in reads\n", phase->name, all);
}

static void check_phase(struct phase *phase) {
  double settle = 0.15;
  char *rest = NULL;
  for (char *text = strtok_r(phase->expectations, " ", &rest); text != NULL; text = strtok_r(NULL, " ", &rest)) {
    const fnvm_counts *before = &phase->begin.counts, *after = &phase->end.counts;
    if (strncmp(text, "settle=", 7) == 0) settle = atof(text + 7);
    else if (strncmp(text, "errors=", 7) == 0)
      check_count(phase, text, after->read_errors - before->read_errors, text + 7);
    else if (strncmp(text, "negatives=", 10) == 0)
      check_count(phase, text, after->negative_currents - before->negative_currents, text + 10);
    else if (strncmp(text, "source=", 7) == 0) check_source(phase, text, text + 7);
    else if (strncmp(text, "own:", 4) == 0 || strncmp(text, "reads:", 6) == 0) check_sources(phase, text);
    else if (strcmp(text, "figures") == 0) print_figures(phase);
    else check_field(phase, text, settle);
  }
}

/* ---- record ---- */

static void print_totals(const fnvm_engine *engine) {
  fnvm_counts counts = FNVM_COUNTS_INIT;
  require(fnvm_engine_counts(engine, &counts), "fnvm_engine_counts");
  const fnvm_file_header *header = fnvm_trace_header(trace);
  printf("     samples %llu/%llu/%llu, missed %llu/%llu/%llu, dropped %llu, read errors %llu, negatives %llu\n",
         (unsigned long long)counts.fast_samples, (unsigned long long)counts.medium_samples,
         (unsigned long long)counts.slow_samples, (unsigned long long)counts.missed_fast,
         (unsigned long long)counts.missed_medium, (unsigned long long)counts.missed_slow,
         (unsigned long long)counts.dropped_samples, (unsigned long long)counts.read_errors,
         (unsigned long long)counts.negative_currents);
  check_count(&(struct phase){.name = "header"}, "read errors as the engine's", header->read_errors - counts.read_errors, "0");
  check_count(&(struct phase){.name = "header"}, "closed, valid, GPU available", header->flags & 15, "11");
}

static void print_notices(const fnvm_engine *engine) {
  for (uint32_t i = 0; fnvm_engine_notice(engine, i) != NULL; i++) printf("     notice: %s\n", fnvm_engine_notice(engine, i));
}

static void check_chunks(void) {
  static const char *const wanted[] = {"META", "STAT"};
  for (uint32_t i = 0; i < 2; i++) {
    fnvm_chunk chunk = FNVM_CHUNK_INIT;
    char found[64] = "not there";
    const int is_good = fnvm_trace_chunk(trace, i, &chunk) == FNVM_OK && strcmp(chunk.type, wanted[i]) == 0 && chunk.size > 2;
    if (is_good) snprintf(found, sizeof found, "%llu bytes", (unsigned long long)chunk.size);
    report(is_good, "chunk", wanted[i], found);
  }
}

static int set_option(fnvm_options *options, const char *text) {
  unsigned value = 0;
  if (sscanf(text, "native=%d", &options->native_rates) == 1) return 1;
  if (sscanf(text, "interval=%u", &value) == 1) return options->rail_update_interval_ms = value, 1;
  if (sscanf(text, "samples=%u", &value) == 1) return options->rail_samples = value, 1;
  if (sscanf(text, "stats=%u", &value) == 1) return options->write_stats = value, 1;
  return 0;
}

static int record(const char *path, char **options_given) {
  fnvm_options options = FNVM_OPTIONS_INIT;
  fnvm_board *board = NULL;
  fnvm_engine *engine = NULL;
  fnvm_trace *opened = NULL;
  for (; *options_given != NULL; options_given++)
    if (!set_option(&options, *options_given)) return fprintf(stderr, "no option %s\n", *options_given), 2;
  require(fnvm_board_detect(NULL, &board), "fnvm_board_detect");
  require(fnvm_engine_create(path, board, &options, &engine), "fnvm_engine_create");
  require(fnvm_engine_start(engine), "fnvm_engine_start");
  require(fnvm_engine_wait_for_warmup(engine, FNVM_NO_TIMEOUT), "fnvm_engine_wait_for_warmup");
  read_phases(engine);
  const double before = seconds_of(CLOCK_MONOTONIC);
  require(fnvm_engine_stop(engine), "fnvm_engine_stop");
  const double stopping = seconds_of(CLOCK_MONOTONIC) - before;
  require(fnvm_trace_open(path, &opened), "fnvm_trace_open");
  trace = opened;
  for (int i = 0; i < phase_count; i++) check_phase(&phases[i]);
  print_totals(engine);
  char found[64];
  snprintf(found, sizeof found, "after %.3f s", stopping);
  report(stopping < 2, "stop", "returns within 2 s", found);
  print_notices(engine);
  if (options.write_stats) check_chunks();
  fnvm_trace_close(opened);
  fnvm_engine_free(engine);
  fnvm_board_free(board);
  return failed > 0;
}

/* ---- crash ---- */

static void check_times_rise(const char *name, int tier) {
  const struct series series = {tier, GPU, 0};
  const uint64_t count = count_of(series);
  uint64_t wrong = 0;
  for (uint64_t i = 1; i < count; i++)
    if (!(time_of(series, i) > time_of(series, i - 1))) wrong++;
  char found[64];
  snprintf(found, sizeof found, "%llu records, %llu do not", (unsigned long long)count, (unsigned long long)wrong);
  report(count > 1 && wrong == 0, "crash", name, found);
}

static int crash(const char *path, int recorder) {
  char journal[MAX_LINE], found[MAX_LINE];
  struct stat status = {0};
  fnvm_trace *opened = NULL;
  int recovered = 0;
  snprintf(journal, sizeof journal, "%s.fnvm-journal", path);
  report(fnvm_trace_recover(path, &recovered) == FNVM_E_IO && fnvm_last_error_errno() == EBUSY, "crash",
         "a trace that is being recorded is left alone", fnvm_last_error_message());
  const double end = seconds_of(CLOCK_MONOTONIC);
  kill(recorder, SIGKILL);
  /* The lock goes with the last of the recorder's threads. */
  fnvm_status outcome = FNVM_E_IO;
  for (int i = 0; i < 500; i++) {
    outcome = fnvm_trace_open(path, &opened);
    stat(journal, &status);
    if (outcome == FNVM_E_UNFINISHED && fnvm_trace_recover(path, &recovered) != FNVM_E_IO) break;
    sleep_until(seconds_of(CLOCK_MONOTONIC) + 0.01);
  }
  snprintf(found, sizeof found, "%lld entries", (long long)status.st_size / 32);
  report(status.st_size >= 32 * 3, "crash", "a journal lies beside the trace", found);
  report(outcome == FNVM_E_UNFINISHED && recovered == 1, "crash", "unfinished, then recovered", fnvm_status_name(outcome));
  report(stat(journal, &status) != 0 && errno == ENOENT, "crash", "the journal is gone", journal);
  require(fnvm_trace_open(path, &opened), "fnvm_trace_open");
  trace = opened;
  const fnvm_file_header *header = fnvm_trace_header(trace);
  snprintf(found, sizeof found, "%u", header->flags);
  report((header->flags & (FNVM_FLAG_VALID | FNVM_FLAG_CLOSED | FNVM_FLAG_RECOVERED)) == (FNVM_FLAG_VALID | FNVM_FLAG_RECOVERED),
         "crash", "flags say so", found);
  check_times_rise("fast times rise", FAST);
  check_times_rise("medium times rise", MEDIUM);
  check_times_rise("slow times rise", SLOW);
  static const char *const names[] = {"fast", "medium", "slow"};
  for (int tier = FAST; tier <= SLOW; tier++) {
    const struct series series = {tier, GPU, 0};
    if (count_of(series) == 0) continue;
    const double last = time_of(series, count_of(series) - 1) + (double)header->start_monotonic_ns / 1e9;
    printf("     the last %s sample is %.3f s older than the kill\n", names[tier], end - last);
  }
  printf("     dropped %u, read errors %u\n", header->dropped_samples, header->read_errors);
  fnvm_trace_close(opened);
  return failed > 0;
}

static int restore(void) {
  fnvm_notices *notices = NULL;
  require(fnvm_sensors_restore(NULL, &notices), "fnvm_sensors_restore");
  for (uint32_t i = 0; fnvm_notices_text(notices, i) != NULL; i++) printf("     %s\n", fnvm_notices_text(notices, i));
  fnvm_notices_free(notices);
  return 0;
}

int main(int count, char **arguments) {
  setvbuf(stdout, NULL, _IOLBF, 0);
  const char *command = count > 1 ? arguments[1] : "";
  if (strcmp(command, "board") == 0) return print_board();
  if (strcmp(command, "doctor") == 0) return print_doctor();
  if (strcmp(command, "restore") == 0) return restore();
  if (strcmp(command, "record") == 0 && count >= 3) return record(arguments[2], arguments + 3);
  if (strcmp(command, "crash") == 0 && count == 4) return crash(arguments[2], atoi(arguments[3]));
  if (strcmp(command, "burn") == 0 && count == 6)
    return burn(atoi(arguments[2]), atof(arguments[3]), atof(arguments[4]) / 1e3, atof(arguments[5]));
  return fputs("scenario board | doctor | restore | record TRACE [OPTION=N...] | crash TRACE PID | "
               "burn CPU PERCENT PERIOD_MS SECONDS\n", stderr), 2;
}
