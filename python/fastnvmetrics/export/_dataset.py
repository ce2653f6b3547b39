"""Traces of any boards as one partitioned dataset of Parquet."""

from __future__ import annotations

import contextlib
import datetime
import glob
import hashlib
import os
import urllib.parse
from collections.abc import Callable
from typing import Any

import numpy as np

from .._optional import library
from .._replacing import temporary_beside
from ..trace_data import TraceHeader
from ._arrow import parquet_writer, text_array
from ._facts import facts, json_text
from ._schemas import TABLES, schema_of
from ._source import Source
from ._table_rows import TableRows, as_text, mapping
from ._wide import Values

__all__ = ["add_to_dataset", "run_of"]

#: What readers of partitions take for null.
_NO_DATE = "__HIVE_DEFAULT_PARTITION__"
_END_BYTES = 1 << 16


def run_of(source: Source) -> str:
    """Return the name of a run: when it began and a digest, always the same for one trace."""
    digest = hashlib.blake2b(digest_size=6)
    file = source.file
    for start in (0, max(source.size - _END_BYTES, 0)):
        file.seek(start)
        digest.update(file.read(_END_BYTES))
    digest.update(str(source.size).encode())
    begun = _begun(source.header)
    when = begun.strftime("%Y%m%dT%H%M%SZ") if begun else "undated"
    return f"{when}-{digest.hexdigest()}"


def add_to_dataset(
    source: Source, directory: str, device: str | None, progress: Callable[[float], None]
) -> str:
    """Write a trace into a dataset, in place of what it has of it, and return the name of the run.

    Raises
    ------
    ImportError
        pyarrow is not installed.
    OSError
        The directory cannot be written to.
    """
    library("pyarrow", extra="arrow")
    run = run_of(source)
    begun = _begun(source.header)
    date = begun.strftime("%Y-%m-%d") if begun else _NO_DATE
    name = device or _host(source.header) or source.header["board_name"] or "unknown"
    where = os.path.join(f"device={urllib.parse.quote(name, safe='')}", f"date={date}")
    told = facts(source)
    for key in ("phases", "sync_labels"):  # which have tables
        del told[key]
    text = json_text(told)
    writing = TableRows(source, run)
    paths = {table: os.path.join(directory, table, where, f"{run}.parquet") for table in TABLES}
    total = sum(source.counts.values()) or 1
    done = 0
    try:
        for table, path in paths.items():
            os.makedirs(os.path.dirname(path), exist_ok=True)
            schema = schema_of(table, text)
            with parquet_writer(temporary_beside(path), schema) as writer:
                for batch in writing.batches(table):
                    writer.write_batch(_record_batch(batch, schema))
                    done += batch.get("samples", 0)
                    progress(done / total)
        # `runs` comes last: who joins with it sees all of a run or nothing.
        for path in paths.values():
            os.replace(temporary_beside(path), path)
    finally:
        for path in paths.values():
            with contextlib.suppress(FileNotFoundError):
                os.unlink(temporary_beside(path))
    _remove_others(directory, run, set(paths.values()))
    return run


def _remove_others(directory: str, run: str, kept: set[str]) -> None:
    """Remove what was written of the run under another name of its device."""
    root = glob.escape(directory)
    for table in reversed(TABLES):
        for path in glob.glob(os.path.join(root, table, "device=*", "date=*", f"{run}.parquet")):
            if path not in kept:
                os.unlink(path)
                with contextlib.suppress(OSError):
                    os.removedirs(os.path.dirname(path))


def _record_batch(batch: dict[str, Any], schema: Any) -> Any:
    import pyarrow as pa

    arrays = []
    for field in schema:
        values = batch[field.name]
        if isinstance(values, np.ndarray) and values.dtype.kind == "f":
            values = pa.array(values, from_pandas=True)  # NaN is null
        elif isinstance(values, Values):
            values = (
                text_array(values)
                if values.texts is not None
                else pa.array(values.values, mask=values.missing)
            )
        elif isinstance(values, list):
            if pa.types.is_int64(field.type):  # what was damaged can be larger
                values = [None if value is None else min(int(value), 2**63 - 1) for value in values]
            values = pa.array(values, field.type)
        elif isinstance(values, np.ndarray):
            values = pa.array(values)
        arrays.append(values if values.type == field.type else values.cast(field.type))
    return pa.record_batch(arrays, schema=schema)


def _begun(header: TraceHeader) -> datetime.datetime | None:
    begun = header["start_realtime_ns"]
    if not 0 < begun < 2**62:
        return None
    return datetime.datetime.fromtimestamp(begun // 10**9, datetime.timezone.utc)


def _host(header: TraceHeader) -> str | None:
    return as_text(mapping(mapping(header["metadata"]).get("board")).get("host")) or None
