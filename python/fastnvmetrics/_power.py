"""A power over time, known at the instants of its readings: its energy, and what was not seen.

docs/accuracy.md derives what is computed here. Uncertainties are standard ones (one sigma).
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

__all__ = ["PowerCurve"]

Floats = npt.NDArray[np.float64]

# How many readings, at least, tell how much the power varies from one to the next.
_NEIGHBOURS = 16
# A gap longer than this many readings' distance is one that was bridged.
_ORDINARY_GAP = 2.5
# Fewer readings do not tell how much the power varies.
_FEWEST = 4


class PowerCurve:
    """Power over time between readings, as straight lines.

    Parameters
    ----------
    times
        (M,) seconds since t = 0 at which the power was measured: of the samples, less the lag.
    watts
        (M,) NaN where the reading failed.
    period_s
        Seconds from sample to sample.
    refresh_s
        Seconds from value to value of the sensor; None where not known.
    lag_s
        What was taken off `times`.
    """

    def __init__(
        self, times: Floats, watts: Floats, period_s: float, refresh_s: float | None, lag_s: float
    ) -> None:
        known = np.isfinite(watts) & np.isfinite(times)
        self.times: Floats = times[known]
        self.watts: Floats = watts[known]
        self.refresh_s = refresh_s
        self.lag_s = lag_s
        self.period_s = period_s
        #: So many samples apart two values are certain to be different measurements.
        self._apart = max(1, math.ceil((refresh_s or 0.0) / period_s - 1e-6))
        #: Seconds between them.
        self._distance_s = self._apart * period_s
        self._gaps: Floats = np.diff(self.times)
        areas = (self.watts[1:] + self.watts[:-1]) / 2 * self._gaps
        self._joules: Floats = np.concatenate(([0.0], np.cumsum(areas)))
        self._range_w = float(np.ptp(self.watts)) if len(self.watts) else 0.0

    def __len__(self) -> int:
        return len(self.times)

    def watts_at(self, time_s: float) -> float:
        """Return the power at a time, outside of the readings that of the nearest."""
        return float(np.interp(time_s, self.times, self.watts))

    def joules_before(self, time_s: float) -> float:
        """Return the energy from the first reading to a time, negative before it."""
        times, watts = self.times, self.watts
        if time_s <= times[0]:
            return float((time_s - times[0]) * watts[0])
        if time_s >= times[-1]:
            return float(self._joules[-1] + (time_s - times[-1]) * watts[-1])
        row = int(np.searchsorted(times, time_s, side="right")) - 1
        mean = (watts[row] + self.watts_at(time_s)) / 2
        return float(self._joules[row] + mean * (time_s - times[row]))

    def bridged_s(self, begin_s: float, end_s: float) -> float:
        """Return how much of a stretch has no readings where there should be some."""
        allowed = _ORDINARY_GAP * self._distance_s
        first, last = self.around(begin_s, end_s)
        gaps = np.minimum(self.times[first + 1 : last + 1], end_s) - np.maximum(
            self.times[first:last], begin_s
        )
        long = self._gaps[first:last] > allowed
        total = float(np.maximum(gaps[long], 0.0).sum())
        before = min(self.times[0], end_s) - begin_s
        after = end_s - max(self.times[-1], begin_s)
        return total + sum(float(outside) for outside in (before, after) if outside > allowed)

    def is_seen(self, begin_s: float, end_s: float) -> bool:
        """Return whether a reading is certain to have been measured in a stretch of time."""
        # Measured at most so long before or after the time that it was given.
        reach = self.lag_s
        row = int(np.searchsorted(self.times, begin_s + reach, side="left"))
        return row < len(self.times) and bool(self.times[row] <= end_s - reach)

    def sampling_j(self, begin_s: float, end_s: float) -> float | None:
        """Return the uncertainty from having seen the power at instants only, None if not known.

        The power's variation from reading to reading is taken apart into a part without memory
        (`scatter`) and one that drifts or steps (`growth`), by how much more readings two apart
        differ than neighbours do. The first is averaged over the readings, the second matters
        between two readings only.
        """
        if self.refresh_s is None or len(self) < _FEWEST:
            return None
        refresh_s = self.refresh_s
        length = end_s - begin_s
        step2, scatter, growth = self._variation(begin_s, end_s)
        first, last = self.around(begin_s, end_s)
        gaps = self._gaps[first:last]
        inside = np.minimum(gaps, length)
        averaged = scatter * float((inside * np.maximum(inside, refresh_s)).sum())
        between = growth * float((gaps**3).sum() + refresh_s**2 * gaps.sum()) / 12
        # No more than if all of it were off by as much as two readings differ.
        variance = min(averaged + between, length**2 * step2)
        variance += self._outside2(begin_s, end_s, step2, growth)
        if not self.is_seen(begin_s, end_s):
            # What it drew is anyone's guess, within what was seen elsewhere.
            variance += (length * self._range_w) ** 2 / 12
        return math.sqrt(variance)

    def edges_j(self, begin_s: float, end_s: float) -> float | None:
        """Return what is lost on average to the neighbours if the power steps at both edges."""
        if self.refresh_s is None:
            return None
        refresh_s = self.refresh_s
        reach = self._distance_s + refresh_s
        within = min(reach, (end_s - begin_s) / 2)
        rise = self.watts_at(begin_s + within) - self.watts_at(begin_s - reach)
        fall = self.watts_at(end_s - within) - self.watts_at(end_s + reach)
        # The spread of what a straight line between two readings of uncertain age makes of a step.
        spread = math.sqrt(self.period_s**2 / 6 + refresh_s**2 / 12)
        return abs(rise + fall) * spread / math.sqrt(2 * math.pi)

    def _variation(self, begin_s: float, end_s: float) -> tuple[float, float, float]:
        """Return the mean squared difference of neighbours, its scatter (W²) and growth (W²/s)."""
        apart, distance = self._apart, self._distance_s
        # A short stretch has too few readings to tell: its surroundings vary as it does.
        wider = max(2 * distance, (_NEIGHBOURS * distance - (end_s - begin_s)) / 2)
        first, last = self.around(begin_s - wider, end_s + wider)
        near = self._differences2(first, last, apart)
        far = self._differences2(first, last, 2 * apart)
        own = self._differences2(*self.around(begin_s, end_s), apart)
        if not near.size or not near.any():
            return 0.0, 0.0, 0.0
        step2 = max(float(near.mean()), float(own.mean()) if own.size else 0.0)
        # 1: readings two apart differ no more than neighbours, so these forget each other at once.
        # 2: twice as much, as after a random walk or a single step.
        ratio = min(max(float(far.sum() / near.sum()), 1.0), 2.0)
        return step2, step2 / 2 * (2 - ratio), step2 * (ratio - 1) / distance

    def _differences2(self, first: int, last: int, apart: int) -> Floats:
        """Return the squared differences of readings so far apart, across gaps first to last."""
        first = max(first - apart + 1, 0)
        watts = self.watts[first : last + apart]
        difference: Floats = watts[apart:] - watts[:-apart]
        return difference * difference

    def _outside2(self, begin_s: float, end_s: float, step2: float, growth: float) -> float:
        """Return the variance from the parts before the first and after the last reading."""
        before = max(min(float(self.times[0]), end_s) - begin_s, 0.0)
        after = max(end_s - max(float(self.times[-1]), begin_s), 0.0)
        return sum(
            min(growth * outside**3 / 3, outside**2 * (step2 + self._range_w**2 / 12))
            for outside in (before, after)
        )

    def around(self, begin_s: float, end_s: float) -> tuple[int, int]:
        """Return the rows that a stretch lies between; at least a gap where there is one."""
        last_row = len(self.times) - 1
        first = max(int(np.searchsorted(self.times, begin_s, side="right")) - 1, 0)
        last = min(int(np.searchsorted(self.times, end_s, side="left")), last_row)
        first = min(first, max(last_row - 1, 0))
        return first, min(max(last, first + 1), last_row)
