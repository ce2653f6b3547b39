"""Where an export goes: a file that is there when it is complete, or a stream."""

from __future__ import annotations

import contextlib
import errno
import os
from collections.abc import Iterator
from typing import BinaryIO

__all__ = ["check_target", "is_ordinary", "temporary_beside", "written"]


def check_target(path: str, overwrite: bool, inputs: tuple[str, ...] = ()) -> None:
    """See that a file may be written.

    Raises
    ------
    FileExistsError
        It is there, and not to be replaced.
    ValueError
        It is one of the traces.
    OSError
        It is a directory, or in none.
    """
    for trace in inputs:
        with contextlib.suppress(OSError):
            if os.path.samefile(path, trace):
                raise ValueError(f"{path}: this is the trace itself")
    if os.path.isdir(path):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), path)
    if is_ordinary(path) and os.path.lexists(path) and not overwrite:
        raise FileExistsError(
            errno.EEXIST, "exists already, and is replaced with --force (overwrite=True) only", path
        )
    if not os.path.isdir(os.path.dirname(path) or "."):
        raise FileNotFoundError(errno.ENOENT, "its directory does not exist", path)


def temporary_beside(path: str) -> str:
    """Return the name that a file has while it is written, which no glob of a dataset finds."""
    directory, name = os.path.split(path)
    return os.path.join(directory, f".{name}.{os.getpid()}.partial")


@contextlib.contextmanager
def written(path: str) -> Iterator[BinaryIO]:
    """Open a file to be written; it takes its place when the block ends, and is gone on failure.

    What is there and no ordinary file, such as a pipe, is written to as it is.
    """
    if not is_ordinary(path):
        with _naming(path), open(path, "wb") as file:
            yield file
        return
    # Of a link, what it leads to.
    path = os.path.realpath(path)
    temporary = temporary_beside(path)
    try:
        with _naming(path, temporary):
            with open(temporary, "wb") as file:
                yield file
            os.replace(temporary, path)
    finally:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(temporary)


@contextlib.contextmanager
def _naming(path: str, temporary: str | None = None) -> Iterator[None]:
    """Have errors name the file: a full disk does not know it."""
    try:
        yield
    except OSError as error:
        if error.filename in (None, temporary) and error.errno is not None:
            raise type(error)(error.errno, error.strerror, path) from error
        raise


def is_ordinary(path: str) -> bool:
    """Return whether it is a file, or will be one."""
    return os.path.isfile(path) or not os.path.exists(path)
