#include "shims.h"

#include <signal.h>
#include <sys/prctl.h>

// What the new thread needs; it frees it.
struct start {
  void (*body)(void *);
  void *context;
  char name[16];
};

static void *run(void *argument) {
  struct start s = *(struct start *)argument;
  free(argument);
  pthread_setname_np(pthread_self(), s.name);
  prctl(PR_SET_TIMERSLACK, 1UL);
  s.body(s.context);
  return NULL;
}

int fnvm_sys_thread_start(uintptr_t *thread, const char *name, void (*body)(void *), void *context) {
  struct start *s = calloc(1, sizeof *s);
  if (!s) return -ENOMEM;
  s->body = body;
  s->context = context;
  strncpy(s->name, name, sizeof s->name - 1);

  // The thread inherits the mask: blocking around its creation leaves no moment in which it could
  // take a signal meant for the host program.
  sigset_t all, before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  pthread_t handle;
  int error = pthread_create(&handle, NULL, run, s);
  pthread_sigmask(SIG_SETMASK, &before, NULL);
  if (error) {
    free(s);
    return -error;
  }
  *thread = (uintptr_t)handle;
  return 0;
}

void fnvm_sys_thread_join(uintptr_t thread) { pthread_join((pthread_t)thread, NULL); }

const char *fnvm_sys_error_text(int error) {
  const char *text = strerrordesc_np(error);
  return text ? text : "unknown error";
}

static _Thread_local struct {
  int error;
  char path[PATH_MAX];
  char message[PATH_MAX + 1024];
} last;

static void fill(char *to, size_t room, const char *from, size_t size) {
  size_t n = size < room ? size : room - 1;
  // A byte 10xxxxxx goes on with a character: cut before it begins.
  if (n < size) {
    while (n > 0 && (from[n] & 0xC0) == 0x80) n--;
  }
  memcpy(to, from, n);
  to[n] = 0;
}

void fnvm_sys_set_last_error(int error, const void *path, size_t path_size, const void *message,
                             size_t message_size) {
  last.error = error;
  fill(last.path, sizeof last.path, path, path_size);
  fill(last.message, sizeof last.message, message, message_size);
}

int fnvm_sys_last_errno(void) { return last.error; }
const char *fnvm_sys_last_path(void) { return last.path; }
const char *fnvm_sys_last_message(void) { return last.message; }
