"""``fastnvmetrics serve``: metrics for Prometheus."""

from __future__ import annotations

import dataclasses
import re
import time
from collections.abc import Callable
from typing import Any

import click

from .. import __version__
from ..continuous.rolling import RollingRecording
from ..continuous.runtime_directory import scratch_directory
from ..serving.board_facts import board_facts
from .exits import FAILED, Failure, reported, sentence
from .options import ParamType
from .output import say
from .record import started
from .recorder_options import RecorderOptions, recorder_options
from .signals import Timer, caught, wait

__all__ = ["command"]

_PORT = 9777
#: Seconds between two looks at the files: what is new then is in memory before the next scrape.
_INTERVAL = 0.5
#: Seconds without a sample after which there is no hope; and with a trace that grows because no
#: other follows it.
_PATIENCE, _MOST_GROWTH = 30.0, 600.0


class Address(ParamType):
    """``HOST:PORT``, ``[::1]:PORT`` or ``PORT``."""

    name = "address"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[str, int]:
        """Return host and port; an empty host is every address of this machine."""
        if not isinstance(value, str):
            found: tuple[str, int] = value
            return found
        match = re.fullmatch(r"(?:\[([^][]+)\]:|([^:]*):)?(\d{1,5})", value)
        if match is None or int(match[3]) > 65535:
            self.fail(f"{value!r} is not HOST:PORT, [IPV6]:PORT or PORT", param, ctx)
        host = match[1] or match[2]
        return "127.0.0.1" if host is None else host, int(match[3])


@click.command(
    "serve",
    short_help="Tell Prometheus minimum, mean and maximum since its last scrape, and joules.",
    epilog="""\b
Examples:
  fastnvmetrics serve &
  curl http://127.0.0.1:9777/metrics
  fastnvmetrics serve --listen 0.0.0.0:9777
  fastnvmetrics serve --listen '[::1]:9777' --fast-hz 2000""",
)
@click.option(
    "--listen",
    metavar="HOST:PORT",
    type=Address(),
    default=f"127.0.0.1:{_PORT}",
    show_default=True,
    help="Where to answer; 0.0.0.0 or [::] for every address of this machine, which anyone who "
    "reaches it can read.",
)
@click.option("-q", "--quiet", is_flag=True, help="Say nothing but what went wrong.")
@recorder_options
def command(listen: tuple[str, int], quiet: bool, options: RecorderOptions) -> None:
    """Record all the time and answer Prometheus: for each column minimum, mean and maximum of the
    samples since the same scraper asked last, and joules as a counter. So peaks of a millisecond
    are in what is scraped every 15 seconds.

    Nothing is kept but the last minute, in the runtime directory. Sources are read no faster than
    they change, unless --every-tick. Ends at SIGTERM or Ctrl-C; where no sample has come for 30
    seconds, with exit code 1.
    """
    try:
        from ..serving.exporter import Exporter
        from ..serving.metrics_server import MetricsServer
    except ImportError as error:
        raise Failure(
            "serve needs prometheus-client: pip install 'fastnvmetrics[serve]', "
            "or apt-get install python3-prometheus-client"
        ) from error
    if options.native_rates is None:
        options = dataclasses.replace(options, native_rates=True)
    # What nobody keeps need not survive a power cut.
    options = dataclasses.replace(options, flush_interval=0.0)
    board = options.found_board()
    told = {"board": board.board_name, "version": __version__}
    with caught(), reported(), scratch_directory() as directory:
        rolling = RollingRecording(directory, options.recorder, lambda path: exporter.go_on(path))
        recorder = rolling.recorder
        with started(recorder):
            exporter = Exporter(
                rolling.path,
                lambda: recorder.counts,
                lambda: recorder.stats["cpu_s"],
                {**told, **board_facts(board)},
            )
            try:
                server = MetricsServer(*listen, exporter.scrape)
            except OSError as error:
                host, port = listen
                raise Failure(f"{host}:{port}: {error.strerror or error}", FAILED) from error
            try:
                if not quiet:
                    say(f"metrics at http://{server.address}/metrics")
                wait(
                    timers=[
                        Timer(_INTERVAL, _watch(exporter.update)),
                        Timer(1.0, _trying(rolling.rotate_if_due)),
                        # Whoever changes the power mode does so while we run.
                        Timer(10.0, lambda: exporter.info.update(board_facts(board))),
                    ]
                )
            finally:
                server.close()
                exporter.close()


def _watch(update: Callable[[], float]) -> Callable[[], None]:
    def look() -> None:
        silent = update()
        if silent > _PATIENCE:
            raise Failure(
                f"no sample has come for {silent:.0f} s: the disk is full, or sampling has stopped",
                FAILED,
            )

    return look


def _trying(rotate_if_due: Callable[[], bool]) -> Callable[[], None]:
    """Say once what keeps the recording from going on into the next trace."""
    since: list[float] = []

    def attempt() -> None:
        try:
            if rotate_if_due():
                since.clear()
        except OSError as error:
            if not since:
                since.append(time.monotonic())
                say(f"{sentence(error)}; recording goes on in the former trace")
            elif time.monotonic() - since[0] > _MOST_GROWTH:
                # Only who begins anew has a directory that is there, and gives back what a removed
                # one holds.
                raise Failure(f"no trace can be begun: {sentence(error)}", FAILED) from error

    return attempt
