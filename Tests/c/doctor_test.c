/* The doctor: reports, their limits, what it puts back and what it refuses. */
#include <fastnvmetrics/fastnvmetrics.h>
#include <stdint.h>
#include <stdlib.h>
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

/* A node of a power sensor in the fixture, and what a recorder that was killed wrote down about it. */
#define CHIP "sys/devices/1-0040/hwmon/hwmon3"

static void what_a_killed_recorder_set_is_put_back(void) {
  fixture f = fixture_create();
  fnvm_notices *notices = NULL;
  REQUIRE(fnvm_sensors_restore(f.root, &notices) == FNVM_OK);
  CHECK(notices != NULL && fnvm_notices_text(notices, 0) == NULL);
  fnvm_notices_free(notices);

  fixture_write(&f, CHIP "/name", "ina3221\n");
  fixture_write(&f, CHIP "/update_interval", "1\n");
  fixture_write(&f, "run/fastnvmetrics/sensors-1-0", "/" CHIP "/update_interval\t7\t1\n");
  REQUIRE(fnvm_sensors_restore(f.root, &notices) == FNVM_OK);
  CHECK_TEXT(fnvm_notices_text(notices, 0), "The power sensor 1-0040, which a recorder that crashed had "
                                            "set, measures every 7 ms again.");
  CHECK(fnvm_notices_text(notices, 1) == NULL);
  CHECK(fnvm_notices_text(notices, UINT32_MAX) == NULL);
  fnvm_notices_free(notices);
  size_t size = 0;
  unsigned char *text = read_file(fixture_path(&f, CHIP "/update_interval"), &size);
  CHECK(text != NULL && size == 2 && memcmp(text, "7\n", 2) == 0);
  free(text);
  fixture_remove(&f);
}

static void what_cannot_be_put_back_is_an_error(void) {
  fixture f = fixture_create();
  fnvm_notices *notices = (fnvm_notices *)(intptr_t)1;
  fixture_write(&f, CHIP "/name", "ina3221\n");
  fixture_write(&f, "run/fastnvmetrics/sensors-1-0", "/" CHIP "/update_interval\t7\t1\n");
  CHECK_EQUAL(fnvm_sensors_restore(f.root, &notices), FNVM_E_IO);
  CHECK(notices == NULL);
  CHECK_TEXT(fnvm_last_error_path(), fixture_path(&f, CHIP "/update_interval"));
  CHECK_EQUAL(fnvm_sensors_restore(f.root, NULL), FNVM_E_INVALID);
  CHECK(fnvm_notices_text(NULL, 0) == NULL);
  fnvm_notices_free(NULL);
  fixture_remove(&f);
}

int main(void) {
  RUN(what_a_killed_recorder_set_is_put_back);
  RUN(what_cannot_be_put_back_is_an_error);
  RUN(every_report_is_whole);
  RUN(memory_is_read);
  RUN(misuse_is_refused);
  return finish();
}
