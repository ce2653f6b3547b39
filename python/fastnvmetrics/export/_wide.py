"""A trace as a wide table: a column for each value, in blocks of rows."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

import numpy as np
import numpy.typing as npt

from .._column_names import column_names
from ._follower import Follower
from ._source import BLOCK_ROWS, Source
from ._timeline import Cut, Timeline, cut_rows

__all__ = ["TIERS", "Column", "Tier", "Values", "WideTable"]

Tier = Literal["fast", "medium", "slow", "aligned"]
TIERS = ("fast", "medium", "slow", "aligned")


@dataclass(frozen=True)
class Column:
    """What a column is.

    Attributes
    ----------
    name
        As `to_pandas` names it.
    kind
        A numpy type; ``"time"`` for nanoseconds since the epoch, ``"text"`` for names.
    unit
        ``""`` where there is none.
    about
        A sentence.
    """

    name: str
    kind: str
    unit: str
    about: str


class Values(NamedTuple):
    """A column of a block: values; which are not known (None: all are); what codes stand for."""

    values: npt.NDArray[Any]
    missing: npt.NDArray[np.bool_] | None = None
    texts: list[str] | None = None


class _Field(NamedTuple):
    column: Column
    tier: str
    field: str
    place: int | None


class WideTable:
    """The rows of a tier, or of all tiers on the times of fast.

    Parameters
    ----------
    source
        The trace.
    tier
        ``"aligned"`` has all columns, with medium and slow carried forward onto the times of fast.
    cut
        Which rows.

    Attributes
    ----------
    columns
        `time` where the trace says when it began, `time_s`, then as `to_pandas` has them; `phase`,
        the innermost at that time, and in fast rows `sync_label` last.
    """

    def __init__(self, source: Source, tier: Tier = "aligned", cut: Cut = None) -> None:
        if tier not in TIERS:
            raise ValueError(f"tier must be one of {', '.join(TIERS)}, not {tier!r}")
        self._source, self._tier, self._cut = source, tier, cut
        self._base = "fast" if tier == "aligned" else tier
        self._rows = cut_rows(source, self._base, cut)
        self._fields = _fields(source, tier)
        self._timeline = Timeline(source.phase_list())
        self._begun_ns = source.header["start_realtime_ns"]
        self.columns = (
            [Column("time", "time", "", "UTC, when the sample's first read began")]
            if self._begun_ns
            else []
        )
        self.columns += [Column("time_s", "f8", "s", "the same, since the recording began")]
        self.columns += [field.column for field in self._fields]
        if self._base == "fast":
            self.columns.append(
                Column("sync_id", "u8", "", "the last sync point before the sample; 0: none")
            )
            self.columns.append(Column("sync_label", "text", "", "its label"))
        self.columns.append(
            Column(
                "phase", "text", "", "the innermost phase: of those open, the one that began last"
            )
        )

    def __len__(self) -> int:
        return sum(rows.end - rows.first for rows in self._rows)

    def blocks(self, size: int = BLOCK_ROWS) -> Iterator[list[Values]]:
        """Go through the rows: for each block the values of its columns."""
        followers: dict[str, Follower] = {}
        if self._tier == "aligned":
            begin = self._cut[0][0] if self._cut else float("-inf")
            followers = {tier: Follower(self._source, tier, begin) for tier in ("medium", "slow")}
        for rows in self._rows:
            for first, block in self._source.blocks(self._base, rows, size):
                yield self._block(first, block, followers)

    def _block(
        self, first: int, block: npt.NDArray[Any], followers: dict[str, Follower]
    ) -> list[Values]:
        times = np.ascontiguousarray(block["time_s"], np.float64)
        found: list[Values] = []
        if self._begun_ns:
            found.append(Values(absolute(self._begun_ns, times)))
        found.append(Values(times))
        records: dict[str, tuple[npt.NDArray[Any], npt.NDArray[np.bool_] | None]] = {
            self._base: (block, None)
        }
        for tier, follower in followers.items():
            carried, known = follower.at(times)
            records[tier] = carried, None if known.all() else ~known
        for field in self._fields:
            held, missing = records[field.tier]
            values = held[field.field] if field.place is None else held[field.field][:, field.place]
            found.append(
                _known(
                    np.ascontiguousarray(values, np.dtype(field.column.kind)),
                    field,
                    missing,
                    self._source,
                )
            )
        if self._base == "fast":
            ids = self._source.sync_ids(first, len(block))
            found += [Values(ids), self._labels(ids)]
        codes = self._timeline.at(times)
        found.append(Values(codes, codes < 0, self._timeline.names))
        return found

    def _labels(self, ids: npt.NDArray[np.uint64]) -> Values:
        labels = self._source.sync_labels
        if not len(labels):
            return Values(np.full(len(ids), -1, np.int32), np.ones(len(ids), np.bool_), [])
        at = np.searchsorted(labels["sync_id"], ids)
        near = np.minimum(at, len(labels) - 1).astype(np.int32)
        return Values(near, labels["sync_id"][near] != ids, labels["label"].tolist())


def absolute(begun_ns: int, times: npt.NDArray[np.float64]) -> npt.NDArray[np.int64]:
    """Return ns since the epoch; times that no clock can show, of damaged traces, count as 0."""
    fitting = np.where(np.abs(times) < 1e9, times, 0.0)
    return begun_ns % 2**62 + np.rint(fitting * 1e9).astype(np.int64)


def _known(
    values: npt.NDArray[Any], field: _Field, missing: npt.NDArray[np.bool_] | None, source: Source
) -> Values:
    """Return values with those marked that stand for one that is not known."""
    unknown = None
    if (
        field.field == "gpu_load"
        and source.header["start_monotonic_ns"]
        and not source.header["gpu_available"]
    ):
        unknown = np.ones(len(values), np.bool_)
    elif field.field == "emc_util":
        unknown = ~(values >= 0)
    elif values.dtype.kind == "f":
        unknown = np.isnan(values)
    if missing is not None:
        unknown = missing if unknown is None else unknown | missing
    return Values(values, unknown if unknown is not None and unknown.any() else None)


def _fields(source: Source, tier: str) -> list[_Field]:
    """Return the columns in the order of `to_pandas`."""
    header = source.header
    fields: list[_Field] = []
    if tier in ("fast", "aligned"):
        for name, kind, unit, about in (
            ("gpu_load", "u2", "‰", "GPU load, 0 to 1000"),
            ("cpu_aggregate", "f4", "%", "utilisation of the online cores, mean"),
            ("ram_used_kb", "u8", "kB", "RAM in use"),
            ("ram_available_kb", "u8", "kB", "RAM that programs can have"),
            ("emc_util", "f4", "%", "utilisation of the memory controller"),
        ):
            fields.append(_Field(Column(name, kind, unit, about), "fast", name, None))
        fields += [
            _Field(
                Column(f"cpu_util_{core}", "f4", "%", f"utilisation of core {core}"),
                "fast",
                "cpu_util",
                core,
            )
            for core in range(header["num_cpu_cores"])
        ]
    if tier in ("medium", "aligned"):
        rails = header["power_rail_names"]
        for name, kind, unit, what in (
            ("voltage_mv", "u4", "mV", "voltage"),
            ("current_ma", "u4", "mA", "current"),
            ("power_mw", "f4", "mW", "power"),
        ):
            fields += [
                _Field(
                    Column(column, kind, unit, f"{what} of the rail {label}"), "medium", name, index
                )
                for index, (column, label) in enumerate(zip(column_names(name, rails), rails))
            ]
    if tier in ("slow", "aligned"):
        zones = header["thermal_zone_names"]
        fields += [
            _Field(
                Column(column, "f4", "°C", f"temperature of the zone {label}"),
                "slow",
                "temp_c",
                index,
            )
            for index, (column, label) in enumerate(zip(column_names("temp_c", zones), zones))
        ]
    return fields
