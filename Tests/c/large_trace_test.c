/* Traces beyond 4 GiB, in files that are mostly holes. */
#include <errno.h>
#include <fastnvmetrics/fastnvmetrics.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "check.h"
#include "fixture.h"

/* 5 GiB of fast samples: offsets that 32 bits do not hold. */
#define FAST (UINT64_C(5) * 1024 * 1024 * 1024 / sizeof(fnvm_fast_sample))
enum { MEDIUM = 3, SLOW = 2 };

static void put(int fd, const void *bytes, size_t size, uint64_t offset) {
  CHECK_EQUAL(pwrite(fd, bytes, size, (off_t)offset), size);
}

/* Writes records of which the fields are known at the place of the first, and of the last one. */
static void put_fast(int fd, uint64_t number) {
  fnvm_fast_sample sample;
  memset(&sample, 0, sizeof sample);
  sample.time_s = (double)(number + 1) * 1e-3;
  sample.gpu_load = (uint16_t)(number % 1000);
  put(fd, &sample, sizeof sample, sizeof(fnvm_file_header) + number * sizeof sample);
}

static void put_medium(int fd, uint64_t begin) {
  for (unsigned i = 0; i < MEDIUM; i++) {
    fnvm_medium_sample sample;
    memset(&sample, 0, sizeof sample);
    sample.time_s = i + 1;
    sample.voltage_mv[0] = 5000 + i;
    put(fd, &sample, sizeof sample, begin + i * sizeof sample);
  }
}

static void put_slow(int fd, uint64_t begin) {
  for (unsigned i = 0; i < SLOW; i++) {
    fnvm_slow_sample sample;
    memset(&sample, 0, sizeof sample);
    sample.time_s = i + 1;
    sample.temp_c[0] = 40.0f + (float)i;
    put(fd, &sample, sizeof sample, begin + i * sizeof sample);
  }
}

static fnvm_file_header header_with(uint32_t flags) {
  fnvm_file_header header;
  memset(&header, 0, sizeof header);
  header.magic = FNVM_TRACE_MAGIC;
  header.version = FNVM_TRACE_VERSION;
  memcpy(header.board_name, "large", 5);
  header.num_cpu_cores = header.num_power_rails = header.num_thermal_zones = 1;
  header.fast_hz = 1000;
  header.medium_hz = header.slow_hz = 1;
  header.flags = flags;
  return header;
}

/* A new file of 5 GiB. @return -1 where the file system has no room for its size, or no holes. */
static int create_large(fixture *f, const char *name) {
  const int fd = open(fixture_path(f, name), O_RDWR | O_CREAT, 0600);
  if (fd >= 0 && ftruncate(fd, (off_t)(sizeof(fnvm_file_header) + FAST * sizeof(fnvm_fast_sample))) != 0) {
    fprintf(stderr, "no large files here: %s\n", strerror(errno));
    close(fd);
    return -1;
  }
  put_fast(fd, 0);
  put_fast(fd, FAST - 1);
  return fd;
}

static void check_large(const char *path) {
  fnvm_trace *trace = NULL;
  uint64_t count = 0;
  REQUIRE(fnvm_trace_open(path, &trace) == FNVM_OK);
  const fnvm_fast_sample *fast = fnvm_trace_fast(trace, &count);
  CHECK_EQUAL(count, FAST);
  CHECK_EQUAL(fast[FAST - 1].gpu_load, (FAST - 1) % 1000);
  CHECK(fast[FAST - 1].time_s == (double)FAST * 1e-3);
  const fnvm_medium_sample *medium = fnvm_trace_medium(trace, &count);
  CHECK_EQUAL(count, MEDIUM);
  CHECK_EQUAL(medium[MEDIUM - 1].voltage_mv[0], 5000 + MEDIUM - 1);
  const fnvm_slow_sample *slow = fnvm_trace_slow(trace, &count);
  CHECK_EQUAL(count, SLOW);
  CHECK(slow[SLOW - 1].temp_c[0] == 40.0f + (float)(SLOW - 1));
  fnvm_trace_close(trace);
}

static void a_trace_beyond_4_gib_is_read(void) {
  fixture f = fixture_create();
  const int fd = create_large(&f, "run.bin");
  if (fd >= 0) {
    fnvm_file_header header = header_with(FNVM_FLAG_VALID | FNVM_FLAG_CLOSED);
    header.num_fast_samples = FAST;
    header.num_medium_samples = MEDIUM;
    header.num_slow_samples = SLOW;
    put(fd, &header, sizeof header, 0);
    const uint64_t end = sizeof header + FAST * sizeof(fnvm_fast_sample);
    put_medium(fd, end);
    put_slow(fd, end + MEDIUM * sizeof(fnvm_medium_sample));
    close(fd);
    check_large(fixture_path(&f, "run.bin"));
  }
  fixture_remove(&f);
}

static void a_trace_beyond_4_gib_is_recovered(void) {
  fixture f = fixture_create();
  const int fd = create_large(&f, "run.bin");
  if (fd >= 0) {
    /* All of it is there but for the word that it is complete, and some of the spools are gone already. */
    fnvm_file_header header = header_with(FNVM_FLAG_VALID);
    header.num_fast_samples = FAST;
    header.num_medium_samples = MEDIUM;
    header.num_slow_samples = SLOW;
    put(fd, &header, sizeof header, 0);
    const uint64_t end = sizeof header + FAST * sizeof(fnvm_fast_sample);
    put_medium(fd, end);
    put_slow(fd, end + MEDIUM * sizeof(fnvm_medium_sample));
    close(fd);
    const int slow = open(fixture_path(&f, "run.bin.fnvm-slow"), O_WRONLY | O_CREAT, 0600);
    put_slow(slow, 0);
    close(slow);
    CHECK_EQUAL(fnvm_trace_recover(fixture_path(&f, "run.bin"), NULL), FNVM_OK);
    check_large(fixture_path(&f, "run.bin"));
    CHECK_EQUAL(fixture_count(&f, "run.bin"), 1);
  }
  fixture_remove(&f);
}

int main(void) {
  RUN(a_trace_beyond_4_gib_is_read);
  RUN(a_trace_beyond_4_gib_is_recovered);
  return finish();
}
