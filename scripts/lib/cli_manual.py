"""Writes docs/cli.md from the help of the command: python scripts/lib/cli_manual.py > docs/cli.md"""

from __future__ import annotations

import dataclasses
import inspect
from collections.abc import Iterable, Iterator

import click

from fastnvmetrics.cli.app import SECTIONS, commands
from fastnvmetrics.cli.exits import CODES
from fastnvmetrics.cli.recorder_options import RecorderOptions

RECORDING = {field.name for field in dataclasses.fields(RecorderOptions)}

INTRODUCTION = """\
# The command fastnvmetrics

Generated from its help (`scripts/lib/cli_manual.py`); `fastnvmetrics COMMAND --help` says the same.

- Everything that prints a table prints JSON with `--json`. Results are on standard output, all else is on standard error.
- Lengths of time are `90`, `500ms`, `1.5s`, `10m`, `1h` or `2d`.
- What takes longer than a second says how far it is, on a terminal; colours are for terminals too, and `NO_COLOR` turns them off.
- `eval "$(fastnvmetrics completion bash)"` makes the shell complete subcommands and options.
"""


def manual() -> str:
    """Return the page."""
    return "\n".join(_parts()).rstrip() + "\n"


def _parts() -> Iterator[str]:
    yield INTRODUCTION
    yield "| | |\n|---|---|"
    context = click.Context(commands, info_name="fastnvmetrics")
    found = {
        name: commands.get_command(context, name) for names in SECTIONS.values() for name in names
    }
    for section, names in SECTIONS.items():
        links = (f"[`{name}`](#{name}) {_sentence(found[name].short_help or '')}" for name in names)
        yield f"| {section} | {'<br>'.join(links)} |"
    yield "\n## Exit codes\n\n| code | |\n|---|---|"
    for code, meaning in CODES.items():
        yield f"| {code} | {_cell(meaning)} |"
    for name, command in found.items():
        yield from _command(name, command, context)
    yield "\n## Recording options\n\nThose of every subcommand that records.\n\n| option | |\n|---|---|"
    record = found["record"]
    yield from _rows(option for option in _options(record, context) if option.name in RECORDING)


def _command(name: str, command: click.Command, parent: click.Context) -> Iterator[str]:
    context = click.Context(command, info_name=name, parent=parent)
    usage = " ".join(["fastnvmetrics", name, *command.collect_usage_pieces(context)])
    yield f"\n## {name}\n\n```text\n{usage}\n```\n"
    yield inspect.cleandoc(command.help or "")
    options = _options(command, context)
    records = RECORDING <= {option.name for option in options}
    own = [option for option in options if not (records and option.name in RECORDING)]
    if own:
        yield "\n| option | |\n|---|---|"
        yield from _rows(own)
    if records:
        yield "| [Recording options](#recording-options) | what is recorded, and how often |"
    examples = inspect.cleandoc((command.epilog or "").replace("\b\n", "")).partition(
        "Examples:\n"
    )[2]
    if examples:
        # What follows the examples is indented less than they are.
        examples, gap, rest = examples.partition("\n\n")
        yield f"\n```text\n{inspect.cleandoc(examples)}{gap}{rest}\n```"


def _options(command: click.Command, context: click.Context) -> list[click.Option]:
    options = [option for option in command.get_params(context) if isinstance(option, click.Option)]
    return [option for option in options if not option.hidden and "--help" not in option.opts]


def _rows(options: Iterable[click.Option]) -> Iterator[str]:
    for option in options:
        yield f"| {_names(option)} | {_cell(_help(option))} |"


def _names(option: click.Option) -> str:
    names = [f"`{name}`" for name in (*option.opts, *option.secondary_opts)]
    if isinstance(option.type, click.Choice):
        value = " \\| ".join(option.type.choices)
    else:
        value = "" if option.is_flag else option.metavar or ""
    return ", ".join(names) + (f" {value}" if value else "")


def _help(option: click.Option) -> str:
    text = option.help or ""
    if option.show_default and not option.is_flag:
        text = f"{text} Default: {option.default}."
    return text.strip()


def _sentence(text: str) -> str:
    return text.rstrip(".")


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")


if __name__ == "__main__":
    print(manual(), end="")
