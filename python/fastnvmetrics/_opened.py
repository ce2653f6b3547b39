"""Traces as functions take them: a path, or one that is open already."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any, Union

from ._paths import PathLike
from .mapped import MappedTrace
from .trace import read_trace
from .trace_data import TraceData

__all__ = ["TraceLike", "is_aligned", "opened"]

#: What stands for a trace: its file, or what `read_trace` or `map_trace` made of it.
TraceLike = Union[PathLike, TraceData, MappedTrace]


def opened(trace: TraceLike) -> Any:
    """Return the trace, read where a path was given.

    Raises
    ------
    TypeError
        It is no trace and no path. Else as `read_trace`.
    """
    if isinstance(trace, (Mapping, MappedTrace)):
        return trace
    if isinstance(trace, (str, bytes, os.PathLike)):
        return read_trace(trace)
    raise TypeError(
        f"trace must be a path or what read_trace or map_trace returns, not {type(trace).__name__}"
    )


def is_aligned(trace: Any) -> bool:
    """Return whether it was read with ``align="fast"``; False where that makes no difference."""
    tiers = (("power_mw", "medium_time_s"), ("temp_c", "slow_time_s"))
    return any(len(trace[values]) != len(trace[times]) for values, times in tiers)
