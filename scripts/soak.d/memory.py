"""Ten minutes at 10 kHz: the memory of a recording does not grow."""

from __future__ import annotations

import sys
import tempfile
import time
from pathlib import Path

import fastnvmetrics as fm
from promises import Held, Promises, check_trace, is_quick

LIMIT_KIB = 1024


def main() -> int:
    quick = is_quick(__doc__)
    first_s, all_s = (5, 20) if quick else (60, 600)
    promises = Promises()
    with tempfile.TemporaryDirectory(prefix="fastnvmetrics-soak-") as name:
        path = Path(name) / "run.bin"
        nv = fm.NVMetrics(path, fast_hz=10_000, board=fm.get_board_config("generic_linux"))
        print(f"  before      {Held.now()}", flush=True)
        with nv:
            begin = time.monotonic()
            print(f"  at start    {Held.now()}", flush=True)
            first = None
            while (elapsed := time.monotonic() - begin) < all_s:
                if first is None and elapsed >= first_s:
                    first = Held.now()
                    print(f"  {elapsed:>5.0f} s     {first}", flush=True)
                nv.sync()
                time.sleep(0.25)
            last = Held.now()
            print(f"  {all_s:>5} s     {last}", flush=True)
        counts = nv.counts
        print(f"  {counts['fast_samples']} fast samples, {counts['missed_fast']} deadlines missed, "
              f"{counts['dropped_samples']} dropped, {path.stat().st_size / 1e6:.0f} MB")
        assert first is not None
        growth = last.resident_kib - first.resident_kib
        promises.say(f"the resident set grows by less than {LIMIT_KIB} KiB (it grew by {growth})", growth < LIMIT_KIB)
        promises.say("no sample is dropped", counts["dropped_samples"] == 0)
        with open(path, "rb") as file:  # the whole of it in memory is for who wants it
            promises.say("the trace is complete", is_complete(file.read(728)))
        if quick:
            check_trace(promises, path)
    return promises.exit_code


def is_complete(header: bytes) -> bool:
    return bool(int.from_bytes(header[664:668], "little") & 2)


if __name__ == "__main__":
    sys.exit(main())
