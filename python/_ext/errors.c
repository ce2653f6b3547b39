/* Statuses to exceptions, and arguments to integers: every refusal is worded here or in the library. */
#include "ext.h"

#include <errno.h>
#include <string.h>

/* OSError(errno, message[, filename]): the constructor picks FileNotFoundError and its siblings. */
static void raise_os_error(int error_number, PyObject *message, PyObject *path)
{
  PyObject *exception = PyUnicode_GetLength(path) > 0
      ? PyObject_CallFunction(PyExc_OSError, "iOO", error_number, message, path)
      : PyObject_CallFunction(PyExc_OSError, "iO", error_number, message);
  if (exception != NULL) {
    PyErr_SetObject((PyObject *)Py_TYPE(exception), exception);
    Py_DECREF(exception);
  }
}

/* FastNVMetricsError(message), with the status for programs that tell failures apart. */
static void raise_own_error(const ext_state *state, fnvm_status status, PyObject *message)
{
  PyObject *number = NULL;
  PyObject *exception = PyObject_CallFunctionObjArgs(state->error, message, NULL);
  if (exception == NULL) {
    goto done;
  }
  number = PyLong_FromLong(status);
  if (number == NULL || PyObject_SetAttrString(exception, "status", number) < 0) {
    goto done;
  }
  PyErr_SetObject(state->error, exception);
done:
  Py_XDECREF(number);
  Py_XDECREF(exception);
}

PyObject *ext_raise(const ext_state *state, fnvm_status status)
{
  /* All three are read before an exception is built: that runs Python code, which may call the library
   * on this thread. Making a str does not. */
  const int error_number = fnvm_last_error_errno();
  const char *text = fnvm_last_error_message();
  PyObject *message = PyUnicode_DecodeUTF8(text, (Py_ssize_t)strlen(text), "replace");
  PyObject *path = PyUnicode_DecodeFSDefault(fnvm_last_error_path());
  if (message == NULL || path == NULL) {
    goto done;
  }
  switch (status) {
  case FNVM_E_INVALID:
    PyErr_SetObject(PyExc_ValueError, message);
    break;
  case FNVM_E_NO_MEMORY:
    PyErr_SetObject(PyExc_MemoryError, message);
    break;
  case FNVM_E_IO:
  case FNVM_E_THREAD:
    raise_os_error(error_number != 0 ? error_number : EIO, message, path);
    break;
  default:
    raise_own_error(state, status, message);
    break;
  }
done:
  Py_XDECREF(path);
  Py_XDECREF(message);
  return NULL;
}

int ext_parse_int(PyObject *object, const char *name, long low, long high, long *out)
{
  if (PyBool_Check(object) || !PyIndex_Check(object)) {
    PyErr_Format(PyExc_TypeError, "%s must be an int, not %R", name, (PyObject *)Py_TYPE(object));
    return -1;
  }
  PyObject *integer = PyNumber_Index(object);
  if (integer == NULL) {
    return -1;
  }
  int overflow = 0;
  const long value = PyLong_AsLongAndOverflow(integer, &overflow);
  Py_DECREF(integer);
  if (overflow != 0 || value < low || value > high) {
    PyErr_Format(PyExc_ValueError, "%s must be from %ld to %ld, not %R", name, low, high, object);
    return -1;
  }
  *out = value;
  return 0;
}

const char *ext_parse_text(PyObject *object, const char *name)
{
  if (!PyUnicode_Check(object)) {
    PyErr_Format(PyExc_TypeError, "%s must be str, not %R", name, (PyObject *)Py_TYPE(object));
    return NULL;
  }
  Py_ssize_t size;
  const char *text = PyUnicode_AsUTF8AndSize(object, &size);
  if (text == NULL) {
    if (PyErr_ExceptionMatches(PyExc_UnicodeEncodeError)) {
      PyErr_Clear();
      PyErr_Format(PyExc_ValueError, "%s cannot be written as UTF-8: %R", name, object);
    }
    return NULL;
  }
  if (strlen(text) != (size_t)size) {
    PyErr_Format(PyExc_ValueError, "%s holds a NUL character: %R", name, object);
    return NULL;
  }
  return text;
}
