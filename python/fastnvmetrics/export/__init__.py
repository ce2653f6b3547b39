"""Traces in the formats of others: CSV, Parquet, Arrow, JSON and Perfetto.

docs/export.md says what is in each.
A trace is read once, in blocks: memory does not grow with its length. What is written takes its
place when it is complete.

>>> from fastnvmetrics.export import export_dataset, export_trace
>>> export_trace("run.bin", "run.parquet")  # doctest: +SKIP
>>> export_dataset(["monday.bin", "tuesday.bin"], "fleet")  # doctest: +SKIP
['20240506T080000Z-1f0c6a7e9d21', '20240507T080000Z-90b3c1aa62f4']
"""

from ._api import FORMATS, Format, export_dataset, export_trace, format_of

__all__ = ["FORMATS", "Format", "export_dataset", "export_trace", "format_of"]
