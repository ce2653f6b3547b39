"""A recording that is never kept: the newest minutes on disk, for who follows it."""

from __future__ import annotations

import os
import time
from collections.abc import Callable

from ..recorder import NVMetrics
from .rotation import remove_trace, rotate

__all__ = ["RollingRecording"]

#: A trace is this long at most, in seconds and bytes, before the next follows it.
_MOST_SECONDS = 60.0
_MOST_BYTES = 16 << 20
#: Seconds before a rotation that failed is tried again.
_PAUSE = 10.0


class RollingRecording:
    """Records into a directory, in one trace after the other, of which at most two are there.

    Parameters
    ----------
    directory
        Empty, and of its own.
    recorder
        Returns a recorder to a path.
    on_next
        Is told the path of each trace that follows; the one before is complete then, and is removed
        when it returns.
    """

    def __init__(
        self, directory: str, recorder: Callable[[str], NVMetrics], on_next: Callable[[str], None]
    ) -> None:
        self._directory = directory
        self._number = 1
        self.path = self._path()
        self.recorder = recorder(self.path)
        self._on_next = on_next
        self._due = time.monotonic() + _MOST_SECONDS
        self._not_before = 0.0

    def rotate_if_due(self) -> bool:
        """Begin the next trace where the present one is long enough; return whether that was so.

        Raises
        ------
        OSError
            The next one cannot be created; the recording goes on, and the next call some seconds
            later tries again.
        """
        now = time.monotonic()
        is_due = now >= self._due or os.path.getsize(self.path) >= _MOST_BYTES
        if not is_due or now < self._not_before:
            return False
        self._not_before = now + _PAUSE
        former = self.path
        self._number += 1
        path = self._path()
        rotate(self.recorder, former, path)
        self.path, self._due, self._not_before = path, now + _MOST_SECONDS, 0.0
        self._on_next(path)
        remove_trace(former)
        return True

    def _path(self) -> str:
        return os.path.join(self._directory, f"{self._number:08}.bin")
