"""``fastnvmetrics stat``: what a command costs."""

from __future__ import annotations

import contextlib
import os
import shlex
import tempfile

import click

from .._quantities import quantities
from .._repeats import Figure, energy, repeats
from .._table import known, plus_minus
from ..summary import PhaseSummary, Repeats, Summary
from .child import Child, check_command
from .exits import RECORDER_FAILED, Failure, reported
from .options import Duration, json_option
from .output import print_json, print_lines, print_table, say
from .record import started
from .recorder_options import RecorderOptions, recorder_options
from .signals import caught, wait
from .summaries import summary_of

__all__ = ["command"]

_IDLE, _COMMAND = "idle", "command"

#: Quantities by what people call them, with the unit they are shown in and how many of theirs make one of it.
_SHOWN = {
    "duration_s": ("elapsed", "s", 1.0),
    "user_s": ("CPU time, user", "s", 1.0),
    "system_s": ("CPU time, system", "s", 1.0),
    "energy_j": ("energy of the module", "J", 1.0),
    "energy_above_idle_j": ("energy above idle", "J", 1.0),
    "mean_power_w": ("mean power", "W", 1.0),
    "gpu_percent": ("GPU", "%", 1.0),
    "cpu_percent": ("CPU, mean of the cores", "%", 1.0),
    "emc_percent": ("memory controller", "%", 1.0),
    "ram_peak_kb": ("RAM peak of the board", "MiB", 1 / 1024),
    "hottest_c": ("hottest zone", "°C", 1.0),
}


@click.command(
    "stat",
    short_help="Run a command and print joules, watts and utilisation, over repeats.",
    context_settings={"allow_interspersed_args": False},
    epilog="""\b
Examples:
  fastnvmetrics stat -- ./infer model.onnx
  fastnvmetrics stat --repeat 10 --warmup 1 --baseline 5s -- ./infer model.onnx
  fastnvmetrics stat --repeat 5 --json -- python bench.py | jq .quantities.energy_j""",
)
@click.option(
    "-r", "--repeat", type=click.IntRange(1), default=1, metavar="N", help="Run it N times."
)
@click.option(
    "-w",
    "--warmup",
    type=click.IntRange(0),
    default=0,
    metavar="N",
    help="N runs before, which do not count.",
)
@click.option(
    "--baseline",
    type=Duration(),
    metavar="S",
    help="Watch the idle board for this long before, and say what the command took above that.",
)
@click.option(
    "-o",
    "--output",
    metavar="TRACE",
    type=click.Path(dir_okay=False),
    help="Keep the trace: each run is a phase.",
)
@json_option
@recorder_options
@click.argument(
    "command_line", metavar="[--] COMMAND...", nargs=-1, type=click.UNPROCESSED, required=True
)
@click.pass_context
def command(
    ctx: click.Context,
    repeat: int,
    warmup: int,
    baseline: float | None,
    output: str | None,
    as_json: bool,
    options: RecorderOptions,
    command_line: tuple[str, ...],
) -> None:
    """Run COMMAND and print what it cost: energy and mean power of the module and of each rail with half a 95 %
    interval behind ±, time, utilisation, RAM and temperature. With --repeat it is the mean, and ± tells
    how far runs differ.

    The table goes to standard error, the command's output where it always does. With --json, standard output has
    the JSON alone, and what the command prints there goes to standard error. A run that fails ends the
    repeats, and its exit code is that of fastnvmetrics. So does Ctrl-C or SIGTERM, whatever the command makes of it.
    """
    check_command(command_line)
    children: list[Child] = []
    with contextlib.ExitStack() as stack:
        directory = stack.enter_context(tempfile.TemporaryDirectory(prefix="fastnvmetrics-"))
        path = output or os.path.join(directory, "stat.bin")
        with caught(), reported(RECORDER_FAILED):
            for _ in range(warmup):
                child, ending = _run(command_line, as_json)
                if child.exit_code:
                    say(
                        f"a run before the first ended with exit code {child.exit_code}: nothing was measured"
                    )
                    ctx.exit(child.exit_code)
                _go_on(ending)
            recorder = options.recorder(path, command_line)
            with started(recorder):
                if baseline is not None:
                    with recorder.phase(_IDLE):
                        _go_on(wait(duration=baseline))
                code = 0
                while len(children) < repeat and not code:
                    with recorder.phase(_COMMAND):
                        child, ending = _run(command_line, as_json)
                    children.append(child)
                    code = child.exit_code or (128 + ending if ending else 0)
                recorder.annotate("exit_code", str(children[-1].exit_code))
        with reported(RECORDER_FAILED):
            summary = summary_of(path)
    found = _figures(summary, children)
    notes = _notes(summary, children)
    if len(children) < repeat and not children[-1].exit_code:
        notes.append(f"ended by a signal after {len(children)} of {repeat} runs")
    if as_json:
        print_json(
            {
                "command": list(command_line),
                "board": summary.board_name,
                "runs": len(children),
                "exit_codes": [child.exit_code for child in children],
                "quantities": found,
                "notes": notes,
                "settings": summary.settings,
                "trace": output,
            }
        )
    else:
        _print(command_line, summary, found, notes)
    ctx.exit(code)


def _run(command_line: tuple[str, ...], stdout_to_stderr: bool) -> tuple[Child, int]:
    """Return the command, which has ended, and the signal that should end all, or 0."""
    child = Child(command_line, stdout_to_stderr=stdout_to_stderr)
    return child, wait(child=child)


def _go_on(ending: int) -> None:
    if ending:
        raise Failure("ended by a signal: nothing was measured", 128 + ending)


def _figures(summary: Summary, children: list[Child]) -> dict[str, Repeats]:
    """Return the quantities that are known, by name."""
    phases = summary[_COMMAND].instances
    found: dict[str, Repeats | None] = {}
    for name, figure_of in quantities(phases[0]):
        found[name] = repeats([figure_of(phase) for phase in phases])
        if name == "duration_s":
            usages = [child.usage for child in children]
            found["user_s"] = repeats([Figure(usage.ru_utime) for usage in usages if usage])
            found["system_s"] = repeats([Figure(usage.ru_stime) for usage in usages if usage])
        if name == "energy_j" and _IDLE in list(summary):
            idle = summary[_IDLE].instances[0]
            found["idle_power_w"] = summary[_IDLE].mean_power_w
            found["energy_above_idle_j"] = repeats([_above_idle(phase, idle) for phase in phases])
    return {name: figure for name, figure in found.items() if figure is not None}


def _above_idle(phase: PhaseSummary, idle: PhaseSummary) -> Figure | None:
    """Return the energy above that of an idle board; how far that is known is common to all runs."""
    joules = energy(phase.total)
    watts = idle.total
    if joules is None or watts is None or watts.mean_power_w is None:
        return None
    share = watts.mean_power_uncertainty_w
    idle_unknown = None if share is None else share * phase.duration_s

    def with_idle(part: float | None) -> float | None:
        return None if part is None or idle_unknown is None else (part**2 + idle_unknown**2) ** 0.5

    return Figure(
        joules.value - watts.mean_power_w * phase.duration_s,
        with_idle(joules.common),
        with_idle(joules.single),
    )


def _notes(summary: Summary, children: list[Child]) -> list[str]:
    """Return what to know about the figures, each once."""
    found = [*summary.notes]
    for name in (_IDLE, _COMMAND):
        if name in list(summary):
            found += [
                f"{name}: {note}" for phase in summary[name].instances for note in phase.notes
            ]
    code = children[-1].exit_code
    if code:
        found.append(
            f"run {len(children)} ended with exit code {code}: its figures are in the means"
        )
    return list(dict.fromkeys(found))


def _print(
    command_line: tuple[str, ...], summary: Summary, found: dict[str, Repeats], notes: list[str]
) -> None:
    runs = summary[_COMMAND].count
    several = f", {runs} runs" if runs > 1 else ""
    print_lines([f"{shlex.join(command_line)}, on {summary.board_name}{several}:", ""], err=True)
    rows = [_row(name, figure) for name, figure in found.items() if name != "idle_power_w"]
    print_table(("", "mean", "spread" if runs > 1 else ""), rows, err=True)
    lines = [""]
    if "idle_power_w" in found:
        idle = found["idle_power_w"]
        lines.append(
            f"Idle: {plus_minus(idle.mean, idle.uncertainty, 'W')} over {summary[_IDLE].duration_s.mean:.3g} s."
        )
    lines.append(
        "± is half a 95 % interval of the mean; spread is the standard deviation from run to run."
    )
    print_lines([*lines, *notes], err=True)


def _row(name: str, figure: Repeats) -> tuple[str, str, str]:
    label, unit, scale = _SHOWN.get(name) or (
        name.replace("energy_j of ", "  energy of "),
        "J",
        1.0,
    )
    mean = figure.mean * scale
    if figure.uncertainty is None or (figure.count > 1 and not figure.standard_deviation):
        value = known(mean, ".4g", f" {unit}")
    else:
        value = plus_minus(mean, figure.uncertainty * scale, unit)
    spread = ""
    if figure.standard_deviation is not None and figure.mean:
        spread = f"{100 * figure.standard_deviation / abs(figure.mean):.1f} %"
    return label, value, spread
