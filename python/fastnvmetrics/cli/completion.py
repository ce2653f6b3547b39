"""``fastnvmetrics completion``: what makes a shell complete the command."""

from __future__ import annotations

import click
from click.shell_completion import get_completion_class

from .app import commands

__all__ = ["command"]


@click.command(
    "completion",
    short_help="Print what makes bash, zsh or fish complete the command.",
    epilog="""\b
Examples:
  eval "$(fastnvmetrics completion bash)"                                     in ~/.bashrc
  eval "$(fastnvmetrics completion zsh)"                                      in ~/.zshrc
  fastnvmetrics completion fish > ~/.config/fish/completions/fastnvmetrics.fish""",
)
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
def command(shell: str) -> None:
    """Print what makes a shell complete subcommands, options and files."""
    found = get_completion_class(shell)
    if found is None:  # pragma: no cover: click has these three
        raise click.UsageError(f"no completion for {shell}")
    click.echo(found(commands, {}, "fastnvmetrics", "_FASTNVMETRICS_COMPLETE").source())
