/* fastnvmetrics._ext: the C ABI as Python sees it.
 *
 * The module adds no behaviour of its own. It turns arguments into what the ABI takes, releases the GIL
 * around every call that blocks, and turns a failed status into an exception. What users see is
 * fastnvmetrics/recorder.py and board.py.
 *
 * Everything is written against the limited API of Python 3.10: one build serves all later versions.
 * Names shared between the files begin with ext_. */
#ifndef FASTNVMETRICS_EXT_H
#define FASTNVMETRICS_EXT_H

#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include <fastnvmetrics/fastnvmetrics.h>

/* A function in a slot that is declared as void *: ISO C has no such conversion, POSIX does. */
#define EXT_SLOT(function) (__extension__(void *)(function))

/* What one import of the module owns; there is no other state. */
typedef struct {
  PyObject *error; /* fastnvmetrics.errors.FastNVMetricsError */
} ext_state;

/* ---- errors.c -------------------------------------------------------------------------------- */

/* Raises what a failed status stands for. To be called right after the ABI call that returned it: the
 * details are those of the thread's last failure. Always returns NULL, to be returned in turn. */
PyObject *ext_raise(const ext_state *state, fnvm_status status);

/* An int (or anything with __index__ but a bool) from low to high: else TypeError or ValueError, which
 * say the argument's name, and -1. */
int ext_parse_int(PyObject *object, const char *name, long low, long high, long *out);

/* The UTF-8 of a str, borrowed from it: else TypeError or ValueError (a NUL, a lone surrogate), which say the
 * argument's name, and NULL. */
const char *ext_parse_text(PyObject *object, const char *name);

/* ---- board.c --------------------------------------------------------------------------------- */

/* Boards cross the border as plain tuples, which fastnvmetrics/board.py makes and reads:
 *   (board_name: str, num_cpu_cores: int, gpu_load_path: bytes, emc_actmon_path: bytes,
 *    emc_clk_rate_path: bytes, [(label: str, voltage_path: bytes, current_path: bytes), ...],
 *    [(name: str, temp_path: bytes), ...], root: bytes, detected: bool) */
PyObject *ext_board_to_tuple(const fnvm_board *board);

/* The opposite. The caller frees the board. -1 with an exception on failure. */
int ext_board_from_tuple(const ext_state *state, PyObject *tuple, fnvm_board **out);

PyObject *ext_detect_board(PyObject *module, PyObject *root);
PyObject *ext_get_board_config(PyObject *module, PyObject *args);

/* ---- doctor.c -------------------------------------------------------------------------------- */

PyObject *ext_doctor(PyObject *module, PyObject *args);
PyObject *ext_restore_sensors(PyObject *module, PyObject *root);

/* ---- engine.c -------------------------------------------------------------------------------- */

/* The type Engine. */
extern PyType_Spec ext_engine_spec;

/* ---- signals.c ------------------------------------------------------------------------------- */

PyObject *ext_catch_signals(PyObject *module, PyObject *arguments);
PyObject *ext_release_signals(PyObject *module, PyObject *nothing);
extern const char catch_signals_doc[];
extern const char release_signals_doc[];

#endif
