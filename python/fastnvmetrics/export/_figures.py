"""What phases cost, of traces of any length: the figures of `summarize`, found piece by piece."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from .._phase_list import TracePhase
from ..analysis import Analysis
from ..summary import Distribution, PhaseSummary, RailSummary
from ._source import Source

__all__ = ["Figures", "figures_of"]

#: Samples that are in memory at a time; traces that have no more are looked at as a whole.
_MOST_SAMPLES = 1 << 20
#: Seconds around a phase that tell what the power did at its edges.
_MARGIN_S = 10.0


@dataclass(frozen=True)
class Figures:
    """Figures of a stretch of time, None where not known; energy and power are the module's."""

    duration_s: float
    energy_j: float | None
    energy_uncertainty_j: float | None
    gpu_percent: float | None
    cpu_percent: float | None
    emc_percent: float | None
    ram_peak_kb: int | None
    temp_max_c: float | None

    @property
    def mean_power_w(self) -> float | None:
        """Watts."""
        return (
            None
            if self.energy_j is None or self.duration_s <= 0
            else self.energy_j / self.duration_s
        )


def figures_of(
    source: Source, phases: Sequence[TracePhase], most: int = _MOST_SAMPLES
) -> tuple[Figures, list[Figures]]:
    """Return the figures of the whole trace and of each phase.

    Of a trace of more than `most` samples a piece is in memory at a time. A phase that is longer
    than that is put together from pieces: joules add up, and so do the steps of a sensor, which are
    the same in all of them; the uncertainty of the power between readings adds up in quadrature.
    """
    end_s = source.end_s
    every = [TracePhase("", 0.0, end_s), *phases]
    samples = max(source.counts["fast"], source.counts["medium"], source.counts["slow"])
    longest_s = math.inf if samples <= most else max(end_s, 1.0) * most / samples
    found: dict[int, Figures] = {}
    order = sorted(range(len(every)), key=lambda number: every[number].begin_s)
    short = [number for number in order if every[number].end_s - every[number].begin_s <= longest_s]
    for group in _groups(every, short, longest_s):
        begin = min(every[number].begin_s for number in group)
        end = max(every[number].end_s for number in group)
        analysis = _analysis(source, begin, end, math.isinf(longest_s))
        for number in group:
            found[number] = _figures([analysis.phase(every[number])])
    for number, phase in enumerate(every):
        if number not in found:
            found[number] = _figures(list(_pieces(source, phase, longest_s)))
    return found[0], [found[number] for number in range(1, len(every))]


def _groups(
    phases: Sequence[TracePhase], order: Sequence[int], longest_s: float
) -> Iterator[list[int]]:
    """Return phases that one piece holds."""
    group: list[int] = []
    for number in order:
        if group and phases[number].end_s - phases[group[0]].begin_s > longest_s:
            yield group
            group = []
        group.append(number)
    if group:
        yield group


def _pieces(source: Source, phase: TracePhase, longest_s: float) -> Iterator[PhaseSummary]:
    count = math.ceil((phase.end_s - phase.begin_s) / longest_s)
    edges = np.linspace(phase.begin_s, phase.end_s, count + 1).tolist()
    for begin, end in zip(edges, edges[1:]):
        yield _analysis(source, begin, end, False).phase(TracePhase("", begin, end))


def _analysis(source: Source, begin_s: float, end_s: float, is_all: bool) -> Analysis:
    trace: dict[str, Any] = dict(source.header)
    margin = math.inf if is_all else _MARGIN_S
    for tier, columns in (
        (
            "fast",
            (
                ("gpu_load", ""),
                ("cpu_util", "cpu_cores"),
                ("cpu_aggregate", ""),
                ("ram_used_kb", ""),
                ("emc_util", ""),
            ),
        ),
        (
            "medium",
            (
                ("voltage_mv", "power_rails"),
                ("current_ma", "power_rails"),
                ("power_mw", "power_rails"),
            ),
        ),
        ("slow", (("temp_c", "thermal_zones"),)),
    ):
        rows = source.rows_in(tier, begin_s - margin, end_s + margin)
        records = source.records(tier, rows)
        trace[f"{tier}_time_s"] = np.array(records["time_s"])
        for name, width in columns:
            trace[name] = records[name][:, : trace[f"num_{width}"]] if width else records[name]
    return Analysis(trace)


def _figures(pieces: list[PhaseSummary]) -> Figures:
    totals = [piece.total for piece in pieces]
    joules = [total.energy_j if total else None for total in totals]
    peaks = [piece.ram_peak_kb for piece in pieces if piece.ram_peak_kb is not None]
    degrees = [zone.max_c for piece in pieces for zone in piece.zones if zone.max_c is not None]

    def mean(of: str) -> float | None:
        parts: list[tuple[float, float]] = []
        for piece in pieces:
            values: Distribution | None = getattr(piece, of)
            if values is not None:
                parts.append((values.mean, piece.duration_s))
        seconds = sum(duration for _, duration in parts)
        if seconds <= 0:
            return parts[0][0] if parts else None
        return sum(value * duration for value, duration in parts) / seconds

    return Figures(
        duration_s=pieces[-1].end_s - pieces[0].begin_s,
        energy_j=None
        if None in joules
        else math.fsum(value for value in joules if value is not None),
        energy_uncertainty_j=_uncertainty(totals),
        gpu_percent=mean("gpu_percent"),
        cpu_percent=mean("cpu_percent"),
        emc_percent=mean("emc_percent"),
        ram_peak_kb=max(peaks, default=None),
        temp_max_c=max(degrees, default=None),
    )


def _uncertainty(totals: list[RailSummary | None]) -> float | None:
    if len(totals) == 1:
        return totals[0].energy_uncertainty_j if totals[0] else None
    steps, squares = 0.0, 0.0
    for total in totals:
        if (
            total is None
            or total.step_uncertainty_j is None
            or total.sampling_uncertainty_j is None
        ):
            return None
        steps += total.step_uncertainty_j
        squares += total.sampling_uncertainty_j**2
    return math.hypot(steps, math.sqrt(squares))
