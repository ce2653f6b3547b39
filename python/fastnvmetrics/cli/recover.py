"""``fastnvmetrics recover``: what is left of a recording that crashed."""

from __future__ import annotations

import click

from ..recorder import recover
from .exits import Failure, code_of, sentence
from .options import json_option, traces_argument
from .output import print_json, print_lines, working

__all__ = ["command"]


@click.command(
    "recover",
    short_help="Complete traces whose recorder was killed or crashed.",
    epilog="""\b
Examples:
  fastnvmetrics recover run.bin
  fastnvmetrics recover run.bin.unfinished-*""",
)
@traces_argument
@json_option
@click.pass_context
def command(ctx: click.Context, traces: tuple[str, ...], as_json: bool) -> None:
    """Complete traces whose recorder was killed or crashed, from the file and the spools beside it.

    A trace that is complete stays as it is, and one that is being recorded is left alone. Of several, one that
    fails does not keep the others from being completed; the exit code is then that of the last failure.
    """
    done = []
    failure = 0
    for path in traces:
        try:
            with working(f"recovering {path}"):
                done.append({"path": path, "recovered": recover(path)})
        except (OSError, ValueError, RuntimeError) as error:
            Failure(sentence(error)).show()
            failure = code_of(error)
    if as_json:
        print_json(done)
    else:
        print_lines(
            [
                f"{one['path']}: {'recovered' if one['recovered'] else 'complete already'}"
                for one in done
            ]
        )
    ctx.exit(failure)
