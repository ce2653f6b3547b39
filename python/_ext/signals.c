/* Signals as notes in a pipe, with what Python does not say of them: whether the kernel sent them.
 *
 * Waiting for blocked signals would not do: other libraries have threads that block none, and what comes while
 * nobody waits is theirs then. A handler runs on any thread.
 *
 * Handlers are the process's: so is what they use. The main thread alone catches and releases. */

#define _GNU_SOURCE /* c11 alone has no sigaction */
#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <unistd.h>

#include "ext.h"

static volatile sig_atomic_t notes_fd = -1;
static struct sigaction before[NSIG];
static bool is_caught[NSIG];

/* Not Py_RETURN_NONE: see engine.c. */
static PyObject *none(void)
{
  Py_INCREF(Py_None);
  return Py_None;
}

static void note_signal(int number, siginfo_t *info, void *context)
{
  const unsigned char note[2] = {(unsigned char)number, info->si_code == SI_KERNEL};
  const int error = errno;

  (void)context;
  if (write(notes_fd, note, sizeof note) < 0) {
    /* A pipe that is full has more to say than anyone will read. */
  }
  errno = error;
}

const char catch_signals_doc[] =
    "catch_signals($module, numbers, fd, /)\n--\n\n"
    "Have signals written to a pipe: two bytes each, the number, and 1 where the kernel sent it, as for Ctrl-C.\n"
    "Those that are ignored stay ignored. Until release_signals; for the main thread.";

PyObject *ext_catch_signals(PyObject *module, PyObject *arguments)
{
  PyObject *numbers;
  int fd;

  (void)module;
  if (!PyArg_ParseTuple(arguments, "O!i:catch_signals", &PyTuple_Type, &numbers, &fd)) {
    return NULL;
  }
  notes_fd = fd;
  for (Py_ssize_t i = 0; i < PyTuple_Size(numbers); i++) {
    const long number = PyLong_AsLong(PyTuple_GetItem(numbers, i));
    struct sigaction action = {.sa_sigaction = note_signal, .sa_flags = SA_SIGINFO | SA_RESTART};

    if (number == -1 && PyErr_Occurred()) {
      return NULL;
    }
    if (number < 1 || number >= NSIG) {
      return PyErr_Format(PyExc_ValueError, "%ld is no signal", number);
    }
    if (is_caught[number] || sigaction((int)number, NULL, &before[number]) != 0 ||
        before[number].sa_handler == SIG_IGN) {
      continue;
    }
    if (sigaction((int)number, &action, NULL) != 0) {
      return PyErr_SetFromErrno(PyExc_OSError);
    }
    is_caught[number] = true;
  }
  return none();
}

const char release_signals_doc[] =
    "release_signals($module, /)\n--\n\n"
    "Put back what catch_signals found.";

PyObject *ext_release_signals(PyObject *module, PyObject *nothing)
{
  (void)module;
  (void)nothing;
  for (int number = 1; number < NSIG; number++) {
    if (is_caught[number]) {
      is_caught[number] = false;
      (void)sigaction(number, &before[number], NULL);
    }
  }
  return none();
}
