// fastnvmetrics.hpp: what it throws, and that it adds nothing to the C library and loses nothing.
#include <fastnvmetrics/fastnvmetrics.hpp>

#include <sys/stat.h>
#include <sys/wait.h>

#include <signal.h>

#include <cerrno>
#include <cmath>
#include <cstdlib>
#include <fstream>
#include <future>

#include "check.hpp"

using namespace fastnvmetrics;

static BoardConfig bare_board(Tree& tree) {
  BoardConfig board;
  board.board_name = "bare";
  board.num_cpu_cores = 1;
  board.root = tree.root();
  return board;
}

static FileHeader read_header(const std::string& path) {
  FileHeader header{};
  std::ifstream(path, std::ios::binary).read(reinterpret_cast<char*>(&header), sizeof(header));
  return header;
}

static const std::string nul("a\0b", 3);

static void limits_are_invalid_arguments() {
  Tree tree;
  const auto refuses = [&](auto change) {
    BoardConfig board = bare_board(tree);
    EngineConfig config;
    std::string path = tree.path("run.bin");
    change(path, board, config);
    CHECK_THROWS(std::invalid_argument, Engine(path, board, config));
  };
  for (int cores : {0, -1, 17, INT32_MAX, INT32_MIN})
    refuses([&](auto&, auto& board, auto&) { board.num_cpu_cores = cores; });
  refuses([](auto&, auto& board, auto&) { board.power_rails.resize(9); });
  refuses([](auto&, auto& board, auto&) { board.thermal_zones.resize(17); });
  for (uint32_t rate : {0u, 20001u, UINT32_MAX}) {
    refuses([&](auto&, auto&, auto& config) { config.fast_hz = rate; });
    refuses([&](auto&, auto&, auto& config) { config.medium_hz = rate; });
    refuses([&](auto&, auto&, auto& config) { config.slow_hz = rate; });
  }
  CHECK_THROWS(std::invalid_argument, Engine("run.bin", BoardConfig{})); // no cores
  CHECK_EQUAL(tree.count("run.bin"), 0);
}

static void a_nul_character_is_an_invalid_argument() {
  Tree tree;
  const auto refuses = [&](auto change) {
    BoardConfig board = bare_board(tree);
    board.power_rails.push_back({"VDD", "/v", "/c"});
    board.thermal_zones.push_back({"zone", "/t"});
    change(board);
    CHECK_THROWS(std::invalid_argument, Engine(tree.path("run.bin"), board));
  };
  refuses([](BoardConfig& board) { board.board_name = nul; });
  refuses([](BoardConfig& board) { board.root = nul; });
  refuses([](BoardConfig& board) { board.gpu_load_path = nul; });
  refuses([](BoardConfig& board) { board.emc_actmon_path = nul; });
  refuses([](BoardConfig& board) { board.emc_clk_rate_path = nul; });
  refuses([](BoardConfig& board) { board.power_rails[0].label = nul; });
  refuses([](BoardConfig& board) { board.power_rails[0].voltage_path = nul; });
  refuses([](BoardConfig& board) { board.power_rails[0].current_path = nul; });
  refuses([](BoardConfig& board) { board.thermal_zones[0].name = nul; });
  refuses([](BoardConfig& board) { board.thermal_zones[0].temp_path = nul; });
  CHECK_THROWS(std::invalid_argument, Engine(nul, bare_board(tree)));
  CHECK_THROWS(std::invalid_argument, get_board_config(std::string("agx_orin\0", 9)));
}

static void the_extremes_within_the_limits_are_accepted() {
  Tree tree;
  BoardConfig board = bare_board(tree);
  board.num_cpu_cores = MAX_CPU_CORES;
  board.power_rails.resize(static_cast<size_t>(MAX_POWER_RAILS), {"VDD", "/nowhere", "/nowhere"});
  board.thermal_zones.resize(static_cast<size_t>(MAX_THERMAL_ZONES), {"zone", "/nowhere"});
  Engine slow(tree.path("slow.bin"), board, {1, 1, 1});
  Engine engine(tree.path("run.bin"), board, {20000, 20000, 20000});
  engine.start();
  engine.wait_for_warmup();
  engine.stop();
  CHECK_EQUAL(read_header(tree.path("run.bin")).num_power_rails, MAX_POWER_RAILS);
  CHECK_EQUAL(read_header(tree.path("run.bin")).num_thermal_zones, MAX_THERMAL_ZONES);
}

static void a_path_that_cannot_be_created_fails_at_start() {
  Tree tree;
  for (const char* path : {"missing/run.bin", "sys", "proc/stat/run.bin"}) {
    Engine engine(tree.path(path), bare_board(tree));
    CHECK_THROWS(std::runtime_error, engine.start());
    CHECK(!engine.is_running());
    engine.stop(); // harmless
  }
  CHECK_THROWS(std::runtime_error, Engine("", bare_board(tree)).start());
}

static void an_error_says_what_and_where_and_why() {
  Tree tree;
  Engine first(tree.path("run.bin"), bare_board(tree));
  Engine second(tree.path("run.bin"), bare_board(tree));
  first.start();
  try {
    second.start();
    FAIL("second.start() throws");
  } catch (const StatusError& error) {
    CHECK_EQUAL(error.status(), FNVM_E_IO);
    CHECK_EQUAL(error.error_number(), EBUSY);
    CHECK(std::string(error.what()).find(tree.path("run.bin")) != std::string::npos);
  }
  try {
    first.start();
    FAIL("first.start() throws");
  } catch (const std::runtime_error& error) {
    CHECK(std::string(error.what()).find("already running") != std::string::npos);
  }
  CHECK(first.is_running());
}

static void an_engine_that_does_not_run_says_so() {
  Tree tree;
  Engine engine(tree.path("run.bin"), bare_board(tree));
  for (int round = 0; round < 2; ++round) {
    CHECK(!engine.is_running());
    CHECK_THROWS(std::runtime_error, engine.sync());
    CHECK_THROWS(std::runtime_error, engine.wait_for_warmup());
    engine.stop();
    engine.start();
    engine.wait_for_warmup();
    engine.stop();
    engine.stop();
    CHECK(engine.sample_count() >= 10);
  }
}

static void a_restart_begins_anew() {
  Tree tree;
  Engine engine(tree.path("run.bin"), bare_board(tree));
  for (int round = 0; round < 3; ++round) {
    engine.start();
    CHECK(engine.is_running());
    CHECK_EQUAL(engine.sync(), 1);
    CHECK_EQUAL(engine.sync(), 2);
    engine.stop();
    const FileHeader header = read_header(tree.path("run.bin"));
    CHECK_EQUAL(header.num_sync_points, 2);
    CHECK_EQUAL(header.num_fast_samples, engine.sample_count());
    CHECK(header.num_fast_samples >= 1);
  }
  CHECK_EQUAL(tree.count("run.bin"), 1);
}

static void the_destructor_completes_the_trace() {
  Tree tree;
  try {
    Engine engine(tree.path("run.bin"), bare_board(tree));
    engine.start();
    engine.sync();
    throw std::logic_error("the work went wrong");
  } catch (const std::logic_error&) {
  }
  const FileHeader header = read_header(tree.path("run.bin"));
  CHECK_EQUAL(header.num_sync_points, 1);
  CHECK(extension(header).flags & FNVM_FLAG_CLOSED);
}

static void our_part_of_the_header_can_be_read() {
  Tree tree;
  BoardConfig board = bare_board(tree);
  board.thermal_zones.push_back({"gone", tree.path("sys/zones/gone")});
  Engine engine(tree.path("run.bin"), board);
  engine.start();
  engine.wait_for_warmup();
  engine.stop();
  const FileHeaderExtension fields = extension(read_header(tree.path("run.bin")));
  CHECK_EQUAL(fields.flags, FNVM_FLAG_VALID | FNVM_FLAG_CLOSED); // no GPU on this board
  CHECK(fields.start_monotonic_ns > 0 && fields.start_realtime_ns > fields.start_monotonic_ns);
  CHECK_EQUAL(fields.chunks_offset, 0);
  CHECK_EQUAL(fields.writer_version, fnvm_version());

  const FileHeaderExtension none = extension(read_header(GOLDEN_DIRECTORY "/short_v1.bin"));
  CHECK_EQUAL(none.flags, 0);
  CHECK_EQUAL(none.start_realtime_ns, 0);
}

static void engines_may_be_used_from_many_threads() {
  Tree tree;
  Engine one(tree.path("one.bin"), bare_board(tree)), two(tree.path("two.bin"), bare_board(tree));
  one.start();
  two.start();
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i)
    threads.emplace_back([&one, &two] {
      for (int k = 0; k < 50; ++k) {
        one.sync();
        two.sync();
        (void)one.sample_count();
      }
    });
  for (std::thread& thread : threads) thread.join();
  one.stop();
  two.stop();
  CHECK_EQUAL(read_header(tree.path("one.bin")).num_sync_points, 200);
  CHECK_EQUAL(read_header(tree.path("two.bin")).num_sync_points, 200);
}

static void a_forked_child_can_only_destroy() {
  Tree tree;
  auto engine = std::make_unique<Engine>(tree.path("run.bin"), bare_board(tree));
  engine->start();
  const pid_t child = fork();
  if (child == 0) {
    checks_failed = 0;
    CHECK_THROWS(std::runtime_error, engine->sync());
    CHECK_THROWS(std::runtime_error, engine->stop());
    engine.reset();
    _exit(checks_failed != 0);
  }
  int status = 0;
  waitpid(child, &status, 0);
  CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
  CHECK_EQUAL(engine->sync(), 1);
  engine->stop();
  CHECK(extension(read_header(tree.path("run.bin"))).flags & FNVM_FLAG_CLOSED);
}

static void the_catalogue_is_available() {
  const BoardConfig agx = get_board_config("agx_orin");
  CHECK(agx.board_name == "agx_orin" && agx.num_cpu_cores == 12);
  CHECK_EQUAL(agx.power_rails.size(), 4);
  CHECK_TEXT(agx.power_rails[0].label.c_str(), "VDD_GPU_SOC");
  CHECK_TEXT(agx.power_rails[3].label.c_str(), "VDDQ_VDD2_1V8AO");
  CHECK_EQUAL(agx.thermal_zones.size(), 11);
  CHECK_TEXT(agx.thermal_zones.back().name.c_str(), "tdiode-thermal");
  CHECK(!agx.gpu_load_path.empty() && !agx.emc_actmon_path.empty() &&
        !agx.emc_clk_rate_path.empty());
  CHECK(!agx.detected);
  const BoardConfig nx = get_board_config("orin_nx");
  CHECK(nx.num_cpu_cores == 8 && nx.power_rails.size() == 3 && nx.thermal_zones.size() == 10);
  CHECK(get_board_config("orin_nano").board_name == "orin_nano");
  CHECK(get_board_config("generic_linux").num_cpu_cores >= 1);
  try {
    get_board_config("toaster");
    FAIL("get_board_config() throws");
  } catch (const std::runtime_error& error) {
    CHECK(std::string(error.what()).find("Unknown board: toaster") == 0);
  }
}

static void the_root_of_the_environment_is_honoured() {
  Tree tree;
  setenv("FASTNVMETRICS_ROOT", tree.root().c_str(), 1);
  CHECK_THROWS(std::runtime_error, detect_board());

  tree.write("proc/device-tree/compatible",
             std::string("nvidia,p3767-0000\0nvidia,tegra234\0", 35));
  tree.write("sys/devices/system/cpu/possible", "0-3\n");
  const BoardConfig board = std::async(std::launch::async, detect_board).get();
  CHECK(board.board_name == "orin_nx" && board.root == tree.root());
  CHECK_EQUAL(board.num_cpu_cores, 4);
  CHECK(board.detected);

  // A board that comes back from the caller's hands is still one that was detected.
  Engine engine(tree.path("run.bin"), board);
  engine.start();
  engine.wait_for_warmup();
  engine.stop();
  CHECK_TEXT(read_header(tree.path("run.bin")).board_name, "orin_nx");
  unsetenv("FASTNVMETRICS_ROOT");
}

static void awkward_nodes_are_recorded_as_the_format_says() {
  Tree tree;
  tree.write("proc/stat",
             "cpu  0 0 0 0 0 0 0 0 0 0\n"
             "cpu0 10 0 0 90 0 0 0 0 0 0\n"
             "cpu1 10 0 0 90 0 0 0 0 0 0\n"
             "cpu4 10 0 0 90 0 0 0 0 0 0\n");
  tree.write("sys/rails/a_ma", "-5\n");
  BoardConfig board = bare_board(tree);
  board.num_cpu_cores = 5;
  board.power_rails.push_back({"NEG", tree.path("sys/rails/a_mv"), tree.path("sys/rails/a_ma")});
  board.power_rails.push_back({"GONE", tree.path("sys/none"), tree.path("sys/none")});
  Engine engine(tree.path("run.bin"), board, {1000, 1000, 10});
  engine.start();
  engine.wait_for_warmup();
  while (engine.sample_count() < 50) std::this_thread::yield();
  engine.stop();

  std::ifstream file(tree.path("run.bin"), std::ios::binary);
  FileHeader header;
  file.read(reinterpret_cast<char*>(&header), sizeof(header));
  CHECK_EQUAL(header.emc_available, 0);
  std::vector<FastSample> fast(header.num_fast_samples);
  file.read(reinterpret_cast<char*>(fast.data()),
            static_cast<std::streamsize>(fast.size() * sizeof(FastSample)));
  for (const FastSample& sample : fast) {
    CHECK(!std::isnan(sample.cpu_util[0]) && !std::isnan(sample.cpu_util[1]));
    CHECK(std::isnan(sample.cpu_util[2]) && std::isnan(sample.cpu_util[3]));
    CHECK(!std::isnan(sample.cpu_util[4]) && !std::isnan(sample.cpu_aggregate));
    CHECK(sample.emc_util == -1.0f);
  }
  CHECK(header.num_medium_samples > 0);
  MediumSample medium;
  file.read(reinterpret_cast<char*>(&medium), sizeof(medium));
  CHECK(medium.voltage_mv[0] == 5000 && medium.current_ma[0] == 0 && medium.power_mw[0] == 0);
  CHECK(std::isnan(medium.power_mw[1]));
  CHECK(extension(header).read_errors > 0);
}

static void the_doctor_says_why_a_node_is_missing() {
  Tree tree;
  tree.write("proc/device-tree/compatible", "nvidia,p3701-0005");
  const std::vector<NodeReport> reports = doctor("", tree.path(""));
  CHECK(reports.size() > 4);
  CHECK_EQUAL(reports[0].kind, FNVM_NODE_BOARD);
  CHECK(reports[0].name == "agx_orin" && reports[0].state == FNVM_NODE_IS_GOOD);
  int absent = 0;
  for (const NodeReport& report : reports)
    if (report.state == FNVM_NODE_IS_ABSENT && !report.advice.empty()) ++absent;
  CHECK(absent >= 1 + 2 + 4 + 11);  // GPU, EMC, rails, zones
  bool refused = false;
  try {
    doctor("toaster");
  } catch (const std::runtime_error& error) {
    refused = std::string(error.what()).find("Unknown board: toaster") == 0;
  }
  CHECK(refused);
}

static void what_a_killed_recorder_set_is_put_back() {
  Tree tree;
  CHECK(restore_sensors(tree.root()).empty());
  const std::string chip = "sys/devices/1-0040/hwmon/hwmon3";
  tree.write(chip + "/name", "ina3221\n");
  tree.write(chip + "/update_interval", "1\n");
  tree.write("run/fastnvmetrics/sensors-1-0", "/" + chip + "/update_interval\t7\t1\n");
  const std::vector<std::string> notices = restore_sensors(tree.root());
  CHECK_EQUAL(notices.size(), 1);
  CHECK(notices[0].find("1-0040") != std::string::npos);
  CHECK(restore_sensors(tree.root()).empty());
  bool refused = false;
  try {
    tree.write("run/fastnvmetrics/sensors-1-0", "/" + chip + "/samples\t7\t1\n");
    restore_sensors(tree.root());
  } catch (const std::runtime_error& error) {
    refused = std::string(error.what()).find("samples") != std::string::npos;
  }
  CHECK(refused);
}

static void the_total_counts_each_watt_once() {
  const BoardConfig agx = get_board_config("agx_orin");
  CHECK((total_power_rails(agx) == std::vector<std::size_t>{0, 1, 2}));
  CHECK((total_power_rails(get_board_config("orin_nx")) == std::vector<std::size_t>{0}));
  BoardConfig unknown = agx;
  unknown.board_name = "toaster";
  CHECK(total_power_rails(unknown).empty());
}

static void a_killed_recording_is_recovered() {
  Tree tree;
  const std::string path = tree.path("run.bin");
  const pid_t child = fork();
  if (child == 0) {
    alarm(30);
    Engine engine(path, bare_board(tree));
    engine.start();
    while (engine.sample_count() < 300) engine.wait_for_warmup();
    kill(getpid(), SIGKILL);
  }
  int status = 0;
  CHECK(waitpid(child, &status, 0) == child && WIFSIGNALED(status));
  CHECK(recover(path));
  CHECK(!recover(path));
  const FileHeader header = read_header(path);
  CHECK(header.num_fast_samples > 50);
  CHECK((extension(header).flags & FNVM_FLAG_RECOVERED) != 0);
  CHECK_THROWS(std::runtime_error, recover(tree.path("missing.bin")));
}

static void statistics_say_what_was_recorded() {
  Tree tree;
  EngineConfig config;
  config.flush_interval_ms = 0;
  config.write_stats = true;
  Engine engine(tree.path("run.bin"), bare_board(tree), config);
  CHECK(engine.stats().tiers.empty() && engine.stats().cpu_share() == 0);
  engine.start();
  while (engine.sample_count() < 100) engine.wait_for_warmup();
  engine.stop();
  const EngineStats stats = engine.stats();
  CHECK(stats.elapsed_ns > 0 && stats.cpu_ns > 0 && stats.cpu_share() < 1);
  CHECK(stats.tiers.size() == 3 && stats.tiers[0].rate_hz == 1000);
  CHECK(stats.tiers[0].samples == engine.sample_count());
  uint64_t ticks = 0;
  for (const fnvm_lateness_bucket& bucket : stats.tiers[0].lateness) ticks += bucket.ticks;
  CHECK(ticks == engine.sample_count() - 11);
  CHECK(!stats.sources.empty() && stats.sources[0].name == "cpu" && stats.sources[0].reads >= 100);
  CHECK(extension(read_header(tree.path("run.bin"))).chunks_offset > 0);
}

int main() {
  unsetenv("FASTNVMETRICS_ROOT");
  RUN_GUARDED(limits_are_invalid_arguments);
  RUN_GUARDED(a_nul_character_is_an_invalid_argument);
  RUN_GUARDED(the_extremes_within_the_limits_are_accepted);
  RUN_GUARDED(a_path_that_cannot_be_created_fails_at_start);
  RUN_GUARDED(an_error_says_what_and_where_and_why);
  RUN_GUARDED(an_engine_that_does_not_run_says_so);
  RUN_GUARDED(a_restart_begins_anew);
  RUN_GUARDED(the_destructor_completes_the_trace);
  RUN_GUARDED(our_part_of_the_header_can_be_read);
  RUN_GUARDED(engines_may_be_used_from_many_threads);
  RUN_GUARDED(a_forked_child_can_only_destroy);
  RUN_GUARDED(the_catalogue_is_available);
  RUN_GUARDED(the_root_of_the_environment_is_honoured);
  RUN_GUARDED(the_doctor_says_why_a_node_is_missing);
  RUN_GUARDED(what_a_killed_recorder_set_is_put_back);
  RUN_GUARDED(the_total_counts_each_watt_once);
  RUN_GUARDED(awkward_nodes_are_recorded_as_the_format_says);
  RUN_GUARDED(a_killed_recording_is_recovered);
  RUN_GUARDED(statistics_say_what_was_recorded);
  return finish();
}
