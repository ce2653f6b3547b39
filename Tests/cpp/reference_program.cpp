// A program as users of the C++ reference (fastnvmetrics 0.2) have them: no other include for what
// came with the header, the whole API in its old shapes, the trace read with ifstream into packed
// structs.
#include <fastnvmetrics/fastnvmetrics.hpp>

#include <algorithm>
#include <cmath>
#include <fstream>
#include <iostream>
#include <map>
#include <numeric>

#include "check.hpp"

using namespace fastnvmetrics;

struct Trace {
  FileHeader header;
  std::vector<FastSample> fast;
  std::vector<MediumSample> medium;
  std::vector<SlowSample> slow;
  std::vector<SyncPoint> syncs;
  bool complete;
};

template <typename Record>
static std::vector<Record> read_records(std::ifstream& file, uint64_t count) {
  std::vector<Record> records(count);
  file.read(reinterpret_cast<char*>(records.data()),
            static_cast<std::streamsize>(count * sizeof(Record)));
  return records;
}

static Trace load(const std::string& path) {
  Trace trace;
  std::ifstream file(path, std::ios::binary);
  file.read(reinterpret_cast<char*>(&trace.header), sizeof(trace.header));
  trace.fast = read_records<FastSample>(file, trace.header.num_fast_samples);
  trace.medium = read_records<MediumSample>(file, trace.header.num_medium_samples);
  trace.slow = read_records<SlowSample>(file, trace.header.num_slow_samples);
  trace.syncs = read_records<SyncPoint>(file, trace.header.num_sync_points);
  trace.complete = file.good() && file.peek() == std::ifstream::traits_type::eof();
  return trace;
}

static BoardConfig bench_board(Tree& tree) {
  BoardConfig board;
  board.board_name = "bench";
  board.num_cpu_cores = 4;
  board.gpu_load_path = tree.path("sys/gpu/load");
  board.emc_actmon_path = tree.path("sys/emc/mc_all");
  board.emc_clk_rate_path = tree.path("sys/emc/rate");
  board.power_rails.push_back({"VDD_A", tree.path("sys/rails/a_mv"), tree.path("sys/rails/a_ma")});
  board.power_rails.push_back({"VDD_B", tree.path("sys/rails/b_mv"), tree.path("sys/rails/b_ma")});
  board.thermal_zones.push_back({"cpu-thermal", tree.path("sys/zones/cpu")});
  board.root = tree.root();
  return board;
}

static void a_recording_can_be_read_back() {
  Tree tree;
  EngineConfig cfg{500, 50, 5};
  Engine engine(tree.path("run.bin"), bench_board(tree), cfg);
  engine.start();
  engine.wait_for_warmup();
  std::thread worker([&engine] { engine.sync(); });
  worker.join();
  engine.sync();
  while (engine.sample_count() < 50) std::this_thread::yield();
  engine.stop();

  Trace trace = load(tree.path("run.bin"));
  CHECK(trace.complete);
  CHECK(trace.header.magic == MAGIC && trace.header.version == VERSION);
  CHECK_EQUAL(trace.header.fast_hz, 500);
  CHECK_EQUAL(trace.header.medium_hz, 50);
  CHECK_EQUAL(trace.header.slow_hz, 5);
  CHECK(std::string(trace.header.board_name) == "bench");
  CHECK(std::string(trace.header.power_rail_names[1]) == "VDD_B");
  CHECK(std::string(trace.header.thermal_zone_names[0]) == "cpu-thermal");
  CHECK_EQUAL(trace.header.num_fast_samples, engine.sample_count());

  for (const auto& sample : trace.fast) {
    CHECK_EQUAL(sample.gpu_load, FIXTURE_GPU_LOAD);
    CHECK(sample.emc_util == FIXTURE_EMC_UTIL);
    CHECK(!std::isnan(sample.cpu_aggregate));
    for (int i = 0; i < trace.header.num_cpu_cores; ++i) CHECK(!std::isnan(sample.cpu_util[i]));
  }
  for (const auto& sample : trace.medium)
    for (int i = 0; i < trace.header.num_power_rails; ++i)
      CHECK(!std::isnan(sample.power_mw[i]) && sample.voltage_mv[i] > 0 &&
            sample.current_ma[i] > 0);
  for (const auto& sample : trace.slow) CHECK(sample.temp_c[0] == 45.5f);
  CHECK_EQUAL(trace.syncs.size(), 2);
  for (const auto& point : trace.syncs) CHECK(point.fast_sample_idx < trace.fast.size());
}

static void packed_records_work_with_the_standard_library() {
  std::vector<FastSample> samples(3);
  samples[0].time_s = 2.0;
  samples[1].time_s = 1.0;
  samples[2].time_s = 3.0;
  std::sort(samples.begin(), samples.end(),
            [](const FastSample& a, const FastSample& b) { return a.time_s < b.time_s; });
  CHECK(samples.front().time_s == 1.0);

  std::vector<double> times;
  for (auto& sample : samples) times.push_back(sample.time_s);
  CHECK(std::accumulate(times.begin(), times.end(), 0.0) == 6.0);

  double latest = 0;
  for (auto sample : samples) latest = std::max<double>(latest, sample.time_s);
  CHECK(latest == 3.0);

  std::map<uint64_t, SyncPoint> by_id;
  by_id[7] = SyncPoint{7, 42};
  CHECK_EQUAL(by_id[7].fast_sample_idx, 42);

  FileHeader header;
  std::memset(&header, 0, sizeof(header));
  std::strncpy(header.board_name, "bench", sizeof(header.board_name) - 1);
  FileHeader copy = header;
  CHECK(std::memcmp(&copy, &header, sizeof(header)) == 0);

  MediumSample medium{};
  medium.power_mw[MAX_POWER_RAILS - 1] = std::nanf("");
  CHECK(std::isnan(medium.power_mw[MAX_POWER_RAILS - 1]));
}

static void configurations_are_aggregates() {
  BoardConfig board{"bench", 4, "/gpu", "/actmon", "/rate", {{"A", "/v", "/c"}}, {{"z", "/t"}}};
  CHECK(board.power_rails[0].current_path == "/c" && board.thermal_zones[0].temp_path == "/t");
  CHECK(board.root.empty());
  BoardConfig copy = board;
  copy.power_rails.clear();
  CHECK_EQUAL(board.power_rails.size(), 1);

  EngineConfig config;
  CHECK(config.fast_hz == 1000 && config.medium_hz == 100 && config.slow_hz == 10);
  config.fast_hz = 2000;
  EngineConfig partial{200};
  CHECK(partial.fast_hz == 200 && partial.slow_hz == 10);
}

// Declared for its shapes: each of these compiled against the reference.
static_assert(!std::is_copy_constructible_v<Engine> && !std::is_move_constructible_v<Engine>);
static_assert(!std::is_copy_assignable_v<Engine> && !std::is_move_assignable_v<Engine>);
static_assert(std::is_aggregate_v<BoardConfig> && std::is_aggregate_v<EngineConfig>);
static_assert(std::is_same_v<decltype(&detect_board), BoardConfig (*)()>);
static_assert(std::is_same_v<decltype(&get_board_config), BoardConfig (*)(const std::string&)>);
static_assert(std::is_same_v<decltype(&Engine::sync), uint64_t (Engine::*)()>);
static_assert(std::is_same_v<decltype(&Engine::sample_count), uint64_t (Engine::*)() const>);
static_assert(std::is_same_v<decltype(&Engine::is_running), bool (Engine::*)() const>);
static_assert(MAGIC == 0x4E564D54 && VERSION == 1);
static_assert(MAX_CPU_CORES == 16 && MAX_POWER_RAILS == 8 && MAX_THERMAL_ZONES == 16);

// What came with the header.
static std::atomic<int> counter{0};
static std::mutex mutex;
static std::condition_variable condition;

static void standard_headers_come_along() {
  std::unique_lock<std::mutex> lock(mutex);
  std::thread other([] {
    std::lock_guard<std::mutex> guard(mutex);
    ++counter;
    condition.notify_one();
  });
  condition.wait(lock, [] { return counter.load() == 1; });
  lock.unlock();
  other.join();
}

int main() {
  RUN_GUARDED(a_recording_can_be_read_back);
  RUN_GUARDED(packed_records_work_with_the_standard_library);
  RUN_GUARDED(configurations_are_aggregates);
  RUN_GUARDED(standard_headers_come_along);
  return finish();
}
