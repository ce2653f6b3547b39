"""Children of every kind, forked at random moments of a recording, that use it and end in every way.

The recording is made by a process of its own, so that a child that goes on where it should not is found out by
what it leaves behind, and one that hangs by its time.
"""

from __future__ import annotations

import multiprocessing
import os
import random
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import fastnvmetrics as fm
from promises import Held, Promises, check_trace, is_quick

FNVM_E_FORKED = -12
PATIENCE_S = 20

nv: fm.NVMetrics


# ---- What children do


def use_it(own: str) -> None:
    """Use the recording of the parent, which must refuse at once, and one of one's own."""
    assert not nv.is_running and nv.sample_count == 0
    nv.counts, nv.notices, nv.board, nv.gpu_source
    for call in (nv.start, nv.sync, nv.wait_for_warmup, nv.stop):
        try:
            call()
        except fm.FastNVMetricsError as error:
            assert error.status == FNVM_E_FORKED, error
        else:
            raise AssertionError(f"{call} was not refused")
    record_own(own)


def record_own(own: str) -> None:
    with fm.NVMetrics(own, board=fm.get_board_config("generic_linux")):
        pass
    assert fm.read_trace(own)["fast_time_s"].size >= 10
    os.unlink(own)


def drop_it() -> None:
    global nv
    del nv


def square(number: int) -> int:
    return number * number


# ---- How children are made


def forked(body: Callable[[], None]) -> str:
    child = os.fork()
    if child == 0:
        signal.alarm(PATIENCE_S)  # one that hangs ends by a signal that nobody else sends
        code = 99
        try:
            body()
            code = 0
        except SystemExit:
            raise  # all the way through the interpreter's own exit
        except BaseException as error:
            print(f"  a child: {error!r}", flush=True)
        os._exit(code)
    status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    return "hung" if status == -signal.SIGALRM else str(status)


def leave() -> None:
    sys.exit(0)


def by_multiprocessing(method: str, own: str) -> str:
    target = use_it if method == "fork" else record_own
    context: Any = multiprocessing.get_context(method)
    process = context.Process(target=target, args=(own,))
    process.start()
    process.join(PATIENCE_S)
    if process.exitcode is None:
        process.kill()
        return "hung"
    return str(process.exitcode)


def by_pool() -> str:
    with multiprocessing.get_context("fork").Pool(2) as pool:
        results = pool.map_async(square, range(20)).get(PATIENCE_S)
    return "0" if results == [n * n for n in range(20)] else f"wrong: {results}"


def by_subprocess() -> str:
    return str(subprocess.run(["true"], close_fds=False, timeout=PATIENCE_S).returncode)


def by_exec() -> str:
    return forked(lambda: os.execvp("true", ["true"]))


def kinds(directory: Path, dice: random.Random) -> dict[str, tuple[Callable[[], str], str]]:
    """Each kind of child, and how it must end."""
    own = str(directory / f"child-{dice.randrange(1 << 32)}.bin")
    abort, kill = str(-signal.SIGABRT), str(-signal.SIGKILL)
    return {
        "uses it": (lambda: forked(lambda: use_it(own)), "0"),
        "drops it": (lambda: forked(drop_it), "0"),
        "sys.exit": (lambda: forked(leave), "0"),
        "abort": (lambda: forked(os.abort), abort),
        "SIGKILL": (lambda: forked(lambda: os.kill(os.getpid(), signal.SIGKILL)), kill),
        "exec": (by_exec, "0"),
        "subprocess": (by_subprocess, "0"),
        "Process, fork": (lambda: by_multiprocessing("fork", own), "0"),
        "Process, spawn": (lambda: by_multiprocessing("spawn", own), "0"),
        "Pool, fork": (by_pool, "0"),
    }


# ---- The recording


def marks_in(path: Path) -> int:
    with open(path, "rb") as file:
        return int.from_bytes(file.read(88)[80:], "little")


def record(directory: Path, seconds: float, seed: int) -> int:
    global nv
    promises = Promises()
    dice = random.Random(seed)
    path = directory / "run.bin"
    nv = fm.NVMetrics(path, board=fm.get_board_config("generic_linux"))
    is_over = threading.Event()
    marks = 0

    def mark() -> None:  # so that children are forked while locks are held
        nonlocal marks
        while not is_over.is_set():
            marks = nv.sync()
            time.sleep(0.0001)

    ends: Counter[str] = Counter()
    with nv:
        marker = threading.Thread(target=mark)
        marker.start()
        for run, _ in kinds(directory, dice).values():
            run()  # what multiprocessing keeps for good is made now
        before = Held.now()
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            for kind, (run, expected) in kinds(directory, dice).items():
                time.sleep(dice.uniform(0, 0.02))
                end = run()
                ends[kind] += 1
                promises.check(f"a child ({kind}) ends with {expected}", end == expected, end)
        after = before.given_back_by()
        is_over.set()
        marker.join()
    print("  children: " + ", ".join(f"{kind} {count}" for kind, count in ends.items()))
    promises.say("no child hangs, and each ends as it wanted to", not promises.broken)
    promises.say("no descriptor and no thread is left",
                 (after.descriptors, after.threads) == (before.descriptors, before.threads))
    counts = nv.counts
    trace = check_trace(promises, path)
    if trace is not None:
        print(f"  {len(trace['fast_time_s'])} fast samples, {counts['missed_fast']} deadlines missed, {marks} marks")
        promises.say("the trace has every sample", len(trace["fast_time_s"]) == counts["fast_samples"]
                     and len(trace["medium_time_s"]) == counts["medium_samples"]
                     and len(trace["slow_time_s"]) == counts["slow_samples"] and counts["dropped_samples"] == 0)
        promises.say("the trace has every mark", marks_in(path) == marks == counts["sync_points"])
    promises.say("no child left a file", os.listdir(directory) == ["run.bin"])
    return promises.exit_code


def main() -> int:
    if len(sys.argv) > 2:
        return record(Path(sys.argv[1]), float(sys.argv[2]), int(sys.argv[3]))
    seconds = 10.0 if is_quick(__doc__) else 120.0
    seed = random.SystemRandom().randrange(1 << 32)
    print(f"  seed {seed}", flush=True)
    with tempfile.TemporaryDirectory(prefix="fastnvmetrics-soak-") as name:
        arguments = [sys.executable, __file__, name, str(seconds), str(seed)]
        try:
            return subprocess.run(arguments, timeout=seconds + 120).returncode
        except subprocess.TimeoutExpired:
            print("  BROKEN: the recording itself hangs")
            return 1


if __name__ == "__main__":
    sys.exit(main())
