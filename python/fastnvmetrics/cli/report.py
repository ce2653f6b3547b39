"""``fastnvmetrics report``: a trace in figures."""

from __future__ import annotations

import click

from .exits import Failure
from .options import json_option, trace_argument
from .output import print_json
from .summaries import summary_of

__all__ = ["command"]


@click.command(
    "report",
    short_help="Print joules, watts, utilisation and temperatures of a trace, phase by phase.",
    epilog="""\b
Examples:
  fastnvmetrics report run.bin
  fastnvmetrics report run.bin --phase decode
  fastnvmetrics report run.bin --json | jq .whole.energy_j""",
)
@trace_argument
@click.option("--phase", "name", metavar="NAME", help="Each phase of this name, in detail.")
@json_option
def command(trace: str, name: str | None, as_json: bool) -> None:
    """Print what a trace comes to: a line for each phase with its joules and their uncertainty, mean power, GPU, CPU
    and memory controller utilisation, the RAM peak and the hottest zone; then the rails.
    """
    summary = summary_of(trace)
    if name is None:
        if as_json:
            print_json(summary)
        else:
            click.echo(str(summary))
        return
    try:
        group = summary[name]
    except KeyError as error:
        raise Failure(f"{trace}: {error.args[0]}") from None
    if as_json:
        print_json(group)
        return
    for index, phase in enumerate(group.instances):
        click.echo(("\n" if index else "") + str(phase))
