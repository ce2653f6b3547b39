"""Pairs, their spread, the conditions, and the tables of docs/performance.md.

A figure is never shown alone: it is measured in turns with its floor in the same run, and the ratio is the
median over the pairs, so that whatever else the machine does meanwhile meets both.
"""

from __future__ import annotations

import argparse
import datetime
import os
import platform
import re
import statistics
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeVar

REPOSITORY = Path(__file__).resolve().parents[2]
DOCUMENT = REPOSITORY / "docs/performance.md"

Result = TypeVar("Result")


def parser(
    description: str | None, *, pairs: int, seconds: float | None = None
) -> argparse.ArgumentParser:
    """The options that every part has."""
    made = argparse.ArgumentParser(
        description=description, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    made.add_argument(
        "--pairs", type=int, default=pairs, help="measurements in turns (%(default)s)"
    )
    if seconds is not None:
        made.add_argument(
            "--seconds", type=float, default=seconds, help="length of one of them (%(default)s)"
        )
    made.add_argument(
        "--print-only", action="store_true", help="leave docs/performance.md as it is"
    )
    return made


def in_turns(
    pairs: int, ours: Callable[[], Result], floor: Callable[[], Result], what: str
) -> list[tuple[Result, Result]]:
    """Measure both `pairs` times; which of them goes first alternates."""
    results = []
    for number in range(pairs):
        _progress(f"{what}: pair {number + 1} of {pairs}")
        if number % 2:
            first = ours()
            results.append((first, floor()))
        else:
            second = floor()
            results.append((ours(), second))
    _progress("")
    return results


def _progress(what: str) -> None:
    """Say what goes on, to a person who waits."""
    if sys.stderr.isatty():
        print(f"{what:<79}", end="\r", file=sys.stderr, flush=True)


def spread(values: Sequence[float], digits: int = 2, unit: str = "") -> str:
    """The median, and in brackets the least and the most."""
    middle = f"{statistics.median(values):.{digits}f}{unit}"
    if len(values) == 1:
        return middle
    return f"{middle} ({min(values):.{digits}f} to {max(values):.{digits}f})"


class Report:
    """The table of one part."""

    def __init__(
        self,
        part: str,
        options: argparse.Namespace,
        with_what: Sequence[str] = (),
        sides: tuple[str, str] = ("fastnvmetrics", "floor"),
    ) -> None:
        self._sides = sides
        self._part = part
        self._writes = not options.print_only
        self._with_what = list(with_what)
        self._rows: list[tuple[str, ...]] = []
        self._notes: list[str] = []
        self._load = os.getloadavg()[0]
        self._begin = _cpu_times()

    def row(
        self,
        figure: str,
        ours: str,
        floor: str,
        compared: str,
        bound: str = "",
        met: bool | None = None,
    ) -> None:
        """Add a figure. `compared` is what the bound is held against; `met` whether it holds."""
        verdict = {None: "", True: ", met", False: ", **not met**"}[met]
        self._rows.append((figure, ours, floor, compared, bound + verdict))

    def note(self, text: str) -> None:
        """Add a line below the table."""
        self._notes.append(text)

    def close(self) -> None:
        """Print the table and put it into docs/performance.md."""
        header = ("figure", *self._sides, "compared", "bound")
        text = _table([header, *self._rows])
        if self._notes:
            text += "\n" + "\n".join(f"- {note}" for note in self._notes) + "\n"
        text += f"\n{self._conditions()}\n"
        print(f"{self._part}\n\n{text}")
        if self._writes:
            _put_into_document(self._part, text)

    def _conditions(self) -> str:
        total, idle, stolen, own = (
            after - before for after, before in zip(_cpu_times(), self._begin)
        )
        others = max(0.0, total - idle - stolen - own)
        facts = [
            datetime.date.today().isoformat(),
            f"commit {_commit()}",
            f"{_cpu_model()}, {os.cpu_count()} cores",
            f"Linux {platform.release()} {platform.machine()}",
            f"cpuidle {_first_line('/sys/devices/system/cpu/cpuidle/current_driver')}",
            f"cpufreq {_first_line('/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor')}",
            *self._with_what,
            f"load average {self._load:.2f} at the start and {os.getloadavg()[0]:.2f} at the end",
            f"other processes took {100 * others / max(total, 1e-9):.1f} % of the CPU time, "
            f"and a hypervisor {100 * stolen / max(total, 1e-9):.1f} %",
        ]
        return "Conditions: " + "; ".join(facts) + "."


def _cpu_times() -> tuple[float, float, float, float]:
    """Seconds of all cores: in total, idle, stolen, and spent by this program and those it ran."""
    with open("/proc/stat") as file:
        ticks = [int(field) for field in file.readline().split()[1:9]]
    unit = os.sysconf("SC_CLK_TCK")
    times = os.times()
    own = times.user + times.system + times.children_user + times.children_system
    return sum(ticks) / unit, (ticks[3] + ticks[4]) / unit, ticks[7] / unit, own


def _table(rows: Sequence[tuple[str, ...]]) -> str:
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]

    def line(cells: Sequence[str]) -> str:
        padded = (cell.ljust(width) for cell, width in zip(cells, widths))
        return "| " + " | ".join(padded) + " |\n"

    return line(rows[0]) + line(["-" * width for width in widths]) + "".join(map(line, rows[1:]))


def _put_into_document(part: str, text: str) -> None:
    """Replace what stands between the part's markers; a part without markers is added at the end."""
    document = DOCUMENT.read_text(encoding="utf-8")
    begin, end = f"<!-- {part}: begin -->", f"<!-- {part}: end -->"
    if begin not in document:
        document += f"\n## {part}\n\n{begin}\n{end}\n"
    pattern = re.compile(re.escape(begin) + ".*?" + re.escape(end), re.DOTALL)
    DOCUMENT.write_text(
        pattern.sub(lambda _: f"{begin}\n{text}{end}", document, count=1), encoding="utf-8"
    )
    print(f"written to {DOCUMENT.relative_to(REPOSITORY)}")


def _commit() -> str:
    git = ["git", "-C", str(REPOSITORY)]
    try:
        name = subprocess.run(
            [*git, "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=True
        ).stdout.strip()
        changed = subprocess.run(
            [
                *git,
                "status",
                "--porcelain",
                "--untracked-files=no",
                "--",
                "Sources",
                "python",
                "include",
            ],
            capture_output=True,
            text=True,
            check=True,
        ).stdout
    except (OSError, subprocess.CalledProcessError):
        return "not known"
    return f"{name} with changes" if changed else name


def _cpu_model() -> str:
    model = _first_line("/proc/device-tree/model").strip("\0")
    if model != "none":
        return model
    with open("/proc/cpuinfo") as file:
        for line in file:
            if line.startswith(("model name", "Model", "Hardware")):
                return line.split(":", 1)[1].strip()
    return platform.machine()


def _first_line(path: str) -> str:
    try:
        with open(path) as file:
            return file.readline().strip() or "none"
    except OSError:
        return "none"
