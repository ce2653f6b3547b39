"""Load for the cores, while something else is measured."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
from collections.abc import Iterator


def _burn(core: int) -> None:
    os.sched_setaffinity(0, {core})
    while True:
        pass


@contextlib.contextmanager
def burners() -> Iterator[None]:
    """One busy process of normal priority for each core."""
    processes = [
        multiprocessing.Process(target=_burn, args=(core,), daemon=True)
        for core in os.sched_getaffinity(0)
    ]
    for process in processes:
        process.start()
    try:
        yield
    finally:
        for process in processes:
            process.kill()
            process.join()
