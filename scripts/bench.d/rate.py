"""10 kHz for a minute: missed ticks against a C program that does the same reads; start and stop."""

from __future__ import annotations

import statistics
import tempfile
from pathlib import Path
from typing import Any

import report
from fastnvmetrics import map_trace
from programs import WARM_SECONDS, Programs, compiler_version, this_machine

START_BOUND_MS = 2.0
STOP_BOUND_MS = 5.0


def main() -> None:
    parser = report.parser(__doc__, pairs=3, seconds=60.0)
    parser.add_argument("--hz", type=int, default=10_000, help="fast rate (%(default)s)")
    options = parser.parse_args()
    programs = Programs()
    machine = this_machine()
    length = f"{options.pairs} × 2 runs of {options.seconds:g} s at {options.hz} Hz"
    made = report.Report("rate", options, [length, compiler_version()])

    with tempfile.TemporaryDirectory(prefix="fastnvmetrics-bench-") as directory:
        trace = Path(directory, "run.bin")

        def record() -> dict[str, Any]:
            said = programs.record(machine, options.hz, options.seconds, trace)
            with map_trace(trace) as mapped:
                first = float(mapped["fast_time_s"][0]) * 1e9
                said["first_ns"] = mapped.header["start_monotonic_ns"] + first
                said["samples_written"] = len(mapped.fast)
            return said

        pairs = report.in_turns(
            options.pairs,
            record,
            lambda: programs.floor(machine, options.hz, options.seconds),
            f"{options.hz} Hz",
        )

    def share(result: dict[str, Any]) -> float:
        """Ticks missed, in percent."""
        return 100 * result["missed"] / (result["ticks"] + result["missed"])

    ours = [share(a) for a, _ in pairs]
    floor = [share(b) for _, b in pairs]
    differences = [a - b for a, b in zip(ours, floor)]
    width = max(floor) - min(floor)
    made.row(
        "ticks missed",
        report.spread(ours, 3, " %"),
        report.spread(floor, 3, " %"),
        report.spread(differences, 3, " points more"),
        f"≤ the floor's spread, {width:.3f} points",
        statistics.median(differences) <= width,
    )
    lost = max(a["dropped"] + a["whole_ticks"] - a["samples_written"] for a, _ in pairs)
    made.row("samples lost", str(lost), "", "", "none", lost == 0)

    first = [(a["first_ns"] - a["before_start_ns"]) / 1e6 for a, _ in pairs]
    made.row(
        "from the call of start to the first sample",
        report.spread(first, 2, " ms"),
        "",
        report.spread(first, 2, " ms"),
        f"≤ {START_BOUND_MS:g} ms",
        statistics.median(first) <= START_BOUND_MS,
    )
    returned = [(a["started_ns"] - a["before_start_ns"]) / 1e6 for a, _ in pairs]
    made.row("start, until it is back", report.spread(returned, 2, " ms"), "", "")
    stop = [a["stop_ns"] / 1e6 for a, _ in pairs]
    flush = [a["flush_ns"] / 1e6 for a, _ in pairs]
    rest = [a - b for a, b in zip(stop, flush)]
    made.row(
        "stop, beside the last flush",
        report.spread(stop, 2, " ms"),
        report.spread(flush, 2, " ms"),
        report.spread(rest, 2, " ms more"),
        f"≤ {STOP_BOUND_MS:g} ms more",
        statistics.median(rest) <= STOP_BOUND_MS,
    )
    made.note(
        f"missed: of {options.seconds * options.hz:.0f} ticks from {WARM_SECONDS:g} s after the start; "
        f"the last flush is the fdatasync within stop, of a trace of {trace_megabytes(pairs):.0f} MB"
    )
    made.close()


def trace_megabytes(pairs: list[tuple[dict[str, Any], dict[str, Any]]]) -> float:
    """The size of the longest trace."""
    return max(a["samples_written"] for a, _ in pairs) * 98 / 1e6


if __name__ == "__main__":
    main()
