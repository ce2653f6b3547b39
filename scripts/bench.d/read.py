"""Reading back: read_trace against numpy.fromfile of the same bytes and the copies that contiguous arrays need.

The file is in the page cache, as it is just after it was recorded: what is measured is the work, not the disk.
"""

from __future__ import annotations

import gc
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

import fastnvmetrics as fm
import report
from fastnvmetrics import trace_format as layout

BOUND = 1.5
OPEN_BOUND_MS = 10.0
LINEAR_BOUND = 1.2
CORES, RAILS, ZONES = 12, 4, 9
MARKS = 1000
TIERS = (
    (layout.FAST_SAMPLE, "num_fast_samples", "num_cpu_cores"),
    (layout.MEDIUM_SAMPLE, "num_medium_samples", "num_power_rails"),
    (layout.SLOW_SAMPLE, "num_slow_samples", "num_thermal_zones"),
    (layout.SYNC_POINT, "num_sync_points", ""),
)


def write_trace(path: Path, fast: int, marks: int, *, is_sparse: bool = False) -> None:
    """Make the trace of an AGX Orin at the default rates; a sparse one is all zeros but its header."""
    header = np.zeros(1, layout.HEADER)
    counts = (fast, fast // 10, fast // 100, marks)
    for (_, count, _), value in zip(TIERS, counts):
        header[count] = value
    for name, value in (
        ("magic", layout.MAGIC),
        ("version", layout.VERSION),
        ("board_name", b"agx_orin"),
        ("num_cpu_cores", CORES),
        ("num_power_rails", RAILS),
        ("num_thermal_zones", ZONES),
        ("fast_hz", 1000),
        ("medium_hz", 100),
        ("slow_hz", 10),
        ("flags", layout.FLAG_VALID | layout.FLAG_CLOSED),
    ):
        header[name] = value
    size = header.nbytes + sum(n * record.itemsize for n, (record, _, _) in zip(counts, TIERS))
    with open(path, "wb") as file:
        file.write(header.tobytes())
        if is_sparse:
            file.truncate(size)
            return
        for (record, _, _), count, period in zip(TIERS, counts, (1e-3, 1e-2, 1e-1, 0.0)):
            for begin in range(0, count, 1 << 16):
                index = np.arange(begin, min(begin + (1 << 16), count))
                rows = np.zeros(len(index), record)
                if period:
                    rows["time_s"] = index * period
                else:
                    rows["sync_id"] = index + 1
                    rows["fast_sample_idx"] = index * (fast // max(marks, 1))
                rows.tofile(file)


def floor(path: Path) -> list[Any]:
    """What no reader that gives contiguous arrays can do without, as numpy does it."""
    header = np.fromfile(path, layout.HEADER, 1)[0]
    offset = layout.HEADER.itemsize
    columns = []
    for record, count_field, width_field in TIERS:
        count = int(header[count_field])
        rows = np.fromfile(path, record, count, offset=offset)
        offset += rows.nbytes
        for name in record.names or ():
            column = rows[name]
            if column.ndim == 2:
                column = column[:, : int(header[width_field])]
            columns.append(np.ascontiguousarray(column))
    return columns


def fromfile_alone(path: Path) -> Any:
    """The bytes, and nothing made of them."""
    return np.fromfile(path, np.uint8)


def seconds(what: Callable[[Path], Any], path: Path) -> float:
    """How long it takes; giving the memory back is not counted."""
    gc.collect()
    begin = time.perf_counter()
    result = what(path)
    elapsed = time.perf_counter() - begin
    del result
    return elapsed


def open_mapped(path: Path) -> None:
    """Open a trace, look at its last sample, close it."""
    with fm.map_trace(path) as trace:
        assert trace["fast_time_s"][-1] >= 0


def main() -> None:
    parser = report.parser(__doc__, pairs=11)
    parser.add_argument("--samples", type=int, default=3_600_000, help="fast samples (%(default)s)")
    options = parser.parse_args()
    made = report.Report(
        "read",
        options,
        [
            f"{options.pairs} × 2 runs",
            f"Python {'.'.join(map(str, sys.version_info[:3]))}, numpy {np.__version__}",
            "files in the page cache",
        ],
    )
    with tempfile.TemporaryDirectory(prefix="fastnvmetrics-bench-") as directory:
        measure(made, Path(directory), options.pairs, options.samples)
    made.close()


def measure(made: report.Report, directory: Path, pairs: int, samples: int) -> None:
    hour, many, half, tenfold = (directory / name for name in ("hour", "many", "half", "tenfold"))
    write_trace(hour, samples, MARKS)
    size = hour.stat().st_size / 1e6

    def compare(
        ours: Callable[[Path], Any], floor_of: Callable[[Path], Any], a: Path, b: Path, what: str
    ) -> tuple[list[float], list[float], list[float]]:
        for warming in (lambda: ours(a), lambda: floor_of(b)):
            warming()
        results = report.in_turns(
            pairs, lambda: seconds(ours, a) * 1e3, lambda: seconds(floor_of, b) * 1e3, what
        )
        return [x for x, _ in results], [y for _, y in results], [x / y for x, y in results]

    ours, theirs, ratios = compare(fm.read_trace, floor, hour, hour, "read_trace")
    made.row(
        f"read_trace, {samples} fast samples, {MARKS} sync points, {size:.0f} MB",
        report.spread(ours, 0, " ms"),
        report.spread(theirs, 0, " ms"),
        report.spread(ratios),
        f"≤ {BOUND}",
        statistics.median(ratios) <= BOUND,
    )
    ours, theirs, ratios = compare(fm.read_trace, fromfile_alone, hour, hour, "fromfile alone")
    made.row(
        "the same against numpy.fromfile alone",
        report.spread(ours, 0, " ms"),
        report.spread(theirs, 0, " ms"),
        report.spread(ratios),
    )

    write_trace(half, samples // 2, MARKS)
    ours, theirs, ratios = compare(fm.read_trace, fm.read_trace, hour, half, "twice the samples")
    made.row(
        "twice the samples against half of them",
        report.spread(ours, 0, " ms"),
        report.spread(theirs, 0, " ms"),
        report.spread(ratios),
        f"linear: ≤ {2 * LINEAR_BOUND:g}",
        statistics.median(ratios) <= 2 * LINEAR_BOUND,
    )
    half.unlink()

    # Few samples and many marks, so that the marks are what takes the time.
    few = max(samples // 36, 1)
    write_trace(half, few, samples // 2)
    write_trace(many, few, samples)
    ours, theirs, ratios = compare(
        fm.read_trace, fm.read_trace, many, half, "twice the sync points"
    )
    made.row(
        f"{samples} sync points against half of them",
        report.spread(ours, 0, " ms"),
        report.spread(theirs, 0, " ms"),
        report.spread(ratios),
        f"linear: ≤ {2 * LINEAR_BOUND:g}",
        statistics.median(ratios) <= 2 * LINEAR_BOUND,
    )

    write_trace(tenfold, 10 * samples, MARKS, is_sparse=True)
    ours, theirs, ratios = compare(open_mapped, open_mapped, tenfold, hour, "map_trace")
    made.row(
        "map_trace, ten times the length against once",
        report.spread(ours, 3, " ms"),
        report.spread(theirs, 3, " ms"),
        report.spread(ratios),
        f"≤ {OPEN_BOUND_MS:g} ms",
        statistics.median(ours) <= OPEN_BOUND_MS,
    )
    made.note(
        "the floor is numpy.fromfile of the records of each tier and a contiguous copy of each column; "
        "read_trace can be below it because it never holds the whole file"
    )
    made.note(
        f"map_trace opens, looks at the last sample and closes; the longer file has "
        f"{tenfold.stat().st_size / 1e9:.1f} GB and is sparse"
    )


if __name__ == "__main__":
    main()
