"""Reading traces into numpy arrays; pure Python, on any machine."""

from __future__ import annotations

import io
import os
from typing import TYPE_CHECKING, Any, Literal, overload

import numpy as np
import numpy.typing as npt

from . import trace_format as layout
from ._carry import carried, rows_at
from ._paths import PathLike
from ._trace_file import (
    checked_counts,
    forward_filled,
    header_data,
    open_regular,
    read_header,
    read_into,
    refuse,
)
from .chunks import read_facts, read_phase_records
from .phases import decode
from .trace_data import TraceData

if TYPE_CHECKING:
    from .mapped import MappedTrace

__all__ = ["TraceData", "read_trace"]

# Records are read in blocks and taken apart into columns, so that the file is never held a second
# time. A block fits in the second-level cache of one core, where the columns find it again. A
# mapping would do too, but a file that shrinks under a mapping kills the process.
_BLOCK_BYTES = 1 << 18


@overload
def read_trace(
    path: PathLike, align: Literal["fast"] | None = None, mmap: Literal[False] = False
) -> TraceData: ...


@overload
def read_trace(path: PathLike, align: None = None, *, mmap: Literal[True]) -> MappedTrace: ...


def read_trace(
    path: PathLike, align: Literal["fast"] | None = None, mmap: bool = False
) -> TraceData | MappedTrace:
    """Read a whole trace.

    The file is read in blocks of 256 KiB: memory goes to the arrays and, for a while, the marks. To
    look at parts of a long trace, `map_trace` opens it at once.

    Parameters
    ----------
    path
        The trace file.
    align
        None leaves each tier at its own rate. ``"fast"`` carries the medium and slow tiers forward
        onto `fast_time_s`, so that every array has N rows: each row has the last values taken at or
        before its time, and NaN (0 in integers) before the tier's first. `medium_time_s` and
        `slow_time_s` stay as they are.
    mmap
        True maps the file instead, as `map_trace` does: for long traces.

    Returns
    -------
    TraceData
        A dictionary; empty tiers keep their shape, such as ``(0, rails)``. Sync points that a
        damaged file holds are made sense of: a mark at or past the last sample labels nothing,
        marks out of order are put in order of their samples, and of several at one sample the last
        in the file wins. A damaged chunk is a `RuntimeWarning`, and None under `metadata` or `stats`; of
        phases that were damaged, `phases` and `sync_labels` hold what can be told. With `mmap` a
        `MappedTrace`, which answers to the same keys.

    Raises
    ------
    ValueError
        The file is no complete trace: ``File too small``, ``Bad magic``, ``Unsupported version``,
        ``Corrupt header``, ``Unfinished trace`` (to be completed with ``fastnvmetrics recover
        PATH``) or ``Truncated``. Also for another value of `align`, and for one
        with `mmap`: rows that are carried forward are in no file.
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
    if mmap:
        if align is not None:
            raise ValueError("a trace that is mapped cannot be aligned: leave out mmap or align")
        from .mapped import map_trace

        return map_trace(path)
    path = os.fspath(path)
    with open_regular(path) as file:
        try:
            data = _read(file, path)
        except OSError as error:
            # A failing disk does not know the name of the file.
            raise OSError(error.errno, error.strerror, path) from error
    if align == "fast":
        _align_to_fast(data)
    return data


def _read(file: io.FileIO, path: str | bytes) -> TraceData:
    header = read_header(file, path)
    counts = checked_counts(header, os.fstat(file.fileno()).st_size, path)
    told = header_data(header)

    def tier(records: np.dtype[Any], count: int, width: int) -> dict[str, npt.NDArray[Any]]:
        return _read_columns(file, path, records, count, width)

    # In the order of the file.
    fast = tier(layout.FAST_SAMPLE, counts.fast, told["num_cpu_cores"])
    medium = tier(layout.MEDIUM_SAMPLE, counts.medium, told["num_power_rails"])
    slow = tier(layout.SLOW_SAMPLE, counts.slow, told["num_thermal_zones"])
    marks = tier(layout.SYNC_POINT, counts.marks, 0)
    facts = read_facts(file, header, path)
    told["metadata"], told["stats"] = facts.metadata, facts.stats
    phases, sync_labels = decode(
        read_phase_records(file, facts.phases, path),
        float(fast["time_s"][-1]) if counts.fast else 0.0,
        counts.marks,
    )
    return TraceData(
        **told,
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
        sync_id=forward_filled(marks["sync_id"], marks["fast_sample_idx"], counts.fast),
        phases=phases,
        sync_labels=sync_labels,
    )


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
        if read_into(file, block) < block.nbytes:
            refuse("Truncated", "the file was shortened while it was read", path)
        for name, column in columns.items():
            values = block[name][:, :width] if column.ndim == 2 else block[name]
            column[start : start + len(block)] = values
    return columns


def _align_to_fast(data: TraceData) -> None:
    medium = rows_at(data["medium_time_s"], data["fast_time_s"])
    data["voltage_mv"] = carried(data["voltage_mv"], medium, 0)
    data["current_ma"] = carried(data["current_ma"], medium, 0)
    data["power_mw"] = carried(data["power_mw"], medium, np.nan)
    slow = rows_at(data["slow_time_s"], data["fast_time_s"])
    data["temp_c"] = carried(data["temp_c"], slow, np.nan)
