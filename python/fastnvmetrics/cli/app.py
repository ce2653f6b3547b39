"""The command and the list of its subcommands."""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Sequence

import click

from .. import __version__
from .exits import CODES, Failure, interrupted, reported
from .output import notices

__all__ = ["commands", "main"]

#: Subcommands by what they are for: each is `command` of the module of that name.
SECTIONS = {
    "Record": ("record", "stat", "dump", "recover"),
    "Look": ("report", "info", "compare", "plot", "top"),
    "Hand on": ("export", "serve"),
    "Board": ("doctor", "boards", "simulate"),
    "Shell": ("completion",),
}

_EPILOG = """\b
Examples:
  fastnvmetrics record -o run.bin -- python train.py
  fastnvmetrics report run.bin
  fastnvmetrics stat --repeat 5 -- ./infer model.onnx

\b
Exit codes:
"""


class Commands(click.Group):
    """Subcommands that are imported when they are asked for."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return their names in the order of the help."""
        return [name for names in SECTIONS.values() for name in names]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Return a subcommand; None where there is none of that name."""
        if cmd_name not in self.list_commands(ctx):
            return None
        module = importlib.import_module(f"{__package__}.{cmd_name}")
        command: click.Command = module.command
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write them by section."""
        for section, names in SECTIONS.items():
            rows = []
            for name in names:
                command = self.get_command(ctx, name)
                if command is not None:
                    rows.append((name, command.get_short_help_str(limit=90)))
            with formatter.section(section):
                formatter.write_dl(rows)

    def invoke(self, ctx: click.Context) -> object:
        """Run a subcommand; what fails is said in one line, with an exit code."""
        with notices(), reported():
            return super().invoke(ctx)


@click.group(
    "fastnvmetrics",
    cls=Commands,
    epilog=_EPILOG + "\n".join(f"  {code:<5} {meaning}" for code, meaning in CODES.items()),
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.version_option(__version__, prog_name="fastnvmetrics")
def commands() -> None:
    """Profiler for NVIDIA Jetson Orin boards: GPU, CPU, memory, power and temperature,
    millisecond by millisecond, and what it cost in joules.
    """


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command and return its exit code."""
    _open_standard_streams()
    color = False if os.environ.get("NO_COLOR") else None
    try:
        with reported():
            commands.main(
                None if arguments is None else list(arguments),
                prog_name="fastnvmetrics",
                complete_var="_FASTNVMETRICS_COMPLETE",
                color=color,
            )
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else int(end.code is not None)
    except Failure as failure:
        failure.show()
        return failure.code
    except KeyboardInterrupt:
        return interrupted()
    return 0


def _open_standard_streams() -> None:
    """Put /dev/null where a standard stream is closed: the next file that is opened, a trace, would be it.

    Commands that are run find it closed as before.
    """
    for number, (name, mode) in enumerate((("stdin", "r"), ("stdout", "w"), ("stderr", "w"))):
        if getattr(sys, name) is None:
            try:
                os.fstat(number)
            except OSError:
                os.open(os.devnull, os.O_RDWR)  # takes the lowest number that is free
            setattr(sys, name, open(number, mode, closefd=False))


if __name__ == "__main__":
    sys.exit(main())
