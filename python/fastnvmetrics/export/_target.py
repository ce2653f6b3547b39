"""Where an export goes: a file that is there when it is complete, or a stream."""

from __future__ import annotations

import contextlib
import errno
import os
from collections.abc import Iterator
from typing import BinaryIO

from .._replacing import replacing

__all__ = ["check_target", "is_ordinary", "written"]


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


@contextlib.contextmanager
def written(path: str) -> Iterator[BinaryIO]:
    """Open a file to be written; it takes its place when the block ends, and is gone on failure."""
    with replacing(path) as temporary, open(temporary, "wb") as file:
        yield file


def is_ordinary(path: str) -> bool:
    """Return whether it is a file, or will be one."""
    return os.path.isfile(path) or not os.path.exists(path)
