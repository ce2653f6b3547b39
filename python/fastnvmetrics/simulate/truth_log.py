"""The log of what a simulation changed, and when.

One line a change, tab-separated: signal, value, and CLOCK_MONOTONIC in nanoseconds just before and
just after the store. Two lines of their own: ``until NS`` says that the log holds every change up
to that instant, ``end`` that there will be no more.
"""

from __future__ import annotations

import os
from types import TracebackType

__all__ = ["TruthLog"]


class TruthLog:
    """The writing end.

    Parameters
    ----------
    path
        The log, which must not exist.
    """

    def __init__(self, path: str) -> None:
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND | os.O_CLOEXEC
        self._descriptor = os.open(path, flags, 0o644)
        self._lines: list[str] = []

    def __enter__(self) -> TruthLog:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        os.close(self._descriptor)

    def add(self, signal: str, value: int, before_ns: int, after_ns: int) -> None:
        """Remember a change until the next flush."""
        self._lines.append(f"{signal}\t{value}\t{before_ns}\t{after_ns}\n")

    def flush(self, until_ns: int) -> None:
        """Write what was added, which is every change up to `until_ns`."""
        self._write(f"until\t{until_ns}\n")

    def end(self) -> None:
        """Write what was added, after which nothing changes any more."""
        self._write("end\n")

    def _write(self, last_line: str) -> None:
        text = "".join([*self._lines, last_line]).encode()
        self._lines.clear()
        while text:
            text = text[os.write(self._descriptor, text) :]
