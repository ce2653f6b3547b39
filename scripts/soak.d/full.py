"""A disk that fills up while it is recorded on, made of a tmpfs of 2 MiB."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import fastnvmetrics as fm
from promises import Held, Promises, check_trace, is_quick


def mount(*arguments: str) -> bool:
    return subprocess.run(["mount", *arguments], capture_output=True).returncode == 0


def fill_up(promises: Promises, disk: Path) -> None:
    path = disk / "run.bin"
    board = fm.get_board_config("generic_linux")
    with fm.NVMetrics(path, board=board):  # what is made once is made now
        pass
    before = Held.now()
    nv = fm.NVMetrics(path, fast_hz=10_000, board=board)
    nv.start()
    begin = time.monotonic()
    while nv.counts["dropped_samples"] < 10_000 and time.monotonic() < begin + 120:
        nv.sync()
        time.sleep(0.01)
    free = os.statvfs(disk)
    print(f"  after {time.monotonic() - begin:.1f} s {nv.counts['dropped_samples']} samples were dropped, "
          f"{free.f_bavail * free.f_bsize} bytes are free", flush=True)
    try:
        nv.stop()
    except OSError as error:
        print(f"  stop: {error}")
        promises.say("stop says ENOSPC and the path", (error.errno, error.filename) == (errno.ENOSPC, str(path)))
    else:
        promises.say("stop says ENOSPC and the path", False)
    counts = nv.counts
    lost = [notice for notice in nv.notices if "lost" in notice]
    promises.say("a notice says how many samples were lost", any(str(counts["dropped_samples"]) in n for n in lost))
    try:
        fm.NVMetrics(path, board=board).start()
    except OSError as error:
        promises.say("a start on a full disk says so", error.errno == errno.ENOSPC)
    else:
        promises.say("a start on a full disk says so", False)
    after = before.given_back_by()
    promises.say("no descriptor and no thread is left",
                 (after.descriptors, after.threads) == (before.descriptors, before.threads))

    promises.say("room is made", mount("-o", "remount,size=64m", str(disk)))
    promises.say("what was saved is recovered", fm.recover(path))
    trace = check_trace(promises, path)
    if trace is not None:
        saved = len(trace["fast_time_s"]) + len(trace["medium_time_s"]) + len(trace["slow_time_s"])
        taken = sum(counts[f"{tier}_samples"] for tier in ("fast", "medium", "slow"))
        seconds = trace["fast_time_s"][-1]
        print(f"  {saved} samples of {seconds:.1f} s are saved, {taken - saved} more were taken")
        promises.say("more than half of the disk is samples", 98 * len(trace["fast_time_s"]) > 1 << 20)
    with fm.NVMetrics(path, board=board):
        pass
    check_trace(promises, path)
    promises.say("the next recording is complete", sorted(os.listdir(disk)) == ["run.bin"])


def main() -> int:
    is_quick(__doc__)
    promises = Promises()
    with tempfile.TemporaryDirectory(prefix="fastnvmetrics-soak-") as name:
        if os.geteuid() != 0 or not mount("-t", "tmpfs", "-o", "size=2m", "tmpfs", name):
            print("  skipped: only root can mount a tmpfs")
            return 0
        try:
            fill_up(promises, Path(name))
        finally:
            subprocess.run(["umount", name], check=True)
    return promises.exit_code


if __name__ == "__main__":
    sys.exit(main())
