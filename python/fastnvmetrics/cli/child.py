"""A command that is run while something is recorded."""

from __future__ import annotations

import errno
import os
import shutil
import signal
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING

from .exits import CANNOT_RUN, NOT_FOUND, Failure

if TYPE_CHECKING:
    import resource

__all__ = ["Child", "check_command"]


def check_command(command: Sequence[str]) -> None:
    """Refuse a command that is not there, before anything is recorded.

    Raises
    ------
    Failure
        With the exit codes that shells have for it.
    """
    name = command[0]
    if shutil.which(name) is not None:
        return
    if os.path.dirname(name) and os.path.exists(name):
        kind = "is a directory" if os.path.isdir(name) else "is not executable"
        raise Failure(f"{name}: {kind}", CANNOT_RUN)
    raise Failure(f"{name}: there is no such command", NOT_FOUND)


class Child:
    """A running command.

    Attributes
    ----------
    elapsed_s
        Seconds from its start to its end.
    usage
        What `os.wait4` says of it and of its children that it waited for.

    Raises
    ------
    Failure
        It cannot be run.
    """

    def __init__(self, command: Sequence[str], *, stdout_to_stderr: bool = False) -> None:
        actions = [(os.POSIX_SPAWN_DUP2, 2, 1)] if stdout_to_stderr else []
        self._began = time.monotonic()
        self._status: int | None = None
        self.elapsed_s = 0.0
        self.usage: resource.struct_rusage | None = None
        try:
            # Python ignores two that others do not.
            self._pid = os.posix_spawnp(
                command[0],
                list(command),
                os.environ,
                file_actions=actions,
                setsigdef=[signal.SIGPIPE, signal.SIGXFSZ],
            )
        except OSError as error:
            missing = error.errno in (errno.ENOENT, errno.ENOTDIR)
            raise Failure(
                f"{command[0]}: {error.strerror}", NOT_FOUND if missing else CANNOT_RUN
            ) from error

    def has_ended(self) -> bool:
        """Whether it is over."""
        if self._status is None:
            pid, status, usage = os.wait4(self._pid, os.WNOHANG)
            if pid:
                self.elapsed_s = time.monotonic() - self._began
                self._status, self.usage = status, usage
        return self._status is not None

    def send(self, number: int) -> None:
        """Send it a signal, if it has not ended."""
        if not self.has_ended():
            os.kill(self._pid, number)

    @property
    def exit_code(self) -> int:
        """Its exit code; 128 and the signal where one ended it."""
        assert self._status is not None, "it has not ended"
        code = os.waitstatus_to_exitcode(self._status)
        return code if code >= 0 else 128 - code
