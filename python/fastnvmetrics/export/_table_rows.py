"""The rows that a trace has in each table of a dataset."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

from .._column_names import column_names
from .._rail_sensors import total_rails
from ._arrow import GROUP_ROWS
from ._facts import facts, json_text
from ._figures import Figures, figures_of
from ._source import Source
from ._timeline import Timeline
from ._wide import Values, absolute

__all__ = ["TableRows", "as_text", "mapping"]

#: Columns of `runs` that are what META says of the board.
_BOARD = (
    "host",
    "serial",
    "model",
    "l4t_release",
    "kernel_release",
    "power_mode",
    "power_mode_name",
)

#: Columns by name, and under ``"samples"`` how many samples of the trace they are.
Batches = Iterator[dict[str, Any]]


class TableRows:
    """The rows of a run in each table."""

    def __init__(self, source: Source, run: str) -> None:
        self._source, self._run = source, run
        self._header = source.header
        self._begun_ns = self._header["start_realtime_ns"]
        self._phases = source.phase_list()
        self._timeline = Timeline(self._phases)
        self._figures: tuple[Figures, list[Figures]] | None = None

    def batches(self, table: str) -> Batches:
        """Go through the rows of a table, a row group at a time."""
        found: Batches = getattr(self, f"_{table}_batches")()
        return found

    def _common(self, times: npt.NDArray[np.float64], repeats: int = 1) -> dict[str, Any]:
        """Return the columns that tables of samples share."""
        codes = self._timeline.at(times)
        times, codes = np.repeat(times, repeats), np.repeat(codes, repeats)
        return {
            "run": Values(np.zeros(len(times), np.int32), None, [self._run]),
            "time": self._times(times),
            "time_s": times,
            "phase": Values(codes, codes < 0, self._timeline.names),
        }

    def _times(self, times: npt.NDArray[np.float64]) -> Any:
        import pyarrow as pa

        if not self._begun_ns:
            return pa.nulls(len(times), pa.timestamp("us", tz="UTC"))
        return pa.array(absolute(self._begun_ns, times) // 1000).view(pa.timestamp("us", tz="UTC"))

    def _fast_batches(self) -> Batches:
        import pyarrow as pa

        header = self._header
        cores = header["num_cpu_cores"]
        no_gpu = bool(header["start_monotonic_ns"]) and not header["gpu_available"]
        for first, block in self._source.blocks("fast", size=GROUP_ROWS):
            count = len(block)
            offsets = pa.array(np.arange(count + 1, dtype=np.int32) * cores, pa.int32())
            utils = pa.array(
                np.ascontiguousarray(block["cpu_util"][:, :cores]).ravel(), from_pandas=True
            )
            yield {
                **self._common(np.array(block["time_s"])),
                "gpu_load": Values(
                    block["gpu_load"].astype(np.int64), np.ones(count, np.bool_) if no_gpu else None
                ),
                "cpu_aggregate": np.array(block["cpu_aggregate"]),
                "cpu_util": pa.ListArray.from_arrays(offsets, utils),
                "emc_util": np.where(block["emc_util"] < 0, np.float32(np.nan), block["emc_util"]),
                "ram_used_kb": block["ram_used_kb"].astype(np.int64),
                "ram_available_kb": block["ram_available_kb"].astype(np.int64),
                "sync_id": self._source.sync_ids(first, count).astype(np.int64),
                "samples": count,
            }

    def _rails_batches(self) -> Batches:
        labels = _labels(self._header["power_rail_names"])
        width = len(labels)
        parts = np.zeros(width, np.bool_)
        parts[total_rails(self._header)] = True
        known = bool(parts.any())
        for _, block in (
            self._source.blocks("medium", size=max(GROUP_ROWS // max(width, 1), 1)) if width else ()
        ):
            count = len(block)
            in_total = np.tile(parts, count)
            yield {
                **self._common(np.array(block["time_s"]), width),
                "rail": Values(np.tile(np.arange(width, dtype=np.int32), count), None, labels),
                "in_total": Values(in_total, None if known else np.ones(len(in_total), np.bool_)),
                **{
                    name: block[name][:, :width].astype(kind).ravel()
                    for name, kind in (
                        ("voltage_mv", "i8"),
                        ("current_ma", "i8"),
                        ("power_mw", "f4"),
                    )
                },
                "samples": count,
            }

    def _zones_batches(self) -> Batches:
        labels = _labels(self._header["thermal_zone_names"])
        width = len(labels)
        for _, block in (
            self._source.blocks("slow", size=max(GROUP_ROWS // max(width, 1), 1)) if width else ()
        ):
            count = len(block)
            yield {
                **self._common(np.array(block["time_s"]), width),
                "zone": Values(np.tile(np.arange(width, dtype=np.int32), count), None, labels),
                "temp_c": block["temp_c"][:, :width].astype("f4").ravel(),
                "samples": count,
            }

    def _marks_batches(self) -> Batches:
        labels = {int(row["sync_id"]): row for row in self._source.sync_labels}
        rows = dict(self._source.marks())
        ids = sorted({*rows, *labels})
        times = [
            int(labels[sync_id]["time_ns"]) / 1e9
            if sync_id in labels
            else self._source.time_of("fast", rows[sync_id])
            for sync_id in ids
        ]
        yield {
            **self._common(np.array(times, np.float64)),
            "sync_id": np.array(ids, np.uint64).astype(np.int64),
            "label": [
                str(labels[sync_id]["label"]) if sync_id in labels else None for sync_id in ids
            ],
        }

    def _known_figures(self) -> tuple[Figures, list[Figures]]:
        if self._figures is None:
            self._figures = figures_of(self._source, self._phases)
        return self._figures

    def _phases_batches(self) -> Batches:
        rows = list(zip(self._phases, self._known_figures()[1]))
        begins = np.array([phase.begin_s for phase, _ in rows], np.float64)
        ends = np.array([phase.end_s for phase, _ in rows], np.float64)
        yield {
            "run": [self._run] * len(rows),
            "begin": self._times(begins),
            "end": self._times(ends),
            "phase": [phase.name for phase, _ in rows],
            **{
                name: [getattr(phase, name) for phase, _ in rows]
                for name in ("id", "parent", "depth", "thread", "was_ended")
            },
            "begin_s": begins,
            "end_s": ends,
            **_columns_of([figures for _, figures in rows]),
        }

    def _runs_batches(self) -> Batches:
        header, source = self._header, self._source
        metadata = mapping(header["metadata"])
        board = mapping(metadata.get("board"))
        annotations = mapping(metadata.get("annotations"))
        code = as_text(annotations.get("exit_code")) or ""
        yield {
            "run": [self._run],
            "begin": self._times(np.zeros(1)),
            "source": [os.path.basename(os.fsdecode(source.path))],
            "board": [header["board_name"]],
            **{key: [as_text(board.get(key))] for key in _BOARD},
            "library_version": [as_text(metadata.get("library_version"))],
            "command": [as_text(annotations.get("command"))],
            "exit_code": [int(code) if re.fullmatch("-?[0-9]{1,9}", code) else None],
            "annotations": [json_text(annotations) if annotations else None],
            "cores": [header["num_cpu_cores"]],
            "rails": [_labels(header["power_rail_names"])],
            "zones": [_labels(header["thermal_zone_names"])],
            **{f"{tier}_hz": [header[f"{tier}_hz"]] for tier in ("fast", "medium", "slow")},  # type: ignore[literal-required]
            **{f"{tier}_samples": [source.counts[tier]] for tier in ("fast", "medium", "slow")},
            "missed": [header["missed_fast"] + header["missed_medium"] + header["missed_slow"]],
            "dropped_samples": [header["dropped_samples"]],
            "read_errors": [header["read_errors"]],
            "recovered": [header["recovered"]],
            **_columns_of([self._known_figures()[0]]),
            "metadata": [
                None if header["metadata"] is None else json_text(facts(source)["metadata"])
            ],
            "stats": [None if header["stats"] is None else json_text(facts(source)["stats"])],
        }


def _columns_of(rows: list[Figures]) -> dict[str, list[Any]]:
    names = "duration_s energy_j energy_uncertainty_j mean_power_w gpu_percent cpu_percent".split()
    names += "emc_percent ram_peak_kb temp_max_c".split()
    return {name: [getattr(row, name) for row in rows] for name in names}


def _labels(names: list[str]) -> list[str]:
    """Return names of which each is another."""
    return [name[2:] for name in column_names("_", names)]


def mapping(value: Any) -> dict[str, Any]:
    """Return an object of JSON; empty where it is another kind of value."""
    return value if isinstance(value, dict) else {}


def as_text(value: Any) -> str | None:
    """Return what JSON holds as text, which UTF-8 can hold."""
    if value is None:
        return None
    return value.encode("utf-8", "replace").decode() if isinstance(value, str) else json_text(value)
