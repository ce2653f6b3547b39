"""Phases as slices that are nested, which is what a track can show."""

from __future__ import annotations

from collections.abc import Iterable

from .._phase_list import TracePhase

__all__ = ["lanes", "nanoseconds"]


def nanoseconds(seconds: float) -> int:
    """Return ns since t = 0; only damaged traces know of more than 31 years."""
    return round(min(max(seconds, 0.0), 1e9) * 1e9) if seconds == seconds else 0


def lanes(phases: Iterable[TracePhase]) -> list[list[tuple[int, TracePhase | None]]]:
    """Return beginnings and ends (None) of phases, in as many lanes as they need to be nested.

    Those of a thread are, but for coroutines that take turns.
    """
    events: list[list[tuple[int, TracePhase | None]]] = []
    stacks: list[list[int]] = []
    for phase in sorted(phases, key=lambda phase: (phase.begin_s, -phase.end_s)):
        begin, end = nanoseconds(phase.begin_s), nanoseconds(phase.end_s)
        for lane, stack in zip(events, stacks):
            while stack and stack[-1] <= begin:
                lane.append((stack.pop(), None))
            if not stack or stack[-1] >= end:
                break
        else:
            lane, stack = [], []
            events.append(lane)
            stacks.append(stack)
        lane.append((begin, phase))
        stack.append(end)
    for lane, stack in zip(events, stacks):
        while stack:
            lane.append((stack.pop(), None))
    return events
