"""Traces of a power that is known, seen as an INA3221 would: for tests of energies.

A sensor measures the mean current over a window once every refresh, in steps, and holds it until the
next; samples take what it holds. Truth is the integral of the power, found on a grid of 50 µs.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

GRID_S = 5e-5

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Sensor:
    """What a rail is read with; by default channel 1 of an Orin NX."""

    volts: float = 5.0
    current_step_a: float = 0.008
    voltage_step_v: float = 0.008
    refresh_s: float = 0.0066
    window_s: float = 0.0011
    rate_hz: float = 100.0


@dataclass(frozen=True)
class Readings:
    """What samples saw, and the truth."""

    times: Floats
    amperes: Floats
    volts: Floats
    joules: Floats

    def energy(self, begin_s: float, end_s: float) -> float:
        """Return the true energy of a stretch of time in J."""
        grid = np.arange(len(self.joules)) * GRID_S
        begin, end = np.interp((begin_s, end_s), grid, self.joules)
        return float(end - begin)


def times_of(seconds: float) -> Floats:
    """Return the middles of the grid's cells."""
    return (np.arange(round(seconds / GRID_S)) + 0.5) * GRID_S


def read(watts: Floats, sensor: Sensor, rng: np.random.Generator) -> Readings:
    """Return what samples of that power see; refresh and samples start at random phases."""
    joules = np.concatenate(([0.0], np.cumsum(watts) * GRID_S))
    grid = np.arange(len(joules)) * GRID_S
    first = rng.uniform(sensor.window_s, sensor.window_s + sensor.refresh_s)
    measured = np.arange(first, grid[-1], sensor.refresh_s)
    means = np.interp(measured, grid, joules) - np.interp(measured - sensor.window_s, grid, joules)
    amperes = means / sensor.window_s / sensor.volts
    amperes = np.rint(amperes / sensor.current_step_a) * sensor.current_step_a
    volts = np.rint(sensor.volts / sensor.voltage_step_v) * sensor.voltage_step_v
    samples = np.arange(0.01 + rng.uniform(0, 1 / sensor.rate_hz), grid[-1], 1 / sensor.rate_hz)
    samples += rng.exponential(5e-5, len(samples))  # the scheduler
    newest = np.searchsorted(measured, samples, side="right") - 1
    samples, newest = samples[newest >= 0], newest[newest >= 0]
    return Readings(samples, amperes[newest], np.full(len(samples), volts), joules)


def trace(
    readings: list[Readings],
    board: str = "orin_nx",
    rails: tuple[str, ...] = ("VDD_IN",),
    **changes: Any,
) -> dict[str, Any]:
    """Return a trace as `read_trace` would, with a rail for each of the readings.

    Fast samples come each millisecond, with a GPU at 50 %; `changes` are added or replace keys.
    """
    times = readings[0].times
    fast = np.arange(1, int(times[-1] * 1000) + 1) / 1000
    amperes = np.stack([reading.amperes for reading in readings], axis=1)
    volts = np.stack([reading.volts for reading in readings], axis=1)
    found = empty(board, rails)
    found.update(
        fast_time_s=fast,
        gpu_load=np.full(len(fast), 500, np.uint16),
        cpu_util=np.full((len(fast), 2), 25, np.float32),
        cpu_aggregate=np.full(len(fast), 25, np.float32),
        ram_used_kb=np.arange(len(fast), dtype=np.uint64),
        ram_available_kb=np.full(len(fast), 1000, np.uint64),
        emc_util=np.full(len(fast), 10, np.float32),
        sync_id=np.zeros(len(fast), np.uint64),
        medium_hz=round(len(times) / float(times[-1])),
        medium_time_s=times,
        voltage_mv=np.rint(volts * 1000).astype(np.uint32),
        current_ma=np.rint(amperes * 1000).astype(np.uint32),
        power_mw=(np.rint(volts * 1000) * np.rint(amperes * 1000) / 1000).astype(np.float32),
    )
    found.update(changes)
    return found


def empty(board: str = "orin_nx", rails: tuple[str, ...] = ("VDD_IN",)) -> dict[str, Any]:
    """Return a trace without samples: two cores, and a zone."""
    return {
        "board_name": board,
        "num_cpu_cores": 2,
        "num_power_rails": len(rails),
        "num_thermal_zones": 1,
        "emc_available": True,
        "fast_hz": 1000,
        "medium_hz": 100,
        "slow_hz": 10,
        "power_rail_names": list(rails),
        "thermal_zone_names": ["cpu-thermal"],
        "start_monotonic_ns": 1_000_000_000,
        "start_realtime_ns": 1_700_000_000_000_000_000,
        "missed_fast": 0,
        "missed_medium": 0,
        "missed_slow": 0,
        "dropped_samples": 0,
        "read_errors": 0,
        "recovered": False,
        "gpu_available": True,
        "metadata": None,
        "stats": None,
        "fast_time_s": np.empty(0),
        "gpu_load": np.empty(0, np.uint16),
        "cpu_util": np.empty((0, 2), np.float32),
        "cpu_aggregate": np.empty(0, np.float32),
        "ram_used_kb": np.empty(0, np.uint64),
        "ram_available_kb": np.empty(0, np.uint64),
        "emc_util": np.empty(0, np.float32),
        "medium_time_s": np.empty(0),
        "voltage_mv": np.empty((0, len(rails)), np.uint32),
        "current_ma": np.empty((0, len(rails)), np.uint32),
        "power_mw": np.empty((0, len(rails)), np.float32),
        "slow_time_s": np.empty(0),
        "temp_c": np.empty((0, 1), np.float32),
        "sync_id": np.empty(0, np.uint64),
    }


def sampled(watts: Any, rate_hz: float = 100.0, seconds: float = 2.0, **changes: Any) -> dict[str, Any]:
    """Return a trace of samples that are exact and know nothing of refreshes: rows are `watts(t)`.

    Of a board that is not known, so that no lag is assumed; 5 V on each of its rails.
    """
    times = np.arange(1, round(seconds * rate_hz) + 1) / rate_hz
    rows = np.asarray(watts(times), np.float64)
    rows = rows[:, None] if rows.ndim == 1 else rows
    columns = [
        Readings(times, column / 5.0, np.full(len(times), 5.0), np.zeros(1)) for column in rows.T
    ]
    names = tuple(f"RAIL_{index}" for index in range(rows.shape[1]))
    settings: dict[str, Any] = {"board": "mine", "rails": names, **changes}
    found = trace(columns, settings.pop("board"), settings.pop("rails"))
    found["power_mw"] = (rows * 1000).astype(np.float32)
    found.update(settings)
    return found


PHASES = np.dtype(
    [
        ("id", "<u8"),
        ("parent", "<u8"),
        ("depth", "<u4"),
        ("thread", "<u4"),
        ("begin_ns", "<i8"),
        ("end_ns", "<i8"),
        ("was_ended", "?"),
        ("name", "U87"),
    ]
)


def phases(*rows: tuple[str, float, float]) -> npt.NDArray[Any]:
    """Return phases of (name, begin in s, end in s), all at the top and ended."""
    found = np.zeros(len(rows), PHASES)
    for index, (name, begin, end) in enumerate(rows):
        found[index] = (index + 1, 0, 0, 7, round(begin * 1e9), round(end * 1e9), True, name)
    return found
