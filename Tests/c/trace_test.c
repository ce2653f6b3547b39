/* Reading traces: those of the reference, and damaged ones, which are refused or read, never fatal.
 * */
#include <errno.h>
#include <fastnvmetrics/fastnvmetrics.h>
#include <stddef.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "check.h"
#include "fixture.h"

enum { HEADER = 728, FAST = 98, MEDIUM = 104, SLOW = 72, SYNC = 16, FLIPS = 3000 };

/* A complete trace as bytes, and a file to write damaged copies of it into. */
typedef struct specimen {
  fixture tree;
  unsigned char *bytes;
  size_t size;
  fnvm_file_header header;
} specimen;

static specimen specimen_create(void) {
  specimen s = {.tree = fixture_create()};
  fnvm_engine *engine = fixture_engine(&s.tree, "run.bin");
  if (fnvm_engine_start(engine) != FNVM_OK || fnvm_engine_sync(engine, NULL) != FNVM_OK ||
      !wait_for_samples(engine, 30) || fnvm_engine_sync(engine, NULL) != FNVM_OK ||
      fnvm_engine_stop(engine) != FNVM_OK ||
      !(s.bytes = read_file(fixture_path(&s.tree, "run.bin"), &s.size))) {
    fprintf(stderr, "specimen: %s\n", fnvm_last_error_message());
    exit(2);
  }
  fnvm_engine_free(engine);
  memcpy(&s.header, s.bytes, sizeof s.header);
  return s;
}

static void specimen_remove(specimen *s) {
  free(s->bytes);
  fixture_remove(&s->tree);
}

/* Opens the first `size` bytes as a file and, where that is allowed, touches every byte of it. */
static fnvm_status open_bytes(specimen *s, const void *bytes, size_t size) {
  static volatile unsigned char sink;
  fixture_write_bytes(&s->tree, "damaged.bin", bytes, size);
  fnvm_trace *trace = NULL;
  fnvm_status status = fnvm_trace_open(fixture_path(&s->tree, "damaged.bin"), &trace);
  CHECK_EQUAL(status == FNVM_OK, trace != NULL);
  if (trace) {
    uint64_t counts[4] = {0};
    const void *const records[] = {
        fnvm_trace_fast(trace, &counts[0]), fnvm_trace_medium(trace, &counts[1]),
        fnvm_trace_slow(trace, &counts[2]), fnvm_trace_sync_points(trace, &counts[3])};
    static const size_t sizes[] = {FAST, MEDIUM, SLOW, SYNC};
    uint64_t total = HEADER;
    for (int tier = 0; tier < 4; tier++) {
      const unsigned char *first = records[tier];
      for (uint64_t i = 0; i < counts[tier] * sizes[tier]; i++) sink ^= first[i];
      total += counts[tier] * sizes[tier];
    }
    CHECK(total <= size);
  } else {
    CHECK(*fnvm_last_error_message() != 0);
  }
  fnvm_trace_close(trace);
  return status;
}

static fnvm_status open_with_header(specimen *s, const fnvm_file_header *header) {
  memcpy(s->bytes, header, sizeof *header);
  fnvm_status status = open_bytes(s, s->bytes, s->size);
  memcpy(s->bytes, &s->header, sizeof s->header);
  return status;
}

static void null_is_refused_everywhere(void) {
  fnvm_trace *trace = NULL;
  uint64_t count = 77;
  int recovered = 77;
  CHECK_EQUAL(fnvm_trace_open(NULL, &trace), FNVM_E_INVALID);
  CHECK_EQUAL(fnvm_trace_open("run.bin", NULL), FNVM_E_INVALID);
  CHECK_EQUAL(fnvm_trace_recover(NULL, &recovered), FNVM_E_INVALID);
  CHECK_EQUAL(recovered, 77);
  CHECK(fnvm_trace_header(NULL) == NULL);
  CHECK(fnvm_trace_fast(NULL, &count) == NULL && count == 0);
  CHECK(fnvm_trace_medium(NULL, NULL) == NULL);
  CHECK(fnvm_trace_slow(NULL, NULL) == NULL);
  CHECK(fnvm_trace_sync_points(NULL, NULL) == NULL);
  fnvm_trace_close(NULL);
}

static void what_is_no_trace_is_refused(void) {
  fixture f = fixture_create();
  fnvm_trace *trace = NULL;
  CHECK_EQUAL(fnvm_trace_open(fixture_path(&f, "missing.bin"), &trace), FNVM_E_IO);
  CHECK_EQUAL(fnvm_last_error_errno(), ENOENT);
  CHECK_EQUAL(fnvm_trace_recover(fixture_path(&f, "missing.bin"), NULL), FNVM_E_IO);
  CHECK_EQUAL(fnvm_trace_open(f.root, &trace), FNVM_E_IO);
  CHECK_EQUAL(fnvm_last_error_errno(), EISDIR);
  CHECK_EQUAL(fnvm_trace_open(fixture_path(&f, "proc/stat"), &trace), FNVM_E_FORMAT);
  CHECK_EQUAL(fnvm_trace_recover(fixture_path(&f, "proc/stat"), NULL), FNVM_E_FORMAT);
  CHECK(fnvm_trace_open("", &trace) != FNVM_OK);
  CHECK(fnvm_trace_open("/dev/null", &trace) != FNVM_OK);
  CHECK(fnvm_trace_open("/dev/zero", &trace) != FNVM_OK);
  fixture_write(&f, "empty.bin", "");
  CHECK_EQUAL(fnvm_trace_open(fixture_path(&f, "empty.bin"), &trace), FNVM_E_FORMAT);
  /* Opening a FIFO would wait for its writer, for ever. */
  REQUIRE(mkfifo(fixture_path(&f, "fifo"), 0600) == 0);
  CHECK(fnvm_trace_open(fixture_path(&f, "fifo"), &trace) != FNVM_OK);
  CHECK(fnvm_trace_recover(fixture_path(&f, "fifo"), NULL) != FNVM_OK);
  CHECK(trace == NULL);
  fixture_remove(&f);
}

static void traces_of_the_reference_open(void) {
  fnvm_trace *trace = NULL;
  uint64_t count = 0;
  REQUIRE(fnvm_trace_open(GOLDEN_DIRECTORY "/short_v1.bin", &trace) == FNVM_OK);
  CHECK_TEXT(fnvm_trace_header(trace)->board_name, "agx_orin");
  CHECK_EQUAL(fnvm_trace_header(trace)->num_cpu_cores, 12);
  CHECK_TEXT(fnvm_trace_header(trace)->power_rail_names[3], "VDDQ_VDD2_1V8AO");
  CHECK_EQUAL(fnvm_trace_header(trace)->flags, 0);
  const fnvm_fast_sample *fast = fnvm_trace_fast(trace, &count);
  REQUIRE(count == 11);
  CHECK(fast[0].time_s == 0.0003388719997019507);
  CHECK(fast[10].time_s == 0.01836929000000964);
  CHECK_EQUAL(fast[10].gpu_load, 900);
  fnvm_trace_close(trace);

  CHECK_EQUAL(fnvm_trace_open(GOLDEN_DIRECTORY "/agx_orin_v1.bin", &trace), FNVM_OK);
  fnvm_trace_close(trace);
  CHECK_EQUAL(fnvm_trace_open(GOLDEN_DIRECTORY "/orin_nx_v1.bin", &trace), FNVM_OK);
  fnvm_trace_close(trace);
}

static void a_trace_cut_anywhere_is_refused(void) {
  specimen s = specimen_create();
  const uint64_t counts[] = {s.header.num_fast_samples, s.header.num_medium_samples,
                             s.header.num_slow_samples, s.header.num_sync_points};
  static const size_t sizes[] = {FAST, MEDIUM, SLOW, SYNC};
  CHECK_EQUAL(open_bytes(&s, s.bytes, s.size), FNVM_OK);
  for (size_t size = 0; size < HEADER; size += 13)
    CHECK_EQUAL(open_bytes(&s, s.bytes, size), FNVM_E_FORMAT);
  CHECK_EQUAL(open_bytes(&s, s.bytes, HEADER - 1), FNVM_E_FORMAT);

  size_t boundary = HEADER;
  for (int tier = 0; tier < 4; tier++)
    for (uint64_t i = 0; i < counts[tier]; i++, boundary += sizes[tier]) {
      CHECK_EQUAL(open_bytes(&s, s.bytes, boundary), FNVM_E_FORMAT);
      CHECK_EQUAL(open_bytes(&s, s.bytes, boundary + 1), FNVM_E_FORMAT);
    }
  CHECK_EQUAL(boundary, s.size);
  CHECK_EQUAL(open_bytes(&s, s.bytes, s.size - 1), FNVM_E_FORMAT);
  specimen_remove(&s);
}

static void bytes_after_the_end_are_ignored(void) {
  specimen s = specimen_create();
  unsigned char *longer = calloc(1, s.size + 100);
  REQUIRE(longer != NULL);
  memcpy(longer, s.bytes, s.size);
  CHECK_EQUAL(open_bytes(&s, longer, s.size + 1), FNVM_OK);
  CHECK_EQUAL(open_bytes(&s, longer, s.size + 100), FNVM_OK);
  free(longer);
  specimen_remove(&s);
}

static void a_header_out_of_range_is_refused(void) {
  specimen s = specimen_create();
  fnvm_file_header header;
#define WITH(field, value) \
  (header = s.header, header.field = (value), open_with_header(&s, &header))
  CHECK_EQUAL(WITH(magic, 0), FNVM_E_FORMAT);
  CHECK_EQUAL(WITH(magic, 0x544D564E), FNVM_E_FORMAT); /* big-endian */
  CHECK_EQUAL(WITH(version, 0), FNVM_E_FORMAT);
  CHECK_EQUAL(WITH(version, 2), FNVM_E_FORMAT);
  CHECK_EQUAL(WITH(num_cpu_cores, 17), FNVM_E_FORMAT);
  CHECK_EQUAL(WITH(num_power_rails, 9), FNVM_E_FORMAT);
  CHECK_EQUAL(WITH(num_thermal_zones, 17), FNVM_E_FORMAT);
  CHECK_EQUAL(WITH(flags, FNVM_FLAG_VALID), FNVM_E_UNFINISHED);
  CHECK_EQUAL(WITH(flags, FNVM_FLAG_VALID | FNVM_FLAG_RECOVERED), FNVM_OK);
#undef WITH
  specimen_remove(&s);
}

static void counts_that_overflow_are_refused(void) {
  specimen s = specimen_create();
  static const size_t sizes[] = {FAST, MEDIUM, SLOW, SYNC};
  for (int tier = 0; tier < 4; tier++) {
    const size_t offset = offsetof(fnvm_file_header, num_fast_samples) + 8 * (size_t)tier;
    uint64_t true_count;
    memcpy(&true_count, s.bytes + offset, sizeof true_count);
    const uint64_t wrong[] = {
        true_count + 1, (uint64_t)INT64_MAX, (uint64_t)INT64_MAX + 1, UINT64_MAX,
        UINT64_MAX / sizes[tier], UINT64_MAX / sizes[tier] + 1, UINT64_MAX / sizes[tier] + 2,
        INT64_MAX / sizes[tier] + 1, UINT32_MAX};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
      memcpy(s.bytes + offset, &wrong[i], sizeof wrong[i]);
      CHECK_EQUAL(open_bytes(&s, s.bytes, s.size), FNVM_E_FORMAT);
    }
    memcpy(s.bytes + offset, &true_count, sizeof true_count);
  }
  /* Each fits, their sum wraps around to the size of the file. */
  fnvm_file_header header = s.header;
  header.num_fast_samples = UINT64_C(1) << 62;
  header.num_medium_samples = UINT64_C(1) << 62;
  header.num_slow_samples = UINT64_C(1) << 62;
  header.num_sync_points = UINT64_C(1) << 62;
  CHECK_EQUAL(open_with_header(&s, &header), FNVM_E_FORMAT);
  specimen_remove(&s);
}

static void offsets_of_chunks_that_lie_are_survived(void) {
  specimen s = specimen_create();
  const uint64_t offsets[] = {1, HEADER, s.size - 1, s.size, s.size + 1, INT64_MAX, UINT64_MAX};
  for (size_t i = 0; i < sizeof offsets / sizeof *offsets; i++) {
    fnvm_file_header header = s.header;
    header.chunks_offset = offsets[i];
    (void)open_with_header(&s, &header);
  }
  specimen_remove(&s);
}

static uint32_t next_random(uint32_t *state) { /* xorshift: the same damage on every machine */
  *state ^= *state << 13;
  *state ^= *state >> 17;
  return *state ^= *state << 5;
}

static void random_damage_is_survived(void) {
  specimen s = specimen_create();
  uint32_t random = 2463534242u;
  for (int i = 0; i < FLIPS; i++) {
    /* Most of them into the header, which is where it hurts. */
    const size_t range = i % 8 ? HEADER : s.size;
    size_t places[3];
    unsigned char before[3];
    const int flips = 1 + i % 3;
    for (int k = 0; k < flips; k++) {
      places[k] = next_random(&random) % range;
      before[k] = s.bytes[places[k]];
      s.bytes[places[k]] ^= (unsigned char)(1u << (next_random(&random) % 8));
    }
    const size_t size = i % 5 ? s.size : next_random(&random) % s.size;
    (void)open_bytes(&s, s.bytes, size);
    (void)fnvm_trace_recover(fixture_path(&s.tree, "damaged.bin"), NULL);
    for (int k = flips; k-- > 0;) s.bytes[places[k]] = before[k];
  }
  CHECK_EQUAL(open_bytes(&s, s.bytes, s.size), FNVM_OK);
  specimen_remove(&s);
}

/* "123456789" has the CRC-32 0xCBF43926 (zlib's crc32). */
static const unsigned char CHUNKS[] = {'T', 'E', 'S', 'T', 9, 0, 0, 0, 0, 0, 0, 0, 0x26, 0x39, 0xF4, 0xCB,
                                       '1', '2', '3', '4', '5', '6', '7', '8', '9',
                                       'N', 'O', 'N', 'E', 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0};

static void chunks_are_read_and_damaged_ones_refused(void) {
  specimen s = specimen_create();
  const size_t size = s.size + sizeof CHUNKS;
  unsigned char *bytes = malloc(size);
  REQUIRE(bytes != NULL);
  memcpy(bytes, s.bytes, s.size);
  memcpy(bytes + s.size, CHUNKS, sizeof CHUNKS);
  const uint64_t offset = s.size;
  memcpy(bytes + offsetof(fnvm_file_header, chunks_offset), &offset, sizeof offset);
  const char *path = fixture_path(&s.tree, "chunks.bin");
  fnvm_trace *trace = NULL;
  fnvm_chunk chunk = FNVM_CHUNK_INIT;

  fixture_write_bytes(&s.tree, "chunks.bin", bytes, size);
  REQUIRE(fnvm_trace_open(path, &trace) == FNVM_OK);
  CHECK_EQUAL(fnvm_trace_num_chunks(trace), 2);
  CHECK_EQUAL(fnvm_trace_chunk(trace, 0, &chunk), FNVM_OK);
  CHECK(strcmp(chunk.type, "TEST") == 0);
  CHECK(chunk.size == 9 && memcmp(chunk.payload, "123456789", 9) == 0);
  CHECK_EQUAL(fnvm_trace_chunk(trace, 1, &chunk), FNVM_OK);
  CHECK(strcmp(chunk.type, "NONE") == 0 && chunk.size == 0);
  CHECK_EQUAL(fnvm_trace_chunk(trace, 2, &chunk), FNVM_E_INVALID);
  CHECK_EQUAL(fnvm_trace_chunk(trace, 0, NULL), FNVM_E_INVALID);
  CHECK_EQUAL(fnvm_trace_chunk(NULL, 0, &chunk), FNVM_E_INVALID);
  CHECK_EQUAL(fnvm_trace_num_chunks(NULL), 0);
  chunk.struct_size = 8;
  CHECK_EQUAL(fnvm_trace_chunk(trace, 0, &chunk), FNVM_E_INVALID);
  chunk.struct_size = sizeof chunk;
  fnvm_trace_close(trace);

  bytes[s.size + 20] ^= 1;
  fixture_write_bytes(&s.tree, "chunks2.bin", bytes, size);
  REQUIRE(fnvm_trace_open(fixture_path(&s.tree, "chunks2.bin"), &trace) == FNVM_OK);
  CHECK_EQUAL(fnvm_trace_chunk(trace, 0, &chunk), FNVM_E_FORMAT);
  CHECK_EQUAL(fnvm_trace_chunk(trace, 1, &chunk), FNVM_OK);
  fnvm_trace_close(trace);
  free(bytes);
  specimen_remove(&s);
}

static void a_complete_trace_needs_no_recovery(void) {
  specimen s = specimen_create();
  size_t size = 0;
  int recovered = 77;
  const char *path = fixture_path(&s.tree, "run.bin");
  CHECK_EQUAL(fnvm_trace_recover(path, &recovered), FNVM_OK);
  CHECK_EQUAL(recovered, 0);
  unsigned char *after = read_file(path, &size);
  CHECK(after != NULL && size == s.size && memcmp(after, s.bytes, size) == 0);
  free(after);
  specimen_remove(&s);
}

/* What was cut off is nowhere else: success would say that the trace can be read. */
static void a_complete_trace_that_was_cut_short_is_not_called_complete(void) {
  specimen s = specimen_create();
  int recovered = 77;
  const char *path = fixture_path(&s.tree, "run.bin");
  const fnvm_file_header *header = (const fnvm_file_header *)(const void *)s.bytes;
  REQUIRE(header->num_fast_samples > 0);
  REQUIRE(truncate(path, (off_t)sizeof *header + 50) == 0);
  CHECK_EQUAL(fnvm_trace_recover(path, &recovered), FNVM_E_FORMAT);
  CHECK(strncmp(fnvm_last_error_message(), "Truncated: ", 11) == 0);
  CHECK_EQUAL(recovered, 77);
  specimen_remove(&s);
}

int main(void) {
  unsetenv("FASTNVMETRICS_ROOT");
  RUN(null_is_refused_everywhere);
  RUN(what_is_no_trace_is_refused);
  RUN(traces_of_the_reference_open);
  RUN(a_trace_cut_anywhere_is_refused);
  RUN(bytes_after_the_end_are_ignored);
  RUN(a_header_out_of_range_is_refused);
  RUN(counts_that_overflow_are_refused);
  RUN(offsets_of_chunks_that_lie_are_survived);
  RUN(chunks_are_read_and_damaged_ones_refused);
  RUN(random_damage_is_survived);
  RUN(a_complete_trace_needs_no_recovery);
  RUN(a_complete_trace_that_was_cut_short_is_not_called_complete);
  return finish();
}
