"""What programs call: one trace into one file, traces into a dataset."""

from __future__ import annotations

import contextlib
import gzip
import os
from collections.abc import Callable, Iterable
from typing import Any, BinaryIO, Literal, NamedTuple, cast

from .._paths import PathLike
from ._arrow import write_arrow, write_parquet
from ._csv import csv_description, write_csv
from ._dataset import add_to_dataset
from ._json import write_json
from ._perfetto import write_perfetto
from ._source import Source
from ._target import check_target, is_ordinary, written
from ._timeline import Cut, cut_to
from ._wide import TIERS, Tier, WideTable

__all__ = ["FORMATS", "Format", "FormatName", "export_dataset", "export_trace", "format_of"]

FormatName = Literal["csv", "parquet", "arrow", "perfetto", "json"]
Progress = Callable[[float], None]


class Format(NamedTuple):
    """A format.

    Attributes
    ----------
    suffix
        That of its files.
    others
        Suffixes that stand for it as well.
    streams
        Whether it can be written to a pipe.
    zips
        Whether ``.gz`` behind the suffix compresses it.
    """

    suffix: str
    others: tuple[str, ...] = ()
    streams: bool = True
    zips: bool = True


FORMATS: dict[FormatName, Format] = {
    "csv": Format(".csv"),
    "parquet": Format(".parquet", (".pq",), streams=False, zips=False),
    "arrow": Format(".arrow", (".feather", ".arrows"), zips=False),
    "perfetto": Format(".pftrace", (".perfetto-trace", ".perfetto")),
    "json": Format(".json"),
}


def format_of(path: str) -> FormatName | None:
    """Return the format that a name asks for by its suffix, None where it is none of these.

    Examples
    --------
    >>> format_of("run.pftrace.gz"), format_of("run.txt")
    ('perfetto', None)
    """
    plain = path.lower().removesuffix(".gz")
    for name, known in FORMATS.items():
        if plain.endswith((known.suffix, *known.others)) and (known.zips or plain == path.lower()):
            return name
    return None


def export_trace(
    trace: PathLike,
    target: PathLike | BinaryIO,
    to: FormatName | None = None,
    *,
    tier: Tier | None = None,
    begin_s: float | None = None,
    end_s: float | None = None,
    phase: str | None = None,
    changes_only: bool = False,
    overwrite: bool = False,
    progress: Progress | None = None,
) -> None:
    """Write a trace in another format.

    Parameters
    ----------
    trace
        The trace file.
    target
        A path, or a binary file that is open for writing: Arrow is written as a stream then. Beside
        a CSV file comes a description of its columns, ``NAME.csv-metadata.json``.
    to
        The format; None goes by the suffix of `target`.
    tier
        Whose rows: ``"fast"``, ``"medium"``, ``"slow"``, or ``"aligned"``, which is fast with the
        others carried forward onto its times and what tables have unless told otherwise. JSON has
        the three tiers as three tables unless told otherwise; Perfetto has all, always.
    begin_s, end_s
        Leave out what was sampled before or from then on; seconds since the recording began.
    phase
        Leave out what was sampled outside of the phases of this name.
    changes_only
        Perfetto: leave out a value that is the one before it.
    overwrite
        Replace a file that is there.
    progress
        Is called with the share that is done, 0 to 1.

    Raises
    ------
    ValueError
        The file is no complete trace, as with `read_trace`; the format is not known, has no such
        tier, or there is no such phase; `target` is the trace.
    FileExistsError
        `target` is there, and not to be overwritten.
    OSError
        `trace` cannot be read or `target` not be written.
    ImportError
        What the format needs is not installed; the message says how to.

    Examples
    --------
    >>> export_trace("run.bin", "run.csv", tier="medium")  # doctest: +SKIP
    """
    path = os.fsdecode(target) if isinstance(target, (str, bytes, os.PathLike)) else None
    name = to or (format_of(path) if path else None)
    if name not in FORMATS:
        known = ", ".join(FORMATS)
        raise ValueError(
            f"the format must be one of {known}, not {to!r}"
            if to
            else f"{path or 'a stream'} does not say in which format: {known}"
        )
    if tier is not None and tier not in TIERS:
        raise ValueError(f"tier must be one of {', '.join(TIERS)}, not {tier!r}")
    if tier is not None and name == "perfetto":
        raise ValueError("a Perfetto trace has all tiers: leave the tier out")
    if changes_only and name != "perfetto":
        raise ValueError("only a Perfetto trace can leave out values that are the ones before them")
    tell = progress or (lambda share: None)
    with Source(trace) as source:
        cut = cut_to(source, begin_s, end_s, phase)
        if path is None:
            _write(name, source, cast(BinaryIO, target), tier, cut, changes_only, True, tell)
            return
        sidecar = f"{path}-metadata.json" if name == "csv" and is_ordinary(path) else None
        for file in (path, sidecar):
            if file is not None:
                check_target(file, overwrite, (os.fsdecode(source.path),))
        is_stream = path.lower().endswith(".arrows")
        with contextlib.ExitStack() as stack:
            sink = stack.enter_context(written(path))
            if sidecar is not None:
                description = csv_description(
                    source, WideTable(source, tier or "aligned", cut), path
                )
                stack.enter_context(written(sidecar)).write(description.encode())
            if path.lower().endswith(".gz") and FORMATS[name].zips:
                sink = stack.enter_context(cast(BinaryIO, gzip.GzipFile("", "wb", 6, sink, 0)))
            _write(name, source, sink, tier, cut, changes_only, is_stream, tell)


def _write(
    name: str,
    source: Source,
    sink: BinaryIO,
    tier: Tier | None,
    cut: Cut,
    changes_only: bool,
    is_stream: bool,
    progress: Progress,
) -> None:
    if name == "perfetto":
        write_perfetto(source, sink, progress, cut, changes_only)
    elif name == "json":
        tiers: tuple[Tier, ...] = ("fast", "medium", "slow") if tier is None else (tier,)
        write_json(source, [(one, WideTable(source, one, cut)) for one in tiers], sink, progress)
    else:
        table = WideTable(source, tier or "aligned", cut)
        if name == "csv":
            write_csv(table, sink, progress)
        elif name == "parquet":
            write_parquet(source, table, sink, progress)
        else:
            write_arrow(source, table, sink, progress, is_stream)


def export_dataset(
    traces: PathLike | Iterable[PathLike],
    directory: PathLike,
    *,
    device: str | None = None,
    progress: Callable[[int, float], Any] | None = None,
) -> list[str]:
    """Write traces into a dataset of Parquet, which grows trace by trace, whatever their boards.

    Each of its tables (`runs`, `phases`, `fast`, `rails`, `zones`, `marks`) is partitioned by
    device and day, and has the same columns for all boards. A trace that is exported again replaces
    what is there of it.

    Parameters
    ----------
    traces
        The trace files.
    directory
        Of the dataset; made where there is none.
    device
        What the traces were recorded on; None is the name of the host that the trace knows, else of
        its board.
    progress
        Is called with the number of the trace and the share of it that is done.

    Returns
    -------
    list of str
        The run that each trace is in the dataset: its column `run`, and the name of its files.

    Raises
    ------
    ValueError, OSError
        A trace cannot be read, as with `read_trace`, or the directory not be written; the traces
        before it are in the dataset then.
    ImportError
        pyarrow is not installed.

    Examples
    --------
    >>> export_dataset("run.bin", "fleet", device="bench-3")  # doctest: +SKIP
    ['20240506T080000Z-1f0c6a7e9d21']
    """
    if isinstance(traces, (str, bytes, os.PathLike)):
        traces = [traces]
    runs = []
    for number, trace in enumerate(traces):

        def tell(share: float, number: int = number) -> None:
            if progress is not None:
                progress(number, share)

        with Source(trace) as source:
            runs.append(add_to_dataset(source, os.fsdecode(directory), device, tell))
    return runs
