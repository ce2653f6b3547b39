"""Following a trace while it is recorded: new samples as they reach the files."""

from __future__ import annotations

import contextlib
import io
import os
from collections import deque
from types import TracebackType
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from .. import trace_format as layout
from .._paths import PathLike
from .._trace_file import Counts, checked_counts, header_data, open_regular, read_any_header
from ..trace_data import TraceHeader

__all__ = ["NewSamples", "TraceFollower"]

_TIERS = {
    "fast": layout.FAST_SAMPLE,
    "medium": layout.MEDIUM_SAMPLE,
    "slow": layout.SLOW_SAMPLE,
}
#: What one call reads of a tier at most: memory stays flat when it is called late.
_MOST_BYTES = 1 << 22
_COUNTED = ("fast_samples", "medium_samples", "slow_samples", "sync_points")
_ENDED = layout.FLAG_CLOSED | layout.FLAG_RECOVERED


class NewSamples(NamedTuple):
    """Samples that have reached the files since the last time.

    Attributes
    ----------
    header
        Of the trace that they are from; `header["start_monotonic_ns"]` is when its t = 0 was.
    fast, medium, slow
        Records of `trace_format.FAST_SAMPLE`, `MEDIUM_SAMPLE` and `SLOW_SAMPLE`.
    """

    header: TraceHeader
    fast: npt.NDArray[np.void]
    medium: npt.NDArray[np.void]
    slow: npt.NDArray[np.void]

    def __bool__(self) -> bool:
        """Whether there are any."""
        return bool(len(self.fast) or len(self.medium) or len(self.slow))


class TraceFollower:
    """Reads a trace that is being recorded, sample by sample, and goes on into those that follow
    it.

    Samples come 75 to 250 ms after they were taken: that is how long the recorder keeps them. A
    follower only reads, and costs the recorder nothing; any number may follow one trace. A trace
    that is complete is one whose samples are all there already.

    Parameters
    ----------
    path
        The trace; its recorder has started.

    Raises
    ------
    ValueError
        It is no trace.
    OSError
        It cannot be read, or is none.

    Examples
    --------
    >>> import fastnvmetrics as fm
    >>> from fastnvmetrics.following import TraceFollower
    >>> with fm.NVMetrics("run.bin", board=fm.get_board_config("generic_linux")) as nv:
    ...     follower = TraceFollower("run.bin")
    ...     seen = sum(len(samples.fast) for samples in follower.read())
    >>> seen += sum(len(samples.fast) for samples in follower.read())
    >>> follower.close()
    >>> seen == len(fm.read_trace("run.bin")["fast_time_s"])
    True
    """

    def __init__(self, path: PathLike) -> None:
        self._traces = deque([_Followed(path)])

    def go_on(self, path: PathLike) -> None:
        """Have the trace at `path` follow, once all of the present one was read.

        For after `NVMetrics.rotate`, when the present one is complete: it may be removed then,
        since it stays open here until it is read.

        Raises
        ------
        ValueError, OSError
            As above; the present trace is followed on.
        """
        self._traces.append(_Followed(path))

    def read(self) -> list[NewSamples]:
        """Return what is new, in the order of recording; empty where there is nothing.

        Raises
        ------
        OSError
            The disk fails.
        """
        found: list[NewSamples] = []
        while True:
            trace = self._traces[0]
            samples = trace.read()
            if samples:
                found.append(samples)
                if trace.is_behind:
                    continue
            if len(self._traces) == 1 or not trace.is_read:
                return found
            self._traces.popleft().close()

    @property
    def is_complete(self) -> bool:
        """Whether the last trace is complete and nothing of it is left to read."""
        return len(self._traces) == 1 and self._traces[0].is_read

    @property
    def header(self) -> TraceHeader:
        """What the trace that is read at present says of itself so far; ``metadata`` is None."""
        return self._traces[0].header

    def close(self) -> None:
        """Close the files; calling it again is harmless."""
        for trace in self._traces:
            trace.close()

    def __enter__(self) -> TraceFollower:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()


class _Followed:
    """One trace and how much of it was read."""

    def __init__(self, path: PathLike) -> None:
        self._path = os.fspath(path)
        self._file = open_regular(self._path)
        self._spools: dict[str, io.FileIO] = {}
        self._read = dict.fromkeys(_TIERS, 0)
        self._counts: Counts | None = None
        self.is_behind = False
        try:
            self._look()
            self._open_spools()
        except BaseException:
            self.close()
            raise

    def _look(self) -> None:
        """Read the header, whose counts say where the fast samples of a complete trace end."""
        self._file.seek(0)
        header = read_any_header(self._file, self._path)
        self.header = header_data(header)
        flags = int(header["flags"])
        if flags & _ENDED or not flags & layout.FLAG_VALID:
            self._counts = checked_counts(header, os.fstat(self._file.fileno()).st_size, self._path)
        counts = [int(header[f"num_{name}"]) for name in _COUNTED]
        self._most_fast = counts[0] if self._counts is not None or any(counts) else None

    @property
    def is_read(self) -> bool:
        counts = self._counts
        return counts is not None and self._read == {
            "fast": counts.fast, "medium": counts.medium, "slow": counts.slow,
        }  # fmt: skip

    def read(self) -> NewSamples:
        """Return what there is now, some megabytes at most; `is_behind`: there is more."""
        self.is_behind = False
        # Spools are removed once all is in the trace: who opened them before reads them all the
        # same.
        self._open_spools()
        fast = self._read_from(self._file, "fast", layout.HEADER.itemsize)
        # Behind the fast samples a trace gets the others when it is completed. Its header says so
        # first: what was read before the header was seen without counts are fast samples.
        self._look()
        if self._most_fast is not None:
            fast = fast[: max(self._most_fast - self._read["fast"], 0)]
        found = {"fast": fast}
        for tier in ("medium", "slow"):
            found[tier] = self._read_slower(tier)
        for tier, records in found.items():
            self._read[tier] += len(records)
        counts = self._counts
        if counts is not None:
            self.is_behind = not self.is_read
        samples = NewSamples(self.header, found["fast"], found["medium"], found["slow"])
        if not samples:
            self.is_behind = False
        return samples

    def _read_slower(self, tier: str) -> npt.NDArray[np.void]:
        counts = self._counts
        if counts is None:
            spool = self._spools.get(tier)
            return np.empty(0, _TIERS[tier]) if spool is None else self._read_from(spool, tier, 0)
        first = layout.HEADER.itemsize + counts.fast * layout.FAST_SAMPLE.itemsize
        count = counts.medium
        if tier == "slow":
            first += counts.medium * layout.MEDIUM_SAMPLE.itemsize
            count = counts.slow
        return self._read_from(self._file, tier, first)[: max(count - self._read[tier], 0)]

    def _read_from(self, file: io.FileIO, tier: str, first: int) -> npt.NDArray[np.void]:
        """Return the whole records of a tier that a file has from where reading stopped."""
        record = _TIERS[tier]
        begin = first + self._read[tier] * record.itemsize
        most = _MOST_BYTES // record.itemsize * record.itemsize
        content = os.pread(file.fileno(), most, begin)
        if len(content) == most:
            self.is_behind = True
        found: npt.NDArray[np.void] = np.frombuffer(
            content, record, len(content) // record.itemsize
        )
        return found

    def _open_spools(self) -> None:
        for tier in ("medium", "slow"):
            if tier in self._spools or self._counts is not None:
                continue
            name = os.fsdecode(self._path) + f".fnvm-{tier}"
            with contextlib.suppress(FileNotFoundError):
                self._spools[tier] = open_regular(name)

    def close(self) -> None:
        self._file.close()
        for spool in self._spools.values():
            spool.close()
