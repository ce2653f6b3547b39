"""Perfetto: counters, phases and sync points on the clocks of the machine."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import Any, BinaryIO

import numpy as np
import numpy.typing as npt

from .._optional import library
from .._phase_list import TracePhase
from ..summary import jsonable
from ._counters import Counter, counters_of
from ._facts import facts
from ._lanes import lanes, nanoseconds
from ._source import Source
from ._stamps import Stamp
from ._timeline import Cut, cut_rows

__all__ = ["write_perfetto"]

_SCHEMA = "perfetto.protos.perfetto.trace.perfetto_trace_pb2"
_MONOTONIC = 3  # BuiltinClock
_FLUSH_PACKETS = 4096


def write_perfetto(
    source: Source,
    sink: BinaryIO,
    progress: Callable[[float], None],
    cut: Cut = None,
    changes_only: bool = False,
) -> None:
    """Write a trace for ui.perfetto.dev and trace_processor, in the published schema.

    Parameters
    ----------
    source, sink, progress
        The trace, where it goes, and who wants to know how far it is.
    cut
        Which stretches; phases that reach into one are there in full.
    changes_only
        Leave out a value that is the one before it: a counter holds its value.
    """
    _Writer(source, sink, cut, changes_only).write(progress)


class _Writer:
    def __init__(self, source: Source, sink: BinaryIO, cut: Cut, changes_only: bool) -> None:
        self._schema = library(_SCHEMA, extra="perfetto")
        self._source, self._sink, self._cut, self._changes_only = source, sink, cut, changes_only
        self._header = source.header
        # One that was damaged can say anything.
        self._start = min(self._header["start_monotonic_ns"], 2**61)
        # Traces that are put together into one file must not meet in their tracks and sequences.
        self._seed = (
            f"{self._start} {self._header['start_realtime_ns']} {self._header['board_name']}"
        )
        # That of others are small; of 21 bits, it takes three bytes in each packet.
        self._sequence = self._number("sequence") % 2**20 + 2**20
        self._tracks: dict[tuple[str, int], int] = {}
        ends = [
            source.time_of(tier, source.counts[tier] - 1)
            for tier in ("fast", "medium", "slow")
            if source.counts[tier]
        ]
        self._latest_s = max([0.0, *(end for end in ends if end < 1e9)])
        self._trace = self._schema.Trace()

    def write(self, progress: Callable[[float], None]) -> None:
        self._clocks()
        root = self._track(f"fastnvmetrics {self._header['board_name']}", 0, 0)
        self._recording(root)
        self._phases(root)
        self._sync_points(root)
        counters = counters_of(self._source)
        groups: dict[str, int] = {}
        tracks = []
        for rank, counter in enumerate(counters):
            parent = root
            if counter.group:
                parent = groups.setdefault(counter.group, 0) or self._track(
                    counter.group, root, 10 + rank
                )
                groups[counter.group] = parent
            tracks.append(self._track(counter.name, parent, 10 + rank, counter.unit))
        self._flush()
        self._count(counters, tracks, progress)

    def _number(self, name: str) -> int:
        digest = hashlib.blake2b(
            f"{self._seed}\0{name}".encode("utf-8", "replace"), digest_size=8
        ).digest()
        return int.from_bytes(digest, "little")

    def _packet(self) -> Any:
        if len(self._trace.packet) >= _FLUSH_PACKETS:
            self._flush()
        packet = self._trace.packet.add()
        packet.trusted_packet_sequence_id = self._sequence
        return packet

    def _flush(self) -> None:
        # Messages of a Trace are its packets, one after the other: as many Traces as one likes are
        # one.
        self._sink.write(self._trace.SerializeToString())
        self._trace.Clear()

    def _clocks(self) -> None:
        """Say what each clock showed at the start, and at the stop where that is known."""
        metadata = self._header["metadata"] or {}

        def told(key: str) -> int:
            value = metadata.get(key)
            return value if isinstance(value, int) and 0 < value < 2**63 else 0

        boot = told("start_boottime_ns")
        readings = [(self._start, min(self._header["start_realtime_ns"], 2**63), boot)]
        if told("stop_monotonic_ns"):
            readings.append(
                (told("stop_monotonic_ns"), told("stop_realtime_ns"), told("stop_boottime_ns"))
            )
        for number, (monotonic, realtime, boottime) in enumerate(readings):
            packet = self._packet()
            if number == 0:
                packet.sequence_flags = packet.SEQ_INCREMENTAL_STATE_CLEARED
            snapshot = packet.clock_snapshot
            # Where only another trace could lead from here to BOOTTIME, the clock of a trace
            # otherwise.
            if not boot:
                snapshot.primary_trace_clock = _MONOTONIC
            for clock, value in ((_MONOTONIC, monotonic), (1, realtime), (6, boottime)):
                if value or clock == _MONOTONIC:
                    snapshot.clocks.add(clock_id=clock, timestamp=value)

    def _track(self, name: str, parent: int, rank: int, unit: str | None = None) -> int:
        """Describe a track; of several with one name below one parent, each is another."""
        key = (name, parent)
        self._tracks[key] = self._tracks.get(key, 0) + 1
        # Of 35 bits, it takes five bytes in each packet: all packets of a `Stamp` have one size.
        uuid = self._number(f"{parent} {name} {self._tracks[key]}") % 2**34 + 2**34
        track = self._packet().track_descriptor
        track.uuid, track.name = uuid, name
        if parent:
            track.parent_uuid = parent
            track.sibling_order_rank = rank
        if unit is None:
            track.child_ordering = track.EXPLICIT
        elif unit == "bytes":
            track.counter.unit = track.counter.UNIT_SIZE_BYTES
        else:
            track.counter.unit_name = unit
        return uuid

    def _event(self, track: int, time_ns: int, kind: str, name: str = "") -> Any:
        packet = self._packet()
        packet.timestamp = self._start + max(time_ns, 0)
        packet.timestamp_clock_id = _MONOTONIC
        event = packet.track_event
        event.type = getattr(event, f"TYPE_{kind}")
        event.track_uuid = track
        if name:
            event.name = name
        return event

    def _recording(self, root: int) -> None:
        """Write the facts of the trace as the arguments of an instant at t = 0."""
        event = self._event(self._track("recording", root, 0), 0, "INSTANT", "recording")
        told = facts(self._source)
        for name in ("phases", "sync_labels"):  # which have events of their own
            del told[name]
        for name, value in jsonable(told).items():
            _annotate(event.debug_annotations.add(), name, value)

    def _is_in(self, begin_s: float, end_s: float) -> bool:
        return self._cut is None or any(
            begin_s < end and end_s >= begin for begin, end in self._cut
        )

    def _phases(self, root: int) -> None:
        phases = [
            phase for phase in self._source.phase_list() if self._is_in(phase.begin_s, phase.end_s)
        ]
        threads: dict[int, list[TracePhase]] = {}
        for phase in phases:
            threads.setdefault(phase.thread, []).append(phase)
        for rank, (thread, found) in enumerate(threads.items()):
            name = f"phases of thread {thread}" if thread else "phases"
            for lane in lanes(found):
                track = self._track(name, root, 1 + min(rank, 7))
                for time_ns, begun in lane:
                    if begun is None:
                        self._event(track, time_ns, "SLICE_END")
                        continue
                    event = self._event(track, time_ns, "SLICE_BEGIN", begun.name)
                    for key, value in (
                        ("id", begun.id),
                        ("parent", begun.parent),
                        ("was_ended", begun.was_ended),
                    ):
                        _annotate(event.debug_annotations.add(), key, value)

    def _sync_points(self, root: int) -> None:
        labels = {int(row["sync_id"]): row for row in self._source.sync_labels}
        marks = self._source.marks()
        if not marks and not labels:
            return
        track = self._track("sync points", root, 9)
        rows = dict(marks)
        for sync_id in sorted({*rows, *labels}):
            label = labels.get(sync_id)
            if label is None:
                time_ns = nanoseconds(self._source.time_of("fast", rows[sync_id]))
                name = f"sync {sync_id}"
            else:
                time_ns, name = int(label["time_ns"]), str(label["label"])
            if self._is_in(time_ns / 1e9, time_ns / 1e9):
                event = self._event(track, time_ns, "INSTANT", name)
                _annotate(event.debug_annotations.add(), "sync_id", sync_id)

    def _count(
        self, counters: list[Counter], tracks: list[int], progress: Callable[[float], None]
    ) -> None:
        # What is later, as in a trace that was damaged, is left out.
        latest = self._start + nanoseconds(self._latest_s)
        every = {
            tier: cut_rows(self._source, tier, self._cut) for tier in ("fast", "medium", "slow")
        }
        total = max(sum(rows.end - rows.first for parts in every.values() for rows in parts), 1)
        done = 0
        for tier, parts in every.items():
            own = [
                (counter, track) for counter, track in zip(counters, tracks) if counter.tier == tier
            ]
            stamps = [Stamp(self._counting(track), latest) for _, track in own]
            if not own:
                continue
            before: list[float] = [np.nan] * len(own)
            for rows in parts:
                for _, block in self._source.blocks(tier, rows, 1 << 14):
                    self._sink.write(self._stamped(block, own, stamps, before))
                    done += len(block)
                    progress(done / total)

    def _stamped(
        self,
        block: npt.NDArray[Any],
        own: list[tuple[Counter, int]],
        stamps: list[Stamp],
        before: list[float],
    ) -> bytes:
        """Return a block's packets, in the order of their times."""
        times = np.ascontiguousarray(block["time_s"], np.float64)
        in_range = (times >= 0) & (times <= self._latest_s)
        times_ns = self._start + np.rint(np.where(in_range, times, 0.0) * 1e9).astype(np.int64)
        size = stamps[0].size
        packets = np.empty((len(block), len(own), size), np.uint8)
        is_told = np.empty((len(block), len(own)), np.bool_)
        for place, ((counter, _), stamp) in enumerate(zip(own, stamps)):
            values = counter.value(block)
            packets[:, place] = stamp.stamped(times_ns, values)
            told = np.isfinite(values) & in_range
            if self._changes_only:
                kept = values[told]
                is_new = np.ones(len(kept), np.bool_)
                is_new[1:] = kept[1:] != kept[:-1]
                if len(kept):
                    is_new[0] = kept[0] != before[place]
                    before[place] = float(kept[-1])
                told[told] = is_new
            is_told[:, place] = told
        return packets.tobytes() if is_told.all() else packets[is_told].tobytes()

    def _counting(self, track: int) -> Any:
        packet = self._schema.TracePacket()
        packet.trusted_packet_sequence_id = self._sequence
        packet.timestamp_clock_id = _MONOTONIC
        packet.track_event.type = packet.track_event.TYPE_COUNTER
        packet.track_event.track_uuid = track
        return packet


def _annotate(annotation: Any, name: str, value: Any) -> None:
    """Fill an annotation with what JSON can hold."""
    if name:
        annotation.name = _utf8(name)
    if isinstance(value, bool):
        annotation.bool_value = value
    elif isinstance(value, int) and -(2**63) <= value < 2**63:
        annotation.int_value = value
    elif isinstance(value, (int, float)):
        annotation.double_value = float(value)
    elif isinstance(value, dict):
        for key, item in value.items():
            _annotate(annotation.dict_entries.add(), str(key), item)
    elif isinstance(value, list):
        for item in value:
            _annotate(annotation.array_values.add(), "", item)
    else:
        annotation.string_value = "not known" if value is None else _utf8(str(value))


def _utf8(text: str) -> str:
    return text.encode("utf-8", "replace").decode()
