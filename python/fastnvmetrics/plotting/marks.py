"""Sync points of a trace with their times."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from ..mapped import MappedTrace

__all__ = ["Marks", "marks_of", "thinned"]


class Marks(NamedTuple):
    """Moments in the order of time: (K,) seconds since t = 0, and a label or "" for each."""

    time_s: npt.NDArray[np.float64]
    labels: list[str]


def marks_of(trace: Any, begin_s: float, end_s: float) -> Marks:
    """Return the sync points in a stretch of time.

    One with a label knows its time; else it is that of the first sample after it.
    """
    times = trace["fast_time_s"]
    ids, samples = _points(trace)
    samples = samples[: int(np.searchsorted(samples, len(times)))]
    ids = ids[: len(samples)]
    known = {}
    for row in trace["sync_labels"] if "sync_labels" in trace else ():
        known[int(row["sync_id"])] = (int(row["time_ns"]) * 1e-9, str(row["label"]))
    found = {}
    for number, at in zip(ids.tolist(), np.asarray(times[samples], np.float64).tolist()):
        found[number] = (at, "")
    found.update(known)
    inside = sorted(mark for mark in found.values() if begin_s <= mark[0] <= end_s)
    return Marks(np.array([time for time, _ in inside], np.float64), [text for _, text in inside])


def _points(trace: Any) -> tuple[npt.NDArray[np.uint64], npt.NDArray[np.int64]]:
    """Return the id of each sync point, and the sample after it, by samples."""
    if isinstance(trace, MappedTrace):  # whose sync_id would be a column of the whole length
        points = trace.sync_points
        samples = np.minimum(points["fast_sample_idx"], np.uint64(2**62)).astype(np.int64)
        order = np.argsort(samples, kind="stable")
        return np.asarray(points["sync_id"])[order], samples[order]
    ids = np.asarray(trace["sync_id"])
    samples = np.flatnonzero(np.diff(ids, prepend=np.zeros(1, ids.dtype)))
    return ids[samples], samples


def thinned(marks: Marks, pixel_s: float) -> Marks:
    """Return one mark for each stretch of so many seconds, with a label where there is one."""
    kept: dict[int, int] = {}
    for at, column in enumerate((marks.time_s // max(pixel_s, 1e-9)).astype(np.int64).tolist()):
        if column not in kept or (marks.labels[at] and not marks.labels[kept[column]]):
            kept[column] = at
    rows = sorted(kept.values())
    return Marks(marks.time_s[rows], [marks.labels[row] for row in rows])
