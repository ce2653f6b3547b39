"""Making one trace of several that follow each other."""

from __future__ import annotations

import contextlib
import io
import os
import struct
import zlib
from collections.abc import Iterable, Sequence
from typing import IO, Any

import numpy as np
import numpy.typing as npt

from .. import trace_format as layout
from .._paths import PathLike
from .._replacing import replacing
from .._trace_file import refuse
from ..trace_data import TraceHeader
from .facts import chunks_of
from .marks import JoinedMarks
from .part import RECORDS, TracePart

__all__ = ["alike", "join"]

_CHUNK = struct.Struct("<4sQI")
_SUMS = ("missed_fast", "missed_medium", "missed_slow", "dropped_samples", "read_errors")
#: What traces must have in common to be one.
_SAME = (
    "board_name", "num_cpu_cores", "num_power_rails", "num_thermal_zones",
    "fast_hz", "medium_hz", "slow_hz", "power_rail_names", "thermal_zone_names",
)  # fmt: skip


def join(paths: Iterable[PathLike], output: PathLike, *, last_s: float | None = None) -> None:
    """Make one trace of several that were recorded one after the other.

    Made for the traces of `NVMetrics.rotate`, which follow each other without a gap; a gap between
    two is one in the result. Phases that went on through a rotation are whole again, sync points
    are numbered from 1, what was missed and lost is added up, and facts of the run are those of the
    newest trace. Memory is flat but for the marks, however long the traces are.

    Parameters
    ----------
    paths
        Complete traces of one boot of one machine, in any order.
    output
        The trace to make. It appears when it is complete, in place of what may be there; one of
        `paths` is as good as any other path.
    last_s
        Only so many seconds at the end, exactly: t = 0 is that long before the last fast sample.
        Phases that had begun begin there.

    Raises
    ------
    ValueError
        One is no complete trace, as with `read_trace`; or they do not fit: other columns or rates,
        times that overlap, none of them known. Also where there are none, or `last_s` is not above
        0.
    OSError
        A file cannot be read or written; `output` is as it was then.
    TypeError
        A path is none.

    Examples
    --------
    >>> import fastnvmetrics as fm
    >>> fm.join(["run-000001.bin", "run-000002.bin"], "run.bin")  # doctest: +SKIP
    >>> fm.join(["run.bin"], "end.bin", last_s=10)  # doctest: +SKIP
    """
    if last_s is not None and not last_s > 0:
        raise ValueError(f"last_s must be above 0, not {last_s!r}")
    with contextlib.ExitStack() as stack:
        parts = [stack.enter_context(TracePart(path)) for path in paths]
        if not parts:
            raise ValueError("there are no traces to join")
        parts.sort(key=lambda part: part.start_ns)
        _check_alike(parts)
        parts, start_ns = _cut(parts, last_s)
        with replacing(output) as temporary, open(temporary, "wb", buffering=0) as file:
            _write(file, parts, start_ns)
            os.fsync(file.fileno())


def alike(header: TraceHeader, other: TraceHeader) -> str | None:
    """Return what two traces differ in that cannot be joined for it; None where they can."""
    for name in _SAME:
        mine, its = header[name], other[name]  # type: ignore[literal-required]
        if mine != its:
            return f"{name} is {mine!r} in one and {its!r} in the other"
    return None


def _check_alike(parts: Sequence[TracePart]) -> None:
    newest = parts[-1]
    for part in parts:
        difference = alike(part.told, newest.told)
        if difference is not None:
            refuse("Cannot be joined", f"{difference}, {os.fsdecode(newest.path)}", part.path)
    for tier in RECORDS:
        told = [part for part in parts if part.count(tier)]
        for before, part in zip(told, told[1:]):
            if part.first_ns(tier) < before.last_ns(tier):
                refuse(
                    "Cannot be joined",
                    f"it begins before {os.fsdecode(before.path)} ends",
                    part.path,
                )


def _cut(parts: Sequence[TracePart], last_s: float | None) -> tuple[list[TracePart], int]:
    """Return the parts that are needed, and when the joined trace begins."""
    start_ns = parts[0].start_ns
    if last_s is None:
        return list(parts), start_ns
    start_ns = max(start_ns, parts[-1].end_ns - round(last_s * 1e9))
    kept = [part for part in parts if part.end_ns >= start_ns]
    start_ns = max(start_ns, kept[0].start_ns)
    kept[0].cut(start_ns)
    return kept, start_ns


def _write(file: io.FileIO, parts: Sequence[TracePart], start_ns: int) -> None:
    header = np.array(parts[-1].header).reshape(1)
    marks = JoinedMarks(start_ns)
    facts = [part.facts() for part in parts]
    for part, told in zip(parts, facts):
        marks.add(
            part.start_ns,
            part.end_ns,
            part.sync_points(),
            part.phase_records(told),
            part.first["fast"],
            part.count("fast"),
        )
    sync_points = marks.sync_points()
    _fill(header, parts, start_ns, len(sync_points))
    _put(file, header)
    for tier in RECORDS:
        _put_tier(file, parts, tier, start_ns)
    _put(file, sync_points)
    offset = file.tell()
    duration_s = (parts[-1].end_ns - start_ns) * 1e-9
    chunks = chunks_of(
        [(part.told, told) for part, told in zip(parts, facts)], start_ns, duration_s
    )
    phases = marks.phases()
    if len(phases):
        chunks.insert(0, (b"PHAS", phases.tobytes()))
    header["chunks_offset"] = offset if chunks else 0
    for kind, payload in chunks:
        _put(
            file,
            np.frombuffer(_CHUNK.pack(kind, len(payload), zlib.crc32(payload)) + payload, np.uint8),
        )
    file.seek(0)
    _put(file, header)


def _fill(header: npt.NDArray[Any], parts: Sequence[TracePart], start_ns: int, marks: int) -> None:
    flags = 0
    for part in parts:
        flags |= int(part.header["flags"]) & (layout.FLAG_RECOVERED | layout.FLAG_GPU_AVAILABLE)
    if not flags & layout.FLAG_RECOVERED:
        flags |= layout.FLAG_CLOSED
    header["flags"] = flags | layout.FLAG_VALID
    header["emc_available"] = max(int(part.header["emc_available"]) for part in parts)
    for tier in RECORDS:
        header[f"num_{tier}_samples"] = sum(part.kept(tier) for part in parts)
    header["num_sync_points"] = marks
    for name in _SUMS:
        header[name] = min(sum(int(part.header[name]) for part in parts), 2**32 - 1)
    header["start_monotonic_ns"] = start_ns
    first = parts[0].told
    realtime_ns = first["start_realtime_ns"]
    header["start_realtime_ns"] = realtime_ns + start_ns - parts[0].start_ns if realtime_ns else 0


def _put_tier(file: io.FileIO, parts: Sequence[TracePart], tier: str, start_ns: int) -> None:
    for part in parts:
        offset_s = (part.start_ns - start_ns) * 1e-9
        for records in part.blocks(tier):
            # Rounding must not put the first sample before t = 0.
            records["time_s"] = np.maximum(records["time_s"] + offset_s, 0.0)
            _put(file, records)


def _put(file: IO[bytes], array: npt.NDArray[Any]) -> None:
    content = np.ascontiguousarray(array).view(np.uint8).data if array.size else memoryview(b"")
    while len(content):
        content = content[file.write(content) :]
