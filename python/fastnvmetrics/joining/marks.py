"""Sync points and phases of several traces as those of one."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from .. import trace_format as layout
from ..phases import BEGIN, END, EVENT, LABEL

__all__ = ["JoinedMarks"]

#: A phase that ended so short before a rotation that goes on after it was open, in nanoseconds.
_AT_THE_CUT_NS = 1_000_000


class _Open(NamedTuple):
    """A phase that was open at the end of a trace: its number in the joined one, its name, and
    where its end is.
    """

    id: int
    name: bytes
    end: int | None


class JoinedMarks:
    """Adds up the marks of traces, oldest first.

    Parameters
    ----------
    start_ns
        CLOCK_MONOTONIC at t = 0 of the joined trace. What ended before is left out.
    """

    def __init__(self, start_ns: int) -> None:
        self._start_ns = start_ns
        self._fast = 0
        self._sync_points: list[npt.NDArray[np.void]] = []
        self._sync_count = 0
        self._events: list[tuple[int, int, int, int, int, int, bytes] | None] = []
        self._phases = 0
        self._open: dict[int, _Open] = {}
        #: Of the trace before: when it ended, since t = 0, and the number of the sample after it.
        self._ended = (0, 0)

    def add(
        self,
        start_ns: int,
        end_ns: int,
        sync_points: npt.NDArray[np.void],
        phases: list[bytes],
        first_fast: int,
        count_fast: int,
    ) -> None:
        """Add the marks of the next trace.

        Parameters
        ----------
        start_ns, end_ns
            CLOCK_MONOTONIC at its t = 0 and at its last sample.
        sync_points, phases
            Its records, and the payloads of its chunks PHAS.
        first_fast, count_fast
            The first of its fast samples that is kept, and how many it has.
        """
        kept = sync_points[
            (sync_points["fast_sample_idx"] >= first_fast)
            & (sync_points["fast_sample_idx"] < count_fast)
        ]
        new_ids = {
            int(old): self._sync_count + index for index, old in enumerate(kept["sync_id"], 1)
        }
        joined: npt.NDArray[np.void] = np.zeros(len(kept), layout.SYNC_POINT)
        joined["sync_id"] = np.arange(len(kept)) + self._sync_count + 1
        joined["fast_sample_idx"] = (
            kept["fast_sample_idx"] - np.uint64(first_fast) + np.uint64(self._fast)
        )
        self._sync_points.append(joined)
        self._sync_count += len(kept)
        shift = self._fast - first_fast
        self._fast += count_fast - first_fast
        self._add_events(start_ns, end_ns, phases, new_ids, shift)

    def sync_points(self) -> npt.NDArray[np.void]:
        """Return all of them, records of `trace_format.SYNC_POINT`."""
        parts = self._sync_points
        return np.concatenate(parts) if parts else np.zeros(0, layout.SYNC_POINT)

    def phases(self) -> npt.NDArray[np.void]:
        """Return the records of the chunk PHAS."""
        events = [event for event in self._events if event is not None]
        over = {event[4] for event in events if event[2] == END and event[0] < 0}
        rows = []
        for time_ns, fast, kind, thread, number, parent, name in events:
            if kind != LABEL and number in over:
                continue
            parent = 0 if parent in over else parent
            rows.append((max(time_ns, 0), max(fast, 0), kind, thread, number, parent, name))
        records: npt.NDArray[np.void] = np.array(rows, EVENT) if rows else np.zeros(0, EVENT)
        # A label can be a moment before the sample that its mark is kept for: order is by time.
        return records[np.argsort(records["time_ns"], kind="stable")]

    def _add_events(
        self,
        start_ns: int,
        end_ns: int,
        payloads: list[bytes],
        sync_ids: dict[int, int],
        shift: int,
    ) -> None:
        offset_ns = start_ns - self._start_ns
        before, self._open = self._open, {}
        ids: dict[int, int] = {}
        names: dict[int, bytes] = {}
        ends: dict[int, int | None] = {}
        for payload in payloads:
            records = np.frombuffer(payload, EVENT, len(payload) // EVENT.itemsize)
            for time_ns, fast, kind, thread, number, parent, name in records.tolist():
                told = (time_ns + offset_ns, fast + shift, kind, thread)
                if kind == LABEL and number in sync_ids:
                    self._events.append((*told, sync_ids[number], 0, name))
                elif kind == BEGIN and number not in ids:
                    names[number], ends[number] = name, None
                    was = before.get(number)
                    if time_ns == 0 and was is not None and was.name == name:
                        # It went on through the rotation: its end there was none.
                        ids[number] = was.id
                        if was.end is not None:
                            self._events[was.end] = None
                        continue
                    self._phases += 1
                    ids[number] = self._phases
                    self._events.append((*told, self._phases, ids.get(parent, 0), name))
                elif kind == END and number in ids and ends[number] is None:
                    ends[number] = len(self._events)
                    self._events.append((*told, ids[number], 0, name))
        for number, was in before.items():
            if was.end is None and ids.get(number) != was.id:
                # Its recorder was killed: it did not go on.
                self._events.append((*self._ended, END, 0, was.id, 0, b""))
        self._ended = (end_ns - self._start_ns, self._fast)
        for number, end in ends.items():
            event = None if end is None else self._events[end]
            if event is None or event[0] >= end_ns - self._start_ns - _AT_THE_CUT_NS:
                self._open[number] = _Open(ids[number], names[number], end)
