"""The directory of a flight recorder: its segments, its lock, and what is left after a crash."""

from __future__ import annotations

import contextlib
import errno
import json
import os
import re
from typing import Any

from .._replacing import replacing
from .._trace_file import header_data, open_regular, read_any_header
from ..joining.join import alike, join
from ..recorder import recover
from .rotation import is_unfinished, remove_trace

__all__ = ["SUFFIX", "FlightDirectory"]

SUFFIX = ".fnvm-flight"
_FACTS = "flight.json"
_DAMAGED = "damaged.bin"
_BOOT_ID = "/proc/sys/kernel/random/boot_id"
_SEGMENT = re.compile(r"segment-(\d{8,})\.bin")


class FlightDirectory:
    """``OUTPUT.fnvm-flight``, locked by whoever records into it or looks after it.

    Parameters
    ----------
    output
        The trace that the flight recorder is named after.
    must_exist
        Do not make it.

    Attributes
    ----------
    path
        The directory.

    Raises
    ------
    FileNotFoundError
        It must exist and does not.
    OSError
        It cannot be made, or another process has it (EBUSY).
    """

    def __init__(self, output: str, must_exist: bool = False) -> None:
        self.output = output
        self.path = output + SUFFIX
        if not must_exist:
            with contextlib.suppress(FileExistsError):
                os.mkdir(self.path)
        self._descriptor: int | None = os.open(
            self.path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
        )
        import fcntl  # of Linux alone, as recording is; help is for every system

        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            self.close()
            if error.errno in (errno.EAGAIN, errno.EACCES):
                raise OSError(
                    errno.EBUSY, "a flight recorder is running here", self.path
                ) from error
            raise
        self._newest = max((_number(path) for path in self.segments()), default=0)
        self._facts = self._read_facts()

    @property
    def keep_last_s(self) -> float | None:
        """The span of the recorder that was here last, in seconds."""
        span = self._facts.get("keep_last_s")
        return float(span) if isinstance(span, (int, float)) and span > 0 else None

    def segments(self) -> list[str]:
        """Return the segments, oldest first; none where the directory was removed."""
        if self._descriptor is None:
            return []
        try:
            names = [name for name in os.listdir(self.path) if _SEGMENT.fullmatch(name)]
        except FileNotFoundError:  # somebody else did
            return []
        return sorted((os.path.join(self.path, name) for name in names), key=_number)

    def next_segment(self) -> str:
        """Return the path of the next one."""
        self._newest += 1
        return os.path.join(self.path, f"segment-{self._newest:08}.bin")

    def recover(self) -> list[str]:
        """Complete segments whose recorder was killed; return what there is to say of it.

        Raises
        ------
        OSError
            The disk does not take it.
        """
        said = []
        for path in self.segments():
            try:
                if is_unfinished(path):
                    recover(path)
                    said.append(f"{path}: its recorder was killed; recovered")
            except (ValueError, RuntimeError) as error:
                # Of several the newest stays: enough to find out what happened, and no more.
                os.replace(path, os.path.join(self.path, _DAMAGED))
                remove_trace(path)
                said.append(f"{path} is damaged, and now {_DAMAGED} beside it: {error}")
        return said

    def begin(self, keep_last_s: float) -> list[str]:
        """Get ready for a recorder of that span; return what there is to say of what the last one
        left.
        """
        self._remove_unfinished_dumps()
        said = self.recover()
        kept = {os.path.basename(path) for path in self.segments()}
        for name in os.listdir(self.path):
            # What a recorder that was killed while it began one had made.
            segment, found, _ = name.partition(".fnvm-")
            if found and _SEGMENT.fullmatch(segment) and segment not in kept:
                os.unlink(os.path.join(self.path, name))
        boot_id = _boot_id()
        if self.segments() and self._facts.get("boot_id") != boot_id:
            said += self._set_aside(self.segments(), "from before the restart of the machine")
        self._facts = {"keep_last_s": keep_last_s, "boot_id": boot_id}
        facts = os.path.join(self.path, _FACTS)
        with replacing(facts) as temporary, open(temporary, "w", encoding="utf-8") as file:
            json.dump(self._facts, file)
        return said

    def settle(self, current: str) -> list[str]:
        """Set segments aside that cannot be joined with the one that is recorded; return what to
        say of it.
        """
        header = _header(current)
        others = [path for path in self.segments() if path != current]
        strangers = [path for path in others if alike(_header(path), header) is not None]
        said = self._set_aside(strangers, "recorded with other settings") if strangers else []
        kept = len(others) - len(strangers)
        return said + (
            [f"{kept} segments of the recorder before are kept in {self.path}"] if kept else []
        )

    def remove_older(self, current: str, keep_last_s: float) -> None:
        """Remove segments that ended so many seconds before the current one began.

        Not before now: a segment ends with samples that are a tenth of a second old.
        """
        oldest_ns = _header(current)["start_monotonic_ns"] - round(keep_last_s * 1e9)
        segments = self.segments()
        for path, following in zip(segments, segments[1:]):
            if _header(following)["start_monotonic_ns"] > oldest_ns:
                return
            remove_trace(path)

    def remove(self) -> None:
        """Remove the segments, and the directory where nothing else is in it; calling it again is
        harmless.
        """
        if self._descriptor is None:
            return
        for path in self.segments():
            remove_trace(path)
        for name in (_FACTS, _FACTS + ".new"):
            with contextlib.suppress(FileNotFoundError):
                os.unlink(os.path.join(self.path, name))
        with contextlib.suppress(OSError):
            os.rmdir(self.path)
        self.close()

    def close(self) -> None:
        """Let go of it; calling it again is harmless."""
        descriptor, self._descriptor = self._descriptor, None
        if descriptor is not None:
            os.close(descriptor)

    def _set_aside(self, segments: list[str], why: str) -> list[str]:
        """Make one trace of segments that the new recorder has no use for, in place of such a one
        before.
        """
        stem, extension = os.path.splitext(self.output)
        path = f"{stem}-before{extension}"
        newest = _header(segments[-1])
        fitting = [segment for segment in segments if alike(_header(segment), newest) is None]
        try:
            join(fitting, path)
            said = [f"{path}: {len(fitting)} segments {why}"]
        except ValueError:
            # Their times overlap, as after a restart of the machine twice: the newest is worth
            # most.
            join(fitting[-1:], path)
            said = [f"{path}: the newest of {len(segments)} segments {why}; the others do not fit"]
        for segment in segments:
            remove_trace(segment)
        return said

    def _remove_unfinished_dumps(self) -> None:
        """Remove what a recorder that was killed had begun to join: the segments are there."""
        directory, name = os.path.split(self.output)
        stem, extension = map(re.escape, os.path.splitext(name))
        begun = re.compile(rf"{stem}(-before|-\d{{8}}T\d{{6}}(-\d+)?)?{extension}\.joining-\d+")
        for name in os.listdir(directory or "."):
            if begun.fullmatch(name):
                os.unlink(os.path.join(directory, name))

    def _read_facts(self) -> dict[str, Any]:
        with contextlib.suppress(OSError, ValueError):
            with open(os.path.join(self.path, _FACTS), encoding="utf-8") as file:
                facts = json.load(file)
            return facts if isinstance(facts, dict) else {}
        return {}


def _number(path: str) -> int:
    match = _SEGMENT.fullmatch(os.path.basename(path))
    return int(match[1]) if match else 0


def _header(path: str) -> Any:
    with open_regular(path) as file:
        return header_data(read_any_header(file, path))


def _boot_id() -> str:
    try:
        with open(_BOOT_ID, encoding="ascii") as file:
            return file.read().strip()
    except OSError:
        return ""
