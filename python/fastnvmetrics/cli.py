"""The command ``fastnvmetrics``."""

from __future__ import annotations

import argparse
import dataclasses
import json
import signal
import subprocess
import sys
import threading
import warnings
from collections.abc import Sequence

from fastnvmetrics import _summary
from fastnvmetrics.board import detect_board, get_board_config
from fastnvmetrics.diagnosis import NodeReport, doctor, restore_sensors
from fastnvmetrics.recorder import NVMetrics, recover
from fastnvmetrics.trace import read_trace

__all__ = ["main"]

_PATIENCE = 5.0  # seconds that a command has to end in


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command and return its exit code: 0 done, 1 failed, 2 wrong usage."""
    parser = argparse.ArgumentParser(
        prog="fastnvmetrics", description="Profiler for NVIDIA Jetson Orin boards."
    )
    commands = parser.add_subparsers(metavar="COMMAND", required=True)

    command = commands.add_parser(
        "recover",
        help="complete a trace whose recorder crashed",
        description="Complete traces whose recorder was killed or crashed, from the file and the "
        "spools beside it. A trace that is complete stays as it is.",
    )
    command.add_argument("files", nargs="+", metavar="FILE")
    command.set_defaults(run=_recover)

    command = commands.add_parser(
        "doctor",
        help="say of every node of the board whether it can be read, and why not",
        description="Examine every node of the board: found or not, readable or not and why, its value "
        "now, the cost of a read, how often the sensor measures, and what to do. The exit code is 0 "
        "where all that a recording needs can be read, else 1.",
    )
    command.add_argument("--board", metavar="NAME", help="a board by name; else the one detected")
    command.add_argument("--root", metavar="DIR", help="a directory before /proc, /sys and /etc")
    command.add_argument("--json", action="store_true", help="print a JSON list")
    command.add_argument(
        "--restore",
        action="store_true",
        help="examine nothing: put back the power sensors that a recorder which crashed had set",
    )
    command.set_defaults(run=_doctor)

    command = commands.add_parser(
        "record",
        usage="%(prog)s FILE [OPTION ...] [-- COMMAND ...]",
        help="record until the time is over, a command has ended, or Ctrl-C",
        description="Record into FILE, with the statistics of the run, and print them at the end. With a command "
        "behind -- record while it runs, and end with its exit code.",
    )
    command.add_argument("file", metavar="FILE")
    command.add_argument("--seconds", type=_positive, help="how long; else until Ctrl-C, SIGTERM or the command's end")
    command.add_argument("--board", metavar="NAME", help="a board by name; else the one detected")
    command.add_argument("--root", metavar="DIR", help="a directory before /proc, /sys and /etc")
    for tier, usual in (("fast", 1000), ("medium", 100), ("slow", 10)):
        command.add_argument(f"--{tier}-hz", type=int, default=usual, metavar="HZ", help=f"{usual}")
    command.add_argument(
        "--native-rates", action="store_true", help="read no source faster than its value can change"
    )
    command.add_argument("--realtime", type=int, default=0, metavar="PRIORITY", help="SCHED_FIFO, 1 to 99")
    command.add_argument("--cpu", type=int, help="the CPU that the sampling threads run on")
    command.set_defaults(run=_record)

    command = commands.add_parser(
        "stats",
        help="print the statistics that a trace holds",
        description="Print what a recording did and what it cost: ticks, missed ticks and how late they were, "
        "reads of each source, their time and the age of their values. Traces hold it where it was asked for: "
        "NVMetrics(…, stats=True), or fastnvmetrics record.",
    )
    command.add_argument("file", metavar="FILE")
    command.add_argument("--json", action="store_true", help="print JSON")
    command.set_defaults(run=_stats)

    # argparse would look for options of its own in what follows --.
    given = list(sys.argv[1:] if arguments is None else arguments)
    cut = given.index("--") if "--" in given else len(given)
    options = parser.parse_args(given[:cut])
    options.command = given[cut + 1 :]
    if options.command and options.run is not _record:
        parser.error("a command behind -- is for record")
    try:
        return int(options.run(options))
    except (OSError, ValueError, RuntimeError) as error:
        print(f"fastnvmetrics: {error}", file=sys.stderr)
        return 1


def _doctor(options: argparse.Namespace) -> int:
    if options.restore:
        done = restore_sensors(options.root)
        if options.json:
            print(json.dumps(done, indent=1))
            return 0
        for line in done or ["Nothing to put back: no recorder left a power sensor set."]:
            print(line)
        return 0
    nodes = doctor(options.board, root=options.root)
    if options.json:
        print(json.dumps([dataclasses.asdict(node) for node in nodes], indent=1))
    else:
        for line in _table(nodes):
            print(line)
    return 0 if all(node.is_readable or _is_optional(node) for node in nodes) else 1


def _is_optional(node: NodeReport) -> bool:
    """Whether a recording is whole without the node: not every release has every zone."""
    return (
        node.kind == "board"
        or node.name == "cpuidle"
        or node.state == "left out"
        or (node.kind == "zone" and node.state == "absent")
    )


def _table(nodes: Sequence[NodeReport]) -> list[str]:
    """A line for each node; what to do about one that is not well stands below it."""
    lines = [f"{'node':<24} {'state':<13} {'value now':>22} {'read':>9} {'refresh':>9}  path"]
    for node in nodes:
        is_read = node.state in ("good", "powered down") and node.kind != "board"
        value = f"{node.value} {node.unit}" if is_read else ""
        cost = f"{node.read_us:.1f} µs" if node.read_us else ""
        refresh = f"{node.refresh_ms:g} ms" if node.refresh_ms else ""
        name = f"{node.kind} {node.name}"
        lines.append(
            f"{name:<24} {node.state:<13} {value:>22} {cost:>9} {refresh:>9}  {node.path}"
        )
        if node.advice:
            lines.append(f"    {node.advice}")
    return lines


def _record(options: argparse.Namespace) -> int:
    root = options.root
    board = get_board_config(options.board, root=root) if options.board else detect_board(root=root)
    recorder = NVMetrics(
        options.file,
        options.fast_hz,
        options.medium_hz,
        options.slow_hz,
        board,
        native_rates=True if options.native_rates else None,
        realtime=options.realtime,
        cpu=options.cpu,
        stats=True,
    )
    result = 0
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # its notices are printed below
        try:
            with recorder:
                result = _run(options.command, options.seconds) if options.command else _wait(options.seconds)
        except KeyboardInterrupt:
            pass
        finally:
            for notice in recorder.notices:
                print(f"fastnvmetrics: {notice}", file=sys.stderr)
    for line in _summary.lines(recorder.stats):
        print(line, file=sys.stderr)
    return result


def _wait(seconds: float | None) -> int:
    """Wait until the time is over or SIGTERM."""
    ended = threading.Event()
    signal.signal(signal.SIGTERM, lambda number, frame: ended.set())
    ended.wait(seconds)
    return 0


def _run(command: Sequence[str], seconds: float | None) -> int:
    """Run a command to its end; return its exit code, 128 and the signal where one ended it."""
    child = subprocess.Popen(command)
    signal.signal(signal.SIGTERM, lambda number, frame: child.terminate())
    try:
        code = child.wait(seconds)
    except subprocess.TimeoutExpired:
        print("fastnvmetrics: the time is over, the command is ended", file=sys.stderr)
        code = _end(child)
    except KeyboardInterrupt:  # the terminal told the command as well
        code = _end(child, tell=False)
    return code if code >= 0 else 128 - code


def _end(child: subprocess.Popen[bytes], tell: bool = True) -> int:
    if tell:
        child.terminate()
    try:
        return child.wait(_PATIENCE)
    except subprocess.TimeoutExpired:
        child.kill()
        return child.wait()


def _positive(text: str) -> float:
    seconds = float(text)
    if not 0 < seconds < threading.TIMEOUT_MAX:
        raise argparse.ArgumentTypeError(f"{text} is no length of time")
    return seconds


def _stats(options: argparse.Namespace) -> int:
    stats = read_trace(options.file)["stats"]
    if stats is None:
        print(f"fastnvmetrics: {options.file} holds no statistics: record with stats=True", file=sys.stderr)
        return 1
    if options.json:
        print(json.dumps(stats, indent=1))
    else:
        for line in _summary.lines(stats):
            print(line)
    return 0


def _recover(options: argparse.Namespace) -> int:
    failed = 0
    for file in options.files:
        try:
            done = recover(file)
        except (OSError, ValueError, RuntimeError) as error:
            print(f"fastnvmetrics: {error}", file=sys.stderr)
            failed = 1
        else:
            print(f"{file}: {'recovered' if done else 'complete already'}")
    return failed
