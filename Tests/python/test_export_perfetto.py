"""Perfetto files, decoded by the published schema."""

from __future__ import annotations

import gzip
import io
from collections import defaultdict
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import fastnvmetrics as fm
from export_scene import (
    BEGIN,
    BOOTTIME_NS,
    END,
    META,
    MONOTONIC_NS,
    REALTIME_NS,
    event,
    write_trace,
)
from fastnvmetrics.export import export_trace

schema = pytest.importorskip("perfetto.protos.perfetto.trace.perfetto_trace_pb2")
GOLDEN = Path(__file__).resolve().parent.parent / "golden" / "agx_orin_v1.bin"


class Decoded:
    """A Perfetto trace: paths of track names, and what is on the tracks."""

    def __init__(self, content: bytes) -> None:
        self.trace = schema.Trace.FromString(content)
        self.tracks: dict[int, Any] = {}
        self.counters: dict[str, list[tuple[int, float]]] = defaultdict(list)
        self.events: dict[str, list[Any]] = defaultdict(list)
        self.snapshots = []
        assert self.trace.packet[0].sequence_flags & 1  # SEQ_INCREMENTAL_STATE_CLEARED
        assert len({packet.trusted_packet_sequence_id for packet in self.trace.packet}) == 1
        for packet in self.trace.packet:
            kind = packet.WhichOneof("data")
            if kind == "track_descriptor":
                assert packet.track_descriptor.uuid not in self.tracks
                self.tracks[packet.track_descriptor.uuid] = packet.track_descriptor
            elif kind == "clock_snapshot":
                self.snapshots.append(packet.clock_snapshot)
            else:
                assert kind == "track_event" and packet.timestamp_clock_id == 3
                name = self.path(packet.track_event.track_uuid)
                if packet.track_event.type == schema.TrackEvent.TYPE_COUNTER:
                    value = packet.track_event.double_counter_value
                    self.counters[name].append((packet.timestamp, value))
                else:
                    self.events[name].append(packet)

    def path(self, uuid: int) -> str:
        track = self.tracks[uuid]
        return (self.path(track.parent_uuid) + "/" if track.parent_uuid else "") + track.name

    def unit(self, name: str) -> str:
        track = next(track for uuid, track in self.tracks.items() if self.path(uuid) == name)
        return track.counter.unit_name or schema.CounterDescriptor.Unit.Name(track.counter.unit)

    def slices(self, name: str) -> list[tuple[int, int, str, int]]:
        """Return begin, end, name and depth of each, as a stack sees them."""
        found, stack, last = [], [], 0
        for packet in self.events[name]:
            assert packet.timestamp >= last
            last = packet.timestamp
            if packet.track_event.type == schema.TrackEvent.TYPE_SLICE_BEGIN:
                stack.append(packet)
            else:
                begun = stack.pop()
                found.append(
                    (begun.timestamp, packet.timestamp, begun.track_event.name, len(stack))
                )
        assert not stack
        return sorted(found)


def decoded(trace: Path, **options: Any) -> Decoded:
    stream = io.BytesIO()
    export_trace(trace, stream, "perfetto", **options)
    return Decoded(stream.getvalue())


def expected(times: Any, values: Any) -> list[tuple[int, float]]:
    values = np.asarray(values, np.float64)
    at = MONOTONIC_NS + np.rint(np.asarray(times) * 1e9).astype(np.int64)
    known = ~np.isnan(values)
    return list(zip(at[known].tolist(), values[known].tolist()))


def test_counters_have_every_value_that_is_known(tmp_path: Path) -> None:
    path = write_trace(tmp_path / "run.bin")
    found, data = decoded(path), fm.read_trace(path)
    fast, medium, slow = data["fast_time_s"], data["medium_time_s"], data["slow_time_s"]
    emc = np.where(data["emc_util"] < 0, np.nan, data["emc_util"])
    told = {
        "GPU": ("%", fast, data["gpu_load"] / 10),
        "CPU": ("%", fast, data["cpu_aggregate"]),
        "CPU cores/CPU 0": ("%", fast, data["cpu_util"][:, 0]),
        "CPU cores/CPU 1": ("%", fast, data["cpu_util"][:, 1]),
        "EMC": ("%", fast, emc),
        "RAM used": ("UNIT_SIZE_BYTES", fast, data["ram_used_kb"] * 1024.0),
        "RAM available": ("UNIT_SIZE_BYTES", fast, data["ram_available_kb"] * 1024.0),
        "module power": ("W", medium, data["power_mw"][:, 0].astype(np.float64) / 1000),
        "temperature/zone-c": ("°C", slow, data["temp_c"][:, 2]),
    }
    for rail, label in enumerate(("RAIL_A", "RAIL_B")):
        for name, unit, key in (
            ("power", "W", "power_mw"),
            ("voltage", "V", "voltage_mv"),
            ("current", "A", "current_ma"),
        ):
            values = data[key][:, rail].astype(np.float64) / 1000  # type: ignore[literal-required]
            told[f"rails: {name}/{label} {name}"] = (unit, medium, values)
    for name, (unit, times, values) in told.items():
        assert found.counters[f"fastnvmetrics built/{name}"] == expected(times, values), name
        assert found.unit(f"fastnvmetrics built/{name}") == unit
    assert len(found.counters) == len(told) + 2  # two more zones


def test_phases_are_nested_slices_and_sync_points_instants(tmp_path: Path) -> None:
    found = decoded(write_trace(tmp_path / "run.bin"))
    ms = 1_000_000
    assert found.slices("fastnvmetrics built/phases of thread 9") == [
        (MONOTONIC_NS + 500 * ms, MONOTONIC_NS + 1500 * ms, "request", 0),
        (MONOTONIC_NS + 750 * ms, MONOTONIC_NS + 1250 * ms, "decode", 1),
    ]
    marks = found.events["fastnvmetrics built/sync points"]
    assert [(mark.timestamp - MONOTONIC_NS, mark.track_event.name) for mark in marks] == [
        (399_500_000, 'loaded, "really"'),
        (900_000_000, "sync 2"),
    ]


def test_phases_that_overlap_get_a_track_each(tmp_path: Path) -> None:
    events = (
        event(BEGIN, 1, 100, "a"),
        event(BEGIN, 2, 200, "b"),
        event(BEGIN, 3, 250, "empty", parent=2),
        event(END, 3, 250),
        event(END, 1, 300),
        event(END, 2, 400),
        event(BEGIN, 4, 400, "c"),
        event(END, 4, 500),
        event(BEGIN, 5, 600, "elsewhere", thread=10),
    )
    found = decoded(write_trace(tmp_path / "run.bin", 3, 0, 0, events=events, marks=[]))
    both = [
        found.path(uuid)
        for uuid, track in found.tracks.items()
        if track.name == "phases of thread 9"
    ]
    assert len(both) == 2
    # Both have one name: what is on either.
    packets = found.events[both[0]]
    lanes = {packet.track_event.track_uuid for packet in packets}
    slices = []
    for lane in lanes:
        found.events["lane"] = [
            packet for packet in packets if packet.track_event.track_uuid == lane
        ]
        slices += [
            (begin - MONOTONIC_NS, end - MONOTONIC_NS, name)
            for begin, end, name, _ in found.slices("lane")
        ]
    assert sorted(slices) == [
        (100, 300, "a"),
        (200, 400, "b"),
        (250, 250, "empty"),
        (400, 500, "c"),
    ]
    assert found.slices("fastnvmetrics built/phases of thread 10") == [
        (MONOTONIC_NS + 600, MONOTONIC_NS + 2_000_000, "elsewhere", 0)
    ]


def clocks(snapshot: Any) -> dict[int, int]:
    return {clock.clock_id: clock.timestamp for clock in snapshot.clocks}


def test_clock_snapshots_say_when_it_was(tmp_path: Path) -> None:
    found = decoded(write_trace(tmp_path / "run.bin"))
    # Without BOOTTIME nothing leads from MONOTONIC to what is the clock of a trace otherwise.
    assert [clocks(snapshot) for snapshot in found.snapshots] == [{3: MONOTONIC_NS, 1: REALTIME_NS}]
    assert found.snapshots[0].primary_trace_clock == 3
    second = 10**9
    meta = {
        **META,
        "start_boottime_ns": BOOTTIME_NS,
        "stop_monotonic_ns": MONOTONIC_NS + 2 * second,
        "stop_realtime_ns": REALTIME_NS + 3 * second,
        "stop_boottime_ns": BOOTTIME_NS + 2 * second,
    }
    found = decoded(write_trace(tmp_path / "run.bin", meta=meta))
    assert [clocks(snapshot) for snapshot in found.snapshots] == [
        {3: MONOTONIC_NS, 1: REALTIME_NS, 6: BOOTTIME_NS},
        {3: MONOTONIC_NS + 2 * second, 1: REALTIME_NS + 3 * second, 6: BOOTTIME_NS + 2 * second},
    ]
    assert not any(snapshot.primary_trace_clock for snapshot in found.snapshots)


def value_of(annotation: Any) -> Any:
    if annotation.dict_entries:
        return {entry.name: value_of(entry) for entry in annotation.dict_entries}
    if annotation.array_values:
        return [value_of(entry) for entry in annotation.array_values]
    return getattr(annotation, annotation.WhichOneof("value"))


def test_the_facts_of_the_trace_are_arguments_of_an_instant(tmp_path: Path) -> None:
    found = decoded(write_trace(tmp_path / "run.bin"))
    (recording,) = found.events["fastnvmetrics built/recording"]
    assert recording.timestamp == MONOTONIC_NS
    told = {note.name: value_of(note) for note in recording.track_event.debug_annotations}
    assert told["metadata"] == META
    assert told["board_name"] == "built" and told["power_rail_names"] == ["RAIL_A", "RAIL_B"]


def test_changes_only_leaves_out_what_is_as_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write_trace(tmp_path / "run.bin")
    every, changes = decoded(path), decoded(path, changes_only=True)
    for name, events in every.counters.items():
        kept = [one for before, one in zip([(0, np.nan), *events], events) if one[1] != before[1]]
        assert changes.counters[name] == kept, name
    assert len(changes.counters["fastnvmetrics built/rails: voltage/RAIL_A voltage"]) == 1


def test_a_cut_leaves_what_reaches_into_it(tmp_path: Path) -> None:
    path = write_trace(tmp_path / "run.bin")
    found = decoded(path, begin_s=1.3, end_s=1.4)
    assert [time - MONOTONIC_NS for time, _ in found.counters["fastnvmetrics built/GPU"]] == [
        1_300_000_000 + n * 1_000_000 for n in range(100)
    ]
    assert [name for _, _, name, _ in found.slices("fastnvmetrics built/phases of thread 9")] == [
        "request"
    ]
    assert "fastnvmetrics built/sync points" not in found.events


def test_two_traces_in_one_file_do_not_meet(tmp_path: Path) -> None:
    streams = []
    for number in range(2):
        path = write_trace(
            tmp_path / "run.bin", 10, 1, 1, marks=[], start_monotonic_ns=MONOTONIC_NS + number
        )
        stream = io.BytesIO()
        export_trace(path, stream, "perfetto")
        streams.append(schema.Trace.FromString(stream.getvalue()))
    first, second = (
        {
            packet.track_descriptor.uuid
            for packet in trace.packet
            if packet.HasField("track_descriptor")
        }
        for trace in streams
    )
    assert first and not first & second
    assert (
        streams[0].packet[0].trusted_packet_sequence_id
        != streams[1].packet[0].trusted_packet_sequence_id
    )


def test_a_zipped_file_and_one_of_the_reference(tmp_path: Path) -> None:
    target = tmp_path / "g.pftrace.gz"
    export_trace(GOLDEN, target)
    found = Decoded(gzip.decompress(target.read_bytes()))
    data = fm.read_trace(GOLDEN)
    values = [value for _, value in found.counters["fastnvmetrics agx_orin/GPU"]]
    assert values == (data["gpu_load"] / 10).tolist()


@pytest.mark.parametrize("start", [0, 1, 2**40, 2**63, 2**64 - 1])
def test_times_that_make_no_sense_do_no_harm(tmp_path: Path, start: int) -> None:
    path = write_trace(
        tmp_path / "run.bin", 200, 20, 2, start_monotonic_ns=start, start_realtime_ns=start
    )
    content = bytearray(path.read_bytes())
    for row, time in ((3, np.nan), (4, -1.0), (5, 1e300), (199, np.inf)):
        content[728 + 98 * row : 736 + 98 * row] = np.float64(time).tobytes()
    path.write_bytes(content)
    found = decoded(path)
    assert 190 <= len(found.counters["fastnvmetrics built/CPU"]) <= 200 or start == 0
