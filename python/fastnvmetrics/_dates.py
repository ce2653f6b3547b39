"""When something was recorded, for people."""

from __future__ import annotations

import datetime

__all__ = ["local_time"]


def local_time(realtime_ns: int) -> str | None:
    """Return date and time here; None where they are not known, or no year of a calendar."""
    if not realtime_ns:
        return None
    try:
        moment = datetime.datetime.fromtimestamp(realtime_ns / 1e9).astimezone()
    except (OverflowError, ValueError, OSError):  # a trace that was damaged can say any time
        return None
    return f"{moment:%Y-%m-%d %H:%M:%S %z}"
