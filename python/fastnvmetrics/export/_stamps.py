"""Packets of Perfetto that differ in a time and a value alone, many at a time."""

from __future__ import annotations

import struct
from typing import Any

import numpy as np
import numpy.typing as npt

__all__ = ["Stamp"]

# No time is this one, and no value: where they are in a packet is where others go.
_VALUE = struct.unpack("<d", b"\xa5\x5a\xc3\x3c\x99\x66\xf0\x40")[0]


class Stamp:
    """A packet as the protobuf library writes it, with places for a time and a value.

    A program that sets fields one by one writes a few hundred thousand packets a second. Here the
    library writes one, and its bytes are copied for each row: the time as a varint of as many bytes
    as the latest one takes, the value as eight bytes.

    Parameters
    ----------
    packet
        A TracePacket without `timestamp`, whose `track_event` counts.
    latest_ns
        No time is later.
    """

    def __init__(self, packet: Any, latest_ns: int) -> None:
        packet.track_event.double_counter_value = _VALUE
        packet.timestamp = latest_ns
        field = packet.SerializeToString()
        # `timestamp` is field 8, a varint: 7 bits a byte, the lowest first.
        self._width = max(1, -(-latest_ns.bit_length() // 7))
        time = bytes(
            (latest_ns >> 7 * place & 0x7F) | (0x80 if place < self._width - 1 else 0)
            for place in range(self._width)
        )
        value = struct.pack("<d", _VALUE)
        if field.count(b"\x40" + time) != 1 or field.count(value) != 1 or len(field) > 127:
            raise RuntimeError(
                "the protobuf library writes packets of a kind that is not known here"
            )
        # A Trace is packets, each as field 1 with its length before it; this one's fits in a byte.
        framed = b"\x0a" + bytes([len(field)]) + field
        self._time_at = framed.index(b"\x40" + time) + 1
        self._value_at = framed.index(value)
        self._template = np.frombuffer(framed, np.uint8)
        self.size = len(framed)

    def stamped(
        self, times_ns: npt.NDArray[np.int64], values: npt.NDArray[Any]
    ) -> npt.NDArray[np.uint8]:
        """Return (rows, size) bytes: a packet for each time, none of them negative."""
        packets = np.empty((len(times_ns), self.size), np.uint8)
        packets[:] = self._template
        left = times_ns.astype(np.uint64)
        for place in range(self._width):
            last = place == self._width - 1
            packets[:, self._time_at + place] = (
                left if last else (left & np.uint64(0x7F)) | np.uint64(0x80)
            )
            left >>= np.uint64(7)
        bytes_of = np.ascontiguousarray(values, "<f8").view(np.uint8).reshape(-1, 8)
        packets[:, self._value_at : self._value_at + 8] = bytes_of
        return packets
