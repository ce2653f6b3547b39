"""The command ``fastnvmetrics``."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from fastnvmetrics.recorder import recover

__all__ = ["main"]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command and return its exit code: 0 done, 1 failed, 2 wrong usage."""
    parser = argparse.ArgumentParser(
        prog="fastnvmetrics", description="Profiler for NVIDIA Jetson Orin boards."
    )
    commands = parser.add_subparsers(metavar="COMMAND", required=True)

    command = commands.add_parser(
        "recover",
        help="complete a trace whose recorder crashed",
        description="Complete traces whose recorder was killed or crashed, from the file and the "
        "spools beside it. A trace that is complete stays as it is.",
    )
    command.add_argument("files", nargs="+", metavar="FILE")
    command.set_defaults(run=_recover)

    options = parser.parse_args(arguments)
    return int(options.run(options))


def _recover(options: argparse.Namespace) -> int:
    failed = 0
    for file in options.files:
        try:
            done = recover(file)
        except (OSError, ValueError, RuntimeError) as error:
            print(f"fastnvmetrics: {error}", file=sys.stderr)
            failed = 1
        else:
            print(f"{file}: {'recovered' if done else 'complete already'}")
    return failed
