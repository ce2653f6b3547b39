// Engine::Phase and Engine::Snapshot: a phase ends whatever ends its scope, and may outlive all else.
#include <fastnvmetrics/fastnvmetrics.hpp>

#include <sys/wait.h>

#include <cmath>

#include "check.hpp"

using namespace fastnvmetrics;

static_assert(!std::is_copy_constructible_v<Engine::Phase> && !std::is_copy_assignable_v<Engine::Phase>);
static_assert(std::is_nothrow_move_constructible_v<Engine::Phase>);
static_assert(std::is_nothrow_move_assignable_v<Engine::Phase>);
static_assert(std::is_nothrow_destructible_v<Engine::Phase>);
static_assert(!std::is_default_constructible_v<Engine::Phase>);

static BoardConfig board_of(Tree& tree) {
  BoardConfig board;
  board.board_name = "bench";
  board.num_cpu_cores = 4;
  board.gpu_load_path = tree.path("sys/gpu/load");
  board.emc_actmon_path = tree.path("sys/emc/mc_all");
  board.emc_clk_rate_path = tree.path("sys/emc/rate");
  board.power_rails.push_back({"VDD_A", tree.path("sys/rails/a_mv"), tree.path("sys/rails/a_ma")});
  board.thermal_zones.push_back({"cpu-thermal", tree.path("sys/zones/cpu")});
  board.root = tree.root();
  return board;
}

// An engine for run.bin that records.
class Recording {
 public:
  Recording() : engine(std::make_unique<Engine>(path(), board_of(tree), EngineConfig{1000, 100, 50})) {
    engine->start();
    engine->wait_for_warmup();
  }
  std::string path() { return tree.path("run.bin"); }
  // Stops, and reads what was recorded.
  std::vector<PhaseInfo> phases() {
    engine->stop();
    return TraceReader(path()).phases();
  }

  Tree tree;
  std::unique_ptr<Engine> engine;
};

static fnvm_status status_of_end(Engine::Phase& phase) {
  try {
    phase.end();
    return FNVM_OK;
  } catch (const StatusError& error) {
    CHECK(*error.what() != 0);
    return error.status();
  }
}

static void a_phase_ends_with_its_scope() {
  Recording recording;
  {
    const auto outer = recording.engine->phase("outer");
    CHECK_EQUAL(outer.id(), 1);
    { const auto inner = recording.engine->phase("inner"); }
    const auto second = recording.engine->phase("second");
    CHECK_EQUAL(second.id(), 3);
  }
  { const auto after = recording.engine->phase("after"); }
  const std::vector<PhaseInfo> phases = recording.phases();
  CHECK_EQUAL(phases.size(), 4);
  const char* const names[] = {"outer", "inner", "second", "after"};
  const uint64_t parents[] = {0, 1, 1, 0};
  for (size_t i = 0; i < phases.size(); ++i) {
    CHECK_TEXT(phases[i].name.c_str(), names[i]);
    CHECK(phases[i].id == i + 1 && phases[i].was_ended && phases[i].thread != 0);
    CHECK(phases[i].parent == parents[i] && phases[i].depth == (parents[i] ? 1 : 0));
    CHECK(phases[i].begin_ns <= phases[i].end_ns && phases[i].duration_s() >= 0);
  }
  CHECK(phases[2].end_ns <= phases[0].end_ns); // in the reverse order of their beginnings
}

static void an_exception_ends_the_phase() {
  Recording recording;
  bool caught = false;
  try {
    const auto outer = recording.engine->phase("outer");
    const auto inner = recording.engine->phase("inner");
    throw std::logic_error("the work went wrong");
  } catch (const std::logic_error&) {
    caught = true;
  }
  CHECK(caught);
  { const auto after = recording.engine->phase("after"); }
  const std::vector<PhaseInfo> phases = recording.phases();
  CHECK_EQUAL(phases.size(), 3);
  for (const PhaseInfo& phase : phases) CHECK(phase.was_ended);
  CHECK_EQUAL(phases[2].depth, 0);
}

static void end_ends_it_before_its_scope_does() {
  Recording recording;
  auto first = recording.engine->phase("first");
  first.end();
  first.end(); // harmless
  { const auto second = recording.engine->phase("second"); }
  const std::vector<PhaseInfo> phases = recording.phases();
  CHECK_EQUAL(phases.size(), 2);
  CHECK(phases[0].was_ended && phases[0].end_ns <= phases[1].begin_ns);
  CHECK_EQUAL(phases[1].depth, 0);
  first.end(); // as harmless when nothing runs any more
}

static Engine::Phase begun_elsewhere(Engine& engine) {
  auto phase = engine.phase("moved");
  return phase;
}

static void a_phase_that_was_moved_ends_once() {
  Recording recording;
  {
    auto moved = begun_elsewhere(*recording.engine);
    Engine::Phase holder = std::move(moved);
    CHECK_EQUAL(holder.id(), 1);
    moved.end(); // NOLINT: it ends nothing any more
    std::vector<Engine::Phase> phases;
    phases.push_back(std::move(holder));
    phases.push_back(recording.engine->phase("inner"));
    Engine::Phase& first = phases[0];
    first = recording.engine->phase("assigned"); // ends "moved"
    CHECK_EQUAL(first.id(), 3);
    first = std::move(*&first); // itself: goes on
    CHECK_EQUAL(status_of_end(first), FNVM_OK);
  }
  const std::vector<PhaseInfo> phases = recording.phases();
  CHECK_EQUAL(phases.size(), 3);
  for (const PhaseInfo& phase : phases) CHECK(phase.was_ended);
  CHECK(phases[0].end_ns >= phases[2].begin_ns && phases[0].end_ns <= phases[2].end_ns);
}

static void another_thread_may_end_it() {
  Recording recording;
  auto mine = recording.engine->phase("mine");
  std::thread([phase = std::move(mine), &engine = *recording.engine]() mutable {
    const auto other = engine.phase("other");
    phase.end();
  }).join();
  const std::vector<PhaseInfo> phases = recording.phases();
  CHECK_EQUAL(phases.size(), 2);
  CHECK(phases[0].was_ended && phases[1].was_ended);
  CHECK(phases[1].parent == 0 && phases[0].thread != phases[1].thread);
}

static void a_phase_may_outlive_its_recording() {
  Recording recording;
  auto held = recording.engine->phase("held"), ended = recording.engine->phase("ended");
  recording.engine->stop();
  CHECK_EQUAL(status_of_end(ended), FNVM_E_NOT_RUNNING);
  CHECK_EQUAL(status_of_end(ended), FNVM_OK); // nothing is left to end
  const std::vector<PhaseInfo> phases = TraceReader(recording.path()).phases();
  CHECK(phases.size() == 2 && !phases[0].was_ended && !phases[1].was_ended);
}

// Ids go on from one recording to the next.
static void a_phase_of_before_ends_none_of_the_next_recording() {
  Recording recording;
  std::vector<PhaseInfo> phases;
  {
    auto held = recording.engine->phase("held"), thrown = recording.engine->phase("thrown");
    recording.engine->stop();
    recording.engine->start();
    auto first = recording.engine->phase("first"), second = recording.engine->phase("second");
    CHECK(held.id() == 1 && thrown.id() == 2 && first.id() == 3 && second.id() == 4);
    CHECK_EQUAL(status_of_end(thrown), FNVM_E_INVALID);
    { const Engine::Phase gone = std::move(held); }
    CHECK_EQUAL(status_of_end(second), FNVM_OK);
    CHECK_EQUAL(status_of_end(first), FNVM_OK);
  }
  phases = recording.phases();
  CHECK_EQUAL(phases.size(), 2);
  CHECK(phases[0].name == "first" && phases[0].was_ended && phases[1].was_ended);
}

static void a_phase_may_outlive_the_engine() {
  Recording recording;
  auto held = recording.engine->phase("held"), ended = recording.engine->phase("ended");
  recording.engine.reset();
  // The trace is complete, although the phases are still there.
  CHECK_EQUAL(TraceReader(recording.path()).phases().size(), 2);
  CHECK_EQUAL(status_of_end(ended), FNVM_E_NOT_RUNNING);
  { const Engine::Phase gone = std::move(held); }

  // An exception from the scope that holds both ends the engine first.
  try {
    std::vector<Engine::Phase> phases;
    Engine engine(recording.path(), board_of(recording.tree));
    engine.start();
    phases.push_back(engine.phase("left"));
    throw std::logic_error("the work went wrong");
  } catch (const std::logic_error&) {
  }
  const std::vector<PhaseInfo> phases = TraceReader(recording.path()).phases();
  CHECK(phases.size() == 1 && phases[0].name == "left" && !phases[0].was_ended);
}

static void phases_end_while_the_engine_goes_away() {
  for (int round = 0; round < 20; ++round) {
    Recording recording;
    std::vector<std::thread> threads;
    std::atomic<int> begun{0};
    for (int i = 0; i < 4; ++i)
      threads.emplace_back([phase = recording.engine->phase("raced"), &begun]() mutable {
        ++begun;
        (void)status_of_end(phase);
      });
    while (begun == 0) std::this_thread::yield();
    recording.engine.reset();
    for (std::thread& thread : threads) thread.join();
    CHECK_EQUAL(TraceReader(recording.path()).phases().size(), 4);
  }
}

static void what_cannot_be_begun_says_so() {
  Recording recording;
  CHECK_THROWS(std::invalid_argument, recording.engine->phase(std::string("a\0b", 3)));
  CHECK_THROWS(std::invalid_argument, recording.engine->sync_labelled(std::string("a\0b", 3)));
  CHECK_THROWS(std::runtime_error, recording.engine->phase(""));
  CHECK_THROWS(std::runtime_error, recording.engine->sync_labelled(""));
  std::vector<Engine::Phase> many;
  for (int i = 0; i < 4096; ++i) many.push_back(recording.engine->phase("many"));
  CHECK_THROWS(StatusError, recording.engine->phase("one more"));
  many.pop_back();
  many.push_back(recording.engine->phase("room again"));
  many.clear();
  const std::vector<PhaseInfo> phases = recording.phases();
  CHECK_EQUAL(phases.size(), 4097);
  for (const PhaseInfo& phase : phases) CHECK(phase.was_ended);
  CHECK_THROWS(std::runtime_error, recording.engine->phase("idle"));
  CHECK_THROWS(std::runtime_error, recording.engine->sync_labelled("idle"));
  CHECK_THROWS(std::runtime_error, recording.engine->snapshot());
}

static void labels_are_in_the_trace() {
  Recording recording;
  CHECK_EQUAL(recording.engine->sync(), 1);
  CHECK_EQUAL(recording.engine->sync_labelled("step två"), 2);
  recording.engine->stop();
  const TraceReader trace(recording.path());
  CHECK(!trace.sync_label(1) && !trace.sync_label(0) && !trace.sync_label(3));
  CHECK(trace.sync_label(2) == "step två");
}

static void annotations_are_in_the_trace() {
  Recording recording;
  recording.engine->annotate("model", "llama");
  CHECK_THROWS(std::invalid_argument, recording.engine->annotate(std::string("a\0b", 3), "x"));
  CHECK_THROWS(StatusError, recording.engine->annotate("", "x"));
  recording.engine->stop();
  const std::string metadata = TraceReader(recording.path()).chunk("META").value_or("");
  CHECK(metadata.find("\"annotations\":{\"model\":\"llama\"}") != std::string::npos);
}

static void a_child_of_fork_leaves_the_phases_of_its_parent() {
  Recording recording;
  {
    auto held = recording.engine->phase("held");
    const pid_t child = fork();
    if (child == 0) {
      checks_failed = 0;
      CHECK_EQUAL(status_of_end(held), FNVM_E_FORKED);
      CHECK_THROWS(StatusError, recording.engine->phase("child"));
      recording.engine.reset();
      { const Engine::Phase gone = std::move(held); }
      _exit(checks_failed != 0);
    }
    int status = 0;
    waitpid(child, &status, 0);
    CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
  }
  const std::vector<PhaseInfo> phases = recording.phases();
  CHECK(phases.size() == 1 && phases[0].was_ended);
}

static void a_snapshot_shows_the_board() {
  Recording recording;
  Engine::Snapshot snapshot = recording.engine->snapshot();
  while (!snapshot.fast || !snapshot.medium || !snapshot.slow) snapshot = recording.engine->snapshot();
  CHECK_EQUAL(snapshot.fast->gpu_load, FIXTURE_GPU_LOAD);
  CHECK(snapshot.fast->emc_util == FIXTURE_EMC_UTIL);
  CHECK_EQUAL(snapshot.fast->ram_available_kb, FIXTURE_RAM_AVAILABLE_KB);
  CHECK(snapshot.medium->voltage_mv[0] == 5000 && snapshot.medium->power_mw[0] == 6170.0f);
  CHECK(snapshot.slow->temp_c[0] == 45.5f);
  recording.engine->stop();
  const TraceReader trace(recording.path());
  CHECK_EQUAL(snapshot.start_monotonic_ns, extension(trace.header()).start_monotonic_ns);
}

int main() {
  unsetenv("FASTNVMETRICS_ROOT");
  RUN_GUARDED(a_phase_ends_with_its_scope);
  RUN_GUARDED(an_exception_ends_the_phase);
  RUN_GUARDED(end_ends_it_before_its_scope_does);
  RUN_GUARDED(a_phase_that_was_moved_ends_once);
  RUN_GUARDED(another_thread_may_end_it);
  RUN_GUARDED(a_phase_may_outlive_its_recording);
  RUN_GUARDED(a_phase_of_before_ends_none_of_the_next_recording);
  RUN_GUARDED(a_phase_may_outlive_the_engine);
  RUN_GUARDED(phases_end_while_the_engine_goes_away);
  RUN_GUARDED(what_cannot_be_begun_says_so);
  RUN_GUARDED(labels_are_in_the_trace);
  RUN_GUARDED(annotations_are_in_the_trace);
  RUN_GUARDED(a_child_of_fork_leaves_the_phases_of_its_parent);
  RUN_GUARDED(a_snapshot_shows_the_board);
  return finish();
}
