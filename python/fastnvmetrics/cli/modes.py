"""What becomes of a recording: one trace, several, or the last stretch of it."""

from __future__ import annotations

import contextlib
import functools
import os
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from typing import Protocol, TypedDict

from ..continuous.dump_socket import DumpServer
from ..continuous.dumping import listed
from ..continuous.flight import FlightRecorder
from ..continuous.rotation import RotatedTraces, completed_bytes, rotate
from ..recorder import NVMetrics
from .exits import sentence
from .options import Limit
from .output import say
from .signals import Timer, wake

__all__ = ["Flight", "Hooks", "Mode", "OneTrace", "Rotation"]

#: Seconds between two looks at the size of a trace, and before a rotation that failed is tried
#: again.
_LOOK, _PAUSE = 0.5, 10.0


class _Always(TypedDict):
    timers: list[Timer]


class Hooks(_Always, total=False):
    """Arguments of `signals.wait`."""

    on_usr1: Callable[[], None]
    on_wake: Callable[[], None]


class Mode(Protocol):
    """One way to record.

    Attributes
    ----------
    path
        Where recording begins.
    """

    path: str

    def hooks(self, recorder: NVMetrics) -> Hooks:
        """Return what is to be done while it records, which has begun."""

    def finish(self) -> str:
        """Do what is left to do once the recorder has stopped, and return what to call what was
        made.
        """


class OneTrace:
    """All of it in one trace."""

    def __init__(self, path: str) -> None:
        self.path = path

    def hooks(self, recorder: NVMetrics) -> Hooks:
        """Return nothing to do."""
        return Hooks(timers=[])

    def finish(self) -> str:
        """Return its path."""
        return f"{self.path}:"


class _Rotating:
    """Rotates again and again; a failure is said once, and tried again a while later."""

    def __init__(self, interval: float, rotate: Callable[[], None]) -> None:
        self._rotate = rotate
        self._said: object = None
        self.timer = Timer(interval, self._attempt)

    def _attempt(self) -> None:
        try:
            self._rotate()
        except (OSError, RuntimeError, ValueError) as error:
            # Each attempt has a path of its own: it is the reason that must not be said again and
            # again.
            reason = (type(error), getattr(error, "errno", None))
            if reason != self._said:
                say(f"{sentence(error)}; recording goes on in the former trace")
            self._said = reason
            self.timer.due = time.monotonic() + min(self.timer.interval, _PAUSE)
        else:
            self._said = None


class Rotation:
    """A new trace after so much time, or so many bytes.

    Raises
    ------
    OSError
        Another recorder has traces of this name, or the directory cannot be read.
    """

    def __init__(
        self, output: str, limit: Limit, keep: int | None, max_bytes: float | None, quiet: bool
    ) -> None:
        self._limit = limit
        self._quiet = quiet
        self._traces = RotatedTraces(output, keep, max_bytes)
        for notice in self._traces.recover():
            say(notice)
        self.path = self._traces.next_path()
        self._bytes = 0

    def hooks(self, recorder: NVMetrics) -> Hooks:
        """Return the timer that rotates."""
        self._recorder = recorder
        self._tidy()
        if self._limit.seconds is not None:
            rotating = _Rotating(self._limit.seconds, self._rotate)
        else:
            rotating = _Rotating(_LOOK, self._rotate_if_large)
        return Hooks(timers=[rotating.timer])

    def finish(self) -> str:
        """Remove what is too much, and return the path of the last."""
        self._tidy()
        return f"{self.path} and the traces before it:"

    def _rotate_if_large(self) -> None:
        size = completed_bytes(self.path)
        # At the next look it would be larger than allowed.
        if self._limit.size is not None and size + max(size - self._bytes, 0) > self._limit.size:
            self._rotate()
            size = 0
        self._bytes = size

    def _rotate(self) -> None:
        path = self._traces.next_path()
        former = self.path
        failure = rotate(self._recorder, former, path)
        self.path = path
        if failure is not None:
            say(f"{sentence(failure)}: recording goes on in {path}; fastnvmetrics recover {former}")
        elif not self._quiet:
            say(f"{former}: complete")
        self._tidy()

    def _tidy(self) -> None:
        """Remove old traces; what cannot be removed is no reason not to record."""
        try:
            self._traces.remove_old(self.path)
        except OSError as error:
            say(f"old traces stay: {sentence(error)}")


class Flight:
    """The last so many seconds, and traces of it at SIGUSR1 or when `fastnvmetrics dump` asks.

    Raises
    ------
    OSError
        Another one has the directory, or it cannot be made.
    """

    def __init__(
        self, output: str, keep_last_s: float, quiet: bool, stack: contextlib.ExitStack
    ) -> None:
        self._quiet = quiet
        self._span_s = keep_last_s
        self._flight = stack.enter_context(FlightRecorder(output, keep_last_s))
        for notice in self._flight.notices:
            say(notice)
        stack.push(self._say_what_is_left)
        self._server: DumpServer | None = None
        try:
            self._server = DumpServer(self._flight.directory.path, wake)
            stack.callback(self._server.close, wait=True)
        except OSError as error:  # a memory card's file system has no sockets
            say(f"dumps are made at SIGUSR1 only: {sentence(error)}")
        stack.enter_context(listed(self._flight.directory.path))
        self.path = self._flight.path

    def hooks(self, recorder: NVMetrics) -> Hooks:
        """Return the timer that begins segments, and what makes a trace of them."""
        for notice in self._flight.settle():
            say(notice)

        def rotate() -> None:
            failure = self._flight.rotate(recorder)
            if failure is not None:
                say(f"{sentence(failure)}: it is completed at the end")

        rotating = _Rotating(self._flight.segment_s, rotate)

        def dump(requests: Sequence[Future[str]] = ()) -> None:
            if not requests and self._flight.is_busy:
                say("a dump is being made and another one waits: this signal makes none")
                return
            try:
                made = self._flight.dump(recorder)
            except (OSError, RuntimeError, ValueError) as error:
                for request in requests:
                    request.set_exception(OSError(sentence(error)))
                self._said(error)
                return
            for request in requests:
                made.add_done_callback(functools.partial(_pass_on, request))
            made.add_done_callback(lambda made: self._said(made.exception() or made.result()))

        def answer() -> None:
            requests = self._server.taken() if self._server else []
            if requests:  # else they were answered together with one before
                dump(requests)

        return Hooks(timers=[rotating.timer], on_usr1=dump, on_wake=answer)

    def finish(self) -> str:
        """Make the last trace."""
        requests: list[Future[str]] = []
        if self._server is not None:
            self._server.close()
            requests = self._server.taken()
        try:
            path = self._flight.finish()
        except BaseException as error:
            for request in requests:
                request.set_exception(OSError(sentence(error)))
            raise
        for request in requests:
            request.set_result(os.path.abspath(path))
        return f"{path}: the last {self._span_s:g} s at most, of"

    def _say_what_is_left(self, kind: object, error: object, traceback: object) -> None:
        directory = self._flight.directory
        if kind is not None and directory.segments():
            say(f"what was recorded is in {directory.path}; fastnvmetrics dump makes a trace of it")

    def _said(self, result: object) -> None:
        if isinstance(result, BaseException):
            say(f"no dump was made: {sentence(result)}")
        elif not self._quiet:
            say(f"{result}: dumped")


def _pass_on(request: Future[str], made: Future[str]) -> None:
    error = made.exception()
    if error is not None:
        request.set_exception(OSError(sentence(error)))
    else:
        request.set_result(os.path.abspath(made.result()))
