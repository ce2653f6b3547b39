/* What the doctor finds and puts back: tuples and sentences out. */
#include "ext.h"

#include <string.h>

/* (kind, state, errno, value, read_ns, refresh_ms, name, path, unit, advice) */
static PyObject *report_to_tuple(const fnvm_node_report *report)
{
  return Py_BuildValue("(IIiLKdNyss)", (unsigned)report->kind, (unsigned)report->state,
                       (int)report->error_number, (long long)report->value,
                       (unsigned long long)report->read_ns, report->refresh_ms,
                       PyUnicode_DecodeUTF8(report->name, (Py_ssize_t)strlen(report->name), "replace"),
                       report->path, report->unit, report->advice);
}

static PyObject *reports_to_list(const ext_state *state, const fnvm_doctor *doctor)
{
  const uint32_t count = fnvm_doctor_count(doctor);
  PyObject *list = PyList_New((Py_ssize_t)count);
  for (uint32_t i = 0; list != NULL && i < count; i++) {
    fnvm_node_report report = FNVM_NODE_REPORT_INIT;
    fnvm_status status = fnvm_doctor_report(doctor, i, &report);
    PyObject *tuple = status == FNVM_OK ? report_to_tuple(&report) : ext_raise(state, status);
    if (tuple == NULL) {
      Py_CLEAR(list);
    } else {
      PyList_SetItem(list, (Py_ssize_t)i, tuple);
    }
  }
  return list;
}

PyObject *ext_doctor(PyObject *module, PyObject *args)
{
  const ext_state *state = PyModule_GetState(module);
  PyObject *arguments[2];
  char *texts[2] = {NULL, NULL};
  fnvm_doctor *doctor = NULL;
  fnvm_status status;
  PyObject *list;

  if (!PyArg_ParseTuple(args, "OO:doctor", &arguments[0], &arguments[1])) {
    return NULL;
  }
  for (int i = 0; i < 2; i++) { /* bytes or None */
    if (arguments[i] != Py_None && PyBytes_AsStringAndSize(arguments[i], &texts[i], NULL) < 0) {
      return NULL;
    }
  }
  Py_BEGIN_ALLOW_THREADS
  status = fnvm_doctor_examine(texts[0], texts[1], &doctor);
  Py_END_ALLOW_THREADS
  if (status != FNVM_OK) {
    return ext_raise(state, status);
  }
  list = reports_to_list(state, doctor);
  fnvm_doctor_free(doctor);
  return list;
}

PyObject *ext_restore_sensors(PyObject *module, PyObject *root_object)
{
  char *root = NULL;
  fnvm_notices *notices = NULL;
  fnvm_status status;
  const char *text;
  PyObject *list;

  if (root_object != Py_None && PyBytes_AsStringAndSize(root_object, &root, NULL) < 0) {
    return NULL;
  }
  Py_BEGIN_ALLOW_THREADS
  status = fnvm_sensors_restore(root, &notices);
  Py_END_ALLOW_THREADS
  if (status != FNVM_OK) {
    return ext_raise(PyModule_GetState(module), status);
  }
  list = PyList_New(0);
  for (uint32_t i = 0; list != NULL && (text = fnvm_notices_text(notices, i)) != NULL; i++) {
    PyObject *notice = PyUnicode_DecodeUTF8(text, (Py_ssize_t)strlen(text), "replace");
    if (notice == NULL || PyList_Append(list, notice) < 0) {
      Py_CLEAR(list);
    }
    Py_XDECREF(notice);
  }
  fnvm_notices_free(notices);
  return list;
}
