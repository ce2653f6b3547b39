"""Exit codes, and failures as one line."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator

import click

from .._table import printable
from ..errors import FastNVMetricsError, TraceError, UnfinishedTraceError

__all__ = [
    "CANNOT_RUN",
    "CODES",
    "FAILED",
    "NOT_FOUND",
    "NO_TRACE",
    "RECORDER_FAILED",
    "UNFINISHED",
    "Failure",
    "code_of",
    "interrupted",
    "reported",
    "sentence",
]

FAILED, NO_TRACE, UNFINISHED = 1, 3, 4
RECORDER_FAILED, CANNOT_RUN, NOT_FOUND = 125, 126, 127

#: What the help says of them.
CODES = {
    "0": "done",
    "1": "failed: a file, a node or a permission; the message says which",
    "2": "wrong usage",
    "3": "the file is no trace, or not all of one is there",
    "4": "the trace was never finished: fastnvmetrics recover FILE",
    "125": "record, stat: recording failed, whatever the command did",
    "126": "record, stat: the command cannot be run",
    "127": "record, stat: there is no such command",
    "other": "record, stat: that of the command, 128 and the signal where one ended it",
}

_FORMAT, _UNFINISHED = -9, -10  # FNVM_E_FORMAT, FNVM_E_UNFINISHED of fastnvmetrics.h


class Failure(Exception):
    """What ends the command: one line, and an exit code."""

    def __init__(self, message: str, code: int = FAILED) -> None:
        super().__init__(message)
        self.code = code

    def show(self) -> None:
        """Say it."""
        name = click.style("fastnvmetrics:", fg="red", bold=True)
        click.echo(f"{name} {printable(str(self))}", err=True)


@contextlib.contextmanager
def reported(code: int | None = None) -> Iterator[None]:
    """Turn errors of the library into a `Failure`, with this exit code or that of the error.

    What is no error that a user can meet goes on: a traceback is of use then.
    """
    try:
        yield
    except BrokenPipeError:
        raise  # whoever reads has enough: click ends quietly
    except (OSError, ValueError, RuntimeError, ImportError) as error:
        if isinstance(error, (click.exceptions.Exit, click.Abort)):
            raise
        raise Failure(sentence(error), code_of(error) if code is None else code) from error


def code_of(error: BaseException) -> int:
    """Return the exit code of an error."""
    if isinstance(error, UnfinishedTraceError):
        return UNFINISHED
    if isinstance(error, TraceError):
        return NO_TRACE
    if isinstance(error, FastNVMetricsError):
        return {_FORMAT: NO_TRACE, _UNFINISHED: UNFINISHED}.get(error.status or 0, FAILED)
    return FAILED


def sentence(error: BaseException) -> str:
    """Return what an error says, as a line without Python's words around it."""
    if isinstance(error, OSError) and error.strerror is not None:
        if error.filename is None:
            return error.strerror
        name = str(error.filename)
        if isinstance(error.filename, (str, bytes)):
            name = os.fsdecode(error.filename)
        # The library's own say which file they are about.
        return error.strerror if name in error.strerror else f"{name}: {error.strerror}"
    return str(error) or type(error).__name__


def interrupted() -> int:
    """Return the exit code of a command that Ctrl-C ended, as shells have it."""
    return 128 + 2
