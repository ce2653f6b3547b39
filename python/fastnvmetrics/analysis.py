"""Traces in figures: what each phase took, drew and cost."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from ._columns import FastTier, distribution, missed_in, rows_in
from ._energy import RailCurve, total_curve, total_estimate
from ._opened import TraceLike, is_aligned, opened
from ._phase_list import LONGEST_S, TracePhase, end_of, phases_of
from ._power import PowerCurve
from ._rail_sensors import rail_sensors, total_rails
from ._rail_summary import rail_summary, unknown_rail
from ._repeats import Figure, energy, mean_power, repeats
from ._settings import settings_of
from .summary import PhaseGroup, PhaseSummary, RailSummary, Summary, ZoneSummary

__all__ = ["Analysis", "summarize"]

WHOLE = "(whole)"

Floats = npt.NDArray[np.float64]


def summarize(trace: TraceLike) -> Summary:
    """Return a trace in figures: of the whole, and of each phase.

    Per phase: duration, samples, GPU, cores, EMC, RAM, temperatures, and for each rail and the
    module power and energy, with 95 % intervals. docs/accuracy.md says how these are found and what
    they do not cover; docs/energy.md how to read them.

    Parameters
    ----------
    trace
        A path, or what `read_trace` (not aligned) or `map_trace` returned. Of a trace without
        phases, the stretches between sync points are its phases.

    Returns
    -------
    Summary
        ``print(summarize(…))`` is a table.

    Raises
    ------
    ValueError, OSError
        As `read_trace`, where a path was given. `ValueError` also for a trace that was read with
        ``align="fast"``.
    TypeError
        `trace` is none of these.

    Examples
    --------
    >>> import fastnvmetrics as fm
    >>> with fm.NVMetrics("run.bin", board=fm.get_board_config("orin_nx")) as nv:
    ...     with nv.phase("prefill"):
    ...         total = sum(range(1_000_000))
    >>> prefill = fm.summarize("run.bin")["prefill"]
    >>> prefill.count, prefill.duration_s.mean > 0
    (1, True)
    >>> print(prefill.energy_j.mean, prefill.energy_j.uncertainty)  # doctest: +SKIP
    12.31 0.22
    """
    data = opened(trace)
    if is_aligned(data):
        raise ValueError(
            'this trace was read with align="fast", which repeats readings: read it without'
        )
    return Analysis(data).summary()


class Analysis:
    """A trace, with what is worked out once for all of its phases."""

    def __init__(self, trace: Any) -> None:
        self.trace = trace
        self.end_s = end_of(trace)
        self.fast = FastTier(trace)
        self.labels: list[str] = list(trace["power_rail_names"])
        times = np.ascontiguousarray(trace["medium_time_s"], np.float64)
        # Only a damaged trace goes back in time, or has times that are none.
        forward = (times >= 0) & (times < LONGEST_S)
        forward[1:] &= times[1:] > np.fmax.accumulate(np.where(forward, times, -1.0))[:-1]
        self.medium_times: Floats = times[forward]
        self.watts: Floats = np.asarray(trace["power_mw"], np.float64)[forward] / 1000
        amperes = np.asarray(trace["current_ma"], np.float64)[forward] / 1000
        volts = np.asarray(trace["voltage_mv"], np.float64)[forward] / 1000
        gaps = np.diff(self.medium_times)
        # As it was most of the time: a tier that cannot keep up is slower than it was asked to be.
        period_s = float(np.median(gaps)) if len(gaps) else 1 / max(int(trace["medium_hz"]), 1)
        self.rails = [
            RailCurve.of(
                sensor,
                self.medium_times,
                self.watts[:, rail],
                amperes[:, rail],
                volts[:, rail],
                period_s,
            )
            for rail, sensor in enumerate(rail_sensors(trace))
        ]
        self.total_rails = total_rails(trace)
        self.total = None
        if self.total_rails:
            self.total = total_curve(
                [self.rails[rail] for rail in self.total_rails],
                self.medium_times,
                self.watts[:, self.total_rails],
                period_s,
            )

    def summary(self) -> Summary:
        whole = self.phase(TracePhase(WHOLE, 0.0, self.end_s), is_whole=True)
        groups: dict[str, list[PhaseSummary]] = {}
        for phase in phases_of(self.trace):
            groups.setdefault(phase.name, []).append(self.phase(phase))
        return Summary(
            board_name=str(self.trace["board_name"]),
            total_rails=tuple(self.labels[rail] for rail in self.total_rails),
            whole=whole,
            phases=tuple(_group(name, found) for name, found in groups.items()),
            settings=settings_of(self.trace),
            notes=tuple(self._notes()),
        )

    def phase(self, phase: TracePhase, is_whole: bool = False) -> PhaseSummary:
        begin, end = phase.begin_s, phase.end_s
        trace = self.trace
        rails, total, notes = self._power(begin, end)
        if not phase.was_ended:
            notes.insert(0, "it was never ended, and lasts to the end of the trace.")
        slow_times = np.asarray(trace["slow_time_s"])
        counts = {}
        missed = 0
        for tier, times in (
            ("fast", self.fast.times),
            ("medium", self.medium_times),
            ("slow", slow_times),
        ):
            # The whole has its last sample, which is where it ends.
            rows = rows_in(times, begin, np.inf if is_whole else end)
            counts[f"{tier}_samples"] = rows.stop - rows.start
            missed += missed_in(times, int(trace[f"{tier}_hz"]), begin, end)
        failed = sum(rail.failed_reads for rail in rails)
        if is_whole:
            recorded = sum(int(trace[f"missed_{tier}"]) for tier in ("fast", "medium", "slow"))
            missed = recorded if trace["start_monotonic_ns"] else missed
            failed = max(failed, int(trace["read_errors"]))
        return PhaseSummary(
            name=phase.name,
            begin_s=begin,
            end_s=end,
            duration_s=end - begin,
            id=phase.id,
            parent=phase.parent,
            depth=phase.depth,
            thread=phase.thread,
            was_ended=phase.was_ended,
            **counts,
            missed_samples=missed,
            failed_reads=failed,
            **self.fast.utilisation(begin, end),  # type: ignore[arg-type]
            ram_peak_kb=self.fast.ram_peak_kb(begin, end),
            rails=rails,
            total=total,
            zones=self._zones(slow_times, begin, end),
            notes=tuple(notes),
        )

    def _power(
        self, begin: float, end: float
    ) -> tuple[tuple[RailSummary, ...], RailSummary | None, list[str]]:
        rails: list[RailSummary] = []
        remarks: dict[str, list[str]] = {}
        for index, (label, rail) in enumerate(zip(self.labels, self.rails)):
            watts = self._readings(rail.curve, begin, end)[:, index]
            if len(rail.curve):
                estimate = rail.estimate(begin, end)
                rails.append(rail_summary(label, estimate, end - begin, watts, remarks))
            else:
                rails.append(unknown_rail(label, watts))
        total = None
        if self.total is not None:
            watts = self._readings(self.total, begin, end)[:, self.total_rails].sum(axis=1)
            known = [rails[rail].energy_j is not None for rail in self.total_rails]
            if len(self.total) and all(known):
                parts = [self.rails[rail] for rail in self.total_rails]
                estimate = total_estimate(parts, self.total, begin, end)
                total = rail_summary("total", estimate, end - begin, watts, remarks)
            else:
                total = unknown_rail("total", watts)
        notes = [f"{', '.join(labels)}: {remark}" for remark, labels in remarks.items()]
        return tuple(rails), total, notes

    def _readings(self, curve: PowerCurve, begin: float, end: float) -> Floats:
        """Return the powers that were measured in a stretch: taken by samples a while later."""
        return self.watts[rows_in(self.medium_times, begin + curve.lag_s, end + curve.lag_s)]

    def _zones(self, times: Floats, begin: float, end: float) -> tuple[ZoneSummary, ...]:
        rows = rows_in(times, begin, end)
        if rows.start == rows.stop:  # between two samples: the one before holds
            rows = slice(max(rows.start - 1, 0), rows.start)
        zones = []
        for zone, name in enumerate(self.trace["thermal_zone_names"]):
            found = distribution(self.trace["temp_c"][rows, zone])
            zones.append(
                ZoneSummary(name, found.mean if found else None, found.max if found else None)
            )
        return tuple(zones)

    def _notes(self) -> list[str]:
        trace = self.trace
        notes = []
        if trace["recovered"]:
            notes.append("The recorder was killed: this was recovered, and its end is missing.")
        if trace["dropped_samples"]:
            dropped = trace["dropped_samples"]
            notes.append(f"{dropped} samples were lost before they were on the disk.")
        if not self.labels:
            notes.append("The trace has no power rails: no energy is known.")
        elif not self.total_rails:
            notes.append(
                f"It is not known which rails of {trace['board_name']!r} add up to the module's "
                "power: there is energy by rail, and no total."
            )
        for rail in self.rails:
            if not len(rail.curve):
                notes.append(f"{rail.sensor.label}: no reading succeeded, no energy is known.")
            missing = []
            if rail.sensor.current_step_a is None:
                missing.append("shunt")
            if rail.sensor.refresh_s is None:
                missing.append("refresh")
            if missing:
                notes.append(
                    f"{rail.sensor.label}: {' and '.join(missing)} of its sensor are not known, "
                    "and neither is the uncertainty. Record with metadata=True."
                )
        return notes


def _group(name: str, instances: list[PhaseSummary]) -> PhaseGroup:
    duration = repeats([Figure(phase.duration_s) for phase in instances])
    assert duration is not None  # there is an instance, and all have one
    return PhaseGroup(
        name=name,
        instances=tuple(instances),
        duration_s=duration,
        energy_j=repeats([energy(phase.total) for phase in instances]),
        mean_power_w=repeats([mean_power(phase.total, phase.duration_s) for phase in instances]),
    )
