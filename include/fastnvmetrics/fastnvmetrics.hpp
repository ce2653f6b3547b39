/** @file fastnvmetrics.hpp
 *  fastnvmetrics for C++17: a thin, header-only layer over the C library (fastnvmetrics.h).
 *  Link with -lfastnvmetrics. Programs written for the C++ reference (fastnvmetrics 0.2) compile as
 *  they are.
 *
 *      #include <fastnvmetrics/fastnvmetrics.hpp>
 *
 *      int main() {
 *        fastnvmetrics::Engine engine("run.bin", fastnvmetrics::detect_board());
 *        engine.start();
 *        engine.wait_for_warmup();
 *        {
 *          const auto loading = engine.phase("loading");
 *          load_model();
 *        }  // it ends here
 *        infer();
 *        engine.stop();  // run.bin is complete
 *
 *        const fastnvmetrics::TraceReader trace("run.bin");
 *        for (const auto& phase : trace.phases())
 *          std::cout << phase.name << ": " << phase.duration_s() << " s\n";
 *      }
 *
 *  Errors are exceptions:
 *
 *  - std::invalid_argument for what no board and no machine could make right: a board or a rate
 *    outside the limits below, a string with a NUL character in it.
 *  - StatusError, a std::runtime_error, for everything else. Its what() says what was attempted, on
 *    which path, why it failed and what to do.
 *
 *  Strings are bytes, as in C: paths are never interpreted as text; labels and names are UTF-8.
 */
#ifndef FASTNVMETRICS_FASTNVMETRICS_HPP
#define FASTNVMETRICS_FASTNVMETRICS_HPP

// Programs written for the reference rely on these coming with it, whether used here or not.
#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include <cstddef>
#include <cstring>
#include <memory>
#include <optional>
#include <stdexcept>
#include <type_traits>
#include <utility>

#include "fastnvmetrics.h"

namespace fastnvmetrics {

// ==== The trace file ===========================================================================

inline constexpr uint32_t MAGIC = FNVM_TRACE_MAGIC;
inline constexpr uint32_t VERSION = FNVM_TRACE_VERSION;

inline constexpr int MAX_CPU_CORES = FNVM_MAX_CPU_CORES;
inline constexpr int MAX_POWER_RAILS = FNVM_MAX_POWER_RAILS;
inline constexpr int MAX_THERMAL_ZONES = FNVM_MAX_THERMAL_ZONES;

/* A trace is FileHeader · FastSample × N · MediumSample × M · SlowSample × S · SyncPoint × P,
 * packed and little-endian: records are read where they lie.
 *
 *     std::ifstream file("run.bin", std::ios::binary);
 *     FileHeader header;
 *     file.read(reinterpret_cast<char*>(&header), sizeof(header));
 *     std::vector<FastSample> fast(header.num_fast_samples);
 *     file.read(reinterpret_cast<char*>(fast.data()),
 *               static_cast<std::streamsize>(fast.size() * sizeof(FastSample)));
 *
 * TraceReader does that without copying, and checks the counts of a file that may be damaged first.
 * Fields may be misaligned: copy them rather than keep references. */
#pragma pack(push, 1)

/** The first 728 bytes. Slots beyond the counts are zero. */
struct FileHeader {
  uint32_t magic;    ///< MAGIC
  uint32_t version;  ///< VERSION
  char board_name[32];
  uint8_t num_cpu_cores;
  uint8_t num_power_rails;
  uint8_t num_thermal_zones;
  uint8_t emc_available;  ///< 0 or 1
  uint32_t fast_hz;
  uint32_t medium_hz;
  uint32_t slow_hz;
  uint64_t num_fast_samples;
  uint64_t num_medium_samples;
  uint64_t num_slow_samples;
  uint64_t num_sync_points;
  char power_rail_names[MAX_POWER_RAILS][24];
  char thermal_zone_names[MAX_THERMAL_ZONES][24];
  uint8_t reserved[64];  ///< zero in traces of the reference; extension() reads it
};

/** What this library keeps in FileHeader::reserved: all zero in traces of the reference. */
struct FileHeaderExtension {
  uint32_t flags;  ///< FNVM_FLAG_…; without FNVM_FLAG_VALID the other fields say nothing
  uint32_t missed_fast;    ///< deadlines skipped because the tier was late
  uint32_t missed_medium;
  uint32_t missed_slow;
  uint64_t start_monotonic_ns;  ///< CLOCK_MONOTONIC at t = 0
  uint64_t start_realtime_ns;   ///< CLOCK_REALTIME at t = 0
  uint64_t chunks_offset;       ///< where the optional chunks begin; 0: there are none
  uint32_t dropped_samples;     ///< lost because the disk could not keep up
  uint32_t read_errors;         ///< failed reads of any source
  uint32_t writer_version;      ///< major << 16 | minor << 8 | patch
  uint8_t reserved[12];
};

/** GPU, CPU, memory and memory controller; 1000 Hz unless asked otherwise. */
struct FastSample {
  double time_s;                  ///< since t = 0, the same zero for all tiers
  uint16_t gpu_load;              ///< per mille, 0 to 1000
  float cpu_util[MAX_CPU_CORES];  ///< %, NaN: the core is offline
  float cpu_aggregate;            ///< %, mean of the online cores
  uint64_t ram_used_kb;           ///< MemTotal - MemAvailable
  uint64_t ram_available_kb;
  float emc_util;                 ///< %, -1: not available
};

/** Power rails, in the order of FileHeader::power_rail_names; 100 Hz unless asked otherwise. */
struct MediumSample {
  double time_s;
  uint32_t voltage_mv[MAX_POWER_RAILS];
  uint32_t current_ma[MAX_POWER_RAILS];
  float power_mw[MAX_POWER_RAILS];  ///< NaN: the read failed, and voltage and current are older
};

/** Thermal zones, in the order of FileHeader::thermal_zone_names; 10 Hz unless asked otherwise. */
struct SlowSample {
  double time_s;
  float temp_c[MAX_THERMAL_ZONES];  ///< NaN: the read failed, or the zone is powered down
};

/** A phase boundary, set by Engine::sync() or sync_labelled(). */
struct SyncPoint {
  uint64_t sync_id;          ///< 1, 2, 3, …
  uint64_t fast_sample_idx;  ///< the first fast sample after the mark
};

#pragma pack(pop)

/** @return the part of a header that the reference left unused. */
inline FileHeaderExtension extension(const FileHeader& header) noexcept {
  FileHeaderExtension fields;
  std::memcpy(&fields, header.reserved, sizeof(fields));
  return fields;
}

// ==== Boards ===================================================================================

/** A power rail. Up to 23 bytes of the label reach the trace. */
struct PowerRailConfig {
  std::string label{};
  std::string voltage_path{};  ///< a file with millivolts
  std::string current_path{};  ///< a file with milliamperes
};

/** A thermal zone. Up to 23 bytes of the name reach the trace. */
struct ThermalZoneConfig {
  std::string name{};
  std::string temp_path{};  ///< a file with millidegrees Celsius
};

/** Which files to sample, and under which names: a plain value, yours to edit.
 *
 *  Paths are complete, root included, and opened as they are; an empty one means "not available". A
 *  node that cannot be read is recorded as missing and counted, and is never an error. */
struct BoardConfig {
  std::string board_name{};  ///< up to 31 bytes reach the trace
  int num_cpu_cores = 0;     ///< 1 to MAX_CPU_CORES
  std::string gpu_load_path{};
  std::string emc_actmon_path{};    ///< active memory controller clocks, in kHz (mc_all)
  std::string emc_clk_rate_path{};  ///< the clock of the memory controller, in Hz
  std::vector<PowerRailConfig> power_rails{};      ///< at most MAX_POWER_RAILS
  std::vector<ThermalZoneConfig> thermal_zones{};  ///< at most MAX_THERMAL_ZONES

  /** A directory before /proc and /sys, for what the board does not name: /proc/stat,
   *  /proc/meminfo, cpuidle. Empty: the environment variable FASTNVMETRICS_ROOT, else the machine
   *  itself. */
  std::string root{};

  /** Whether empty paths are looked for again, at start() and at most once a second after it: a GPU
   *  driver may load late. Set by detect_board(). */
  bool detected = false;
};

/** The board this program runs on, with the nodes that can be read. Blocks for milliseconds.
 *  @throws std::runtime_error where no board is recognised; it names what was found instead. */
BoardConfig detect_board();

/** The board of that name: "agx_orin", "orin_nx", "orin_nano" with nominal paths, whether they
 *  exist or not, or "generic_linux" with what this machine has.
 *  @throws std::runtime_error "Unknown board: …". */
BoardConfig get_board_config(const std::string& name);

/** The positions in `power_rails` of those whose sum is the power of the module, each watt counted
 *  once; empty where that is not known. */
std::vector<std::size_t> total_power_rails(const BoardConfig& board);

// ==== Recovery ==================================================================================

/** Completes a trace whose recorder was killed or crashed, from the file and the spools beside it.
 *  @return true where it was completed now, false where it was complete already.
 *  @throws std::runtime_error where the file cannot be read or written, is no trace, or is still being
 *  recorded. */
bool recover(const std::string& path);

// ==== Doctor ===================================================================================

/** What is known of one node of a board. */
struct NodeReport {
  uint32_t kind = 0;       ///< FNVM_NODE_BOARD, _GPU, _CPU, _MEMORY, _EMC, _RAIL, _ZONE
  uint32_t state = 0;      ///< FNVM_NODE_IS_GOOD, _ABSENT, _FORBIDDEN, _FAILING, …
  int error_number = 0;    ///< errno of the failed read, 0: none
  int64_t value = 0;       ///< what it says now, in `unit`
  uint64_t read_ns = 0;    ///< what a read costs, in nanoseconds; 0: not read
  double refresh_ms = 0;   ///< how often the sensor measures, in milliseconds; 0: not known
  std::string name{};      ///< the rail's label, the zone's type, "load", "mc_all" …
  std::string path{};      ///< where it is, or where it was looked for first
  std::string unit{};      ///< the unit of `value`
  std::string advice{};    ///< what follows for a recording and what to do; empty: all is well
};

/** Reads every node of a board a few times, which takes some 100 ms on one: the board first, then
 *  its nodes in the order of a trace.
 *  @param board a name; empty: the board that is detected, else what the machine has.
 *  @param root as in BoardConfig.
 *  @throws std::runtime_error "Unknown board: …". */
std::vector<NodeReport> doctor(const std::string& board = {}, const std::string& root = {});

/** Puts back the settings of INA3221 power sensors that recorders which crashed left behind.
 *  @param root as in BoardConfig.
 *  @return what was done, a sentence for each sensor; empty where there was nothing to do.
 *  @throws std::runtime_error where something could not be put back; it says all that was done and was not. */
std::vector<std::string> restore_sensors(const std::string& root = {});

// ==== Engine ===================================================================================

/** How to record. Rates are 1 to 20000 Hz. */
struct EngineConfig {
  uint32_t fast_hz = 1000;   ///< GPU, CPU, memory, memory controller
  uint32_t medium_hz = 100;  ///< power rails
  uint32_t slow_hz = 10;     ///< thermal zones
  uint32_t flush_interval_ms = 1000;  ///< how often the disk is made to keep it; 0: only at the end

  // How often each source is read inside its tier; 0: at every tick, unless native_rates says otherwise.
  uint32_t gpu_hz = 0;
  uint32_t ram_hz = 0;
  uint32_t emc_hz = 0;
  uint32_t voltage_hz = 0;
  uint32_t current_hz = 0;
  uint32_t thermal_hz = 0;
  int32_t native_rates = -1;  ///< 1: no faster than a value can change; 0: not; -1: in tiers above 1 kHz

  uint32_t realtime_priority = 0;  ///< SCHED_FIFO for the threads that sample, 1 to 99; 0: not
  int32_t cpu = -1;                ///< the CPU that they run on; -1: any
  bool write_stats = false;        ///< a STAT chunk in the trace, and a META chunk
  bool write_metadata = false;     ///< a META chunk in the trace
  uint32_t rail_update_interval_ms = 0;  ///< of the INA3221 while recording (root); 0: as it is
  uint32_t rail_samples = 0;             ///< measurements that it averages; 0: as it is
};

/** How late the ticks of a tier were, what it took and what it had to leave out. */
struct TierStats {
  uint32_t rate_hz = 0;  ///< the rate asked for
  uint64_t samples = 0;  ///< ticks at which a sample was taken
  uint64_t missed = 0;   ///< deadlines skipped because the tier was late
  uint64_t dropped = 0;  ///< samples for which there was no room, because the disk could not keep up
  uint64_t lateness_median_ns = 0, lateness_p99_ns = 0, lateness_max_ns = 0;
  std::vector<fnvm_lateness_bucket> lateness{};  ///< the buckets that counted any, in order
};

/** One source: the GPU, all CPUs, RAM, the memory controller, a rail, a zone. */
struct SourceStats {
  std::string name{};
  uint32_t tier = 0;            ///< FNVM_TIER_FAST, _MEDIUM, _SLOW
  bool has_own_thread = false;  ///< read by a thread of its own, because it can block
  uint64_t reads = 0, failures = 0;
  uint64_t read_ns = 0;          ///< time spent in reads
  uint64_t longest_read_ns = 0;  ///< the longest of them
  uint64_t mean_age_ns = 0;      ///< the mean age of its values when samples took them
  uint64_t oldest_ns = 0;        ///< the oldest value that a sample took
};

/** What a recording did and what it cost. */
struct EngineStats {
  uint64_t elapsed_ns = 0;  ///< since t = 0, until now or the end
  uint64_t cpu_ns = 0;      ///< CPU time of the threads that sample
  std::vector<TierStats> tiers{};  ///< fast, medium, slow; empty before the first start
  std::vector<SourceStats> sources{};

  /** The share of one core that sampling took, 1 being all of it. */
  double cpu_share() const {
    return elapsed_ns == 0 ? 0 : static_cast<double>(cpu_ns) / static_cast<double>(elapsed_ns);
  }
};

/** A call that the library could not carry out. */
class StatusError : public std::runtime_error {
 public:
  StatusError(fnvm_status status, int error_number, const char* message)
      : std::runtime_error(message), status_(status), error_number_(error_number) {}

  /** One of the FNVM_E_ codes. */
  fnvm_status status() const noexcept { return status_; }

  /** The errno behind it, or 0 where no system call was at fault. EBUSY from start(): another
   *  recorder writes to this path. */
  int error_number() const noexcept { return error_number_; }

 private:
  fnvm_status status_;
  int error_number_;
};

namespace detail {

/** Throws what the last call on this thread left behind, unless it succeeded. */
inline void check(fnvm_status status) {
  if (status != FNVM_OK)
    throw StatusError(status, fnvm_last_error_errno(), fnvm_last_error_message());
}

inline void require_range(const char* what, long long value, long long low, long long high) {
  if (value < low || value > high)
    throw std::invalid_argument(std::string(what) + " is " + std::to_string(value) +
                                ", outside " + std::to_string(low) + " to " +
                                std::to_string(high));
}

/** The string for C. What follows a NUL would be lost there without a word: refuse it here. */
inline const char* c_string(const char* what, const std::string& value) {
  if (value.find('\0') != std::string::npos)
    throw std::invalid_argument(std::string(what) + " contains a NUL character");
  return value.c_str();
}

struct BoardDeleter {
  void operator()(fnvm_board* board) const noexcept { fnvm_board_free(board); }
};
using BoardHandle = std::unique_ptr<fnvm_board, BoardDeleter>;

struct DoctorDeleter {
  void operator()(fnvm_doctor* doctor) const noexcept { fnvm_doctor_free(doctor); }
};
using DoctorHandle = std::unique_ptr<fnvm_doctor, DoctorDeleter>;

struct NoticesDeleter {
  void operator()(fnvm_notices* notices) const noexcept { fnvm_notices_free(notices); }
};
using NoticesHandle = std::unique_ptr<fnvm_notices, NoticesDeleter>;

struct EngineDeleter {
  void operator()(fnvm_engine* engine) const noexcept { fnvm_engine_free(engine); }
};
using EngineHandle = std::unique_ptr<fnvm_engine, EngineDeleter>;

struct TraceDeleter {
  void operator()(fnvm_trace* trace) const noexcept { fnvm_trace_close(trace); }
};
using TraceHandle = std::unique_ptr<fnvm_trace, TraceDeleter>;

inline BoardConfig read_board(const fnvm_board* board) {
  BoardConfig config;
  config.board_name = fnvm_board_name(board);
  config.num_cpu_cores = fnvm_board_num_cpu_cores(board);
  config.gpu_load_path = fnvm_board_gpu_load_path(board);
  config.emc_actmon_path = fnvm_board_emc_actmon_path(board);
  config.emc_clk_rate_path = fnvm_board_emc_clk_rate_path(board);
  for (uint32_t rail = 0; rail < fnvm_board_num_power_rails(board); ++rail)
    config.power_rails.push_back({fnvm_board_rail_label(board, rail),
                                  fnvm_board_rail_voltage_path(board, rail),
                                  fnvm_board_rail_current_path(board, rail)});
  for (uint32_t zone = 0; zone < fnvm_board_num_thermal_zones(board); ++zone)
    config.thermal_zones.push_back(
        {fnvm_board_zone_name(board, zone), fnvm_board_zone_temp_path(board, zone)});
  config.root = fnvm_board_root(board);
  config.detected = fnvm_board_is_detected(board) != 0;
  return config;
}

inline BoardHandle make_board(const BoardConfig& config) {
  require_range("num_cpu_cores", config.num_cpu_cores, 1, MAX_CPU_CORES);
  require_range("the number of power rails", static_cast<long long>(config.power_rails.size()), 0,
                MAX_POWER_RAILS);
  require_range("the number of thermal zones", static_cast<long long>(config.thermal_zones.size()),
                0, MAX_THERMAL_ZONES);

  const char* root = c_string("root", config.root);
  fnvm_board* created = nullptr;
  check(fnvm_board_create(c_string("board_name", config.board_name), config.num_cpu_cores,
                          config.root.empty() ? nullptr : root, &created));
  BoardHandle board(created);

  check(fnvm_board_set_gpu_load_path(board.get(), c_string("gpu_load_path", config.gpu_load_path)));
  check(fnvm_board_set_emc_actmon_path(board.get(),
                                       c_string("emc_actmon_path", config.emc_actmon_path)));
  check(fnvm_board_set_emc_clk_rate_path(board.get(),
                                         c_string("emc_clk_rate_path", config.emc_clk_rate_path)));
  for (const PowerRailConfig& rail : config.power_rails)
    check(fnvm_board_add_power_rail(board.get(), c_string("label", rail.label),
                                    c_string("voltage_path", rail.voltage_path),
                                    c_string("current_path", rail.current_path)));
  for (const ThermalZoneConfig& zone : config.thermal_zones)
    check(fnvm_board_add_thermal_zone(board.get(), c_string("name", zone.name),
                                      c_string("temp_path", zone.temp_path)));
  check(fnvm_board_set_detected(board.get(), config.detected ? 1 : 0));
  return board;
}

inline EngineHandle make_engine(const std::string& output_path, const BoardConfig& board,
                                const EngineConfig& config) {
  require_range("fast_hz", config.fast_hz, FNVM_MIN_RATE_HZ, FNVM_MAX_RATE_HZ);
  require_range("medium_hz", config.medium_hz, FNVM_MIN_RATE_HZ, FNVM_MAX_RATE_HZ);
  require_range("slow_hz", config.slow_hz, FNVM_MIN_RATE_HZ, FNVM_MAX_RATE_HZ);
  const char* path = c_string("output_path", output_path);

  fnvm_options options = FNVM_OPTIONS_INIT;
  options.fast_hz = config.fast_hz;
  options.medium_hz = config.medium_hz;
  options.slow_hz = config.slow_hz;
  options.flush_interval_ms = config.flush_interval_ms;
  options.gpu_hz = config.gpu_hz;
  options.ram_hz = config.ram_hz;
  options.emc_hz = config.emc_hz;
  options.voltage_hz = config.voltage_hz;
  options.current_hz = config.current_hz;
  options.thermal_hz = config.thermal_hz;
  options.native_rates = config.native_rates;
  options.realtime_priority = config.realtime_priority;
  options.cpu = config.cpu;
  options.write_stats = config.write_stats;
  options.write_metadata = config.write_metadata;
  options.rail_update_interval_ms = config.rail_update_interval_ms;
  options.rail_samples = config.rail_samples;

  fnvm_engine* engine = nullptr;
  check(fnvm_engine_create(path, make_board(board).get(), &options, &engine));
  return EngineHandle(engine);
}

}  // namespace detail

/** Records one trace at a time, from threads of its own.
 *
 *  Thread-safety: every member function may be called from any thread at any time; the destructor
 *  must be the last. After fork() the child can only destroy an engine that its parent started;
 *  that leaves the parent's trace alone. */
class Engine {
 public:
  class Phase;
  struct Snapshot;

  /** Prepares a recording. Nothing is written before start(), which is also where a path that
   *  cannot be created is found out.
   *  @param output_path where the trace goes; a relative one is taken at start().
   *  @throws std::invalid_argument where the board has fewer than 1 or more than 16 cores, more
   *  than 8 rails or 16 zones, or a rate is outside 1 to 20000 Hz. */
  Engine(const std::string& output_path, const BoardConfig& board, const EngineConfig& config = {})
      : shared_(detail::make_engine(output_path, board, config)) {}

  Engine(const Engine&) = delete;
  Engine& operator=(const Engine&) = delete;

  /** Stops the engine where it runs. A failure to complete the trace goes unheard here: call stop()
   *  first where that matters. */
  ~Engine() { (void)fnvm_engine_stop(handle()); }

  /** Creates the trace and starts the tiers, in milliseconds. After a stop() it records anew to the
   *  same path; counts and ids begin again.
   *  @throws std::runtime_error where it runs already, or the trace cannot be created. */
  void start() { detail::check(fnvm_engine_start(handle())); }

  /** Ends the recording; the trace is complete when it returns, in milliseconds. Harmless where the
   *  engine does not run.
   *  @throws std::runtime_error where the trace could not be written, after all that can be saved
   *  is. */
  void stop() { detail::check(fnvm_engine_stop(handle())); }

  /** Returns once ten fast samples exist: about 10 ms after start(), whatever the rate.
   *  @throws std::runtime_error where the engine does not run, or is stopped meanwhile. */
  void wait_for_warmup() {
    detail::check(fnvm_engine_wait_for_warmup(handle(), FNVM_NO_TIMEOUT));
  }

  /** Marks a phase boundary: the next fast sample to be taken is the first one of the new phase,
   *  and there is always one, also where stop() follows at once.
   *  @return 1, 2, 3, …
   *  @throws std::runtime_error where the engine does not run. */
  uint64_t sync() {
    uint64_t id = 0;
    detail::check(fnvm_engine_sync(handle(), &id));
    return id;
  }

  /** sync() with a label for the mark, up to FNVM_MAX_NAME_BYTES bytes of UTF-8. It is no overload:
   *  programs that take the address of sync() go on compiling.
   *  @throws std::invalid_argument where the label has a NUL character in it, std::runtime_error where it is
   *  empty, or the engine does not run. */
  uint64_t sync_labelled(const std::string& label) {
    uint64_t id = 0;
    detail::check(fnvm_engine_sync_labelled(handle(), detail::c_string("label", label), &id));
    return id;
  }

  /** Begins a phase, a stretch of time with a name, which ends with the object that is returned. It is inside
   *  of the phase that this thread began last and has not ended.
   *
   *      {
   *        const auto phase = engine.phase("prefill");
   *        prefill();
   *      }
   *
   *  @param name up to FNVM_MAX_NAME_BYTES bytes of UTF-8.
   *  @throws std::invalid_argument where the name has a NUL character in it, std::runtime_error where it is
   *  empty, the engine does not run, or 4096 phases are open. */
  [[nodiscard]] Phase phase(const std::string& name);

  /** Completes the trace that is being recorded and goes on into another one, without losing a sample. Returns when
   *  the old trace is complete, after a quarter of a second. fnvm_engine_rotate() says what becomes of times, sync
   *  points, phases and counters.
   *  @throws StatusError where the engine does not run; where the new trace cannot be created: the recording goes
   *  on in the old one; where the old one cannot be completed: it goes on in the new one. path() says which. */
  void rotate(const std::string& output_path) {
    detail::check(fnvm_engine_rotate(handle(), detail::c_string("output_path", output_path)));
  }

  /** Says something of your own about what is recorded: it is in the META chunk of every trace that this engine
   *  completes from now on. Setting a key again replaces its value.
   *  @param key 1 to FNVM_MAX_KEY_BYTES bytes of UTF-8. @param value up to FNVM_MAX_VALUE_BYTES.
   *  @throws std::invalid_argument where one has a NUL character in it, std::runtime_error where one is too long,
   *  the key is empty, or FNVM_MAX_ANNOTATIONS keys are there already. */
  void annotate(const std::string& key, const std::string& value) {
    detail::check(fnvm_engine_annotate(handle(), detail::c_string("key", key), detail::c_string("value", value)));
  }

  /** @return the newest sample of each tier. Takes a microsecond and disturbs no tier.
   *  @throws std::runtime_error where the engine does not run. */
  Snapshot snapshot() const;

  /** @return the fast samples so far; still readable after stop(). */
  uint64_t sample_count() const { return fnvm_engine_sample_count(handle()); }

  /** @return what the recording did and what it cost so far; still readable after stop(). */
  EngineStats stats() const;

  /** @return whether it is recording. */
  bool is_running() const { return fnvm_engine_is_running(handle()) != 0; }

 private:
  fnvm_engine* handle() const noexcept { return shared_.get(); }

  // Its phases own it too: one that outlives the Engine finds it stopped, not freed.
  const std::shared_ptr<fnvm_engine> shared_;
};

/** A phase that is in progress: Engine::phase() begins it, end() or the destructor ends it, on any thread.
 *
 *  It may outlive the recording and the Engine: then it ended with them, marked in the trace as one that was
 *  never ended. Thread-safety: one thread at a time. */
class Engine::Phase {
 public:
  /** Takes over the phase; the other one ends nothing any more. */
  Phase(Phase&& other) noexcept = default;

  /** Ends this phase, and takes over the other one. */
  Phase& operator=(Phase&& other) noexcept {
    Phase taken(std::move(other));
    std::swap(shared_, taken.shared_);
    std::swap(id_, taken.id_);
    return *this;
  }

  /** Ends the phase where it is open. A failure goes unheard here: call end() first where that matters. */
  ~Phase() {
    if (shared_) (void)fnvm_engine_phase_end(shared_.get(), id_);
  }

  /** Ends the phase; those inside of it go on. Harmless where it was ended.
   *  @throws std::runtime_error where its recording is over, and where the disk does not keep up (EAGAIN):
   *  then it is still open. */
  void end() {
    if (!shared_) return;
    const std::shared_ptr<fnvm_engine> shared = std::move(shared_);
    const fnvm_status status = fnvm_engine_phase_end(shared.get(), id_);
    if (status == FNVM_E_IO) shared_ = shared;
    detail::check(status);
  }

  /** @return PhaseInfo::id of the trace. */
  uint64_t id() const noexcept { return id_; }

 private:
  friend class Engine;

  Phase(std::shared_ptr<fnvm_engine> shared, const std::string& name) : shared_(std::move(shared)) {
    detail::check(fnvm_engine_phase_begin(shared_.get(), detail::c_string("name", name), &id_));
  }

  std::shared_ptr<fnvm_engine> shared_;  // none: it was ended
  uint64_t id_ = 0;
};

/** The newest sample of each tier, while it is being recorded; a tier that has none yet is empty. */
struct Engine::Snapshot {
  std::optional<FastSample> fast{};  ///< cpu_util and cpu_aggregate are of about 100 ms before; NaN at first
  std::optional<MediumSample> medium{};
  std::optional<SlowSample> slow{};
  uint64_t start_monotonic_ns = 0;  ///< CLOCK_MONOTONIC at t = 0
};

// ==== Traces ===================================================================================

/** A phase of a trace. */
struct PhaseInfo {
  uint64_t id = 0;        ///< grows in the order of their beginnings
  uint64_t parent = 0;    ///< the phase that it is inside of, 0: none
  uint64_t depth = 0;     ///< how many it is inside of
  uint64_t begin_ns = 0;  ///< nanoseconds since t = 0
  uint64_t end_ns = 0;    ///< likewise; where it was never ended, the time of the last fast sample
  bool was_ended = false;
  uint32_t thread = 0;  ///< the thread that began it, as gettid() says
  std::string name{};

  double begin_s() const { return static_cast<double>(begin_ns) * 1e-9; }
  double end_s() const { return static_cast<double>(end_ns) * 1e-9; }
  double duration_s() const { return static_cast<double>(end_ns - begin_ns) * 1e-9; }
};

/** A complete trace, mapped into memory: opening one of any length takes a moment.
 *
 *      const TraceReader trace("run.bin");
 *      for (const FastSample& sample : trace.fast()) total += sample.gpu_load;
 *
 *  Lifetime: what header(), fast(), medium(), slow() and sync_points() return points into the file and is valid
 *  until the reader is destroyed or assigned to; moving it moves nothing. What the others return are copies.
 *  The file may be replaced or removed meanwhile, but must not be shortened.
 *
 *  Thread-safety: any number of threads may read one trace. A reader that was moved from can only be destroyed or
 *  assigned to. */
class TraceReader {
 public:
  /** Packed records, where they lie in the file: a random-access range, cheap to copy. */
  template <typename Record>
  class Records {
   public:
    using value_type = Record;
    using size_type = std::size_t;
    using difference_type = std::ptrdiff_t;
    using reference = const Record&;
    using const_reference = const Record&;
    using iterator = const Record*;
    using const_iterator = const Record*;

    Records() = default;
    Records(const Record* first, std::size_t size) : first_(first), size_(size) {}

    iterator begin() const noexcept { return first_; }
    iterator end() const noexcept { return first_ + size_; }
    const Record* data() const noexcept { return first_; }
    std::size_t size() const noexcept { return size_; }
    bool empty() const noexcept { return size_ == 0; }

    /** The position has to be below size(); front() and back() need a record. */
    const Record& operator[](std::size_t position) const noexcept { return first_[position]; }
    const Record& front() const noexcept { return first_[0]; }
    const Record& back() const noexcept { return first_[size_ - 1]; }

    /** @throws std::out_of_range where there is no record at the position. */
    const Record& at(std::size_t position) const {
      if (position >= size_)
        throw std::out_of_range("there is no record " + std::to_string(position) + " of " +
                                std::to_string(size_));
      return first_[position];
    }

   private:
    const Record* first_ = nullptr;
    std::size_t size_ = 0;
  };

  /** Maps a trace and checks that it is whole.
   *  @throws std::invalid_argument where the path has a NUL character in it, StatusError where the file cannot
   *  be read, is no trace (FNVM_E_FORMAT), or was never completed (FNVM_E_UNFINISHED: see recover()). */
  explicit TraceReader(const std::string& path) {
    fnvm_trace* trace = nullptr;
    detail::check(fnvm_trace_open(detail::c_string("path", path), &trace));
    handle_.reset(trace);
  }

  // Of a temporary they would point to what is unmapped already.
  const FileHeader& header() const& {
    return *reinterpret_cast<const FileHeader*>(fnvm_trace_header(handle_.get()));
  }
  Records<FastSample> fast() const& { return records<FastSample>(fnvm_trace_fast); }
  Records<MediumSample> medium() const& { return records<MediumSample>(fnvm_trace_medium); }
  Records<SlowSample> slow() const& { return records<SlowSample>(fnvm_trace_slow); }
  Records<SyncPoint> sync_points() const& { return records<SyncPoint>(fnvm_trace_sync_points); }
  const FileHeader& header() const&& = delete;
  Records<FastSample> fast() const&& = delete;
  Records<MediumSample> medium() const&& = delete;
  Records<SlowSample> slow() const&& = delete;
  Records<SyncPoint> sync_points() const&& = delete;

  /** @return the phases in the order of their beginnings; none where what the trace says of them is damaged. */
  std::vector<PhaseInfo> phases() const;

  /** @return the label of a sync point, where it has one. */
  std::optional<std::string> sync_label(uint64_t sync_id) const {
    const char* label = fnvm_trace_sync_label(handle_.get(), sync_id, nullptr);
    return label ? std::optional<std::string>(label) : std::nullopt;
  }

  /** @param type four characters: "META", "STAT" and so on (docs/trace-format.md).
   *  @return the bytes of the first chunk of that type, where there is one.
   *  @throws StatusError (FNVM_E_FORMAT) where none is whole and a chunk is damaged, which may be this one. */
  std::optional<std::string> chunk(const std::string& type) const;

 private:
  template <typename Record, typename CRecord>
  Records<Record> records(const CRecord* (*read)(const fnvm_trace*, uint64_t*)) const {
    static_assert(sizeof(Record) == sizeof(CRecord));
    uint64_t count = 0;
    const CRecord* first = read(handle_.get(), &count);
    return {reinterpret_cast<const Record*>(first), static_cast<std::size_t>(count)};
  }

  detail::TraceHandle handle_;
};

// ==== Definitions ==============================================================================

inline BoardConfig detect_board() {
  fnvm_board* board = nullptr;
  detail::check(fnvm_board_detect(nullptr, &board));
  return detail::read_board(detail::BoardHandle(board).get());
}

inline std::vector<std::size_t> total_power_rails(const BoardConfig& board) {
  const detail::BoardHandle handle = detail::make_board(board);
  std::vector<std::size_t> rails;
  for (uint32_t rail = 0; rail < fnvm_board_num_power_rails(handle.get()); ++rail)
    if (fnvm_board_rail_in_total(handle.get(), rail)) rails.push_back(rail);
  return rails;
}

inline EngineStats Engine::stats() const {
  EngineStats stats;
  fnvm_stats all = FNVM_STATS_INIT;
  detail::check(fnvm_engine_stats(handle(), &all));
  stats.elapsed_ns = all.elapsed_ns;
  stats.cpu_ns = all.cpu_ns;
  for (uint32_t tier = 0; tier <= FNVM_TIER_SLOW && all.num_sources > 0; ++tier) {
    fnvm_tier_stats one = FNVM_TIER_STATS_INIT;
    detail::check(fnvm_engine_tier_stats(handle(), tier, &one));
    std::vector<fnvm_lateness_bucket> buckets(
        fnvm_engine_lateness(handle(), tier, nullptr, 0));
    if (!buckets.empty()) {
      const auto room = static_cast<uint32_t>(buckets.size());
      (void)fnvm_engine_lateness(handle(), tier, buckets.data(), room);
    }
    stats.tiers.push_back({one.rate_hz, one.samples, one.missed, one.dropped, one.lateness_median_ns,
                           one.lateness_p99_ns, one.lateness_max_ns, std::move(buckets)});
  }
  for (uint32_t i = 0; i < all.num_sources; ++i) {
    fnvm_source_stats one = FNVM_SOURCE_STATS_INIT;
    detail::check(fnvm_engine_source_stats(handle(), i, &one));
    stats.sources.push_back({one.name, one.tier, one.has_own_thread != 0, one.reads, one.failures,
                             one.read_ns, one.longest_read_ns, one.mean_age_ns, one.oldest_ns});
  }
  return stats;
}

inline Engine::Phase Engine::phase(const std::string& name) { return Phase(shared_, name); }

inline Engine::Snapshot Engine::snapshot() const {
  fnvm_snapshot newest = FNVM_SNAPSHOT_INIT;
  detail::check(fnvm_engine_snapshot(handle(), &newest));
  Snapshot snapshot;
  snapshot.start_monotonic_ns = newest.start_monotonic_ns;
  const auto copy = [&newest](uint32_t tier, auto& sample, const auto& bytes) {
    if ((newest.tiers & 1u << tier) == 0) return;
    static_assert(sizeof(*sample) == sizeof(bytes));
    std::memcpy(&sample.emplace(), &bytes, sizeof(bytes));
  };
  copy(FNVM_TIER_FAST, snapshot.fast, newest.fast);
  copy(FNVM_TIER_MEDIUM, snapshot.medium, newest.medium);
  copy(FNVM_TIER_SLOW, snapshot.slow, newest.slow);
  return snapshot;
}

inline std::vector<PhaseInfo> TraceReader::phases() const {
  std::vector<PhaseInfo> phases(fnvm_trace_num_phases(handle_.get()));
  uint32_t index = 0;
  for (PhaseInfo& info : phases) {
    fnvm_phase phase = FNVM_PHASE_INIT;
    detail::check(fnvm_trace_phase(handle_.get(), index++, &phase));
    info = {phase.id,     phase.parent,         phase.depth,  phase.begin_ns,
            phase.end_ns, phase.was_ended != 0, phase.thread, phase.name};
  }
  return phases;
}

inline std::optional<std::string> TraceReader::chunk(const std::string& type) const {
  fnvm_status worst = FNVM_OK;
  for (uint32_t i = 0; i < fnvm_trace_num_chunks(handle_.get()); ++i) {
    fnvm_chunk chunk = FNVM_CHUNK_INIT;
    const fnvm_status status = fnvm_trace_chunk(handle_.get(), i, &chunk);
    if (status != FNVM_OK)
      worst = status;
    else if (type == chunk.type)
      return std::string(static_cast<const char*>(chunk.payload),
                         static_cast<std::size_t>(chunk.size));
  }
  detail::check(worst);
  return std::nullopt;
}

inline bool recover(const std::string& path) {
  int recovered = 0;
  detail::check(fnvm_trace_recover(detail::c_string("path", path), &recovered));
  return recovered != 0;
}

inline std::vector<NodeReport> doctor(const std::string& board, const std::string& root) {
  const char* name = detail::c_string("board", board);
  const char* place = detail::c_string("root", root);
  fnvm_doctor* examined = nullptr;
  detail::check(fnvm_doctor_examine(board.empty() ? nullptr : name, place, &examined));
  const detail::DoctorHandle handle(examined);

  std::vector<NodeReport> reports;
  for (uint32_t i = 0; i < fnvm_doctor_count(handle.get()); ++i) {
    fnvm_node_report report = FNVM_NODE_REPORT_INIT;
    detail::check(fnvm_doctor_report(handle.get(), i, &report));
    reports.push_back({report.kind, report.state, report.error_number, report.value, report.read_ns,
                       report.refresh_ms, report.name, report.path, report.unit, report.advice});
  }
  return reports;
}

inline std::vector<std::string> restore_sensors(const std::string& root) {
  fnvm_notices* restored = nullptr;
  detail::check(fnvm_sensors_restore(detail::c_string("root", root), &restored));
  const detail::NoticesHandle handle(restored);
  std::vector<std::string> notices;
  while (const char* text = fnvm_notices_text(handle.get(), static_cast<uint32_t>(notices.size())))
    notices.emplace_back(text);
  return notices;
}

inline BoardConfig get_board_config(const std::string& name) {
  fnvm_board* board = nullptr;
  detail::check(fnvm_board_named(detail::c_string("name", name), nullptr, &board));
  return detail::read_board(detail::BoardHandle(board).get());
}

// The layout is the format's (docs/trace-format.md): held to it by every compiler that reads this.
static_assert(sizeof(FileHeader) == 728, "a header is 728 bytes");
static_assert(offsetof(FileHeader, board_name) == 8);
static_assert(offsetof(FileHeader, num_cpu_cores) == 40);
static_assert(offsetof(FileHeader, emc_available) == 43);
static_assert(offsetof(FileHeader, fast_hz) == 44);
static_assert(offsetof(FileHeader, num_fast_samples) == 56);
static_assert(offsetof(FileHeader, power_rail_names) == 88);
static_assert(offsetof(FileHeader, thermal_zone_names) == 280);
static_assert(offsetof(FileHeader, reserved) == 664);
static_assert(sizeof(FileHeaderExtension) == sizeof(FileHeader::reserved));
static_assert(offsetof(FileHeaderExtension, start_monotonic_ns) == 680 - 664);
static_assert(offsetof(FileHeaderExtension, chunks_offset) == 696 - 664);
static_assert(offsetof(FileHeaderExtension, writer_version) == 712 - 664);

static_assert(sizeof(FastSample) == 98, "a fast sample is 98 bytes");
static_assert(offsetof(FastSample, gpu_load) == 8);
static_assert(offsetof(FastSample, cpu_util) == 10);
static_assert(offsetof(FastSample, cpu_aggregate) == 74);
static_assert(offsetof(FastSample, ram_used_kb) == 78);
static_assert(offsetof(FastSample, ram_available_kb) == 86);
static_assert(offsetof(FastSample, emc_util) == 94);

static_assert(sizeof(MediumSample) == 104, "a medium sample is 104 bytes");
static_assert(offsetof(MediumSample, voltage_mv) == 8);
static_assert(offsetof(MediumSample, current_ma) == 40);
static_assert(offsetof(MediumSample, power_mw) == 72);

static_assert(sizeof(SlowSample) == 72, "a slow sample is 72 bytes");
static_assert(offsetof(SlowSample, temp_c) == 8);

static_assert(sizeof(SyncPoint) == 16, "a sync point is 16 bytes");
static_assert(offsetof(SyncPoint, fast_sample_idx) == 8);

static_assert(std::is_trivially_copyable_v<FileHeader> &&
                  std::is_trivially_copyable_v<FileHeaderExtension> &&
                  std::is_trivially_copyable_v<FastSample> &&
                  std::is_trivially_copyable_v<MediumSample> &&
                  std::is_trivially_copyable_v<SlowSample> &&
                  std::is_trivially_copyable_v<SyncPoint>,
              "records are read into memory as they are");

}  // namespace fastnvmetrics

#endif
