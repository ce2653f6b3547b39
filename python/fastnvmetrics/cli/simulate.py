"""``fastnvmetrics simulate``: a board without a board."""

from __future__ import annotations

import os
import signal

import click

from ..simulate.boards import BOARDS
from ..simulate.directory import RefusedDirectory
from ..simulate.options import SimulationOptions
from ..simulate.simulation import run
from .exits import Failure
from .options import Duration, ParamType

__all__ = ["command"]


class Cores(ParamType):
    """Numbers of cores: ``1,5``."""

    name = "cores"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> object:
        """Return the numbers."""
        if not isinstance(value, str):
            return value
        try:
            return tuple(int(number) for number in value.split(",") if number)
        except ValueError:
            self.fail(f"{value!r} is no list of numbers", param, ctx)


@click.command(
    "simulate",
    short_help="Keep a directory alive that looks like a Jetson board.",
    epilog="""\b
Examples:
  fastnvmetrics simulate /tmp/agx &
  FASTNVMETRICS_ROOT=/tmp/agx fastnvmetrics record -o run.bin --duration 5
  fastnvmetrics simulate /tmp/nano --board orin_nano --duration 10m""",
)
@click.argument("directory", metavar="DIR")
@click.option("--board", type=click.Choice(list(BOARDS)), default="agx_orin", show_default=True)
@click.option(
    "--l4t",
    type=click.Choice(["35", "36", "39"]),
    default="36",
    show_default=True,
    help="The release whose nodes it has: JetPack 5, 6 or 7.",
)
@click.option(
    "--duration", metavar="S", type=Duration(), help="End after this long; else at Ctrl-C."
)
@click.option("--static", is_flag=True, help="Write the tree and exit.")
@click.option(
    "--offline-cores",
    metavar="N,N",
    type=Cores(),
    default=(),
    help="Cores without a line in /proc/stat.",
)
@click.option(
    "--hwmon-first",
    metavar="N",
    type=int,
    default=3,
    show_default=True,
    help="The first power monitor's number.",
)
@click.option(
    "--no-emc",
    "emc",
    is_flag=True,
    default=True,
    flag_value=False,
    help="No memory controller nodes.",
)
@click.option("--cv-zones-off", is_flag=True, help="cv0 to cv2 powered down.")
@click.option("--foreign-zone", is_flag=True, help="Another driver's thermal zone comes first.")
# For Simulator: a simulation must not outlive a test that was killed.
@click.option("--follow-parent", is_flag=True, hidden=True)
def command(
    directory: str,
    board: str,
    l4t: str,
    duration: float | None,
    static: bool,
    offline_cores: tuple[int, ...],
    hwmon_first: int,
    emc: bool,
    cv_zones_off: bool,
    foreign_zone: bool,
    follow_parent: bool,
) -> None:
    """Build a directory that looks like a Jetson board, and keep its values moving. DIR is new, empty, or a
    former simulation.

    DIR/truth.json and DIR/truth.log say what every value was at every instant.
    """
    stop_requested = False

    def request_stop(number: int, frame: object) -> None:
        nonlocal stop_requested
        stop_requested = True

    signal.signal(signal.SIGINT, request_stop)
    signal.signal(signal.SIGTERM, request_stop)
    parent = os.getppid()

    def stopped(elapsed_ns: int) -> bool:
        if follow_parent and os.getppid() != parent:
            return True
        return stop_requested or (duration is not None and elapsed_ns >= duration * 1e9)

    def ready() -> None:
        click.echo(
            f"ready: {directory} is a simulated {board} (L4T {l4t}); point FASTNVMETRICS_ROOT at it"
        )

    try:
        options = SimulationOptions(
            board=board,
            l4t=int(l4t),
            offline_cores=offline_cores,
            hwmon_first=hwmon_first,
            emc=emc,
            cv_zones_off=cv_zones_off,
            foreign_zone=foreign_zone,
        )
    except ValueError as error:
        raise click.UsageError(str(error)) from None
    try:
        run(directory, options, ready, None if static else stopped)
    except RefusedDirectory as error:
        raise Failure(str(error), click.UsageError.exit_code) from None
