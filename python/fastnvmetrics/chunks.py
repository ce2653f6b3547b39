"""The chunks of a trace: what there is to say beyond samples and sync points."""

from __future__ import annotations

import io
import json
import os
import struct
import warnings
import zlib
from collections.abc import Iterator
from typing import Any, NamedTuple, cast

from . import trace_format as layout
from ._paths import PathLike
from ._trace_file import checked_counts, open_regular, read_header
from .stats import Stats

__all__ = ["Chunk", "read_chunks"]

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


class _Place(NamedTuple):
    """Where a chunk is in the file; a payload that the file ends in has a size of None."""

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


def read_objects(
    file: io.FileIO, header: Any, path: str | bytes, types: tuple[str, ...]
) -> list[dict[str, Any] | None]:
    """Return the JSON object of the first chunk of each type.

    It is None where there is none, and, with a warning, where it is damaged: samples are worth
    reading all the same.
    """
    found: dict[str, dict[str, Any] | None] = {}
    for place in _places(file, header):
        if place.type not in types or place.type in found:
            continue
        found[place.type] = None
        try:
            content = json.loads(_payload(file, place, path))
            if not isinstance(content, dict):
                raise ValueError(f"Corrupt chunk: {place.type} holds no object: {os.fsdecode(path)}")
            found[place.type] = content
        except (ValueError, RecursionError) as error:
            message = str(error)
            if not message.startswith("Corrupt chunk"):
                message = f"Corrupt chunk: {place.type} is no JSON ({error}): {os.fsdecode(path)}"
            warnings.warn(message, RuntimeWarning, stacklevel=5)
    return [found.get(wanted) for wanted in types]


def read_facts(
    file: io.FileIO, header: Any, path: str | bytes
) -> tuple[dict[str, Any] | None, Stats | None]:
    """Return what the META and the STAT chunk say, None where there is none."""
    metadata, stats = read_objects(file, header, path, ("META", "STAT"))
    return metadata, cast("Stats | None", stats)


def _places(file: io.FileIO, header: Any) -> Iterator[_Place]:
    """Walk over the chunks without reading what they hold."""
    # The reference leaves whatever follows the names unset.
    at = int(header["chunks_offset"]) if int(header["flags"]) & layout.FLAG_VALID else 0
    size = os.fstat(file.fileno()).st_size
    while 0 < at < size:
        file.seek(at)
        prefix = file.read(_PREFIX.size)
        if len(prefix) < _PREFIX.size:
            yield _Place("", at, None, 0)
            return
        kind, length, checksum = _PREFIX.unpack(prefix)
        at += _PREFIX.size
        name = kind.decode("latin-1")
        if length > size - at:
            yield _Place(name, at, None, checksum)
            return
        yield _Place(name, at, length, checksum)
        at += length


def _payload(file: io.FileIO, place: _Place, path: str | bytes) -> bytes:
    where = f"{place.type or 'the last'} at {place.start} of {os.fsdecode(path)}"
    if place.size is None:
        raise ValueError(f"Corrupt chunk: {where} is longer than the file")
    file.seek(place.start)
    parts: list[bytes] = []
    left = place.size
    while left > 0:
        part = file.read(left)
        if not part:
            raise ValueError(f"Corrupt chunk: {where} was shortened while it was read")
        parts.append(part)
        left -= len(part)
    payload = b"".join(parts)
    if zlib.crc32(payload) != place.checksum:
        raise ValueError(f"Corrupt chunk: {where} does not match its checksum")
    return payload
