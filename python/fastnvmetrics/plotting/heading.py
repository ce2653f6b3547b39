"""What stands above a plot: board, command, start, length, joules."""

from __future__ import annotations

import bisect
import math
import shlex
from typing import Any, NamedTuple

import numpy as np

from .._dates import local_time
from .._table import known, plus_minus, printable
from ..analysis import summarize
from ..phases import PHASE, SYNC_LABEL

__all__ = ["Heading", "heading"]

#: Readings that energy is worked out from at a time, so that memory has a bound.
_PIECE = 400_000
_WINDOW = "window"
_LONGEST_COMMAND = 80


class Heading(NamedTuple):
    """Lines above a plot, and below it."""

    title: str
    facts: str
    notes: tuple[str, ...]


def heading(trace: Any, begin_s: float, end_s: float) -> Heading:
    """Return what to say of a trace, and of the stretch of it that is drawn."""
    metadata = trace["metadata"] if isinstance(trace["metadata"], dict) else {}
    board = metadata.get("board") if isinstance(metadata.get("board"), dict) else {}
    name = str(trace["board_name"])
    model = (board or {}).get("model")
    title = f"{model} ({name})" if isinstance(model, str) and model else name
    command = _command(metadata)
    if command:
        title += f"  ·  {command}"
    facts = []
    begun = local_time(int(trace["start_realtime_ns"]))
    if begun is not None:
        facts.append(begun)
    facts.append(_length(begin_s, end_s))
    joules, uncertainty = _energy(trace, begin_s, end_s)
    if joules is not None:
        facts.append(plus_minus(joules, uncertainty, "J"))
        facts.append(known(joules / (end_s - begin_s), ".3g", " W mean"))
    notes = []
    if trace["recovered"]:
        notes.append("The recorder was killed: the end of this trace is missing.")
    if trace["dropped_samples"]:
        notes.append(f"{trace['dropped_samples']} samples were lost before they were on the disk.")
    return Heading(printable(title), "  ·  ".join(facts), tuple(notes))


def _length(begin_s: float, end_s: float) -> str:
    length = f"{end_s - begin_s:.4g} s" if end_s - begin_s < 600 else _hours(end_s - begin_s)
    return length if begin_s <= 0 else f"{length} from {begin_s:.6g} s on"


def _hours(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes // 60}:{minutes % 60:02}:{rest:02} h"


def _command(metadata: dict[str, Any]) -> str:
    """Return the command that was recorded, where the trace has one."""
    annotations = metadata.get("annotations")
    found = annotations.get("command") if isinstance(annotations, dict) else None
    if isinstance(found, list):
        found = shlex.join(map(str, found))
    if not isinstance(found, str):
        return ""
    return found if len(found) <= _LONGEST_COMMAND else found[: _LONGEST_COMMAND - 1] + "…"


def _energy(trace: Any, begin_s: float, end_s: float) -> tuple[float | None, float | None]:
    """Return the module's joules in a stretch of time and their uncertainty, as `summarize` has
    them.

    Long stretches are worked out piece by piece: what the sensor's steps leave open is common to
    the pieces and adds up, the rest adds up in quadrature.
    """
    readings = len(trace["medium_time_s"])
    if not readings or not end_s > begin_s:
        return None, None
    pieces = math.ceil(readings / _PIECE)
    edges = np.linspace(begin_s, end_s, pieces + 1).tolist()
    joules, steps, sampling = 0.0, 0.0, 0.0
    is_known = True
    for begin, end in zip(edges, edges[1:]):
        total = summarize(_readings(trace, begin, end))[_WINDOW].instances[0].total
        if total is None or total.energy_j is None:
            return None, None
        joules += total.energy_j
        if total.step_uncertainty_j is None or total.sampling_uncertainty_j is None:
            is_known = False
        else:
            steps += total.step_uncertainty_j
            sampling = math.hypot(sampling, total.sampling_uncertainty_j)
    return joules, math.hypot(steps, sampling) if is_known else None


def _readings(trace: Any, begin_s: float, end_s: float) -> Any:
    """Return a trace of the readings around a stretch of time, which is its only phase."""
    times = trace["medium_time_s"]
    # What was seen around it tells how much the power varies.
    first, last = bisect.bisect_left(times, begin_s - 1), bisect.bisect_right(times, end_s + 1)
    rows = slice(max(first - 1, 0), last + 1)
    phase = np.zeros(1, PHASE)
    phase["id"], phase["name"], phase["was_ended"] = 1, _WINDOW, True
    phase["begin_ns"], phase["end_ns"] = round(begin_s * 1e9), round(end_s * 1e9)
    fast = ("gpu_load", "cpu_aggregate", "ram_used_kb", "ram_available_kb", "emc_util", "cpu_util")
    found: dict[str, Any] = {name: trace[name] for name in trace if name not in _ARRAYS}
    found.update((name, trace[name][:0]) for name in fast)
    found.update(
        (name, trace[name][rows])
        for name in ("medium_time_s", "voltage_mv", "current_ma", "power_mw")
    )
    found.update(
        fast_time_s=trace["fast_time_s"][:0],
        slow_time_s=trace["slow_time_s"][:0],
        temp_c=trace["temp_c"][:0],
        sync_id=np.zeros(0, np.uint64),
        phases=phase,
        sync_labels=np.empty(0, SYNC_LABEL),
    )
    return found


_ARRAYS = {
    "fast_time_s", "gpu_load", "cpu_util", "cpu_aggregate", "ram_used_kb", "ram_available_kb",
    "emc_util", "medium_time_s", "voltage_mv", "current_ma", "power_mw", "slow_time_s", "temp_c",
    "sync_id", "phases", "sync_labels",
}  # fmt: skip
