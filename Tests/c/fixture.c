#include "fixture.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

static void die(const char *what) {
  fprintf(stderr, "fixture: %s: %s\n", what, strerror(errno));
  exit(2);
}

fixture fixture_create(void) {
  fixture f;
  memset(&f, 0, sizeof f);
  const char *directory = getenv("TMPDIR");
  if (!directory || strlen(directory) > 40) directory = "/tmp";
  snprintf(f.root, sizeof f.root, "%s/fnvm-test-XXXXXX", directory);
  if (!mkdtemp(f.root)) die(f.root);

  fixture_write(&f, "proc/stat",
                "cpu  400 0 400 3200 0 0 0 0 0 0\n"
                "cpu0 100 0 100 800 0 0 0 0 0 0\n"
                "cpu1 100 0 100 800 0 0 0 0 0 0\n"
                "cpu2 100 0 100 800 0 0 0 0 0 0\n"
                "cpu3 100 0 100 800 0 0 0 0 0 0\n"
                "intr 12345\n");
  fixture_write(&f, "proc/meminfo",
                "MemTotal:       32000000 kB\n"
                "MemFree:         1000000 kB\n"
                "MemAvailable:   20000000 kB\n"
                "Buffers:           10000 kB\n");
  fixture_write(&f, "sys/gpu/load", "437\n");
  fixture_write(&f, "sys/emc/mc_all", "798000\n");
  fixture_write(&f, "sys/emc/rate", "3192000000\n");
  fixture_write(&f, "sys/rails/a_mv", "5000\n");
  fixture_write(&f, "sys/rails/a_ma", "1234\n");
  fixture_write(&f, "sys/rails/b_mv", "19000\n");
  fixture_write(&f, "sys/rails/b_ma", "40\n");
  fixture_write(&f, "sys/zones/cpu", "45500\n");
  fixture_write(&f, "sys/zones/gpu", "51250\n");
  return f;
}

static int remove_entry(const char *path, const struct stat *status, int kind, struct FTW *where) {
  (void)status, (void)kind, (void)where;
  return remove(path);
}

void fixture_remove(fixture *f) {
  nftw(f->root, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
  for (unsigned i = 0; i < f->num_paths; i++) free(f->paths[i]);
  f->num_paths = 0;
}

const char *fixture_path(fixture *f, const char *relative) {
  size_t size = strlen(f->root) + 1 + strlen(relative) + 1;
  char path[8192];
  if (size > sizeof path) {
    errno = ENAMETOOLONG;
    die(relative);
  }
  snprintf(path, sizeof path, "%s/%s", f->root, relative);
  for (unsigned i = 0; i < f->num_paths; i++)
    if (strcmp(f->paths[i], path) == 0) return f->paths[i];
  if (f->num_paths == sizeof f->paths / sizeof *f->paths) die("too many paths");
  return f->paths[f->num_paths++] = strdup(path);
}

void fixture_write_bytes(fixture *f, const char *relative, const void *bytes, size_t size) {
  const char *path = fixture_path(f, relative);
  char parent[8192];
  snprintf(parent, sizeof parent, "%s", path);
  for (char *slash = parent + strlen(f->root) + 1; (slash = strchr(slash, '/')); slash++) {
    *slash = 0;
    if (mkdir(parent, 0777) != 0 && errno != EEXIST) die(parent);
    *slash = '/';
  }
  /* One pwrite over what is there: a tier that reads meanwhile never sees an empty file. */
  int fd = open(path, O_WRONLY | O_CREAT, 0666);
  if (fd < 0 || pwrite(fd, bytes, size, 0) != (ssize_t)size || ftruncate(fd, (off_t)size) != 0)
    die(path);
  close(fd);
}

void fixture_write(fixture *f, const char *relative, const char *text) {
  fixture_write_bytes(f, relative, text, strlen(text));
}

int fixture_count(fixture *f, const char *prefix) {
  DIR *directory = opendir(f->root);
  if (!directory) die(f->root);
  int count = 0;
  for (struct dirent *entry; (entry = readdir(directory));)
    count += strncmp(entry->d_name, prefix, strlen(prefix)) == 0;
  closedir(directory);
  return count;
}

static void must(fnvm_status status) {
  if (status == FNVM_OK) return;
  fprintf(stderr, "fixture: %s: %s\n", fnvm_status_name(status), fnvm_last_error_message());
  exit(2);
}

fnvm_board *fixture_board(fixture *f) {
  fnvm_board *board = NULL;
  must(fnvm_board_create("fixture", FIXTURE_CORES, f->root, &board));
  must(fnvm_board_set_gpu_load_path(board, fixture_path(f, "sys/gpu/load")));
  must(fnvm_board_set_emc_actmon_path(board, fixture_path(f, "sys/emc/mc_all")));
  must(fnvm_board_set_emc_clk_rate_path(board, fixture_path(f, "sys/emc/rate")));
  must(fnvm_board_add_power_rail(board, "VDD_A", fixture_path(f, "sys/rails/a_mv"),
                                 fixture_path(f, "sys/rails/a_ma")));
  must(fnvm_board_add_power_rail(board, "VDD_B", fixture_path(f, "sys/rails/b_mv"),
                                 fixture_path(f, "sys/rails/b_ma")));
  must(fnvm_board_add_thermal_zone(board, "cpu-thermal", fixture_path(f, "sys/zones/cpu")));
  must(fnvm_board_add_thermal_zone(board, "gpu-thermal", fixture_path(f, "sys/zones/gpu")));
  return board;
}

fnvm_engine *fixture_engine(fixture *f, const char *relative) {
  fnvm_options options = FNVM_OPTIONS_INIT;
  options.slow_hz = 50;
  fnvm_board *board = fixture_board(f);
  fnvm_engine *engine = NULL;
  must(fnvm_engine_create(fixture_path(f, relative), board, &options, &engine));
  fnvm_board_free(board);
  return engine;
}

int record_briefly(fnvm_engine *engine) {
  return fnvm_engine_start(engine) == FNVM_OK &&
         fnvm_engine_wait_for_warmup(engine, FNVM_NO_TIMEOUT) == FNVM_OK &&
         fnvm_engine_stop(engine) == FNVM_OK;
}

int wait_for_samples(const fnvm_engine *engine, uint64_t count) {
  const struct timespec pause = {0, 1000000};
  while (fnvm_engine_sample_count(engine) < count) {
    if (!fnvm_engine_is_running(engine)) return 0;
    nanosleep(&pause, NULL);
  }
  return 1;
}

unsigned char *read_file(const char *path, size_t *size) {
  struct stat status;
  int fd = open(path, O_RDONLY);
  if (fd < 0) return NULL;
  unsigned char *bytes = NULL;
  if (fstat(fd, &status) == 0 && (bytes = malloc((size_t)status.st_size + 1))) {
    *size = (size_t)status.st_size;
    if (read(fd, bytes, *size) != (ssize_t)*size) {
      free(bytes);
      bytes = NULL;
    }
  }
  close(fd);
  return bytes;
}
