"""Chunks: what a trace says beyond its samples, and how little a damaged one may cost."""

from __future__ import annotations

import json
import struct
import warnings
import zlib
from pathlib import Path
from typing import Any

import pytest

import fastnvmetrics as fm
import trace_builder as build
from fastnvmetrics import trace_format as layout
from fastnvmetrics.chunks import Chunk, read_chunks

FLAGS = layout.FLAG_VALID | layout.FLAG_CLOSED


def chunk(kind: bytes, payload: bytes, checksum: int | None = None, length: int | None = None) -> bytes:
    return (
        struct.pack(
            "<4sQI",
            kind,
            len(payload) if length is None else length,
            zlib.crc32(payload) if checksum is None else checksum,
        )
        + payload
    )


def write(path: Path, *chunks: bytes, **fields: Any) -> Path:
    records = build.trace(fast=3, marks=[(1, 1)], flags=FLAGS)
    fields = {"flags": FLAGS, "chunks_offset": len(records), **fields}
    path.write_bytes(build.trace(fast=3, marks=[(1, 1)], **fields) + b"".join(chunks))
    return path


def test_chunks_come_in_the_order_of_the_file(tmp_path: Path) -> None:
    path = write(tmp_path / "t", chunk(b"META", b"{}"), chunk(b"xyz ", b""), chunk(b"META", b"\xff"))
    assert read_chunks(path) == [
        Chunk("META", b"{}"),
        Chunk("xyz ", b""),
        Chunk("META", b"\xff"),
    ]
    assert read_chunks(write(tmp_path / "none", chunks_offset=0)) == []


def test_objects_are_read_with_the_samples(tmp_path: Path) -> None:
    meta = {"a": [1, None, "µ"], "b": {"c": 2**64 - 1}}
    path = write(
        tmp_path / "t",
        chunk(b"new ", bytes(100)),
        chunk(b"META", json.dumps(meta).encode()),
        chunk(b"STAT", b'{"x": 1.5}'),
        chunk(b"META", b'{"a": "a later one"}'),
    )
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        trace = fm.read_trace(path, align="fast")
    assert trace["metadata"] == meta
    assert trace["stats"] == {"x": 1.5}
    assert trace["sync_id"].tolist() == [0, 1, 1]


@pytest.mark.parametrize(
    "damaged",
    [
        chunk(b"META", b"{}", checksum=1),
        chunk(b"META", b"{}", length=3),
        chunk(b"META", b"{}", length=2**64 - 1),
        chunk(b"META", b"{"),
        chunk(b"META", b"\xff\xfe\xfa"),
        chunk(b"META", b"[]"),
        chunk(b"META", b'"text"'),
        chunk(b"META", b'{"a":' * 100_000),
    ],
    ids=["checksum", "longer", "longest", "json", "utf8", "list", "text", "deep"],
)
def test_a_damaged_object_costs_nothing_but_itself(tmp_path: Path, damaged: bytes) -> None:
    path = write(tmp_path / "t", chunk(b"STAT", b'{"x": 1}'), damaged)
    with pytest.warns(RuntimeWarning, match="^Corrupt chunk: .*META") as caught:
        trace = fm.read_trace(path)
    assert len(caught) == 1
    assert caught[0].filename == __file__
    assert str(path) in str(caught[0].message)
    assert trace["metadata"] is None
    assert trace["stats"] == {"x": 1}
    assert len(trace["fast_time_s"]) == 3


@pytest.mark.parametrize(
    "damaged",
    [
        chunk(b"AAAA", b"abc", checksum=1),
        chunk(b"AAAA", b"abc", length=4),
        chunk(b"AAAA", b"")[:-1],
        b"A",
    ],
)
def test_read_chunks_refuses_a_damaged_chunk(tmp_path: Path, damaged: bytes) -> None:
    path = write(tmp_path / "t", chunk(b"META", b"{}"), damaged)
    with pytest.raises(ValueError, match="^Corrupt chunk"):
        read_chunks(path)
    assert fm.read_trace(path)["metadata"] == {}


@pytest.mark.parametrize("offset", [2**64 - 1, 2**63, 10**6])
def test_chunks_that_begin_behind_the_file_are_none(tmp_path: Path, offset: int) -> None:
    path = write(tmp_path / "t", chunk(b"META", b"{}"), chunks_offset=offset)
    assert read_chunks(path) == []
    assert fm.read_trace(path)["metadata"] is None


def test_an_offset_counts_for_nothing_without_the_flag(tmp_path: Path) -> None:
    path = write(tmp_path / "t", chunk(b"META", b"{}"), flags=0)
    assert read_chunks(path) == []
    assert fm.read_trace(path)["metadata"] is None


def test_read_chunks_refuses_what_is_no_trace(tmp_path: Path) -> None:
    path = tmp_path / "t"
    path.write_bytes(b"no trace" * 200)
    with pytest.raises(ValueError, match="Bad magic"):
        read_chunks(path)
    path.write_bytes(build.header(num_fast_samples=9))
    with pytest.raises(ValueError, match="Truncated"):
        read_chunks(path)
    with pytest.raises(IsADirectoryError):
        read_chunks(tmp_path)


def test_a_recording_tells_the_facts_of_the_run(tmp_path: Path) -> None:
    board = fm.get_board_config("generic_linux")
    with fm.NVMetrics(tmp_path / "run", board=board, metadata=True) as nv:
        nv.sync()
    trace = fm.read_trace(tmp_path / "run")
    meta = trace["metadata"]
    assert meta is not None
    assert meta["library_version"] == fm.__version__
    assert meta["board"]["name"] == "generic_linux"
    assert meta["board"]["kernel_release"] == Path("/proc/sys/kernel/osrelease").read_text().strip()
    assert meta["start_monotonic_ns"] == trace["start_monotonic_ns"]
    assert meta["duration_s"] >= trace["fast_time_s"][-1]
    assert meta["options"]["fast_hz"] == 1000
    assert set(meta["clocks"]) == {"start", "stop"}
    with fm.NVMetrics(tmp_path / "run", board=board):
        pass
    assert fm.read_trace(tmp_path / "run")["metadata"] is None
