"""A trace of known values with gaps, phases, labels and metadata, for tests of exports."""

from __future__ import annotations

import json
import struct
import zlib
from pathlib import Path
from typing import Any

import numpy as np

import trace_builder as build
from fastnvmetrics import trace_format as layout

FLAGS = layout.FLAG_VALID | layout.FLAG_CLOSED | layout.FLAG_GPU_AVAILABLE
MONOTONIC_NS = 5_000_000_000_000
REALTIME_NS = 1_714_982_400_000_000_000  # 2024-05-06 08:00:00 UTC
BOOTTIME_NS = 6_000_000_000_000
META: dict[str, Any] = {
    "library_version": "0.3.0",
    "start_monotonic_ns": MONOTONIC_NS,
    "start_realtime_ns": REALTIME_NS,
    "board": {"name": "built", "host": "bench-1", "model": 'Jetson "of" µ, Inc.'},
    "annotations": {"command": "python train.py", "exit_code": "3"},
    "rails": [{"label": "RAIL_A", "in_total": True}, {"label": "RAIL_B", "in_total": False}],
}
LABEL, BEGIN, END = 1, 2, 3


def event(
    kind: int, id: int, time_ns: int, name: str = "", parent: int = 0, thread: int = 9
) -> bytes:
    return struct.pack("<QQIIQQ88s", time_ns, 0, kind, thread, id, parent, name.encode())


#: request 0.5 s to 1.5 s, with decode 0.75 s to 1.25 s in it; the first sync point's label.
EVENTS = (
    event(LABEL, 1, 399_500_000, 'loaded, "really"'),
    event(BEGIN, 1, 500_000_000, "request"),
    event(BEGIN, 2, 750_000_000, "decode", parent=1),
    event(END, 2, 1_250_000_000),
    event(END, 1, 1_500_000_000),
)
MARKS = [(1, 400), (2, 900)]


def write_trace(
    path: Path,
    fast: int = 2000,
    medium: int = 200,
    slow: int = 20,
    meta: dict[str, Any] | None = META,
    events: tuple[bytes, ...] = EVENTS,
    marks: list[tuple[int, int]] | None = None,
    late: bool = True,
    **fields: Any,
) -> Path:
    """Write it: core 1 is offline at 10 ms, EMC not known at first, rail B fails at times.

    `late` has medium and slow begin 5 ms and 50 ms after fast.
    """
    marks = MARKS if marks is None else marks
    fast_rows, medium_rows, slow_rows = (
        build.fast_samples(fast),
        build.medium_samples(medium),
        build.slow_samples(slow),
    )
    fast_rows["cpu_util"] = (np.arange(fast)[:, None] % 1000) / 10 + np.arange(16) / 8
    fast_rows["cpu_util"][10:20, 1] = np.nan
    fast_rows["emc_util"][:5] = -1
    medium_rows["power_mw"][::7, 1] = np.nan
    slow_rows["temp_c"][::3, 2] = np.nan
    if late:
        medium_rows["time_s"] += 0.005
        slow_rows["time_s"] += 0.05
    records = b"".join(
        [
            fast_rows.tobytes(),
            medium_rows.tobytes(),
            slow_rows.tobytes(),
            *(struct.pack("<QQ", *mark) for mark in marks),
        ]
    )
    chunks = b""
    if events:
        chunks += _chunk(b"PHAS", b"".join(events))
    if meta is not None:
        chunks += _chunk(b"META", json.dumps(meta).encode())
    header = build.header(
        **{
            "num_fast_samples": fast,
            "num_medium_samples": medium,
            "num_slow_samples": slow,
            "num_sync_points": len(marks),
            "flags": FLAGS,
            "start_monotonic_ns": MONOTONIC_NS,
            "start_realtime_ns": REALTIME_NS,
            "chunks_offset": layout.HEADER.itemsize + len(records) if chunks else 0,
            **fields,
        }
    )
    path.write_bytes(header + records + chunks)
    return path


def _chunk(kind: bytes, payload: bytes) -> bytes:
    return struct.pack("<4sQI", kind, len(payload), zlib.crc32(payload)) + payload
