"""JSON: one document, written as it goes."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import asdict
from typing import BinaryIO

from ._facts import facts, json_text
from ._source import Source
from ._text import objects
from ._wide import WideTable

__all__ = ["write_json"]

_TYPES = {"text": "string", "time": "dateTime"}
_BLOCK_ROWS = 1 << 14

_row_text = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode


def write_json(
    source: Source,
    tables: Sequence[tuple[str, WideTable]],
    sink: BinaryIO,
    progress: Callable[[float], None],
) -> None:
    """Write tables by their names as one document; docs/export.md says what is where."""
    total = max(sum(len(table) for _, table in tables), 1)
    done = 0
    head = json_text({"format": "fastnvmetrics-json", "version": 1, "trace": facts(source)})
    sink.write(head[:-1].encode() + b', "tables": {')
    for number, (name, table) in enumerate(tables):
        columns = [
            {**asdict(column), "kind": _TYPES.get(column.kind, "number")}
            for column in table.columns
        ]
        sink.write(b"%s\n%s: {" % (b"," if number else b"", json.dumps(name).encode()))
        sink.write(b'"columns": ' + json_text(columns).encode() + b', "rows": [')
        separator = b"\n"
        for block in table.blocks(_BLOCK_ROWS):
            rows = zip(*(objects(column, values) for column, values in zip(table.columns, block)))
            text = ",\n".join(map(_row_text, rows))
            sink.write(separator + text.encode())
            separator = b",\n"
            done += len(block[0].values)
            progress(done / total)
        sink.write(b"]}")
    sink.write(b"}}\n")
