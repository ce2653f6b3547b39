"""Energy of a rail, or of several, over a stretch of time, and how uncertain it is.

Uncertainties are standard ones (one sigma); summaries give 95 % intervals.
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

_SQRT12 = math.sqrt(12.0)


@dataclass(frozen=True)
class EnergyEstimate:
    """Joules of one stretch of time, and its standard uncertainties, None where not known."""

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
    def standard_j(self) -> float | None:
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
        sensor: RailSensor, times: Floats, watts: Floats, amperes: Floats, volts: Floats
    ) -> RailCurve:
        """Make one of the columns of a rail; `times` are those of the samples."""
        known = np.isfinite(watts)
        period = _period(times)
        curve = PowerCurve(times - sensor.lag_s, watts, period, sensor.refresh_s, sensor.lag_s)
        mean_volts = float(volts[known].mean()) if known.any() else 0.0
        return RailCurve(sensor, curve, amperes[known], mean_volts)

    def estimate(self, begin_s: float, end_s: float) -> EnergyEstimate:
        """Return the energy of a stretch of time."""
        steps = self.steps_j(begin_s, end_s)
        return _estimate(self.curve, self.joules(begin_s, end_s), steps, begin_s, end_s)

    def joules(self, begin_s: float, end_s: float) -> float:
        """Return the energy alone."""
        return self.curve.joules_before(end_s) - self.curve.joules_before(begin_s)

    def steps_j(self, begin_s: float, end_s: float) -> float | None:
        """Return the uncertainty from the steps of current and voltage.

        A reading is off by up to half a step, and every reading of one value by the same; readings
        of different values are off independently.
        """
        current_step, voltage_step = self.sensor.current_step_a, self.sensor.voltage_step_v
        if current_step is None or voltage_step is None:
            return None
        first, last = self.curve.around(begin_s, end_s)
        amperes = self.amperes[first : last + 1]
        _, counts = np.unique(amperes, return_counts=True)
        shared = float(np.square(counts / counts.sum()).sum())
        length = end_s - begin_s
        current = self.volts * current_step * math.sqrt(shared)
        voltage = float(amperes.mean()) * voltage_step
        return math.hypot(current, voltage) / _SQRT12 * length


def total_estimate(
    rails: Sequence[RailCurve], total: PowerCurve, begin_s: float, end_s: float
) -> EnergyEstimate:
    """Return the energy of several rails together.

    Their steps are independent; what sampling misses is not, since they are read together: it is
    estimated on the sum.
    """
    joules = sum(rail.joules(begin_s, end_s) for rail in rails)
    steps: float | None = 0.0
    for rail in rails:
        part = rail.steps_j(begin_s, end_s)
        steps = None if part is None or steps is None else math.hypot(steps, part)
    return _estimate(total, joules, steps, begin_s, end_s)


def total_curve(rails: Sequence[RailCurve], times: Floats, watts: Floats) -> PowerCurve:
    """Return the sum of rails over time; `watts` (M, rails) are theirs, in the same order."""
    refreshes = [rail.sensor.refresh_s for rail in rails]
    known = [refresh for refresh in refreshes if refresh is not None]
    refresh = max(known) if len(known) == len(refreshes) else None
    lag = max(rail.sensor.lag_s for rail in rails)
    return PowerCurve(times - lag, watts.sum(axis=1), _period(times), refresh, lag)


def _estimate(
    curve: PowerCurve, joules: float, steps_j: float | None, begin_s: float, end_s: float
) -> EnergyEstimate:
    return EnergyEstimate(
        joules=joules,
        steps_j=steps_j,
        sampling_j=curve.sampling_j(begin_s, end_s),
        edges_j=curve.edges_j(begin_s, end_s),
        bridged_s=curve.bridged_s(begin_s, end_s),
        is_seen=curve.is_seen(begin_s, end_s),
    )


def _period(times: Floats) -> float:
    """Return the distance of samples, as it was most of the time."""
    gaps = np.diff(times)
    gaps = gaps[gaps > 0]
    return float(np.median(gaps)) if gaps.size else 1.0
