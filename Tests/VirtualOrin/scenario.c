/* What the engine makes of a board, for scenario.sh in the VM of virtual-orin.
 *
 *   scenario board                     the board that is detected, one "part value" a line
 *   scenario doctor                    the findings of an examination, one line a node
 *   scenario record TRACE <PHASES      records while PHASES come in, then holds the trace against them
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
 *
 * Fields: gpu emc aggregate cpuN, RAIL.mv RAIL.ma RAIL.mw, and zones by name. */
#define _GNU_SOURCE
#include <fastnvmetrics/fastnvmetrics.h>
#include <math.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { MAX_PHASES = 64, MAX_LINE = 1024 };

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

static struct moment look(const fnvm_engine *engine) {
  struct moment now = {.counts = FNVM_COUNTS_INIT};
  require(fnvm_engine_counts(engine, &now.counts), "fnvm_engine_counts");
  read_idle_ticks(now.idle_ticks);
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
  for (uint32_t i = 0; fnvm_engine_notice(engine, i) != NULL; i++) printf("     notice: %s\n", fnvm_engine_notice(engine, i));
}

static int record(const char *path) {
  fnvm_board *board = NULL;
  fnvm_engine *engine = NULL;
  fnvm_trace *opened = NULL;
  require(fnvm_board_detect(NULL, &board), "fnvm_board_detect");
  require(fnvm_engine_create(path, board, NULL, &engine), "fnvm_engine_create");
  require(fnvm_engine_start(engine), "fnvm_engine_start");
  require(fnvm_engine_wait_for_warmup(engine, FNVM_NO_TIMEOUT), "fnvm_engine_wait_for_warmup");
  read_phases(engine);
  require(fnvm_engine_stop(engine), "fnvm_engine_stop");
  require(fnvm_trace_open(path, &opened), "fnvm_trace_open");
  trace = opened;
  for (int i = 0; i < phase_count; i++) check_phase(&phases[i]);
  print_totals(engine);
  fnvm_trace_close(opened);
  fnvm_engine_free(engine);
  fnvm_board_free(board);
  return failed > 0;
}

int main(int count, char **arguments) {
  setvbuf(stdout, NULL, _IOLBF, 0);
  const char *command = count > 1 ? arguments[1] : "";
  if (strcmp(command, "board") == 0) return print_board();
  if (strcmp(command, "doctor") == 0) return print_doctor();
  if (strcmp(command, "record") == 0 && count == 3) return record(arguments[2]);
  if (strcmp(command, "burn") == 0 && count == 6)
    return burn(atoi(arguments[2]), atof(arguments[3]), atof(arguments[4]) / 1e3, atof(arguments[5]));
  return fputs("scenario board | doctor | record TRACE | burn CPU PERCENT PERIOD_MS SECONDS\n", stderr), 2;
}
