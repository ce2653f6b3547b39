"""How late ticks are, against a bare thread that does nothing but clock_nanosleep with the same slack.

With the machine left alone, and with one busy process of normal priority for each core. Both lateness are those of
the moment in which the thread runs again: of the recorder the time that its samples carry.
"""

from __future__ import annotations

import statistics
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

import report
from fastnvmetrics import read_trace
from load import burners
from programs import WARM_SECONDS, Programs, compiler_version, this_machine

MEDIAN_BOUND_US = 20
P99_BOUND = 1.2
WARM_UP_SAMPLES = 10


def grid_lateness(trace: Path, hz: int) -> dict[str, float]:
    """Lateness as the times of the samples tell it, in ns, from the end of the warm-up on.

    Where the grid lies nobody wrote down: its edge is found where the times begin to crowd, so that the least
    lateness counts as none. Each sample is held against the first deadline after the one before it.
    """
    period = 1_000_000_000 // hz
    times = np.rint(read_trace(trace)["fast_time_s"] * 1e9).astype(np.int64)
    times = times[WARM_UP_SAMPLES:-1]  # The last one is the closing sample, on no deadline.
    width = 1000
    bins = np.bincount(times % period // width, minlength=-(-period // width))
    edge = int(bins.argmax())
    while bins[edge - 1] > bins.max() // 1000:
        edge -= 1
    grid = edge % len(bins) * width
    # A sample a little before the edge belongs to the deadline at it.
    deadlines = (times[:-1] - grid + 10 * width) // period * period + period + grid
    late = times[1:] - deadlines
    late = np.sort(np.maximum(late[times[1:] >= WARM_SECONDS * 1e9], 0))
    return {
        "late_median_ns": float(late[len(late) // 2]),
        "late_p99_ns": float(late[len(late) - 1 - len(late) // 100]),
        "late_most_ns": float(late[-1]),
    }


def main() -> None:
    parser = report.parser(__doc__, pairs=11, seconds=10.0)
    parser.add_argument("--hz", type=int, default=1000, help="fast rate (%(default)s)")
    options = parser.parse_args()
    programs = Programs()
    machine = this_machine()
    length = f"{options.pairs} × 2 runs of {options.seconds:g} s at {options.hz} Hz"
    made = report.Report("lateness", options, [length, compiler_version()])

    def measure(name: str) -> None:
        with tempfile.TemporaryDirectory(prefix="fastnvmetrics-bench-") as directory:
            trace = Path(directory, "run.bin")

            def record() -> dict[str, Any]:
                said = programs.record(machine, options.hz, options.seconds, trace)
                return {**said, "grid": grid_lateness(trace, options.hz)}

            pairs = report.in_turns(
                options.pairs, record, lambda: programs.bare(options.hz, options.seconds), name
            )
        # The engine's own word where it gives one; else both are held against their least lateness.
        is_told = all("late_median_ns" in a for a, _ in pairs)

        def ours(key: str) -> list[float]:
            return [(a if is_told else a["grid"])[key] / 1000 for a, _ in pairs]

        def bare(key: str) -> list[float]:
            return [(b[key] - (0 if is_told else b["late_least_ns"])) / 1000 for _, b in pairs]

        excess = [a - b for a, b in zip(ours("late_median_ns"), bare("late_median_ns"))]
        made.row(
            f"median, {name}",
            report.spread(ours("late_median_ns"), 1, " µs"),
            report.spread(bare("late_median_ns"), 1, " µs"),
            report.spread(excess, 1, " µs more"),
            f"≤ {MEDIAN_BOUND_US} µs more",
            statistics.median(excess) <= MEDIAN_BOUND_US,
        )
        ratios = [a / b for a, b in zip(ours("late_p99_ns"), bare("late_p99_ns"))]
        made.row(
            f"99th percentile, {name}",
            report.spread(ours("late_p99_ns"), 1, " µs"),
            report.spread(bare("late_p99_ns"), 1, " µs"),
            report.spread(ratios, 2),
            f"≤ {P99_BOUND}",
            statistics.median(ratios) <= P99_BOUND,
        )
        worst = [a / b for a, b in zip(ours("late_most_ns"), bare("late_most_ns"))]
        made.row(
            f"most, {name}",
            report.spread(ours("late_most_ns"), 0, " µs"),
            report.spread(bare("late_most_ns"), 0, " µs"),
            report.spread(worst, 2),
        )
        if not is_told:
            made.note(
                f"{name}: above the least lateness of each run, which for the bare thread was "
                f"{report.spread([b['late_least_ns'] / 1000 for _, b in pairs], 1, ' µs')}"
            )
            return
        apart = [(a["late_median_ns"] - a["grid"]["late_median_ns"]) / 1000 for a, _ in pairs]
        made.note(
            f"{name}: the engine's median is {report.spread(apart, 1, ' µs')} above what the times of the "
            "samples say, which lack the least lateness of the run"
        )

    measure("idle")
    with burners():
        measure("every core loaded")
    made.close()


if __name__ == "__main__":
    main()
