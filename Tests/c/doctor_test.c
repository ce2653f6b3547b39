/* The doctor: reports, their limits, and what it refuses. */
#include <fastnvmetrics/fastnvmetrics.h>
#include <stdint.h>
#include <string.h>

#include "check.h"
#include "fixture.h"

static void every_report_is_whole(void) {
  fixture f = fixture_create();
  fnvm_doctor *doctor = NULL;
  REQUIRE(fnvm_doctor_examine("agx_orin", f.root, &doctor) == FNVM_OK);
  const uint32_t count = fnvm_doctor_count(doctor);
  CHECK(count > 4);
  for (uint32_t i = 0; i < count; i++) {
    fnvm_node_report report = FNVM_NODE_REPORT_INIT;
    CHECK_EQUAL(fnvm_doctor_report(doctor, i, &report), FNVM_OK);
    CHECK(report.name[0] != 0 && report.path[0] != 0);
    CHECK(report.unit != NULL && report.advice != NULL);
    CHECK(report.kind <= FNVM_NODE_ZONE && report.state <= FNVM_NODE_IS_LEFT_OUT);
    CHECK((report.state == FNVM_NODE_IS_GOOD) == (report.read_ns > 0) ||
          report.kind == FNVM_NODE_BOARD || report.state == FNVM_NODE_IS_POWERED_DOWN);
    CHECK(i != 0 || report.kind == FNVM_NODE_BOARD);
  }
  fnvm_doctor_free(doctor);
  fixture_remove(&f);
}

static void memory_is_read(void) {
  fixture f = fixture_create();
  fnvm_doctor *doctor = NULL;
  int seen = 0;
  REQUIRE(fnvm_doctor_examine("generic_linux", f.root, &doctor) == FNVM_OK);
  for (uint32_t i = 0; i < fnvm_doctor_count(doctor); i++) {
    fnvm_node_report report = FNVM_NODE_REPORT_INIT;
    CHECK_EQUAL(fnvm_doctor_report(doctor, i, &report), FNVM_OK);
    if (report.kind != FNVM_NODE_MEMORY) continue;
    seen++;
    CHECK_EQUAL(report.state, FNVM_NODE_IS_GOOD);
    CHECK_TEXT(report.unit, "kB used");
    CHECK(report.value > 0);
  }
  CHECK_EQUAL(seen, 1);
  fnvm_doctor_free(doctor);
  fixture_remove(&f);
}

static void misuse_is_refused(void) {
  fnvm_doctor *doctor = (fnvm_doctor *)(intptr_t)1;
  fnvm_node_report report = FNVM_NODE_REPORT_INIT;
  CHECK_EQUAL(fnvm_doctor_examine("toaster", NULL, &doctor), FNVM_E_UNKNOWN_BOARD);
  CHECK(doctor == NULL);
  CHECK_EQUAL(fnvm_doctor_examine(NULL, NULL, NULL), FNVM_E_INVALID);
  CHECK_EQUAL(fnvm_doctor_count(NULL), 0);
  CHECK_EQUAL(fnvm_doctor_report(NULL, 0, &report), FNVM_E_INVALID);
  fnvm_doctor_free(NULL);

  REQUIRE(fnvm_doctor_examine("generic_linux", "/nowhere", &doctor) == FNVM_OK);
  CHECK_EQUAL(fnvm_doctor_report(doctor, 0, NULL), FNVM_E_INVALID);
  CHECK_EQUAL(fnvm_doctor_report(doctor, UINT32_MAX, &report), FNVM_E_INVALID);
  CHECK_EQUAL(fnvm_doctor_report(doctor, fnvm_doctor_count(doctor), &report), FNVM_E_INVALID);
  report.struct_size = 4;
  CHECK_EQUAL(fnvm_doctor_report(doctor, 0, &report), FNVM_E_INVALID);
  report.struct_size = UINT32_MAX;
  CHECK_EQUAL(fnvm_doctor_report(doctor, 0, &report), FNVM_OK);
  fnvm_doctor_free(doctor);
}

int main(void) {
  RUN(every_report_is_whole);
  RUN(memory_is_read);
  RUN(misuse_is_refused);
  return finish();
}
