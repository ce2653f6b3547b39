"""The engine on a simulated board: every sample is what the board said at that instant."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

import fastnvmetrics as fm
from fastnvmetrics.simulate import Simulator, Truth

SECONDS = 2.0
BOARDS = ("agx_orin", "orin_nx", "orin_nano")


class Run:
    """A recording of a simulated board, and what is true of it."""

    def __init__(self, directory: Path, board: str) -> None:
        self.path = directory / "run.bin"
        with Simulator(directory / "root", board=board) as simulator:
            self.board = fm.detect_board(root=simulator.root)
            with fm.NVMetrics(self.path, board=self.board) as nv:
                time.sleep(SECONDS)
            self.counts = nv.counts
            self.truth: Truth = simulator.truth
        self.trace = fm.read_trace(self.path)

    def instants(self, tier: str) -> npt.NDArray[np.int64]:
        """When each sample of a tier was taken, in ns of CLOCK_MONOTONIC."""
        seconds: npt.NDArray[np.float64] = self.trace[f"{tier}_time_s"]  # type: ignore[literal-required]
        return self.trace["start_monotonic_ns"] + np.rint(seconds * 1e9).astype(np.int64)

    def admits(self, signal: str, tier: str, observed: npt.NDArray[np.int64]) -> bool:
        """Whether each sample holds what the board said between its time and the next sample's.

        A sample has one time and several reads, so that the scheduler can come between; but the next
        sample begins when all of them are done.
        """
        instants = self.instants(tier)
        until = np.append(instants[1:], instants[-1] + 1_000_000)
        admitted = self.truth.admits(
            signal, instants, observed, before_ns=1_000, after_ns=until - instants
        )
        return bool(admitted.all())


@pytest.fixture(scope="module", params=BOARDS)
def run(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Run]:
    yield Run(tmp_path_factory.mktemp(request.param), request.param)


def test_the_board_is_detected_with_all_that_the_simulation_has(run: Run) -> None:
    assert run.board.board_name == run.truth.facts["board"]
    assert run.board.num_cpu_cores == run.truth.facts["cores"]
    assert [rail.label for rail in run.board.power_rails] == run.truth.facts["power_rails"]
    assert [zone.name for zone in run.board.thermal_zones] == run.truth.facts["thermal_zones"]


def test_gpu_load_is_what_the_board_said(run: Run) -> None:
    observed = run.trace["gpu_load"].astype(np.int64)
    assert run.admits("gpu_load", "fast", observed)
    assert len(np.unique(observed)) == 2, "both halves of the square wave are in the trace"


def test_emc_utilisation_is_what_the_board_said(run: Run) -> None:
    rate_hz = run.truth.facts["emc_rate_hz"]
    khz = np.rint(run.trace["emc_util"].astype(np.float64) / 100 * rate_hz / 1000)
    levels = np.unique(run.truth.changes("emc_mc_all_khz")[:, 0])
    nearest = levels[np.abs(khz[:, None] - levels).argmin(axis=1)]
    assert np.allclose(nearest * 100_000 / rate_hz, run.trace["emc_util"], rtol=1e-6)
    assert run.admits("emc_mc_all_khz", "fast", nearest)


def test_ram_is_what_the_board_said(run: Run) -> None:
    available = run.trace["ram_available_kb"].astype(np.int64)
    assert run.admits("ram_available_kb", "fast", available)
    assert (available + run.trace["ram_used_kb"].astype(np.int64) == run.truth.facts["mem_total_kb"]).all()


def test_rails_are_what_the_board_said(run: Run) -> None:
    for rail, label in enumerate(run.trace["power_rail_names"]):
        voltage = run.trace["voltage_mv"][:, rail].astype(np.int64)
        current = run.trace["current_ma"][:, rail].astype(np.int64)
        assert run.admits(f"voltage_mv/{label}", "medium", voltage), label
        assert run.admits(f"current_ma/{label}", "medium", current), label
        assert np.allclose(run.trace["power_mw"][:, rail], voltage * current / 1000, rtol=1e-6)


def test_zones_are_what_the_board_said(run: Run) -> None:
    for zone, name in enumerate(run.trace["thermal_zone_names"]):
        millidegrees = np.rint(run.trace["temp_c"][:, zone].astype(np.float64) * 1000).astype(np.int64)
        assert run.admits(f"temp_millic/{name}", "slow", millidegrees), name


def test_mean_utilisation_of_each_core_is_its_duty(run: Run) -> None:
    weights = np.diff(run.trace["fast_time_s"], prepend=0.0)
    means = np.average(run.trace["cpu_util"], axis=0, weights=weights)
    # Two seconds are 200 steps of /proc/stat, of which one at each end can be on either side.
    assert np.abs(means - run.truth.duty_percent).max() <= 1.0
    assert np.average(run.trace["cpu_aggregate"], weights=weights) == pytest.approx(
        run.truth.duty_percent.mean(), abs=1.0
    )


def test_every_tick_is_a_sample_or_counted_as_missed(run: Run) -> None:
    trace = run.trace
    regular = trace["fast_time_s"][-1] - trace["fast_time_s"][9]
    ticks = len(trace["fast_time_s"]) + trace["missed_fast"]
    assert ticks == pytest.approx(10 + trace["fast_hz"] * regular + 1, rel=0.01)
    for tier in ("medium", "slow"):
        times: npt.NDArray[np.float64] = trace[f"{tier}_time_s"]  # type: ignore[literal-required]
        rate: int = trace[f"{tier}_hz"]  # type: ignore[literal-required]
        missed: int = trace[f"missed_{tier}"]  # type: ignore[literal-required]
        assert abs(len(times) + missed - (times[-1] - times[0]) * rate - 1) <= 1
        assert times[0] >= trace["fast_time_s"][9], "medium and slow begin after the warm-up"
    assert run.counts["fast_samples"] == len(trace["fast_time_s"])
    assert run.counts["read_errors"] == trace["read_errors"] == 0


def test_a_default_recording_has_exactly_the_size_of_its_records(run: Run) -> None:
    trace = run.trace
    marks = 0
    assert os.path.getsize(run.path) == (
        728
        + 98 * len(trace["fast_time_s"])
        + 104 * len(trace["medium_time_s"])
        + 72 * len(trace["slow_time_s"])
        + 16 * marks
    )


def test_time_goes_on_in_every_tier(run: Run) -> None:
    for tier in ("fast", "medium", "slow"):
        times: npt.NDArray[np.float64] = run.trace[f"{tier}_time_s"]  # type: ignore[literal-required]
        assert (np.diff(times) > 0).all()
    assert 0 < run.trace["fast_time_s"][0]
