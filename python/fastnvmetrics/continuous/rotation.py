"""Traces of one recording in several files, one after the other."""

from __future__ import annotations

import contextlib
import errno
import os
import re
import time
from collections.abc import Sequence

from .. import trace_format as layout
from .._trace_file import open_regular, read_any_header
from ..recorder import NVMetrics, recover

__all__ = [
    "RotatedTraces",
    "completed_bytes",
    "is_unfinished",
    "recorded_bytes",
    "remove_trace",
    "rotate",
]

#: What is written beside a trace while it is recorded, and becomes part of it.
_SPOOLS = ("", ".fnvm-medium", ".fnvm-slow", ".fnvm-sync", ".fnvm-phases", ".fnvm-meta")
#: What facts and statistics add to a trace when it is completed, and then some.
_CHUNK_BYTES = 64_000


class RotatedTraces:
    """The traces ``NAME-000001-20260131T120000.bin``, ``NAME-000002-…`` of a recording to
    ``NAME.bin``.

    Numbers go on where those that are there end, also after a restart or a step of the clock: so
    they sort by time, and none is overwritten.

    Parameters
    ----------
    output
        ``NAME.bin``, of which no file is made.
    keep
        How many to keep, the one that is recorded among them; None keeps all.
    max_bytes
        How many bytes all of them may have together; the one that is recorded stays.
    """

    def __init__(
        self, output: str, keep: int | None = None, max_bytes: float | None = None
    ) -> None:
        self._directory, name = os.path.split(output)
        self._stem, self._extension = os.path.splitext(name)
        self._keep, self._max_bytes = keep, max_bytes
        self._pattern = re.compile(
            rf"{re.escape(self._stem)}-(\d{{6,}})-\d{{8}}T\d{{6}}{re.escape(self._extension)}"
        )

    def paths(self) -> list[str]:
        """Return those that there are, oldest first."""
        found = []
        for name in os.listdir(self._directory or "."):
            match = self._pattern.fullmatch(name)
            if match:
                found.append((int(match[1]), os.path.join(self._directory, name)))
        return [path for _, path in sorted(found)]

    def next_path(self) -> str:
        """Return that of the next."""
        existing = self.paths()
        match = self._pattern.fullmatch(os.path.basename(existing[-1])) if existing else None
        number = int(match[1]) + 1 if match else 1
        name = f"{self._stem}-{number:06}-{time.strftime('%Y%m%dT%H%M%S')}{self._extension}"
        return os.path.join(self._directory, name)

    def recover(self) -> list[str]:
        """Complete those whose recorder was killed; return what there is to say of it, and of those
        that cannot be.

        Raises
        ------
        OSError
            One is being recorded (EBUSY).
        """
        said = []
        for path in self.paths():
            try:
                if is_unfinished(path) and recover(path):
                    said.append(f"{path}: its recorder was killed; recovered")
            except (OSError, ValueError, RuntimeError) as error:
                if isinstance(error, OSError) and error.errno == errno.EBUSY:
                    raise
                said.append(f"{path} cannot be completed and stays as it is: {error}")
        return said

    def remove_old(self, current: str) -> list[str]:
        """Remove the oldest that are too many, never the current one; return their paths.

        Raises
        ------
        OSError
            One cannot be removed.
        """
        kept = self.paths()
        removed = []
        sizes = {path: recorded_bytes(path) for path in kept} if self._max_bytes is not None else {}
        while kept and kept[0] != current and self._are_too_many(kept, sizes):
            removed.append(kept.pop(0))
            remove_trace(removed[-1])
        return removed

    def _are_too_many(self, paths: Sequence[str], sizes: dict[str, int]) -> bool:
        if self._keep is not None and len(paths) > self._keep:
            return True
        return self._max_bytes is not None and sum(sizes[path] for path in paths) > self._max_bytes


def rotate(recorder: NVMetrics, former: str, path: str) -> OSError | None:
    """Go on from the trace at `former` into one at `path`; return what kept the former one from
    being completed, if so.

    Raises
    ------
    OSError
        The trace at `path` cannot be created: the recording goes on in the former one.
    FastNVMetricsError
        Nothing is recorded.
    """
    try:
        recorder.rotate(path)
    except OSError as error:
        if error.filename is None or not os.fsdecode(error.filename).startswith(former):
            raise
        return error
    return None


def remove_trace(path: str) -> None:
    """Remove a trace, with what is beside one that was never completed."""
    for suffix in (*_SPOOLS, ".fnvm-journal", ".fnvm-new"):
        with contextlib.suppress(FileNotFoundError):
            os.unlink(path + suffix)


def recorded_bytes(path: str) -> int:
    """Return what a trace has by now, with what is still beside it; 0 where there is none."""
    total = 0
    for suffix in _SPOOLS:
        with contextlib.suppress(FileNotFoundError):
            total += os.stat(path + suffix).st_size
    return total


def completed_bytes(path: str) -> int:
    """Return about how large a trace that is recorded will be."""
    return recorded_bytes(path) + _CHUNK_BYTES


def is_unfinished(path: str) -> bool:
    """Whether a trace was never completed: it is being recorded, or its recorder was killed.

    Raises
    ------
    ValueError
        It is no trace.
    OSError
        It cannot be read.
    """
    with open_regular(path) as file:
        flags = int(read_any_header(file, path)["flags"])
    ended = layout.FLAG_CLOSED | layout.FLAG_RECOVERED
    return bool(flags & layout.FLAG_VALID and not flags & ended)
