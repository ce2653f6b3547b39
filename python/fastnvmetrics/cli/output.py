"""What subcommands print: JSON, tables, progress."""

from __future__ import annotations

import contextlib
import json
import sys
import threading
import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import click

from .._table import printable, table
from ..summary import jsonable

__all__ = ["notices", "print_json", "print_lines", "print_table", "progress", "say", "working"]

#: Progress is shown from here on, in seconds: what is quicker needs none.
_PATIENCE = 1.0


def print_json(value: Any) -> None:
    """Print a value on standard output: dataclasses as objects, what JSON has not as null."""
    click.echo(json.dumps(jsonable(value), indent=1, ensure_ascii=False))


def print_lines(lines: Sequence[str], err: bool = False) -> None:
    """Print lines as they are, but for what could command a terminal."""
    for line in lines:
        click.echo(printable(line), err=err)


def print_table(
    head: Sequence[str], rows: Sequence[Sequence[str]], columns: str = "lr", err: bool = False
) -> None:
    """Print rows below a head; `columns` as in `_table.table`."""
    lines = table([head, *rows], columns)
    click.echo(click.style(lines[0], bold=True), err=err)
    for line in lines[1:]:
        click.echo(line, err=err)


def say(message: str) -> None:
    """Say on standard error what a user should know and standard output is not for."""
    click.echo(f"fastnvmetrics: {printable(message)}", err=True)


@contextlib.contextmanager
def notices() -> Iterator[None]:
    """Say what the library warns of in the block, such as a chunk that is damaged, in a line."""
    with warnings.catch_warnings():
        warnings.simplefilter("always", RuntimeWarning)
        warnings.showwarning = lambda message, *_, **__: say(str(message))
        yield


@contextlib.contextmanager
def progress(label: str) -> Iterator[Callable[[float], None]]:
    """Show how far something is, on a terminal, once it has taken a second.

    The block gets a function to call with the share that is done, 0 to 1, as often as it likes.
    """
    begun = time.monotonic()
    shown: list[float] = []

    def update(share: float) -> None:
        now = time.monotonic()
        if not sys.stderr.isatty() or now - begun < _PATIENCE:
            return
        if shown and now - shown[-1] < 0.1:
            return
        shown[:] = [now]
        done = max(0.0, min(share, 1.0))
        left = (now - begun) * (1 / done - 1) if done > 0 else 0.0
        bar = "#" * int(30 * done)
        click.echo(
            f"\r{label}  [{bar:<30}] {100 * done:3.0f} %  {left:.0f} s left \x1b[K",
            nl=False,
            err=True,
        )

    try:
        yield update
    finally:
        if shown:
            click.echo("\r\x1b[K", nl=False, err=True)


@contextlib.contextmanager
def working(label: str) -> Iterator[None]:
    """Show for how long the block has been running, on a terminal, once that is a second."""
    if not sys.stderr.isatty():
        yield
        return
    begun = time.monotonic()
    done = threading.Event()

    def show() -> None:
        if done.wait(_PATIENCE):
            return
        while not done.wait(0.2):
            seconds = time.monotonic() - begun
            click.echo(f"\r{printable(label)}  {seconds:.0f} s \x1b[K", nl=False, err=True)
        click.echo("\r\x1b[K", nl=False, err=True)

    thread = threading.Thread(target=show, name="fnvm-working", daemon=True)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()
