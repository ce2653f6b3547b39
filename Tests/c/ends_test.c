/* Recordings that nobody stops: exec, daemons, signals, exits, crashes. What is left is a trace that is
 * complete or can be recovered at once, whoever lives on. */
#include <dirent.h>
#include <errno.h>
#include <fastnvmetrics/fastnvmetrics.h>
#include <limits.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "check.h"
#include "fixture.h"

enum { SAMPLES = 300 }; /* at 1 kHz: some of them are in the file by then */

/* Two ends of a pipe that the recorder and the test speak through. */
typedef struct line {
  int from[2];
} line;

static line line_create(void) {
  line l;
  if (pipe(l.from) != 0) exit(2);
  return l;
}

static void say(line *l) {
  if (write(l->from[1], "!", 1) != 1) _exit(3);
}

/* Waits for one word. @return 0 where the other side is gone. */
static int hear(line *l) {
  char byte;
  ssize_t n;
  while ((n = read(l->from[0], &byte, 1)) < 0 && errno == EINTR) continue;
  return n == 1;
}

static void line_close(line *l) {
  close(l->from[0]);
  close(l->from[1]);
}

/* An engine that records root/run.bin and has taken some samples; for children. */
static fnvm_engine *recording(fixture *f) {
  fnvm_engine *engine = fixture_engine(f, "run.bin");
  if (fnvm_engine_start(engine) != FNVM_OK || fnvm_engine_sync(engine, NULL) != FNVM_OK ||
      !wait_for_samples(engine, SAMPLES))
    _exit(2);
  return engine;
}

/* Forks a process that does it, and waits for its end. @return the wait status. */
static int run_in_child(void (*body)(fixture *), fixture *f) {
  fflush(NULL);
  const pid_t child = fork();
  if (child == 0) {
    alarm(30);
    body(f);
    _exit(4); /* no body comes here */
  }
  int status = -1;
  CHECK(child > 0 && waitpid(child, &status, 0) == child);
  return status;
}

/* The trace is complete, or is after a recovery. @return its flags. */
static uint32_t check_whole(fixture *f, int can_be_recovered) {
  const char *path = fixture_path(f, "run.bin");
  fnvm_trace *trace = NULL;
  int recovered = 0;
  const fnvm_status status = fnvm_trace_recover(path, &recovered);
  CHECK_EQUAL(status, FNVM_OK);
  if (status != FNVM_OK) fprintf(stderr, "  %s\n", fnvm_last_error_message());
  CHECK_EQUAL(recovered, can_be_recovered);
  CHECK_EQUAL(fnvm_trace_open(path, &trace), FNVM_OK);
  if (!trace) return 0;
  fnvm_file_header header;
  memcpy(&header, fnvm_trace_header(trace), sizeof header);
  CHECK(header.num_fast_samples > 50);
  CHECK(header.num_medium_samples > 0 && header.num_slow_samples > 0);
  CHECK_EQUAL(header.num_sync_points, 1);
  const fnvm_fast_sample *fast = fnvm_trace_fast(trace, NULL);
  for (uint64_t i = 1; i < header.num_fast_samples; i++) CHECK(fast[i].time_s > fast[i - 1].time_s);
  fnvm_trace_close(trace);
  CHECK_EQUAL(fixture_count(f, "run.bin"), 1);
  return header.flags;
}

/* ---- exec and daemons ---- */

/* How many descriptors of a process lead into the tree. */
static int descriptors_into(fixture *f, pid_t process) {
  char directory[64], path[PATH_MAX];
  int count = 0;
  snprintf(directory, sizeof directory, "/proc/%d/fd", (int)process);
  DIR *stream = opendir(directory);
  if (!stream) return -1;
  for (struct dirent *entry; (entry = readdir(stream));) {
    const ssize_t size = readlinkat(dirfd(stream), entry->d_name, path, sizeof path - 1);
    path[size < 0 ? 0 : size] = 0;
    count += strncmp(path, f->root, strlen(f->root)) == 0;
  }
  closedir(stream);
  return count;
}

static void exec_leaves_a_trace_that_can_be_recovered_and_nothing_open(void) {
  fixture f = fixture_create();
  line ready = line_create(), input = line_create();
  fflush(NULL);
  const pid_t child = fork();
  REQUIRE(child >= 0);
  if (child == 0) {
    alarm(30);
    (void)recording(&f);
    close(input.from[1]);
    if (dup2(input.from[0], 0) != 0 || dup2(ready.from[1], 1) != 1) _exit(3);
    execlp("sh", "sh", "-c", "echo; exec cat >/dev/null", (char *)NULL);
    _exit(3);
  }
  CHECK(hear(&ready)); /* the shell has begun */
  CHECK_EQUAL(descriptors_into(&f, child), 0);
  CHECK(check_whole(&f, 1) & FNVM_FLAG_RECOVERED); /* and holds no lock */
  line_close(&input);
  line_close(&ready);
  int status = 0;
  CHECK(waitpid(child, &status, 0) == child && WIFEXITED(status) && WEXITSTATUS(status) == 0);
  fixture_remove(&f);
}

static line daemon_said, daemon_heard;

/* Becomes a daemon while it records; the daemon finds out, and records anew. */
static void become_a_daemon(fixture *f) {
  fnvm_engine *engine = recording(f);
  if (daemon(1, 1) != 0) _exit(3);
  alarm(30);
  const int is_refused = fnvm_engine_sync(engine, NULL) == FNVM_E_FORKED &&
                         fnvm_engine_stop(engine) == FNVM_E_FORKED &&
                         !fnvm_engine_is_running(engine);
  fnvm_engine_free(engine);
  if (!is_refused) _exit(3);
  say(&daemon_said);
  if (!hear(&daemon_heard)) _exit(3); /* lives on while the trace is recovered */
  engine = fixture_engine(f, "daemon.bin");
  if (record_briefly(engine)) say(&daemon_said);
  _exit(0);
}

static void a_daemon_leaves_the_trace_to_recovery_and_can_record_anew(void) {
  fixture f = fixture_create();
  daemon_said = line_create();
  daemon_heard = line_create();
  const int status = run_in_child(become_a_daemon, &f);
  CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
  close(daemon_said.from[1]); /* so that a daemon that dies is heard */
  CHECK(hear(&daemon_said));
  CHECK(check_whole(&f, 1) & FNVM_FLAG_RECOVERED);
  say(&daemon_heard);
  CHECK(hear(&daemon_said));
  fnvm_trace *trace = NULL;
  CHECK_EQUAL(fnvm_trace_open(fixture_path(&f, "daemon.bin"), &trace), FNVM_OK);
  fnvm_trace_close(trace);
  close(daemon_said.from[0]);
  line_close(&daemon_heard);
  fixture_remove(&f);
}

static void programs_that_are_run_meanwhile_do_not_disturb(void) {
  fixture f = fixture_create();
  fnvm_engine *engine = recording(&f);
  for (int i = 0; i < 10; i++) CHECK_EQUAL(system("true"), 0);
  CHECK_EQUAL(fnvm_engine_stop(engine), FNVM_OK);
  CHECK(check_whole(&f, 0) & FNVM_FLAG_CLOSED);
  fnvm_engine_free(engine);
  fixture_remove(&f);
}

/* A child that libc does not know of: what is registered for forks is not called. */
static pid_t fork_behind_the_back_of_libc(void) {
  return (pid_t)syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0);
}

static void a_child_that_libc_does_not_know_of_is_refused_as_well(void) {
  fixture f = fixture_create();
  fnvm_engine *engine = recording(&f);
  fflush(NULL);
  const pid_t child = fork_behind_the_back_of_libc();
  if (child == 0) {
    alarm(30);
    int refused = fnvm_engine_sync(engine, NULL) == FNVM_E_FORKED;
    refused += fnvm_engine_start(engine) == FNVM_E_FORKED;
    refused += fnvm_engine_wait_for_warmup(engine, FNVM_NO_TIMEOUT) == FNVM_E_FORKED;
    refused += fnvm_engine_stop(engine) == FNVM_E_FORKED;
    refused += !fnvm_engine_is_running(engine) && fnvm_engine_sample_count(engine) == 0;
    fnvm_engine_free(engine);
    _exit(refused);
  }
  int status = -1;
  CHECK(child > 0 && waitpid(child, &status, 0) == child);
  CHECK(WIFEXITED(status));
  CHECK_EQUAL(WEXITSTATUS(status), 5);
  CHECK_EQUAL(fnvm_engine_stop(engine), FNVM_OK);
  CHECK(check_whole(&f, 0) & FNVM_FLAG_CLOSED);
  fnvm_engine_free(engine);
  fixture_remove(&f);
}

/* ---- signals ---- */

static void be_killed_by_sigterm(fixture *f) {
  (void)recording(f);
  raise(SIGTERM);
}

static void crash(fixture *f) {
  (void)recording(f);
  abort();
}

static void touch_what_is_not_there(fixture *f) {
  (void)recording(f);
  raise(SIGSEGV);
}

static void signals_that_end_the_process_leave_a_trace_that_can_be_recovered(void) {
  static const struct {
    void (*body)(fixture *);
    int signal;
  } ends[] = {{be_killed_by_sigterm, SIGTERM}, {crash, SIGABRT}, {touch_what_is_not_there, SIGSEGV}};
  for (size_t i = 0; i < sizeof ends / sizeof *ends; i++) {
    fixture f = fixture_create();
    const int status = run_in_child(ends[i].body, &f);
    CHECK(WIFSIGNALED(status) && WTERMSIG(status) == ends[i].signal);
    CHECK(check_whole(&f, 1) & FNVM_FLAG_RECOVERED);
    fixture_remove(&f);
  }
}

static volatile sig_atomic_t signals_seen, signals_elsewhere;

static void note_signal(int number) {
  (void)number;
  signals_seen++;
  if (syscall(SYS_gettid) != getpid()) signals_elsewhere++; /* in a thread of the library */
}

static void handle(int number) {
  struct sigaction action;
  memset(&action, 0, sizeof action);
  action.sa_handler = note_signal; /* without SA_RESTART: calls that it interrupts fail */
  sigaction(number, &action, NULL);
}

/* A program that stops the engine when it is told to. */
static void stop_at_sigterm(fixture *f) {
  handle(SIGTERM);
  fnvm_engine *engine = recording(f);
  kill(getpid(), SIGTERM); /* to the process: whichever thread has it not blocked */
  while (!signals_seen) sched_yield();
  if (fnvm_engine_stop(engine) != FNVM_OK) _exit(3);
  fnvm_engine_free(engine);
  _exit(signals_elsewhere != 0);
}

static void a_handler_runs_in_a_thread_of_the_program_which_can_stop(void) {
  fixture f = fixture_create();
  const int status = run_in_child(stop_at_sigterm, &f);
  CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
  CHECK(check_whole(&f, 0) & FNVM_FLAG_CLOSED);
  fixture_remove(&f);
}

static pthread_t main_thread;
static _Atomic int is_over;

static void *send_signals(void *unused) {
  const struct timespec pause = {0, 200000};
  (void)unused;
  while (!atomic_load(&is_over)) {
    pthread_kill(main_thread, SIGUSR1);
    nanosleep(&pause, NULL);
  }
  return NULL;
}

static void signals_that_interrupt_every_call_change_nothing(void) {
  fixture f = fixture_create();
  pthread_t sender;
  main_thread = pthread_self();
  handle(SIGUSR1);
  signals_seen = 0;
  atomic_store(&is_over, 0);
  REQUIRE(pthread_create(&sender, NULL, send_signals, NULL) == 0);
  fnvm_engine *engine = fixture_engine(&f, "run.bin");
  for (int round = 0; round < 20; round++) {
    CHECK_EQUAL(fnvm_engine_start(engine), FNVM_OK);
    CHECK_EQUAL(fnvm_engine_wait_for_warmup(engine, FNVM_NO_TIMEOUT), FNVM_OK);
    CHECK_EQUAL(fnvm_engine_sync(engine, NULL), FNVM_OK);
    CHECK_EQUAL(fnvm_engine_stop(engine), FNVM_OK);
    fnvm_trace *trace = NULL;
    CHECK_EQUAL(fnvm_trace_open(fixture_path(&f, "run.bin"), &trace), FNVM_OK);
    fnvm_trace_close(trace);
  }
  while (signals_seen < 20) sched_yield();
  atomic_store(&is_over, 1);
  pthread_join(sender, NULL);
  signal(SIGUSR1, SIG_DFL);
  CHECK_EQUAL(fixture_count(&f, "run.bin"), 1);
  fnvm_engine_free(engine);
  fixture_remove(&f);
}

/* ---- exits ---- */

static void exit_while_recording(fixture *f) {
  (void)recording(f);
  exit(7);
}

static void *exit_the_process(void *unused) {
  (void)unused;
  exit(7);
}

static void exit_in_a_thread(fixture *f) {
  pthread_t thread;
  fnvm_engine *engine = recording(f);
  if (pthread_create(&thread, NULL, exit_the_process, NULL) != 0) _exit(3);
  for (;;) (void)fnvm_engine_sample_count(engine); /* calls go on until the end */
}

static void *let_the_main_thread_go(void *engine) {
  pthread_join(main_thread, NULL);
  if (!wait_for_samples(engine, SAMPLES + 50) || fnvm_engine_stop(engine) != FNVM_OK) _exit(3);
  fnvm_engine_free(engine);
  _exit(7);
}

static void leave_the_main_thread(fixture *f) {
  pthread_t thread;
  fnvm_engine *engine = recording(f);
  main_thread = pthread_self();
  if (pthread_create(&thread, NULL, let_the_main_thread_go, engine) != 0) _exit(3);
  pthread_exit(NULL);
}

static void an_exit_neither_hangs_nor_loses_the_trace(void) {
  static const struct {
    void (*body)(fixture *);
    int is_closed;
  } ends[] = {{exit_while_recording, 0}, {exit_in_a_thread, 0}, {leave_the_main_thread, 1}};
  for (size_t i = 0; i < sizeof ends / sizeof *ends; i++) {
    fixture f = fixture_create();
    const int status = run_in_child(ends[i].body, &f);
    CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 7);
    (void)check_whole(&f, !ends[i].is_closed);
    fixture_remove(&f);
  }
}

int main(void) {
  unsetenv("FASTNVMETRICS_ROOT");
  RUN(exec_leaves_a_trace_that_can_be_recovered_and_nothing_open);
  RUN(a_daemon_leaves_the_trace_to_recovery_and_can_record_anew);
  RUN(programs_that_are_run_meanwhile_do_not_disturb);
  RUN(a_child_that_libc_does_not_know_of_is_refused_as_well);
  RUN(signals_that_end_the_process_leave_a_trace_that_can_be_recovered);
  RUN(a_handler_runs_in_a_thread_of_the_program_which_can_stop);
  RUN(signals_that_interrupt_every_call_change_nothing);
  RUN(an_exit_neither_hangs_nor_loses_the_trace);
  return finish();
}
