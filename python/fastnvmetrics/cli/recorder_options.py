"""The options of everything that records."""

from __future__ import annotations

import functools
import os
import shlex
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from typing import Any

import click

from ..board import BoardConfig, detect_board, get_board_config
from ..recorder import NVMetrics
from .options import Duration, ParamType, board_options

__all__ = ["RecorderOptions", "recorder_options"]

_RATE = click.IntRange(1, 20000)
_LONGEST_KEY, _LONGEST_VALUE = 64, 4096  # bytes, of an annotation
_SOURCES = {
    "gpu": "GPU load is",
    "ram": "RAM is",
    "emc": "the memory controller is",
    "voltage": "rail voltages are",
    "current": "rail currents are",
    "thermal": "thermal zones are",
}


@dataclass(frozen=True)
class RecorderOptions:
    """What was asked for, by the names of `NVMetrics`."""

    board: str | None
    root: str | None
    fast_hz: int
    medium_hz: int
    slow_hz: int
    gpu_hz: int
    ram_hz: int
    emc_hz: int
    voltage_hz: int
    current_hz: int
    thermal_hz: int
    native_rates: bool | None
    realtime: int
    cpu: int | None
    flush_interval: float
    rail_update_interval_ms: int
    rail_samples: int
    notes: tuple[tuple[str, str], ...]

    def recorder(self, path: str, command_line: Sequence[str] = ()) -> NVMetrics:
        """Return a recorder to that path, which has not begun; its traces will say what was run and noted."""
        chosen = {field.name: getattr(self, field.name) for field in fields(self)}
        for name in ("board", "root", "notes"):
            del chosen[name]
        recorder = NVMetrics(path, board=self.found_board(), stats=True, **chosen)
        if command_line:
            recorder.annotate("command", _fitting(shlex.join(command_line)))
        for key, value in self.notes:
            recorder.annotate(key, value)
        return recorder

    def found_board(self) -> BoardConfig:
        """Return the board that was named or is detected."""
        if self.board is not None:
            return get_board_config(self.board, root=self.root)
        return detect_board(root=self.root)


def _fitting(text: str) -> str:
    """Return as much of a text as an annotation has room for; what is no text of Unicode is replaced."""
    known = text.encode("utf-8", "replace").replace(b"\0", b"")
    return known[:_LONGEST_VALUE].decode("utf-8", "ignore")


class Note(ParamType):
    """``KEY=VALUE``."""

    name = "note"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[str, str]:
        """Return the two."""
        key, found, text = str(value).partition("=")
        if not found or not key:
            self.fail(f"{value!r} is not KEY=VALUE", param, ctx)
        for part, limit in ((key, _LONGEST_KEY), (text, _LONGEST_VALUE)):
            if len(os.fsencode(part)) > limit:
                self.fail(f"{part[:20]!r}… is longer than {limit} bytes", param, ctx)
        return key, text


def recorder_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options; the function gets them as `options`, a `RecorderOptions`."""
    names = [field.name for field in fields(RecorderOptions)]

    @functools.wraps(command)
    def collected(*args: Any, **given: Any) -> Any:
        options = RecorderOptions(**{name: given.pop(name) for name in names})
        return command(*args, options=options, **given)

    found: Callable[..., Any] = collected
    for add in reversed(_options()):
        found = add(found)
    return found


def _options() -> list[Callable[[Any], Any]]:
    option = click.option
    tiers = [
        option(
            f"--{tier}-hz", type=_RATE, default=usual, show_default=True, metavar="HZ", help=what
        )
        for tier, usual, what in (
            ("fast", 1000, "GPU, CPU, RAM and memory controller."),
            ("medium", 100, "Power rails."),
            ("slow", 10, "Thermal zones."),
        )
    ]
    sources = [
        option(
            f"--{name}-hz",
            type=click.IntRange(0, 20000),
            default=0,
            metavar="HZ",
            help=f"How often {what} read inside of its tier; 0: at every tick.",
        )
        for name, what in _SOURCES.items()
    ]
    return [
        board_options,
        *tiers,
        *sources,
        option(
            "--native-rates/--every-tick",
            default=None,
            help="Read no source faster than its value can change. Else so in tiers above 1 kHz.",
        ),
        option(
            "--realtime",
            type=click.IntRange(0, 99),
            default=0,
            metavar="PRIORITY",
            help="SCHED_FIFO for the threads that sample, 1 to 99.",
        ),
        option("--cpu", type=click.IntRange(0), metavar="N", help="The CPU that they run on."),
        option(
            "--flush-interval",
            type=Duration(),
            default=1.0,
            metavar="S",
            help="What a power cut may lose; 1 s unless told otherwise.",
        ),
        option(
            "--rail-update-interval-ms",
            type=click.IntRange(0),
            default=0,
            metavar="MS",
            help="Root alone: how often the power sensors measure while recording.",
        ),
        option(
            "--rail-samples",
            type=click.IntRange(0),
            default=0,
            metavar="N",
            help="Root alone: how many measurements they average.",
        ),
        option(
            "--note",
            "notes",
            type=Note(),
            multiple=True,
            metavar="KEY=VALUE",
            help="Something to keep in the trace; as often as needed.",
        ),
    ]
