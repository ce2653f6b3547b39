"""How much of what a slow board's hardware knew is in a trace of it."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from slow_board import EMC_REFRESH_US, LOAD_REFRESH_US, RAIL_REFRESH_US, RAIL_STEP_MA


def information(
    truth: Any, trace: dict[str, Any], window: tuple[float, float] = (0.0, math.inf)
) -> dict[str, Any]:
    """Compare a trace with the truth, where it lies in a window of CLOCK_MONOTONIC in ns.

    Returns
    -------
    dict
        `seen`: percent of the values that the hardware had, by column; `power`: how far the mean
        power of all rails is above the truth, in percent.
    """
    rails = trace["power_rail_names"]
    times, inside = {}, {}
    for tier in ("fast", "medium", "slow"):
        instants = trace["start_monotonic_ns"] + 1e9 * trace[f"{tier}_time_s"]
        inside[tier] = (instants >= window[0]) & (instants < window[1])
        times[tier] = instants[inside[tier]]

    def refreshed(name: str, tier: str, refresh_us: int) -> float:
        """Of columns that have a new value at each refresh."""
        columns = trace[name][inside[tier]].reshape(len(times[tier]), -1)
        had = (times[tier][-1] - times[tier][0]) / 1000 / refresh_us * columns.shape[1]
        return 100 * _changes(columns) / had

    def changed(name: str, tier: str, signals: list[str]) -> float:
        """Of columns that change when the simulation says so."""
        had = 0
        for signal in signals:
            stored = truth.changes(signal)[1:, 1]
            had += int(((stored > times[tier][0]) & (stored < times[tier][-1])).sum())
        columns = trace[name][inside[tier]].reshape(len(times[tier]), -1)
        return 100 * _changes(columns) / had if had else math.nan

    zones = trace["thermal_zone_names"]
    seen = {
        "GPU load": refreshed("gpu_load", "fast", LOAD_REFRESH_US),
        "EMC": refreshed("emc_util", "fast", EMC_REFRESH_US),
        "RAM": changed("ram_available_kb", "fast", ["ram_available_kb"]),
        "currents": refreshed("current_ma", "medium", RAIL_REFRESH_US),
        "voltages": changed("voltage_mv", "medium", [f"voltage_mv/{rail}" for rail in rails]),
        "zones": changed("temp_c", "slow", [f"temp_millic/{zone}" for zone in zones]),
    }
    recorded = float(np.nanmean(trace["power_mw"][inside["medium"]], axis=0).sum())
    expected = _mean_power_mw(truth, rails, times["medium"][0], times["medium"][-1])
    return {"seen": seen, "power": 100 * (recorded / expected - 1)}


def _changes(columns: Any) -> int:
    return int((np.diff(columns, axis=0) != 0).sum())


def _mean_power_mw(truth: Any, rails: list[str], begin: float, end: float) -> float:
    """The sum of all rails, from what the simulation says and what the sensors add to it."""
    instants = np.arange(int(begin), int(end), 1_000_000)
    added = RAIL_STEP_MA * (instants // (1000 * RAIL_REFRESH_US) % 8)

    def held(signal: str) -> Any:
        stored = truth.changes(signal)
        return stored[np.searchsorted(stored[:, 1], instants, side="right") - 1, 0]

    return float(
        sum(
            np.mean(held(f"voltage_mv/{rail}") * (held(f"current_ma/{rail}") + added)) / 1000
            for rail in rails
        )
    )
