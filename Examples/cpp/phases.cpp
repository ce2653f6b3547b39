// Names two workloads as phases, then reads from the trace how long each took and what it cost.
//   c++ -std=c++17 phases.cpp $(pkg-config --cflags --libs fastnvmetrics) -o phases
//   ./phases run.bin
#include <fastnvmetrics/fastnvmetrics.hpp>

#include <chrono>
#include <cmath>
#include <cstdio>

namespace nv = fastnvmetrics;
using namespace std::chrono_literals;

static nv::BoardConfig this_board() try {
  return nv::detect_board();
} catch (const nv::StatusError&) {
  return nv::get_board_config("generic_linux");  // no Jetson
}

static void compute() {
  const auto end = std::chrono::steady_clock::now() + 300ms;
  while (std::chrono::steady_clock::now() < end) continue;
}

// Energy is mean power x duration. NaN: not known, or no reading fell into the phase.
static void print(const nv::TraceReader& trace, const std::vector<std::size_t>& rails, const nv::PhaseInfo& phase) {
  double cpu = 0, cpus = 0, mw = rails.empty() ? NAN : 0, readings = 0;
  for (const nv::FastSample& s : trace.fast())
    if (s.time_s >= phase.begin_s() && s.time_s < phase.end_s()) cpu += s.cpu_aggregate, ++cpus;
  for (const nv::MediumSample& s : trace.medium()) {
    if (s.time_s < phase.begin_s() || s.time_s >= phase.end_s()) continue;
    for (std::size_t rail : rails) mw += s.power_mw[rail];
    ++readings;
  }
  std::printf("%-8s %.3f s  %5.1f %% CPU  %.3f J\n", phase.name.c_str(), phase.duration_s(), cpu / cpus,
              mw / readings / 1000 * phase.duration_s());
}

int main(int argc, char** argv) try {
  const std::string path = argc > 1 ? argv[1] : "run.bin";
  const nv::BoardConfig board = this_board();
  nv::Engine engine(path, board);
  engine.start();
  engine.wait_for_warmup();
  {
    const auto phase = engine.phase("compute");
    compute();
  }  // it ends here
  auto waiting = engine.phase("wait");
  std::this_thread::sleep_for(300ms);
  waiting.end();
  engine.stop();

  const nv::TraceReader trace(path);
  for (const nv::PhaseInfo& phase : trace.phases()) print(trace, nv::total_power_rails(board), phase);
} catch (const std::exception& error) {
  std::fprintf(stderr, "phases: %s\n", error.what());
  return 1;
}
