/* The type Engine: one fnvm_engine, alive as long as the object.
 *
 * Any thread may call any method at any time, as the ABI allows. The handle is freed in dealloc alone, and
 * a method that is running holds a reference to its object. */
#include "ext.h"

#include <stddef.h>
#include <string.h>

/* How long a wait goes without looking for Ctrl-C. */
#define SIGNAL_CHECK_NANOSECONDS UINT64_C(50000000)

typedef struct {
  PyObject_HEAD
  fnvm_engine *handle;
  PyObject *board; /* the tuple that was given or detected */
} Engine;

/* The type cannot be subclassed, so an object's type is always the one made by our module. */
static const ext_state *state_of(PyObject *self)
{
  return PyType_GetModuleState(Py_TYPE(self));
}

static PyObject *none_or_raise(PyObject *self, fnvm_status status)
{
  if (status != FNVM_OK) {
    return ext_raise(state_of(self), status);
  }
  /* Not Py_RETURN_NONE: in the headers of 3.12 and later it counts on an immortal None, which that of 3.11 and
   * 3.10 is not. */
  Py_INCREF(Py_None);
  return Py_None;
}

/* ---- life ------------------------------------------------------------------------------------ */

/* The options that Python can give; each is an integer of 32 bits. */
static const struct {
  const char *name;
  size_t offset;
  long low, high;
} option_fields[] = {
    {"fast_hz", offsetof(fnvm_options, fast_hz), FNVM_MIN_RATE_HZ, FNVM_MAX_RATE_HZ},
    {"medium_hz", offsetof(fnvm_options, medium_hz), FNVM_MIN_RATE_HZ, FNVM_MAX_RATE_HZ},
    {"slow_hz", offsetof(fnvm_options, slow_hz), FNVM_MIN_RATE_HZ, FNVM_MAX_RATE_HZ},
    {"flush_interval_ms", offsetof(fnvm_options, flush_interval_ms), 0, INT32_MAX},
    {"gpu_hz", offsetof(fnvm_options, gpu_hz), 0, FNVM_MAX_RATE_HZ},
    {"ram_hz", offsetof(fnvm_options, ram_hz), 0, FNVM_MAX_RATE_HZ},
    {"emc_hz", offsetof(fnvm_options, emc_hz), 0, FNVM_MAX_RATE_HZ},
    {"voltage_hz", offsetof(fnvm_options, voltage_hz), 0, FNVM_MAX_RATE_HZ},
    {"current_hz", offsetof(fnvm_options, current_hz), 0, FNVM_MAX_RATE_HZ},
    {"thermal_hz", offsetof(fnvm_options, thermal_hz), 0, FNVM_MAX_RATE_HZ},
    {"native_rates", offsetof(fnvm_options, native_rates), -1, 1},
    {"realtime", offsetof(fnvm_options, realtime_priority), 0, 99},
    {"cpu", offsetof(fnvm_options, cpu), -1, 1023},
    {"stats", offsetof(fnvm_options, write_stats), 0, 1},
    {"metadata", offsetof(fnvm_options, write_metadata), 0, 1},
    {"rail_update_interval_ms", offsetof(fnvm_options, rail_update_interval_ms), 0, 60000},
    {"rail_samples", offsetof(fnvm_options, rail_samples), 0, 1024},
};

static int parse_option(PyObject *name, PyObject *value, fnvm_options *options)
{
  for (size_t i = 0; i < sizeof option_fields / sizeof *option_fields; i++) {
    if (PyUnicode_CompareWithASCIIString(name, option_fields[i].name) == 0) {
      long number;
      if (ext_parse_int(value, option_fields[i].name, option_fields[i].low, option_fields[i].high,
                        &number) < 0) {
        return -1;
      }
      const uint32_t bits = (uint32_t)number;
      memcpy((char *)options + option_fields[i].offset, &bits, sizeof bits);
      return 0;
    }
  }
  PyErr_Format(PyExc_TypeError, "there is no option %R", name);
  return -1;
}

static PyObject *engine_new(PyTypeObject *type, PyObject *args, PyObject *kwargs)
{
  const ext_state *state = PyType_GetModuleState(type);
  const char *output_path;
  PyObject *board_object, *name, *value;
  Py_ssize_t position = 0;
  fnvm_options options = FNVM_OPTIONS_INIT;
  fnvm_status status;
  fnvm_board *board = NULL;
  PyObject *result = NULL;
  Engine *self = NULL;

  /* The cheap refusals come first: a bad rate is one on a machine without a board too. */
  if (!PyArg_ParseTuple(args, "yO:Engine", &output_path, &board_object)) {
    goto done;
  }
  while (kwargs != NULL && PyDict_Next(kwargs, &position, &name, &value)) {
    if (parse_option(name, value, &options) < 0) {
      goto done;
    }
  }
  self = (Engine *)PyType_GenericAlloc(type, 0);
  if (self == NULL) {
    goto done;
  }
  if (board_object == Py_None) {
    Py_BEGIN_ALLOW_THREADS
    status = fnvm_board_detect(NULL, &board);
    Py_END_ALLOW_THREADS
    if (status != FNVM_OK) {
      ext_raise(state, status);
      goto done;
    }
    self->board = ext_board_to_tuple(board);
    if (self->board == NULL) {
      goto done;
    }
  } else {
    if (ext_board_from_tuple(state, board_object, &board) < 0) {
      goto done;
    }
    Py_INCREF(board_object);
    self->board = board_object;
  }
  status = fnvm_engine_create(output_path, board, &options, &self->handle);
  if (status != FNVM_OK) {
    ext_raise(state, status);
    goto done;
  }
  result = (PyObject *)self;
  self = NULL;
done:
  fnvm_board_free(board);
  Py_XDECREF(self);
  return result;
}

static void engine_dealloc(PyObject *object)
{
  Engine *self = (Engine *)object;
  PyTypeObject *type = Py_TYPE(object);
  PyObject *exception, *value, *traceback;

  /* Another thread runs while the GIL is released, but the exception being raised here is ours. */
  PyErr_Fetch(&exception, &value, &traceback);
  if (self->handle != NULL) {
    Py_BEGIN_ALLOW_THREADS
    fnvm_engine_free(self->handle);
    Py_END_ALLOW_THREADS
  }
  Py_XDECREF(self->board);
  PyErr_Restore(exception, value, traceback);
  PyObject_Free(self);
  Py_DECREF(type);
}

/* ---- recording ------------------------------------------------------------------------------- */

PyDoc_STRVAR(start_doc, "start($self, /)\n--\n\nCreate the trace and start the tiers.");

static PyObject *engine_start(PyObject *object, PyObject *unused)
{
  Engine *self = (Engine *)object;
  fnvm_status status;
  (void)unused;
  Py_BEGIN_ALLOW_THREADS
  status = fnvm_engine_start(self->handle);
  Py_END_ALLOW_THREADS
  return none_or_raise(object, status);
}

PyDoc_STRVAR(stop_doc, "stop($self, /)\n--\n\nStop the tiers and complete the trace.");

static PyObject *engine_stop(PyObject *object, PyObject *unused)
{
  Engine *self = (Engine *)object;
  fnvm_status status;
  (void)unused;
  Py_BEGIN_ALLOW_THREADS
  status = fnvm_engine_stop(self->handle);
  Py_END_ALLOW_THREADS
  return none_or_raise(object, status);
}

/* Seconds to nanoseconds. None, infinity and what comes near it: no timeout. */
static int parse_timeout(PyObject *object, uint64_t *nanoseconds)
{
  const double longest = 1e9; /* seconds, 31 years */
  if (object == Py_None) {
    *nanoseconds = FNVM_NO_TIMEOUT;
    return 0;
  }
  const double seconds = PyFloat_AsDouble(object);
  if (seconds == -1.0 && PyErr_Occurred()) {
    return -1;
  }
  if (seconds != seconds) {
    PyErr_SetString(PyExc_ValueError, "timeout must not be NaN");
    return -1;
  }
  *nanoseconds = seconds >= longest ? FNVM_NO_TIMEOUT
                 : seconds > 0      ? (uint64_t)(seconds * 1e9)
                                    : 0;
  return 0;
}

PyDoc_STRVAR(wait_for_warmup_doc,
             "wait_for_warmup($self, /, timeout=None)\n--\n\n"
             "Wait until ten fast samples exist; timeout is in seconds.");

static PyObject *engine_wait_for_warmup(PyObject *object, PyObject *args, PyObject *kwargs)
{
  static char *keywords[] = {"timeout", NULL};
  Engine *self = (Engine *)object;
  PyObject *timeout = Py_None;
  uint64_t remaining;
  fnvm_status status;

  if (!PyArg_ParseTupleAndKeywords(args, kwargs, "|O:wait_for_warmup", keywords, &timeout) ||
      parse_timeout(timeout, &remaining) < 0) {
    return NULL;
  }
  for (;;) {
    const uint64_t slice =
        remaining < SIGNAL_CHECK_NANOSECONDS ? remaining : SIGNAL_CHECK_NANOSECONDS;
    Py_BEGIN_ALLOW_THREADS
    status = fnvm_engine_wait_for_warmup(self->handle, slice);
    Py_END_ALLOW_THREADS
    if (status != FNVM_E_TIMEOUT || slice == remaining) {
      return none_or_raise(object, status);
    }
    if (PyErr_CheckSignals() < 0) {
      return NULL;
    }
    if (remaining != FNVM_NO_TIMEOUT) {
      remaining -= slice;
    }
  }
}

/* The GIL stays while a mark is made. Taking it back can cost 5 ms where another thread computes, a mark costs
 * less than a microsecond. It waits for longer only where thousands of marks wait for a disk that takes none:
 * 100 ms once, until the disk goes on the next ones are refused at once. */

PyDoc_STRVAR(sync_doc,
             "sync($self, label=None, /)\n--\n\n"
             "Mark a phase boundary; return its id: 1, 2, 3, ...");

static PyObject *engine_sync(PyObject *object, PyObject *const *args, Py_ssize_t count)
{
  fnvm_engine *engine = ((Engine *)object)->handle;
  uint64_t id = 0;
  fnvm_status status;

  if (count > 1) {
    PyErr_Format(PyExc_TypeError, "sync takes at most 1 argument (%zd given)", count);
    return NULL;
  }
  if (count == 0 || args[0] == Py_None) {
    status = fnvm_engine_sync(engine, &id);
  } else {
    const char *label = ext_parse_text(args[0], "label");
    if (label == NULL) {
      return NULL;
    }
    status = fnvm_engine_sync_labelled(engine, label, &id);
  }
  return status == FNVM_OK ? PyLong_FromUnsignedLongLong(id) : ext_raise(state_of(object), status);
}

PyDoc_STRVAR(phase_begin_doc,
             "phase_begin($self, name, /)\n--\n\n"
             "Begin a phase inside of the one that this thread began last and has not ended; return its id.");

static PyObject *engine_phase_begin(PyObject *object, PyObject *name_object)
{
  const char *name = ext_parse_text(name_object, "name");
  uint64_t id = 0;

  if (name == NULL) {
    return NULL;
  }
  const fnvm_status status = fnvm_engine_phase_begin(((Engine *)object)->handle, name, &id);
  return status == FNVM_OK ? PyLong_FromUnsignedLongLong(id) : ext_raise(state_of(object), status);
}

PyDoc_STRVAR(phase_end_doc, "phase_end($self, id, /)\n--\n\nEnd the phase of that id, from any thread.");

static PyObject *engine_phase_end(PyObject *object, PyObject *id_object)
{
  const unsigned long long id = PyLong_AsUnsignedLongLong(id_object);
  if (id == (unsigned long long)-1 && PyErr_Occurred()) {
    return NULL;
  }
  return none_or_raise(object, fnvm_engine_phase_end(((Engine *)object)->handle, id));
}

PyDoc_STRVAR(rotate_doc,
             "rotate($self, output_path, /)\n--\n\n"
             "Complete the trace and go on into another one; output_path is bytes.");

static PyObject *engine_rotate(PyObject *object, PyObject *path_object)
{
  Engine *self = (Engine *)object;
  fnvm_status status;
  char *path;

  if (!PyBytes_Check(path_object)) {
    PyErr_Format(PyExc_TypeError, "output_path must be bytes, not %R", (PyObject *)Py_TYPE(path_object));
    return NULL;
  }
  /* Without a place for the size, a NUL in it is refused. */
  if (PyBytes_AsStringAndSize(path_object, &path, NULL) < 0) {
    return NULL;
  }
  Py_BEGIN_ALLOW_THREADS
  status = fnvm_engine_rotate(self->handle, path);
  Py_END_ALLOW_THREADS
  return none_or_raise(object, status);
}

PyDoc_STRVAR(annotate_doc,
             "annotate($self, key, value, /)\n--\n\n"
             "Say something of one's own about what is recorded.");

static PyObject *engine_annotate(PyObject *object, PyObject *const *args, Py_ssize_t count)
{
  const char *key, *value;

  if (count != 2) {
    PyErr_Format(PyExc_TypeError, "annotate takes 2 arguments (%zd given)", count);
    return NULL;
  }
  key = ext_parse_text(args[0], "key");
  value = key == NULL ? NULL : ext_parse_text(args[1], "value");
  if (value == NULL) {
    return NULL;
  }
  return none_or_raise(object, fnvm_engine_annotate(((Engine *)object)->handle, key, value));
}

/* ---- what it has to say ---------------------------------------------------------------------- */

static PyObject *engine_board(PyObject *object, void *unused)
{
  Engine *self = (Engine *)object;
  (void)unused;
  Py_INCREF(self->board);
  return self->board;
}

static PyObject *engine_sample_count(PyObject *object, void *unused)
{
  (void)unused;
  return PyLong_FromUnsignedLongLong(fnvm_engine_sample_count(((Engine *)object)->handle));
}

static PyObject *engine_is_running(PyObject *object, void *unused)
{
  (void)unused;
  return PyBool_FromLong(fnvm_engine_is_running(((Engine *)object)->handle));
}

PyDoc_STRVAR(snapshot_doc,
             "snapshot($self, /)\n--\n\n"
             "(start_monotonic_ns, fast, medium, slow): the newest record of each tier, as it is in a trace;\n"
             "None where there is none yet.");

static PyObject *engine_snapshot(PyObject *object, PyObject *unused)
{
  fnvm_snapshot snapshot = FNVM_SNAPSHOT_INIT;
  const fnvm_status status = fnvm_engine_snapshot(((Engine *)object)->handle, &snapshot);
  (void)unused;
  if (status != FNVM_OK) {
    return ext_raise(state_of(object), status);
  }
  /* y# makes None of NULL. */
#define RECORD(tier, field) \
  (snapshot.tiers & 1u << (tier)) != 0 ? (const char *)&snapshot.field : NULL, (Py_ssize_t)sizeof snapshot.field
  return Py_BuildValue("(Ky#y#y#)", (unsigned long long)snapshot.start_monotonic_ns,
                       RECORD(FNVM_TIER_FAST, fast), RECORD(FNVM_TIER_MEDIUM, medium),
                       RECORD(FNVM_TIER_SLOW, slow));
#undef RECORD
}

PyDoc_STRVAR(counts_doc,
             "counts($self, /)\n--\n\n"
             "Samples and sync points recorded, and what had to be left out, by name.");

static PyObject *engine_counts(PyObject *object, PyObject *unused)
{
  fnvm_counts counts = FNVM_COUNTS_INIT;
  const fnvm_status status = fnvm_engine_counts(((Engine *)object)->handle, &counts);
  (void)unused;
  if (status != FNVM_OK) {
    return ext_raise(state_of(object), status);
  }
  return Py_BuildValue(
      "{sK sK sK sK sK sK sK sK sK sK}",
      "fast_samples", (unsigned long long)counts.fast_samples,
      "medium_samples", (unsigned long long)counts.medium_samples,
      "slow_samples", (unsigned long long)counts.slow_samples,
      "sync_points", (unsigned long long)counts.sync_points,
      "missed_fast", (unsigned long long)counts.missed_fast,
      "missed_medium", (unsigned long long)counts.missed_medium,
      "missed_slow", (unsigned long long)counts.missed_slow,
      "dropped_samples", (unsigned long long)counts.dropped_samples,
      "read_errors", (unsigned long long)counts.read_errors,
      "negative_currents", (unsigned long long)counts.negative_currents);
}

PyDoc_STRVAR(stats_doc,
             "stats($self, /)\n--\n\n"
             "(elapsed_ns, cpu_ns, tiers, sources): what the recording did and what it cost.\n"
             "A tier is (rate_hz, samples, missed, dropped, median_ns, p99_ns, max_ns, buckets), a source\n"
             "(name, tier, own_thread, reads, failures, read_ns, longest_read_ns, mean_age_ns, oldest_ns).");

static PyObject *lateness_buckets(const fnvm_engine *engine, uint32_t tier)
{
  uint32_t count = fnvm_engine_lateness(engine, tier, NULL, 0);
  /* Between two calls while it records a few may be added. */
  const uint32_t capacity = count + 16;
  fnvm_lateness_bucket *buckets = PyMem_Malloc(capacity * sizeof *buckets);
  PyObject *list = NULL;

  if (buckets == NULL) {
    return PyErr_NoMemory();
  }
  count = fnvm_engine_lateness(engine, tier, buckets, capacity);
  if (count > capacity) {
    count = capacity;
  }
  list = PyList_New(count);
  for (uint32_t i = 0; list != NULL && i < count; i++) {
    PyObject *item = Py_BuildValue("(KK)", (unsigned long long)buckets[i].end_ns,
                                   (unsigned long long)buckets[i].ticks);
    if (item == NULL || PyList_SetItem(list, i, item) < 0) {
      Py_CLEAR(list);
    }
  }
  PyMem_Free(buckets);
  return list;
}

static PyObject *tier_stats(PyObject *object, uint32_t tier)
{
  const fnvm_engine *engine = ((Engine *)object)->handle;
  fnvm_tier_stats stats = FNVM_TIER_STATS_INIT;
  const fnvm_status status = fnvm_engine_tier_stats(engine, tier, &stats);
  if (status != FNVM_OK) {
    return ext_raise(state_of(object), status);
  }
  PyObject *buckets = lateness_buckets(engine, tier);
  return buckets == NULL
             ? NULL
             : Py_BuildValue("(IKKKKKKN)", (unsigned)stats.rate_hz,
                             (unsigned long long)stats.samples, (unsigned long long)stats.missed,
                             (unsigned long long)stats.dropped,
                             (unsigned long long)stats.lateness_median_ns,
                             (unsigned long long)stats.lateness_p99_ns,
                             (unsigned long long)stats.lateness_max_ns, buckets);
}

static PyObject *source_stats(PyObject *object, uint32_t index)
{
  fnvm_source_stats stats = FNVM_SOURCE_STATS_INIT;
  const fnvm_status status =
      fnvm_engine_source_stats(((Engine *)object)->handle, index, &stats);
  if (status != FNVM_OK) {
    return ext_raise(state_of(object), status);
  }
  return Py_BuildValue("(sIOKKKKKK)", stats.name, (unsigned)stats.tier,
                       stats.has_own_thread ? Py_True : Py_False,
                       (unsigned long long)stats.reads, (unsigned long long)stats.failures,
                       (unsigned long long)stats.read_ns,
                       (unsigned long long)stats.longest_read_ns,
                       (unsigned long long)stats.mean_age_ns,
                       (unsigned long long)stats.oldest_ns);
}

/* A list of what `make` returns for 0 to count - 1. */
static PyObject *list_of(PyObject *object, uint32_t count, PyObject *(*make)(PyObject *, uint32_t))
{
  PyObject *list = PyList_New(0);
  for (uint32_t i = 0; list != NULL && i < count; i++) {
    PyObject *item = make(object, i);
    if (item == NULL || PyList_Append(list, item) < 0) {
      Py_CLEAR(list);
    }
    Py_XDECREF(item);
  }
  return list;
}

static PyObject *engine_stats(PyObject *object, PyObject *unused)
{
  fnvm_stats stats = FNVM_STATS_INIT;
  const fnvm_status status = fnvm_engine_stats(((Engine *)object)->handle, &stats);
  (void)unused;
  if (status != FNVM_OK) {
    return ext_raise(state_of(object), status);
  }
  /* Nothing was recorded yet where there are no sources. */
  PyObject *tiers = list_of(object, stats.num_sources > 0 ? 3 : 0, tier_stats);
  PyObject *sources = tiers == NULL ? NULL : list_of(object, stats.num_sources, source_stats);
  if (sources == NULL) {
    Py_XDECREF(tiers);
    return NULL;
  }
  return Py_BuildValue("(KKNN)", (unsigned long long)stats.elapsed_ns,
                       (unsigned long long)stats.cpu_ns, tiers, sources);
}

PyDoc_STRVAR(notices_doc,
             "notices($self, /)\n--\n\n"
             "What the user should be told about the recording, one sentence each.");

static PyObject *engine_notices(PyObject *object, PyObject *unused)
{
  Engine *self = (Engine *)object;
  PyObject *list = PyList_New(0);
  const char *notice;
  (void)unused;
  if (list == NULL) {
    return NULL;
  }
  for (uint32_t i = 0; (notice = fnvm_engine_notice(self->handle, i)) != NULL; i++) {
    PyObject *item = PyUnicode_FromString(notice);
    if (item == NULL || PyList_Append(list, item) < 0) {
      Py_XDECREF(item);
      Py_CLEAR(list);
      break;
    }
    Py_DECREF(item);
  }
  return list;
}

/* ---- the type -------------------------------------------------------------------------------- */

static PyMethodDef engine_methods[] = {
    {"start", engine_start, METH_NOARGS, start_doc},
    {"stop", engine_stop, METH_NOARGS, stop_doc},
    {"wait_for_warmup", (PyCFunction)(void (*)(void))engine_wait_for_warmup,
     METH_VARARGS | METH_KEYWORDS, wait_for_warmup_doc},
    {"sync", (PyCFunction)(void (*)(void))engine_sync, METH_FASTCALL, sync_doc},
    {"phase_begin", engine_phase_begin, METH_O, phase_begin_doc},
    {"phase_end", engine_phase_end, METH_O, phase_end_doc},
    {"rotate", engine_rotate, METH_O, rotate_doc},
    {"annotate", (PyCFunction)(void (*)(void))engine_annotate, METH_FASTCALL, annotate_doc},
    {"snapshot", engine_snapshot, METH_NOARGS, snapshot_doc},
    {"counts", engine_counts, METH_NOARGS, counts_doc},
    {"stats", engine_stats, METH_NOARGS, stats_doc},
    {"notices", engine_notices, METH_NOARGS, notices_doc},
    {NULL, NULL, 0, NULL},
};

static PyObject *engine_gpu_source(PyObject *object, void *unused)
{
  fnvm_counts counts = FNVM_COUNTS_INIT;
  const fnvm_status status = fnvm_engine_counts(((Engine *)object)->handle, &counts);
  (void)unused;
  if (status != FNVM_OK) {
    return ext_raise(state_of(object), status);
  }
  return PyUnicode_FromString(counts.gpu_source == FNVM_GPU_SOURCE_COUNTERS ? "counters"
                              : counts.gpu_source == FNVM_GPU_SOURCE_LOAD   ? "load"
                                                                            : "none");
}

static PyGetSetDef engine_properties[] = {
    {"board", engine_board, NULL, "The board, as the tuple that was given or detected.", NULL},
    {"gpu_source", engine_gpu_source, NULL, "Where GPU load comes from.", NULL},
    {"sample_count", engine_sample_count, NULL, "Fast samples so far.", NULL},
    {"is_running", engine_is_running, NULL, "Whether it is recording.", NULL},
    {NULL, NULL, NULL, NULL, NULL},
};

PyDoc_STRVAR(engine_doc,
             "Engine(output_path, board, /, **options)\n--\n\n"
             "A recorder. output_path is bytes; board is a tuple, or None to detect it; options are the\n"
             "fields of fnvm_options.");

static PyType_Slot engine_slots[] = {
    {Py_tp_doc, (void *)engine_doc},
    {Py_tp_new, EXT_SLOT(engine_new)},
    {Py_tp_dealloc, EXT_SLOT(engine_dealloc)},
    {Py_tp_methods, engine_methods},
    {Py_tp_getset, engine_properties},
    {0, NULL},
};

PyType_Spec ext_engine_spec = {
    .name = "fastnvmetrics._ext.Engine",
    .basicsize = sizeof(Engine),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_IMMUTABLETYPE,
    .slots = engine_slots,
};
