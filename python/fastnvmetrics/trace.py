"""Reading traces into numpy arrays; pure Python, on any machine."""

from __future__ import annotations

import errno
import io
import os
import shlex
import stat
from typing import Any, Literal, NamedTuple, NoReturn

import numpy as np
import numpy.typing as npt

from . import trace_format as layout
from ._paths import PathLike
from .chunks import read_objects
from .trace_data import TraceData

__all__ = ["TraceData", "read_trace"]

# Records are read in blocks and taken apart into columns, so that the file is never held a second
# time. A mapping would do too, but a file that shrinks under a mapping kills the process.
_BLOCK_BYTES = 1 << 20

# Directories open as files do, and a FIFO without a writer must not hang: both are refused after
# fstat.
_OPEN_FLAGS = (
    os.O_RDONLY
    | getattr(os, "O_CLOEXEC", 0)
    | getattr(os, "O_NONBLOCK", 0)
    | getattr(os, "O_NOCTTY", 0)
    | getattr(os, "O_BINARY", 0)
)


def read_trace(path: PathLike, align: Literal["fast"] | None = None) -> TraceData:
    """Read a whole trace.

    The file is read in blocks of a megabyte: memory goes to the arrays and, for a while, the marks.

    Parameters
    ----------
    path
        The trace file.
    align
        None leaves each tier at its own rate. ``"fast"`` carries the medium and slow tiers forward
        onto `fast_time_s`, so that every array has N rows: each row has the last values taken at or
        before its time, and NaN (0 in integers) before the tier's first. `medium_time_s` and
        `slow_time_s` stay as they are.

    Returns
    -------
    TraceData
        A dictionary; empty tiers keep their shape, such as ``(0, rails)``. Sync points that a
        damaged file holds are made sense of: a mark at or past the last sample labels nothing,
        marks out of order are put in order of their samples, and of several at one sample the last
        in the file wins. A damaged chunk is a `RuntimeWarning`, and None under `metadata` or `stats`.

    Raises
    ------
    ValueError
        The file is no complete trace: ``File too small``, ``Bad magic``, ``Unsupported version``,
        ``Corrupt header``, ``Unfinished trace`` (to be completed with ``fastnvmetrics recover
        PATH``) or ``Truncated``. Also for another value of `align`.
    OSError
        The file cannot be read, or is none.
    TypeError
        `path` is no path.

    Examples
    --------
    >>> data = read_trace("run.bin")  # doctest: +SKIP
    >>> data["cpu_util"][data["sync_id"] == 2].mean(axis=0)  # doctest: +SKIP
    """
    if align is not None and align != "fast":
        raise ValueError(f"align must be None or 'fast', not {align!r}")
    path = os.fspath(path)
    with _open_regular(path) as file:
        try:
            data = _read(file, path)
        except OSError as error:
            # A failing disk does not know the name of the file.
            raise OSError(error.errno, error.strerror, path) from error
    if align == "fast":
        _align_to_fast(data)
    return data


def _open_regular(path: str | bytes) -> io.FileIO:
    descriptor = os.open(path, _OPEN_FLAGS)
    mode = os.fstat(descriptor).st_mode
    if stat.S_ISREG(mode):
        return io.FileIO(descriptor, "rb")
    os.close(descriptor)
    if stat.S_ISDIR(mode):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), path)
    raise OSError(errno.EINVAL, "not a regular file", path)


def _refuse(what: str, why: str, path: str | bytes) -> NoReturn:
    raise ValueError(f"{what}: {why}: {os.fsdecode(path)}")


def _read(file: io.FileIO, path: str | bytes) -> TraceData:
    header = _read_header(file, path)
    cores = int(header["num_cpu_cores"])
    rails = int(header["num_power_rails"])
    zones = int(header["num_thermal_zones"])
    counts = _checked_counts(header, os.fstat(file.fileno()).st_size, path)

    def tier(records: np.dtype[Any], count: int, width: int) -> dict[str, npt.NDArray[Any]]:
        return _read_columns(file, path, records, count, width)

    # In the order of the file.
    fast = tier(layout.FAST_SAMPLE, counts.fast, cores)
    medium = tier(layout.MEDIUM_SAMPLE, counts.medium, rails)
    slow = tier(layout.SLOW_SAMPLE, counts.slow, zones)
    marks = tier(layout.SYNC_POINT, counts.marks, 0)

    metadata, stats = read_objects(file, header, path, ("META", "STAT"))

    # The reference leaves whatever follows the names unset: nothing there counts without the flag.
    ours = bool(int(header["flags"]) & layout.FLAG_VALID)

    def own(name: str) -> int:
        return int(header[name]) if ours else 0

    return TraceData(
        board_name=_text(header["board_name"]),
        num_cpu_cores=cores,
        num_power_rails=rails,
        num_thermal_zones=zones,
        emc_available=bool(header["emc_available"]),
        fast_hz=int(header["fast_hz"]),
        medium_hz=int(header["medium_hz"]),
        slow_hz=int(header["slow_hz"]),
        power_rail_names=[_text(name) for name in header["power_rail_names"][:rails]],
        thermal_zone_names=[_text(name) for name in header["thermal_zone_names"][:zones]],
        fast_time_s=fast["time_s"],
        gpu_load=fast["gpu_load"],
        cpu_util=fast["cpu_util"],
        cpu_aggregate=fast["cpu_aggregate"],
        ram_used_kb=fast["ram_used_kb"],
        ram_available_kb=fast["ram_available_kb"],
        emc_util=fast["emc_util"],
        medium_time_s=medium["time_s"],
        voltage_mv=medium["voltage_mv"],
        current_ma=medium["current_ma"],
        power_mw=medium["power_mw"],
        slow_time_s=slow["time_s"],
        temp_c=slow["temp_c"],
        sync_id=_forward_filled(marks["sync_id"], marks["fast_sample_idx"], counts.fast),
        start_monotonic_ns=own("start_monotonic_ns"),
        start_realtime_ns=own("start_realtime_ns"),
        missed_fast=own("missed_fast"),
        missed_medium=own("missed_medium"),
        missed_slow=own("missed_slow"),
        dropped_samples=own("dropped_samples"),
        read_errors=own("read_errors"),
        recovered=bool(own("flags") & layout.FLAG_RECOVERED),
        gpu_available=bool(own("flags") & layout.FLAG_GPU_AVAILABLE),
        metadata=metadata,
        stats=stats,
    )


def _read_header(file: io.FileIO, path: str | bytes) -> Any:
    """Return the header as a numpy record, once it is known to be one of a complete trace."""
    buffer = np.zeros(1, layout.HEADER)
    count = _read_into(file, buffer)
    if count < buffer.nbytes:
        _refuse("File too small", f"{count} bytes, a header alone has {buffer.nbytes}", path)
    header = buffer[0]
    if header["magic"] != layout.MAGIC:
        _refuse("Bad magic", f"0x{int(header['magic']):08X} is not 0x{layout.MAGIC:08X}", path)
    if header["version"] != layout.VERSION:
        _refuse("Unsupported version", f"{int(header['version'])}, this reads 1", path)
    for field, limit in (
        ("num_cpu_cores", layout.MAX_CPU_CORES),
        ("num_power_rails", layout.MAX_POWER_RAILS),
        ("num_thermal_zones", layout.MAX_THERMAL_ZONES),
    ):
        if header[field] > limit:
            _refuse("Corrupt header", f"{field} is {int(header[field])}, at most {limit}", path)
    flags = int(header["flags"])
    ended = layout.FLAG_CLOSED | layout.FLAG_RECOVERED
    if flags & layout.FLAG_VALID and not flags & ended:
        command = f"fastnvmetrics recover {shlex.quote(os.fsdecode(path))}"
        raise ValueError(
            "Unfinished trace: it is being recorded, or its recorder was killed; "
            f"in that case complete it with: {command}"
        )
    return header


class _Counts(NamedTuple):
    fast: int
    medium: int
    slow: int
    marks: int


def _checked_counts(header: Any, size: int, path: str | bytes) -> _Counts:
    """Return the numbers of records once they are known to fit in the file.

    Nothing overflows and nothing was allocated yet: these are Python's integers.
    """
    fast = int(header["num_fast_samples"])
    medium = int(header["num_medium_samples"])
    slow = int(header["num_slow_samples"])
    marks = int(header["num_sync_points"])
    needed = (
        layout.HEADER.itemsize
        + fast * layout.FAST_SAMPLE.itemsize
        + medium * layout.MEDIUM_SAMPLE.itemsize
        + slow * layout.SLOW_SAMPLE.itemsize
        + marks * layout.SYNC_POINT.itemsize
    )
    if needed > size:
        _refuse(
            "Truncated",
            f"{fast} fast, {medium} medium, {slow} slow samples and {marks} sync points need "
            f"{needed} bytes, there are {size}",
            path,
        )
    return _Counts(fast, medium, slow, marks)


def _read_columns(
    file: io.FileIO, path: str | bytes, records: np.dtype[Any], count: int, width: int
) -> dict[str, npt.NDArray[Any]]:
    """Take the next `count` records apart: an array for each field, its rows cut to `width`."""
    columns: dict[str, npt.NDArray[Any]] = {}
    for name in records.names or ():
        field = records[name]
        shape = (count, width) if field.shape else (count,)
        columns[name] = np.empty(shape, field.base.newbyteorder("="))
    buffer = np.empty(min(count, _BLOCK_BYTES // records.itemsize), records)
    for start in range(0, count, max(len(buffer), 1)):
        block = buffer[: count - start]
        if _read_into(file, block) < block.nbytes:
            _refuse("Truncated", "the file was shortened while it was read", path)
        for name, column in columns.items():
            values = block[name][:, :width] if column.ndim == 2 else block[name]
            column[start : start + len(block)] = values
    return columns


def _read_into(file: io.FileIO, array: npt.NDArray[Any]) -> int:
    """Fill the array with the next bytes; return how many there were."""
    target = array.view(np.uint8).data
    filled = 0
    while filled < len(target):
        count = file.readinto(target[filled:])
        if not count:
            break
        filled += count
    return filled


def _text(name: bytes) -> str:
    return bytes(name).split(b"\0", 1)[0].decode("utf-8", "replace")


def _forward_filled(
    ids: npt.NDArray[np.uint64], samples: npt.NDArray[np.uint64], count: int
) -> npt.NDArray[np.uint64]:
    """Label each of `count` samples with the mark before it; linear in samples and marks."""
    inside = samples < np.uint64(count)
    ids, samples = ids[inside], samples[inside]
    if np.any(samples[1:] < samples[:-1]):  # only in damaged files
        order = np.argsort(samples, kind="stable")
        ids, samples = ids[order], samples[order]
    starts = np.concatenate(([0], samples.astype(np.int64), [count]))
    # Marks at one sample but the last of them span no sample.
    return np.repeat(np.concatenate((np.zeros(1, np.uint64), ids)), np.diff(starts))


def _align_to_fast(data: TraceData) -> None:
    medium = _rows_at(data["medium_time_s"], data["fast_time_s"])
    data["voltage_mv"] = _carried(data["voltage_mv"], medium, 0)
    data["current_ma"] = _carried(data["current_ma"], medium, 0)
    data["power_mw"] = _carried(data["power_mw"], medium, np.nan)
    slow = _rows_at(data["slow_time_s"], data["fast_time_s"])
    data["temp_c"] = _carried(data["temp_c"], slow, np.nan)


def _rows_at(times: npt.NDArray[np.float64], at: npt.NDArray[np.float64]) -> npt.NDArray[np.int64]:
    """Return the last row at or before each time, -1 where there is none."""
    return (np.searchsorted(times, at, side="right") - 1).astype(np.int64, copy=False)


def _carried(values: npt.NDArray[Any], rows: npt.NDArray[np.int64], missing: float) -> Any:
    carried = np.full((len(rows), values.shape[1]), missing, values.dtype)
    known = rows >= 0
    carried[known] = values[rows[known]]
    return carried
