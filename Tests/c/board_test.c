/* Boards: built by hand, walked, copied, refused, detected. */
#include <fastnvmetrics/fastnvmetrics.h>
#include <stdint.h>
#include <stdlib.h>

#include "check.h"
#include "fixture.h"

static void a_board_by_hand_can_be_walked(void) {
  fnvm_board *board = NULL;
  REQUIRE(fnvm_board_create("bench", 6, "/some/root", &board) == FNVM_OK);
  CHECK_EQUAL(fnvm_board_set_gpu_load_path(board, "/g"), FNVM_OK);
  CHECK_EQUAL(fnvm_board_set_emc_actmon_path(board, "/a"), FNVM_OK);
  CHECK_EQUAL(fnvm_board_set_emc_clk_rate_path(board, "/r"), FNVM_OK);
  CHECK_EQUAL(fnvm_board_add_power_rail(board, "VDD_A", "/v0", "/c0"), FNVM_OK);
  CHECK_EQUAL(fnvm_board_add_power_rail(board, "VDD_B", "/v1", "/c1"), FNVM_OK);
  CHECK_EQUAL(fnvm_board_add_thermal_zone(board, "cpu-thermal", "/t0"), FNVM_OK);

  CHECK_TEXT(fnvm_board_name(board), "bench");
  CHECK_TEXT(fnvm_board_root(board), "/some/root");
  CHECK_EQUAL(fnvm_board_num_cpu_cores(board), 6);
  CHECK_TEXT(fnvm_board_gpu_load_path(board), "/g");
  CHECK_TEXT(fnvm_board_emc_actmon_path(board), "/a");
  CHECK_TEXT(fnvm_board_emc_clk_rate_path(board), "/r");
  CHECK_EQUAL(fnvm_board_num_power_rails(board), 2);
  CHECK_TEXT(fnvm_board_rail_label(board, 1), "VDD_B");
  CHECK_TEXT(fnvm_board_rail_voltage_path(board, 1), "/v1");
  CHECK_TEXT(fnvm_board_rail_current_path(board, 0), "/c0");
  CHECK_EQUAL(fnvm_board_num_thermal_zones(board), 1);
  CHECK_TEXT(fnvm_board_zone_name(board, 0), "cpu-thermal");
  CHECK_TEXT(fnvm_board_zone_temp_path(board, 0), "/t0");
  fnvm_board_free(board);
}

static void a_new_board_has_nothing_to_read(void) {
  fnvm_board *board = NULL;
  REQUIRE(fnvm_board_create("", 1, NULL, &board) == FNVM_OK);
  CHECK_TEXT(fnvm_board_name(board), "");
  CHECK_TEXT(fnvm_board_gpu_load_path(board), "");
  CHECK_TEXT(fnvm_board_emc_actmon_path(board), "");
  CHECK_TEXT(fnvm_board_emc_clk_rate_path(board), "");
  CHECK_EQUAL(fnvm_board_num_power_rails(board), 0);
  CHECK_EQUAL(fnvm_board_num_thermal_zones(board), 0);
  CHECK_EQUAL(fnvm_board_is_detected(board), 0);
  fnvm_board_free(board);
}

static void a_path_can_be_taken_away(void) {
  fnvm_board *board = NULL;
  REQUIRE(fnvm_board_create("bench", 1, NULL, &board) == FNVM_OK);
  CHECK_EQUAL(fnvm_board_set_gpu_load_path(board, "/g"), FNVM_OK);
  CHECK_EQUAL(fnvm_board_set_gpu_load_path(board, NULL), FNVM_OK);
  CHECK_TEXT(fnvm_board_gpu_load_path(board), "");
  CHECK_EQUAL(fnvm_board_set_emc_actmon_path(board, "/a"), FNVM_OK);
  CHECK_EQUAL(fnvm_board_set_emc_actmon_path(board, ""), FNVM_OK);
  CHECK_TEXT(fnvm_board_emc_actmon_path(board), "");
  fnvm_board_free(board);
}

static void a_copy_is_independent(void) {
  fnvm_board *board = NULL, *copy = NULL;
  REQUIRE(fnvm_board_create("bench", 6, "/root", &board) == FNVM_OK);
  CHECK_EQUAL(fnvm_board_add_power_rail(board, "VDD_A", "/v0", "/c0"), FNVM_OK);
  CHECK_EQUAL(fnvm_board_set_detected(board, 1), FNVM_OK);
  REQUIRE(fnvm_board_copy(board, &copy) == FNVM_OK);
  CHECK_EQUAL(fnvm_board_add_power_rail(board, "VDD_B", "/v1", "/c1"), FNVM_OK);
  CHECK_EQUAL(fnvm_board_set_gpu_load_path(board, "/g"), FNVM_OK);
  fnvm_board_free(board);

  CHECK_TEXT(fnvm_board_name(copy), "bench");
  CHECK_TEXT(fnvm_board_root(copy), "/root");
  CHECK_EQUAL(fnvm_board_num_cpu_cores(copy), 6);
  CHECK_EQUAL(fnvm_board_num_power_rails(copy), 1);
  CHECK_TEXT(fnvm_board_rail_label(copy, 0), "VDD_A");
  CHECK_TEXT(fnvm_board_gpu_load_path(copy), "");
  CHECK_EQUAL(fnvm_board_is_detected(copy), 1);
  CHECK_EQUAL(fnvm_board_set_detected(copy, 0), FNVM_OK);
  CHECK_EQUAL(fnvm_board_is_detected(copy), 0);
  fnvm_board_free(copy);
}

static void cores_outside_1_to_16_are_refused(void) {
  const int32_t wrong[] = {0, -1, 17, INT32_MAX, INT32_MIN};
  for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
    fnvm_board *board = (fnvm_board *)&board;
    CHECK_EQUAL(fnvm_board_create("bench", wrong[i], NULL, &board), FNVM_E_INVALID);
    CHECK(board == NULL);
  }
}

static void the_ninth_rail_and_the_seventeenth_zone_are_refused(void) {
  fnvm_board *board = NULL;
  REQUIRE(fnvm_board_create("bench", FNVM_MAX_CPU_CORES, NULL, &board) == FNVM_OK);
  for (int i = 0; i < FNVM_MAX_POWER_RAILS; i++)
    CHECK_EQUAL(fnvm_board_add_power_rail(board, "VDD", "/v", "/c"), FNVM_OK);
  CHECK_EQUAL(fnvm_board_add_power_rail(board, "VDD", "/v", "/c"), FNVM_E_INVALID);
  for (int i = 0; i < FNVM_MAX_THERMAL_ZONES; i++)
    CHECK_EQUAL(fnvm_board_add_thermal_zone(board, "zone", "/t"), FNVM_OK);
  CHECK_EQUAL(fnvm_board_add_thermal_zone(board, "zone", "/t"), FNVM_E_INVALID);
  CHECK_EQUAL(fnvm_board_num_power_rails(board), FNVM_MAX_POWER_RAILS);
  CHECK_EQUAL(fnvm_board_num_thermal_zones(board), FNVM_MAX_THERMAL_ZONES);
  fnvm_board_free(board);
}

static void an_index_out_of_range_is_an_empty_string(void) {
  fnvm_board *board = NULL;
  REQUIRE(fnvm_board_create("bench", 1, NULL, &board) == FNVM_OK);
  CHECK_EQUAL(fnvm_board_add_power_rail(board, "VDD", "/v", "/c"), FNVM_OK);
  const uint32_t wrong[] = {1, FNVM_MAX_POWER_RAILS, FNVM_MAX_THERMAL_ZONES, INT32_MAX, UINT32_MAX};
  for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
    CHECK_TEXT(fnvm_board_rail_label(board, wrong[i]), "");
    CHECK_TEXT(fnvm_board_rail_voltage_path(board, wrong[i]), "");
    CHECK_TEXT(fnvm_board_rail_current_path(board, wrong[i]), "");
    CHECK_TEXT(fnvm_board_zone_name(board, wrong[i]), "");
    CHECK_TEXT(fnvm_board_zone_temp_path(board, wrong[i]), "");
  }
  fnvm_board_free(board);
}

static void null_is_refused_everywhere(void) {
  fnvm_board *board = NULL;
  CHECK_EQUAL(fnvm_board_detect(NULL, NULL), FNVM_E_INVALID);
  CHECK_EQUAL(fnvm_board_named(NULL, NULL, &board), FNVM_E_INVALID);
  CHECK_EQUAL(fnvm_board_named("agx_orin", NULL, NULL), FNVM_E_INVALID);
  CHECK_EQUAL(fnvm_board_create(NULL, 4, NULL, &board), FNVM_E_INVALID);
  CHECK_EQUAL(fnvm_board_create("bench", 4, NULL, NULL), FNVM_E_INVALID);
  CHECK_EQUAL(fnvm_board_copy(NULL, &board), FNVM_E_INVALID);
  CHECK(board == NULL);
  fnvm_board_free(NULL);

  CHECK_EQUAL(fnvm_board_set_gpu_load_path(NULL, "/g"), FNVM_E_INVALID);
  CHECK_EQUAL(fnvm_board_set_emc_actmon_path(NULL, "/a"), FNVM_E_INVALID);
  CHECK_EQUAL(fnvm_board_set_emc_clk_rate_path(NULL, "/r"), FNVM_E_INVALID);
  CHECK_EQUAL(fnvm_board_add_power_rail(NULL, "VDD", "/v", "/c"), FNVM_E_INVALID);
  CHECK_EQUAL(fnvm_board_add_thermal_zone(NULL, "zone", "/t"), FNVM_E_INVALID);
  CHECK_EQUAL(fnvm_board_set_detected(NULL, 1), FNVM_E_INVALID);

  CHECK_TEXT(fnvm_board_name(NULL), "");
  CHECK_TEXT(fnvm_board_root(NULL), "");
  CHECK_EQUAL(fnvm_board_num_cpu_cores(NULL), 0);
  CHECK_TEXT(fnvm_board_gpu_load_path(NULL), "");
  CHECK_TEXT(fnvm_board_emc_actmon_path(NULL), "");
  CHECK_TEXT(fnvm_board_emc_clk_rate_path(NULL), "");
  CHECK_EQUAL(fnvm_board_num_power_rails(NULL), 0);
  CHECK_TEXT(fnvm_board_rail_label(NULL, 0), "");
  CHECK_TEXT(fnvm_board_rail_voltage_path(NULL, 0), "");
  CHECK_TEXT(fnvm_board_rail_current_path(NULL, 0), "");
  CHECK_EQUAL(fnvm_board_num_thermal_zones(NULL), 0);
  CHECK_TEXT(fnvm_board_zone_name(NULL, 0), "");
  CHECK_TEXT(fnvm_board_zone_temp_path(NULL, 0), "");
  CHECK_EQUAL(fnvm_board_is_detected(NULL), 0);

  REQUIRE(fnvm_board_create("bench", 4, NULL, &board) == FNVM_OK);
  CHECK_EQUAL(fnvm_board_copy(board, NULL), FNVM_E_INVALID);
  CHECK_EQUAL(fnvm_board_add_power_rail(board, NULL, "/v", "/c"), FNVM_E_INVALID);
  CHECK_EQUAL(fnvm_board_add_thermal_zone(board, NULL, "/t"), FNVM_E_INVALID);
  /* The header leaves open what NULL means as a path of a rail; it must not crash. */
  (void)fnvm_board_add_power_rail(board, "VDD", NULL, NULL);
  (void)fnvm_board_add_thermal_zone(board, "zone", NULL);
  fnvm_board_free(board);
}

static void long_and_odd_strings_are_kept(void) {
  char *text = malloc(100001);
  REQUIRE(text != NULL);
  memset(text, 'x', 100000);
  text[100000] = 0;
  fnvm_board *board = NULL;
  REQUIRE(fnvm_board_create(text, 4, text, &board) == FNVM_OK);
  CHECK_EQUAL(fnvm_board_set_gpu_load_path(board, text), FNVM_OK);
  CHECK_EQUAL(fnvm_board_add_power_rail(board, text, text, "/\xff\xfe"), FNVM_OK);
  CHECK_EQUAL(fnvm_board_add_thermal_zone(board, "a\xff" "b", text), FNVM_OK);
  CHECK_EQUAL(strlen(fnvm_board_gpu_load_path(board)), 100000);
  CHECK_TEXT(fnvm_board_rail_current_path(board, 0), "/\xff\xfe");          /* a path is bytes */
  CHECK_TEXT(fnvm_board_zone_name(board, 0), "a\xef\xbf\xbd" "b");          /* a name is text */
  fnvm_board_free(board);
  free(text);
}

static void the_catalogue_knows_the_orins(void) {
  static const char *const rails[] = {"VDD_GPU_SOC", "VDD_CPU_CV", "VIN_SYS_5V0",
                                      "VDDQ_VDD2_1V8AO"};
  fnvm_board *board = NULL;
  REQUIRE(fnvm_board_named("agx_orin", NULL, &board) == FNVM_OK);
  CHECK_TEXT(fnvm_board_name(board), "agx_orin");
  CHECK_EQUAL(fnvm_board_num_cpu_cores(board), 12);
  CHECK_EQUAL(fnvm_board_num_power_rails(board), 4);
  for (uint32_t i = 0; i < 4; i++) {
    CHECK_TEXT(fnvm_board_rail_label(board, i), rails[i]);
    CHECK(*fnvm_board_rail_voltage_path(board, i) && *fnvm_board_rail_current_path(board, i));
  }
  CHECK_EQUAL(fnvm_board_num_thermal_zones(board), 11);
  CHECK_TEXT(fnvm_board_zone_name(board, 0), "cpu-thermal");
  CHECK_TEXT(fnvm_board_zone_name(board, 10), "tdiode-thermal");
  CHECK(*fnvm_board_gpu_load_path(board) && *fnvm_board_emc_actmon_path(board) &&
        *fnvm_board_emc_clk_rate_path(board));
  CHECK_EQUAL(fnvm_board_is_detected(board), 0);
  fnvm_board_free(board);

  REQUIRE(fnvm_board_named("orin_nx", NULL, &board) == FNVM_OK);
  CHECK_EQUAL(fnvm_board_num_cpu_cores(board), 8);
  CHECK_EQUAL(fnvm_board_num_power_rails(board), 3);
  CHECK_EQUAL(fnvm_board_num_thermal_zones(board), 10);
  fnvm_board_free(board);

  REQUIRE(fnvm_board_named("orin_nano", NULL, &board) == FNVM_OK);
  fnvm_board_free(board);
}

static void nominal_paths_include_the_root(void) {
  fnvm_board *board = NULL;
  REQUIRE(fnvm_board_named("orin_nx", "/host", &board) == FNVM_OK);
  CHECK_TEXT(fnvm_board_root(board), "/host");
  CHECK(strncmp(fnvm_board_gpu_load_path(board), "/host/sys/", 10) == 0);
  CHECK(strncmp(fnvm_board_rail_voltage_path(board, 0), "/host/sys/", 10) == 0);
  CHECK(strncmp(fnvm_board_zone_temp_path(board, 0), "/host/sys/", 10) == 0);
  fnvm_board_free(board);
}

static void a_name_not_in_the_catalogue_is_unknown(void) {
  const char *const wrong[] = {"", "toaster", "AGX_ORIN", "agx_orin ", "agx_orin\n", "\xff"};
  for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
    fnvm_board *board = NULL;
    CHECK_EQUAL(fnvm_board_named(wrong[i], NULL, &board), FNVM_E_UNKNOWN_BOARD);
    CHECK(board == NULL);
    CHECK(strncmp(fnvm_last_error_message(), "Unknown board: ", 15) == 0);
  }
}

static void the_device_tree_names_the_board(void) {
  static const char compatible[] =
      "nvidia,p3737-0000+p3701-0005\0nvidia,p3701-0005\0nvidia,tegra234";
  fixture f = fixture_create();
  fixture_write_bytes(&f, "proc/device-tree/compatible", compatible, sizeof compatible);
  fixture_write(&f, "sys/devices/system/cpu/possible", "0-3\n");
  fnvm_board *board = NULL;
  CHECK_EQUAL(fnvm_board_detect(f.root, &board), FNVM_OK);
  CHECK_TEXT(fnvm_board_name(board), "agx_orin");
  CHECK_TEXT(fnvm_board_root(board), f.root);
  CHECK_EQUAL(fnvm_board_num_cpu_cores(board), 4); /* of this machine, not of the catalogue */
  CHECK_EQUAL(fnvm_board_is_detected(board), 1);
  CHECK_TEXT(fnvm_board_gpu_load_path(board), ""); /* the tree has none in the known places */
  fnvm_board_free(board);

  setenv("FASTNVMETRICS_ROOT", f.root, 1);
  REQUIRE(fnvm_board_detect(NULL, &board) == FNVM_OK);
  CHECK_TEXT(fnvm_board_root(board), f.root);
  fnvm_board_free(board);
  unsetenv("FASTNVMETRICS_ROOT");
  fixture_remove(&f);
}

static void no_board_lists_what_was_found(void) {
  static const char compatible[] = "acme,toaster-9000\0acme,toaster";
  fixture f = fixture_create();
  fnvm_board *board = NULL;
  CHECK_EQUAL(fnvm_board_detect(f.root, &board), FNVM_E_NO_BOARD);
  fixture_write_bytes(&f, "proc/device-tree/compatible", compatible, sizeof compatible);
  CHECK_EQUAL(fnvm_board_detect(f.root, &board), FNVM_E_NO_BOARD);
  CHECK(board == NULL);
  CHECK(strstr(fnvm_last_error_message(), "acme,toaster-9000") != NULL);
  CHECK(strstr(fnvm_last_error_message(), "acme,toaster") != NULL);
  fixture_remove(&f);
}

int main(void) {
  unsetenv("FASTNVMETRICS_ROOT");
  RUN(a_board_by_hand_can_be_walked);
  RUN(a_new_board_has_nothing_to_read);
  RUN(a_path_can_be_taken_away);
  RUN(a_copy_is_independent);
  RUN(cores_outside_1_to_16_are_refused);
  RUN(the_ninth_rail_and_the_seventeenth_zone_are_refused);
  RUN(an_index_out_of_range_is_an_empty_string);
  RUN(null_is_refused_everywhere);
  RUN(long_and_odd_strings_are_kept);
  RUN(the_catalogue_knows_the_orins);
  RUN(nominal_paths_include_the_root);
  RUN(a_name_not_in_the_catalogue_is_unknown);
  RUN(the_device_tree_names_the_board);
  RUN(no_board_lists_what_was_found);
  return finish();
}
