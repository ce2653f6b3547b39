"""A trace that is read once from end to end, in blocks."""

from __future__ import annotations

import bisect
import io
import os
from collections.abc import Iterator
from types import TracebackType
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from .. import trace_format as layout
from .._paths import PathLike
from .._phase_list import TracePhase, named_phases, phases_between
from .._trace_file import (
    checked_counts,
    header_data,
    open_regular,
    read_header,
    read_into,
    refuse,
)
from ..chunks import read_facts, read_phase_records
from ..phases import decode
from ..trace_data import TraceHeader

__all__ = ["BLOCK_ROWS", "Rows", "Source"]

#: Rows that are in memory at a time.
BLOCK_ROWS = 1 << 16

_RECORDS = {
    "fast": layout.FAST_SAMPLE,
    "medium": layout.MEDIUM_SAMPLE,
    "slow": layout.SLOW_SAMPLE,
    "sync_points": layout.SYNC_POINT,
}


class Rows(NamedTuple):
    """Rows of a tier: the number of the first, and of the first that is not among them."""

    first: int
    end: int


class Source:
    """A complete trace, opened to be read by blocks.

    Nothing is mapped: pages of a mapping would count as memory of the process, and a file that is
    shortened meanwhile is an error here and no SIGBUS. Phases and marks are held in memory, samples
    are not.

    Parameters
    ----------
    path
        The trace file.

    Raises
    ------
    ValueError, OSError, TypeError
        As `read_trace`.
    """

    header: TraceHeader

    def __init__(self, path: PathLike) -> None:
        self.path = os.fspath(path)
        self._file = open_regular(self.path)
        try:
            self._open()
        except BaseException:
            self._file.close()
            raise

    def _open(self) -> None:
        file, path = self._file, self.path
        try:
            header = read_header(file, path)
            self.size = os.fstat(file.fileno()).st_size
            counts = checked_counts(header, self.size, path)
            self.header = header_data(header)
            facts = read_facts(file, header, path)
            self.header["metadata"], self.header["stats"] = facts.metadata, facts.stats
            self.counts = {
                "fast": counts.fast,
                "medium": counts.medium,
                "slow": counts.slow,
                "sync_points": counts.marks,
            }
            self._offsets = {}
            offset = layout.HEADER.itemsize
            for tier, count in self.counts.items():
                self._offsets[tier] = offset
                offset += count * _RECORDS[tier].itemsize
            self.last_fast_s = self.time_of("fast", counts.fast - 1) if counts.fast else 0.0
            self.phases, self.sync_labels = decode(
                read_phase_records(file, facts.phases, path), self.last_fast_s, counts.marks
            )
            self._read_marks()
        except OSError as error:
            raise OSError(error.errno, error.strerror, path) from error

    def __enter__(self) -> Source:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._file.close()

    @property
    def file(self) -> io.FileIO:
        """The open file, whose position is anywhere."""
        return self._file

    @property
    def end_s(self) -> float:
        """When the trace ends: at its last fast sample, else at the last of another tier."""
        for tier in ("fast", "medium", "slow"):
            if self.counts[tier]:
                return max(self.time_of(tier, self.counts[tier] - 1), 0.0)
        return 0.0

    def records(self, tier: str, rows: Rows) -> npt.NDArray[Any]:
        """Return rows of a tier, as the file has them."""
        kind = _RECORDS[tier]
        block = np.empty(rows.end - rows.first, kind)
        try:
            self._file.seek(self._offsets[tier] + rows.first * kind.itemsize)
            filled = read_into(self._file, block)
        except OSError as error:
            raise OSError(error.errno, error.strerror, self.path) from error
        if filled < block.nbytes:
            refuse("Truncated", "the file was shortened while it was read", self.path)
        return block

    def blocks(
        self, tier: str, rows: Rows | None = None, size: int = BLOCK_ROWS
    ) -> Iterator[tuple[int, npt.NDArray[Any]]]:
        """Go through rows of a tier: for each block the number of its first row, and the block."""
        first, end = rows or Rows(0, self.counts[tier])
        for start in range(first, end, size):
            yield start, self.records(tier, Rows(start, min(start + size, end)))

    def time_of(self, tier: str, row: int) -> float:
        """Return when a sample was taken, in s."""
        return float(self.records(tier, Rows(row, row + 1))["time_s"][0])

    def rows_in(self, tier: str, begin_s: float, end_s: float) -> Rows:
        """Return the samples taken from `begin_s` on and before `end_s`."""
        count = self.counts[tier]
        first, end = (
            bisect.bisect_left(range(count), time, key=lambda row: self.time_of(tier, row))
            for time in (begin_s, end_s)
        )
        return Rows(first, max(first, end))

    def sync_ids(self, first: int, count: int) -> npt.NDArray[np.uint64]:
        """Return the last mark before each of `count` fast samples, 0 before the first."""
        rows = np.arange(first, first + count)
        ids: npt.NDArray[np.uint64] = self._mark_ids[
            np.searchsorted(self._mark_rows, rows, side="right")
        ]
        return ids

    def marks(self) -> list[tuple[int, int]]:
        """Return id and first fast sample of each mark that is the `sync_id` of a sample."""
        # Of several at one sample the last counts.
        is_last = np.ones(len(self._mark_rows), np.bool_)
        is_last[:-1] = self._mark_rows[1:] > self._mark_rows[:-1]
        ids = self._mark_ids[1:][is_last].tolist()
        return list(zip(ids, self._mark_rows[is_last].tolist()))

    def phase_list(self) -> list[TracePhase]:
        """Return the phases by their beginnings; where there are none, those between sync points.

        As `_phase_list.phases_of` does, which needs a column of all samples.
        """
        return named_phases(self.phases, self.end_s) or phases_between(
            self.marks(), self.sync_labels, lambda row: self.time_of("fast", row), self.end_s
        )

    def _read_marks(self) -> None:
        marks = self.records("sync_points", Rows(0, self.counts["sync_points"]))
        marks = marks[marks["fast_sample_idx"] < np.uint64(self.counts["fast"])]
        marks = marks[np.argsort(marks["fast_sample_idx"], kind="stable")]
        self._mark_rows = marks["fast_sample_idx"].astype(np.int64)
        self._mark_ids = np.concatenate(
            (np.zeros(1, np.uint64), marks["sync_id"].astype(np.uint64))
        )
