/* What was asked of the scheduler, and whether the threads have it. */
#include <dirent.h>
#include <fastnvmetrics/fastnvmetrics.h>
#include <sched.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <time.h>

#include "check.h"
#include "fixture.h"

/* A thread that sets itself up asks this first: here it takes its time, and is overtaken by whoever started it. */
int sched_getscheduler(pid_t thread) {
  const struct timespec moment = {0, 2000000};
  const int policy = (int)syscall(SYS_sched_getscheduler, thread);
  if (thread == 0) nanosleep(&moment, NULL);
  return policy;
}

/* How many of the tiers' threads there are, and how many of them have the policy. */
static int count_tiers(int policy, int *having_it) {
  int tiers = 0;
  DIR *tasks = opendir("/proc/self/task");
  *having_it = 0;
  for (struct dirent *task; tasks && (task = readdir(tasks));) {
    char path[300], name[32] = "";
    snprintf(path, sizeof path, "/proc/self/task/%s/comm", task->d_name);
    FILE *file = fopen(path, "r");
    if (!file) continue;
    if (!fgets(name, sizeof name, file)) name[0] = 0;
    fclose(file);
    if (strcmp(name, "fnvm-fast\n") && strcmp(name, "fnvm-medium\n") && strcmp(name, "fnvm-slow\n")) continue;
    tiers++;
    if (sched_getscheduler((pid_t)strtol(task->d_name, NULL, 10)) == policy) ++*having_it;
  }
  if (tasks) closedir(tasks);
  return tiers;
}

static void realtime_is_had_or_said_to_be_not_permitted(void) {
  fixture f = fixture_create();
  fnvm_board *board = fixture_board(&f);
  fnvm_engine *engine = NULL;
  fnvm_options options = FNVM_OPTIONS_INIT;
  options.realtime_priority = 1;
  REQUIRE(fnvm_engine_create(fixture_path(&f, "run.bin"), board, &options, &engine) == FNVM_OK);
  for (int round = 0; round < 3; round++) {
    int permitted = 1, having_it = 0;
    REQUIRE(fnvm_engine_start(engine) == FNVM_OK);
    CHECK(wait_for_samples(engine, 10));
    const char *notice;
    for (uint32_t i = 0; (notice = fnvm_engine_notice(engine, i)) != NULL; i++)
      if (strstr(notice, "without realtime priority")) permitted = 0;
    CHECK_EQUAL(count_tiers(SCHED_FIFO, &having_it), 3);
    CHECK_EQUAL(having_it, permitted ? 3 : 0);
    CHECK_EQUAL(fnvm_engine_stop(engine), FNVM_OK);
  }
  fnvm_engine_free(engine);
  fnvm_board_free(board);
  fixture_remove(&f);
}

int main(void) {
  unsetenv("FASTNVMETRICS_ROOT");
  RUN(realtime_is_had_or_said_to_be_not_permitted);
  return finish();
}
