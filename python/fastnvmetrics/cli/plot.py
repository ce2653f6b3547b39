"""``fastnvmetrics plot``: a trace as a picture, or as a page that zooms."""

from __future__ import annotations

import os

import click

from ..plotting import FORMATS, plot
from .options import Moment, trace_argument
from .output import print_lines

__all__ = ["command"]


@click.command(
    "plot",
    short_help="Draw a trace: a picture, or a page that zooms, with the phases shaded.",
    epilog="""\b
Examples:
  fastnvmetrics plot run.bin                             run.png
  fastnvmetrics plot run.bin -o run.html                 one page that zooms, without a network
  fastnvmetrics plot run.bin -o run.html -o run.svg
  fastnvmetrics plot run.bin --phase decode --repeat 3   the third phase of that name, closely
  fastnvmetrics plot day.bin -o hour.html --from 9h --until 10h --points 300000""",
)
@trace_argument
@click.option(
    "-o",
    "--output",
    "outputs",
    metavar="PLOT",
    multiple=True,
    type=click.Path(dir_okay=False),
    help=f"Where it goes, as often as needed: a name in {', '.join(FORMATS)}. "
    "Else that of the trace, in .png.",
)
@click.option(
    "--from",
    "begin",
    metavar="S",
    type=Moment(),
    help="Where to begin: 1.5, 90s, 10m, 2h since the start.",
)
@click.option("--until", "end", metavar="S", type=Moment(), help="Where to end.")
@click.option("--phase", metavar="NAME", help="Draw this phase alone, with a little around it.")
@click.option(
    "--repeat",
    metavar="N",
    type=click.IntRange(1),
    help="Of several phases of that name, which; the first.",
)
@click.option(
    "--points",
    metavar="N",
    type=click.IntRange(10, 2_000_000),
    help="Columns of a picture, 1200 unless told otherwise; samples of each line in a page, 70000: "
    "a minute at 1 kHz. More make a page that is larger.",
)
@click.option("--title", metavar="TEXT", help="The first line; else board and command.")
def command(
    trace: str,
    outputs: tuple[str, ...],
    begin: float | None,
    end: float | None,
    phase: str | None,
    repeat: int | None,
    points: int | None,
    title: str | None,
) -> None:
    """Draw utilisation, cores, power, temperature and RAM over one time axis, phases shaded, sync
    points as lines.

    A .png, .svg or .pdf is a picture. A .html is a page of its own: drag to look closer, down to
    single samples, and all panels follow; it holds its scripts and needs no network. What is
    longer than there are points for is drawn as mean, lowest and highest of each column, so that
    no spike is lost; --from, --until and --phase look closer. What was not measured is a gap.

    Pictures need matplotlib and pages plotly: pip install 'fastnvmetrics[plot]'.
    """
    if phase is not None and (begin is not None or end is not None):
        raise click.UsageError("--phase excludes --from and --until")
    if repeat is not None and phase is None:
        raise click.UsageError("--repeat is of a --phase")
    for output in outputs:
        if os.path.splitext(output)[1].lower() not in FORMATS:
            raise click.UsageError(f"{output}: the name must end in one of {', '.join(FORMATS)}")
    paths = outputs or (os.path.splitext(trace)[0] + ".png",)
    for path in paths:
        plot(
            trace,
            path,
            begin_s=begin,
            end_s=end,
            phase=phase,
            repeat=repeat or 1,
            points=points,
            title=title,
        )
    print_lines(list(paths))
