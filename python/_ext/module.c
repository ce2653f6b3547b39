/* The module: its functions, and what it needs before it can be used. */
#include "ext.h"

PyDoc_STRVAR(module_doc, "The engine of fastnvmetrics. Use the package, not this module.");

PyDoc_STRVAR(version_doc, "version()\n--\n\nThe version of the library in use.");

static PyObject *module_version(PyObject *module, PyObject *unused)
{
  (void)module;
  (void)unused;
  return PyUnicode_FromString(fnvm_version_string());
}

PyDoc_STRVAR(detect_board_doc,
             "detect_board(root, /)\n--\n\n"
             "The board of this machine, or of the tree under root, as a tuple.");

PyDoc_STRVAR(get_board_config_doc,
             "get_board_config(name, root, /)\n--\n\nThe board of that name, as a tuple.");

PyDoc_STRVAR(doctor_doc,
             "doctor(board, root, /)\n--\n\n"
             "What is known of each node of a board, named or detected, as tuples.");

PyDoc_STRVAR(restore_sensors_doc,
             "restore_sensors(root, /)\n--\n\n"
             "Put back what crashed recorders have set the power sensors to; return what was done.");

PyDoc_STRVAR(recover_doc,
             "recover(path, /)\n--\n\n"
             "Complete a trace whose recorder crashed; return whether it was unfinished.");

static PyObject *module_recover(PyObject *module, PyObject *path_object)
{
  char *path;
  int recovered = 0;
  fnvm_status status;

  if (PyBytes_AsStringAndSize(path_object, &path, NULL) < 0) {
    return NULL;
  }
  Py_BEGIN_ALLOW_THREADS
  status = fnvm_trace_recover(path, &recovered);
  Py_END_ALLOW_THREADS
  return status == FNVM_OK ? PyBool_FromLong(recovered)
                           : ext_raise(PyModule_GetState(module), status);
}

static PyMethodDef module_methods[] = {
    {"version", module_version, METH_NOARGS, version_doc},
    {"detect_board", ext_detect_board, METH_O, detect_board_doc},
    {"get_board_config", ext_get_board_config, METH_VARARGS, get_board_config_doc},
    {"doctor", ext_doctor, METH_VARARGS, doctor_doc},
    {"restore_sensors", ext_restore_sensors, METH_O, restore_sensors_doc},
    {"recover", module_recover, METH_O, recover_doc},
    {"catch_signals", ext_catch_signals, METH_VARARGS, catch_signals_doc},
    {"release_signals", ext_release_signals, METH_NOARGS, release_signals_doc},
    {NULL, NULL, 0, NULL},
};

static int module_exec(PyObject *module)
{
  ext_state *state = PyModule_GetState(module);
  PyObject *errors = NULL, *engine = NULL;
  int result = -1;

  if (fnvm_abi_version() != FNVM_ABI_VERSION) {
    PyErr_Format(PyExc_ImportError,
                 "libfastnvmetrics %s has binary interface %u, this package was built for %u",
                 fnvm_version_string(), (unsigned)fnvm_abi_version(), (unsigned)FNVM_ABI_VERSION);
    goto done;
  }
  errors = PyImport_ImportModule("fastnvmetrics.errors");
  if (errors == NULL) {
    goto done;
  }
  state->error = PyObject_GetAttrString(errors, "FastNVMetricsError");
  if (state->error == NULL) {
    goto done;
  }
  engine = PyType_FromModuleAndSpec(module, &ext_engine_spec, NULL);
  if (engine == NULL || PyModule_AddType(module, (PyTypeObject *)engine) < 0) {
    goto done;
  }
  result = 0;
done:
  Py_XDECREF(engine);
  Py_XDECREF(errors);
  return result;
}

static int module_traverse(PyObject *module, visitproc visit, void *arg)
{
  ext_state *state = PyModule_GetState(module);
  Py_VISIT(state->error);
  return 0;
}

static int module_clear(PyObject *module)
{
  ext_state *state = PyModule_GetState(module);
  Py_CLEAR(state->error);
  return 0;
}

static void module_free(void *module)
{
  module_clear(module);
}

static PyModuleDef_Slot module_slots[] = {
    {Py_mod_exec, EXT_SLOT(module_exec)},
    {0, NULL},
};

static struct PyModuleDef module_definition = {
    PyModuleDef_HEAD_INIT,
    .m_name = "fastnvmetrics._ext",
    .m_doc = module_doc,
    .m_size = sizeof(ext_state),
    .m_methods = module_methods,
    .m_slots = module_slots,
    .m_traverse = module_traverse,
    .m_clear = module_clear,
    .m_free = module_free,
};

PyMODINIT_FUNC PyInit__ext(void);

PyMODINIT_FUNC PyInit__ext(void)
{
  return PyModuleDef_Init(&module_definition);
}
