"""Where running recorders keep what nobody needs when they have ended."""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
from collections.abc import Iterator

__all__ = ["runtime_directory", "scratch_directory"]

_SCRATCH = "fastnvmetrics-serve-"


def runtime_directory() -> str:
    """Return systemd's for this unit, the user's, or that for temporary files, whichever there is
    first.
    """
    # RuntimeDirectory= of a unit can name several, with colons between them.
    for path in (
        os.environ.get("RUNTIME_DIRECTORY", "").split(":")[0],
        os.environ.get("XDG_RUNTIME_DIR", ""),
    ):
        if path and os.path.isdir(path) and os.access(path, os.W_OK | os.X_OK):
            return path
    return tempfile.gettempdir()


@contextlib.contextmanager
def scratch_directory() -> Iterator[str]:
    """Give the block a directory of its own, and remove those that crashed processes left.

    Raises
    ------
    OSError
        None can be made.
    """
    parent = runtime_directory()
    for name in os.listdir(parent):
        path = os.path.join(parent, name)
        if name.startswith(_SCRATCH) and not os.path.islink(path):
            _remove_if_left(path)
    path, descriptor = _new_locked(parent)
    try:
        yield path
    finally:
        shutil.rmtree(path, ignore_errors=True)
        os.close(descriptor)


def _new_locked(parent: str) -> tuple[str, int]:
    """Make a directory, locked for as long as it is used: by that it is told from one that was
    left.
    """
    import fcntl  # of Linux alone, as recording is; help is for every system

    while True:
        path = tempfile.mkdtemp(prefix=_SCRATCH, dir=parent)
        with contextlib.suppress(FileNotFoundError):
            descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            if os.path.isdir(path):  # nobody took it for one that was left meanwhile
                return path, descriptor
            os.close(descriptor)


def _remove_if_left(path: str) -> None:
    import fcntl

    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError:
        return  # another user's, or gone
    try:
        if os.fstat(descriptor).st_uid == os.getuid():
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            shutil.rmtree(path, ignore_errors=True)
    except OSError:
        pass  # in use
    finally:
        os.close(descriptor)
