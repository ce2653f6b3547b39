"""``fastnvmetrics export``: traces in the formats of others."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from typing import Any, cast

import click

from ..export import FORMATS, export_dataset, export_trace, format_of
from .exits import Failure, code_of, sentence
from .options import Moment, traces_argument
from .output import progress, say

__all__ = ["command"]

_ERRORS = (OSError, ValueError, RuntimeError, ImportError)


@click.command(
    "export",
    short_help="Write traces as CSV, Parquet, Arrow, JSON, or for Perfetto.",
    epilog="""\b
Examples:
  fastnvmetrics export run.bin --to parquet                   run.parquet beside it
  fastnvmetrics export run.bin -o run.pftrace.gz              open it on ui.perfetto.dev
  fastnvmetrics export run.bin --to csv --tier medium -o - | head
  fastnvmetrics export run.bin --phase decode -o decode.csv
  fastnvmetrics export *.bin --to parquet -o fleet/           a dataset for DuckDB, polars, Spark
  duckdb -c "SELECT device, sum(energy_j) FROM 'fleet/runs/**/*.parquet' GROUP BY device"

\b
Formats:
  csv       a table; beside it FILE.csv-metadata.json says what its columns are
  parquet   a table; of several traces, or into a directory, a dataset
  arrow     a table: Arrow IPC, also called Feather
  json      one document
  perfetto  counters and phases on the clocks of the machine""",
)
@traces_argument
@click.option(
    "--to", type=click.Choice(list(FORMATS)), help="The format; else by the suffix of -o."
)
@click.option(
    "-o",
    "--output",
    metavar="PATH",
    help="A file; a directory (it is there, or a / ends its name); - is standard output. Else a "
    "file beside the trace. .gz at the end compresses CSV, JSON and Perfetto.",
)
@click.option(
    "--tier",
    type=click.Choice(["fast", "medium", "slow", "aligned"]),
    help="Whose rows. aligned: fast, with the others carried forward onto its times. Tables are "
    "aligned unless told otherwise; JSON has the three tiers.",
)
@click.option(
    "--from", "begin_s", metavar="TIME", type=Moment(), help="Leave out what was before."
)
@click.option(
    "--until",
    "end_s",
    metavar="TIME",
    type=Moment(),
    help="Leave out what was from then on. Both since the recording began: 90, 1.5s, 10m.",
)
@click.option("--phase", metavar="NAME", help="Leave out what was outside of phases of this name.")
@click.option(
    "--device",
    metavar="NAME",
    help="Dataset: what the traces were recorded on; else the host that the trace knows, else its "
    "board.",
)
@click.option(
    "--changes-only", is_flag=True, help="Perfetto: leave out values that are the ones before them."
)
@click.option("-f", "--force", is_flag=True, help="Replace files that are there.")
@click.pass_context
def command(
    ctx: click.Context,
    /,
    traces: tuple[str, ...],
    to: str | None,
    output: str | None,
    device: str | None,
    **options: Any,
) -> None:
    """Write traces in the formats of others.

    A trace is read once, in blocks of rows: memory does not grow with its length. What a trace says
    of itself (board, settings, statistics, phases) comes along in every format.

    What is not known is null, or nothing in CSV, never NaN or -1. A file takes its name when it is
    complete; one that is there is replaced with --force only. A trace that is exported into a
    dataset again replaces itself.

    Of several traces, one that fails does not keep the others from being written; the exit code is
    then that of the last failure.
    """
    name = to or (format_of(output) if output else None)
    if name is None:
        raise click.UsageError(
            "name the format with --to, or a file with its suffix: -o run.parquet"
        )
    if name == "perfetto" and options["tier"] is not None:
        raise click.UsageError("a Perfetto trace has all tiers: leave out --tier")
    if name != "perfetto" and options["changes_only"]:
        raise click.UsageError("--changes-only is for Perfetto")
    is_directory = output is not None and (output.endswith(os.sep) or os.path.isdir(output))
    is_dataset = name == "parquet" and (is_directory or len(traces) > 1)
    if is_dataset:
        targets = [_dataset(output, options)] * len(traces)
    elif device is not None:
        raise click.UsageError("--device is for datasets: Parquet of several traces, or -o DIR/")
    else:
        targets = _targets(traces, name, output, is_directory)
    failure = 0
    for trace, target in zip(traces, targets):
        try:
            with progress(trace if target == "-" else f"{trace} to {target}") as tell:
                if is_dataset:
                    _add(trace, target, device, tell)
                else:
                    _export(trace, target, name, options, tell)
        except BrokenPipeError:
            raise
        except _ERRORS as error:
            if len(traces) == 1 or isinstance(error, click.exceptions.Exit):
                raise
            Failure(sentence(error)).show()
            failure = code_of(error)
            continue
        if target != "-":
            say(f"{trace}: written to {target}")
    ctx.exit(failure)


def _dataset(output: str | None, options: dict[str, Any]) -> str:
    """Return the directory of a dataset."""
    if output is None or output == "-":
        raise click.UsageError("several traces make a dataset: name its directory, -o DIR")
    if os.path.exists(output) and not os.path.isdir(output):
        raise Failure(f"{output}: a dataset is a directory, and this is a file")
    for key, option in (
        ("tier", "tier"),
        ("begin_s", "from"),
        ("end_s", "until"),
        ("phase", "phase"),
    ):
        if options[key] is not None:
            raise click.UsageError(f"a dataset holds all of its traces: --{option} is for files")
    return output


def _add(trace: str, directory: str, device: str | None, tell: Callable[[float], None]) -> None:
    export_dataset(trace, directory, device=device, progress=lambda _, share: tell(share))


def _targets(
    traces: tuple[str, ...], name: str, output: str | None, is_directory: bool
) -> list[str]:
    """Return where each trace goes."""
    if output is not None and not is_directory:
        if len(traces) > 1:
            raise click.UsageError(
                "several traces do not go into one file: name a directory, -o DIR/"
            )
        return [output]
    suffix = FORMATS[cast(Any, name)].suffix
    targets = []
    for trace in traces:
        target = os.path.splitext(trace)[0] + suffix
        if output is not None:
            target = os.path.join(output, os.path.basename(target))
        if target in targets:
            raise click.UsageError(
                f"two traces would be written to {target}: export them one by one, with -o"
            )
        targets.append(target)
    if output is not None:
        os.makedirs(output, exist_ok=True)
    return targets


def _export(
    trace: str, target: str, name: str, options: dict[str, Any], tell: Callable[[float], None]
) -> None:
    sink: Any = target
    if target == "-":
        if not FORMATS[cast(Any, name)].streams:
            raise click.UsageError(
                f"{name} cannot be written to a pipe: name a file, or take --to arrow"
            )
        sink = sys.stdout.buffer
    export_trace(
        trace,
        sink,
        cast(Any, name),
        tier=options["tier"],
        begin_s=options["begin_s"],
        end_s=options["end_s"],
        phase=options["phase"],
        changes_only=options["changes_only"],
        overwrite=options["force"],
        progress=tell,
    )
    if target == "-":
        sys.stdout.flush()
