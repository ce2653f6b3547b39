"""Traces in figures, for subcommands: in place, however long they are."""

from __future__ import annotations

from ..analysis import summarize
from ..mapped import map_trace
from ..summary import Summary
from .output import working

__all__ = ["summary_of"]


def summary_of(path: str) -> Summary:
    """Return a trace in figures, without reading all of it into memory; errors as `summarize`."""
    with map_trace(path) as trace, working(f"reading {path}"):
        return summarize(trace)
