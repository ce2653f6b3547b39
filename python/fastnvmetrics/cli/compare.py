"""``fastnvmetrics compare``: traces against each other."""

from __future__ import annotations

import click

from ..comparison import compare
from .options import json_option, traces_argument
from .output import print_json
from .summaries import summary_of

__all__ = ["command"]


@click.command(
    "compare",
    short_help="Compare traces phase by phase, with what the differences are worth.",
    epilog="""\b
Examples:
  fastnvmetrics compare before.bin after.bin
  fastnvmetrics compare base.bin int8.bin fp16.bin            each of the others against the first
  fastnvmetrics compare a1.bin a2.bin a3.bin --against b1.bin --against b2.bin""",
)
@traces_argument
@click.option(
    "--against",
    metavar="TRACE",
    multiple=True,
    type=click.Path(dir_okay=False),
    help="The traces before are repeats of one thing, and this is one of the other; as often as needed.",
)
@json_option
def command(traces: tuple[str, ...], against: tuple[str, ...], as_json: bool) -> None:
    """Compare the first trace with each of the others, phase by phase: joules, watts, utilisation, RAM and
    temperature, and whether a difference is larger than its uncertainty. What the recordings differ in besides
    (board, power mode, clocks, rates, sensors, versions) is said below.
    """
    if not against and len(traces) < 2:
        raise click.UsageError("one trace cannot be compared: name another, or --against it")
    a = traces if against else traces[:1]
    others = [against] if against else [(other,) for other in traces[1:]]
    summaries = {path: summary_of(path) for path in dict.fromkeys([*traces, *against])}
    first = ", ".join(a)
    found = [
        (", ".join(b), compare([summaries[path] for path in a], [summaries[path] for path in b]))
        for b in others
    ]
    if as_json:
        print_json([{"a": first, "b": name, **comparison.to_dict()} for name, comparison in found])
        return
    for index, (name, comparison) in enumerate(found):
        click.echo(("\n" if index else "") + click.style(f"a: {first}\nb: {name}", bold=True))
        click.echo(str(comparison))
