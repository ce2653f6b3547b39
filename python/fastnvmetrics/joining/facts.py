"""The chunks META and STAT of several traces as those of one."""

from __future__ import annotations

import copy
import json
from collections.abc import Mapping, Sequence
from typing import Any

from ..chunks import Facts
from ..trace_data import TraceHeader

__all__ = ["chunks_of"]

_TIERS = ("fast", "medium", "slow")


def chunks_of(
    parts: Sequence[tuple[TraceHeader, Facts]], start_ns: int, duration_s: float
) -> list[tuple[bytes, bytes]]:
    """Return type and payload of the chunks of the joined trace.

    Parameters
    ----------
    parts
        Of each trace, oldest first, what it says of itself.
    start_ns, duration_s
        CLOCK_MONOTONIC at t = 0 of the joined trace, and its length.
    """
    chunks = []
    metadata = _metadata(parts, start_ns, duration_s)
    if metadata is not None:
        chunks.append((b"META", _json(metadata)))
    stats = _stats([told.stats for _, told in parts if told.stats is not None])
    if stats is not None:
        chunks.append((b"STAT", _json(stats)))
    return chunks


def _json(value: Any) -> bytes:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace")


def _metadata(
    parts: Sequence[tuple[TraceHeader, Facts]], start_ns: int, duration_s: float
) -> dict[str, Any] | None:
    told = [facts.metadata for _, facts in parts if facts.metadata is not None]
    if not told:
        return None
    joined = copy.deepcopy(told[-1])
    first_header, first = parts[0][0], told[0]
    shift_ns = start_ns - first_header["start_monotonic_ns"]
    joined["start_monotonic_ns"] = start_ns
    for key in ("start_realtime_ns", "start_boottime_ns"):
        if key in joined:
            began = first.get(key)
            joined[key] = began + shift_ns if isinstance(began, int) else None
    joined["duration_s"] = duration_s
    counts = [metadata.get("joined_traces") for metadata in told]
    joined["joined_traces"] = sum(count if isinstance(count, int) else 1 for count in counts)
    clocks, first_clocks = joined.get("clocks"), first.get("clocks")
    if isinstance(clocks, dict) and isinstance(first_clocks, dict):
        clocks.pop("start", None)
        if "start" in first_clocks:
            joined["clocks"] = {"start": first_clocks["start"], **clocks}
    annotations: dict[str, Any] = {}
    for metadata in told:
        found = metadata.get("annotations")
        annotations.update(found if isinstance(found, dict) else {})
    if annotations:
        joined["annotations"] = annotations
    return joined


def _stats(every: Sequence[Mapping[str, Any]]) -> dict[str, Any] | None:
    """Add statistics up; None where one of them is not what a recorder writes."""
    try:
        return _added(every) if every else None
    except (AttributeError, IndexError, KeyError, TypeError, ValueError):
        return None


def _added(every: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    elapsed_s = sum(stats["elapsed_s"] for stats in every)
    cpu_s = sum(stats["cpu_s"] for stats in every)
    sources: dict[tuple[str, str], list[Mapping[str, Any]]] = {}
    for stats in every:
        for source in stats["sources"]:
            sources.setdefault((source["tier"], source["name"]), []).append(source)
    return {
        "elapsed_s": elapsed_s,
        "cpu_s": cpu_s,
        "cpu_share": cpu_s / elapsed_s if elapsed_s else 0.0,
        "tiers": {tier: _tier([stats["tiers"][tier] for stats in every]) for tier in _TIERS},
        "sources": [_source(found) for found in sources.values()],
    }


def _tier(every: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    histogram: dict[float, int] = {}
    for tier in every:
        for end, ticks in tier["lateness_histogram"]:
            histogram[end] = histogram.get(end, 0) + ticks
    ordered = sorted(histogram.items())
    longest = max(tier["lateness_us"]["max"] for tier in every)
    return {
        "rate_hz": every[-1]["rate_hz"],
        **{name: sum(tier[name] for tier in every) for name in ("samples", "missed", "dropped")},
        "lateness_us": {
            "median": min(_quantile(ordered, 0.5), longest),
            "p99": min(_quantile(ordered, 0.99), longest),
            "max": longest,
        },
        "lateness_histogram": [list(pair) for pair in ordered],
    }


def _quantile(histogram: Sequence[tuple[float, int]], share: float) -> float:
    """Return the end of the bucket that a quantile is in."""
    left = share * sum(ticks for _, ticks in histogram)
    for end, ticks in histogram:
        left -= ticks
        if left <= 0 < ticks:
            return end
    return 0.0


def _source(every: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    reads = sum(source["reads"] for source in every)
    ages = sum(source["mean_age_us"] * source["reads"] for source in every)
    return {
        **every[-1],
        "reads": reads,
        "failures": sum(source["failures"] for source in every),
        "read_s": sum(source["read_s"] for source in every),
        "longest_read_us": max(source["longest_read_us"] for source in every),
        "mean_age_us": ages / reads if reads else every[-1]["mean_age_us"],
        "oldest_us": max(source["oldest_us"] for source in every),
    }
