"""CPU time for each fast tick, against a C program that does only the same reads.

Of the recorder it is the time of the whole process, with the threads that write and look after nodes; of both
it is counted from a second after the start until just before the stop.
"""

from __future__ import annotations

import statistics
import tempfile
from pathlib import Path
from typing import Any

import report
from programs import Machine, Programs, compiler_version, plain_files, this_machine

BOUND = 1.05
RATES = (1000, 10_000)


def per_tick(result: dict[str, Any]) -> float:
    """Microseconds of CPU time."""
    return result["cpu_ns"] / result["ticks"] / 1000


def main() -> None:
    options = report.parser(__doc__, pairs=11, seconds=5.0).parse_args()
    programs = Programs()
    length = f"{options.pairs} × 2 runs of {options.seconds:g} s"
    made = report.Report("floor", options, [length, compiler_version()])

    def measure(machine: Machine, hz: int) -> None:
        with tempfile.TemporaryDirectory(prefix="fastnvmetrics-bench-") as directory:
            trace = Path(directory, "run.bin")
            pairs = report.in_turns(
                options.pairs,
                lambda: programs.record(machine, hz, options.seconds, trace),
                lambda: programs.floor(machine, hz, options.seconds),
                f"{machine.name} at {hz} Hz",
            )
        ours = [per_tick(a) for a, _ in pairs]
        floor = [per_tick(b) for _, b in pairs]
        ratios = [a / b for a, b in zip(ours, floor)]
        made.row(
            f"CPU a tick, {hz} Hz, {machine.name}",
            report.spread(ours, unit=" µs"),
            report.spread(floor, unit=" µs"),
            report.spread(ratios, 3),
            f"≤ {BOUND}",
            statistics.median(ratios) <= BOUND,
        )
        records = [a for a, _ in pairs]
        shares = {
            name: statistics.median(
                a["threads"][name]["cpu_ns"] / a["ticks"] / 1000 for a in records
            )
            for name in records[0]["threads"]
            if name.startswith("fnvm-")
        }
        threads = ", ".join(f"{name} {share:.2f}" for name, share in sorted(shares.items()))
        faults = max(a["threads"]["fnvm-fast"]["faults"] for a in records)
        calls = max(a["fast_allocations"] + a["fast_locks"] for a in records)
        made.row(
            f"page faults, allocations and locks in the loop, {hz} Hz",
            f"{faults} and {calls}",
            str(max(b["faults"] for _, b in pairs)),
            "",
            "none",
            faults == 0 and calls == 0,
        )
        made.note(
            f"{hz} Hz, {machine.name}: {len(machine.fast)} reads a tick; µs a tick by thread: {threads}; "
            f"page faults of the whole process in {options.seconds:g} s: "
            f"{report.spread([a['faults'] for a in records], 0)}"
        )

    for hz in RATES:
        measure(this_machine(), hz)
    with plain_files() as machine:
        for hz in RATES:
            measure(machine, hz)
    made.close()


if __name__ == "__main__":
    main()
