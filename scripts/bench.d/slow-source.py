"""What the other columns do while the GPU takes 3 s to answer, against the same board without delays.

Reads cost what they do on an AGX Orin until, a second after the start, one of the GPU's load takes
3 s. What is shown is of those 3 s; on the other side it is of the same stretch of a recording of
which no read costs anything.
"""

from __future__ import annotations

import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

import fastnvmetrics as fm
import report
from information import information
from slow_board import SlowBoard, Unavailable, slow_board

BEFORE_S = 1.0
HANG_S = 3.0
AFTER_S = 0.5
STOP_BOUND_MS = 5.0

Run = dict[str, Any]


def main() -> None:
    options = report.parser(__doc__, pairs=5).parse_args()
    try:
        with slow_board() as board, tempfile.TemporaryDirectory() as directory:
            measure(board, Path(directory, "run.bin"), options)
    except Unavailable as reason:
        print(f"slow-source: not measured, since {reason}.")


def measure(board: SlowBoard, trace: Path, options: Any) -> None:
    made = report.Report(
        "slow-source",
        options,
        [
            f"{options.pairs} × 2 runs",
            f"a round trip through FUSE took {board.round_trip_us:.0f} µs",
        ],
        sides=("the GPU hangs", "no delays"),
    )
    pairs = report.in_turns(
        options.pairs,
        lambda: record(board, trace, True),
        lambda: record(board, trace, False),
        "3 s",
    )

    def row(
        figure: str, of: Callable[[Run], float], digits: int, unit: str, compares: bool = True
    ) -> None:
        ours, theirs = ([of(run) for run in side] for side in zip(*pairs))
        apart = [a - b for a, b in zip(ours, theirs)]
        made.row(
            figure,
            report.spread(ours, digits, unit),
            report.spread(theirs, digits, unit),
            report.spread(apart, digits, f"{unit.replace(' %', ' points')} more")
            if compares
            else "",
        )

    for tier, hz in (("fast", 1000), ("medium", 100), ("slow", 10)):
        for what in ("99th percentile", "most"):
            row(f"gap between samples, {tier}, {what}", lambda run: run[tier][what], 2, " ms")
        row(f"ticks missed of {HANG_S * hz:.0f}, {tier}", lambda run: run[tier]["missed"], 0, "")
    for column in pairs[0][0]["seen"]:
        row(f"values seen, {column}", lambda run: run["seen"][column], 1, " %")
    row("mean CPU utilisation above the truth", lambda run: run["cpu"], 2, " points")
    for source in ("gpu", "emc", "ram", "rails", "zones"):
        row(f"oldest value, {source}", lambda run: run["oldest"][source], 1, " ms", False)
    row("stop", lambda run: run["stop_ms"], 1, " ms")
    stops = [stop_while_hanging(board, trace) for _ in pairs]
    free = [run["stop_ms"] for _, run in pairs]
    more = [a - b for a, b in zip(stops, free)]
    made.row(
        "stop, while the read hangs",
        report.spread(stops, 1, " ms"),
        report.spread(free, 1, " ms"),
        report.spread(more, 1, " ms more"),
        f"≤ {STOP_BOUND_MS:g} ms more",
        statistics.median(more) <= STOP_BOUND_MS,
    )
    made.note(
        "values seen: how many of the values that the hardware had in those 3 s are in the trace, "
        "some per cent more or less at their ends; while its read hangs the GPU's load is held"
    )
    made.note(
        "oldest value: the age of the oldest value that a sample took in the whole recording, as "
        "its stats say"
    )
    made.note("stop: with the last flush, which is the disk's")
    made.close()


def record(board: SlowBoard, trace: Path, is_slow: bool) -> Run:
    config = fm.detect_board(root=board.root)
    board.tell("free", int(not is_slow))
    try:
        with fm.NVMetrics(trace, board=config) as recorder:
            time.sleep(BEFORE_S)
            begin = time.monotonic_ns()
            if is_slow:
                begin = hang(board)
            time.sleep(HANG_S + AFTER_S)
            stopping = time.perf_counter_ns()
            recorder.stop()
            stopped = time.perf_counter_ns()
    finally:
        board.tell("free", 0)
    data = fm.read_trace(trace)
    window = (begin, begin + HANG_S * 1e9)
    found = information(board.truth, data, window)
    oldest: dict[str, float] = {}
    for source in recorder.stats["sources"]:
        group = {"medium": "rails", "slow": "zones"}.get(source["tier"], source["name"])
        oldest[group] = max(oldest.get(group, 0.0), source["oldest_us"] / 1000)
    fast = data["start_monotonic_ns"] + 1e9 * data["fast_time_s"]
    inside = (fast >= window[0]) & (fast < window[1])
    busy = np.nanmean(data["cpu_util"][inside], axis=0) - board.truth.duty_percent
    return {
        "seen": found["seen"],
        "cpu": float(np.nanmean(busy)),
        "oldest": oldest,
        "stop_ms": (stopped - stopping) / 1e6,
        **{
            tier: gaps(data["start_monotonic_ns"] + 1e9 * data[f"{tier}_time_s"], period, window)
            for tier, period in (("fast", 1e6), ("medium", 1e7), ("slow", 1e8))
        },
    }


def gaps(times: Any, period_ns: float, window: tuple[float, float]) -> dict[str, float]:
    """Gaps that begin within the window, in ms, and the ticks that were missed in them."""
    between = np.diff(times)[(times[:-1] >= window[0]) & (times[:-1] < window[1])]
    return {
        "99th percentile": float(np.percentile(between, 99)) / 1e6,
        "most": float(between.max()) / 1e6,
        "missed": float(np.maximum(np.rint(between / period_ns) - 1, 0).sum()),
    }


def hang(board: SlowBoard) -> int:
    """Have the next read of the load take long; return when it began, in ns."""
    before = board.said()["hang_began_ns"]
    board.tell("hang", int(HANG_S * 1e9))
    while (began := int(board.said()["hang_began_ns"])) == before:
        time.sleep(0.001)
    return began


def stop_while_hanging(board: SlowBoard, trace: Path) -> float:
    """How long stop takes, in ms."""
    recorder = fm.NVMetrics(trace, board=fm.detect_board(root=board.root))
    with recorder:
        time.sleep(0.3)
        began = hang(board)
        time.sleep(0.2)
        stopping = time.perf_counter_ns()
        recorder.stop()
        stopped = time.perf_counter_ns()
    if stopped < began + HANG_S * 1e9:
        time.sleep((began + HANG_S * 1e9 - time.monotonic_ns()) / 1e9 + 0.1)
    return (stopped - stopping) / 1e6


if __name__ == "__main__":
    main()
