"""Waiting for whatever comes first: a signal, the end of a process, a moment."""

from __future__ import annotations

import contextlib
import os
import select
import signal
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

from .. import _native
from .child import Child

__all__ = ["ENDING", "Timer", "caught", "notified_of", "wait", "wake"]


def _known(*names: str) -> tuple[int, ...]:
    """Return the signals that there are: help and traces are for other systems too."""
    return tuple(int(getattr(signal, name)) for name in names if hasattr(signal, name))


#: What ends a recording that has no command.
ENDING = _known("SIGINT", "SIGTERM", "SIGHUP", "SIGQUIT")
_ALL = (*ENDING, *_known("SIGUSR1", "SIGUSR2", "SIGWINCH", "SIGCONT", "SIGCHLD"))
#: Seconds that a command has to end in, once its time is over, before it is killed.
_PATIENCE = 5.0

# The ends of the pipe that they are written to: handlers are the process's, and so is it.
_notes: list[int] = []
_WAKE = 0  # no signal


@dataclass
class Timer:
    """Something to do again and again, every so many seconds."""

    interval: float
    action: Callable[[], None]
    due: float = field(init=False)

    def __post_init__(self) -> None:
        self.due = time.monotonic() + self.interval


@contextlib.contextmanager
def caught() -> Iterator[None]:
    """Keep signals for `wait`, in the main thread: none interrupts the block, not even Ctrl-C."""
    native = _native.load()
    reader, writer = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
    _notes[:] = [reader, writer]
    native.catch_signals(_ALL, writer)
    try:
        yield
    finally:
        native.release_signals()
        _notes.clear()
        os.close(reader)
        os.close(writer)


def wake() -> None:
    """Have `wait` call its `on_wake`; for any thread."""
    os.write(_notes[1], bytes((_WAKE, 0)))


def wait(
    *,
    child: Child | None = None,
    duration: float | None = None,
    timers: Sequence[Timer] = (),
    on_usr1: Callable[[], None] | None = None,
    on_wake: Callable[[], None] | None = None,
) -> int:
    """Wait for the end of a command, of the time, or of whoever `notified_of` tells about; without a command for Ctrl-C
    or SIGTERM too. In a block of `caught`.

    Parameters
    ----------
    child
        Signals that come are passed on to it, and it decides what to make of them. When its time is over it is
        told to end, and killed where it does not.
    duration
        In seconds; None is for ever.
    timers
        Their actions run here, between signals.
    on_usr1
        What to do at SIGUSR1, which is not passed on then.
    on_wake
        What to do when a thread has called `wake`.

    Returns
    -------
    int
        The last signal of `ENDING` that came, from the terminal too; 0 for none.
    """
    deadline = None if duration is None else time.monotonic() + duration
    was_told, ending = False, 0
    while True:
        now = time.monotonic()
        if deadline is not None and now >= deadline:
            if child is None:
                return ending
            child.send(signal.SIGKILL if was_told else signal.SIGTERM)
            was_told, deadline = True, now + _PATIENCE
        for timer in timers:
            if now >= timer.due:
                timer.due = max(timer.due + timer.interval, now)
                timer.action()
        moments = [timer.due for timer in timers] + ([] if deadline is None else [deadline])
        for number, is_from_kernel in _next_signals(
            min(moments, default=now + 3600) - time.monotonic()
        ):
            if number in ENDING:
                ending = number
            if number == _WAKE:
                if on_wake is not None:
                    on_wake()
            elif number == signal.SIGCHLD:
                if child is None or child.has_ended():
                    return ending
            elif number == signal.SIGUSR1 and on_usr1 is not None:
                on_usr1()
            elif child is not None:
                # What the terminal sends, the command gets by itself.
                if not is_from_kernel:
                    child.send(number)
            elif ending:
                return ending


def _next_signals(patience: float) -> list[tuple[int, bool]]:
    """Return the signals that came, once there are any or so many seconds are over."""
    reader = _notes[0]
    ready, _, _ = select.select([reader], [], [], max(patience, 0))
    if not ready:
        return []
    notes = os.read(reader, 4096)
    return [(number, bool(kernel)) for number, kernel in zip(notes[::2], notes[1::2])]


@contextlib.contextmanager
def notified_of(pid: int) -> Iterator[None]:
    """Have `wait` end when another process does.

    Raises
    ------
    OSError
        There is no such process.
    """
    process = os.pidfd_open(pid)
    ended, end = os.pipe()

    def watch() -> None:
        ready, _, _ = select.select([process, ended], [], [])
        if process in ready:
            os.kill(os.getpid(), signal.SIGCHLD)

    thread = threading.Thread(target=watch, name="fnvm-pid", daemon=True)
    thread.start()
    try:
        yield
    finally:
        os.close(end)
        thread.join()
        os.close(ended)
        os.close(process)
