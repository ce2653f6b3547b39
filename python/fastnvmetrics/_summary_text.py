"""Summaries as tables for people."""

from __future__ import annotations

from collections.abc import Sequence

from ._table import known, plus_minus, printable, table
from .summary import Distribution, PhaseGroup, PhaseSummary, RailSummary, Repeats, Summary

__all__ = ["phase_text", "summary_text"]

_HEAD = (
    *("phase", "n", "duration", "energy", "mean power"),
    *("GPU", "CPU", "EMC", "RAM peak", "hottest"),
)


def summary_text(summary: Summary) -> str:
    """Return the table of a trace: a line for each name, and the rails of the whole."""
    whole = summary.whole
    total = " + ".join(summary.total_rails) or "not known"
    lines = [
        f"{summary.board_name}, {whole.duration_s:.2f} s, {whole.fast_samples} samples, "
        f"{whole.missed_samples} missed, {whole.failed_reads} failed reads; total power: {total}",
        "",
        *table([_HEAD, _row(whole), *(_group_row(group) for group in summary.phases)]),
    ]
    if whole.rails:
        lines += ["", *_rail_lines(whole)]
    lines += ["", "± is half a 95 % interval; of several repeats, that of their mean."]
    lines += [*summary.notes, *(f"(whole) {note}" for note in whole.notes)]
    for group in summary.phases:
        lines += _notes_of(group)
    return "\n".join(map(printable, lines))


def phase_text(phase: PhaseSummary) -> str:
    """Return the tables of one phase."""
    lines = [*table([_HEAD, _row(phase)])]
    if phase.rails:
        lines += ["", *_rail_lines(phase)]
    cores = [(f"core {core}", found) for core, found in enumerate(phase.core_percent)]
    rows: list[tuple[str, ...]] = [("", "mean", "50 %", "95 %", "99 %", "max")]
    for name, found in (("GPU", phase.gpu_percent), *cores, ("EMC", phase.emc_percent)):
        rows.append((name, *_parts(found, " %")))
    zones = [f"{zone.name} {known(zone.max_c, '.1f', ' °C')}" for zone in phase.zones]
    lines += ["", *table(rows)]
    if zones:
        lines += ["", "hottest: " + ", ".join(zones)]
    return "\n".join(map(printable, [*lines, *phase.notes]))


def _row(phase: PhaseSummary) -> tuple[str, ...]:
    energy = phase.total
    return (
        "  " * phase.depth + phase.name,
        "",
        f"{phase.duration_s:.4g} s",
        plus_minus(energy.energy_j, energy.energy_uncertainty_j, "J") if energy else "?",
        plus_minus(energy.mean_power_w, energy.mean_power_uncertainty_w, "W") if energy else "?",
        *_usage([phase]),
    )


def _group_row(group: PhaseGroup) -> tuple[str, ...]:
    return (
        "  " * min(phase.depth for phase in group.instances) + group.name,
        str(group.count),
        f"{group.duration_s.mean:.4g} s",
        _repeats(group.energy_j, "J"),
        _repeats(group.mean_power_w, "W"),
        *_usage(group.instances),
    )


def _repeats(figure: Repeats | None, unit: str) -> str:
    return "?" if figure is None else plus_minus(figure.mean, figure.uncertainty, unit)


def _usage(phases: Sequence[PhaseSummary]) -> tuple[str, ...]:
    """Return means of GPU, CPU and EMC by time, the RAM peak, and the hottest zone."""
    cells = []
    for field in ("gpu_percent", "cpu_percent", "emc_percent"):
        found = [(getattr(phase, field), phase.duration_s) for phase in phases]
        parts = [(part.mean, seconds) for part, seconds in found if part is not None]
        seconds = sum(weight for _, weight in parts)
        mean = sum(value * weight for value, weight in parts) / seconds if seconds else None
        cells.append(known(mean, ".1f", " %"))
    ram = [phase.ram_peak_kb for phase in phases if phase.ram_peak_kb is not None]
    hot = [zone.max_c for phase in phases for zone in phase.zones if zone.max_c is not None]
    cells.append(f"{max(ram) / 1024:.0f} MiB" if ram else "?")
    cells.append(known(max(hot, default=None), ".1f", " °C"))
    return tuple(cells)


def _rail_lines(phase: PhaseSummary) -> list[str]:
    rails: list[RailSummary] = [*phase.rails, *([phase.total] if phase.total else [])]
    rows: list[tuple[str, ...]] = [
        ("rail", "energy", "mean", "50 %", "95 %", "99 %", "max", "readings", "failed")
    ]
    for rail in rails:
        rows.append(
            (
                rail.label,
                plus_minus(rail.energy_j, rail.energy_uncertainty_j, "J"),
                plus_minus(rail.mean_power_w, rail.mean_power_uncertainty_w, "W"),
                *_parts(rail.power_w, " W", ".2f")[1:],
                str(rail.readings),
                str(rail.failed_reads),
            )
        )
    return table(rows)


def _parts(found: Distribution | None, unit: str, spec: str = ".1f") -> tuple[str, ...]:
    if found is None:
        return ("?",) * 5
    values = (found.mean, found.p50, found.p95, found.p99, found.max)
    return tuple(known(value, spec, unit) for value in values)


def _notes_of(group: PhaseGroup) -> list[str]:
    """Return each note once, with how many of the repeats it is about."""
    counts: dict[str, int] = {}
    for phase in group.instances:
        for note in phase.notes:
            counts[note] = counts.get(note, 0) + 1
    return [
        f"{group.name}{f' ({count} of {group.count})' if group.count > 1 else ''}: {note}"
        for note, count in counts.items()
    ]
