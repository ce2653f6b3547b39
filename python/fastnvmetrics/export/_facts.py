"""What an export says of the trace it came from."""

from __future__ import annotations

import json
import os
from typing import Any

from ..summary import jsonable
from ._source import Source

__all__ = ["facts", "facts_text", "json_text"]


def facts(source: Source) -> dict[str, Any]:
    """Return the header, META, STAT, phases and labels as JSON can hold them.

    The keys are those of `TraceData`, and of what `read_trace` gives under ``phases`` and
    ``sync_labels``; `trace` is the name of the file.
    """
    return {
        "trace": os.path.basename(os.fsdecode(source.path)),
        **jsonable(dict(source.header)),
        "fast_samples": source.counts["fast"],
        "medium_samples": source.counts["medium"],
        "slow_samples": source.counts["slow"],
        "phases": _records(source.phases),
        "sync_labels": _records(source.sync_labels),
    }


def facts_text(source: Source) -> str:
    """Return the same as JSON."""
    return json_text(facts(source))


def json_text(value: Any) -> str:
    """Return JSON that UTF-8 can hold: metadata can have half a surrogate pair in it."""
    return json.dumps(value, ensure_ascii=False).encode("utf-8", "replace").decode()


def _records(rows: Any) -> list[dict[str, Any]]:
    names = rows.dtype.names or ()
    return [dict(zip(names, row)) for row in rows.tolist()]
