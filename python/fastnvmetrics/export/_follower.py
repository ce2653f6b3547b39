"""A slower tier, carried forward while a faster one is gone through."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from ._source import Rows, Source

__all__ = ["Follower"]

_BLOCK_ROWS = 1 << 14


class Follower:
    """The last samples of a tier at or before times that grow from call to call.

    A block of the tier is in memory, however much slower or faster than the other one it is. Of
    times that go back, as only damaged traces have them, the highest so far counts.

    Parameters
    ----------
    source
        The trace.
    tier
        ``"medium"`` or ``"slow"``.
    begin_s
        A time that nothing is asked of before.
    """

    def __init__(self, source: Source, tier: str, begin_s: float = float("-inf")) -> None:
        self._source, self._tier = source, tier
        # The last one before the beginning may be what holds there.
        self._next = (
            0
            if begin_s == float("-inf")
            else max(source.rows_in(tier, begin_s, begin_s).first - 1, 0)
        )
        self._block = source.records(tier, Rows(0, 0))
        self._times = self._block["time_s"]
        self._advance()

    def at(self, times: npt.NDArray[np.float64]) -> tuple[npt.NDArray[Any], npt.NDArray[np.bool_]]:
        """Return a record for each time, and whether there is one."""
        found = np.zeros(len(times), self._block.dtype)
        known = np.zeros(len(times), np.bool_)
        highest = np.fmax.accumulate(times)
        start = 0
        while start < len(times):
            # What comes before the end of the block is decided by the block; at the end of the
            # file, everything.
            end = len(times)
            if not self._is_last:
                end = start + int(np.searchsorted(highest[start:], self._times[-1]))
            rows = np.searchsorted(self._times, highest[start:end], side="right") - 1
            known[start:end] = rows >= 0
            if len(self._block):
                found[start:end] = self._block[np.maximum(rows, 0)]
            start = end
            if start < len(times):
                self._advance()
        return found, known

    def _advance(self) -> None:
        count = self._source.counts[self._tier]
        rows = Rows(self._next, min(self._next + _BLOCK_ROWS, count))
        self._block = np.concatenate((self._block[-1:], self._source.records(self._tier, rows)))
        times = np.array(self._block["time_s"])
        if len(self._times):
            times[0] = self._times[-1]
        self._times = np.fmax.accumulate(times)
        self._next = rows.end
        self._is_last = rows.end == count
