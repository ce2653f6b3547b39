"""The phases of a trace as a list, whichever way they were marked."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

__all__ = ["Phase", "end_of", "phases_of"]


@dataclass(frozen=True)
class Phase:
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
    """Return when a trace ends: at its last fast sample, where it has none at the last of others."""
    for key in ("fast_time_s", "medium_time_s", "slow_time_s"):
        times = trace[key]
        if len(times):
            return max(float(times[-1]), 0.0)
    return 0.0


def phases_of(trace: Any) -> list[Phase]:
    """Return the phases by their beginnings; of a trace without any, those between its sync points."""
    rows = trace["phases"] if "phases" in trace else None
    if rows is None or not len(rows):
        return _between_sync_points(trace)
    last = end_of(trace)
    found = []
    for row in rows:
        begin, end = int(row["begin_ns"]) * 1e-9, int(row["end_ns"]) * 1e-9
        was_ended = bool(row["was_ended"])
        if not was_ended:
            end = max(begin, last)
        found.append(
            Phase(
                name=str(row["name"]),
                begin_s=begin,
                end_s=max(begin, end),
                id=int(row["id"]),
                parent=int(row["parent"]),
                depth=int(row["depth"]),
                thread=int(row["thread"]),
                was_ended=was_ended,
            )
        )
    return found


def _between_sync_points(trace: Any) -> list[Phase]:
    """Return a phase from each sync point to the next, by the samples that they stand at."""
    ids = np.asarray(trace["sync_id"])
    times = trace["fast_time_s"]
    labels = trace["sync_labels"] if "sync_labels" in trace else None
    starts = np.flatnonzero(np.diff(ids, prepend=np.zeros(1, ids.dtype)))
    ends = [float(times[row]) for row in starts[1:]] + [end_of(trace)]
    return [
        Phase(_name(int(ids[row]), labels), float(times[row]), end, id=int(ids[row]))
        for row, end in zip(starts, ends)
    ]


def _name(sync_id: int, labels: Any) -> str:
    label = labels.get(sync_id) if isinstance(labels, Mapping) else None
    return str(label) if label else f"sync {sync_id}"
