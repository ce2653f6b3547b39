"""A flight recorder: the newest stretch of a recording on disk, and traces of it when asked."""

from __future__ import annotations

import os
import threading
import time
from concurrent.futures import Future, ThreadPoolExecutor

from ..joining.join import join
from ..recorder import NVMetrics
from .flight_directory import FlightDirectory
from .rotation import is_unfinished, rotate

__all__ = ["FlightRecorder"]

#: Of the span, how much a segment holds; and seconds that it holds at least and at most.
_SHARE, _LEAST_S, _MOST_S = 0.1, 0.5, 600.0


class FlightRecorder:
    """Keeps the last so many seconds of a recording in segments beside `output`.

    A segment is a trace of its own; one that is older than the span is removed. So the disk holds
    the span, two segments more at most, and, while one is made, the dump. For one thread, but for
    what is said of futures.

    Parameters
    ----------
    output
        The trace that is made of the last stretch at the end; dumps are named after it.
    keep_last_s
        The span, in seconds.

    Attributes
    ----------
    directory
        Where the segments are: ``OUTPUT.fnvm-flight``.
    segment_s
        How long a segment is.
    path
        The segment that is recorded, or is to be.

    Raises
    ------
    OSError
        The directory cannot be made, or another flight recorder has it (EBUSY).
    """

    def __init__(self, output: str, keep_last_s: float) -> None:
        self._output = output
        self._keep_last_s = keep_last_s
        self.segment_s = min(max(keep_last_s * _SHARE, _LEAST_S), _MOST_S)
        self._worker = ThreadPoolExecutor(1, "fnvm-dump")
        self._dumps = 0
        self._lock = threading.Lock()
        self.directory = FlightDirectory(output)
        try:
            self.notices = self.directory.begin(keep_last_s)
            self.path = self.directory.next_segment()
        except BaseException:
            self.directory.close()
            raise

    def settle(self) -> list[str]:
        """Say what is made of what a former recorder left, once the new one has started."""
        return self.directory.settle(self.path)

    @property
    def is_busy(self) -> bool:
        """Whether a dump is being made and another one waits."""
        with self._lock:
            return self._dumps > 1

    def rotate(self, recorder: NVMetrics) -> OSError | None:
        """Begin the next segment, and remove those that are too old.

        Returns
        -------
        OSError or None
            What kept the present segment from being completed: `finish` tries again.

        Raises
        ------
        OSError
            The next one cannot be created: the recording goes on in the present one.
        """
        path = self.directory.next_segment()
        failure = rotate(recorder, self.path, path)
        self.path = path
        with self._lock:
            is_free = self._dumps == 0
        # What a dump is being made of must stay until it is done.
        if is_free:
            self.directory.remove_older(path, self._keep_last_s)
        return failure

    def dump(self, recorder: NVMetrics) -> Future[str]:
        """Make a trace of the last stretch up to now, while recording goes on.

        Returns
        -------
        Future
            Of the path of the trace, or of the error.

        Raises
        ------
        OSError
            No further segment can be created, or the present one not be completed.
        """
        failure = self.rotate(recorder)
        if failure is not None:
            raise failure
        segments = [path for path in self.directory.segments() if not is_unfinished(path)]
        with self._lock:
            self._dumps += 1
        try:
            return self._worker.submit(self._make, segments)
        except BaseException:
            with self._lock:
                self._dumps -= 1
            raise

    def finish(self) -> str:
        """Make a trace of the last stretch at `output`; for after the recorder has stopped. Return
        its path.

        Raises
        ------
        OSError
            It cannot be written; the segments stay, for `fastnvmetrics dump`.
        """
        self._worker.shutdown()
        self.directory.recover()  # what could not be completed when the disk was full
        join(self.directory.segments(), self._output, last_s=self._keep_last_s)
        self.directory.remove()
        return self._output

    def close(self) -> None:
        """Let go of the directory; calling it again is harmless."""
        self._worker.shutdown()
        if not self.directory.segments():
            self.directory.remove()  # nothing was recorded
        self.directory.close()

    def __enter__(self) -> FlightRecorder:
        return self

    def __exit__(self, *reason: object) -> None:
        self.close()

    def _make(self, segments: list[str]) -> str:
        try:
            path = dump_path(self._output)
            join(segments, path, last_s=self._keep_last_s)
            return path
        finally:
            with self._lock:
                self._dumps -= 1


def dump_path(output: str) -> str:
    """Return a path for a dump that is not taken: ``NAME-20260131T120000.bin``."""
    stem, extension = os.path.splitext(output)
    stem = f"{stem}-{time.strftime('%Y%m%dT%H%M%S')}"
    path, number = stem + extension, 1
    while os.path.lexists(path):
        number += 1
        path = f"{stem}-{number}{extension}"
    return path
