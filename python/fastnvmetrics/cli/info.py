"""``fastnvmetrics info``: where a trace comes from."""

from __future__ import annotations

import json
import os
from typing import Any

import click

from .. import _stats_text
from .._dates import local_time
from ..mapped import MappedTrace, map_trace
from .metadata import metadata_rows
from .options import json_option, trace_argument
from .output import print_json, print_lines

__all__ = ["command"]

_LOST = ("missed_fast", "missed_medium", "missed_slow", "dropped_samples", "read_errors")


@click.command(
    "info",
    short_help="Say where a trace comes from: board, settings, command, and what recording cost.",
    epilog="""\b
Examples:
  fastnvmetrics info run.bin
  fastnvmetrics info run.bin --json | jq .metadata.board.l4t_release""",
)
@trace_argument
@click.option("--all", "everything", is_flag=True, help="All that the metadata says, paths too.")
@json_option
def command(trace: str, everything: bool, as_json: bool) -> None:
    """Say of a trace when and where it was recorded, with which settings, by which command, how much is in it,
    and what recording did and cost. Takes milliseconds, whatever the length.
    """
    with map_trace(trace) as mapped:
        facts = _facts(trace, mapped)
    if as_json:
        print_json(facts)
    else:
        print_lines(_lines(facts, everything))


def _facts(path: str, trace: MappedTrace) -> dict[str, Any]:
    fast = trace.fast
    return {
        "path": path,
        "bytes": os.stat(path).st_size,
        "duration_s": float(fast["time_s"][-1]) if len(fast) else 0.0,
        "fast_samples": len(fast),
        "medium_samples": len(trace.medium),
        "slow_samples": len(trace.slow),
        "sync_points": len(trace.sync_points),
        "phases": len(trace.phases),
        **trace.header,
    }


def _lines(facts: dict[str, Any], everything: bool) -> list[str]:
    """Return what people want to know first, then the metadata, then the statistics."""
    metadata = facts["metadata"]
    samples = (
        f"{facts[f'{tier}_samples']:,} {tier} at {facts[f'{tier}_hz']} Hz"
        for tier in ("fast", "medium", "slow")
    )
    lost = [f"{facts[name]} {name.replace('_', ' ')}" for name in _LOST if facts[name]]
    rows = [
        ("trace", f"{facts['path']}, {facts['bytes']:,} bytes"),
        ("recorded", _when(facts)),
        ("board", f"{facts['board_name']}, {facts['num_cpu_cores']} cores"),
        ("rails", ", ".join(facts["power_rail_names"]) or "none"),
        ("zones", ", ".join(facts["thermal_zone_names"]) or "none"),
        ("samples", ", ".join(samples)),
        ("marks", f"sync points: {facts['sync_points']}, phases: {facts['phases']}"),
        ("lost", ", ".join(lost) or "nothing"),
    ]
    if facts["recovered"]:
        rows.append(("", "completed after a crash of its recorder"))
    if not isinstance(metadata, dict):
        rows.append(("metadata", "none: record with fastnvmetrics record, or metadata=True"))
    elif everything:
        rows += [(name, _text(value)) for name, value in _flat(metadata)]
    else:
        rows += [(name, _text(value)) for name, value in metadata_rows(metadata)]
    width = max(len(name) for name, _ in rows)
    lines = [f"{name:<{width}}  {value}".rstrip() for name, value in rows]
    if facts["stats"] is not None:
        lines += ["", *_stats_text.lines(facts["stats"])]
    return lines


def _when(facts: dict[str, Any]) -> str:
    begun = local_time(facts["start_realtime_ns"])
    length = f"{facts['duration_s']:.3f} s"
    return length if begun is None else f"{begun}, {length}"


def _flat(value: Any, name: str = "") -> list[tuple[str, Any]]:
    """Return what an object holds as names with dots and plain values; lists of plain values are one."""
    if isinstance(value, dict):
        return [
            found
            for key, item in value.items()
            for found in _flat(item, f"{name}.{key}" if name else str(key))
        ]
    if isinstance(value, list) and any(isinstance(item, (dict, list)) for item in value):
        return [
            found for index, item in enumerate(value) for found in _flat(item, f"{name}[{index}]")
        ]
    return [(name, value)]


def _text(value: Any) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, list):
        return ", ".join(map(_text, value))
    return "not known" if value is None else json.dumps(value)
