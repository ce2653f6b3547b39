"""CPU utilisation at 1 kHz against burners of known duty.

A burner on one core writes down when it worked and how much CPU time the kernel says it had. The CPU time is
the truth for the mean over a run; when it worked tells for single samples and for every stretch of 100 ms. What
the kernel and the rest of the machine do on that core meanwhile is in neither: waking up 500 times a second costs
a core a percent or two that is spent in no process. Each pattern is run several times; the medians are shown.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

import fastnvmetrics as fm

Floats = npt.NDArray[np.float64]

PERIODS_MS = (2, 10, 20, 100)
DUTIES = (0, 10, 50, 90, 100)


def burn(core: int, duty: float, period_s: float, until: float, results: Any) -> None:
    """Work for a share of each period, and say when, and how much CPU time that took so far."""
    os.sched_setaffinity(0, {core})
    stretches = []
    begin = woken = time.monotonic()
    while begin < until:
        while duty > 0 and time.monotonic() < begin + duty * period_s:
            pass
        begin += period_s
        asleep = time.monotonic()
        stretches.append((woken, asleep, time.thread_time()))
        if begin > asleep:
            time.sleep(begin - asleep)
        woken = time.monotonic() if begin > asleep else asleep
    results.put(stretches)


def busy_before(instants: Floats, stretches: Floats) -> Floats:
    """Seconds worked up to each instant."""
    begins, ends = stretches[:, 0], stretches[:, 1]
    totals = np.concatenate([[0.0], np.cumsum(ends - begins)])
    last = np.searchsorted(begins, instants, side="right") - 1
    inside = np.where(last >= 0, np.minimum(instants, ends[last]) - begins[last], 0.0)
    return np.where(last >= 0, totals[np.maximum(last, 0)] + inside, 0.0)


def idle_core_percent(core: int, seconds: float) -> float:
    """Utilisation of the core with nobody burning: what the rest of the machine does on it."""

    def idle() -> int:
        fields = next(x for x in open("/proc/stat") if x.startswith(f"cpu{core} ")).split()
        return int(fields[4]) + int(fields[5])

    before, begin = idle(), time.monotonic()
    time.sleep(seconds)
    return max(0.0, 100 - (idle() - before) / (time.monotonic() - begin))


def measure(core: int, duty: float, period_s: float, seconds: float) -> dict[str, float]:
    results: Any = multiprocessing.Queue()
    until = time.monotonic() + seconds + 0.6
    burner = multiprocessing.Process(target=burn, args=(core, duty, period_s, until, results))
    burner.start()
    time.sleep(0.3)
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory) / "run.bin"
        with fm.NVMetrics(path, board=fm.get_board_config("generic_linux")):
            time.sleep(seconds)
        trace = fm.read_trace(path)
    stretches = np.array(results.get())
    burner.join()

    start = trace["start_monotonic_ns"] * 1e-9
    edges = start + np.concatenate([[0.0], trace["fast_time_s"]])
    intervals = np.diff(edges)
    truth = np.diff(busy_before(edges, stretches))
    seen = trace["cpu_util"][:, core].astype(np.float64) / 100 * intervals
    spent = np.interp(edges[[0, -1]], stretches[:, 1], stretches[:, 2])

    # Every stretch of 100 ms, begun at each sample.
    window_errors = []
    elapsed = np.cumsum(intervals)
    lag = np.searchsorted(elapsed, elapsed + 0.1)
    surplus = np.concatenate([[0.0], np.cumsum(seen - truth)])
    for first, last in enumerate(lag):
        if last < len(elapsed):
            window_errors.append(abs(surplus[last + 1] - surplus[first + 1]) / (elapsed[last] - elapsed[first]))
    return {
        "truth": 100 * (spent[1] - spent[0]) / intervals.sum(),
        "seen": 100 * seen.sum() / intervals.sum(),
        "window": 100 * float(np.percentile(window_errors, 95)),
        "sample": 100 * float(np.abs(seen / intervals - truth / intervals).mean()),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=2.0)
    parser.add_argument("--core", type=int, default=(os.cpu_count() or 1) - 1)
    options = parser.parse_args()
    # The recorder and this program stay off the core that is measured, where there is another.
    others = os.sched_getaffinity(0) - {options.core}
    if others:
        os.sched_setaffinity(0, others)

    quiet = idle_core_percent(options.core, 2.0)
    print(f"core {options.core}, {options.runs} runs of {options.seconds:g} s each, medians; ", end="")
    print(f"the core without a burner: {quiet:.1f} % busy\n")
    print(f"{'period':>8} {'duty':>6} {'true mean':>10} {'mean seen':>10} {'error':>7} "
          f"{'100 ms, 95 %':>13} {'1 ms samples':>13}")
    for period in PERIODS_MS:
        for duty in DUTIES:
            runs = [
                measure(options.core, duty / 100, period / 1000, options.seconds)
                for _ in range(options.runs)
            ]
            middle = {key: statistics.median(run[key] for run in runs) for key in runs[0]}
            error = statistics.median(abs(run["seen"] - run["truth"]) for run in runs)
            print(
                f"{period:>5} ms {duty:>4} % {middle['truth']:>8.2f} % {middle['seen']:>8.2f} % "
                f"{error:>7.2f} {middle['window']:>13.2f} {middle['sample']:>13.2f}",
                flush=True,
            )
    print("\nerrors in percentage points: of the mean over the run; of means over any 100 ms (95th"
          "\npercentile); mean absolute error of single samples")


if __name__ == "__main__":
    main()
