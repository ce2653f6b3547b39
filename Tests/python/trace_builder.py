"""Builds trace files in memory, whole or broken, for tests."""

from __future__ import annotations

import struct
from typing import Any

import numpy as np

from fastnvmetrics import trace_format as layout


def header(**fields: Any) -> bytes:
    """A header of a 2-core board with no samples; any field of the layout by keyword.

    Names may be shorter lists than the header has room for.
    """
    record = np.zeros(1, layout.HEADER)
    defaults: dict[str, Any] = {
        "magic": layout.MAGIC,
        "version": layout.VERSION,
        "board_name": b"built",
        "num_cpu_cores": 2,
        "num_power_rails": 2,
        "num_thermal_zones": 3,
        "fast_hz": 1000,
        "medium_hz": 100,
        "slow_hz": 10,
        "power_rail_names": [b"RAIL_A", b"RAIL_B"],
        "thermal_zone_names": [b"zone-a", b"zone-b", b"zone-c"],
    }
    for name, value in {**defaults, **fields}.items():
        if isinstance(value, list):
            record[name][0, : len(value)] = value
        else:
            record[name] = value
    return record.tobytes()


def trace(
    fast: int = 0,
    medium: int = 0,
    slow: int = 0,
    marks: list[tuple[int, int]] | None = None,
    **fields: Any,
) -> bytes:
    """A whole trace; record k of a tier is at k / 1000, k / 100 or k / 10 s and counts upwards.

    `marks` are (id, fast sample index).
    """
    marks = marks or []
    fields = {
        "num_fast_samples": fast,
        "num_medium_samples": medium,
        "num_slow_samples": slow,
        "num_sync_points": len(marks),
        **fields,
    }
    return b"".join(
        [
            header(**fields),
            fast_samples(fast).tobytes(),
            medium_samples(medium).tobytes(),
            slow_samples(slow).tobytes(),
            *(struct.pack("<QQ", mark_id, sample) for mark_id, sample in marks),
        ]
    )


def fast_samples(count: int) -> np.ndarray[Any, Any]:
    rows = np.zeros(count, layout.FAST_SAMPLE)
    index = np.arange(count)
    rows["time_s"] = index / 1000
    rows["gpu_load"] = index % 1001
    rows["cpu_util"] = (index[:, None] + np.arange(layout.MAX_CPU_CORES)) % 101
    rows["cpu_aggregate"] = index % 101
    rows["ram_used_kb"] = 1000 + index
    rows["ram_available_kb"] = 2**40 + index
    rows["emc_util"] = index % 101 / 2
    return rows


def medium_samples(count: int) -> np.ndarray[Any, Any]:
    rows = np.zeros(count, layout.MEDIUM_SAMPLE)
    index = np.arange(count)[:, None]
    rail = np.arange(layout.MAX_POWER_RAILS)
    rows["time_s"] = index[:, 0] / 100
    rows["voltage_mv"] = 5000 + 8 * rail
    rows["current_ma"] = 100 * index + rail
    rows["power_mw"] = rows["voltage_mv"] * rows["current_ma"] / 1000
    return rows


def slow_samples(count: int) -> np.ndarray[Any, Any]:
    rows = np.zeros(count, layout.SLOW_SAMPLE)
    index = np.arange(count)[:, None]
    rows["time_s"] = index[:, 0] / 10
    rows["temp_c"] = 40 + index + np.arange(layout.MAX_THERMAL_ZONES) / 2
    return rows
