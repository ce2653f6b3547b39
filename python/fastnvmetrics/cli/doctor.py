"""``fastnvmetrics doctor``: why something is missing."""

from __future__ import annotations

from collections.abc import Sequence

import click

from .._table import table
from ..diagnosis import NodeReport, doctor, restore_sensors
from .exits import FAILED
from .options import board_options, json_option
from .output import print_json, print_lines

__all__ = ["command"]

_HEAD = ("node", "state", "value now", "read", "refresh", "path")


@click.command(
    "doctor",
    short_help="Say of every node of the board whether it can be read, and why not.",
    epilog="""\b
Examples:
  fastnvmetrics doctor
  fastnvmetrics doctor --json | jq '.[] | select(.advice != "")'
  sudo fastnvmetrics doctor --restore        after a recorder that had set power sensors was killed""",
)
@board_options
@click.option(
    "--restore",
    is_flag=True,
    help="Examine nothing: put back the power sensors that a recorder which crashed had set.",
)
@json_option
@click.pass_context
def command(
    ctx: click.Context, board: str | None, root: str | None, restore: bool, as_json: bool
) -> None:
    """Examine every node of the board: found or not, readable or not and why, its value now, the cost of a read,
    how often the sensor measures, and what to do.

    The exit code is 0 where all that a recording needs can be read, else 1.
    """
    if restore:
        done = restore_sensors(root)
        if as_json:
            print_json(done)
        else:
            print_lines(done or ["Nothing to put back: no recorder left a power sensor set."])
        return
    nodes = doctor(board, root=root)
    if as_json:
        print_json(nodes)
    else:
        print_lines(_lines(nodes))
    if not all(node.is_readable or _is_optional(node) for node in nodes):
        ctx.exit(FAILED)


def _is_optional(node: NodeReport) -> bool:
    """Whether a recording is whole without the node: not every release has every zone."""
    return (
        node.kind == "board"
        or node.name == "cpuidle"
        or node.state == "left out"
        or (node.kind == "zone" and node.state == "absent")
    )


def _lines(nodes: Sequence[NodeReport]) -> list[str]:
    """Return a line for each node; what to do about one that is not well stands below it."""
    rows = [_HEAD]
    for node in nodes:
        is_read = node.state in ("good", "powered down") and node.kind != "board"
        rows.append(
            (
                f"{node.kind} {node.name}",
                node.state,
                f"{node.value} {node.unit}" if is_read else "",
                f"{node.read_us:.1f} µs" if node.read_us else "",
                f"{node.refresh_ms:g} ms" if node.refresh_ms else "",
                node.path,
            )
        )
    head, *lines = table(rows, "llrrrl")
    found = [head]
    for node, line in zip(nodes, lines):
        found.append(line)
        if node.advice:
            found.append(f"    {node.advice}")
    return found
