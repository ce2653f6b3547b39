"""Ten thousand starts and stops: of one engine, of new ones, of several at once."""

from __future__ import annotations

import gc
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path

import fastnvmetrics as fm
from promises import Held, Promises, check_trace, is_quick

LIMIT_KIB = 1024


def restart(nv: fm.NVMetrics, rounds: int, failures: list[BaseException]) -> None:
    try:
        for _ in range(rounds):
            nv.start()
            nv.sync()
            nv.stop()
    except BaseException as failure:
        failures.append(failure)


def renew(path: Path, board: fm.BoardConfig, rounds: int) -> None:
    for _ in range(rounds):
        nv = fm.NVMetrics(path, board=board)
        nv.start()
        del nv  # which stops it


def measured(promises: Promises, what: str, rounds: int, repeat: Callable[[int], None]) -> None:
    repeat(min(200, rounds))  # what is made once is made now
    gc.collect()
    before = Held.now()
    begin = time.monotonic()
    repeat(rounds)
    each = (time.monotonic() - begin) / rounds * 1e3
    gc.collect()
    after = before.given_back_by()
    growth = after.resident_kib - before.resident_kib
    print(f"  {what}: {rounds} times, {each:.2f} ms each\n    before {before}\n    after  {after}", flush=True)
    promises.say("no descriptor and no thread is left",
                 (after.descriptors, after.threads) == (before.descriptors, before.threads))
    promises.say(f"the resident set grows by less than {LIMIT_KIB} KiB (it grew by {growth})", growth < LIMIT_KIB)


def main() -> int:
    rounds = 300 if is_quick(__doc__) else 10_000
    promises = Promises()
    board = fm.get_board_config("generic_linux")
    failures: list[BaseException] = []
    with tempfile.TemporaryDirectory(prefix="fastnvmetrics-soak-") as name:
        paths = [Path(name) / f"{number}.bin" for number in range(4)]
        engines = [fm.NVMetrics(path, board=board) for path in paths]

        def several(times: int) -> None:
            threads = [threading.Thread(target=restart, args=(nv, times // 4, failures)) for nv in engines]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()

        measured(promises, "one engine", rounds, lambda times: restart(engines[0], times, failures))
        measured(promises, "a new engine each", rounds, lambda times: renew(paths[0], board, times))
        measured(promises, "four engines at once", rounds, several)
        promises.say("no start and no stop fails", not failures)
        for failure in failures:
            print(f"    {failure!r}")
        for path in paths:
            check_trace(promises, path)
        beside = sorted(file.name for file in Path(name).iterdir())
        promises.say("every trace is complete", beside == [path.name for path in paths])
    return promises.exit_code


if __name__ == "__main__":
    sys.exit(main())
