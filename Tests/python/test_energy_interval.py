"""The 95 % interval of an energy earns its name: the truth is inside it, and it is not wide."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import fastnvmetrics as fm
import power_sensor as ps
from drawn import drawn
from fastnvmetrics.simulate import Simulator
from power_sensor import Floats

SECONDS = 3.0
PATTERNS = 100
SEED = 1

# In ms. 7 is near to the refresh of 6.6, 13 to twice that: of such a power the sensor sees the same
# part again and again, and docs/accuracy.md says that it is not covered.
PERIODS_MS = (3, 7, 13, 30, 60, 100, 200, 300, 500)


def constant(rng: np.random.Generator, low: float, high: float) -> Floats:
    return np.full(len(ps.times_of(SECONDS)), low)


def square(rng: np.random.Generator, low: float, high: float) -> Floats:
    period = rng.choice(PERIODS_MS) / 1000
    duty, start = rng.uniform(0.3, 0.7), rng.uniform()
    return np.where((ps.times_of(SECONDS) / period + start) % 1 < duty, high, low)


def ramps(rng: np.random.Generator, low: float, high: float) -> Floats:
    knots = np.concatenate(([0.0], np.sort(rng.uniform(0, SECONDS, 6)), [SECONDS]))
    return np.interp(ps.times_of(SECONDS), knots, rng.uniform(low, high, 8))


def bursts(rng: np.random.Generator, low: float, high: float) -> Floats:
    watts = np.full(len(ps.times_of(SECONDS)), low)
    count = rng.poisson(rng.uniform(2, 40) * SECONDS)
    for begin, length in zip(rng.uniform(0, SECONDS, count), rng.exponential(0.01, count)):
        watts[round(begin / ps.GRID_S) : round((begin + length) / ps.GRID_S)] = high
    return watts


def levels(rng: np.random.Generator, low: float, high: float) -> Floats:
    """A power of its own for each stretch: as phases have."""
    edges = np.sort(rng.uniform(0, SECONDS, rng.integers(5, 100)))
    return rng.uniform(low, high, len(edges) + 1)[np.searchsorted(edges, ps.times_of(SECONDS))]


def noise(rng: np.random.Generator, low: float, high: float) -> Floats:
    count = len(ps.times_of(SECONDS))
    return low + (high - low) * rng.gamma(2, 0.2, count // 20 + 1).repeat(20)[:count]


MODELS = (constant, square, ramps, bursts, levels, noise)

BOARDS = {
    # Volts, step in A, label.
    "orin_nx": (5.0, 0.008, "VDD_IN"),
    "agx_orin": (19.64, 0.02, "VDD_GPU_SOC"),
}


@pytest.mark.parametrize(
    ("board", "rate_hz", "refresh_s"),
    [
        ("orin_nx", 100.0, 0.0066),
        ("orin_nx", 50.0, 0.0066),
        ("orin_nx", 1000.0, 0.0066),
        ("orin_nx", 1000.0, 0.00084),
        ("agx_orin", 100.0, 0.0066),
        ("agx_orin", 200.0, 0.0066),
    ],
)
def test_the_truth_is_inside_for_95_of_100_phases(
    board: str, rate_hz: float, refresh_s: float
) -> None:
    volts, step, label = BOARDS[board]
    errors, halves = [], []
    for pattern in range(PATTERNS):
        rng = np.random.default_rng([pattern, SEED])
        low = rng.uniform(2, 6)
        watts = MODELS[pattern % len(MODELS)](rng, low, low + rng.uniform(2, 12))
        sensor = ps.Sensor(
            volts * rng.uniform(0.99, 1.01), step, 0.008, refresh_s, refresh_s / 6, rate_hz
        )
        readings = ps.read(watts, sensor, rng)
        length = 10 ** rng.uniform(-1.5, 0.3)
        begin = rng.uniform(0.1, SECONDS - 0.1 - length)
        trace: Any = ps.trace(
            [readings],
            board,
            (label,),
            phases=ps.phases(("work", begin, begin + length)),
            metadata=_metadata(label, step, refresh_s),
        )
        rail = fm.summarize(trace)["work"].instances[0].rail(label)
        assert rail.energy_j is not None and rail.energy_uncertainty_j is not None
        errors.append(rail.energy_j - readings.energy(begin, begin + length))
        halves.append(rail.energy_uncertainty_j)
    error, half = np.array(errors), np.array(halves)
    inside = int((np.abs(error) <= half).sum())
    width = float(np.median(half) / np.sqrt(np.mean(error**2)))
    # The same phase by phase, where a few large errors do not hide wide intervals: for a Gaussian the
    # root mean square is 1.48 times the median.
    own_width = float(1 / np.median(1.48 * np.abs(error) / half))
    print(f"{inside} of {PATTERNS} inside; width {width:.2f} of 3, phase by phase {own_width:.2f}")
    assert 90 <= inside <= 99
    assert width <= 3.0
    assert own_width <= 4.0


def test_the_mean_of_repeats_is_as_good_as_it_says() -> None:
    """Phases whose power steps at their edges: each loses a little to what is around it."""
    inside = 0
    for pattern in range(50):
        rng = np.random.default_rng([pattern, SEED])
        idle, busy = rng.uniform(2, 4), rng.uniform(6, 15)
        begins = 0.2 + 0.27 * np.arange(10) + rng.uniform(0, 0.05, 10)
        ends = begins + 0.15
        times = ps.times_of(SECONDS)
        is_busy = (np.searchsorted(begins, times) - np.searchsorted(ends, times)) > 0
        readings = ps.read(np.where(is_busy, busy, idle), ps.Sensor(), rng)
        rows = [("work", begin, end) for begin, end in zip(begins, ends)]
        trace = ps.trace([readings], phases=ps.phases(*rows))
        energy = fm.summarize(trace)["work"].energy_j  # type: ignore[arg-type]
        assert energy is not None and energy.uncertainty is not None
        assert energy.uncertainty < 0.15 * energy.mean
        inside += abs(energy.mean - 0.15 * busy) <= energy.uncertainty
    assert 45 <= inside


def _metadata(label: str, step_a: float, refresh_s: float) -> dict[str, object]:
    return {
        "rails": [{"label": label, "chip": "1-0040", "shunt_uohm": round(40 / step_a), "in_total": None}],
        "sensors": [
            {"chip": "1-0040", "update_interval_ms": round(refresh_s * 1000) or 1, "samples": 1}
        ],
    }


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Simulator]:
    directory = tmp_path_factory.mktemp("run")
    with Simulator(directory / "root", board="orin_nx") as simulator:
        board = fm.detect_board(root=simulator.root)
        with fm.NVMetrics(directory / "run.bin", board=board, metadata=True):
            time.sleep(4.0)
    return directory / "run.bin", simulator


def test_energies_of_recordings_are_those_that_the_board_drew(run: tuple[Path, Simulator]) -> None:
    path, simulator = run
    trace = dict(fm.read_trace(path))
    rng = np.random.default_rng(1)
    begins = rng.uniform(0.1, 2.0, 40)
    ends = begins + rng.uniform(0.05, 1.5, 40)
    trace["phases"] = ps.phases(*(("work", begin, end) for begin, end in zip(begins, ends)))
    group = fm.summarize(trace)["work"]  # type: ignore[arg-type]
    for label in trace["power_rail_names"]:
        inside = 0
        rails = [(phase, phase.rail(label)) for phase in group.instances]
        # A machine that stands still for a while leaves a short phase without readings.
        known = [(phase, rail) for phase, rail in rails if rail.energy_uncertainty_j is not None]
        assert len(known) >= 30
        for phase, rail in known:
            assert rail.energy_j is not None and rail.energy_uncertainty_j is not None
            truth = drawn(simulator.truth, label, trace["start_monotonic_ns"], phase.begin_s, phase.end_s)
            inside += abs(rail.energy_j - truth) <= rail.energy_uncertainty_j
            # Each side of an edge is off by a sample at most.
            assert rail.energy_j == pytest.approx(truth, rel=0.25)
        assert inside >= 0.85 * len(known), label
