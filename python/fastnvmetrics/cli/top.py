"""``fastnvmetrics top``: the board as it is now, in the terminal."""

from __future__ import annotations

import math
import os
import time
from typing import Any

import click

from .._table import known
from ..board import BoardConfig, detect_board, get_board_config
from ..live import (
    Meter,
    Reading,
    TerminalError,
    check_terminal,
    ending_signals,
    read_once,
    show,
)
from .exits import Failure
from .options import Duration, board_options, json_option
from .output import print_json, print_lines, print_table

__all__ = ["command"]

#: Values are read this often, whatever is drawn, so that joules are counted well.
_LEAST_HZ = 10


class Interval(Duration):
    """From a picture to the next."""

    least = 0.019
    most = 60.0


@click.command(
    "top",
    short_help="Show the board as it is now, live in the terminal.",
    epilog="""\b
Keys: q quit, r count joules from now on, space freeze, ? help.

\b
Examples:
  fastnvmetrics top
  fastnvmetrics top --board generic_linux           any Linux machine
  ssh -t jetson fastnvmetrics top --interval 0.5
  fastnvmetrics top --once --json | jq .total_power_mw""",
)
@board_options
@click.option(
    "--interval",
    metavar="S",
    type=Interval(),
    default=0.1,
    show_default=True,
    help="From one picture to the next: 0.02 to 60 s, also 250ms.",
)
@click.option(
    "--once", is_flag=True, help="Print one reading, of half a second, as a table and exit."
)
@json_option
def command(
    board: str | None, root: str | None, interval: float, once: bool, as_json: bool
) -> None:
    """Show GPU, CPU cores, memory controller, RAM, rails, the module's power, joules since the
    start, thermal zones, and the last minute of GPU, CPU and power, until q or Ctrl-C.

    It takes less than 2 % of a core at 10 pictures a second, and keeps nothing: its trace is in
    TMPDIR until it ends.
    """
    if as_json and not once:
        raise click.UsageError("--json is of --once")
    if not once:
        try:
            check_terminal()
        except TerminalError as error:
            raise Failure(str(error)) from None
    found = _board(board, root)
    if once:
        reading = read_once(found)
        if as_json:
            print_json(_facts(found, reading))
        else:
            _print(found, reading)
        return
    rate_hz = max(_LEAST_HZ, math.ceil(1 / interval))
    with ending_signals() as signals, Meter(found, rate_hz) as meter:
        show(meter, interval, signals, use_color=not os.environ.get("NO_COLOR"))


def _board(board: str | None, root: str | None) -> BoardConfig:
    return detect_board(root=root) if board is None else get_board_config(board, root=root)


def _facts(board: BoardConfig, reading: Reading) -> dict[str, Any]:
    """Return the snapshot with what a script wants to know besides."""
    return {
        "board_name": board.board_name,
        "realtime_ns": time.time_ns(),
        **reading.snapshot,
        "gpu_mhz": reading.gpu_mhz,
        "cpu_mhz": reading.cpu_mhz,
    }


def _print(board: BoardConfig, reading: Reading) -> None:
    now = reading.snapshot
    gpu = None if now["gpu_load"] is None else now["gpu_load"] / 10
    used, free = now["ram_used_kb"], now["ram_available_kb"]
    ram = None if used is None else used / 1024
    total = None if used is None or free is None else (used + free) / 1024
    print_table(
        ("", board.board_name, "clock"),
        [
            ("GPU", known(gpu, ".1f", " %"), known(reading.gpu_mhz, ".0f", " MHz")),
            (
                "CPU",
                known(now["cpu_aggregate"], ".1f", " %"),
                known(reading.cpu_mhz, ".0f", " MHz"),
            ),
            *(
                (f"core {at}", known(core, ".1f", " %"), "")
                for at, core in enumerate(now["cpu_util"])
            ),
            ("EMC", known(now["emc_util"], ".1f", " %"), ""),
            ("RAM used", known(ram, ".0f", " MiB"), known(total, ".0f", " MiB in all")),
            *((zone, known(degrees, ".1f", " °C"), "") for zone, degrees in now["temp_c"].items()),
        ],
    )
    if not now["power"]:
        return
    print_lines([""])
    rows = []
    for label, rail in now["power"].items():
        watts = rail["power_mw"]
        volts, amperes = (None, None) if watts is None else (rail["voltage_mv"], rail["current_ma"])
        rows.append(
            (
                label,
                *(
                    _thousandth(value, unit)
                    for value, unit in ((volts, "V"), (amperes, "A"), (watts, "W"))
                ),
            )
        )
    rows.append(("module", "", "", _thousandth(now["total_power_mw"], "W")))
    print_table(("rail", "voltage", "current", "power"), rows)


def _thousandth(value: float | None, unit: str) -> str:
    return known(None if value is None else value / 1000, ".3f", f" {unit}")
