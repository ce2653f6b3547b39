"""A reading as lines of text with styles, for a terminal of a given size."""

from __future__ import annotations

import functools
from collections.abc import Iterable
from dataclasses import dataclass

from .._table import known, printable
from .meter import HISTORY_S, Reading

__all__ = ["HELP", "Row", "View"]

#: Pieces of a line, each with the name of a style.
Row = tuple[tuple[str, str], ...]

#: From here on, in % and °C, a value is drawn as high, and as very high.
_HIGH_PERCENT, _FULL_PERCENT = 80.0, 95.0
_WARM_C, _HOT_C = 75.0, 90.0
_NAME = 6
_GIB = float(1 << 20)

HELP = (
    "q          quit",
    "r          count joules from now on",
    "space      freeze what is shown; joules are counted on",
    "?          this, and back",
    "",
    "CPU is of 100 ms before: how long a core slept is known when it wakes.",
    "Power is what the sensors say, module the sum of the rails that feed it.",
    "The last minute has a column for each second.",
)


@dataclass(frozen=True)
class View:
    """What does not change from reading to reading.

    Attributes
    ----------
    board_name
        Of the board.
    rate_hz
        How often it is read.
    is_unicode
        Whether the terminal has more than ASCII.
    """

    board_name: str
    rate_hz: float
    is_unicode: bool = True

    def rows(self, reading: Reading, width: int, height: int, is_frozen: bool = False) -> list[Row]:
        """Return at most `height` lines, none wider than `width`.

        Where not all of it has room, the zones go first, then the history, the cores, the rails.
        """
        parts = [
            (0, [self._head(reading, is_frozen)]),
            (0, self._main(reading, width)),
            (3, self._cores(reading, width)),
            (2, self._rails(reading, width)),
            (1, self._module(reading)),
            (4, self._history(reading, width)),
            (5, self._zones(reading, width)),
        ]
        parts = [(order, rows) for order, rows in parts if rows]
        spaced = sum(len(rows) + 1 for _, rows in parts) - 1 <= height
        while parts and sum(len(rows) for _, rows in parts) > height and max(parts)[0] > 0:
            parts.remove(max(parts, key=lambda part: part[0]))
        found: list[Row] = []
        for order, rows in parts:
            if found and spaced and order != 1:
                found.append(())
            found += rows
        return [_cut(row, width) for row in found[:height]]

    def help_rows(self, width: int, height: int) -> list[Row]:
        """Return the help in their place."""
        rows: list[Row] = [(("fastnvmetrics top", "bold"),), ()]
        rows += [((line, "plain"),) for line in HELP]
        return [_cut(row, width) for row in rows[:height]]

    def _head(self, reading: Reading, is_frozen: bool) -> Row:
        seconds = int(reading.elapsed_s)
        clock = f"{seconds // 3600}:{seconds // 60 % 60:02}:{seconds % 60:02}"
        state = ("frozen", "high") if is_frozen else (f"{self.rate_hz:g} Hz", "dim")
        return (
            ("fastnvmetrics top", "bold"),
            (f"  {printable(self.board_name)}  {clock}  ", "plain"),
            state,
            ("   q quit  r reset  space freeze  ? help", "dim"),
        )

    def _main(self, reading: Reading, width: int) -> list[Row]:
        now = reading.snapshot
        gpu = None if now["gpu_load"] is None else now["gpu_load"] / 10
        room = max(width - _NAME - 26, 4)
        rows = [
            self._bar("GPU", gpu, room, _megahertz(reading.gpu_mhz)),
            self._bar("CPU", now["cpu_aggregate"], room, _megahertz(reading.cpu_mhz)),
            self._bar("EMC", now["emc_util"], room),
        ]
        used, free = now["ram_used_kb"], now["ram_available_kb"]
        if used is not None and free is not None and used + free > 0:
            total = used + free
            told = f"{used / _GIB:.1f} of {total / _GIB:.1f} GiB"
            rows.append(self._bar("RAM", 100 * used / total, room, told))
        return rows

    def _cores(self, reading: Reading, width: int) -> list[Row]:
        cores = reading.snapshot["cpu_util"]
        columns = max(1, min(width // 36, 4))
        lines = -(-len(cores) // columns)
        each = width // columns
        rows: list[Row] = []
        for line in range(lines):
            row: list[tuple[str, str]] = []
            for core in range(line, len(cores), lines):
                row += self._bar(f"{core:>4}", cores[core], max(each - _NAME - 11, 3))
                row.append(("   ", "plain"))
            rows.append(tuple(row[:-1]))
        return rows

    def _rails(self, reading: Reading, width: int) -> list[Row]:
        rails = reading.snapshot["power"]
        if not rails:
            return []
        name = max(len(label) for label in rails)
        rows: list[Row] = [((f"{'rail':<{name}} {'V':>8} {'A':>8} {'W':>8}", "dim"),)]
        for label, rail in rails.items():
            volts, amperes, watts = rail["voltage_mv"], rail["current_ma"], rail["power_mw"]
            is_known = watts is not None
            rows.append(
                (
                    (f"{printable(label):<{name}} ", "plain"),
                    (f"{_thousandth(volts if is_known else None):>8} ", "plain"),
                    (f"{_thousandth(amperes if is_known else None):>8} ", "plain"),
                    (f"{_thousandth(watts):>8}", "bold"),
                )
            )
        return rows

    def _module(self, reading: Reading) -> list[Row]:
        power, joules = reading.snapshot["total_power_mw"], reading.energy_j
        if not reading.snapshot["power"]:
            return []
        watts = None if power is None else power / 1000
        row: Row = (
            ("module ", "plain"),
            (known(watts, ".2f", " W"), "bold"),
            ("   ", "plain"),
            (known(joules, ".1f", " J"), "bold"),
            (f" in {reading.elapsed_s:.0f} s", "dim"),
        )
        return [row]

    def _history(self, reading: Reading, width: int) -> list[Row]:
        room = min(width - _NAME - 14, HISTORY_S)
        if room < 10:
            return []
        history = reading.history
        rows: list[Row] = []
        for name, values, unit, top in (
            ("GPU", history.gpu_percent, "%", 100.0),
            ("CPU", history.cpu_percent, "%", 100.0),
            ("power", history.power_w, "W", None),
        ):
            shown = tuple(values)[-room:]
            highest = max((value for value in shown if value is not None), default=None)
            if highest is None:
                continue
            line = self._sparkline(shown, top or max(highest, 1e-9))
            rows.append(
                (
                    (f"{name:<{_NAME}}", "dim"),
                    (line.rjust(room), "bar"),
                    (
                        f"  max {highest:.0f} {unit}"
                        if unit == "%"
                        else f"  max {highest:.1f} {unit}",
                        "dim",
                    ),
                )
            )
        return rows

    def _zones(self, reading: Reading, width: int) -> list[Row]:
        zones = reading.snapshot["temp_c"]
        if not zones:
            return []
        name = max(len(zone) for zone in zones)
        columns = max(1, (width + 3) // (name + 12))
        lines = -(-len(zones) // columns)
        every = list(zones.items())
        unit = " °C" if self.is_unicode else " C"
        rows: list[Row] = []
        for line in range(lines):
            row: list[tuple[str, str]] = []
            for zone, degrees in every[line::lines]:
                row.append((f"{printable(zone):<{name}} ", "plain"))
                row.append((f"{known(degrees, '.1f', unit):>8}", _warmth(degrees)))
                row.append(("   ", "plain"))
            rows.append(tuple(row[:-1]))
        return rows

    def _bar(self, name: str, percent: float | None, room: int, told: str = "") -> Row:
        value = "" if percent is None else f"{percent:.1f} %"
        return (
            (f"{name:<{_NAME}}", "plain"),
            *_bar(percent, room, self.is_unicode),
            (f" {value or '?':>7}", "plain" if percent is not None else "dim"),
            (f"  {told}" if told else "", "dim"),
        )

    def _sparkline(self, values: Iterable[float | None], top: float) -> str:
        levels = "▁▂▃▄▅▆▇█" if self.is_unicode else "_.:-=+*#"
        return "".join(
            " " if value is None else levels[max(0, min(int(8 * value / top), 7))]
            for value in values
        )


def _bar(percent: float | None, room: int, is_unicode: bool) -> Row:
    share = 0.0 if percent is None else max(0.0, min(percent / 100, 1.0))
    style = "bar"
    if percent is not None and percent >= _HIGH_PERCENT:
        style = "full" if percent >= _FULL_PERCENT else "high"
    return _drawn(round(2 * room * share), room, is_unicode, style)


@functools.lru_cache(maxsize=2048)
def _drawn(halves: int, room: int, is_unicode: bool, style: str) -> Row:
    full, half = divmod(halves, 2)
    done, part, rest = ("━", "╸", "─") if is_unicode else ("#", "-", ".")
    return ((done * full + part * half, style), (rest * (room - full - half), "dim"))


def _warmth(degrees: float | None) -> str:
    if degrees is None:
        return "dim"
    return "full" if degrees >= _HOT_C else "high" if degrees >= _WARM_C else "plain"


def _megahertz(clock: float | None) -> str:
    return "" if clock is None else f"{clock:.0f} MHz"


def _thousandth(value: float | None) -> str:
    return "?" if value is None else f"{value / 1000:.3f}"


def _cut(row: Row, width: int) -> Row:
    """Return a line cut to a width, without empty pieces."""
    found = []
    left = width
    for text, style in row:
        if text and left > 0:
            found.append((text[:left], style))
            left -= len(text)
    return tuple(found)
