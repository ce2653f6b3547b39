"""Means over repeats, and how uncertain they are."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

from .summary import RailSummary, Repeats

__all__ = ["Figure", "energy", "mean_figure", "mean_power", "repeats"]

# Student's t: half a 95 % interval in standard uncertainties, for 1 to 5 degrees of freedom.
_T = (12.706, 4.303, 3.182, 2.776, 2.571)
_NORMAL = 1.959964


class Figure(NamedTuple):
    """A figure of one repeat; half-widths of 95 % intervals.

    `common` is the part that all repeats share, 0 where there is none and None where it is not
    known; `single` is all of it for this repeat alone, None where it is not known.
    """

    value: float
    common: float | None = 0.0
    single: float | None = None


def energy(rail: RailSummary | None) -> Figure | None:
    """Return the energy of one repeat in J, None where it is not known."""
    if rail is None or rail.energy_j is None:
        return None
    common = None
    if rail.step_uncertainty_j is not None and rail.edge_uncertainty_j is not None:
        common = math.hypot(rail.step_uncertainty_j, rail.edge_uncertainty_j)
    return Figure(rail.energy_j, common, rail.energy_uncertainty_j)


def mean_power(rail: RailSummary | None, duration_s: float) -> Figure | None:
    """Return the mean power of one repeat in W, None where it is not known."""
    joules = energy(rail)
    if joules is None or duration_s <= 0:
        return None
    common, single = (
        None if part is None else part / duration_s for part in (joules.common, joules.single)
    )
    return Figure(joules.value / duration_s, common, single)


def repeats(figures: Sequence[Figure | None]) -> Repeats | None:
    """Return mean, spread and uncertainty over the repeats whose figure is known.

    The uncertainty is that of the spread, with Student's t, but no less than the repeats' own
    explain; and in quadrature to it what they have in common.
    """
    known = [figure for figure in figures if figure is not None]
    if not known:
        return None
    count = len(known)
    mean = math.fsum(figure.value for figure in known) / count
    if count == 1:
        return Repeats(mean, None, known[0].single, 1)
    squares = math.fsum((figure.value - mean) ** 2 for figure in known)
    deviation = math.sqrt(squares / (count - 1))
    merged = mean_figure(known)
    uncertainty = None
    if merged is not None and merged.common is not None:
        spread = student_t(count - 1) * deviation / math.sqrt(count)
        uncertainty = max(math.hypot(spread, merged.common), merged.single or 0.0)
    return Repeats(mean, deviation, uncertainty, count)


def mean_figure(figures: Sequence[Figure | None]) -> Figure | None:
    """Return the mean of several repeats as one figure, by what is known of each alone."""
    known = [figure for figure in figures if figure is not None]
    if not known:
        return None
    count = len(known)
    mean = math.fsum(figure.value for figure in known) / count
    if any(figure.common is None for figure in known):
        return Figure(mean, None, None)
    common = math.fsum(figure.common or 0.0 for figure in known) / count
    if any(figure.single is None for figure in known):
        return Figure(mean, common, None)
    own = math.fsum(
        max((figure.single or 0.0) ** 2 - (figure.common or 0.0) ** 2, 0.0) for figure in known
    )
    return Figure(mean, common, math.hypot(common, math.sqrt(own) / count))


def student_t(freedom: int) -> float:
    """Return the 97.5 % point of Student's t: within 0.2 %."""
    if freedom <= len(_T):
        return _T[freedom - 1]
    x = _NORMAL
    # Abramowitz and Stegun, 26.7.5.
    return (
        x
        + (x**3 + x) / (4 * freedom)
        + (5 * x**5 + 16 * x**3 + 3 * x) / (96 * freedom**2)
        + (3 * x**7 + 19 * x**5 + 17 * x**3 - 15 * x) / (384 * freedom**3)
    )
