"""Columns of a trace over a stretch of time."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from .summary import Distribution

__all__ = ["FastTier", "distribution", "gpu_is_known", "missed_in", "rows_in"]

Floats = npt.NDArray[np.float64]


def rows_in(times: Floats, begin_s: float, end_s: float) -> slice:
    """Return the samples taken from `begin_s` on and before `end_s`."""
    first, last = np.searchsorted(times, (begin_s, end_s), side="left")
    return slice(int(first), int(last))


def missed_in(times: Floats, rate_hz: int, begin_s: float, end_s: float) -> int:
    """Return how many samples are missing in gaps that end in a stretch of time."""
    rows = rows_in(times, begin_s, end_s)
    gaps = np.diff(times[max(rows.start - 1, 0) : rows.stop])
    gaps = gaps[np.abs(gaps) < 1e9]  # a trace that was damaged can hold any time
    return int(np.maximum(np.rint(gaps * rate_hz) - 1, 0).sum())


def distribution(values: npt.NDArray[Any], weights: Floats | None = None) -> Distribution | None:
    """Return mean, maximum and percentiles of what is known, None where nothing is.

    The mean is weighted, percentiles count each sample once.
    """
    values = np.asarray(values, np.float64)
    known = np.isfinite(values)
    if not known.any():
        return None
    if not known.all():
        values = values[known]
        weights = None if weights is None else weights[known]
    total = 0.0 if weights is None else float(weights.sum())
    mean = float(values @ weights) / total if weights is not None and total > 0 else values.mean()
    p50, p95, p99 = _percentiles(values)
    return Distribution(
        mean=float(mean),
        max=float(values.max()),
        p50=float(p50),
        p95=float(p95),
        p99=float(p99),
    )


def _percentiles(values: Floats) -> tuple[float, float, float]:
    """Return the 50th, 95th and 99th, as numpy.percentile does, which takes long to begin."""
    last = len(values) - 1
    if last > 10_000:
        p50, p95, p99 = np.percentile(values, (50, 95, 99))
        return float(p50), float(p95), float(p99)
    ordered = np.sort(values)

    def at(position: float) -> float:
        row = int(position)
        low, high = float(ordered[row]), float(ordered[min(row + 1, last)])
        return low + (high - low) * (position - row)

    return at(0.5 * last), at(0.95 * last), at(0.99 * last)


class FastTier:
    """GPU, cores, EMC and RAM of a trace, by stretches of time."""

    def __init__(self, trace: Any) -> None:
        self.times: Floats = np.ascontiguousarray(trace["fast_time_s"], np.float64)
        self._trace = trace

    def utilisation(
        self, begin_s: float, end_s: float
    ) -> dict[str, Distribution | None | tuple[Distribution | None, ...]]:
        """Return the distributions of GPU, CPU, each core and EMC, in %.

        A sample stands for the time since the one before: it counts for as much of that as lies in
        the stretch.
        """
        trace = self._trace
        rows, weights = self._weighted(begin_s, end_s)
        cores = trace["cpu_util"]
        emc = np.asarray(trace["emc_util"][rows], np.float64)
        gpu = None
        if gpu_is_known(trace):
            gpu = distribution(np.asarray(trace["gpu_load"][rows]) / 10, weights)
        return {
            "gpu_percent": gpu,
            "cpu_percent": distribution(trace["cpu_aggregate"][rows], weights),
            "core_percent": tuple(
                distribution(cores[rows, core], weights) for core in range(cores.shape[1])
            ),
            "emc_percent": distribution(np.where(emc < 0, np.nan, emc), weights),
        }

    def ram_peak_kb(self, begin_s: float, end_s: float) -> int | None:
        """Return the most RAM that a sample saw; of a stretch without one, the last before it."""
        rows = rows_in(self.times, begin_s, end_s)
        if rows.start == rows.stop:
            rows = slice(max(rows.start - 1, 0), rows.start)
        used = self._trace["ram_used_kb"][rows]
        return int(used.max()) if len(used) else None

    def _weighted(self, begin_s: float, end_s: float) -> tuple[slice, Floats]:
        """Return the samples whose time reaches into a stretch, and each one's seconds there."""
        times = self.times
        first = int(np.searchsorted(times, begin_s, side="right"))
        last = min(int(np.searchsorted(times, end_s, side="left")) + 1, len(times))
        rows = slice(min(first, last), last)
        ends = times[rows]
        begins = np.concatenate((times[rows.start - 1 : rows.start] if rows.start else [0.0], ends))
        overlap = np.minimum(ends, end_s) - np.maximum(begins[: len(ends)], begin_s)
        return rows, np.maximum(overlap, 0.0)


def gpu_is_known(trace: Any) -> bool:
    """Return whether the GPU was measured; traces of the C++ reference do not say so themselves."""
    return bool(trace["gpu_available"]) or (
        trace["start_monotonic_ns"] == 0 and bool(np.any(trace["gpu_load"]))
    )
