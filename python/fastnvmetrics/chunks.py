"""The chunks of a trace: what there is to say beyond samples and sync points."""

from __future__ import annotations

import io
import json
import os
import struct
import sys
import warnings
import zlib
from collections.abc import Iterator
from typing import Any, NamedTuple, cast

from . import trace_format as layout
from ._paths import PathLike
from ._trace_file import checked_counts, open_regular, read_header
from .errors import TraceError
from .stats import Stats

__all__ = ["Chunk", "read_chunks"]

_PACKAGE = os.path.dirname(__file__)
_PREFIX = struct.Struct("<4sQI")  # type, length of the payload, its CRC-32


class Chunk(NamedTuple):
    """A chunk.

    Attributes
    ----------
    type : str
        Four ASCII characters, such as ``"META"``.
    payload : bytes
        What it says; docs/trace-format.md defines it for each type.
    """

    type: str
    payload: bytes


class Place(NamedTuple):
    """Where a chunk is in the file; a payload that the file ends in has a size of None.

    One without a type is none, and what follows cannot be found.
    """

    type: str
    start: int
    size: int | None
    checksum: int


def read_chunks(path: PathLike) -> list[Chunk]:
    """Read the chunks of a complete trace.

    Parameters
    ----------
    path
        The trace file.

    Returns
    -------
    list of Chunk
        In the order of the file; empty where there are none.

    Raises
    ------
    ValueError
        ``Corrupt chunk``: one does not match its checksum or is longer than the file. Else as
        `read_trace`: the file is no complete trace.
    OSError, TypeError
        As `read_trace`.

    Examples
    --------
    >>> from fastnvmetrics.chunks import read_chunks
    >>> [chunk.type for chunk in read_chunks("run.bin")]  # doctest: +SKIP
    ['META', 'STAT']
    """
    path = os.fspath(path)
    with open_regular(path) as file:
        header = read_header(file, path)
        checked_counts(header, os.fstat(file.fileno()).st_size, path)
        return [Chunk(place.type, _payload(file, place, path)) for place in _places(file, header)]


class Facts(NamedTuple):
    """What the chunks of a trace say, as far as it is known here."""

    metadata: dict[str, Any] | None
    stats: Stats | None
    #: Where the records of phases are: there can be so many that not everybody wants to read them.
    phases: list[Place]


def read_facts(file: io.FileIO, header: Any, path: str | bytes) -> Facts:
    """Walk over the chunks once and read those that are facts.

    An object is None where there is none, and, with a warning, where it is damaged: samples are worth
    reading all the same.
    """
    objects: dict[str, dict[str, Any] | None] = {}
    phases: list[Place] = []
    for place in _places(file, header):
        if place.type == "PHAS":
            phases.append(place)
        elif place.type in ("META", "STAT") and place.type not in objects:
            objects[place.type] = _object(file, place, path)
    return Facts(objects.get("META"), cast("Stats | None", objects.get("STAT")), phases)


def read_phase_records(file: io.FileIO, places: list[Place], path: str | bytes) -> list[bytes]:
    """Return the payloads of these chunks; a warning stands for one that is damaged."""
    payloads: list[bytes] = []
    for place in places:
        try:
            payloads.append(_payload(file, place, path))
        except ValueError as error:
            _warn(str(error))
    return payloads


def mapped_phase_records(content: memoryview, places: list[Place], path: str | bytes) -> list[memoryview]:
    """Return the same of a file in memory."""
    payloads: list[memoryview] = []
    for place in places:
        payload = content[place.start : place.start + (place.size or 0)]
        try:
            _check(payload, place, path)
        except ValueError as error:
            _warn(str(error))
        else:
            payloads.append(payload)
    return payloads


def _object(file: io.FileIO, place: Place, path: str | bytes) -> dict[str, Any] | None:
    try:
        content = json.loads(_payload(file, place, path))
        if not isinstance(content, dict):
            raise TraceError(f"Corrupt chunk: {place.type} holds no object: {os.fsdecode(path)}")
        return content
    except (ValueError, RecursionError) as error:
        message = str(error)
        if not message.startswith("Corrupt chunk"):
            message = f"Corrupt chunk: {place.type} is no JSON ({error}): {os.fsdecode(path)}"
        _warn(message)
        return None


def _warn(message: str) -> None:
    """Warn at the line of the user, who called into the package."""
    level, frame = 1, sys._getframe()
    while frame.f_back is not None and frame.f_code.co_filename.startswith(_PACKAGE + os.sep):
        level, frame = level + 1, frame.f_back
    warnings.warn(message, RuntimeWarning, stacklevel=level)


def _places(file: io.FileIO, header: Any) -> Iterator[Place]:
    """Walk over the chunks without reading what they hold."""
    # The reference leaves whatever follows the names unset.
    at = int(header["chunks_offset"]) if int(header["flags"]) & layout.FLAG_VALID else 0
    size = os.fstat(file.fileno()).st_size
    while 0 < at < size:
        file.seek(at)
        prefix = file.read(_PREFIX.size)
        if len(prefix) < _PREFIX.size:
            yield Place("", at, None, 0)
            return
        kind, length, checksum = _PREFIX.unpack(prefix)
        at += _PREFIX.size
        name = kind.decode("latin-1")
        # Else zeros would be empty chunks without end.
        if not (name.isascii() and name.isprintable()):
            yield Place("", at - _PREFIX.size, None, checksum)
            return
        if length > size - at:
            yield Place(name, at, None, checksum)
            return
        yield Place(name, at, length, checksum)
        at += length


def _payload(file: io.FileIO, place: Place, path: str | bytes) -> bytes:
    file.seek(place.start)
    parts: list[bytes] = []
    left = place.size or 0
    while left > 0:
        part = file.read(left)
        if not part:
            break
        parts.append(part)
        left -= len(part)
    payload = b"".join(parts)
    _check(payload, place, path)
    return payload


def _check(payload: bytes | memoryview, place: Place, path: str | bytes) -> None:
    where = f"{place.type or 'what is'} at {place.start} of {os.fsdecode(path)}"
    if not place.type:
        raise TraceError(f"Corrupt chunk: {where} is none")
    if place.size is None:
        raise TraceError(f"Corrupt chunk: {where} is longer than the file")
    if len(payload) < place.size:
        raise TraceError(f"Corrupt chunk: {where} was shortened while it was read")
    if zlib.crc32(payload) != place.checksum:
        raise TraceError(f"Corrupt chunk: {where} does not match its checksum")
