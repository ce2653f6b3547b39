"""Files that are there when they are complete."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator

from ._paths import PathLike

__all__ = ["replacing", "temporary_beside"]


def temporary_beside(path: str) -> str:
    """Return the name that a file has while it is written, which no glob of a dataset finds."""
    directory, name = os.path.split(path)
    return os.path.join(directory, f".{name}.{os.getpid()}.partial")


@contextlib.contextmanager
def replacing(path: PathLike) -> Iterator[str]:
    """Give a name to write to, which takes the place of `path` when the block ends, and is gone on failure.

    Of a link, what it leads to is replaced. What is there and no ordinary file, such as a pipe, is written to as it is.

    Raises
    ------
    OSError
        What the block raises, about the name that the user knows: a full disk knows none.
    """
    shown = os.fsdecode(path)
    target = os.path.realpath(shown)
    is_ordinary = os.path.isfile(target) or not os.path.exists(target)
    written = temporary_beside(target) if is_ordinary else target  # a directory fails there
    try:
        yield written
        if is_ordinary:
            os.replace(written, target)
    except OSError as error:
        if error.filename in (None, written) and error.errno is not None:
            raise OSError(error.errno, error.strerror, shown) from error
        raise
    finally:
        if is_ordinary:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(written)
