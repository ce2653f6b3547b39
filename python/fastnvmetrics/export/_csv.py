"""CSV, and what its columns are (CSV on the Web)."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any, BinaryIO

import numpy as np

from ._facts import facts_text, json_text
from ._source import Source
from ._text import iso_times, objects
from ._wide import Column, Values, WideTable

__all__ = ["csv_description", "write_csv"]

_DATATYPES = {
    "f4": "float", "f8": "double", "u2": "unsignedShort", "u4": "unsignedInt", "u8": "unsignedLong",
    "text": "string", "time": "dateTime",
}  # fmt: skip


def write_csv(table: WideTable, sink: BinaryIO, progress: Callable[[float], None]) -> None:
    """Write a table: a line of names, then a line a row; nothing stands for what is not known.

    With pyarrow where that is installed, half as fast again; else with numpy. The values are the
    same.
    """
    head = ",".join(_quoted(column.name) for column in table.columns)
    sink.write(head.encode() + b"\n")
    block_of = _by_arrow(table.columns) or _by_numpy(table.columns)
    done, count = 0, max(len(table), 1)
    for block in table.blocks():
        block_of(block, sink)
        done += len(block[0].values)
        progress(done / count)


def _by_arrow(columns: list[Column]) -> Callable[[list[Values], BinaryIO], None] | None:
    try:
        import pyarrow.csv
    except ImportError:
        return None
    from ._arrow import arrow_array

    options = pyarrow.csv.WriteOptions(include_header=False)
    names = [column.name for column in columns]

    def write(block: list[Values], sink: BinaryIO) -> None:
        arrays = [
            pyarrow.array(iso_times(values.values))
            if column.kind == "time"
            else arrow_array(column, values)
            for column, values in zip(columns, block)
        ]
        buffer = pyarrow.BufferOutputStream()
        pyarrow.csv.write_csv(pyarrow.record_batch(arrays, names=names), buffer, options)
        sink.write(buffer.getvalue())

    return write


def _by_numpy(columns: list[Column]) -> Callable[[list[Values], BinaryIO], None]:
    def write(block: list[Values], sink: BinaryIO) -> None:
        texts = [_texts(column, values) for column, values in zip(columns, block)]
        lines = "\n".join(map(",".join, zip(*texts)))
        sink.write(lines.encode() + b"\n")

    return write


def _texts(column: Column, values: Values) -> list[str]:
    if values.texts is not None:
        return ["" if text is None else _quoted(text) for text in objects(column, values)]
    if column.kind == "time":
        return [f'"{text}"' for text in iso_times(values.values)]
    if column.name == "time_s":
        return [_number(value) for value in objects(column, values)]
    # Most values come again and again.
    unique, places = np.unique(values.values, return_inverse=True)
    missing = values.missing
    texts = np.array([_number(value) for value in objects(column, Values(unique))], object)[places]
    if missing is not None:
        texts[missing] = ""
    return list(texts.tolist())


def _number(value: Any) -> str:
    if value is None:
        return ""
    text = repr(value)
    return text[:-2] if text.endswith(".0") else text


def _quoted(text: str) -> str:
    return '"' + text.replace('"', '""') + '"'


def csv_description(source: Source, table: WideTable, url: str) -> str:
    """Return the metadata of a CSV file as https://www.w3.org/TR/tabular-metadata/ defines it.

    The facts of the trace are JSON in the common property ``urn:fastnvmetrics:trace``, as a
    literal: the standard has no other place for an object of any shape.
    """
    document = {
        "@context": ["http://www.w3.org/ns/csvw", {"@language": "en"}],
        "url": os.path.basename(url),
        "dialect": {"encoding": "utf-8", "lineTerminators": ["\n"], "header": True},
        "tableSchema": {"columns": [_described(column) for column in table.columns]},
        "urn:fastnvmetrics:trace": {"@value": facts_text(source), "@type": "rdf:JSON"},
    }
    return json_text(document) + "\n"


def _described(column: Column) -> dict[str, Any]:
    described: dict[str, Any] = {
        "titles": column.name,
        "datatype": _DATATYPES[column.kind],
        "null": "",
        "dc:description": column.about,
    }
    if column.unit:
        described["schema:unitText"] = column.unit
    return described
