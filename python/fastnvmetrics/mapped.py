"""Traces mapped into memory: opened at once, whatever their length."""

from __future__ import annotations

import io
import mmap
import os
from collections.abc import Iterator
from types import TracebackType
from typing import Any, NoReturn

import numpy as np
import numpy.typing as npt

from . import trace_format as layout
from ._paths import PathLike
from ._trace_file import (
    Counts,
    checked_counts,
    forward_filled,
    header_data,
    open_regular,
    read_header,
    refuse,
)
from .chunks import Place, mapped_phase_records, read_facts
from .phases import decode
from .trace_data import TraceData, TraceHeader

__all__ = ["MappedTrace", "map_trace"]

# Where the arrays of TraceData are: tier, field, and the count in the header that cuts their rows.
_COLUMNS = {
    "fast_time_s": ("fast", "time_s", None),
    "gpu_load": ("fast", "gpu_load", None),
    "cpu_util": ("fast", "cpu_util", "num_cpu_cores"),
    "cpu_aggregate": ("fast", "cpu_aggregate", None),
    "ram_used_kb": ("fast", "ram_used_kb", None),
    "ram_available_kb": ("fast", "ram_available_kb", None),
    "emc_util": ("fast", "emc_util", None),
    "medium_time_s": ("medium", "time_s", None),
    "voltage_mv": ("medium", "voltage_mv", "num_power_rails"),
    "current_ma": ("medium", "current_ma", "num_power_rails"),
    "power_mw": ("medium", "power_mw", "num_power_rails"),
    "slow_time_s": ("slow", "time_s", None),
    "temp_c": ("slow", "temp_c", "num_thermal_zones"),
}


def map_trace(path: PathLike) -> MappedTrace:
    """Map a whole trace into memory, without reading it.

    Opening takes milliseconds whatever the size; what is looked at is read then. Made for parts of
    long traces: who goes through all of one is faster with `read_trace`, whose arrays are
    contiguous.

    **A file that is shortened while it is mapped kills the process** (SIGBUS) where it looks past
    the new end. Recorders never shorten a complete trace, and removing or replacing the file is
    harmless; of a file that other programs write to, or on a file system that can go away, use
    `read_trace`.

    Parameters
    ----------
    path
        The trace file.

    Returns
    -------
    MappedTrace
        The trace, until it is closed.

    Raises
    ------
    ValueError
        The file is no complete trace, as with `read_trace`.
    OSError
        The file cannot be read or mapped, or is none.
    TypeError
        `path` is no path.

    Examples
    --------
    >>> with map_trace("run.bin") as trace:  # doctest: +SKIP
    ...     print(trace["gpu_load"][-1000:].mean())
    """
    path = os.fspath(path)
    with open_regular(path) as file:
        try:
            return _map(file, path)
        except OSError as error:
            raise OSError(error.errno, error.strerror, path) from error


def _map(file: io.FileIO, path: str | bytes) -> MappedTrace:
    header = read_header(file, path)
    size = os.fstat(file.fileno()).st_size
    counts = checked_counts(header, size, path)
    try:
        # All of it: the chunks stand behind the records.
        mapping = mmap.mmap(file.fileno(), size, access=mmap.ACCESS_READ)
    except ValueError:
        refuse("Truncated", "the file was shortened while it was opened", path)
    told = header_data(header)
    facts = read_facts(file, header, path)
    told["metadata"], told["stats"] = facts.metadata, facts.stats
    return MappedTrace(path, told, counts, mapping, facts.phases)


class MappedTrace:
    """A trace in memory that is mapped, not read: `map_trace` makes one.

    ``trace[key]`` answers to the keys of `TraceData`, so that code written for `read_trace` works
    with either. The arrays are read-only views of the file, whose values lie a record apart and are
    not aligned: ``numpy.ascontiguousarray`` makes one that is fast to go through again and again.

    Any number of threads may use one. It cannot be pickled; another process maps the path itself.

    Attributes
    ----------
    header
        What the trace says of itself: the keys of `TraceData` that are no arrays.

    Examples
    --------
    >>> trace = map_trace("run.bin")  # doctest: +SKIP
    >>> trace.header["board_name"], len(trace.fast)  # doctest: +SKIP
    >>> begin, end = trace.sync_points["fast_sample_idx"][:2]  # doctest: +SKIP
    >>> trace["cpu_util"][begin:end].mean(axis=0)  # doctest: +SKIP
    """

    header: TraceHeader

    def __init__(
        self,
        path: str | bytes,
        header: TraceHeader,
        counts: Counts,
        mapping: mmap.mmap,
        phases: list[Place],
    ) -> None:
        self.header = header
        self._path = path
        self._mapping: mmap.mmap | None = mapping
        self._phase_places = phases
        self._phases: tuple[npt.NDArray[np.void], npt.NDArray[np.void]] | None = None
        # numpy.ndarray(buffer=…) would not keep the mapping from being closed under its views.
        content = np.frombuffer(memoryview(mapping), np.uint8)
        self._records: dict[str, npt.NDArray[Any]] = {}
        offset = layout.HEADER.itemsize
        for name, record, count in (
            ("fast", layout.FAST_SAMPLE, counts.fast),
            ("medium", layout.MEDIUM_SAMPLE, counts.medium),
            ("slow", layout.SLOW_SAMPLE, counts.slow),
            ("sync_points", layout.SYNC_POINT, counts.marks),
        ):
            end = offset + count * record.itemsize
            self._records[name] = content[offset:end].view(record)
            offset = end

    @property
    def fast(self) -> npt.NDArray[Any]:
        """The fast samples, records of `trace_format.FAST_SAMPLE`."""
        return self._tier("fast")

    @property
    def medium(self) -> npt.NDArray[Any]:
        """The medium samples, records of `trace_format.MEDIUM_SAMPLE`."""
        return self._tier("medium")

    @property
    def slow(self) -> npt.NDArray[Any]:
        """The slow samples, records of `trace_format.SLOW_SAMPLE`."""
        return self._tier("slow")

    @property
    def sync_points(self) -> npt.NDArray[Any]:
        """The sync points as they are in the file, records of `trace_format.SYNC_POINT`."""
        return self._tier("sync_points")

    @property
    def sync_id(self) -> npt.NDArray[np.uint64]:
        """The last `sync()` before each fast sample, 0 before the first.

        The file has no such column: each access makes one, 8 bytes for each fast sample.
        """
        marks = np.array(self.sync_points, copy=True)
        return forward_filled(marks["sync_id"], marks["fast_sample_idx"], len(self.fast))

    @property
    def phases(self) -> npt.NDArray[np.void]:
        """The phases, as `TraceData` has them. Asked for first, they are read, as `sync_labels` are."""
        return self._read_phases()[0]

    @property
    def sync_labels(self) -> npt.NDArray[np.void]:
        """The labels of sync points, as `TraceData` has them."""
        return self._read_phases()[1]

    def __getitem__(self, key: str) -> Any:
        """Return what `TraceData` has under that key.

        Only ``"sync_id"`` takes time and memory, and the first of ``"phases"`` and ``"sync_labels"``.
        """
        if key in ("sync_id", "phases", "sync_labels"):
            return getattr(self, key)
        if key in _COLUMNS:
            tier, field, count = _COLUMNS[key]
            column = self._tier(tier)[field]
            if count is None:
                return column
            width: int = self.header[count]  # type: ignore[literal-required]
            return column[:, :width]
        return self.header[key]  # type: ignore[literal-required]

    def __contains__(self, key: object) -> bool:
        return key in TraceData.__annotations__

    def __iter__(self) -> Iterator[str]:
        return iter(self.keys())

    def keys(self) -> list[str]:
        """Return the keys of `TraceData`: ``dict(trace)`` has them all."""
        return list(TraceData.__annotations__)

    def close(self) -> None:
        """Close the trace; calling it again is harmless.

        Arrays that came from it stay valid: the file is unmapped with the last of them.
        """
        self._records = {}
        self._phases = None
        mapping, self._mapping = self._mapping, None
        try:
            if mapping is not None:
                mapping.close()
        except BufferError:
            pass  # The arrays that are alive hold it.

    def __enter__(self) -> MappedTrace:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        path = os.fsdecode(self._path)
        if not self._records:
            return f"<MappedTrace {path!r}, closed>"
        fast, medium, slow, marks = (len(records) for records in self._records.values())
        return (
            f"<MappedTrace {path!r}, {fast} fast, {medium} medium, {slow} slow samples, "
            f"{marks} sync points>"
        )

    def __reduce__(self) -> NoReturn:
        raise TypeError("a mapped trace cannot be pickled: pass its path, and map it there")

    def _read_phases(self) -> tuple[npt.NDArray[np.void], npt.NDArray[np.void]]:
        fast, marks, mapping = self._tier("fast"), self._tier("sync_points"), self._mapping
        if mapping is None:
            self._refuse_closed()
        phases = self._phases
        if phases is None:
            # Any number of threads may be here: what one has read is as good as what another has.
            records = mapped_phase_records(memoryview(mapping), self._phase_places, self._path)
            last = float(fast["time_s"][-1]) if len(fast) else 0.0
            phases = self._phases = decode(records, last, len(marks))
            for array in phases:
                array.flags.writeable = False
        return phases

    def _tier(self, name: str) -> npt.NDArray[Any]:
        try:
            return self._records[name]
        except KeyError:
            self._refuse_closed()

    def _refuse_closed(self) -> NoReturn:
        raise ValueError(f"the trace is closed: {os.fsdecode(self._path)}") from None


def forget(trace: object) -> None:
    """Give back the memory of what was looked at in a mapped trace, which the file has: long ones stay small."""
    mapping = trace._mapping if isinstance(trace, MappedTrace) else None
    if mapping is not None:
        mapping.madvise(mmap.MADV_DONTNEED)
