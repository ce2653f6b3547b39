"""``fastnvmetrics dump``: what a flight recorder holds, as a trace."""

from __future__ import annotations

import click

from ..continuous.dumping import dump, running_recorders
from .exits import Failure
from .options import json_option
from .output import print_json, say

__all__ = ["command"]


@click.command(
    "dump",
    short_help="Have a flight recorder make a trace of the last stretch, and print its path.",
    epilog="""\b
Examples:
  fastnvmetrics record --keep-last 10m -o flight.bin &
  fastnvmetrics dump flight.bin
  fastnvmetrics report "$(fastnvmetrics dump)\"""",
)
@click.argument("trace", metavar="[TRACE]", required=False, type=click.Path(dir_okay=False))
@json_option
def command(trace: str | None, as_json: bool) -> None:
    """Have `fastnvmetrics record --keep-last S -o TRACE` make a trace of the last stretch, while it
    records on without losing a sample, and print the path of that trace.

    Without TRACE it is the recorder that is running, where there is one alone. After a crash, when
    none is running, the trace is made of what is on disk.
    """
    if trace is None:
        running = running_recorders()
        if not running:
            raise Failure("no flight recorder of yours is running; name what it records to")
        if len(running) > 1:
            raise Failure(f"several flight recorders are running; name one: {', '.join(running)}")
        trace = running[0]
    made = dump(trace)
    for notice in made.notices:
        say(notice)
    if as_json:
        print_json({"path": made.path, "notices": made.notices})
    else:
        click.echo(made.path)
