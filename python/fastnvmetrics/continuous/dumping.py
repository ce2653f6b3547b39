"""Traces of what a flight recorder holds, asked for from outside."""

from __future__ import annotations

import contextlib
import errno
import glob
import os
import tempfile
from collections.abc import Iterator
from typing import NamedTuple

from .._paths import PathLike
from ..joining.join import join
from .dump_socket import ask_for_dump
from .flight import dump_path
from .flight_directory import SUFFIX, FlightDirectory
from .runtime_directory import runtime_directory

__all__ = ["Dumped", "dump", "listed", "running_recorders"]

_LINK = "fastnvmetrics-flight-"


class Dumped(NamedTuple):
    """What `dump` made.

    Attributes
    ----------
    path
        The trace.
    notices
        What there is to know, sentences; none where a recorder is running and made it.
    """

    path: str
    notices: list[str]


def dump(output: PathLike) -> Dumped:
    """Have a flight recorder make a trace of the last stretch; after a crash make it of what is on
    disk.

    Parameters
    ----------
    output
        What the recorder was told to record to: ``fastnvmetrics record --keep-last 10m -o OUTPUT``.

    Raises
    ------
    FileNotFoundError
        No flight recorder has left anything there.
    OSError
        It may not be asked, or the trace cannot be written.
    ValueError
        There is nothing to make a trace of.
    """
    path = os.path.abspath(os.fsdecode(output))
    directory = path + SUFFIX
    try:
        os.stat(directory)
        return Dumped(ask_for_dump(directory), [])
    except PermissionError as error:
        raise PermissionError(
            f"{directory}: you may not ask this recorder: {error.strerror}"
        ) from error
    except (ConnectionRefusedError, ConnectionResetError, FileNotFoundError) as error:
        if not os.path.isdir(directory):
            message = f"{os.fsdecode(output)}: there is no flight recorder, nor what one has left"
            raise FileNotFoundError(message) from error
    with contextlib.closing(_left(path)) as left:
        notices = left.recover()
        segments = left.segments()
        if not segments:
            raise ValueError(f"{directory}: there are no segments to make a trace of")
        made = dump_path(path)
        join(segments, made, last_s=left.keep_last_s)
    return Dumped(made, ["no recorder is running: this is what the last one left", *notices])


@contextlib.contextmanager
def listed(directory: str) -> Iterator[None]:
    """Let `running_recorders` find the recorder of a directory while the block runs."""
    parent = runtime_directory()
    link = os.path.join(parent, f"{_LINK}{os.getpid()}")
    with contextlib.suppress(OSError):  # it can be asked by its path all the same
        for left in _links(parent):
            if left == link or not _is_alive(left):
                os.unlink(left)
        os.symlink(os.path.abspath(directory), link)
    try:
        yield
    finally:
        with contextlib.suppress(OSError):
            os.unlink(link)


def running_recorders() -> list[str]:
    """Return what the flight recorders record to that this user started, or that systemd did."""
    found = set()
    for parent in (runtime_directory(), tempfile.gettempdir(), *glob.glob("/run/fastnvmetrics*")):
        for link in _links(parent):
            with contextlib.suppress(OSError):
                directory = os.readlink(link)
                if directory.endswith(SUFFIX) and _is_alive(link):
                    found.add(directory.removesuffix(SUFFIX))
    return sorted(found)


def _links(parent: str) -> list[str]:
    """Return the links of recorders: anyone can leave some in a directory for temporary files, and
    those do not count.
    """
    is_systemds = parent.startswith("/run/fastnvmetrics")
    found = []
    for link in glob.glob(os.path.join(glob.escape(parent), f"{_LINK}*")):
        with contextlib.suppress(OSError):
            if is_systemds or os.lstat(link).st_uid == os.getuid():
                found.append(link)
    return found


def _is_alive(link: str) -> bool:
    return os.path.exists(f"/proc/{link.rpartition('-')[2]}")


def _left(path: str) -> FlightDirectory:
    try:
        return FlightDirectory(path, must_exist=True)
    except OSError as error:
        if error.errno != errno.EBUSY:
            raise
        raise OSError(
            f"{path}: its recorder is just starting or ending; ask again in a moment"
        ) from error
