/* What every trace of a fixture holds, whatever happened to its recorder. */
#ifndef WHOLE_TRACE_H
#define WHOLE_TRACE_H

#include <stdio.h>
#include <string.h>

#include "check.h"
#include "fixture.h"

/* Checks the values, times and sync points of a trace. @return its header; zeros where it cannot be opened. */
static fnvm_file_header check_trace(const char *path) {
  fnvm_file_header header;
  memset(&header, 0, sizeof header);
  fnvm_trace *trace = NULL;
  const fnvm_status status = fnvm_trace_open(path, &trace);
  CHECK_EQUAL(status, FNVM_OK);
  if (status != FNVM_OK) {
    fprintf(stderr, "  %s\n", fnvm_last_error_message());
    return header;
  }
  memcpy(&header, fnvm_trace_header(trace), sizeof header);
  int wrong = 0;
  const fnvm_fast_sample *fast = fnvm_trace_fast(trace, NULL);
  for (uint64_t i = 0; i < header.num_fast_samples; i++)
    wrong += fast[i].gpu_load != FIXTURE_GPU_LOAD || fast[i].emc_util != FIXTURE_EMC_UTIL ||
             fast[i].ram_available_kb != FIXTURE_RAM_AVAILABLE_KB ||
             !(fast[i].time_s > (i ? fast[i - 1].time_s : 0));
  const fnvm_medium_sample *medium = fnvm_trace_medium(trace, NULL);
  for (uint64_t i = 0; i < header.num_medium_samples; i++)
    wrong += medium[i].power_mw[0] != 6170.0f || medium[i].power_mw[1] != 760.0f ||
             !(medium[i].time_s > (i ? medium[i - 1].time_s : 0));
  const fnvm_slow_sample *slow = fnvm_trace_slow(trace, NULL);
  for (uint64_t i = 0; i < header.num_slow_samples; i++)
    wrong += slow[i].temp_c[0] != 45.5f || slow[i].temp_c[1] != 51.25f ||
             !(slow[i].time_s > (i ? slow[i - 1].time_s : 0));
  const fnvm_sync_point *points = fnvm_trace_sync_points(trace, NULL);
  for (uint64_t i = 0; i < header.num_sync_points; i++)
    wrong += points[i].sync_id != i + 1 || points[i].fast_sample_idx >= header.num_fast_samples;
  CHECK_EQUAL(wrong, 0);
  fnvm_trace_close(trace);
  return header;
}

#endif
