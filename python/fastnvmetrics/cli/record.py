"""``fastnvmetrics record``: a trace of a command, of a process, or of a stretch of time."""

from __future__ import annotations

import contextlib
import sys
import time
import warnings
from collections.abc import Iterator

import click

from ..recorder import NVMetrics
from .child import Child, check_command
from .exits import RECORDER_FAILED, Failure, reported
from .options import Duration
from .output import say
from .recorder_options import RecorderOptions, recorder_options
from .signals import Timer, caught, notified_of, wait

__all__ = ["command"]


@click.command(
    "record",
    short_help="Record the board while a command runs, a process lives, or until Ctrl-C.",
    context_settings={"allow_interspersed_args": False},
    epilog="""\b
Examples:
  fastnvmetrics record -o run.bin -- python train.py
  fastnvmetrics record --duration 10m
  fastnvmetrics record --pid "$(pidof my_robot)" -o robot.bin
  fastnvmetrics record --board generic_linux --fast-hz 5000 -- make -j""",
)
@click.option(
    "-o",
    "--output",
    metavar="TRACE",
    type=click.Path(dir_okay=False),
    help="Where the trace goes; else fastnvmetrics-DATE-TIME.bin.",
)
@click.option(
    "--duration", metavar="S", type=Duration(), help="How long at most: 90, 1.5s, 10m, 1h."
)
@click.option(
    "--pid", metavar="PID", type=click.IntRange(1), help="Record as long as this process lives."
)
@click.option("-q", "--quiet", is_flag=True, help="Say nothing but what went wrong.")
@recorder_options
@click.argument("command_line", metavar="[--] [COMMAND...]", nargs=-1, type=click.UNPROCESSED)
@click.pass_context
def command(
    ctx: click.Context,
    output: str | None,
    duration: float | None,
    pid: int | None,
    quiet: bool,
    options: RecorderOptions,
    command_line: tuple[str, ...],
) -> None:
    """Record what the board does, with the statistics and facts of the run, until COMMAND or the process has ended,
    the time is over, or Ctrl-C.

    COMMAND is a phase of the trace, called "command". Signals are passed on to it, and its exit code is that of
    fastnvmetrics; where recording itself fails, that is 125.
    """
    if pid is not None and command_line:
        raise click.UsageError("--pid and a command exclude each other")
    if command_line:
        check_command(command_line)
    path = output or time.strftime("fastnvmetrics-%Y%m%d-%H%M%S.bin")
    child: Child | None = None
    with caught(), reported(RECORDER_FAILED if command_line else None):
        with contextlib.ExitStack() as stack:
            if pid is not None:
                stack.enter_context(_process(pid))
            recorder = options.recorder(path, command_line)
            with started(recorder):
                if command_line:
                    with recorder.phase("command"):
                        child = Child(command_line)
                        wait(child=child, duration=duration)
                    recorder.annotate("exit_code", str(child.exit_code))
                else:
                    timers = [] if quiet or not sys.stderr.isatty() else [_progress(recorder)]
                    wait(duration=duration, timers=timers)
    if not quiet:
        say(_outcome(path, recorder))
    if child is not None:
        ctx.exit(child.exit_code)


@contextlib.contextmanager
def started(recorder: NVMetrics) -> Iterator[None]:
    """Record while the block runs; say what there is to say."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # the notices, which are said here
        try:
            with recorder:
                yield
        finally:
            for notice in recorder.notices:
                say(notice)


@contextlib.contextmanager
def _process(pid: int) -> Iterator[None]:
    with contextlib.ExitStack() as stack:
        try:
            stack.enter_context(notified_of(pid))
        except OSError as error:
            raise Failure(f"process {pid}: {error.strerror}") from error
        yield


def _progress(recorder: NVMetrics) -> Timer:
    begun = time.monotonic()

    def show() -> None:
        seconds = time.monotonic() - begun
        click.echo(
            f"\rrecording: {seconds:.0f} s, {recorder.sample_count:,} samples; Ctrl-C ends it\x1b[K",
            nl=False,
            err=True,
        )

    return Timer(1.0, show)


def _outcome(path: str, recorder: NVMetrics) -> str:
    """Return what was recorded and what it cost."""
    counts, stats = recorder.counts, recorder.stats
    missed = sum(counts[f"missed_{tier}"] for tier in ("fast", "medium", "slow"))
    return (
        f"{path}: {stats['elapsed_s']:.2f} s, {counts['fast_samples']:,} samples, {missed} missed, "
        f"{counts['read_errors']} failed reads; took {100 * stats['cpu_share']:.1f} % of a core"
    )
