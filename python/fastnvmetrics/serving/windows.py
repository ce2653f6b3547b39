"""Figures of a recording that goes on: least, mean and most since someone last asked, and joules so
far.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from .._rail_sensors import rail_sensors, total_rails
from ..continuous.following import NewSamples
from ..trace_data import TraceHeader

__all__ = ["LiveFigures", "Spread", "Window"]

Floats = npt.NDArray[np.float64]

# A gap longer than this many readings' distance is one that was bridged, as in _power.py.
_ORDINARY_GAP = 2.5
_TIERS = ("fast", "medium", "slow")


@dataclass(frozen=True)
class Spread:
    """Least, mean and most of a column over a window, in its unit.

    A sample stands for the time since the one before: the mean is weighted with that.
    """

    least: float
    mean: float
    most: float


@dataclass
class Window:
    """What came since someone last asked.

    Attributes
    ----------
    samples
        How many, by tier.
    seconds
        The time from the first to the last fast sample, with the one before the first.
    """

    samples: dict[str, int] = field(default_factory=lambda: dict.fromkeys(_TIERS, 0))
    seconds: float = 0.0
    _tiers: dict[str, npt.NDArray[np.float64]] = field(default_factory=dict)

    def spread(self, tier: str, column: int) -> Spread | None:
        """Return that of a column, by its number in `LiveFigures.columns`; None where nothing is
        known.
        """
        rows = self._tiers.get(tier)
        if rows is None or not rows[2, column] > 0:
            return None
        least, most, weight, total = rows[:, column]
        # Rounding must not put a mean outside of what it is the mean of.
        return Spread(float(least), float(min(max(total / weight, least), most)), float(most))

    def add(self, other: Window) -> None:
        """Add what came right after it."""
        self.seconds += other.seconds
        for tier in _TIERS:
            self.samples[tier] += other.samples[tier]
        for tier, rows in other._tiers.items():
            mine = self._tiers.get(tier)
            self._tiers[tier] = rows.copy() if mine is None else _merged(mine, rows)


def _merged(first: Floats, second: Floats) -> Floats:
    return np.stack(
        (
            np.fmin(first[0], second[0]),
            np.fmax(first[1], second[1]),
            first[2] + second[2],
            first[3] + second[3],
        )
    )


class LiveFigures:
    """Adds up samples as they come.

    Parameters
    ----------
    header
        Of the trace, as `TraceFollower.header` has it. Traces that follow it must have the same
        columns.

    Attributes
    ----------
    columns
        For each tier the names of its columns, such as ``("rail_power", "VDD_IN")``; the second is
        empty where there is one alone. The units are SI: ratios 0 to 1, W, V, A, bytes, °C.
    joules
        For each rail, and ``"total"`` for the module where it is known which rails add up to it:
        the energy so far, straight lines from reading to reading as in `summarize`. It never goes
        back.
    bridged_s
        For each rail: seconds so far without readings where there should be some, that a line was
        drawn over.
    """

    def __init__(self, header: TraceHeader) -> None:
        self.rails = list(header["power_rail_names"])
        self.zones = list(header["thermal_zone_names"])
        cores = range(header["num_cpu_cores"])
        self._total_rails = total_rails(header)
        self.columns: dict[str, list[tuple[str, str]]] = {
            "fast": [
                ("gpu_utilization", ""),
                ("cpu_utilization", ""),
                ("emc_utilization", ""),
                ("memory_used", ""),
                ("memory_available", ""),
                *(("cpu_core_utilization", str(core)) for core in cores),
            ],
            "medium": [
                *(("rail_power", rail) for rail in self.rails),
                *(("rail_voltage", rail) for rail in self.rails),
                *(("rail_current", rail) for rail in self.rails),
                *([("module_power", "")] if self._total_rails else []),
            ],
            "slow": [("temperature", zone) for zone in self.zones],
        }
        self._base_ns = header["start_monotonic_ns"]
        self._last_s: dict[str, float | None] = dict.fromkeys(_TIERS, None)
        self._readings: list[tuple[float, float] | None] = [None] * len(self.rails)
        self._rail_joules = [0.0] * len(self.rails)
        self._rail_bridged_s = [0.0] * len(self.rails)
        self._allowed_s = [
            _ORDINARY_GAP * max(sensor.refresh_s or 0.0, 1 / max(header["medium_hz"], 1))
            for sensor in rail_sensors(header)
        ]

    @property
    def joules(self) -> dict[str, float]:
        """See above."""
        found = dict(zip(self.rails, self._rail_joules))
        if self._total_rails:
            found["total"] = sum(self._rail_joules[rail] for rail in self._total_rails)
        return found

    @property
    def bridged_s(self) -> dict[str, float]:
        """See above."""
        return dict(zip(self.rails, self._rail_bridged_s))

    def add(self, found: Iterable[NewSamples]) -> Window:
        """Add new samples; return them as a window.

        Raises
        ------
        ValueError
            They have other columns.
        """
        window = Window()
        for samples in found:
            header = samples.header
            if (
                header["power_rail_names"] != self.rails
                or header["thermal_zone_names"] != self.zones
                or header["num_cpu_cores"] + 5 != len(self.columns["fast"])
            ):
                raise ValueError("the trace has other columns than the one before it")
            for tier in _TIERS:
                records = getattr(samples, tier)
                if len(records):
                    window.add(self._tier(tier, records, header))
        return window

    def _tier(self, tier: str, records: npt.NDArray[Any], header: TraceHeader) -> Window:
        offset = (header["start_monotonic_ns"] - self._base_ns) * 1e-9
        times = records["time_s"] + offset
        last = self._last_s[tier]
        # The first of all stands for as long as a sample usually does.
        period = 1 / max(int(header[f"{tier}_hz"]), 1)  # type: ignore[literal-required]
        weights = np.diff(times, prepend=times[0] - period if last is None else last)
        weights = np.clip(weights, 1e-9, None)
        self._last_s[tier] = float(times[-1])
        values = getattr(self, f"_{tier}")(records, header)
        if tier == "medium":
            self._integrate(times, values[:, : len(self.rails)])
        known = np.isfinite(values)
        weighed = np.where(known, weights[:, None], 0.0)
        rows = np.stack(
            (
                np.fmin.reduce(values, axis=0),
                np.fmax.reduce(values, axis=0),
                weighed.sum(axis=0),
                (np.where(known, values, 0.0) * weighed).sum(axis=0),
            )
        )
        window = Window(_tiers={tier: rows})
        window.samples[tier] = len(records)
        if tier == "fast":
            window.seconds = float(weights.sum())
        return window

    def _fast(self, records: npt.NDArray[Any], header: TraceHeader) -> Floats:
        cores = header["num_cpu_cores"]
        values = np.empty((len(records), 5 + cores))
        values[:, 0] = records["gpu_load"] / 1000 if header["gpu_available"] else np.nan
        values[:, 1] = records["cpu_aggregate"] / 100
        emc = records["emc_util"]
        values[:, 2] = np.where(emc < 0, np.nan, emc / 100)
        values[:, 3] = records["ram_used_kb"] * 1024.0
        values[:, 4] = records["ram_available_kb"] * 1024.0
        values[:, 5:] = records["cpu_util"][:, :cores] / 100
        return values

    def _medium(self, records: npt.NDArray[Any], header: TraceHeader) -> Floats:
        rails = len(self.rails)
        watts = records["power_mw"][:, :rails].astype(np.float64) / 1000
        # Where a read failed, the columns of integers hold the last that succeeded.
        failed = np.isnan(watts)
        volts = np.where(failed, np.nan, records["voltage_mv"][:, :rails] / 1000)
        amperes = np.where(failed, np.nan, records["current_ma"][:, :rails] / 1000)
        columns = [watts, volts, amperes]
        if self._total_rails:
            columns.append(watts[:, self._total_rails].sum(axis=1, keepdims=True))
        return np.concatenate(columns, axis=1)

    def _slow(self, records: npt.NDArray[Any], header: TraceHeader) -> Floats:
        temperatures: Floats = records["temp_c"][:, : len(self.zones)].astype(np.float64)
        return temperatures

    def _integrate(self, times: Floats, watts: Floats) -> None:
        for rail in range(len(self.rails)):
            known = np.isfinite(watts[:, rail])
            at, power = times[known], watts[known, rail]
            if not len(at):
                continue
            before = self._readings[rail]
            if before is not None:
                at, power = np.append(before[0], at), np.append(before[1], power)
            gaps = np.maximum(np.diff(at), 0.0)
            # A negative power is one of a damaged sensor: what was drawn does not come back.
            joules = float((gaps * np.maximum(power[1:] + power[:-1], 0.0)).sum()) / 2
            self._rail_joules[rail] += joules
            self._rail_bridged_s[rail] += float(gaps[gaps > self._allowed_s[rail]].sum())
            self._readings[rail] = (float(at[-1]), float(power[-1]))
