"""The phases of a trace as a list, whichever way they were marked."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np

__all__ = [
    "LONGEST_S",
    "TracePhase",
    "end_of",
    "named_phases",
    "phases_between",
    "phases_of",
]

#: No recording is as long as this.
LONGEST_S = 1e9


@dataclass(frozen=True)
class TracePhase:
    """A stretch of time with a name; times in seconds since t = 0."""

    name: str
    begin_s: float
    end_s: float
    id: int = 0
    parent: int = 0
    depth: int = 0
    thread: int = 0
    was_ended: bool = True


def end_of(trace: Any) -> float:
    """Return when a trace ends: at its last fast sample, else at the last of another tier."""
    for key in ("fast_time_s", "medium_time_s", "slow_time_s"):
        times = trace[key]
        if len(times):
            last = float(times[-1])
            # A damaged trace can say any time: one of thirty years is none.
            return max(last, 0.0) if last < LONGEST_S else 0.0
    return 0.0


def phases_of(trace: Any) -> list[TracePhase]:
    """Return the phases by their beginnings; where there are none, those between sync points."""
    rows = trace["phases"] if "phases" in trace else None
    if rows is None or not len(rows):
        return _between_sync_points(trace)
    return named_phases(rows, end_of(trace))


def named_phases(rows: Iterable[Any], end_s: float) -> list[TracePhase]:
    """Return the phases of records of `phases.PHASE`; one that was never ended lasts until the end of the trace."""
    found = []
    for row in rows:
        begin, end = int(row["begin_ns"]) * 1e-9, int(row["end_ns"]) * 1e-9
        was_ended = bool(row["was_ended"])
        found.append(
            TracePhase(
                name=str(row["name"]),
                begin_s=begin,
                end_s=max(begin, end if was_ended else end_s),
                id=int(row["id"]),
                parent=int(row["parent"]),
                depth=int(row["depth"]),
                thread=int(row["thread"]),
                was_ended=was_ended,
            )
        )
    return found


def _between_sync_points(trace: Any) -> list[TracePhase]:
    ids = np.asarray(trace["sync_id"])
    times = trace["fast_time_s"]
    rows = np.flatnonzero(np.diff(ids, prepend=np.zeros(1, ids.dtype)))
    labels = trace["sync_labels"] if "sync_labels" in trace else ()
    marks = ((int(ids[row]), int(row)) for row in rows)
    return phases_between(marks, labels, lambda row: float(times[row]), end_of(trace))


def phases_between(
    marks: Iterable[tuple[int, int]],
    sync_labels: Iterable[Any],
    time_of: Callable[[int], float],
    end_s: float,
) -> list[TracePhase]:
    """Return a phase from each sync point to the next, by their labels where they have some.

    A label knows its time; else it is that of the first sample after the sync point.

    Parameters
    ----------
    marks
        (id, number of the first fast sample after it).
    sync_labels
        Records of `phases.SYNC_LABEL`.
    time_of
        Returns the time of a fast sample in s.
    end_s
        Where the last one ends.
    """
    labels = {int(row["sync_id"]): (str(row["label"]), int(row["time_ns"])) for row in sync_labels}
    names: list[tuple[int, str]] = []
    begins: list[float] = []
    for sync_id, row in marks:
        label, time_ns = labels.get(sync_id, (f"sync {sync_id}", None))
        names.append((sync_id, label))
        begins.append(time_of(row) if time_ns is None else time_ns * 1e-9)
    ends = [*begins[1:], end_s]
    return [
        TracePhase(name, begin, max(begin, end), id=sync_id)
        for (sync_id, name), begin, end in zip(names, begins, ends)
    ]
