"""Phases as bands of a picture: in lanes that do not overlap, and none narrower than can be
seen.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

__all__ = ["MIXED", "Bands", "bands_of", "labels", "merged"]

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]

#: The name of a band of phases that have different ones.
MIXED = -1
#: Deeper ones, and those of more threads at a time, are left out.
_MOST_LANES = 8


class Bands(NamedTuple):
    """Stretches of time with a name, sorted by lane and beginning.

    Attributes
    ----------
    begin_s, end_s
        (B,) seconds since t = 0.
    lane
        (B,) 0 is on top, and the phases inside of those of a lane are in the next one.
    name
        (B,) which of `names`, or `MIXED`.
    members
        (B,) how many phases it stands for.
    names
        Each once, by its first beginning.
    left_out
        How many phases have no lane.
    """

    begin_s: Floats
    end_s: Floats
    lane: Integers
    name: Integers
    members: Integers
    names: list[str]
    left_out: int

    @property
    def lanes(self) -> int:
        """How many lanes there are."""
        return int(self.lane.max()) + 1 if len(self.lane) else 0


def bands_of(phases: npt.NDArray[np.void], begin_s: float, end_s: float) -> Bands:
    """Return a band for each phase that reaches into a stretch of time, cut to it.

    Parameters
    ----------
    phases
        Records of `phases.PHASE`.
    begin_s, end_s
        In seconds.
    """
    begins, ends = phases["begin_ns"] * 1e-9, phases["end_ns"] * 1e-9
    inside = (begins <= end_s) & (ends >= begin_s)
    phases, begins, ends = phases[inside], begins[inside], ends[inside]
    unique, first, name = np.unique(phases["name"], return_index=True, return_inverse=True)
    order = np.argsort(first, kind="stable")  # names by their first phase, not by the alphabet
    rank = np.empty(len(order), np.int64)
    rank[order] = np.arange(len(order))
    lane = _lanes(phases, begins, ends)
    shown = lane < _MOST_LANES
    found = Bands(
        begin_s=np.clip(begins, begin_s, end_s)[shown],
        end_s=np.clip(ends, begin_s, end_s)[shown],
        lane=lane[shown],
        name=rank[name.reshape(-1)][shown],
        members=np.ones(int(shown.sum()), np.int64),
        names=[str(unique[at]) for at in order],
        left_out=int((~shown).sum()),
    )
    return _sorted(found)


def _lanes(phases: npt.NDArray[np.void], begins: Floats, ends: Floats) -> Integers:
    """Return the lane of each phase: threads below each other, but after each other where they do
    not overlap.
    """
    lanes = phases["depth"].astype(np.int64)
    if not len(lanes):
        return lanes
    lanes -= lanes.min()
    _, thread = np.unique(phases["thread"], return_inverse=True)
    thread = thread.reshape(-1)
    count = int(thread.max()) + 1
    first, last = np.full(count, np.inf), np.full(count, -np.inf)
    height = np.zeros(count, np.int64)
    np.minimum.at(first, thread, begins)
    np.maximum.at(last, thread, ends)
    np.maximum.at(height, thread, lanes + 1)
    free_at: list[float] = []
    heights: list[int] = []
    slots = np.zeros(count, np.int64)
    for at in np.argsort(first, kind="stable").tolist():
        free = (slot for slot, free in enumerate(free_at) if free <= first[at])
        # More than there are lanes for: all of them are left out.
        slot = next(free, min(len(free_at), _MOST_LANES))
        if slot == len(free_at):
            free_at.append(0.0)
            heights.append(0)
        free_at[slot], heights[slot] = float(last[at]), max(heights[slot], int(height[at]))
        slots[at] = slot
    tops = np.concatenate(([0], np.cumsum(heights)[:-1]))
    found: Integers = lanes + tops[slots[thread]]
    return found


def merged(bands: Bands, pixel_s: float) -> Bands:
    """Return the bands with those narrower than `pixel_s` seconds that follow each other closely
    made one.

    One that stands alone stays as it is, however narrow.
    """
    if not len(bands.lane):
        return bands
    narrow = bands.end_s - bands.begin_s < pixel_s
    rows = np.flatnonzero(narrow)
    if len(rows) < 2:
        return bands
    begin, end, lane = bands.begin_s[rows], bands.end_s[rows], bands.lane[rows]
    apart = np.ones(len(rows), np.bool_)
    apart[1:] = (np.diff(lane) != 0) | (begin[1:] - end[:-1] >= pixel_s) | (np.diff(rows) != 1)
    starts = np.flatnonzero(apart)
    name = bands.name[rows]
    lowest, highest = np.minimum.reduceat(name, starts), np.maximum.reduceat(name, starts)
    wide = ~narrow
    found = Bands(
        begin_s=np.concatenate((bands.begin_s[wide], begin[starts])),
        end_s=np.concatenate((bands.end_s[wide], np.maximum.reduceat(end, starts))),
        lane=np.concatenate((bands.lane[wide], lane[starts])),
        name=np.concatenate((bands.name[wide], np.where(lowest == highest, lowest, MIXED))),
        members=np.concatenate((bands.members[wide], np.add.reduceat(bands.members[rows], starts))),
        names=bands.names,
        left_out=bands.left_out,
    )
    return _sorted(found)


def labels(bands: Bands, letters_per_second: float) -> list[tuple[float, int, str]]:
    """Return what is written in bands: (time of the middle, lane, text).

    A name is cut where there is no room for all of it. Bands of one name that follow each other,
    each too narrow for it, share a label.
    """
    found: list[tuple[float, int, str]] = []
    run: list[tuple[float, float, int, int, int]] = []

    def fitted(begin: float, end: float, name: int, count: int, may_cut: bool) -> str:
        text = "" if name == MIXED else bands.names[name]
        if count > 1:
            text = f"{text} × {count}" if text else f"{count} phases"
        room = int((end - begin) * letters_per_second) - 1
        if len(text) <= room:
            return text
        return text[: room - 1] + "…" if may_cut and room >= 6 else ""

    def end_run() -> None:
        if len(run) > 1:
            begin, end, lane, name = run[0][0], run[-1][1], run[0][2], run[0][3]
            text = fitted(begin, end, name, sum(part[4] for part in run), False)
            if text:
                found.append(((begin + end) / 2, lane, text))
        run.clear()

    for begin, end, lane, name, count in zip(*_columns(bands)):
        text = fitted(begin, end, name, count, True)
        if run and ((lane, name) != run[-1][2:4] or (begin - run[-1][1]) * letters_per_second > 2):
            end_run()
        if text:
            end_run()
            found.append(((begin + end) / 2, lane, text))
        elif name != MIXED:
            run.append((begin, end, lane, name, count))
    end_run()
    return found


def _columns(bands: Bands) -> list[list[Any]]:
    every = (bands.begin_s, bands.end_s, bands.lane, bands.name, bands.members)
    return [part.tolist() for part in every]


def _sorted(bands: Bands) -> Bands:
    order = np.lexsort((bands.begin_s, bands.lane))
    return Bands(
        bands.begin_s[order],
        bands.end_s[order],
        bands.lane[order],
        bands.name[order],
        bands.members[order],
        bands.names,
        bands.left_out,
    )
