/* Boards: tuples in, tuples out. */
#include "ext.h"

#include <string.h>

/* Labels and names may have been cut in the middle of a character. */
static PyObject *text(const char *utf8)
{
  return PyUnicode_DecodeUTF8(utf8, (Py_ssize_t)strlen(utf8), "replace");
}

/* ---- to Python ------------------------------------------------------------------------------- */

static PyObject *rails_to_list(const fnvm_board *board)
{
  const uint32_t count = fnvm_board_num_power_rails(board);
  PyObject *list = PyList_New((Py_ssize_t)count);
  for (uint32_t i = 0; list != NULL && i < count; i++) {
    PyObject *rail = Py_BuildValue("(Nyy)", text(fnvm_board_rail_label(board, i)),
                                   fnvm_board_rail_voltage_path(board, i),
                                   fnvm_board_rail_current_path(board, i));
    if (rail == NULL) {
      Py_CLEAR(list);
    } else {
      PyList_SetItem(list, (Py_ssize_t)i, rail);
    }
  }
  return list;
}

static PyObject *zones_to_list(const fnvm_board *board)
{
  const uint32_t count = fnvm_board_num_thermal_zones(board);
  PyObject *list = PyList_New((Py_ssize_t)count);
  for (uint32_t i = 0; list != NULL && i < count; i++) {
    PyObject *zone = Py_BuildValue("(Ny)", text(fnvm_board_zone_name(board, i)),
                                   fnvm_board_zone_temp_path(board, i));
    if (zone == NULL) {
      Py_CLEAR(list);
    } else {
      PyList_SetItem(list, (Py_ssize_t)i, zone);
    }
  }
  return list;
}

PyObject *ext_board_to_tuple(const fnvm_board *board)
{
  PyObject *tuple = NULL, *zones = NULL, *name = NULL;
  PyObject *rails = rails_to_list(board);
  if (rails == NULL || (zones = zones_to_list(board)) == NULL ||
      (name = text(fnvm_board_name(board))) == NULL) {
    goto done;
  }
  tuple = Py_BuildValue("(OiyyyOOyO)", name, (int)fnvm_board_num_cpu_cores(board),
                        fnvm_board_gpu_load_path(board), fnvm_board_emc_actmon_path(board),
                        fnvm_board_emc_clk_rate_path(board), rails, zones, fnvm_board_root(board),
                        fnvm_board_is_detected(board) ? Py_True : Py_False);
done:
  Py_XDECREF(name);
  Py_XDECREF(zones);
  Py_XDECREF(rails);
  return tuple;
}

/* ---- from Python ----------------------------------------------------------------------------- */

/* The i-th item of a list whose items are tuples; borrowed. */
static PyObject *item_tuple(PyObject *list, Py_ssize_t i)
{
  PyObject *item = PyList_GetItem(list, i);
  if (item != NULL && !PyTuple_Check(item)) {
    PyErr_SetString(PyExc_TypeError, "power rails and thermal zones must be tuples");
    return NULL;
  }
  return item;
}

static int add_rails(const ext_state *state, fnvm_board *board, PyObject *rails)
{
  for (Py_ssize_t i = 0; i < PyList_Size(rails); i++) {
    const char *label, *voltage_path, *current_path;
    PyObject *rail = item_tuple(rails, i);
    if (rail == NULL || !PyArg_ParseTuple(rail, "syy", &label, &voltage_path, &current_path)) {
      return -1;
    }
    const fnvm_status status = fnvm_board_add_power_rail(board, label, voltage_path, current_path);
    if (status != FNVM_OK) {
      ext_raise(state, status);
      return -1;
    }
  }
  return 0;
}

static int add_zones(const ext_state *state, fnvm_board *board, PyObject *zones)
{
  for (Py_ssize_t i = 0; i < PyList_Size(zones); i++) {
    const char *name, *temp_path;
    PyObject *zone = item_tuple(zones, i);
    if (zone == NULL || !PyArg_ParseTuple(zone, "sy", &name, &temp_path)) {
      return -1;
    }
    const fnvm_status status = fnvm_board_add_thermal_zone(board, name, temp_path);
    if (status != FNVM_OK) {
      ext_raise(state, status);
      return -1;
    }
  }
  return 0;
}

int ext_board_from_tuple(const ext_state *state, PyObject *tuple, fnvm_board **out)
{
  const char *name, *gpu_load_path, *emc_actmon_path, *emc_clk_rate_path, *root;
  PyObject *cores_object, *rails, *zones;
  int detected;
  long cores;
  fnvm_board *board = NULL;
  int result = -1;

  if (!PyTuple_Check(tuple)) {
    PyErr_Format(PyExc_TypeError, "board must be a tuple or None, not %R",
                 (PyObject *)Py_TYPE(tuple));
    goto done;
  }
  if (!PyArg_ParseTuple(tuple, "sOyyyO!O!yp", &name, &cores_object, &gpu_load_path, &emc_actmon_path,
                        &emc_clk_rate_path, &PyList_Type, &rails, &PyList_Type, &zones, &root,
                        &detected) ||
      ext_parse_int(cores_object, "num_cpu_cores", 1, FNVM_MAX_CPU_CORES, &cores) < 0) {
    goto done;
  }
  fnvm_status status = fnvm_board_create(name, (int32_t)cores, root, &board);
  if (status == FNVM_OK) {
    status = fnvm_board_set_gpu_load_path(board, gpu_load_path);
  }
  if (status == FNVM_OK) {
    status = fnvm_board_set_emc_actmon_path(board, emc_actmon_path);
  }
  if (status == FNVM_OK) {
    status = fnvm_board_set_emc_clk_rate_path(board, emc_clk_rate_path);
  }
  if (status == FNVM_OK) {
    status = fnvm_board_set_detected(board, detected);
  }
  if (status != FNVM_OK) {
    ext_raise(state, status);
    goto done;
  }
  if (add_rails(state, board, rails) < 0 || add_zones(state, board, zones) < 0) {
    goto done;
  }
  *out = board;
  board = NULL;
  result = 0;
done:
  fnvm_board_free(board);
  return result;
}

/* ---- functions of the module ----------------------------------------------------------------- */

/* A converter of PyArg_Parse: a directory in bytes, or NULL for None. */
static int parse_root(PyObject *object, void *out)
{
  char **root = out;
  if (object == Py_None) {
    *root = NULL;
    return 1;
  }
  return PyBytes_AsStringAndSize(object, root, NULL) == 0;
}

PyObject *ext_detect_board(PyObject *module, PyObject *root_object)
{
  char *root;
  fnvm_board *board = NULL;
  fnvm_status status;
  PyObject *tuple;

  if (!parse_root(root_object, &root)) {
    return NULL;
  }
  Py_BEGIN_ALLOW_THREADS
  status = fnvm_board_detect(root, &board);
  Py_END_ALLOW_THREADS
  tuple = status == FNVM_OK ? ext_board_to_tuple(board)
                            : ext_raise(PyModule_GetState(module), status);
  fnvm_board_free(board);
  return tuple;
}

PyObject *ext_get_board_config(PyObject *module, PyObject *args)
{
  const char *name;
  char *root;
  fnvm_board *board = NULL;
  fnvm_status status;
  PyObject *tuple;

  if (!PyArg_ParseTuple(args, "sO&:get_board_config", &name, parse_root, &root)) {
    return NULL;
  }
  Py_BEGIN_ALLOW_THREADS
  status = fnvm_board_named(name, root, &board);
  Py_END_ALLOW_THREADS
  tuple = status == FNVM_OK ? ext_board_to_tuple(board)
                            : ext_raise(PyModule_GetState(module), status);
  fnvm_board_free(board);
  return tuple;
}
