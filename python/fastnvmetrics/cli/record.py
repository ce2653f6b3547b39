"""``fastnvmetrics record``: a trace of a command, of a process, or of a stretch of time."""

from __future__ import annotations

import contextlib
import os
import sys
import time
import warnings
from collections.abc import Iterator

import click

from .._table import plus_minus
from ..recorder import NVMetrics
from .child import Child, check_command
from .exits import RECORDER_FAILED, Failure, reported
from .modes import Flight, Mode, OneTrace, Rotation
from .options import Duration, DurationOrSize, Limit, Size
from .output import say
from .recorder_options import RecorderOptions, recorder_options
from .signals import Timer, caught, notified_of, wait
from .summaries import summary_of

__all__ = ["command"]

#: What --rotate may be at least: facts and statistics have a share of it.
_LEAST_BYTES = 100_000
#: Of a trace up to this size, a quarter of an hour at 1 kHz, the joules are said at once.
_AT_ONCE_BYTES = 100_000_000


@click.command(
    "record",
    short_help="Record the board while a command runs, a process lives, or until Ctrl-C.",
    context_settings={"allow_interspersed_args": False},
    epilog="""\b
Examples:
  fastnvmetrics record -o run.bin -- python train.py
  fastnvmetrics record --duration 10m
  fastnvmetrics record --pid "$(pidof my_robot)" -o robot.bin
  fastnvmetrics record --board generic_linux --fast-hz 5000 -- make -j
  fastnvmetrics record --rotate 1h --keep 48 -o /var/lib/robot/robot.bin
  fastnvmetrics record --keep-last 10m -o flight.bin &
  fastnvmetrics dump flight.bin""",
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
    "--pid",
    metavar="PID",
    type=click.IntRange(1, 2**31 - 1),
    help="Record as long as this process lives.",
)
@click.option(
    "--rotate",
    metavar="LIMIT",
    type=DurationOrSize(),
    help="Begin a new trace after this long (1h) or at this size (1GB), without losing a sample: "
    "TRACE-000001-DATE.bin and so on.",
)
@click.option(
    "--keep", metavar="N", type=click.IntRange(1), help="With --rotate: keep the newest N traces."
)
@click.option("--max-size", metavar="SIZE", type=Size(), help="With --rotate: all traces together.")
@click.option(
    "--keep-last",
    metavar="S",
    type=Duration(),
    help="Keep only the newest stretch on disk; it becomes a trace at SIGUSR1, when fastnvmetrics "
    "dump asks, and at the end.",
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
    rotate: Limit | None,
    keep: int | None,
    max_size: float | None,
    keep_last: float | None,
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
    _check_modes(rotate, keep, max_size, keep_last)
    if command_line:
        check_command(command_line)
    path = output or time.strftime("fastnvmetrics-%Y%m%d-%H%M%S.bin")
    child: Child | None = None
    with caught(), reported(RECORDER_FAILED if command_line else None):
        with contextlib.ExitStack() as stack:
            if pid is not None:
                stack.enter_context(_process(pid))
            mode: Mode = OneTrace(path)
            if rotate is not None:
                mode = Rotation(path, rotate, keep, max_size, quiet)
            elif keep_last is not None:
                mode = Flight(path, keep_last, quiet, stack)
            recorder = options.recorder(mode.path, command_line)
            with started(recorder):
                hooks = mode.hooks(recorder)
                if command_line:
                    with recorder.phase("command"):
                        child = Child(command_line)
                        wait(child=child, duration=duration, **hooks)
                    recorder.annotate("exit_code", str(child.exit_code))
                else:
                    if not quiet and sys.stderr.isatty():
                        hooks["timers"].append(_progress(recorder))
                    wait(duration=duration, **hooks)
            made = mode.finish()
    if not quiet:
        say(_outcome(made, recorder, _energy(path) if isinstance(mode, OneTrace) else ""))
    if child is not None:
        ctx.exit(child.exit_code)


def _check_modes(
    rotate: Limit | None, keep: int | None, max_size: float | None, keep_last: float | None
) -> None:
    if rotate is not None and keep_last is not None:
        raise click.UsageError("--rotate and --keep-last exclude each other")
    if rotate is None and (keep is not None or max_size is not None):
        raise click.UsageError("--keep and --max-size are for --rotate")
    for seconds, name in ((rotate and rotate.seconds, "--rotate"), (keep_last, "--keep-last")):
        if seconds is not None and seconds < 1:
            raise click.UsageError(f"{name} must be at least 1s")
    if rotate is not None and rotate.size is not None and rotate.size < _LEAST_BYTES:
        raise click.UsageError("--rotate must be at least 100kB")


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


def _outcome(made: str, recorder: NVMetrics, energy: str) -> str:
    """Return what was recorded, what it took of the board, and what recording cost."""
    counts, stats = recorder.counts, recorder.stats
    missed = sum(counts[f"missed_{tier}"] for tier in ("fast", "medium", "slow"))
    return (
        f"{made}: {stats['elapsed_s']:.2f} s, {energy}{counts['fast_samples']:,} samples, {missed} missed, "
        f"{counts['read_errors']} failed reads; took {100 * stats['cpu_share']:.1f} % of a core"
    )


def _energy(path: str) -> str:
    """Return the joules of a trace that is not so long that they take a while."""
    try:
        if os.stat(path).st_size > _AT_ONCE_BYTES:
            return ""
        whole = summary_of(path).whole
    except (OSError, ValueError, RuntimeError):  # whoever moved it has it
        return ""
    if whole.energy_j is None:
        return ""
    return f"{plus_minus(whole.energy_j, whole.energy_uncertainty_j, 'J')}, "
