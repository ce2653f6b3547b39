"""Phases and the labels of sync points, as a trace has them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from .mapped import MappedTrace
    from .trace_data import TraceData

__all__ = ["BEGIN", "END", "EVENT", "LABEL", "PHASE", "SYNC_LABEL", "in_phase"]

#: A record of the chunk PHAS.
EVENT = np.dtype(
    [
        ("time_ns", "<u8"),
        ("fast_sample_idx", "<u8"),
        ("kind", "<u4"),
        ("thread", "<u4"),
        ("id", "<u8"),
        ("parent", "<u8"),
        ("name", "V88"),  # S88 would take zeros at its end away, and those in its middle not
    ]
)
LABEL, BEGIN, END = 1, 2, 3
_MAX_NAME_BYTES = 87

#: A phase: what ``read_trace(path)["phases"]`` is made of.
PHASE = np.dtype(
    [
        ("id", "u8"),  # growing
        ("parent", "u8"),  # the id of the phase that it is inside of, 0: none
        ("depth", "u4"),  # how many it is inside of
        ("thread", "u4"),  # that began it, as gettid says
        ("begin_ns", "i8"),  # since t = 0
        ("end_ns", "i8"),  # where it was never ended, the time of the last fast sample
        ("was_ended", "?"),
        ("name", "U87"),
    ]
)

#: The label of a sync point: what ``read_trace(path)["sync_labels"]`` is made of.
SYNC_LABEL = np.dtype([("sync_id", "u8"), ("time_ns", "i8"), ("label", "U87")])

_Records = npt.NDArray[np.void]


def decode(
    payloads: Iterable[bytes | memoryview], last_time_s: float, sync_points: int
) -> tuple[_Records, _Records]:
    """Return the phases and labels that chunks hold; what makes no sense is left out.

    Parameters
    ----------
    payloads
        Of the chunks PHAS of a trace, in the order of the file.
    last_time_s
        The time of the last fast sample, 0 where there is none.
    sync_points
        How many the trace has.
    """
    parts = [np.frombuffer(part, EVENT, len(part) // EVENT.itemsize) for part in payloads]
    events = np.concatenate(parts) if parts else np.empty(0, EVENT)
    return _phases(events, last_time_s), _labels(events, sync_points)


def _phases(events: _Records, last_time_s: float) -> _Records:
    begun = np.flatnonzero(events["kind"] == BEGIN)
    begun = begun[_growing(events["id"][begun])]
    beginnings = events[begun]
    phases = np.zeros(len(begun), PHASE)
    ids = phases["id"] = beginnings["id"]
    phases["thread"] = beginnings["thread"]
    phases["begin_ns"] = _signed(beginnings["time_ns"])
    phases["name"] = _texts(beginnings)

    # Ids grow: a parent comes before its child if it is there and less.
    parent = _found(ids, beginnings["parent"])
    parent[beginnings["parent"] >= ids] = -1
    phases["parent"] = np.where(parent >= 0, beginnings["parent"], 0)
    depths: list[int] = []
    for index in parent.tolist():
        depths.append(0 if index < 0 else depths[index] + 1)
    phases["depth"] = depths

    ended = np.flatnonzero(events["kind"] == END)
    phase = _found(ids, events["id"][ended])
    known = phase >= 0
    known[known] = begun[phase[known]] < ended[known]
    ended, phase = ended[known][::-1], phase[known][::-1]
    # Backwards, so that the first end of a phase is the last to be written.
    last = int(last_time_s * 1e9) if 0 < last_time_s < 1e9 else 0
    phases["end_ns"] = last
    phases["end_ns"][phase] = _signed(events["time_ns"][ended])
    phases["end_ns"] = np.maximum(phases["end_ns"], phases["begin_ns"])
    phases["was_ended"][phase] = True
    return phases


def _labels(events: _Records, sync_points: int) -> _Records:
    found = events[(events["kind"] == LABEL) & (events["id"] <= np.uint64(sync_points))]
    found = found[_growing(found["id"])]
    labels = np.zeros(len(found), SYNC_LABEL)
    labels["sync_id"] = found["id"]
    labels["time_ns"] = _signed(found["time_ns"])
    labels["label"] = _texts(found)
    return labels


def _growing(ids: npt.NDArray[np.uint64]) -> npt.NDArray[np.bool_]:
    """Return which are above all before them, and above 0."""
    before = np.zeros(len(ids), np.uint64)
    before[1:] = np.maximum.accumulate(ids)[:-1]
    return ids > before


def _found(
    ids: npt.NDArray[np.uint64], wanted: npt.NDArray[np.uint64]
) -> npt.NDArray[np.int64]:
    """Return where each is in the ids, which grow; -1 where it is not."""
    at: npt.NDArray[np.int64] = np.full(len(wanted), -1)
    if len(ids) > 0:
        near = np.minimum(np.searchsorted(ids, wanted), len(ids) - 1)
        is_there = ids[near] == wanted
        at[is_there] = near[is_there]
    return at


def _signed(times: npt.NDArray[np.uint64]) -> npt.NDArray[np.int64]:
    """Return times that fit: 292 years where they say more."""
    fitting: npt.NDArray[np.int64] = np.minimum(times, np.uint64(2**63 - 1)).astype(np.int64)
    return fitting


def _texts(events: _Records) -> list[str]:
    """Return the names; most of them come again and again."""
    known: dict[bytes, str] = {}
    texts: list[str] = []
    for field in events["name"].tolist():
        text = known.get(field)
        if text is None:
            name = field[:_MAX_NAME_BYTES].split(b"\0", 1)[0]
            text = known[field] = name.decode("utf-8", "replace")
        texts.append(text)
    return texts


def in_phase(
    trace: TraceData | MappedTrace, name: str, tier: Literal["fast", "medium", "slow"] = "fast"
) -> npt.NDArray[np.bool_]:
    """Return which samples were taken in phases of that name.

    Parameters
    ----------
    trace
        From `read_trace` or `map_trace`.
    name
        All phases that are called so count, in whatever thread and however deep.
    tier
        Whose samples; a trace read with ``align="fast"`` has all of its arrays in step with the fast ones.

    Returns
    -------
    array of bool
        One for each sample of the tier: a sample belongs to a phase from its beginning on, and no longer to
        it at its end.

    Raises
    ------
    ValueError
        There is no such tier.

    Examples
    --------
    >>> import fastnvmetrics as fm
    >>> with fm.NVMetrics("run.bin", board=fm.get_board_config("generic_linux")) as nv:
    ...     with nv.phase("work"):
    ...         total = sum(range(1_000_000))
    >>> trace = fm.read_trace("run.bin")
    >>> cpu = trace["cpu_aggregate"][fm.in_phase(trace, "work")]
    >>> 0 < len(cpu) < len(trace["fast_time_s"])
    True
    """
    if tier not in ("fast", "medium", "slow"):
        raise ValueError(f"tier must be 'fast', 'medium' or 'slow', not {tier!r}")
    times: Any = trace[f"{tier}_time_s"]  # type: ignore[literal-required]
    phases = trace["phases"]
    phases = phases[phases["name"] == name]
    changes = np.zeros(len(times) + 1, np.int64)
    np.add.at(changes, np.searchsorted(times, phases["begin_ns"] / 1e9), 1)
    np.add.at(changes, np.searchsorted(times, phases["end_ns"] / 1e9), -1)
    return np.cumsum(changes[:-1]) > 0
