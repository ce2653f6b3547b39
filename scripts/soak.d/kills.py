"""Recorders killed at random instants, and recoveries killed half-way.

A recorder of a simulated board is killed, at an instant that is read from CLOCK_MONOTONIC right before; then the
trace is recovered. What was lost is the time from that instant back to the last sample of a tier. Every fourth
recorder stops and starts again and again, so that some are killed in the middle of either. In every third
case, recoveries of copies are killed half-way and repeated: they must give what the undisturbed one gives.
"""

from __future__ import annotations

import os
import random
import shutil
import signal
import struct
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

import fastnvmetrics as fm
from fastnvmetrics.simulate import Simulator
from promises import Promises, check_trace, is_quick

LIMIT_MS = 250.0
RECOVERIES = 3

# Writes a line for each mark: its id and the times right before and after it.
STEADY = """
import os, sys, time, fastnvmetrics as fm
nv = fm.NVMetrics(sys.argv[1], board=fm.detect_board(root=sys.argv[2]))
nv.start()
nv.wait_for_warmup()
os.write(1, b"ready\\n")
while True:
    before = time.monotonic_ns()
    mark = nv.sync()
    os.write(1, b"%d %d %d\\n" % (mark, before, time.monotonic_ns()))
    time.sleep(0.02)
"""

RESTARTING = """
import os, sys, time, fastnvmetrics as fm
nv = fm.NVMetrics(sys.argv[1], board=fm.detect_board(root=sys.argv[2]))
os.write(1, b"ready\\n")
while True:
    nv.start()
    nv.sync()
    time.sleep(0.001)
    nv.stop()
    os.write(1, b"complete\\n")
"""

# The default of SIGALRM ends a process as SIGKILL does, and a timer comes at the microsecond.
RECOVERY = """
import os, signal, sys, time, fastnvmetrics as fm
from fastnvmetrics import _native
_native.load()
signal.setitimer(signal.ITIMER_REAL, float(sys.argv[2]))
begin = time.monotonic()
fm.recover(sys.argv[1])
signal.setitimer(signal.ITIMER_REAL, 0)
print(time.monotonic() - begin)
"""


def started(script: str, *arguments: object) -> subprocess.Popen[bytes]:
    """A process that has said that it is ready."""
    process = subprocess.Popen([sys.executable, "-c", script, *map(str, arguments)], stdout=subprocess.PIPE)
    assert process.stdout is not None
    if process.stdout.readline() != b"ready\n":
        raise RuntimeError("the recorder did not start")
    return process


def kill(process: subprocess.Popen[bytes], number: int) -> tuple[int, bytes]:
    """Kill it. The instant right before, and what it had written by then."""
    assert process.stdout is not None
    instant = time.monotonic_ns()
    process.send_signal(number)
    rest = process.stdout.read()
    process.wait(timeout=60)
    process.stdout.close()
    return instant, rest


def recover(path: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "fastnvmetrics", "recover", str(path)],
        capture_output=True, text=True, timeout=60,
    )


def copied(trace: Path, to: Path) -> Path:
    """The trace with all that lies beside it, in a directory of its own."""
    to.mkdir()
    for file in trace.parent.glob(trace.name + "*"):
        shutil.copy2(file, to)
    return to / trace.name


def marks_in(path: Path) -> list[tuple[int, int]]:
    """(id, index of the first fast sample after it), as they are in the file."""
    data = path.read_bytes()
    fast, medium, slow, marks = struct.unpack_from("<4Q", data, 56)
    begin = 728 + 98 * fast + 104 * medium + 72 * slow
    return list(struct.iter_unpack("<QQ", data[begin : begin + 16 * marks]))


def check_marks(promises: Promises, path: Path, trace: fm.TraceData, instant: int, written: bytes) -> None:
    """Every mark that is old enough is there, and stands before the first sample that began after it."""
    times = trace["start_monotonic_ns"] + trace["fast_time_s"] * 1e9
    found = dict(marks_in(path))
    promises.check("ids of sync points count from 1", list(found) == list(range(1, len(found) + 1)), path)
    for line in written.splitlines():
        fields = line.split()
        if len(fields) != 3:  # it was killed while it wrote this
            continue
        mark, before, after = map(int, fields)
        index = found.get(mark)
        if index is None:
            promises.check(
                f"a mark older than {LIMIT_MS:g} ms is in the trace", instant - after < LIMIT_MS * 1e6, mark)
            continue
        promises.check("a sync point has a sample after it", index < len(times), mark)
        promises.check("the sample of a mark began after it", times[index] >= before - 1000, mark)
        promises.check("the sample before a mark began before it", index == 0 or times[index - 1] <= after + 1000, mark)


def recovery_with_timer(path: Path, seconds: float) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-c", RECOVERY, str(path), repr(seconds)],
                          capture_output=True, text=True, timeout=60)


def interrupted_recoveries(promises: Promises, trace: Path, dice: random.Random) -> tuple[int, bytes]:
    """Kill recoveries of a copy, then let one finish. How many were killed half-way, and what came out."""
    undisturbed = recovery_with_timer(copied(trace, trace.parent / "timed"), 0)
    if not promises.check("a trace is recovered", undisturbed.returncode == 0, undisturbed.stderr):
        return 0, b""
    copy = copied(trace, trace.parent / "killed")
    killed = 0
    for _ in range(RECOVERIES):
        done = recovery_with_timer(copy, dice.uniform(1e-6, float(undisturbed.stdout)))
        killed += done.returncode == -signal.SIGALRM
    last = recover(copy)
    promises.check("a recovery that was killed can be run again", last.returncode == 0, last.stderr)
    check_trace(promises, copy)
    return killed, copy.read_bytes()


def row(name: str, values: list[float]) -> None:
    quantiles = np.percentile(values, [0, 50, 90, 99, 100])
    print(f"  {name:<8}" + "".join(f"{value:>10.1f}" for value in quantiles))


def main() -> int:
    quick = is_quick(__doc__)
    rounds = 16 if quick else 200
    seed = random.SystemRandom().randrange(1 << 32)
    dice = random.Random(seed)
    promises = Promises()
    lost: dict[str, list[float]] = {"fast": [], "medium": [], "slow": []}
    killed = recoveries = absent = complete = 0
    print(f"  {rounds} recorders, seed {seed}", flush=True)
    with tempfile.TemporaryDirectory(prefix="fastnvmetrics-soak-") as name:
        with Simulator(Path(name) / "board", board="agx_orin") as board:
            for number in range(rounds):
                directory = Path(name) / str(number)
                directory.mkdir()
                path = directory / "run.bin"
                restarts = number % 4 == 3
                process = started(RESTARTING if restarts else STEADY, path, board.root)
                time.sleep(dice.uniform(0, 0.3 if restarts else 2.5))
                how = dice.choice([signal.SIGKILL] * 4 + [signal.SIGABRT, signal.SIGSEGV])
                instant, written = kill(process, how)
                promises.check("the recorder was still alive", process.returncode == -how, process.returncode)

                expected = None
                if number % 3 == 0 and path.exists():
                    count, expected = interrupted_recoveries(promises, path, dice)
                    killed += count
                    recoveries += RECOVERIES
                if restarts and not path.exists():
                    absent += 1
                    promises.check("a complete trace stays until the next one replaces it", b"complete" not in written)
                    continue
                done = recover(path)
                if not promises.check("a trace is recovered", done.returncode == 0, done.stderr):
                    continue
                trace = check_trace(promises, path)
                if trace is None:
                    continue
                if expected is not None:
                    promises.check("a repeated recovery gives what an undisturbed one gives",
                                   path.read_bytes() == expected, path)
                beside = [file for file in os.listdir(directory) if file.startswith("run.bin.fnvm-")]
                if restarts:
                    complete += not trace["recovered"]
                    # Killed while it began the next one, over a complete trace: that one is whole, and files
                    # of the new one may be left.
                    promises.check("a recovery leaves one file", not trace["recovered"] or not beside, beside)
                    continue
                promises.check("a recovery leaves one file", not beside, beside)
                promises.check("a recovered trace says so", trace["recovered"], path)
                check_marks(promises, path, trace, instant, written)
                for tier, losses in lost.items():
                    times = trace[f"{tier}_time_s"]  # type: ignore[literal-required]
                    last = trace["start_monotonic_ns"] + (times[-1] if len(times) else 0) * 1e9
                    losses.append((instant - last) / 1e6)
                shutil.rmtree(directory)
    print(f"\n  {'lost, ms':<8}{'least':>10}{'median':>10}{'90 %':>10}{'99 %':>10}{'worst':>10}")
    for tier, losses in lost.items():
        row(tier, losses)
    print(f"  {killed} of {recoveries} recoveries were killed half-way")
    print(f"  killed between stops and starts: {complete} complete, {absent} before there was a trace")
    for tier in ("fast", "medium"):
        worst = max(lost[tier])
        promises.say(f"of the {tier} tier at most {LIMIT_MS:g} ms are lost (worst {worst:.1f})", worst <= LIMIT_MS)
    promises.say("every trace is valid", not promises.broken)
    return promises.exit_code


if __name__ == "__main__":
    sys.exit(main())
