/* Records on the virtual board, for scenario.sh, with the C library as a program on a board would.
 *
 *   recorder board                     the board that is detected, one "part value" a line
 *   recorder doctor                    the findings of an examination, one line a node
 *   recorder record TRACE [OPTION=N...] <PHASES    records while lines come in: the name of a phase that begins,
 *                                      `.` where it ends, `until gone|back NAME` between phases: it says how many
 *                                      seconds it took until rails and a core are gone, or all of them and the GPU
 *                                      there. Options: native interval samples stats
 *   recorder crash TRACE PID           kills the recorder PID, and completes the trace that it leaves
 *   recorder restore                   puts back the settings of power sensors, and says what it did
 *   recorder burn CPU PERCENT PERIOD_MS SECONDS    keeps a core busy, and says how many percent of one it used
 *   recorder ask FILE                  how a node answers: lseek, pread, read, and a read after that
 *
 * What no trace says goes to TRACE.said, "PHASE WHAT VALUE" a line: errors and negatives counted meanwhile, the source
 * of the GPU's load, `stat.cpuN` (percent that a core was busy, by /proc/stat, from `stat.begin` to `stat.end`, in
 * seconds of CLOCK_MONOTONIC), and of each source of samples own (1: it has a thread), reads (a second) and busy
 * (milliseconds a second); `ended` is the last. Of the recording, as phase `trace`: errors, stopping (seconds), and what
 * it noticed. report.py holds both against what was set. */
#define _GNU_SOURCE
#include <errno.h>
#include <fastnvmetrics/fastnvmetrics.h>
#include <fcntl.h>
#include <math.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

/* How many samples of the slow tier are in a phase at least, however slow this machine is: half a second of them. */
enum { LEAST_SLOW_SAMPLES = 5 };

enum { MAX_LINE = 1024, MAX_SOURCES = 4 + FNVM_MAX_POWER_RAILS + FNVM_MAX_THERMAL_ZONES };

static int failures;

static void report(int is_good, const char *what, const char *found) {
  printf("%s %s: %s\n", is_good ? "ok  " : "FAIL", what, found);
  if (!is_good) failures++;
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

static void sleep_until(double seconds) {
  struct timespec until = {(time_t)seconds, (long)((seconds - floor(seconds)) * 1e9)};
  clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, NULL);
}

/* ---- board, doctor, restore ---- */

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

static int restore(void) {
  fnvm_notices *notices = NULL;
  require(fnvm_sensors_restore(NULL, &notices), "fnvm_sensors_restore");
  for (uint32_t i = 0; fnvm_notices_text(notices, i) != NULL; i++) puts(fnvm_notices_text(notices, i));
  fnvm_notices_free(notices);
  return 0;
}

/* ---- burn, ask ---- */

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
  printf("%.1f\n", 100 * (seconds_of(CLOCK_PROCESS_CPUTIME_ID) - cpu_start) / (seconds_of(CLOCK_MONOTONIC) - start));
  return 0;
}

static void print_answer(ssize_t count, char *text) {
  static const struct { int number; const char *name; } known[] = {
      {ESPIPE, "ESPIPE"}, {EAGAIN, "EAGAIN"}, {ENODATA, "ENODATA"}, {ENODEV, "ENODEV"}};
  if (count >= 0) {
    text[count] = '\0';
    text[strcspn(text, "\n")] = '\0';
    printf("%s ", count == 0 ? "end" : text);
    return;
  }
  for (size_t i = 0; i < sizeof known / sizeof *known; i++)
    if (errno == known[i].number) {
      printf("%s ", known[i].name);
      return;
    }
  printf("errno %d ", errno);
}

static int ask(const char *path) {
  char text[256] = "0";
  const int node = open(path, O_RDONLY);
  if (node < 0) return perror(path), 1;
  print_answer(lseek(node, 0, SEEK_SET) < 0 ? -1 : 1, text);
  print_answer(pread(node, text, sizeof text - 1, 0), text);
  print_answer(read(node, text, sizeof text - 1), text);
  print_answer(read(node, text, sizeof text - 1), text);
  putchar('\n');
  return close(node);
}

/* ---- record ---- */

/* What the program itself sees where a phase begins or ends. */
struct moment {
  double time;      /* CLOCK_MONOTONIC */
  double stat_time; /* of idle_ticks */
  fnvm_counts counts;
  long long idle_ticks[FNVM_MAX_CPU_CORES]; /* -1: offline */
  uint32_t source_count;
  fnvm_source_stats sources[MAX_SOURCES];
};

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
  fnvm_stats stats = FNVM_STATS_INIT;
  require(fnvm_engine_counts(engine, &now.counts), "fnvm_engine_counts");
  read_idle_ticks(now.idle_ticks);
  now.stat_time = seconds_of(CLOCK_MONOTONIC);
  require(fnvm_engine_stats(engine, &stats), "fnvm_engine_stats");
  for (uint32_t i = 0; i < stats.num_sources && i < MAX_SOURCES; i++) {
    now.sources[i] = (fnvm_source_stats)FNVM_SOURCE_STATS_INIT;
    require(fnvm_engine_source_stats(engine, i, &now.sources[i]), "fnvm_engine_source_stats");
    now.source_count++;
  }
  now.time = seconds_of(CLOCK_MONOTONIC);
  return now;
}

static void say_what_was_seen(FILE *said, const char *phase, const struct moment *begin, const struct moment *end) {
  static const char *const gpu_sources[] = {"none", "load", "counters"};
  const double seconds = end->time - begin->time, stat_seconds = end->stat_time - begin->stat_time;
  fprintf(said, "%s stat.begin %.9f\n%s stat.end %.9f\n", phase, begin->stat_time, phase, end->stat_time);
  fprintf(said, "%s errors %llu\n", phase, (unsigned long long)(end->counts.read_errors - begin->counts.read_errors));
  fprintf(said, "%s negatives %llu\n", phase,
          (unsigned long long)(end->counts.negative_currents - begin->counts.negative_currents));
  fprintf(said, "%s source %s\n", phase, gpu_sources[end->counts.gpu_source % 3]);
  for (int i = 0; i < FNVM_MAX_CPU_CORES; i++)
    if (begin->idle_ticks[i] >= 0 && end->idle_ticks[i] >= 0)
      fprintf(said, "%s stat.cpu%d %.2f\n", phase, i, 100 - (double)(end->idle_ticks[i] - begin->idle_ticks[i]) / stat_seconds);
  for (uint32_t i = 0; i < end->source_count; i++) {
    const fnvm_source_stats *source = &end->sources[i], *before = &begin->sources[i];
    fprintf(said, "%s own.%u.%s %u\n", phase, source->tier, source->name, (unsigned)source->has_own_thread);
    fprintf(said, "%s reads.%u.%s %.2f\n", phase, source->tier, source->name, (double)(source->reads - before->reads) / seconds);
    fprintf(said, "%s busy.%u.%s %.2f\n", phase, source->tier, source->name,
            (double)(source->read_ns - before->read_ns) / 1e6 / seconds);
  }
  fprintf(said, "%s ended 1\n", phase);
  fflush(said);
}

static uint64_t slow_samples(const fnvm_engine *engine) {
  fnvm_counts counts = FNVM_COUNTS_INIT;
  require(fnvm_engine_counts(engine, &counts), "fnvm_engine_counts");
  return counts.slow_samples;
}

static int is_back(const fnvm_engine *engine, const fnvm_board *board) {
  fnvm_snapshot now = FNVM_SNAPSHOT_INIT;
  fnvm_counts counts = FNVM_COUNTS_INIT;
  require(fnvm_engine_snapshot(engine, &now), "fnvm_engine_snapshot");
  require(fnvm_engine_counts(engine, &counts), "fnvm_engine_counts");
  for (uint32_t i = 0; i < fnvm_board_num_power_rails(board); i++)
    if (isnan(now.medium.power_mw[i])) return 0;
  for (int i = 0; i < fnvm_board_num_cpu_cores(board); i++)
    if (isnan(now.fast.cpu_util[i])) return 0;
  return counts.gpu_source != 0 && now.tiers == 7;
}

static int is_gone(const fnvm_engine *engine, const fnvm_board *board) {
  fnvm_snapshot now = FNVM_SNAPSHOT_INIT;
  int core = 0;
  require(fnvm_engine_snapshot(engine, &now), "fnvm_engine_snapshot");
  for (uint32_t i = 0; i < fnvm_board_num_power_rails(board); i++)
    if (!isnan(now.medium.power_mw[i])) return 0;
  while (core < fnvm_board_num_cpu_cores(board) && !isnan(now.fast.cpu_util[core])) core++;
  return core < fnvm_board_num_cpu_cores(board);
}

static void wait_until(const fnvm_engine *engine, const fnvm_board *board, const char *line, FILE *said) {
  char state[8], name[64];
  if (sscanf(line, "until %7s %63s", state, name) != 2) return;
  const double begin = seconds_of(CLOCK_MONOTONIC);
  double now = begin;
  while (now < begin + 20 && !(strcmp(state, "back") == 0 ? is_back : is_gone)(engine, board)) {
    sleep_until(now + 0.005);
    now = seconds_of(CLOCK_MONOTONIC);
  }
  fprintf(said, "%s %s %.3f\n", name, state, now - begin);
  fflush(said);
}

static void read_phases(fnvm_engine *engine, const fnvm_board *board, FILE *said) {
  char line[MAX_LINE], name[MAX_LINE];
  struct moment begin = {0}, end;
  uint64_t phase = 0;
  while (fgets(line, sizeof line, stdin) != NULL) {
    line[strcspn(line, "\n")] = '\0';
    if (strncmp(line, "until ", 6) == 0) {
      wait_until(engine, board, line, said);
      continue;
    }
    if (strcmp(line, ".") != 0) {
      memcpy(name, line, sizeof name);
      begin = look(engine);
      require(fnvm_engine_phase_begin(engine, name, &phase), "fnvm_engine_phase_begin");
      continue;
    }
    while (slow_samples(engine) < begin.counts.slow_samples + LEAST_SLOW_SAMPLES)
      sleep_until(seconds_of(CLOCK_MONOTONIC) + 0.01);
    require(fnvm_engine_phase_end(engine, phase), "fnvm_engine_phase_end");
    end = look(engine);
    say_what_was_seen(said, name, &begin, &end);
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
  char said_path[MAX_LINE];
  fnvm_options options = FNVM_OPTIONS_INIT;
  fnvm_board *board = NULL;
  fnvm_engine *engine = NULL;
  fnvm_counts counts = FNVM_COUNTS_INIT;
  for (; *options_given != NULL; options_given++)
    if (!set_option(&options, *options_given)) return fprintf(stderr, "no option %s\n", *options_given), 2;
  snprintf(said_path, sizeof said_path, "%s.said", path);
  FILE *said = fopen(said_path, "w");
  if (said == NULL) return perror(said_path), 1;
  require(fnvm_board_detect(NULL, &board), "fnvm_board_detect");
  require(fnvm_engine_create(path, board, &options, &engine), "fnvm_engine_create");
  require(fnvm_engine_start(engine), "fnvm_engine_start");
  require(fnvm_engine_wait_for_warmup(engine, FNVM_NO_TIMEOUT), "fnvm_engine_wait_for_warmup");
  read_phases(engine, board, said);
  const double before = seconds_of(CLOCK_MONOTONIC);
  require(fnvm_engine_stop(engine), "fnvm_engine_stop");
  fprintf(said, "trace stopping %.3f\n", seconds_of(CLOCK_MONOTONIC) - before);
  require(fnvm_engine_counts(engine, &counts), "fnvm_engine_counts");
  fprintf(said, "trace errors %llu\n", (unsigned long long)counts.read_errors);
  for (uint32_t i = 0; fnvm_engine_notice(engine, i) != NULL; i++)
    fprintf(said, "trace notice %s\n", fnvm_engine_notice(engine, i));
  fnvm_engine_free(engine);
  fnvm_board_free(board);
  return fclose(said);
}

/* ---- crash ---- */

static int crash(const char *path, int recorder) {
  char journal[MAX_LINE], found[64];
  struct stat status = {0};
  fnvm_trace *opened = NULL;
  int recovered = 0;
  snprintf(journal, sizeof journal, "%s.fnvm-journal", path);
  report(fnvm_trace_recover(path, &recovered) == FNVM_E_IO && fnvm_last_error_errno() == EBUSY,
         "a trace that is being recorded is left alone", fnvm_last_error_message());
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
  report(status.st_size >= 32 * 3, "a journal lies beside the trace", found);
  report(outcome == FNVM_E_UNFINISHED && recovered == 1, "unfinished, then recovered", fnvm_status_name(outcome));
  report(stat(journal, &status) != 0 && errno == ENOENT, "the journal is gone", journal);
  require(fnvm_trace_open(path, &opened), "fnvm_trace_open");
  const uint32_t flags = fnvm_trace_header(opened)->flags;
  snprintf(found, sizeof found, "%u", flags);
  report((flags & (FNVM_FLAG_VALID | FNVM_FLAG_CLOSED | FNVM_FLAG_RECOVERED)) == (FNVM_FLAG_VALID | FNVM_FLAG_RECOVERED),
         "flags say so", found);
  fnvm_trace_close(opened);
  return failures > 0;
}

int main(int count, char **arguments) {
  setvbuf(stdout, NULL, _IOLBF, 0);
  const char *command = count > 1 ? arguments[1] : "";
  if (strcmp(command, "board") == 0) return print_board();
  if (strcmp(command, "doctor") == 0) return print_doctor();
  if (strcmp(command, "restore") == 0) return restore();
  if (strcmp(command, "ask") == 0 && count == 3) return ask(arguments[2]);
  if (strcmp(command, "record") == 0 && count >= 3) return record(arguments[2], arguments + 3);
  if (strcmp(command, "crash") == 0 && count == 4) return crash(arguments[2], atoi(arguments[3]));
  if (strcmp(command, "burn") == 0 && count == 6)
    return burn(atoi(arguments[2]), atof(arguments[3]), atof(arguments[4]) / 1e3, atof(arguments[5]));
  return fputs("recorder board | doctor | restore | ask FILE | record TRACE [OPTION=N...] | crash TRACE PID | "
               "burn CPU PERCENT PERIOD_MS SECONDS\n", stderr), 2;
}
