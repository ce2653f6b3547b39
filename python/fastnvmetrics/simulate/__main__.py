"""``python -m fastnvmetrics.simulate DIR``: a simulated Jetson in a directory."""

from __future__ import annotations

import argparse
import os
import signal
import sys
from collections.abc import Sequence

from .boards import BOARDS
from .directory import RefusedDirectory
from .options import SimulationOptions
from .simulation import run

__all__ = ["main"]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; return its exit code: 1 for a failure, 2 for a refusal."""
    stop_requested = False

    def request_stop(number: int, frame: object) -> None:
        nonlocal stop_requested
        stop_requested = True

    signal.signal(signal.SIGINT, request_stop)
    signal.signal(signal.SIGTERM, request_stop)

    parser = _parser()
    given = parser.parse_args(arguments)
    try:
        options = SimulationOptions(
            board=given.board,
            l4t=given.l4t,
            offline_cores=given.offline_cores,
            hwmon_first=given.hwmon_first,
            emc=given.emc,
            cv_zones_off=given.cv_zones_off,
            foreign_zone=given.foreign_zone,
        )
    except ValueError as error:
        parser.error(str(error))
    parent = os.getppid()

    def stopped(elapsed_ns: int) -> bool:
        if given.follow_parent and os.getppid() != parent:
            return True
        return stop_requested or elapsed_ns >= given.duration * 1e9

    def ready() -> None:
        print(
            f"ready: {given.directory} is a simulated {given.board} (L4T {given.l4t}); "
            "point FASTNVMETRICS_ROOT at it",
            flush=True,
        )

    try:
        run(given.directory, options, ready, None if given.static else stopped)
    except RefusedDirectory as error:
        print(f"fastnvmetrics.simulate: {error}", file=sys.stderr)
        return 2
    except OSError as error:
        print(f"fastnvmetrics.simulate: {error}", file=sys.stderr)
        return 1
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m fastnvmetrics.simulate",
        description="Build a directory that looks like a Jetson board, and keep its values moving.",
        epilog="DIR/truth.json and DIR/truth.log say what every value was at every instant.",
    )
    option = parser.add_argument
    option("directory", metavar="DIR", help="new, empty, or a former simulation")
    option("--board", choices=list(BOARDS), default="agx_orin", help="default: %(default)s")
    option("--l4t", type=int, choices=(35, 36, 39), default=36, help="default: %(default)s")
    option("--duration", type=float, default=float("inf"), metavar="S", help="end after S seconds")
    option("--static", action="store_true", help="write the tree and exit")
    option(
        "--offline-cores",
        type=_numbers,
        default=(),
        metavar="N,N",
        help="without a /proc/stat line",
    )
    option(
        "--hwmon-first", type=int, default=3, metavar="N", help="the first power monitor's number"
    )
    option("--no-emc", dest="emc", action="store_false", help="no memory controller nodes")
    option("--cv-zones-off", action="store_true", help="cv0 to cv2 powered down")
    option("--foreign-zone", action="store_true", help="another driver's thermal zone comes first")
    # For Simulator: a simulation must not outlive a test that was killed.
    option("--follow-parent", action="store_true", help=argparse.SUPPRESS)
    return parser


def _numbers(text: str) -> tuple[int, ...]:
    try:
        return tuple(int(number) for number in text.split(",") if number)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is no list of numbers") from None


if __name__ == "__main__":
    sys.exit(main())
