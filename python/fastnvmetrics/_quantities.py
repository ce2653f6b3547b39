"""The quantities of a phase that repeats are averaged of and traces compared in."""

from __future__ import annotations

from collections.abc import Callable

from ._repeats import Figure, energy, mean_power
from .summary import Distribution, PhaseSummary

__all__ = ["FigureOf", "quantities"]

#: How to find a figure in a phase: None where it is not known.
FigureOf = Callable[[PhaseSummary], Figure | None]


def quantities(example: PhaseSummary) -> list[tuple[str, FigureOf]]:
    """Return the quantities by name, which ends in the unit, and where each is in a phase.

    Parameters
    ----------
    example
        A phase of the trace: it has the rails that there are.
    """

    def mean_of(field: str) -> FigureOf:
        def figure(phase: PhaseSummary) -> Figure | None:
            found: Distribution | None = getattr(phase, field)
            return None if found is None else Figure(found.mean)

        return figure

    def energy_of(label: str) -> FigureOf:
        def figure(phase: PhaseSummary) -> Figure | None:
            return energy(next((rail for rail in phase.rails if rail.label == label), None))

        return figure

    def hottest(phase: PhaseSummary) -> Figure | None:
        known = [zone.max_c for zone in phase.zones if zone.max_c is not None]
        return Figure(max(known)) if known else None

    def ram(phase: PhaseSummary) -> Figure | None:
        return None if phase.ram_peak_kb is None else Figure(float(phase.ram_peak_kb))

    return [
        ("duration_s", lambda phase: Figure(phase.duration_s)),
        ("energy_j", lambda phase: energy(phase.total)),
        ("mean_power_w", lambda phase: mean_power(phase.total, phase.duration_s)),
        *((f"energy_j of {rail.label}", energy_of(rail.label)) for rail in example.rails),
        ("gpu_percent", mean_of("gpu_percent")),
        ("cpu_percent", mean_of("cpu_percent")),
        ("emc_percent", mean_of("emc_percent")),
        ("ram_peak_kb", ram),
        ("hottest_c", hottest),
    ]
