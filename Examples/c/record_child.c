/* Records the board while a command runs, and says what that cost.
 *   cc record_child.c $(pkg-config --cflags --libs fastnvmetrics) -o record_child
 *   ./record_child run.bin python3 infer.py */
#include <fastnvmetrics/fastnvmetrics.h>
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

static void must(fnvm_status status) {
  if (status == FNVM_OK) return;
  fprintf(stderr, "record_child: %s\n", fnvm_last_error_message());
  exit(125);
}

/* The power of the module; NaN: no rails are known to add up to it. A rail that failed keeps its values. */
static double total_watts(const fnvm_board *board, const fnvm_medium_sample *sample) {
  double sum = 0, rails = 0;
  for (uint32_t rail = 0; rail < fnvm_board_num_power_rails(board); rail++)
    if (fnvm_board_rail_in_total(board, rail))
      sum += sample->voltage_mv[rail] * 1e-6 * sample->current_ma[rail], rails++;
  return rails > 0 ? sum : NAN;
}

int main(int argc, char **argv) {
  if (argc < 3) return fputs("usage: record_child TRACE COMMAND [ARGUMENT...]\n", stderr), 125;
  fnvm_board *board;
  if (fnvm_board_detect(NULL, &board) != FNVM_OK) must(fnvm_board_named("generic_linux", NULL, &board));
  fnvm_engine *engine;
  must(fnvm_engine_create(argv[1], board, NULL, &engine));
  must(fnvm_engine_start(engine));
  must(fnvm_engine_wait_for_warmup(engine, FNVM_NO_TIMEOUT));
  int status = 125 << 8; /* as waitpid would say it, should there be no child */
  const pid_t child = fork();
  if (child == 0) { execvp(argv[2], argv + 2); perror(argv[2]); _exit(127); }
  signal(SIGINT, SIG_IGN); /* Ctrl-C is for the command: the trace is completed after it */
  if (child < 0 || waitpid(child, &status, 0) < 0) perror("record_child");
  must(fnvm_engine_stop(engine));
  fnvm_engine_free(engine);

  fnvm_trace *trace;
  must(fnvm_trace_open(argv[1], &trace));
  uint64_t fasts, mediums, peak_kb = 0;
  const fnvm_fast_sample *fast = fnvm_trace_fast(trace, &fasts);
  const fnvm_medium_sample *medium = fnvm_trace_medium(trace, &mediums);
  for (uint64_t i = 0; i < fasts; i++)
    if (fast[i].ram_used_kb > peak_kb) peak_kb = fast[i].ram_used_kb;
  double joules = mediums > 1 ? 0 : NAN;
  for (uint64_t i = 1; i < mediums; i++) /* trapezoids */
    joules += (total_watts(board, &medium[i - 1]) + total_watts(board, &medium[i])) / 2 *
              (medium[i].time_s - medium[i - 1].time_s);
  printf("duration %.3f s\nsamples  %llu\n", fast[fasts - 1].time_s, (unsigned long long)fasts);
  printf("energy   %.3f J (nan: not known)\npeak RAM %.1f MiB\n", joules, (double)peak_kb / 1024);
  fnvm_trace_close(trace);
  fnvm_board_free(board);
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}
