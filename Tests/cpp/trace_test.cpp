// TraceReader: the records of a trace, where they lie.
#include <fastnvmetrics/fastnvmetrics.hpp>

#include <algorithm>
#include <cerrno>
#include <fstream>
#include <iterator>

#include "check.hpp"

using namespace fastnvmetrics;

using Fast = TraceReader::Records<FastSample>;
static_assert(!std::is_copy_constructible_v<TraceReader>);
static_assert(std::is_nothrow_move_constructible_v<TraceReader>);
static_assert(std::is_trivially_copyable_v<Fast>);
static_assert(std::is_base_of_v<std::random_access_iterator_tag,
                                std::iterator_traits<Fast::iterator>::iterator_category>);

// Whether a reader of this kind lends its records: one that is gone at once must not.
template <typename Reader, typename = void>
struct Lends : std::false_type {};
template <typename Reader>
struct Lends<Reader, std::void_t<decltype(std::declval<Reader>().fast())>> : std::true_type {};
static_assert(Lends<TraceReader&>::value && Lends<const TraceReader&>::value);
static_assert(!Lends<TraceReader>::value && !Lends<const TraceReader>::value);

static const std::string golden = GOLDEN_DIRECTORY "/short_v1.bin";

static BoardConfig board_of(Tree& tree) {
  BoardConfig board;
  board.board_name = "bench";
  board.num_cpu_cores = 4;
  board.gpu_load_path = tree.path("sys/gpu/load");
  board.power_rails.push_back({"VDD_A", tree.path("sys/rails/a_mv"), tree.path("sys/rails/a_ma")});
  board.thermal_zones.push_back({"cpu-thermal", tree.path("sys/zones/cpu")});
  board.root = tree.root();
  return board;
}

// Records run.bin, with two marks and a phase.
static std::string recorded(Tree& tree, const EngineConfig& config = {}) {
  const std::string path = tree.path("run.bin");
  Engine engine(path, board_of(tree), config);
  engine.start();
  engine.wait_for_warmup();
  engine.sync();
  const auto phase = engine.phase("phase");
  while (engine.sample_count() < 50) std::this_thread::yield();
  engine.sync_labelled("label");
  engine.stop();
  return path;
}

static std::string bytes_of(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

static void traces_of_the_reference_open() {
  const TraceReader trace(golden);
  CHECK_TEXT(trace.header().board_name, "agx_orin");
  CHECK_EQUAL(trace.fast().size(), 11);
  CHECK(trace.fast().front().time_s == 0.0003388719997019507);
  CHECK(trace.fast().back().time_s == 0.01836929000000964);
  CHECK_EQUAL(trace.fast()[10].gpu_load, 900);
  CHECK(trace.phases().empty() && !trace.sync_label(1) && !trace.chunk("META"));
}

static void records_are_a_random_access_range() {
  const TraceReader trace(golden);
  const Fast fast = trace.fast();
  CHECK_EQUAL(fast.end() - fast.begin(), static_cast<std::ptrdiff_t>(fast.size()));
  size_t count = 0;
  double last = -1;
  for (const FastSample& sample : fast) {
    CHECK(sample.time_s > last);
    CHECK(std::memcmp(&sample, &fast[count], sizeof(sample)) == 0);
    CHECK(&fast.at(count) == &sample && fast.data() + count == &sample);
    last = sample.time_s;
    ++count;
  }
  CHECK_EQUAL(count, 11);
  const auto found = std::lower_bound(
      fast.begin(), fast.end(), 0.01,
      [](const FastSample& sample, double time) { return sample.time_s < time; });
  CHECK(found != fast.end() && found->time_s >= 0.01 && (found - 1)->time_s < 0.01);
  const std::vector<FastSample> copies(fast.begin(), fast.end());
  CHECK_EQUAL(copies.size(), 11);
  CHECK_THROWS(std::out_of_range, fast.at(11));
  CHECK_THROWS(std::out_of_range, fast.at(static_cast<size_t>(-1)));
  const Fast none;
  CHECK(none.empty() && none.size() == 0 && none.begin() == none.end());
  CHECK_THROWS(std::out_of_range, none.at(0));
}

static void what_was_recorded_is_read() {
  Tree tree;
  const TraceReader trace(recorded(tree));
  CHECK(trace.header().magic == MAGIC && trace.header().version == VERSION);
  CHECK_EQUAL(trace.fast().size(), trace.header().num_fast_samples);
  CHECK_EQUAL(trace.medium().size(), trace.header().num_medium_samples);
  CHECK_EQUAL(trace.slow().size(), trace.header().num_slow_samples);
  CHECK(trace.fast().size() >= 50 && !trace.medium().empty() && !trace.slow().empty());
  for (const FastSample& sample : trace.fast()) CHECK_EQUAL(sample.gpu_load, FIXTURE_GPU_LOAD);
  for (const MediumSample& sample : trace.medium()) CHECK(sample.power_mw[0] == 6170.0f);
  for (const SlowSample& sample : trace.slow()) CHECK(sample.temp_c[0] == 45.5f);
  CHECK_EQUAL(trace.sync_points().size(), 2);
  for (const SyncPoint& point : trace.sync_points())
    CHECK(point.fast_sample_idx < trace.fast().size());
  CHECK(trace.sync_label(2) == "label");
  CHECK(trace.phases().size() == 1 && trace.phases()[0].name == "phase");
  // The bytes are those of the file.
  const std::string bytes = bytes_of(tree.path("run.bin"));
  CHECK(std::memcmp(&trace.header(), bytes.data(), sizeof(FileHeader)) == 0);
  CHECK(std::memcmp(trace.fast().data(), bytes.data() + sizeof(FileHeader),
                    trace.fast().size() * sizeof(FastSample)) == 0);
}

static void records_stay_while_their_reader_is_there() {
  Tree tree;
  const std::string path = recorded(tree);
  auto first = std::make_unique<TraceReader>(path);
  const Fast fast = first->fast();
  const std::vector<FastSample> before(fast.begin(), fast.end());
  const TraceReader second = std::move(*first);
  first.reset();
  CHECK(second.fast().data() == fast.data()); // moving it moved nothing
  (void)recorded(tree); // takes the place of the file that is being read
  CHECK(std::memcmp(before.data(), fast.data(), before.size() * sizeof(FastSample)) == 0);
  CHECK_EQUAL(remove(path.c_str()), 0);
  CHECK(std::memcmp(before.data(), fast.data(), before.size() * sizeof(FastSample)) == 0);

  TraceReader assigned(golden);
  assigned = TraceReader(golden);
  CHECK_EQUAL(assigned.fast().size(), 11);
}

static void chunks_are_found_by_their_type() {
  Tree tree;
  EngineConfig config;
  config.write_stats = true;
  const std::string path = recorded(tree, config);
  const TraceReader trace(path);
  const std::optional<std::string> stats = trace.chunk("STAT"), meta = trace.chunk("META");
  CHECK(stats && stats->front() == '{' && stats->find("\"tiers\"") != std::string::npos);
  CHECK(meta && meta->find("\"bench\"") != std::string::npos);
  CHECK(!trace.chunk("NONE") && !trace.chunk("") && !trace.chunk("STATS"));

  // One that is damaged is reported where it may be the one that is missing, and only there.
  std::string bytes = bytes_of(path);
  const size_t place = bytes.find(*stats);
  CHECK(place != std::string::npos);
  bytes[place] = '!';
  tree.write("damaged.bin", bytes);
  const TraceReader damaged(tree.path("damaged.bin"));
  CHECK(damaged.chunk("META") == meta);
  CHECK(damaged.fast().size() == trace.fast().size() && damaged.phases().size() == 1);
  fnvm_status status = FNVM_OK;
  try {
    (void)damaged.chunk("STAT");
  } catch (const StatusError& error) {
    status = error.status();
  }
  CHECK_EQUAL(status, FNVM_E_FORMAT);
}

static void what_is_no_trace_says_so() {
  Tree tree;
  const auto status_of = [&tree](const std::string& relative) {
    try {
      TraceReader trace(tree.path(relative));
      return FNVM_OK;
    } catch (const StatusError& error) {
      CHECK(std::string(error.what()).find(tree.path(relative)) != std::string::npos);
      return static_cast<int>(error.status());
    }
  };
  CHECK_EQUAL(status_of("missing.bin"), FNVM_E_IO);
  CHECK_EQUAL(status_of("proc/stat"), FNVM_E_FORMAT);
  CHECK_THROWS(std::invalid_argument, TraceReader(std::string("a\0b", 3)));
  {
    Engine engine(tree.path("run.bin"), board_of(tree));
    engine.start();
    CHECK_EQUAL(status_of("run.bin"), FNVM_E_UNFINISHED);
  }
  CHECK_EQUAL(status_of("run.bin"), FNVM_OK);
  const std::string bytes = bytes_of(tree.path("run.bin"));
  tree.write("cut.bin", bytes.substr(0, bytes.size() - 1));
  CHECK_EQUAL(status_of("cut.bin"), FNVM_E_FORMAT);
}

static void threads_read_one_trace() {
  Tree tree;
  const TraceReader trace(recorded(tree));
  std::atomic<int> right{0};
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i)
    threads.emplace_back([&trace, &right] {
      right += trace.phases().size() == 1 && trace.sync_label(2) == "label" &&
               trace.fast().size() == trace.header().num_fast_samples;
    });
  for (std::thread& thread : threads) thread.join();
  CHECK_EQUAL(right, 4);
}

int main() {
  unsetenv("FASTNVMETRICS_ROOT");
  RUN_GUARDED(traces_of_the_reference_open);
  RUN_GUARDED(records_are_a_random_access_range);
  RUN_GUARDED(what_was_recorded_is_read);
  RUN_GUARDED(records_stay_while_their_reader_is_there);
  RUN_GUARDED(chunks_are_found_by_their_type);
  RUN_GUARDED(what_is_no_trace_says_so);
  RUN_GUARDED(threads_read_one_trace);
  return finish();
}
