"""The counters of a trace: their names, their units, and their values from records of a tier."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from .._rail_sensors import total_rails
from ._source import Source

__all__ = ["Counter", "counters_of"]


class Counter(NamedTuple):
    """A counter track, and how its values come from records of its tier."""

    name: str
    group: str
    unit: str
    tier: str
    value: Callable[[npt.NDArray[Any]], npt.NDArray[np.float64]]


def counters_of(source: Source) -> list[Counter]:
    """Return the counters in the order that they are shown in."""
    header = source.header

    def memory(field: str) -> Callable[[npt.NDArray[Any]], npt.NDArray[np.float64]]:
        return lambda block: _wide(block[field]) * 1024

    def column(
        field: str, index: int, divisor: float = 1
    ) -> Callable[[npt.NDArray[Any]], npt.NDArray[np.float64]]:
        return lambda block: _wide(block[field][:, index]) / divisor

    def emc(block: npt.NDArray[Any]) -> npt.NDArray[np.float64]:
        values = _wide(block["emc_util"])
        return np.where(values < 0, np.nan, values)

    def total(block: npt.NDArray[Any]) -> npt.NDArray[np.float64]:
        watts: npt.NDArray[np.float64] = _wide(block["power_mw"])[:, parts].sum(axis=1) / 1000
        return watts

    found: list[Counter] = []
    if header["gpu_available"] or not header["start_monotonic_ns"]:
        found.append(Counter("GPU", "", "%", "fast", lambda block: block["gpu_load"] / 10))
    found.append(Counter("CPU", "", "%", "fast", lambda block: _wide(block["cpu_aggregate"])))
    found += [
        Counter(f"CPU {core}", "CPU cores", "%", "fast", column("cpu_util", core))
        for core in range(header["num_cpu_cores"])
    ]
    found += [
        Counter("EMC", "", "%", "fast", emc),
        Counter("RAM used", "", "bytes", "fast", memory("ram_used_kb")),
        Counter("RAM available", "", "bytes", "fast", memory("ram_available_kb")),
    ]
    parts = total_rails(header)
    if parts:
        found.append(Counter("module power", "", "W", "medium", total))
    for name, unit, field in (
        ("power", "W", "power_mw"),
        ("voltage", "V", "voltage_mv"),
        ("current", "A", "current_ma"),
    ):
        found += [
            Counter(f"{label} {name}", f"rails: {name}", unit, "medium", column(field, rail, 1000))
            for rail, label in enumerate(header["power_rail_names"])
        ]
    found += [
        Counter(label, "temperature", "°C", "slow", column("temp_c", zone))
        for zone, label in enumerate(header["thermal_zone_names"])
    ]
    return found


def _wide(values: npt.NDArray[Any]) -> npt.NDArray[np.float64]:
    return np.asarray(values, np.float64)
