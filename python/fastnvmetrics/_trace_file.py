"""What every way of reading a trace begins with: opening the file, and knowing that it is whole."""

from __future__ import annotations

import errno
import io
import os
import shlex
import stat
from typing import Any, NamedTuple, NoReturn

import numpy as np
import numpy.typing as npt

from . import trace_format as layout
from .errors import TraceError, UnfinishedTraceError
from .trace_data import TraceHeader

__all__ = [
    "Counts",
    "checked_counts",
    "forward_filled",
    "header_data",
    "open_regular",
    "read_any_header",
    "read_header",
    "read_into",
    "refuse",
]

# Directories open as files do, and a FIFO without a writer must not hang: both are refused after
# fstat.
_OPEN_FLAGS = (
    os.O_RDONLY
    | getattr(os, "O_CLOEXEC", 0)
    | getattr(os, "O_NONBLOCK", 0)
    | getattr(os, "O_NOCTTY", 0)
    | getattr(os, "O_BINARY", 0)
)


def open_regular(path: str | bytes) -> io.FileIO:
    """Open a file to be read, and nothing else that a path can lead to."""
    descriptor = os.open(path, _OPEN_FLAGS)
    mode = os.fstat(descriptor).st_mode
    if stat.S_ISREG(mode):
        return io.FileIO(descriptor, "rb")
    os.close(descriptor)
    if stat.S_ISDIR(mode):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), path)
    raise OSError(errno.EINVAL, "not a regular file", path)


def refuse(what: str, why: str, path: str | bytes) -> NoReturn:
    """Say that the file is no complete trace, and why."""
    raise TraceError(f"{what}: {why}: {os.fsdecode(path)}")


def read_any_header(file: io.FileIO, path: str | bytes) -> Any:
    """Return the header as a numpy record, once it is known to be one of a trace, complete or not."""
    buffer = np.zeros(1, layout.HEADER)
    count = read_into(file, buffer)
    if count < buffer.nbytes:
        refuse("File too small", f"{count} bytes, a header alone has {buffer.nbytes}", path)
    header = buffer[0]
    if header["magic"] != layout.MAGIC:
        refuse("Bad magic", f"0x{int(header['magic']):08X} is not 0x{layout.MAGIC:08X}", path)
    if header["version"] != layout.VERSION:
        refuse("Unsupported version", f"{int(header['version'])}, this reads 1", path)
    for field, limit in (
        ("num_cpu_cores", layout.MAX_CPU_CORES),
        ("num_power_rails", layout.MAX_POWER_RAILS),
        ("num_thermal_zones", layout.MAX_THERMAL_ZONES),
    ):
        if header[field] > limit:
            refuse("Corrupt header", f"{field} is {int(header[field])}, at most {limit}", path)
    return header


def read_header(file: io.FileIO, path: str | bytes) -> Any:
    """Return the header as a numpy record, once it is known to be one of a complete trace."""
    header = read_any_header(file, path)
    flags = int(header["flags"])
    ended = layout.FLAG_CLOSED | layout.FLAG_RECOVERED
    if flags & layout.FLAG_VALID and not flags & ended:
        command = f"fastnvmetrics recover {shlex.quote(os.fsdecode(path))}"
        raise UnfinishedTraceError(
            "Unfinished trace: it is being recorded, or its recorder was killed; "
            f"in that case complete it with: {command}"
        )
    return header


class Counts(NamedTuple):
    """How many records of each kind a file holds, in the order of the file."""

    fast: int
    medium: int
    slow: int
    marks: int

    @property
    def end(self) -> int:
        """Where the last record ends, in bytes."""
        return (
            layout.HEADER.itemsize
            + self.fast * layout.FAST_SAMPLE.itemsize
            + self.medium * layout.MEDIUM_SAMPLE.itemsize
            + self.slow * layout.SLOW_SAMPLE.itemsize
            + self.marks * layout.SYNC_POINT.itemsize
        )


def checked_counts(header: Any, size: int, path: str | bytes) -> Counts:
    """Return the numbers of records once they are known to fit in the file.

    Nothing overflows and nothing was allocated yet: these are Python's integers.
    """
    counts = Counts(
        int(header["num_fast_samples"]),
        int(header["num_medium_samples"]),
        int(header["num_slow_samples"]),
        int(header["num_sync_points"]),
    )
    if counts.end > size:
        refuse(
            "Truncated",
            f"{counts.fast} fast, {counts.medium} medium, {counts.slow} slow samples and "
            f"{counts.marks} sync points need {counts.end} bytes, there are {size}",
            path,
        )
    return counts


def read_into(file: io.FileIO, array: npt.NDArray[Any]) -> int:
    """Fill the array with the next bytes; return how many there were."""
    target = array.view(np.uint8).data
    filled = 0
    while filled < len(target):
        count = file.readinto(target[filled:])
        if not count:
            break
        filled += count
    return filled


def header_data(header: Any) -> TraceHeader:
    """Return what a checked header says."""
    rails = int(header["num_power_rails"])
    zones = int(header["num_thermal_zones"])
    # The reference leaves whatever follows the names unset: nothing there counts without the flag.
    ours = bool(int(header["flags"]) & layout.FLAG_VALID)

    def own(name: str) -> int:
        return int(header[name]) if ours else 0

    return TraceHeader(
        board_name=_text(header["board_name"]),
        num_cpu_cores=int(header["num_cpu_cores"]),
        num_power_rails=rails,
        num_thermal_zones=zones,
        emc_available=bool(header["emc_available"]),
        fast_hz=int(header["fast_hz"]),
        medium_hz=int(header["medium_hz"]),
        slow_hz=int(header["slow_hz"]),
        power_rail_names=[_text(name) for name in header["power_rail_names"][:rails]],
        thermal_zone_names=[_text(name) for name in header["thermal_zone_names"][:zones]],
        start_monotonic_ns=own("start_monotonic_ns"),
        start_realtime_ns=own("start_realtime_ns"),
        missed_fast=own("missed_fast"),
        missed_medium=own("missed_medium"),
        missed_slow=own("missed_slow"),
        dropped_samples=own("dropped_samples"),
        read_errors=own("read_errors"),
        recovered=bool(own("flags") & layout.FLAG_RECOVERED),
        gpu_available=bool(own("flags") & layout.FLAG_GPU_AVAILABLE),
        # Not in the header: whoever has the file open reads them (chunks.read_facts).
        metadata=None,
        stats=None,
    )


def _text(name: bytes) -> str:
    return bytes(name).split(b"\0", 1)[0].decode("utf-8", "replace")


def forward_filled(
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
