"""Energy of a rail, or of several, over a stretch of time, and how uncertain it is.

Uncertainties are half the widths of 95 % intervals.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ._power import PowerCurve
from ._rail_sensors import RailSensor

__all__ = ["EnergyEstimate", "RailCurve", "total_curve", "total_estimate"]

Floats = npt.NDArray[np.float64]

# Half a 95 % interval in standard deviations, of a Gaussian and of a uniform distribution.
_GAUSSIAN = 1.96
_UNIFORM = 0.95 * math.sqrt(3.0)


@dataclass(frozen=True)
class EnergyEstimate:
    """Joules of one stretch of time, and their uncertainties, None where not known."""

    joules: float
    #: From the steps of the sensor: the same in every repeat of what was measured.
    steps_j: float | None
    #: From seeing the power at instants only; differs from repeat to repeat.
    sampling_j: float | None
    #: The part of `sampling_j` that does not: a step at an edge is smeared over it.
    edges_j: float | None
    #: Seconds for which there are no readings where there should be.
    bridged_s: float
    #: Whether a reading is certain to have been measured inside.
    is_seen: bool

    @property
    def uncertainty_j(self) -> float | None:
        """All of it, in quadrature."""
        if self.steps_j is None or self.sampling_j is None:
            return None
        return math.hypot(self.steps_j, self.sampling_j)


@dataclass(frozen=True)
class RailCurve:
    """A rail's power and current over time, with its sensor."""

    sensor: RailSensor
    curve: PowerCurve
    amperes: Floats
    volts: float

    @staticmethod
    def of(
        sensor: RailSensor,
        times: Floats,
        watts: Floats,
        amperes: Floats,
        volts: Floats,
        period_s: float,
    ) -> RailCurve:
        """Make one of the columns of a rail; `times` are those of the samples, `period_s` apart."""
        known = np.isfinite(watts)
        curve = PowerCurve(times - sensor.lag_s, watts, period_s, sensor.refresh_s, sensor.lag_s)
        mean_volts = float(volts[known].mean()) if known.any() else 0.0
        return RailCurve(sensor, curve, amperes[known], mean_volts)

    def estimate(self, begin_s: float, end_s: float) -> EnergyEstimate:
        """Return the energy of a stretch of time."""
        parts = [self.step_parts_j(begin_s, end_s)]
        return _estimate(self.curve, self.joules(begin_s, end_s), parts, begin_s, end_s)

    def joules(self, begin_s: float, end_s: float) -> float:
        """Return the energy alone."""
        return self.curve.joules_before(end_s) - self.curve.joules_before(begin_s)

    def step_parts_j(self, begin_s: float, end_s: float) -> Floats | None:
        """Return the widths in J of what the steps of current and voltage leave open.

        A reading is off by up to half a step either way, and every reading of one value by the
        same; readings of different values are off independently, each a part of its own.
        """
        current_step, voltage_step = self.sensor.current_step_a, self.sensor.voltage_step_v
        if current_step is None or voltage_step is None:
            return None
        first, last = self.curve.around(begin_s, end_s)
        amperes = self.amperes[first : last + 1]
        _, counts = np.unique(amperes, return_counts=True)
        length = end_s - begin_s
        shares = counts.astype(np.float64) / len(amperes)
        voltage = float(amperes.mean()) * voltage_step
        return np.append(shares * (self.volts * current_step), voltage) * length


def total_estimate(
    rails: Sequence[RailCurve], total: PowerCurve, begin_s: float, end_s: float
) -> EnergyEstimate:
    """Return the energy of several rails together.

    Their steps are independent; what sampling misses is not, since they are read together: it is
    estimated on the sum.
    """
    joules = sum(rail.joules(begin_s, end_s) for rail in rails)
    parts = [rail.step_parts_j(begin_s, end_s) for rail in rails]
    return _estimate(total, joules, parts, begin_s, end_s)


def total_curve(
    rails: Sequence[RailCurve], times: Floats, watts: Floats, period_s: float
) -> PowerCurve:
    """Return the sum of rails over time; `watts` (M, rails) are theirs, in the same order."""
    refreshes = [rail.sensor.refresh_s for rail in rails]
    known = [refresh for refresh in refreshes if refresh is not None]
    refresh = max(known) if len(known) == len(refreshes) else None
    lag = max(rail.sensor.lag_s for rail in rails)
    return PowerCurve(times - lag, watts.sum(axis=1), period_s, refresh, lag)


def _estimate(
    curve: PowerCurve,
    joules: float,
    parts: Sequence[Floats | None],
    begin_s: float,
    end_s: float,
) -> EnergyEstimate:
    known = [part for part in parts if part is not None]
    sampling, edges = curve.sampling_j(begin_s, end_s), curve.edges_j(begin_s, end_s)
    return EnergyEstimate(
        joules=joules,
        steps_j=_half_width(np.concatenate(known)) if len(known) == len(parts) else None,
        sampling_j=None if sampling is None else _GAUSSIAN * sampling,
        edges_j=None if edges is None else _GAUSSIAN * edges,
        bridged_s=curve.bridged_s(begin_s, end_s),
        is_seen=curve.is_seen(begin_s, end_s),
    )


def _half_width(widths: Floats) -> float:
    """Return half the 95 % interval of a sum of independent uniform errors of these widths."""
    variances = np.square(widths) / 12
    total = float(variances.sum())
    if total <= 0:
        return 0.0
    # A single one is uniform, and a few of like size are nearly a Gaussian.
    count = total**2 / float(np.square(variances).sum())
    factor = _GAUSSIAN - (_GAUSSIAN - _UNIFORM) / count**2
    return factor * math.sqrt(total)
