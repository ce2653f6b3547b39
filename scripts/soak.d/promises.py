"""What the parts of scripts/soak share: promises that are kept or broken, and what a process holds."""

from __future__ import annotations

import argparse
import os
import time
from dataclasses import dataclass

import numpy as np

import fastnvmetrics as fm


def is_quick(description: str | None) -> bool:
    """Whether the short version was asked for."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--quick", action="store_true", help="the short version")
    return bool(parser.parse_args().quick)


class Promises:
    """Collects what was promised and whether it held."""

    def __init__(self) -> None:
        self.broken: list[str] = []

    def check(self, promise: str, is_kept: bool, why: object = "") -> bool:
        """Count a promise that many rounds hold; only one that is broken is printed."""
        if not is_kept:
            self.broken.append(promise)
            print(f"  BROKEN: {promise}{f': {why}' if why else ''}", flush=True)
        return is_kept

    def say(self, promise: str, is_kept: bool) -> None:
        """Print a promise either way."""
        if self.check(promise, is_kept):
            print(f"  kept: {promise}", flush=True)

    @property
    def exit_code(self) -> int:
        return 1 if self.broken else 0


@dataclass(frozen=True)
class Held:
    """What a process holds."""

    descriptors: int
    threads: int
    resident_kib: int

    @classmethod
    def now(cls) -> Held:
        with open("/proc/self/statm") as file:
            pages = int(file.read().split()[1])
        return cls(
            len(os.listdir("/proc/self/fd")),
            len(os.listdir("/proc/self/task")),
            pages * os.sysconf("SC_PAGESIZE") // 1024,
        )

    def given_back_by(self, patience_s: float = 5.0) -> Held:
        """What is held now; a thread that was joined may be listed for a moment more."""
        until = time.monotonic() + patience_s
        while True:
            now = Held.now()
            if now.threads <= self.threads or time.monotonic() > until:
                return now
            time.sleep(0.01)

    def __str__(self) -> str:
        return f"{self.descriptors} descriptors, {self.threads} threads, {self.resident_kib} KiB resident"


def check_trace(promises: Promises, path: str | os.PathLike[str]) -> fm.TraceData | None:
    """Read a trace and check what is true of every one; None where it cannot be read."""
    try:
        trace = fm.read_trace(path)
    except (OSError, ValueError) as error:
        promises.check("a trace can be read", False, error)
        return None
    for tier in ("fast", "medium", "slow"):
        times = trace[f"{tier}_time_s"]  # type: ignore[literal-required]
        rises = bool(np.all(np.diff(times) > 0) and np.all(times > 0))
        promises.check(f"times of the {tier} tier rise", rises, path)
    # A sample's sync_id is that of the last mark before it.
    ids = trace["sync_id"]
    promises.check("sync points are in order", bool(np.all(np.diff(ids) >= 0)), path)
    return trace
