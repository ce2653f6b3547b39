/* Phases, labels and snapshots: what a program marks is what a trace of it says. */
#include <fastnvmetrics/fastnvmetrics.h>
#include <math.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "check.h"
#include "fixture.h"

enum { CHUNK_HEADER = 16, EVENT = 128, LABEL = 1, BEGIN = 2, END = 3 };

static uint64_t begin(fnvm_engine *engine, const char *name) {
  uint64_t id = 0;
  CHECK_EQUAL(fnvm_engine_phase_begin(engine, name, &id), FNVM_OK);
  return id;
}

static void end(fnvm_engine *engine, uint64_t id) {
  CHECK_EQUAL(fnvm_engine_phase_end(engine, id), FNVM_OK);
}

/* An engine for root/run.bin that records. */
static fnvm_engine *started(fixture *f) {
  fnvm_engine *engine = fixture_engine(f, "run.bin");
  CHECK_EQUAL(fnvm_engine_start(engine), FNVM_OK);
  CHECK_EQUAL(fnvm_engine_wait_for_warmup(engine, FNVM_NO_TIMEOUT), FNVM_OK);
  return engine;
}

/* The trace of root/run.bin, NULL where it does not open. */
static fnvm_trace *opened(fixture *f) {
  fnvm_trace *trace = NULL;
  CHECK_EQUAL(fnvm_trace_open(fixture_path(f, "run.bin"), &trace), FNVM_OK);
  return trace;
}

/* Stops and frees the engine. */
static fnvm_trace *finished(fixture *f, fnvm_engine *engine) {
  CHECK_EQUAL(fnvm_engine_stop(engine), FNVM_OK);
  fnvm_engine_free(engine);
  return opened(f);
}

static fnvm_phase phase(const fnvm_trace *trace, uint32_t index) {
  fnvm_phase phase = FNVM_PHASE_INIT;
  CHECK_EQUAL(fnvm_trace_phase(trace, index, &phase), FNVM_OK);
  if (!phase.name) phase.name = "(none)";
  return phase;
}

static void check_phase(const fnvm_trace *trace, uint32_t index, const char *name, uint64_t parent,
                        uint64_t depth) {
  const fnvm_phase p = phase(trace, index);
  CHECK_TEXT(p.name, name);
  CHECK_EQUAL(p.id, index + 1);
  CHECK_EQUAL(p.parent, parent);
  CHECK_EQUAL(p.depth, depth);
  CHECK_EQUAL(p.was_ended, 1);
  CHECK(p.begin_ns <= p.end_ns);
}

/* ---- phases ---- */

static void phases_are_inside_of_each_other(void) {
  fixture f = fixture_create();
  fnvm_engine *engine = started(&f);
  const uint64_t outer = begin(engine, "decode");
  CHECK_EQUAL(outer, 1);
  end(engine, begin(engine, "attention"));
  const uint64_t second = begin(engine, "attention");
  CHECK(wait_for_samples(engine, fnvm_engine_sample_count(engine) + 20));
  end(engine, second);
  end(engine, outer);
  const uint64_t after = begin(engine, "after");
  CHECK_EQUAL(after, 4);
  end(engine, after);
  fnvm_trace *trace = finished(&f, engine);
  REQUIRE(trace != NULL);

  REQUIRE(fnvm_trace_num_phases(trace) == 4);
  check_phase(trace, 0, "decode", 0, 0);
  check_phase(trace, 1, "attention", 1, 1);
  check_phase(trace, 2, "attention", 1, 1);
  check_phase(trace, 3, "after", 0, 0);
  for (uint32_t i = 0; i < 4; i++)
    CHECK_EQUAL(phase(trace, i).thread, (uint32_t)syscall(SYS_gettid));
  CHECK(phase(trace, 0).begin_ns <= phase(trace, 1).begin_ns);
  CHECK(phase(trace, 1).end_ns <= phase(trace, 2).begin_ns);
  CHECK(phase(trace, 2).end_ns <= phase(trace, 0).end_ns);
  CHECK(phase(trace, 0).end_ns <= phase(trace, 3).begin_ns);
  CHECK_EQUAL(fnvm_trace_header(trace)->num_sync_points, 0); /* phases are none */

  /* The phase that lasted twenty samples has them, and all lie before the closing sample. */
  uint64_t count = 0, inside = 0;
  const fnvm_fast_sample *fast = fnvm_trace_fast(trace, &count);
  const fnvm_phase long_one = phase(trace, 2);
  for (uint64_t i = 0; i < count; i++)
    inside += fast[i].time_s * 1e9 >= (double)long_one.begin_ns &&
              fast[i].time_s * 1e9 < (double)long_one.end_ns;
  CHECK(inside >= 19); /* the first may have begun just before the phase */
  CHECK((double)phase(trace, 3).end_ns <= fast[count - 1].time_s * 1e9);
  fnvm_trace_close(trace);
  fixture_remove(&f);
}

static void an_outer_phase_may_end_before_those_inside(void) {
  fixture f = fixture_create();
  fnvm_engine *engine = started(&f);
  const uint64_t outer = begin(engine, "outer"), inner = begin(engine, "inner");
  end(engine, outer);
  const uint64_t next = begin(engine, "next"); /* inside of what this thread has open */
  end(engine, inner);
  end(engine, next);
  fnvm_trace *trace = finished(&f, engine);
  REQUIRE(fnvm_trace_num_phases(trace) == 3);
  check_phase(trace, 0, "outer", 0, 0);
  check_phase(trace, 1, "inner", 1, 1);
  check_phase(trace, 2, "next", 2, 2);
  CHECK(phase(trace, 0).end_ns <= phase(trace, 1).end_ns);
  fnvm_trace_close(trace);
  fixture_remove(&f);
}

static uint64_t ended_elsewhere;

static void *mark_on_another_thread(void *engine) {
  const uint64_t outer = begin(engine, "other");
  end(engine, begin(engine, "other, inner"));
  end(engine, ended_elsewhere);
  end(engine, outer);
  return NULL;
}

static void each_thread_has_phases_of_its_own(void) {
  fixture f = fixture_create();
  fnvm_engine *engine = started(&f);
  pthread_t thread;
  ended_elsewhere = begin(engine, "mine");
  REQUIRE(pthread_create(&thread, NULL, mark_on_another_thread, engine) == 0);
  pthread_join(thread, NULL);
  /* The other thread ended it; here, too, nothing is open any more. */
  CHECK_EQUAL(fnvm_engine_phase_end(engine, ended_elsewhere), FNVM_E_INVALID);
  end(engine, begin(engine, "mine again"));
  fnvm_trace *trace = finished(&f, engine);
  REQUIRE(fnvm_trace_num_phases(trace) == 4);
  check_phase(trace, 0, "mine", 0, 0);
  check_phase(trace, 1, "other", 0, 0);
  check_phase(trace, 2, "other, inner", 2, 1);
  check_phase(trace, 3, "mine again", 0, 0);
  CHECK(phase(trace, 0).thread != phase(trace, 1).thread);
  CHECK_EQUAL(phase(trace, 1).thread, phase(trace, 2).thread);
  CHECK_EQUAL(phase(trace, 0).thread, phase(trace, 3).thread);
  fnvm_trace_close(trace);
  fixture_remove(&f);
}

enum { THREADS = 4, ROUNDS = 500 };

static void *mark_many(void *engine) {
  for (int i = 0; i < ROUNDS; i++) {
    const uint64_t outer = begin(engine, "outer"), inner = begin(engine, "inner");
    end(engine, inner);
    end(engine, outer);
  }
  return NULL;
}

static void threads_at_once_do_not_mix_their_phases(void) {
  fixture f = fixture_create();
  fnvm_engine *engine = started(&f);
  pthread_t threads[THREADS];
  for (int i = 0; i < THREADS; i++)
    REQUIRE(pthread_create(&threads[i], NULL, mark_many, engine) == 0);
  for (int i = 0; i < THREADS; i++) pthread_join(threads[i], NULL);
  fnvm_trace *trace = finished(&f, engine);
  REQUIRE(fnvm_trace_num_phases(trace) == 2 * THREADS * ROUNDS);
  uint64_t last = 0;
  for (uint32_t i = 0; i < 2 * THREADS * ROUNDS; i++) {
    const fnvm_phase p = phase(trace, i);
    const int is_inner = strcmp(p.name, "inner") == 0;
    CHECK(p.id == i + 1 && p.begin_ns >= last && p.was_ended == 1);
    CHECK(p.depth == (uint64_t)is_inner && (p.parent != 0) == is_inner);
    if (p.parent) CHECK_EQUAL(phase(trace, (uint32_t)p.parent - 1).thread, p.thread);
    last = p.begin_ns;
  }
  fnvm_trace_close(trace);
  fixture_remove(&f);
}

static void a_phase_that_is_never_ended_ends_with_the_trace(void) {
  fixture f = fixture_create();
  fnvm_engine *engine = started(&f);
  begin(engine, "open");
  fnvm_trace *trace = finished(&f, engine);
  uint64_t count = 0;
  const fnvm_fast_sample *fast = fnvm_trace_fast(trace, &count);
  REQUIRE(fnvm_trace_num_phases(trace) == 1 && count > 0);
  CHECK_EQUAL(phase(trace, 0).was_ended, 0);
  CHECK_EQUAL(phase(trace, 0).end_ns, (uint64_t)(fast[count - 1].time_s * 1e9));
  fnvm_trace_close(trace);
  fixture_remove(&f);
}

static void ids_go_on_from_one_recording_to_the_next(void) {
  fixture f = fixture_create();
  fnvm_engine *engine = started(&f);
  const uint64_t left_open = begin(engine, "first recording");
  CHECK_EQUAL(fnvm_engine_stop(engine), FNVM_OK);
  CHECK_EQUAL(fnvm_engine_phase_end(engine, left_open), FNVM_E_NOT_RUNNING);
  CHECK_EQUAL(fnvm_engine_start(engine), FNVM_OK);
  /* What was left open is not open in this one. */
  CHECK_EQUAL(fnvm_engine_phase_end(engine, left_open), FNVM_E_INVALID);
  CHECK_EQUAL(begin(engine, "second recording"), left_open + 1);
  fnvm_trace *trace = finished(&f, engine);
  REQUIRE(fnvm_trace_num_phases(trace) == 1);
  CHECK_TEXT(phase(trace, 0).name, "second recording");
  CHECK_EQUAL(phase(trace, 0).depth, 0);
  fnvm_trace_close(trace);
  fixture_remove(&f);
}

static void what_cannot_be_marked_is_refused(void) {
  fixture f = fixture_create();
  fnvm_engine *engine = started(&f);
  uint64_t id = 77;
  const uint64_t once = begin(engine, "once");
  end(engine, once);
  const uint64_t wrong[] = {once, 0, 2, 77, UINT64_MAX};
  for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
    CHECK_EQUAL(fnvm_engine_phase_end(engine, wrong[i]), FNVM_E_INVALID);
  CHECK(strstr(fnvm_last_error_message(), " 18446744073709551615 ") != NULL);
  CHECK_EQUAL(fnvm_engine_phase_begin(engine, "", &id), FNVM_E_INVALID);
  CHECK_EQUAL(fnvm_engine_phase_begin(engine, NULL, &id), FNVM_E_INVALID);
  CHECK_EQUAL(fnvm_engine_phase_begin(engine, "no id", NULL), FNVM_E_INVALID);
  CHECK_EQUAL(fnvm_engine_sync_labelled(engine, "", &id), FNVM_E_INVALID);
  CHECK_EQUAL(fnvm_engine_sync_labelled(engine, NULL, &id), FNVM_E_INVALID);
  CHECK_EQUAL(id, 77);
  fnvm_trace *trace = finished(&f, engine);
  CHECK_EQUAL(fnvm_trace_num_phases(trace), 1);
  CHECK_EQUAL(fnvm_trace_header(trace)->num_sync_points, 0);
  fnvm_phase out = FNVM_PHASE_INIT;
  CHECK_EQUAL(fnvm_trace_phase(trace, 1, &out), FNVM_E_INVALID);
  CHECK_EQUAL(fnvm_trace_phase(trace, 0, NULL), FNVM_E_INVALID);
  out.struct_size = sizeof out - 1;
  CHECK_EQUAL(fnvm_trace_phase(trace, 0, &out), FNVM_E_INVALID);
  CHECK(out.name == NULL);
  fnvm_trace_close(trace);
  fixture_remove(&f);
}

static void an_engine_that_does_not_run_cannot_be_marked(void) {
  fixture f = fixture_create();
  fnvm_engine *engine = fixture_engine(&f, "run.bin");
  for (int round = 0; round < 2; round++) {
    fnvm_snapshot snapshot = FNVM_SNAPSHOT_INIT;
    uint64_t id = 77;
    CHECK_EQUAL(fnvm_engine_phase_begin(engine, "idle", &id), FNVM_E_NOT_RUNNING);
    CHECK_EQUAL(fnvm_engine_phase_end(engine, 1), FNVM_E_NOT_RUNNING);
    CHECK_EQUAL(fnvm_engine_sync_labelled(engine, "idle", &id), FNVM_E_NOT_RUNNING);
    CHECK_EQUAL(fnvm_engine_snapshot(engine, &snapshot), FNVM_E_NOT_RUNNING);
    CHECK(id == 77 && snapshot.tiers == 0);
    if (round == 0) CHECK(record_briefly(engine));
  }
  fnvm_engine_free(engine);
  fixture_remove(&f);
}

static void open_phases_are_limited(void) {
  fixture f = fixture_create();
  fnvm_engine *engine = started(&f);
  uint64_t id = 77;
  for (int i = 0; i < 4096; i++) begin(engine, "leak");
  CHECK_EQUAL(fnvm_engine_phase_begin(engine, "one more", &id), FNVM_E_INVALID);
  CHECK_EQUAL(id, 77);
  end(engine, 4096);
  CHECK_EQUAL(begin(engine, "room again"), 4097);
  fnvm_trace *trace = finished(&f, engine);
  CHECK_EQUAL(fnvm_trace_num_phases(trace), 4097);
  CHECK_EQUAL(phase(trace, 4096).depth, 4095);
  fnvm_trace_close(trace);
  fixture_remove(&f);
}

/* ---- names and labels ---- */

#define EIGHTY "0123456789012345678901234567890123456789012345678901234567890123456789012345678\303"

static const struct {
  const char *given, *kept;
} names[] = {
    {"step tv\303\245", "step tv\303\245"},
    {"a\nb\t\"c\"\\", "a\nb\t\"c\"\\"},
    {"bad \xff", "bad \357\277\275"},                  /* bytes of no encoding become U+FFFD */
    {"cut \303", "cut \357\277\275"},
    {"\xed\xa0\x80", "\357\277\275\357\277\275\357\277\275"}, /* a surrogate is none either */
    {EIGHTY "\251aaaaaa", EIGHTY "\251aaaaaa"},        /* 87 bytes */
    {EIGHTY "\251aaaaaab", EIGHTY "\251aaaaaa"},       /* 88 */
    {EIGHTY "\251aaaaa\303\251", EIGHTY "\251aaaaa"},  /* a character across the end */
    {EIGHTY "\251aaa\360\237\224\245", EIGHTY "\251aaa"},
};
enum { NAMES = sizeof names / sizeof *names };

static void names_reach_the_trace_as_they_fit(void) {
  fixture f = fixture_create();
  fnvm_engine *engine = started(&f);
  for (uint64_t i = 0; i < NAMES; i++) {
    uint64_t id = 0;
    end(engine, begin(engine, names[i].given));
    CHECK_EQUAL(fnvm_engine_sync_labelled(engine, names[i].given, &id), FNVM_OK);
    CHECK_EQUAL(id, i + 1);
  }
  fnvm_trace *trace = finished(&f, engine);
  REQUIRE(fnvm_trace_num_phases(trace) == NAMES);
  for (uint32_t i = 0; i < NAMES; i++) {
    const char *label = fnvm_trace_sync_label(trace, i + 1, NULL);
    CHECK(strlen(names[i].kept) <= FNVM_MAX_NAME_BYTES);
    CHECK_TEXT(phase(trace, i).name, names[i].kept);
    CHECK_TEXT(label ? label : "(none)", names[i].kept);
  }
  fnvm_trace_close(trace);
  fixture_remove(&f);
}

static void labels_belong_to_their_sync_points(void) {
  fixture f = fixture_create();
  fnvm_engine *engine = started(&f);
  uint64_t first = 0, second = 0, third = 0, time = 77, later = 0;
  CHECK_EQUAL(fnvm_engine_sync(engine, &first), FNVM_OK);
  CHECK_EQUAL(fnvm_engine_sync_labelled(engine, "second", &second), FNVM_OK);
  CHECK_EQUAL(fnvm_engine_sync_labelled(engine, "third", NULL), FNVM_OK);
  CHECK_EQUAL(fnvm_engine_sync(engine, &third), FNVM_OK);
  CHECK(first == 1 && second == 2 && third == 4);
  fnvm_trace *trace = finished(&f, engine);

  uint64_t count = 0, samples = 0;
  const fnvm_sync_point *points = fnvm_trace_sync_points(trace, &count);
  const fnvm_fast_sample *fast = fnvm_trace_fast(trace, &samples);
  REQUIRE(count == 4);
  for (uint64_t i = 0; i < count; i++) CHECK_EQUAL(points[i].sync_id, i + 1);
  const uint64_t without[] = {0, 1, 4, 5, UINT64_MAX};
  for (size_t i = 0; i < sizeof without / sizeof *without; i++)
    CHECK(fnvm_trace_sync_label(trace, without[i], &time) == NULL);
  CHECK_EQUAL(time, 77);
  const char *label = fnvm_trace_sync_label(trace, 2, &time);
  CHECK_TEXT(label ? label : "(none)", "second");
  label = fnvm_trace_sync_label(trace, 3, &later);
  CHECK_TEXT(label ? label : "(none)", "third");
  CHECK(time <= later);
  /* The mark was made before the first sample after it. */
  REQUIRE(points[1].fast_sample_idx < samples);
  CHECK((double)time <= fast[points[1].fast_sample_idx].time_s * 1e9);
  CHECK_EQUAL(fnvm_trace_num_phases(trace), 0); /* labels are none */
  fnvm_trace_close(trace);
  fixture_remove(&f);
}

/* ---- snapshots ---- */

/* Whether the META chunk of root/run.bin has this in it. */
static int metadata_says(const fnvm_trace *trace, const char *text) {
  fnvm_chunk chunk = FNVM_CHUNK_INIT;
  for (uint32_t i = 0; fnvm_trace_chunk(trace, i, &chunk) == FNVM_OK; i++)
    if (strcmp(chunk.type, "META") == 0 && memmem(chunk.payload, chunk.size, text, strlen(text))) return 1;
  return 0;
}

static void annotations_are_in_the_metadata(void) {
  fixture f = fixture_create();
  fnvm_engine *engine = fixture_engine(&f, "run.bin");
  CHECK_EQUAL(fnvm_engine_annotate(engine, "model", "llama \"8B\""), FNVM_OK);
  CHECK_EQUAL(fnvm_engine_start(engine), FNVM_OK);
  CHECK_EQUAL(fnvm_engine_annotate(engine, "step", "1"), FNVM_OK);
  CHECK_EQUAL(fnvm_engine_annotate(engine, "step", "not UTF-8: \xFF"), FNVM_OK);
  CHECK_EQUAL(fnvm_engine_annotate(engine, "", "x"), FNVM_E_INVALID);
  char longest[FNVM_MAX_VALUE_BYTES + 2];
  memset(longest, 'v', sizeof longest);
  longest[FNVM_MAX_VALUE_BYTES + 1] = 0;
  CHECK_EQUAL(fnvm_engine_annotate(engine, "k", longest), FNVM_E_INVALID);
  CHECK_TEXT(fnvm_last_error_message(), "the annotation k is 0 to 4096 bytes long, not 4097");
  longest[FNVM_MAX_KEY_BYTES + 1] = 0;
  CHECK_EQUAL(fnvm_engine_annotate(engine, longest, "x"), FNVM_E_INVALID);
  fnvm_trace *trace = finished(&f, engine);
  CHECK(metadata_says(trace, "\"annotations\":{\"model\":\"llama \\\"8B\\\"\",\"step\":\"not UTF-8: \xEF\xBF\xBD\"}"));
  fnvm_trace_close(trace);
  fixture_remove(&f);
}

static void a_snapshot_shows_the_board(void) {
  fixture f = fixture_create();
  fnvm_engine *engine = started(&f);
  fnvm_snapshot snapshot = FNVM_SNAPSHOT_INIT;
  const uint32_t all = 1u << FNVM_TIER_FAST | 1u << FNVM_TIER_MEDIUM | 1u << FNVM_TIER_SLOW;
  /* Until there is a sample of each tier, and CPU utilisation is known. */
  while (snapshot.tiers != all || isnan(snapshot.fast.cpu_aggregate)) {
    REQUIRE(fnvm_engine_snapshot(engine, &snapshot) == FNVM_OK);
    CHECK_EQUAL(snapshot.struct_size, sizeof snapshot);
    if (!(snapshot.tiers & 1u << FNVM_TIER_SLOW)) CHECK(snapshot.slow.temp_c[0] == 0);
  }
  CHECK_EQUAL(snapshot.fast.gpu_load, FIXTURE_GPU_LOAD);
  CHECK(snapshot.fast.emc_util == FIXTURE_EMC_UTIL);
  CHECK_EQUAL(snapshot.fast.ram_available_kb, FIXTURE_RAM_AVAILABLE_KB);
  CHECK_EQUAL(snapshot.fast.ram_used_kb, FIXTURE_RAM_TOTAL_KB - FIXTURE_RAM_AVAILABLE_KB);
  CHECK(snapshot.medium.voltage_mv[0] == 5000 && snapshot.medium.current_ma[0] == 1234);
  CHECK(snapshot.medium.power_mw[0] == 6170.0f && snapshot.medium.power_mw[1] == 760.0f);
  CHECK(snapshot.slow.temp_c[0] == 45.5f && snapshot.slow.temp_c[1] == 51.25f);

  /* Others see what is new, and never an older sample. */
  const uint64_t before = fnvm_engine_sample_count(engine);
  double last = snapshot.fast.time_s;
  fixture_write(&f, "sys/gpu/load", "900\n");
  while (snapshot.fast.gpu_load != 900) {
    REQUIRE(fnvm_engine_snapshot(engine, &snapshot) == FNVM_OK);
    CHECK(snapshot.fast.time_s >= last);
    last = snapshot.fast.time_s;
  }
  CHECK(fnvm_engine_sample_count(engine) > before);

  snapshot.struct_size = sizeof snapshot - 1;
  snapshot.tiers = 77;
  CHECK_EQUAL(fnvm_engine_snapshot(engine, &snapshot), FNVM_E_INVALID);
  CHECK_EQUAL(snapshot.tiers, 77);
  fnvm_trace *trace = finished(&f, engine);
  REQUIRE(trace != NULL);
  uint64_t count = 0, found = 0;
  const fnvm_fast_sample *fast = fnvm_trace_fast(trace, &count);
  for (uint64_t i = 0; i < count; i++) found += fast[i].time_s == last && fast[i].gpu_load == 900;
  CHECK_EQUAL(found, 1); /* what it showed is in the trace */
  CHECK_EQUAL(fnvm_trace_header(trace)->start_monotonic_ns, snapshot.start_monotonic_ns);
  fnvm_trace_close(trace);
  fixture_remove(&f);
}

/* ---- a trace that is damaged or lies ---- */

static uint32_t crc32_of(const unsigned char *bytes, size_t size) {
  uint32_t crc = UINT32_MAX;
  for (size_t i = 0; i < size; i++) {
    crc ^= bytes[i];
    for (int bit = 0; bit < 8; bit++) crc = crc >> 1 ^ (crc & 1 ? 0xEDB88320u : 0);
  }
  return ~crc;
}

/* A PHAS chunk with these events in the place of that of root/run.bin. */
static fnvm_trace *with_events(fixture *f, const unsigned char *events, size_t size) {
  size_t whole = 0;
  unsigned char *bytes = read_file(fixture_path(f, "run.bin"), &whole);
  fnvm_file_header header;
  if (!bytes) exit(2);
  memcpy(&header, bytes, sizeof header);
  const size_t start = (size_t)header.chunks_offset;
  unsigned char *changed = calloc(1, start + CHUNK_HEADER + size);
  if (start == 0 || start > whole || !changed) exit(2);
  memcpy(changed, bytes, start);
  const uint64_t length = size;
  const uint32_t crc = crc32_of(events, size);
  memcpy(changed + start, "PHAS", 4);
  memcpy(changed + start + 4, &length, sizeof length);
  memcpy(changed + start + 12, &crc, sizeof crc);
  memcpy(changed + start + CHUNK_HEADER, events, size);
  fixture_write_bytes(f, "run.bin", changed, start + CHUNK_HEADER + size);
  free(changed);
  free(bytes);
  return opened(f);
}

static void event(unsigned char *at, uint32_t kind, uint64_t id, uint64_t parent, uint64_t time,
                  const char *name) {
  memset(at, 0, EVENT);
  memcpy(at, &time, sizeof time);
  memcpy(at + 16, &kind, sizeof kind);
  memcpy(at + 24, &id, sizeof id);
  memcpy(at + 32, &parent, sizeof parent);
  memcpy(at + 40, name, strlen(name));
}

static void record_one_phase(fixture *f) {
  fnvm_engine *engine = started(f);
  CHECK_EQUAL(fnvm_engine_sync_labelled(engine, "label", NULL), FNVM_OK);
  end(engine, begin(engine, "phase"));
  fnvm_trace_close(finished(f, engine));
}

static void damaged_phases_do_the_samples_no_harm(void) {
  fixture f = fixture_create();
  record_one_phase(&f);
  size_t size = 0;
  unsigned char *bytes = read_file(fixture_path(&f, "run.bin"), &size);
  fnvm_file_header header;
  REQUIRE(bytes != NULL);
  memcpy(&header, bytes, sizeof header);
  const size_t start = (size_t)header.chunks_offset, past = start + CHUNK_HEADER + 3 * EVENT;
  for (size_t at = start; at < past; at += 7) {
    bytes[at] ^= 0x10;
    fixture_write_bytes(&f, "run.bin", bytes, size);
    bytes[at] ^= 0x10;
    fnvm_trace *trace = opened(&f);
    uint64_t count = 0;
    CHECK_EQUAL(fnvm_trace_num_phases(trace), 0);
    CHECK(fnvm_trace_sync_label(trace, 1, NULL) == NULL);
    CHECK(fnvm_trace_fast(trace, &count) != NULL && count == header.num_fast_samples);
    CHECK(fnvm_trace_sync_points(trace, &count) != NULL && count == 1);
    fnvm_trace_close(trace);
  }
  for (size_t cut = start; cut < past; cut += 13) {
    fixture_write_bytes(&f, "run.bin", bytes, cut);
    fnvm_trace *trace = opened(&f);
    CHECK_EQUAL(fnvm_trace_num_phases(trace), 0);
    fnvm_trace_close(trace);
  }
  free(bytes);
  fixture_remove(&f);
}

static void events_that_make_no_sense_are_passed_over(void) {
  fixture f = fixture_create();
  unsigned char events[13 * EVENT + 1] = {0}, *at = events;
  char full[89];
  memset(full, 'n', 88);
  full[88] = 0;
  record_one_phase(&f);
  event(at, END, 1, 0, 100, ""), at += EVENT;                /* of what did not begin */
  event(at, BEGIN, 0, 0, 200, "no id"), at += EVENT;
  event(at, BEGIN, 2, 2, 300, "its own parent"), at += EVENT;
  event(at, BEGIN, 2, 0, 400, "the same id"), at += EVENT;
  event(at, BEGIN, 9, 2, 500, full), at += EVENT;            /* no NUL ends it */
  event(at, 99, 10, 0, 600, "a kind of a later version"), at += EVENT;
  event(at, END, 9, 0, 450, ""), at += EVENT;                /* before it began */
  event(at, END, 9, 0, 900, ""), at += EVENT;                /* twice */
  event(at, BEGIN, UINT64_MAX, 77, UINT64_MAX, "last"), at += EVENT;
  event(at, BEGIN, 3, 0, 700, "an id of before"), at += EVENT;
  event(at, LABEL, 1, 0, 800, "label"), at += EVENT;
  event(at, LABEL, 1, 0, 800, "another"), at += EVENT;
  event(at, LABEL, 2, 0, 800, "of no mark"), at += EVENT;
  fnvm_trace *trace = with_events(&f, events, sizeof events); /* a byte of one more at the end */
  REQUIRE(fnvm_trace_num_phases(trace) == 3);
  CHECK(phase(trace, 0).id == 2 && phase(trace, 0).parent == 0 && phase(trace, 0).was_ended == 0);
  CHECK_TEXT(phase(trace, 0).name, "its own parent");
  CHECK(phase(trace, 1).id == 9 && phase(trace, 1).parent == 2 && phase(trace, 1).depth == 1);
  CHECK(phase(trace, 1).begin_ns == 500 && phase(trace, 1).end_ns == 500);
  CHECK_EQUAL(phase(trace, 1).was_ended, 1);
  CHECK_EQUAL(strlen(phase(trace, 1).name), FNVM_MAX_NAME_BYTES);
  CHECK(phase(trace, 2).id == UINT64_MAX && phase(trace, 2).parent == 0);
  CHECK(phase(trace, 2).begin_ns == UINT64_MAX && phase(trace, 2).end_ns == UINT64_MAX);
  const char *label = fnvm_trace_sync_label(trace, 1, NULL);
  CHECK_TEXT(label ? label : "(none)", "label");
  CHECK(fnvm_trace_sync_label(trace, 2, NULL) == NULL);
  fnvm_trace_close(trace);

  trace = with_events(&f, events, 0);
  CHECK_EQUAL(fnvm_trace_num_phases(trace), 0);
  fnvm_trace_close(trace);
  fixture_remove(&f);
}

static void traces_of_the_reference_have_no_phases(void) {
  fnvm_trace *trace = NULL;
  REQUIRE(fnvm_trace_open(GOLDEN_DIRECTORY "/agx_orin_v1.bin", &trace) == FNVM_OK);
  CHECK_EQUAL(fnvm_trace_num_phases(trace), 0);
  CHECK(fnvm_trace_sync_label(trace, 1, NULL) == NULL);
  fnvm_trace_close(trace);
  CHECK_EQUAL(fnvm_trace_num_phases(NULL), 0);
  CHECK(fnvm_trace_sync_label(NULL, 1, NULL) == NULL);
}

/* ---- forked children ---- */

static void a_child_cannot_mark_the_recording_of_its_parent(void) {
  fixture f = fixture_create();
  fnvm_engine *engine = started(&f);
  const uint64_t open = begin(engine, "parent");
  int status = 0;
  fflush(NULL);
  const pid_t child = fork();
  REQUIRE(child >= 0);
  if (child == 0) {
    fnvm_snapshot snapshot = FNVM_SNAPSHOT_INIT;
    uint64_t id = 77;
    checks_failed = 0;
    CHECK_EQUAL(fnvm_engine_phase_begin(engine, "child", &id), FNVM_E_FORKED);
    CHECK_EQUAL(fnvm_engine_phase_end(engine, open), FNVM_E_FORKED);
    CHECK_EQUAL(fnvm_engine_sync_labelled(engine, "child", &id), FNVM_E_FORKED);
    CHECK_EQUAL(fnvm_engine_snapshot(engine, &snapshot), FNVM_E_FORKED);
    CHECK(id == 77 && snapshot.tiers == 0);
    fnvm_engine_free(engine);
    _exit(checks_failed != 0);
  }
  CHECK(waitpid(child, &status, 0) == child && WIFEXITED(status) && WEXITSTATUS(status) == 0);
  end(engine, open);
  fnvm_trace *trace = finished(&f, engine);
  CHECK_EQUAL(fnvm_trace_num_phases(trace), 1);
  check_phase(trace, 0, "parent", 0, 0);
  CHECK_EQUAL(fnvm_trace_header(trace)->num_sync_points, 0);
  fnvm_trace_close(trace);
  fixture_remove(&f);
}

int main(void) {
  unsetenv("FASTNVMETRICS_ROOT");
  RUN(phases_are_inside_of_each_other);
  RUN(an_outer_phase_may_end_before_those_inside);
  RUN(each_thread_has_phases_of_its_own);
  RUN(threads_at_once_do_not_mix_their_phases);
  RUN(a_phase_that_is_never_ended_ends_with_the_trace);
  RUN(ids_go_on_from_one_recording_to_the_next);
  RUN(what_cannot_be_marked_is_refused);
  RUN(an_engine_that_does_not_run_cannot_be_marked);
  RUN(open_phases_are_limited);
  RUN(names_reach_the_trace_as_they_fit);
  RUN(labels_belong_to_their_sync_points);
  RUN(annotations_are_in_the_metadata);
  RUN(a_snapshot_shows_the_board);
  RUN(damaged_phases_do_the_samples_no_harm);
  RUN(events_that_make_no_sense_are_passed_over);
  RUN(traces_of_the_reference_have_no_phases);
  RUN(a_child_cannot_mark_the_recording_of_its_parent);
  return finish();
}
