"""The terminal: draws readings with curses, only what has changed, and takes keys and signals."""

from __future__ import annotations

import contextlib
import curses
import locale
import os
import select
import signal
import sys
import time
from collections.abc import Iterator
from typing import Any

from .meter import Meter, Reading
from .view import Row, View

__all__ = ["EndingSignals", "TerminalError", "check_terminal", "ending_signals", "show"]

_ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT)
_QUIT, _ESCAPE = (ord("q"), ord("Q")), 27


class TerminalError(RuntimeError):
    """There is no terminal that can show it."""


def show(
    meter: Meter, interval_s: float, signals: EndingSignals, *, use_color: bool = True
) -> None:
    """Show readings until q is pressed, or a signal ends it: the terminal is then as it was before.

    For the main thread.

    Parameters
    ----------
    meter
        One that has begun.
    interval_s
        From one picture to the next; values are read and joules counted at the meter's own rate if
        that is faster.
    signals
        From `ending_signals`, begun before the meter, so that none leaves a trace behind.
    use_color
        Whether to use colours where the terminal has some.

    Raises
    ------
    TerminalError
        Standard input or output is no terminal, or one that cannot place text; the message says so.
    """
    check_terminal()
    locale.setlocale(locale.LC_ALL, "")
    with _screen() as window:
        _Display(window, meter, interval_s, use_color, signals).run()


def check_terminal() -> None:
    """Refuse what is no terminal, or one that text cannot be placed on."""
    for stream, name in ((sys.stdin, "input"), (sys.stdout, "output")):
        if not stream.isatty():
            raise TerminalError(f"standard {name} is no terminal; --once prints one reading")
    kind = os.environ.get("TERM", "")
    try:
        # First: on a terminal that is not known, initscr ends the process.
        curses.setupterm(kind or "unknown", sys.stdout.fileno())
        can_place = curses.tigetstr("cup") is not None
    except curses.error:
        raise TerminalError(
            f"TERM={kind!r} is no terminal that is known here; --once prints one reading"
        ) from None
    if not can_place:
        raise TerminalError(f"TERM={kind!r} cannot place text; --once prints one reading")


@contextlib.contextmanager
def _screen() -> Iterator[Any]:
    window = curses.initscr()
    try:
        curses.noecho()
        curses.cbreak()
        window.keypad(True)
        window.nodelay(True)
        with contextlib.suppress(curses.error):
            curses.curs_set(0)
        yield window
    finally:
        window.keypad(False)
        with contextlib.suppress(curses.error):
            curses.curs_set(1)
        curses.echo()
        curses.nocbreak()
        curses.endwin()


class EndingSignals:
    """Which signal has come that ends it, and a descriptor that can be read once one has."""

    def __init__(self, descriptor: int) -> None:
        self.descriptor = descriptor
        self.has_come = False

    def receive(self, number: int, frame: object) -> None:
        self.has_come = True


@contextlib.contextmanager
def ending_signals() -> Iterator[EndingSignals]:
    """Have SIGINT, SIGTERM, SIGHUP and SIGQUIT end what is shown, and nothing else, in a block."""
    reading, writing = os.pipe()
    os.set_blocking(reading, False)
    os.set_blocking(writing, False)
    signals = EndingSignals(reading)
    before = {number: signal.signal(number, signals.receive) for number in _ENDING}
    wakeup = signal.set_wakeup_fd(writing, warn_on_full_buffer=False)
    try:
        yield signals
    finally:
        signal.set_wakeup_fd(wakeup)
        for number, handler in before.items():
            signal.signal(number, handler)
        os.close(reading)
        os.close(writing)


class _Display:
    def __init__(
        self, window: Any, meter: Meter, interval_s: float, use_color: bool, signals: EndingSignals
    ) -> None:
        self.window, self.meter, self.signals = window, meter, signals
        self.interval_s = interval_s
        self.view = View(meter.board.board_name, 1 / interval_s, _is_unicode())
        self.styles = _styles(use_color)
        self.drawn: list[Row] = []
        self.is_frozen = self.is_help = self.has_ended = False
        self.shown: Reading | None = None

    def run(self) -> None:
        poll_s = min(self.interval_s, 1 / self.meter.rate_hz)
        due = next_frame = time.monotonic()
        while not (self.has_ended or self.signals.has_come):
            reading = self.meter.read()
            now = time.monotonic()
            if self.shown is None or not self.is_frozen:
                self.shown = reading
            if now >= next_frame - poll_s / 2:
                self.draw()
                next_frame = max(next_frame + self.interval_s, now)
            due = max(due + poll_s, time.monotonic())
            self.wait(due)

    def wait(self, until: float) -> None:
        """Take keys until then."""
        while not (self.has_ended or self.signals.has_come):
            pause = until - time.monotonic()
            if pause <= 0:
                return
            ready, _, _ = select.select([sys.stdin, self.signals.descriptor], [], [], pause)
            if self.signals.descriptor in ready:
                with contextlib.suppress(BlockingIOError):
                    os.read(self.signals.descriptor, 512)
            self.take_keys(is_ready=sys.stdin in ready)

    def take_keys(self, is_ready: bool) -> None:
        key = self.window.getch()
        if key == -1 and is_ready:
            self.has_ended = True  # the terminal is gone
        while key != -1:
            self.press(key)
            key = self.window.getch()

    def press(self, key: int) -> None:
        if key in _QUIT:
            self.has_ended = True
        elif key in (ord("r"), ord("R")):
            self.meter.reset()
        elif key == ord(" "):
            self.is_frozen = not self.is_frozen
        elif key in (ord("?"), ord("h")) or (key == _ESCAPE and self.is_help):
            self.is_help = not self.is_help
        elif key == curses.KEY_RESIZE:
            curses.update_lines_cols()
            self.window.clear()
            self.drawn = []
        else:
            return
        self.draw()

    def draw(self) -> None:
        """Draw the lines that have changed."""
        height, width = self.window.getmaxyx()
        assert self.shown is not None
        if self.is_help:
            rows = self.view.help_rows(width, height)
        else:
            rows = self.view.rows(self.shown, width, height, self.is_frozen)
        if len(rows) < len(self.drawn):
            rows += [()] * (len(self.drawn) - len(rows))
        for line, row in enumerate(rows):
            if line < len(self.drawn) and self.drawn[line] == row:
                continue
            # The last place of the last line cannot be written without scrolling; and a terminal
            # that shrinks while it is drawn on has no such place any more.
            with contextlib.suppress(curses.error):
                self.window.move(line, 0)
                # First: after a line of the full width the cursor is in the next one.
                self.window.clrtoeol()
                for text, style in row:
                    self.window.addstr(text, self.styles[style])
        self.drawn = rows
        self.window.refresh()


def _is_unicode() -> bool:
    return "utf" in locale.nl_langinfo(locale.CODESET).lower()


def _styles(use_color: bool) -> dict[str, int]:
    styles = {
        "plain": curses.A_NORMAL, "bold": curses.A_BOLD, "dim": curses.A_DIM,
        "bar": curses.A_NORMAL, "high": curses.A_BOLD, "full": curses.A_REVERSE,
    }  # fmt: skip
    with contextlib.suppress(curses.error):
        if use_color and curses.has_colors():
            curses.start_color()
            curses.use_default_colors()
            for pair, (style, color) in enumerate(
                (
                    ("bar", curses.COLOR_CYAN),
                    ("high", curses.COLOR_YELLOW),
                    ("full", curses.COLOR_RED),
                ),
                start=1,
            ):
                curses.init_pair(pair, color, -1)
                styles[style] = curses.color_pair(pair) | (curses.A_BOLD if style == "full" else 0)
    return styles
