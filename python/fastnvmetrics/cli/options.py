"""Options and arguments that several subcommands have."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

import click

__all__ = [
    "Duration",
    "DurationOrSize",
    "Limit",
    "Moment",
    "ParamType",
    "Size",
    "board_options",
    "json_option",
    "trace_argument",
    "traces_argument",
]

if TYPE_CHECKING:
    ParamType = click.ParamType[Any]
else:
    ParamType = click.ParamType  # of click 8.0 it is no generic type

Command = TypeVar("Command", bound=Callable[..., Any])

# Whether the file is there is said by what opens it, with the exit code of that.
_TRACE = click.Path(dir_okay=False)

trace_argument = click.argument("trace", metavar="TRACE", type=_TRACE)
traces_argument = click.argument("traces", metavar="TRACE...", type=_TRACE, nargs=-1, required=True)

json_option = click.option(
    "--json", "as_json", is_flag=True, help="Print JSON on standard output instead of a table."
)


def board_options(command: Command) -> Command:
    """Add ``--board`` and ``--root``."""
    command = click.option(
        "--root",
        metavar="DIR",
        type=click.Path(file_okay=False),
        help="A directory before /proc, /sys and /etc: a simulated board, or the host's tree in a container. "
        "Else FASTNVMETRICS_ROOT.",
    )(command)
    return click.option(
        "--board",
        metavar="NAME",
        help="A board by name, generic_linux for any machine; else the one detected. "
        "fastnvmetrics boards lists them.",
    )(command)


class _Measure(ParamType):
    """A number with a unit behind it."""

    units: dict[str, float] = {}
    what = ""
    least = 0.0
    most = float("inf")

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Return the number in the first of the units."""
        if not isinstance(value, str):
            return value
        found = re.fullmatch(r"\s*(\d+(?:\.\d*)?|\.\d+)\s*([A-Za-z]*)\s*", value)
        unit = self.units.get(found[2]) if found else None
        if found is None or unit is None:
            self.fail(f"{value!r} is no {self.what}", param, ctx)
        number = float(found[1]) * unit
        if not self.least < number <= self.most:
            self.fail(f"{value!r} is out of range", param, ctx)
        return number


class Duration(_Measure):
    """Seconds: ``90``, ``1.5s``, ``10m``, ``1h``, ``2d``, ``500ms``."""

    name = "duration"
    what = "length of time: 90, 500ms, 1.5s, 10m, 1h or 2d"
    units = {"": 1, "ms": 1e-3, "s": 1, "m": 60, "min": 60, "h": 3600, "d": 86400}
    most = 1e9


class Moment(Duration):
    """Seconds since a recording began, 0 among them."""

    name = "moment"
    least = -1.0


class Size(_Measure):
    """Bytes: ``500MB``, ``1GB``, ``1GiB``."""

    name = "size"
    what = "size: 500MB, 1GB or 1GiB"
    units = {
        "B": 1, "kB": 1e3, "KB": 1e3, "MB": 1e6, "GB": 1e9, "TB": 1e12,
        "KiB": 2**10, "MiB": 2**20, "GiB": 2**30, "TiB": 2**40,
    }  # fmt: skip
    most = 2**60


class Limit(NamedTuple):
    """A length of time or a size: one of the two."""

    seconds: float | None
    size: float | None


class DurationOrSize(ParamType):
    """Either: ``1h``, ``500MB``."""

    name = "duration or size"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Return a `Limit`."""
        if not isinstance(value, str):
            return value
        unit = re.sub(r"[^A-Za-z]", "", value)
        if unit in Size.units:
            return Limit(None, Size().convert(value, param, ctx))
        if unit in Duration.units:
            return Limit(Duration().convert(value, param, ctx), None)
        self.fail(f"{value!r} is no length of time and no size: 90, 10m, 1h, 500MB or 1GB", param, ctx)
