"""Which phase it is, at any time; and the stretches that an export is cut to."""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Sequence

import numpy as np
import numpy.typing as npt

from .._phase_list import TracePhase
from ._source import Rows, Source

__all__ = ["Cut", "Stretch", "Timeline", "cut_rows", "cut_to"]

#: From its first time on and before its second, in s since t = 0.
Stretch = tuple[float, float]
#: Stretches that do not overlap, by their beginnings; None is everything.
Cut = list[Stretch] | None


class Timeline:
    """The innermost phase at any time: of the open ones of all threads, the one that began last.

    Attributes
    ----------
    names
        Of the phases, each once.
    """

    def __init__(self, phases: Iterable[TracePhase]) -> None:
        codes: dict[str, int] = {}
        stretches = []
        for phase in phases:
            code = codes.setdefault(phase.name, len(codes))
            stretches.append((_exact(phase.begin_s), _exact(phase.end_s), code))
        self.names = list(codes)
        stretches.sort(key=lambda stretch: stretch[0])
        times = sorted({time for begin, end, _ in stretches for time in (begin, end)})
        now: list[int] = []
        is_open: list[tuple[int, float, int]] = []
        order = 0
        for time in times:
            while order < len(stretches) and stretches[order][0] <= time:
                _, end, code = stretches[order]
                heapq.heappush(is_open, (-order, end, code))
                order += 1
            while is_open and is_open[0][1] <= time:
                heapq.heappop(is_open)
            now.append(is_open[0][2] if is_open else -1)
        self._times = np.array(times, np.float64)
        self._codes = np.array([-1, *now], np.int32)

    def at(self, times: npt.NDArray[np.float64]) -> npt.NDArray[np.int32]:
        """Return the place of each time's phase in `names`, -1 where there is none."""
        codes: npt.NDArray[np.int32] = self._codes[
            np.searchsorted(self._times, times, side="right")
        ]
        return codes


def _exact(seconds: float) -> float:
    """Return the time as samples have it: nanoseconds, divided."""
    return round(seconds * 1e9) / 1e9


def cut_to(
    source: Source,
    begin_s: float | None = None,
    end_s: float | None = None,
    phase: str | None = None,
) -> Cut:
    """Return what is left of a trace between two times, and in the phases of a name.

    Raises
    ------
    ValueError
        There is no such phase, or the end comes before the beginning.
    """
    if begin_s is None and end_s is None and phase is None:
        return None
    low = float("-inf") if begin_s is None else begin_s
    high = float("inf") if end_s is None else end_s
    if not low < high:
        raise ValueError(f"nothing is between {low:g} s and {high:g} s")
    if phase is None:
        return [(low, high)]
    phases = source.phase_list()
    found = sorted((_exact(one.begin_s), _exact(one.end_s)) for one in phases if one.name == phase)
    if not found:
        names = ", ".join(dict.fromkeys(one.name for one in phases)) or "none"
        raise ValueError(f"no phase {phase!r}; there are: {names}")
    merged: list[Stretch] = []
    for begin, end in found:
        begin, end = max(begin, low), min(end, high)
        if begin >= end:
            continue
        if merged and begin <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(end, merged[-1][1]))
        else:
            merged.append((begin, end))
    return merged


def cut_rows(source: Source, tier: str, cut: Cut) -> Sequence[Rows]:
    """Return the rows of a tier that a cut leaves."""
    if cut is None:
        return [Rows(0, source.counts[tier])]
    return [
        rows
        for rows in (source.rows_in(tier, *stretch) for stretch in cut)
        if rows.end > rows.first
    ]
