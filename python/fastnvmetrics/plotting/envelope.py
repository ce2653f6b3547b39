"""Many samples as few: the lowest, the mean and the highest of each column of a picture."""

from __future__ import annotations

import bisect
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

__all__ = ["Envelope", "envelope"]

Floats = npt.NDArray[np.float64]

#: Rows that are looked at together: a few megabytes of a mapped trace, however long it is.
_BLOCK = 1 << 15


class Envelope(NamedTuple):
    """Samples over time. A row of NaN is a gap: nothing is known until the next one.

    Attributes
    ----------
    time_s
        (P,) seconds since t = 0, rising: of the samples, or of the middle of each column.
    low, mean, high
        (P, W) of what is known in each column; the same array thrice where each row is a sample.
    is_exact
        Whether each row is a sample.
    """

    time_s: Floats
    low: Floats
    mean: Floats
    high: Floats
    is_exact: bool


def envelope(
    times: npt.NDArray[np.float64],
    values: Callable[[slice], npt.NDArray[Any]],
    begin_s: float,
    end_s: float,
    columns: int,
    period_s: float,
    most_samples: int | None = None,
) -> Envelope:
    """Return samples from `begin_s` to `end_s` in at most so many columns of equal length, and the
    gaps between them.

    Memory is that of the columns and of one block of rows.

    Parameters
    ----------
    times
        (N,) seconds, rising; what goes back in time or is no time is left out.
    values
        Returns the rows of a slice: (n, W), NaN where not known.
    begin_s, end_s
        The stretch of time; both ends are inside.
    columns
        How many at most.
    period_s
        From sample to sample, as it should be.
    most_samples
        Where there are no more than this, they are returned as they are. None: as many as columns.
    """
    first, last = bisect.bisect_left(times, begin_s), bisect.bisect_right(times, end_s)
    first = min(first, last)
    width = values(slice(0, 0)).shape[1]
    # Less is a tick or two that came late, which no one would call a gap.
    gap_s = max(5 * period_s, 0.1)
    if last - first <= (columns if most_samples is None else most_samples):
        return _samples(times, values, first, last, width, period_s, gap_s)
    return _Columns(begin_s, end_s, columns, width, gap_s).of(times, values, first, last)


def _samples(
    times: npt.NDArray[np.float64],
    values: Callable[[slice], npt.NDArray[Any]],
    first: int,
    last: int,
    width: int,
    period_s: float,
    gap_s: float,
) -> Envelope:
    at = np.array(times[first:last], np.float64)
    known = _rising(at, -np.inf)
    at = at[known]
    rows = np.asarray(values(slice(first, last)), np.float64)[known]
    gaps = np.flatnonzero(np.diff(at) > gap_s)
    at = np.insert(at, gaps + 1, at[gaps] + period_s)
    rows = np.insert(rows, gaps + 1, np.full(width, np.nan), axis=0)
    return Envelope(at, rows, rows, rows, True)


class _Columns:
    """Columns that are being filled, block by block."""

    def __init__(self, begin_s: float, end_s: float, count: int, width: int, gap_s: float) -> None:
        self.begin_s, self.width_s, self.gap_s = begin_s, (end_s - begin_s) / count, gap_s
        self.low = np.full((count, width), np.nan)
        self.high = np.full((count, width), np.nan)
        self.sums = np.zeros((count, width))
        self.known = np.zeros((count, width), np.int64)
        self.has_rows = np.zeros(count, np.bool_)
        #: Columns that a gap begins in.
        self.gaps: set[int] = set()

    def of(
        self,
        times: npt.NDArray[np.float64],
        values: Callable[[slice], npt.NDArray[Any]],
        first: int,
        last: int,
    ) -> Envelope:
        before = -np.inf
        for start in range(first, last, _BLOCK):
            rows = slice(start, min(start + _BLOCK, last))
            at = np.array(times[rows], np.float64)
            block = values(rows)
            is_rising = _rising(at, before)
            if not is_rising.all():
                at, block = at[is_rising], block[is_rising]
            if len(at):
                self._add(at, block, before)
                before = float(at[-1])
        return self._envelope()

    def _add(self, at: Floats, block: npt.NDArray[Any], before: float) -> None:
        last_column = len(self.has_rows) - 1
        column = np.clip((at - self.begin_s) / self.width_s, 0, last_column).astype(np.int64)
        starts = np.concatenate(([0], np.flatnonzero(np.diff(column)) + 1))
        columns = column[starts]
        self.has_rows[columns] = True
        # By line: a column's samples lie next to each other then.
        lines = np.ascontiguousarray(block.T)
        is_known = ~np.isnan(lines)
        lowest: np.ufunc
        highest: np.ufunc
        if is_known.all():
            lowest, highest = np.minimum, np.maximum
            counts = np.diff(starts, append=len(at))[:, None]
            sums = np.add.reduceat(lines, starts, axis=1, dtype=np.float64)
        else:
            lowest, highest = np.fmin, np.fmax
            counts = np.add.reduceat(is_known, starts, axis=1, dtype=np.int64).T
            zeroed = np.where(is_known, lines, 0)
            sums = np.add.reduceat(zeroed, starts, axis=1, dtype=np.float64)
        self.low[columns] = np.fmin(self.low[columns], lowest.reduceat(lines, starts, axis=1).T)
        self.high[columns] = np.fmax(self.high[columns], highest.reduceat(lines, starts, axis=1).T)
        self.sums[columns] += sums.T
        self.known[columns] += counts
        if at[0] - before > self.gap_s and np.isfinite(before):
            self.gaps.add(min(int((before - self.begin_s) / self.width_s), last_column))
        self.gaps.update(column[:-1][np.diff(at) > self.gap_s].tolist())

    def _envelope(self) -> Envelope:
        occupied = np.flatnonzero(self.has_rows)
        at: Floats = self.begin_s + (occupied.astype(np.float64) + 0.5) * self.width_s
        with np.errstate(invalid="ignore", divide="ignore"):
            mean = self.sums[occupied] / self.known[occupied]
        low, high = self.low[occupied], self.high[occupied]
        if self.gaps:
            # One that ends in the column that it began in cannot be seen.
            began = np.isin(occupied[:-1], np.array(sorted(self.gaps)))
            gaps = np.flatnonzero(began & (np.diff(occupied) > 1))
            at = np.insert(at, gaps + 1, at[gaps] + self.width_s)
            empty = np.full(low.shape[1], np.nan)
            low, mean, high = (
                np.insert(part, gaps + 1, empty, axis=0) for part in (low, mean, high)
            )
        return Envelope(at, low, mean, high, False)


def _rising(times: Floats, before: float) -> npt.NDArray[np.bool_]:
    """Return which times are later than all before them: only a damaged trace has others."""
    if not len(times):
        return np.zeros(0, np.bool_)
    known = np.where(np.isfinite(times), times, -np.inf)
    highest = np.maximum.accumulate(np.concatenate(([before], known)))[:-1]
    rising: npt.NDArray[np.bool_] = known > highest
    return rising
