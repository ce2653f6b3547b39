"""From an estimate to what is told of it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import numpy.typing as npt

from ._columns import distribution
from ._energy import EnergyEstimate
from .summary import RailSummary

__all__ = ["rail_summary", "unknown_rail"]

Floats = npt.NDArray[np.float64]


def rail_summary(
    label: str,
    estimate: EnergyEstimate,
    duration_s: float,
    watts: Floats,
    remarks: dict[str, list[str]],
) -> RailSummary:
    """Return a rail's figures.

    `watts` are its readings inside; `remarks` gets what there is to say, and of which rails.
    """

    def remark(sentence: str) -> None:
        remarks.setdefault(sentence, []).append(label)

    if 2 * estimate.bridged_s > duration_s:
        measured = 100 * (1 - estimate.bridged_s / duration_s)
        remark(f"there are readings for {measured:.0f} % of the time, so that no energy is known.")
        return unknown_rail(label, watts, estimate.bridged_s)
    if estimate.bridged_s > 0:
        remark(f"{estimate.bridged_s:.3g} s without readings are bridged.")
    if not estimate.is_seen and duration_s > 0:
        remark(
            "too short for a reading that is certain to be its own; the energy is what the power "
            "around it makes likely."
        )

    def watts_of(joules: float | None) -> float | None:
        return None if joules is None or duration_s <= 0 else joules / duration_s

    energy, uncertainty = estimate.joules, estimate.uncertainty_j
    return replace(
        unknown_rail(label, watts, estimate.bridged_s),
        energy_j=energy,
        energy_uncertainty_j=uncertainty,
        mean_power_w=watts_of(energy),
        mean_power_uncertainty_w=watts_of(uncertainty),
        step_uncertainty_j=estimate.steps_j,
        sampling_uncertainty_j=estimate.sampling_j,
        edge_uncertainty_j=estimate.edges_j,
    )


def unknown_rail(label: str, watts: Floats, bridged_s: float = 0.0) -> RailSummary:
    """Return a rail of which no energy is known."""
    return RailSummary(
        label=label,
        energy_j=None,
        energy_uncertainty_j=None,
        mean_power_w=None,
        mean_power_uncertainty_w=None,
        step_uncertainty_j=None,
        sampling_uncertainty_j=None,
        edge_uncertainty_j=None,
        power_w=distribution(watts),
        readings=int(np.isfinite(watts).sum()),
        failed_reads=int(np.isnan(watts).sum()),
        bridged_s=bridged_s,
    )
