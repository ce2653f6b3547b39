"""Parquet and Arrow: tables whose columns have types, units and nulls."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, BinaryIO

import numpy as np

from .._optional import library
from ._facts import facts_text
from ._source import Source
from ._wide import Column, Values, WideTable

__all__ = [
    "GROUP_ROWS",
    "arrow_array",
    "arrow_schema",
    "parquet_writer",
    "text_array",
    "write_arrow",
    "write_parquet",
]

#: Rows of a row group of Parquet.
GROUP_ROWS = 1 << 17


def arrow_array(column: Column, values: Values) -> Any:
    """Return a column of a block; null is what is not known."""
    import pyarrow as pa

    if values.texts is not None:
        return text_array(values)
    array = pa.array(values.values, mask=values.missing)
    return array.view(pa.timestamp("ns", tz="UTC")) if column.kind == "time" else array


def text_array(values: Values) -> Any:
    """Return codes as the texts that they stand for."""
    import pyarrow as pa

    codes = pa.array(values.values, pa.int32(), mask=values.missing)
    return pa.array(values.texts or [], pa.string()).take(codes)


def arrow_schema(source: Source, table: WideTable) -> Any:
    """Return the schema of a table: units with the fields, facts under ``fastnvmetrics``."""
    import pyarrow as pa

    fields = []
    for column in table.columns:
        if column.kind == "text":
            kind = pa.string()
        elif column.kind == "time":
            kind = pa.timestamp("ns", tz="UTC")
        else:
            kind = pa.from_numpy_dtype(np.dtype(column.kind))
        about = {"about": column.about, **({"unit": column.unit} if column.unit else {})}
        fields.append(pa.field(column.name, kind, metadata=about))
    return pa.schema(fields, metadata={"fastnvmetrics": facts_text(source)})


def parquet_writer(sink: Any, schema: Any) -> Any:
    """Return a writer of what every reader knows: zstd, dictionaries, deltas for times."""
    import pyarrow as pa
    import pyarrow.parquet

    times = [field.name for field in schema if pa.types.is_timestamp(field.type)]
    counted = {*times, "time_s", "begin_s", "end_s"}
    return pyarrow.parquet.ParquetWriter(
        sink,
        schema,
        compression="zstd",
        use_dictionary=[field.name for field in schema if field.name not in counted],
        column_encoding={name: "DELTA_BINARY_PACKED" for name in times},
    )


def write_parquet(
    source: Source, table: WideTable, sink: BinaryIO, progress: Callable[[float], None]
) -> None:
    """Write a table as Parquet, a row group of at most 131072 rows at a time."""
    library("pyarrow", extra="arrow")
    schema = arrow_schema(source, table)
    with parquet_writer(sink, schema) as writer:
        _write(writer, schema, table, GROUP_ROWS, progress)


def write_arrow(
    source: Source,
    table: WideTable,
    sink: BinaryIO,
    progress: Callable[[float], None],
    stream: bool = False,
) -> None:
    """Write a table as Arrow IPC: the file format (Feather 2), or the stream format."""
    pa = library("pyarrow", extra="arrow")
    schema = arrow_schema(source, table)
    new = pa.ipc.new_stream if stream else pa.ipc.new_file
    with new(sink, schema, options=pa.ipc.IpcWriteOptions(compression="zstd")) as writer:
        _write(writer, schema, table, GROUP_ROWS // 2, progress)


def _write(
    writer: Any, schema: Any, table: WideTable, size: int, progress: Callable[[float], None]
) -> None:
    import pyarrow as pa

    done, count = 0, max(len(table), 1)
    for block in table.blocks(size):
        arrays = [arrow_array(column, values) for column, values in zip(table.columns, block)]
        writer.write_batch(pa.record_batch(arrays, schema=schema))
        done += len(block[0].values)
        progress(done / count)
