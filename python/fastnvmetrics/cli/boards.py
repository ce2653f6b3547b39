"""``fastnvmetrics boards``: what can be recorded."""

from __future__ import annotations

from typing import Any

import click

from ..board import BoardConfig, detect_board, get_board_config, total_power_rails
from ..errors import FastNVMetricsError
from .options import json_option
from .output import print_json, print_lines, print_table

__all__ = ["command"]

_NAMES = ("agx_orin", "orin_nx", "orin_nano", "generic_linux")


@click.command(
    "boards",
    short_help="List the boards that are known, and the one that this is.",
    epilog="""\b
Examples:
  fastnvmetrics boards
  fastnvmetrics boards --root /host         the host's board, from inside a container""",
)
@click.option(
    "--root",
    metavar="DIR",
    type=click.Path(file_okay=False),
    help="A directory before /proc, /sys and /etc. Else FASTNVMETRICS_ROOT.",
)
@json_option
def command(root: str | None, as_json: bool) -> None:
    """List the boards by name, with what can be measured on them, and the one that was detected.

    Of the board detected it is what can be read here; of the others what they have by design. generic_linux is
    any machine, when asked for by name: CPU, RAM and what its thermal zones say.
    """
    try:
        detected, reason = detect_board(root=root), ""
    except FastNVMetricsError as error:
        detected, reason = None, str(error)
    found = []
    for name in _NAMES:
        here = detected is not None and detected.board_name == name
        board = detected if here and detected else get_board_config(name, root=root)
        found.append(_facts(board, here))
    if as_json:
        print_json(found)
        return
    print_table(
        ("board", "", "cores", "GPU", "EMC", "rails", "module power", "zones"),
        [
            (
                board["name"],
                "detected" if board["detected"] else "",
                str(board["cpu_cores"]),
                "yes" if board["gpu"] else "no",
                "yes" if board["emc"] else "no",
                str(len(board["rails"])),
                " + ".join(board["module_power"]) or "not known",
                str(len(board["zones"])),
            )
            for board in found
        ],
        columns="llrllrlr",
    )
    if reason:
        print_lines(["", reason])


def _facts(board: BoardConfig, is_detected: bool) -> dict[str, Any]:
    rails = [rail.label for rail in board.power_rails]
    return {
        "name": board.board_name,
        "detected": is_detected,
        "cpu_cores": board.num_cpu_cores,
        "gpu": bool(board.gpu_load_path),
        "emc": bool(board.emc_actmon_path or board.emc_clk_rate_path),
        "rails": rails,
        "module_power": [rails[index] for index in total_power_rails(board.board_name, rails)],
        "zones": [zone.name for zone in board.thermal_zones],
    }
