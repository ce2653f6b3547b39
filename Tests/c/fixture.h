/* A simulated board: a directory of plain files with known values, and an fnvm_board that reads
 * them. */
#ifndef FASTNVMETRICS_TESTS_FIXTURE_H
#define FASTNVMETRICS_TESTS_FIXTURE_H

#include <fastnvmetrics/fastnvmetrics.h>

#ifdef __cplusplus
extern "C" {
#endif

/* What fixture_create writes, and what a trace of it must therefore say. */
enum {
  FIXTURE_CORES = 4,
  FIXTURE_GPU_LOAD = 437,           /* per mille */
  FIXTURE_EMC_ACTIVE_KHZ = 798000,  /* of 3192 MHz: 25 % */
  FIXTURE_RAM_TOTAL_KB = 32000000,
  FIXTURE_RAM_AVAILABLE_KB = 20000000
};
#define FIXTURE_EMC_RATE_HZ 3192000000u
#define FIXTURE_EMC_UTIL 25.0f

typedef struct fixture {
  char root[64];
  char *paths[64]; /* what fixture_path returned */
  unsigned num_paths;
} fixture;

/* Makes the tree in a new directory below $TMPDIR or /tmp; exits where even that fails. Rails:
 * "VDD_A" 5000 mV x 1234 mA, "VDD_B" 19000 mV x 40 mA. Zones: "cpu-thermal" 45.5 and "gpu-thermal"
 * 51.25. */
fixture fixture_create(void);
/* Removes it with everything in it. */
void fixture_remove(fixture *f);

/* root/relative, valid until fixture_remove. */
const char *fixture_path(fixture *f, const char *relative);
/* Writes a file in place, and the directories above it. */
void fixture_write(fixture *f, const char *relative, const char *text);
void fixture_write_bytes(fixture *f, const char *relative, const void *bytes, size_t size);
/* How many entries of the root begin with the prefix. */
int fixture_count(fixture *f, const char *prefix);

/* The board that reads the tree: GPU, EMC, both rails, both zones. */
fnvm_board *fixture_board(fixture *f);
/* An engine for it that writes root/relative, at 1000, 100 and 50 Hz. Exits where that fails. */
fnvm_engine *fixture_engine(fixture *f, const char *relative);
/* Starts, warms up, stops. @return 1 where all of it succeeded. */
int record_briefly(fnvm_engine *engine);
/* Waits until the engine has taken that many fast samples. @return 0 where it stops before that. */
int wait_for_samples(const fnvm_engine *engine, uint64_t count);

/* The whole file, to be freed; NULL where it cannot be read. */
unsigned char *read_file(const char *path, size_t *size);

#ifdef __cplusplus
}
#endif
#endif
