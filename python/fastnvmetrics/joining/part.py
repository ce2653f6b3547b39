"""A trace that becomes part of another."""

from __future__ import annotations

import os
from collections.abc import Iterable

import numpy as np
import numpy.typing as npt

from .. import trace_format as layout
from .._paths import PathLike
from .._trace_file import (
    Counts,
    checked_counts,
    header_data,
    open_regular,
    read_header,
    read_into,
    refuse,
)
from ..chunks import Facts, read_facts, read_phase_records

__all__ = ["RECORDS", "TracePart"]

RECORDS = {
    "fast": layout.FAST_SAMPLE,
    "medium": layout.MEDIUM_SAMPLE,
    "slow": layout.SLOW_SAMPLE,
}
_BLOCK_BYTES = 1 << 20


class TracePart:
    """A complete trace, of which the samples from some moment on are kept."""

    def __init__(self, path: PathLike) -> None:
        self.path = os.fspath(path)
        self._file = open_regular(self.path)
        try:
            self.header = read_header(self._file, self.path)
            size = os.fstat(self._file.fileno()).st_size
            self.counts: Counts = checked_counts(self.header, size, self.path)
            self.told = header_data(self.header)
            self.start_ns = self.told["start_monotonic_ns"]
            if not self.start_ns:
                refuse("Cannot be joined", "it does not say when it began", self.path)
            #: By tier: the first sample that is kept.
            self.first = dict.fromkeys(RECORDS, 0)
            # A trace ends at its last fast sample; other tiers of one that was rotated can go on a
            # little longer.
            tiers = ["fast"] if self.counts.fast else list(RECORDS)
            self.end_ns = max(self.last_ns(tier) for tier in tiers)
        except BaseException:
            self._file.close()
            raise

    def __enter__(self) -> TracePart:
        return self

    def __exit__(self, *reason: object) -> None:
        self._file.close()

    def count(self, tier: str) -> int:
        return int(getattr(self.counts, tier))

    def kept(self, tier: str) -> int:
        return self.count(tier) - self.first[tier]

    def facts(self) -> Facts:
        return read_facts(self._file, self.header, self.path)

    def phase_records(self, facts: Facts) -> list[bytes]:
        return read_phase_records(self._file, facts.phases, self.path)

    def sync_points(self) -> npt.NDArray[np.void]:
        return self._read("marks", 0, self.counts.marks)

    def cut(self, start_ns: int) -> None:
        """Keep samples from that moment on."""
        for tier in RECORDS:
            low, high = 0, self.count(tier)
            while low < high:
                middle = (low + high) // 2
                if self._time_ns(tier, middle) < start_ns - self.start_ns:
                    low = middle + 1
                else:
                    high = middle
            self.first[tier] = low

    def blocks(self, tier: str) -> Iterable[npt.NDArray[np.void]]:
        """Yield what is kept of a tier."""
        step = _BLOCK_BYTES // RECORDS[tier].itemsize
        for begin in range(self.first[tier], self.count(tier), step):
            yield self._read(tier, begin, min(step, self.count(tier) - begin))

    def first_ns(self, tier: str) -> int:
        """Return when the first sample of a tier was taken, of CLOCK_MONOTONIC."""
        return self.start_ns + (self._time_ns(tier, 0) if self.count(tier) else 0)

    def last_ns(self, tier: str) -> int:
        """Return when the last was."""
        count = self.count(tier)
        return self.start_ns + (self._time_ns(tier, count - 1) if count else 0)

    def _time_ns(self, tier: str, index: int) -> int:
        seconds = float(self._read(tier, index, 1)["time_s"][0])
        if not 0 <= seconds < 1e9:
            refuse("Cannot be joined", f"a {tier} sample has the time {seconds}", self.path)
        return round(seconds * 1e9)

    def _read(self, tier: str, first: int, count: int) -> npt.NDArray[np.void]:
        counts = self.counts
        begin = layout.HEADER.itemsize
        for name, record in (*RECORDS.items(), ("marks", layout.SYNC_POINT)):
            if name == tier:
                break
            begin += getattr(counts, name) * record.itemsize
        records: npt.NDArray[np.void] = np.zeros(count, record)
        self._file.seek(begin + first * record.itemsize)
        if read_into(self._file, records) < records.nbytes:
            refuse("Truncated", "the file was shortened while it was read", self.path)
        return records
