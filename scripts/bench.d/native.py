"""Time spent in reads with native rates against reading at every tick, on a simulated slow board.

Its reads cost what those of a real one do. What is lost by reading less is in the same table: how
many of the values that the hardware had are in the trace, and how far the mean power is from the
truth. So is whether an idle GPU can sleep meanwhile.
"""

from __future__ import annotations

import statistics
import tempfile
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import fastnvmetrics as fm
import report
from information import information
from slow_board import (
    COST_US,
    EMC_REFRESH_US,
    LOAD_REFRESH_US,
    RAIL_REFRESH_US,
    RAM_COST_US,
    SlowBoard,
    Unavailable,
    slow_board,
)

BOUND = 5.0
DEFAULT_RATES = (1000, 100, 10)
#: Rails read more often than their sensors measure.
FAST_RAILS = (1000, 500, 10)
RAIL_COLUMNS = ("currents", "voltages")
GROUPS = ("gpu", "emc", "rails", "zones", "cpu", "ram")
#: A GPU is asked for a second after its last load, and falls asleep half a second after that.
ASLEEP_AFTER_S = 2.0
IDLE_S = 6.0

Run = dict[str, Any]


def main() -> None:
    options = report.parser(__doc__, pairs=5, seconds=12.0).parse_args()
    try:
        with slow_board() as board, tempfile.TemporaryDirectory() as directory:
            measure(board, Path(directory, "run.bin"), options)
    except Unavailable as reason:
        print(f"native: not measured, since {reason}.")


def measure(board: SlowBoard, trace: Path, options: Any) -> None:
    made = report.Report(
        "native",
        options,
        [
            f"{options.pairs} × 2 runs of {options.seconds:g} s",
            f"a round trip through FUSE took {board.round_trip_us:.0f} µs",
        ],
        sides=("native rates", "default rates"),
    )
    for rates in (DEFAULT_RATES, FAST_RAILS):
        name = "/".join(map(str, rates)) + " Hz"
        pairs = report.in_turns(
            options.pairs,
            lambda: record(board, trace, rates, True, options.seconds),
            lambda: record(board, trace, rates, False, options.seconds),
            name,
        )
        is_default = rates == DEFAULT_RATES
        show_time(made, name, pairs, GROUPS if is_default else ("rails",))
        show_information(made, name, pairs, (*pairs[0][0]["seen"],) if is_default else RAIL_COLUMNS)
    pairs = report.in_turns(
        options.pairs, lambda: idle(board, trace, True), lambda: idle(board, trace, False), "idle"
    )
    for figure, digits, unit in (("reads of load a second", 1, ""), ("time asleep", 1, " %")):
        ours, theirs = ([run[figure] for run in side] for side in zip(*pairs))
        made.row(
            f"{figure}, GPU idle",
            report.spread(ours, digits, unit),
            report.spread(theirs, digits, unit),
            "",
        )
    made.note(
        "time in reads: as the threads of the engine saw it, waiting for the chip included; by the "
        "devices: reads counted by the file system, times what each costs: "
        f"{', '.join(f'{what} {cost} µs' for what, cost in COST_US.items())}, RAM {RAM_COST_US} µs"
    )
    made.note(
        "values seen: how many of the values that the hardware had are in the trace, some per mille "
        "more or less at its ends; load has a new one every "
        f"{LOAD_REFRESH_US / 1000:g} ms, the memory controller every {EMC_REFRESH_US / 1000:g} ms, "
        f"a current every {RAIL_REFRESH_US / 1000:g} ms; voltages, RAM and zones when the "
        "simulation changes them"
    )
    made.note(
        "GPU idle: load is 0 soon after the start, and what is shown is from "
        f"{ASLEEP_AFTER_S:g} s after that on"
    )
    made.close()


def record(
    board: SlowBoard, trace: Path, rates: tuple[int, int, int], native: bool, seconds: float
) -> Run:
    config = fm.detect_board(root=board.root)
    before = board.said()["reads"]
    # That the rails are read faster than they measure is what is meant here.
    warnings.simplefilter("ignore", RuntimeWarning)
    with fm.NVMetrics(trace, *rates, board=config, native_rates=native) as recorder:
        time.sleep(seconds)
    after = board.said()["reads"]
    stats = recorder.stats
    elapsed = stats["elapsed_s"]
    spent = dict.fromkeys(GROUPS, 0.0)
    reads = dict.fromkeys(GROUPS, 0.0)
    for source in stats["sources"]:
        group = {"medium": "rails", "slow": "zones"}.get(source["tier"], source["name"])
        spent[group] += 1000 * source["read_s"] / elapsed
        reads[group] += source["reads"] / elapsed
    device = board.cost_s({name: after[name] - before[name] for name in after})
    return {
        "spent": spent,
        "reads": reads,
        "device": 1000 * device / elapsed + reads["ram"] * RAM_COST_US / 1000,
        "failed": recorder.counts["read_errors"],
        **information(board.truth, fm.read_trace(trace)),
    }


# ---- the table ----


def show_time(
    made: report.Report, name: str, pairs: list[tuple[Run, Run]], groups: tuple[str, ...]
) -> None:
    def row(what: str, time_of: Callable[[Run], float], reads_of: Any, bound: float = 0) -> None:
        ratios = [time_of(default) / time_of(native) for native, default in pairs]
        cells = []
        for side in zip(*pairs):
            cell = report.spread([time_of(run) for run in side], 1, " ms/s")
            if reads_of:
                cell += f", {statistics.median(reads_of(run) for run in side):.0f} reads/s"
            cells.append(cell)
        made.row(
            f"time in reads, {what}, {name}",
            cells[0],
            cells[1],
            report.spread(ratios),
            f"≥ {bound:g}" if bound else "",
            statistics.median(ratios) >= bound if bound else None,
        )

    for group in groups:
        row(group, lambda run: run["spent"][group], lambda run: run["reads"][group])
    row("all but the rails", lambda run: sum(run["spent"].values()) - run["spent"]["rails"], None)
    row("all", lambda run: sum(run["spent"].values()), None, BOUND)
    row("all, by the devices", lambda run: run["device"], None)
    failed = sum(run["failed"] for pair in pairs for run in pair)
    if failed:
        made.note(f"{name}: {failed} reads failed")


def show_information(
    made: report.Report, name: str, pairs: list[tuple[Run, Run]], columns: tuple[str, ...]
) -> None:
    for column in columns:
        ours, theirs = ([run["seen"][column] for run in side] for side in zip(*pairs))
        apart = [a - b for a, b in zip(ours, theirs)]
        made.row(
            f"values seen, {column}, {name}",
            report.spread(ours, 1, " %"),
            report.spread(theirs, 1, " %"),
            report.spread(apart, 1, " points more"),
        )
    ours, theirs = ([run["power"] for run in side] for side in zip(*pairs))
    made.row(
        f"mean power above the truth, {name}",
        report.spread(ours, 2, " %"),
        report.spread(theirs, 2, " %"),
        "",
    )


# ---- an idle GPU ----


def idle(board: SlowBoard, trace: Path, native: bool) -> Run:
    config = fm.detect_board(root=board.root)
    try:
        with fm.NVMetrics(trace, board=config, native_rates=native):
            # One that is asleep already is left asleep at any rate.
            board.tell("idle", 1)
            time.sleep(ASLEEP_AFTER_S)
            before = board.said()
            time.sleep(IDLE_S - ASLEEP_AFTER_S)
            after = board.said()
    finally:
        board.tell("idle", 0)
    time.sleep(0.1)  # It wakes up.
    elapsed = after["now_ns"] - before["now_ns"]
    return {
        "reads of load a second": 1e9
        * (after["reads"]["load"] - before["reads"]["load"])
        / elapsed,
        "time asleep": 100 * (after["asleep_ns"] - before["asleep_ns"]) / elapsed,
    }


if __name__ == "__main__":
    main()
