// A file system of nodes whose reads take as long as those of a board, of libfuse3.
//
//   slow_board MOUNTPOINT RUNTIME_STATUS MC_ALL < nodes
//
// Standard input has a line for each node and then an empty one; the file system is there until standard input ends:
//
//   NAME COST_NS CHIP REFRESH_NS STEP PATH
//
// NAME is what it is called below MOUNTPOINT; PATH is the file that knows its value. A read takes COST_NS from the
// beginning of the request. Nodes of the same CHIP (0 to 15; -1: of none) take one read at a time. A REFRESH_NS above
// 0 makes it a sensor: it takes a new value at each multiple of that on CLOCK_MONOTONIC, and one that always differs
// from the one before, by adding the number of the refresh modulo 8, times STEP.
//
// The node called "load" is a GPU's. Idle, it falls asleep half a second after its last read, and a read does not wake
// it; RUNTIME_STATUS, a plain file, says which it is. MC_ALL is another one, which costs less to read than a file
// system like this can: its value, from the node called "mc_all", is written there at each refresh.
//
// MOUNTPOINT/control takes one command at a time:
//
//   overhead NS     what a read through this file system takes at least
//   lateness NS     what sleeping adds to that
//   free 0|1        reads cost nothing
//   idle 0|1        the GPU has nothing to do
//   hang NS         the next read of "load" takes this long
//
// Reading it says how often each node was read and what else is known, as JSON.
#define FUSE_USE_VERSION 31
#define _GNU_SOURCE
#include "measure.h"

#include <errno.h>
#include <fcntl.h>
#include <fuse.h>
#include <fuse_lowlevel.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

enum { MAX_NODES = 128, CHIPS = 16, THREADS = 48, TEXT = 4096 };
static const uint64_t autosuspend_ns = 500000000, update_ns = 5000000, shortest_sleep_ns = 5000;

struct node {
  char name[200], path[1000];
  uint64_t cost_ns, refresh_ns;
  long step;
  int chip, fd;
  atomic_ulong reads;
  // Guarded by `lock`: the refresh of the value, and the value.
  pthread_mutex_t lock;
  uint64_t refresh;
  char text[TEXT];
  size_t length;
};

static struct node nodes[MAX_NODES];
static size_t node_count;
static struct node *load_node, *mc_all_node;
static pthread_mutex_t chips[CHIPS];
static atomic_ullong overhead_ns, lateness_ns, hang_ns, hang_began, load_used, asleep_ns;
static atomic_int is_free, is_idle, is_asleep;

// ---- values ----

static size_t current_text(struct node *node, char *text) {
  pthread_mutex_lock(&node->lock);
  const uint64_t refresh = node->refresh_ns ? now_ns() / node->refresh_ns : 0;
  if (!node->refresh_ns || refresh != node->refresh) {
    node->refresh = refresh;
    const ssize_t got = pread(node->fd, node->text, TEXT - 1, 0);
    node->length = got > 0 ? (size_t)got : 0;
    if (node->refresh_ns && got > 0) {
      node->text[got] = 0;
      const long value = atol(node->text) + (long)(refresh % 8) * node->step;
      node->length = (size_t)snprintf(node->text, TEXT, "%-7ld\n", value);
    }
  }
  memcpy(text, node->text, node->length);
  const size_t length = node->length;
  pthread_mutex_unlock(&node->lock);
  return length;
}

static void sleep_until(uint64_t deadline) {
  const struct timespec t = as_timespec(deadline);
  while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &t, NULL) == EINTR) continue;
}

// Waits for the rest of a read's cost: what takes long a thread sleeps for, as it does on a board, and what does not
// is work.
static void spend(uint64_t begin, uint64_t cost) {
  const uint64_t overhead = atomic_load(&overhead_ns), lateness = atomic_load(&lateness_ns);
  if (cost > overhead + lateness + shortest_sleep_ns) {
    sleep_until(begin + cost - overhead - lateness);
  } else {
    while (now_ns() + overhead < begin + cost) continue;
  }
}

static size_t slow_text(struct node *node, char *text) {
  uint64_t begin = now_ns(), cost = node->cost_ns;
  atomic_fetch_add(&node->reads, 1);
  if (node == load_node) {
    if (atomic_load(&is_asleep)) return (size_t)sprintf(text, "0\n");
    atomic_store(&load_used, begin);
    const uint64_t hang = atomic_exchange(&hang_ns, 0);
    if (hang) {
      atomic_store(&hang_began, begin);
      cost = hang;
    }
  }
  if (atomic_load(&is_free) && cost == node->cost_ns) cost = 0;
  if (node->chip >= 0) {
    pthread_mutex_lock(&chips[node->chip]);
    begin = now_ns(); // The bus is free now.
  }
  size_t length = current_text(node, text);
  spend(begin, cost);
  if (node->chip >= 0) pthread_mutex_unlock(&chips[node->chip]);
  if (node == load_node) {
    atomic_store(&load_used, now_ns());
    if (atomic_load(&is_idle)) length = (size_t)sprintf(text, "0\n");
  }
  return length;
}

static void write_word(int fd, const char *text) {
  if (pwrite(fd, text, strlen(text), 0) < 0) fail("a plain file", strerror(errno));
}

struct plain_files {
  int status, mc_all;
};

// Keeps the plain files up to date.
static void *update(void *given) {
  const struct plain_files *files = given;
  uint64_t last = now_ns();
  for (;;) {
    sleep_until(last + update_ns);
    const uint64_t now = now_ns();
    const int was = atomic_load(&is_asleep);
    if (was) atomic_fetch_add(&asleep_ns, now - last);
    const uint64_t used = atomic_load(&load_used);
    const int is = atomic_load(&is_idle) && now > used && now - used > autosuspend_ns;
    if (is != was) {
      atomic_store(&is_asleep, is);
      write_word(files->status, is ? "suspended\n" : "active\n\n\n\n"); // As long as each other.
    }
    if (mc_all_node) {
      char text[TEXT];
      text[current_text(mc_all_node, text)] = 0;
      write_word(files->mc_all, text);
    }
    last = now;
  }
  return NULL;
}

// ---- the file system ----

static const char *const control = "/control";

static struct node *find(const char *path) {
  for (size_t i = 0; i < node_count; i++)
    if (strcmp(nodes[i].name, path + 1) == 0) return &nodes[i];
  return NULL;
}

static int get_attributes(const char *path, struct stat *out, struct fuse_file_info *file) {
  (void)file;
  memset(out, 0, sizeof *out);
  if (strcmp(path, "/") == 0) {
    out->st_mode = S_IFDIR | 0755;
    out->st_nlink = 2;
  } else if (strcmp(path, control) == 0 || find(path)) {
    out->st_mode = S_IFREG | (strcmp(path, control) == 0 ? 0644 : 0444);
    out->st_nlink = 1;
    out->st_size = 4096; // As attributes of devices have.
  } else {
    return -ENOENT;
  }
  return 0;
}

static int list(const char *path, void *buffer, fuse_fill_dir_t add, off_t offset, struct fuse_file_info *file,
                enum fuse_readdir_flags flags) {
  (void)path, (void)offset, (void)file, (void)flags;
  add(buffer, ".", NULL, 0, 0);
  add(buffer, "..", NULL, 0, 0);
  add(buffer, control + 1, NULL, 0, 0);
  for (size_t i = 0; i < node_count; i++) add(buffer, nodes[i].name, NULL, 0, 0);
  return 0;
}

static int open_node(const char *path, struct fuse_file_info *file) {
  struct node *node = find(path);
  if (!node && strcmp(path, control) != 0) return -ENOENT;
  if (node && (file->flags & O_ACCMODE) != O_RDONLY) return -EROFS;
  file->direct_io = 1; // Every read comes here.
  file->fh = (uint64_t)(uintptr_t)node;
  return 0;
}

static int report(char *into, size_t room) {
  int n = snprintf(into, room, "{\"now_ns\": %" PRIu64 ", \"asleep_ns\": %llu, \"hang_began_ns\": %llu, \"reads\": {",
                   now_ns(), atomic_load(&asleep_ns), atomic_load(&hang_began));
  for (size_t i = 0; i < node_count && (size_t)n < room; i++)
    n += snprintf(into + n, room - (size_t)n, "%s\"%s\": %lu", i ? ", " : "", nodes[i].name,
                  atomic_load(&nodes[i].reads));
  if ((size_t)n < room) n += snprintf(into + n, room - (size_t)n, "}}\n");
  return (size_t)n < room ? n : -EFBIG;
}

static int read_node(const char *path, char *into, size_t room, off_t offset, struct fuse_file_info *file) {
  (void)path;
  if (offset > 0) return 0; // The rest of what the first read got, for those who ask for it.
  struct node *node = (struct node *)(uintptr_t)file->fh;
  if (!node) return report(into, room);
  char text[TEXT];
  const size_t length = slow_text(node, text);
  const size_t copied = length < room ? length : room;
  memcpy(into, text, copied);
  return (int)copied;
}

static int write_control(const char *path, const char *text, size_t size, off_t offset, struct fuse_file_info *file) {
  (void)offset;
  if (file->fh || strcmp(path, control) != 0) return -EROFS;
  char line[64] = "", word[16] = "";
  unsigned long long number = 0;
  memcpy(line, text, size < sizeof line - 1 ? size : sizeof line - 1);
  if (sscanf(line, "%15s %llu", word, &number) != 2) return -EINVAL;
  if (strcmp(word, "overhead") == 0) {
    atomic_store(&overhead_ns, number);
  } else if (strcmp(word, "lateness") == 0) {
    atomic_store(&lateness_ns, number);
  } else if (strcmp(word, "hang") == 0) {
    atomic_store(&hang_ns, number);
  } else if (strcmp(word, "free") == 0) {
    atomic_store(&is_free, number != 0);
  } else if (strcmp(word, "idle") == 0) {
    atomic_store(&is_idle, number != 0);
  } else {
    return -EINVAL;
  }
  return (int)size;
}

static const struct fuse_operations operations = {
    .getattr = get_attributes, .readdir = list, .open = open_node, .read = read_node, .write = write_control};

// libfuse's own loop starts threads as they are needed, some versions no more than ten.
static void *serve(void *given) {
  struct fuse_session *session = given;
  struct fuse_buf buffer = {0};
  while (!fuse_session_exited(session)) {
    const int got = fuse_session_receive_buf(session, &buffer);
    if (got == -EINTR) continue;
    if (got <= 0) break;
    fuse_session_process_buf(session, &buffer);
  }
  free(buffer.mem);
  return NULL;
}

// ---- nodes ----

static void read_nodes(void) {
  char line[1400];
  while (fgets(line, sizeof line, stdin) && line[0] != '\n') {
    if (node_count == MAX_NODES) fail("nodes", "too many");
    struct node *node = &nodes[node_count];
    if (sscanf(line, "%199s %" SCNu64 " %d %" SCNu64 " %ld %999[^\n]", node->name, &node->cost_ns, &node->chip,
               &node->refresh_ns, &node->step, node->path) != 6 ||
        node->chip >= CHIPS)
      fail("no node", line);
    node->fd = open(node->path, O_RDONLY | O_CLOEXEC);
    if (node->fd < 0) fail(node->path, strerror(errno));
    pthread_mutex_init(&node->lock, NULL);
    node->refresh = UINT64_MAX;
    if (strcmp(node->name, "load") == 0) load_node = node;
    if (strcmp(node->name, "mc_all") == 0) mc_all_node = node;
    node_count++;
  }
}

static int open_plain(const char *path) {
  const int fd = open(path, O_WRONLY | O_CLOEXEC);
  if (fd < 0) fail(path, strerror(errno));
  return fd;
}

int main(int argc, char **argv) {
  if (argc != 4) fail("usage", "slow_board MOUNTPOINT RUNTIME_STATUS MC_ALL < nodes");
  setvbuf(stdin, NULL, _IONBF, 0);
  prctl(PR_SET_TIMERSLACK, 1, 0, 0, 0); // The threads inherit it.
  for (int i = 0; i < CHIPS; i++) pthread_mutex_init(&chips[i], NULL);
  read_nodes();
  static struct plain_files files;
  files = (struct plain_files){open_plain(argv[2]), open_plain(argv[3])};

  // Nothing is cached: names and attributes are asked for each time, and reads are direct.
  char *words[] = {"slow_board", "-ofsname=slow_board,attr_timeout=0,entry_timeout=0,negative_timeout=0", NULL};
  struct fuse_args arguments = FUSE_ARGS_INIT(2, words);
  struct fuse *fuse = fuse_new(&arguments, &operations, sizeof operations, NULL);
  if (!fuse || fuse_mount(fuse, argv[1]) != 0) fail(argv[1], "cannot be mounted");
  pthread_t thread;
  for (int i = 0; i < THREADS; i++)
    if (pthread_create(&thread, NULL, serve, fuse_get_session(fuse))) fail("threads", strerror(errno));
  if (pthread_create(&thread, NULL, update, &files)) fail("threads", strerror(errno));
  puts("ready");
  fflush(stdout);
  for (char byte; read(0, &byte, 1) > 0;) continue;
  fuse_unmount(fuse);
  _exit(0); // Threads may be in the middle of a read of seconds.
}
