"""Phases and labels of a trace: records made by hand, and hostile ones that do no harm."""

from __future__ import annotations

import ctypes
import math
import os
import struct
import warnings
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import fastnvmetrics as fm
import trace_builder as build
from fastnvmetrics import trace_format as layout

FLAGS = layout.FLAG_VALID | layout.FLAG_CLOSED
LABEL, BEGIN, END = 1, 2, 3


def names(trace: fm.TraceData) -> list[str]:
    return list(trace["phases"]["name"].tolist())


def event(
    kind: int, id: int, time_ns: int = 0, name: bytes = b"", parent: int = 0, thread: int = 9
) -> bytes:
    return struct.pack("<QQIIQQ88s", time_ns, 0, kind, thread, id, parent, name)


def chunk(payload: bytes, kind: bytes = b"PHAS", **changes: int) -> bytes:
    prefix = {"length": len(payload), "checksum": zlib.crc32(payload), **changes}
    return struct.pack("<4sQI", kind, prefix["length"], prefix["checksum"]) + payload


def built(*chunks: bytes, fast: int = 11, marks: int = 2) -> bytes:
    """A trace of 11 fast samples, the last at 10 ms, and two sync points."""
    given = [(n + 1, n) for n in range(marks)]
    offset = len(build.trace(fast=fast, marks=given))
    return build.trace(fast=fast, marks=given, flags=FLAGS, chunks_offset=offset) + b"".join(chunks)


def read(path: Path, content: bytes) -> fm.TraceData:
    """Reads it both ways, which agree."""
    path.write_bytes(content)
    trace = fm.read_trace(path)
    with fm.map_trace(path) as mapped:
        for key in ("phases", "sync_labels"):
            assert mapped[key].dtype == trace[key].dtype  # type: ignore[literal-required]
            np.testing.assert_array_equal(mapped[key], trace[key])  # type: ignore[literal-required]
            assert mapped[key] is mapped[key] and not mapped[key].flags.writeable
    return trace


def test_records_are_read_field_by_field(tmp_path: Path) -> None:
    content = built(
        chunk(
            event(LABEL, 1, 500, "Anfang µ".encode())
            + event(BEGIN, 1, 1000, b"outer", thread=77)
            + event(BEGIN, 2, 2000, b"inner", parent=1, thread=77)
            + event(END, 2, 2500, thread=78)
            + event(LABEL, 2, 2600, b"second")
            + event(END, 1, 3000, thread=77)
            + event(BEGIN, 5, 4000, b"never ended", parent=2)
        )
    )
    trace = read(tmp_path / "t", content)
    assert trace["phases"].tolist() == [
        (1, 0, 0, 77, 1000, 3000, True, "outer"),
        (2, 1, 1, 77, 2000, 2500, True, "inner"),
        (5, 2, 2, 9, 4000, 10_000_000, False, "never ended"),
    ]
    assert trace["sync_labels"].tolist() == [(1, 500, "Anfang µ"), (2, 2600, "second")]


@pytest.mark.parametrize(
    ("records", "expected"),
    [
        ([event(BEGIN, 0, name=b"0")], []),
        ([event(BEGIN, 2, name=b"a"), event(BEGIN, 2, name=b"b"), event(BEGIN, 1, name=b"c")], ["a"]),
        ([event(7, 1, name=b"new kind"), event(0, 1), event(BEGIN, 3, name=b"known")], ["known"]),
        ([event(BEGIN, 1, name=b"a")[:-1]], []),
        ([event(BEGIN, 1, name=b"a") + b"rest"], ["a"]),
        ([event(BEGIN, 1, name=b"a\0b")], ["a"]),
        ([event(BEGIN, 1, name=b"\xff\xc3(")], ["��("]),
        ([event(BEGIN, 1, name=b"z" * 88)], ["z" * 87]),
        ([event(BEGIN, 1, name=b"")], [""]),
    ],
)
def test_what_no_recorder_writes_is_skipped(
    tmp_path: Path, records: list[bytes], expected: list[str]
) -> None:
    assert names(read(tmp_path / "t", built(chunk(b"".join(records))))) == expected


def test_ends_that_make_no_sense_are_ignored(tmp_path: Path) -> None:
    content = built(
        chunk(
            event(END, 1, 10)  # before it begins
            + event(BEGIN, 1, 20, b"twice")
            + event(END, 1, 30)
            + event(END, 1, 40)
            + event(END, 9, 50)  # never begun
            + event(BEGIN, 2, 60, b"backwards")
            + event(END, 2, 55)
            + event(BEGIN, 3, 2**63, b"late")
            + event(END, 3, 2**64 - 1)
            + event(BEGIN, 4, 99_000_000, b"after the last sample")
        )
    )
    assert read(tmp_path / "t", content)["phases"].tolist() == [
        (1, 0, 0, 9, 20, 30, True, "twice"),
        (2, 0, 0, 9, 60, 60, True, "backwards"),
        (3, 0, 0, 9, 2**63 - 1, 2**63 - 1, True, "late"),
        (4, 0, 0, 9, 99_000_000, 99_000_000, False, "after the last sample"),
    ]


def test_parents_that_are_not_there_are_none(tmp_path: Path) -> None:
    content = built(
        chunk(
            event(BEGIN, 1, parent=1)
            + event(BEGIN, 2, parent=3)
            + event(BEGIN, 3, parent=2**64 - 1)
            + event(BEGIN, 5, parent=4)
            + event(BEGIN, 6, parent=5)
            + event(BEGIN, 7, parent=6)
        )
    )
    phases = read(tmp_path / "t", content)["phases"]
    assert phases["parent"].tolist() == [0, 0, 0, 0, 5, 6]
    assert phases["depth"].tolist() == [0, 0, 0, 0, 1, 2]


def test_labels_are_of_sync_points_that_exist(tmp_path: Path) -> None:
    content = built(
        chunk(
            event(LABEL, 3, 1, b"there are two")
            + event(LABEL, 0, 2, b"none has this id")
            + event(LABEL, 1, 3, b"first")
            + event(LABEL, 1, 4, b"again")
            + event(LABEL, 2, 5, b"second")
            + event(LABEL, 1, 6, b"backwards")
        )
    )
    labels = read(tmp_path / "t", content)["sync_labels"]
    assert labels.tolist() == [(1, 3, "first"), (2, 5, "second")]


def test_a_trace_without_samples_ends_its_phases_where_they_begin(tmp_path: Path) -> None:
    content = built(chunk(event(BEGIN, 1, 5, b"a")), fast=0, marks=0)
    assert read(tmp_path / "t", content)["phases"].tolist() == [(1, 0, 0, 9, 5, 5, False, "a")]


@pytest.mark.parametrize(
    "damage",
    [{"checksum": 1}, {"length": 2**40}, {"length": 2**64 - 1}],
    ids=["checksum", "longer", "longest"],
)
def test_a_damaged_chunk_costs_its_records_alone(tmp_path: Path, damage: dict[str, int]) -> None:
    path = tmp_path / "t"
    good = chunk(event(BEGIN, 1, 5, b"good"))
    path.write_bytes(built(good, chunk(event(BEGIN, 2, 6, b"bad"), **damage)))
    with pytest.warns(RuntimeWarning, match="^Corrupt chunk: PHAS") as caught:
        trace = fm.read_trace(path)
    assert names(trace) == ["good"] and len(trace["fast_time_s"]) == 11
    assert caught[0].filename == __file__ and str(path) in str(caught[0].message)
    with fm.map_trace(path) as mapped:
        with pytest.warns(RuntimeWarning, match="^Corrupt chunk: PHAS") as caught:
            assert mapped.phases["name"].tolist() == ["good"]
        assert len(caught) == 1 and caught[0].filename == __file__
        assert len(mapped.sync_labels) == 0


def test_chunks_are_joined_in_the_order_of_the_file(tmp_path: Path) -> None:
    content = built(
        chunk(event(BEGIN, 1, 5, b"a")), chunk(b"{}", b"META"), chunk(event(END, 1, 6) + event(BEGIN, 2, 7, b"b"))
    )
    trace = read(tmp_path / "t", content)
    assert names(trace) == ["a", "b"] and trace["metadata"] == {}
    assert trace["phases"]["was_ended"].tolist() == [True, False]


def test_a_mapped_trace_that_is_closed_has_no_phases(tmp_path: Path) -> None:
    path = tmp_path / "t"
    path.write_bytes(built(chunk(event(BEGIN, 1, 5, b"a"))))
    mapped = fm.map_trace(path)
    phases = mapped["phases"]
    mapped.close()
    assert phases["name"].tolist() == ["a"]
    for key in ("phases", "sync_labels"):
        with pytest.raises(ValueError, match="is closed"):
            mapped[key]


# What the library says of the same file is what this package says of it: chunks that recorders could have
# written, damaged in every field, and bytes that never were any.

few = st.integers(0, 6) | st.sampled_from([2**32, 2**63 - 1, 2**63, 2**64 - 1])
events = st.lists(
    st.builds(
        event,
        kind=st.sampled_from([LABEL, BEGIN, BEGIN, END, END, 0, 4, 2**32 - 1]),
        id=few,
        time_ns=few | st.integers(0, 2 * 10**7),
        name=st.binary(max_size=4) | st.text(max_size=100).map(lambda text: text.encode()[:88]),
        parent=few,
        thread=st.integers(0, 2**32 - 1),
    ),
    max_size=24,
).map(b"".join)
chunks = st.lists(
    st.builds(
        chunk,
        events | st.binary(max_size=300),
        kind=st.sampled_from([b"PHAS", b"PHAS", b"PHAS", b"META", b"ab  ", b"\0\0\0\0"]),
    )
    | st.builds(chunk, events, checksum=st.just(5))
    | st.builds(chunk, events, length=few | st.integers(0, 2000))
    | st.binary(max_size=40),
    max_size=4,
)


class Phase(ctypes.Structure):
    """fnvm_phase of fastnvmetrics.h."""

    _fields_ = [
        ("struct_size", ctypes.c_uint32),
        ("thread", ctypes.c_uint32),
        ("id", ctypes.c_uint64),
        ("parent", ctypes.c_uint64),
        ("depth", ctypes.c_uint64),
        ("begin_ns", ctypes.c_uint64),
        ("end_ns", ctypes.c_uint64),
        ("was_ended", ctypes.c_uint64),
        ("name", ctypes.c_char_p),
    ]


@pytest.fixture(scope="module")
def library() -> ctypes.CDLL:
    return ctypes.CDLL(os.path.join(fm.get_library_dir(), "libfastnvmetrics-py.so.0"))


def as_the_library_reads(library: ctypes.CDLL, path: Path, marks: int) -> tuple[list[Any], list[Any]]:
    """(phases, labels) as TraceData has them."""

    def signed(nanoseconds: int) -> int:
        return min(nanoseconds, 2**63 - 1)

    trace = ctypes.c_void_p()
    assert library.fnvm_trace_open(os.fsencode(path), ctypes.byref(trace)) == 0
    phases = []
    for index in range(library.fnvm_trace_num_phases(trace)):
        phase = Phase(struct_size=ctypes.sizeof(Phase))
        assert library.fnvm_trace_phase(trace, index, ctypes.byref(phase)) == 0
        phases.append(
            (phase.id, phase.parent, phase.depth, phase.thread, signed(phase.begin_ns), signed(phase.end_ns))
            + (bool(phase.was_ended), phase.name.decode())
        )
    labels = []
    library.fnvm_trace_sync_label.restype = ctypes.c_char_p
    for sync_id in range(marks + 2):
        nanoseconds = ctypes.c_uint64()
        text = library.fnvm_trace_sync_label(trace, ctypes.c_uint64(sync_id), ctypes.byref(nanoseconds))
        if text is not None:
            labels.append((sync_id, signed(nanoseconds.value), text.decode()))
    library.fnvm_trace_close(trace)
    return phases, labels


@settings(max_examples=400, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(chunks=chunks, fast=st.sampled_from([0, 1, 11]), marks=st.integers(0, 3))
def test_hostile_chunks_are_read_as_the_library_reads_them(
    tmp_path: Path, library: ctypes.CDLL, chunks: list[bytes], fast: int, marks: int
) -> None:
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Corrupt chunk", RuntimeWarning)
        trace = read(tmp_path / "t", built(*chunks, fast=fast, marks=marks))
    phases, labels = as_the_library_reads(library, tmp_path / "t", marks)
    assert trace["phases"].tolist() == phases
    assert trace["sync_labels"].tolist() == labels


def test_a_mile_of_zeros_is_no_chain_of_chunks(tmp_path: Path) -> None:
    path = tmp_path / "t"
    path.write_bytes(built(chunk(event(BEGIN, 1, 5, b"a"))))
    os.truncate(path, 2**40)  # 64 thousand million empty chunks
    with fm.map_trace(path) as mapped:
        assert mapped.phases["name"].tolist() == ["a"]
    assert names(fm.read_trace(path)) == ["a"]


# ---- which samples are in a phase ----------------------------------------------------------------


def test_samples_of_a_phase_are_those_from_its_beginning_to_before_its_end(tmp_path: Path) -> None:
    content = built(
        chunk(
            event(BEGIN, 1, 2_000_000, b"a")  # where sample 2 is
            + event(BEGIN, 2, 3_500_000, b"a")
            + event(END, 1, 5_000_000)
            + event(END, 2, 6_000_001)
            + event(BEGIN, 3, 8_100_000, b"between two samples")
            + event(END, 3, 8_200_000)
            + event(BEGIN, 4, 8_500_000, b"open")
        )
    )
    trace = read(tmp_path / "t", content)

    def samples(name: str) -> list[int]:
        mask = fm.in_phase(trace, name)
        assert mask.dtype == bool and mask.shape == trace["fast_time_s"].shape
        return list(np.flatnonzero(mask))

    assert samples("a") == [2, 3, 4, 5, 6]
    assert samples("between two samples") == []
    assert samples("open") == [9]  # until the last sample
    assert samples("no such phase") == []
    with fm.map_trace(tmp_path / "t") as mapped:
        assert list(np.flatnonzero(fm.in_phase(mapped, "a"))) == samples("a")
    with pytest.raises(ValueError, match="tier must be"):
        fm.in_phase(trace, "a", "quick")  # type: ignore[arg-type]


def test_each_tier_has_samples_of_its_own_in_a_phase(tmp_path: Path) -> None:
    sizes = {"fast": 400, "medium": 40, "slow": 4}
    offset = len(build.trace(**sizes))
    records = event(BEGIN, 1, 95_000_000, b"a") + event(END, 1, 205_000_000)
    path = tmp_path / "t"
    path.write_bytes(build.trace(**sizes, flags=FLAGS, chunks_offset=offset) + chunk(records))
    trace = fm.read_trace(path)
    assert list(np.flatnonzero(fm.in_phase(trace, "a"))) == list(range(95, 205))
    assert list(np.flatnonzero(fm.in_phase(trace, "a", "medium"))) == list(range(10, 21))
    assert list(np.flatnonzero(fm.in_phase(trace, "a", "slow"))) == [1, 2]
    assert math.isclose(trace["temp_c"][fm.in_phase(trace, "a", "slow"), 0].mean(), 41.5)
