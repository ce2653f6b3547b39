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

from .child import Child

__all__ = ["ENDING", "Timer", "blocked", "notified_of", "wait", "wake_main_thread"]

#: What ends a recording that has no command.
ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT)
_ALL = (
    *ENDING, signal.SIGUSR1, signal.SIGUSR2, signal.SIGWINCH, signal.SIGCONT, signal.SIGCHLD,
)  # fmt: skip
#: Seconds that a command has to end in, once its time is over, before it is killed.
_PATIENCE = 5.0
_FROM_KERNEL = 0x80  # SI_KERNEL: the terminal sent it, to the command as well
#: How long a signal that another thread has caught can be overlooked, in seconds.
_LONGEST_PAUSE = 1.0

# Signals that came while the main thread was not waiting, and that a thread without a mask took: libraries start
# such threads when they are imported, numpy's among them, and by default it would end us or be lost there.
_caught: list[int] = []


@dataclass
class Timer:
    """Something to do again and again, every so many seconds."""

    interval: float
    action: Callable[[], None]
    due: float = field(init=False)

    def __post_init__(self) -> None:
        self.due = time.monotonic() + self.interval


@contextlib.contextmanager
def blocked() -> Iterator[None]:
    """Have signals wait until `wait` takes them; for the main thread, before others are started."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, _ALL)
    handlers = {number: signal.signal(number, _catch) for number in _ALL}
    try:
        yield
    finally:
        # What nobody waited for any more must not end us while traces are completed.
        while signal.sigtimedwait(_ALL, 0) is not None:
            pass
        for number, handler in handlers.items():
            signal.signal(number, handler)
        _caught.clear()
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def wake_main_thread(number: int) -> None:
    """Send a signal that no other thread can take to the thread that is in `wait`."""
    ident = threading.main_thread().ident
    assert ident is not None  # it has started
    signal.pthread_kill(ident, number)


def _catch(number: int, frame: object) -> None:
    _caught.append(number)


def wait(
    *,
    child: Child | None = None,
    duration: float | None = None,
    timers: Sequence[Timer] = (),
    on_usr1: Callable[[bool], None] | None = None,
) -> None:
    """Wait for the end of a command, of the time, or of whoever `notified_of` tells about; without a command for Ctrl-C
    or SIGTERM too. In a block of `blocked`.

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
        What to do at SIGUSR1, which is not passed on then; it is told whether a thread of this process sent it.
    """
    deadline = None if duration is None else time.monotonic() + duration
    was_told = False
    while True:
        now = time.monotonic()
        if deadline is not None and now >= deadline:
            if child is None:
                return
            child.send(signal.SIGKILL if was_told else signal.SIGTERM)
            was_told, deadline = True, now + _PATIENCE
        for timer in timers:
            if now >= timer.due:
                timer.due = max(timer.due + timer.interval, now)
                timer.action()
        moments = [timer.due for timer in timers] + ([] if deadline is None else [deadline])
        pause = min(min(moments, default=now + 3600) - time.monotonic(), _LONGEST_PAUSE)
        found = signal.sigtimedwait(_ALL, 0 if _caught else max(pause, 0))
        if found is None and not _caught:
            continue
        number = _caught.pop(0) if found is None else found.si_signo
        if number == signal.SIGCHLD:
            if child is None or child.has_ended():
                return
        elif number == signal.SIGUSR1 and on_usr1 is not None:
            on_usr1(found is not None and found.si_pid == os.getpid())
        elif child is not None:
            if found is None or found.si_code != _FROM_KERNEL:
                child.send(number)
        elif number in ENDING:
            return


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
            wake_main_thread(signal.SIGCHLD)

    thread = threading.Thread(target=watch, name="fnvm-pid", daemon=True)
    thread.start()
    try:
        yield
    finally:
        os.close(end)
        thread.join()
        os.close(ended)
        os.close(process)
