"""CPU time for each fast tick, against a C program that does only the same reads.

Of the recorder it is the time of the whole process, with the threads that write and look after nodes; of both
it is counted from a second after the start until just before the stop.
"""

from __future__ import annotations

import contextlib
import statistics
import tempfile
from pathlib import Path
from typing import Any

import report
from load import burners
from programs import Machine, Programs, compiler_version, plain_files, this_machine

BOUND = 1.05
RATES = (1000, 10_000)


def per_tick(result: dict[str, Any]) -> float:
    """Microseconds of CPU time."""
    return result["cpu_ns"] / result["ticks"] / 1000


def main() -> None:
    options = report.parser(__doc__, pairs=11, seconds=3.0).parse_args()
    programs = Programs()
    length = f"{options.pairs} × 2 runs of {options.seconds:g} s"
    made = report.Report("floor", options, [length, compiler_version()])
    faults: list[tuple[int, int]] = []
    calls = 0

    def measure(machine: Machine, hz: int, load: str) -> None:
        nonlocal calls
        name = f"{hz} Hz, {machine.name}, {load}"
        with tempfile.TemporaryDirectory(prefix="fastnvmetrics-bench-") as directory:
            trace = Path(directory, "run.bin")
            pairs = report.in_turns(
                options.pairs,
                lambda: programs.record(machine, hz, options.seconds, trace),
                lambda: programs.floor(machine, hz, options.seconds),
                name,
            )
        ours = [per_tick(a) for a, _ in pairs]
        floor = [per_tick(b) for _, b in pairs]
        ratios = [a / b for a, b in zip(ours, floor)]
        made.row(
            f"CPU a tick, {name}",
            report.spread(ours, unit=" µs"),
            report.spread(floor, unit=" µs"),
            report.spread(ratios, 3),
            f"≤ {BOUND}",
            statistics.median(ratios) <= BOUND,
        )
        records = [a for a, _ in pairs]
        threads = []
        for thread in ("fast", "medium", "slow", "spool", "keeper"):
            spent = [
                a["threads"].get(f"fnvm-{thread}", {"cpu_ns": 0})["cpu_ns"] / a["ticks"] / 1000
                for a in records
            ]
            threads.append(f"{thread} {statistics.median(spent):.2f}")
        made.note(
            f"{name}: {len(machine.fast)} reads a tick; µs a tick by thread: {', '.join(threads)}"
        )
        faults.extend((a["threads"]["fnvm-fast"]["faults"], b["faults"]) for a, b in pairs)
        calls += sum(a["fast_allocations"] + a["fast_locks"] for a in records)

    for load in ("idle", "loaded"):
        with burners() if load == "loaded" else contextlib.nullcontext():
            for hz in RATES:
                measure(this_machine(), hz, load)
            with plain_files() as machine:
                for hz in RATES:
                    measure(machine, hz, load)
    ours, floor = (sum(column) for column in zip(*faults))
    made.row("page faults in the loop, all runs", str(ours), str(floor), "", "none", ours == 0)
    made.row("allocations and locks in the loop, all runs", str(calls), "", "", "none", calls == 0)
    made.close()


if __name__ == "__main__":
    main()
