"""Signals as pure functions of time.

All are integers of integers: time is nanoseconds since the start of the simulation, values are what
the kernel would write. Edges fall on multiples of the update period, so that the simulator can keep
them.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Protocol

__all__ = ["Constant", "Scaled", "Square", "Staircase", "Total", "Wave", "description"]

_MILLISECOND = 1_000_000


class Wave(Protocol):
    """A value at every time."""

    def at(self, elapsed_ns: int) -> int:
        """Return the value `elapsed_ns` nanoseconds after the start."""
        ...


@dataclass(frozen=True)
class Constant:
    """One value for ever."""

    value: int

    def at(self, elapsed_ns: int) -> int:
        return self.value


@dataclass(frozen=True)
class Square:
    """`high` for the first half of each period, `low` for the second: the mean is halfway."""

    low: int
    high: int
    period_ms: int
    offset_ms: int = 0

    def at(self, elapsed_ns: int) -> int:
        period = self.period_ms * _MILLISECOND
        position = (elapsed_ns + self.offset_ms * _MILLISECOND) % period
        return self.high if 2 * position < period else self.low


@dataclass(frozen=True)
class Staircase:
    """From `first` by `step`, up or down, `steps` times, then back the same way."""

    first: int
    step: int
    steps: int
    hold_ms: int

    def at(self, elapsed_ns: int) -> int:
        position = elapsed_ns // (self.hold_ms * _MILLISECOND) % (2 * self.steps)
        return self.first + self.step * min(position, 2 * self.steps - position)


@dataclass(frozen=True)
class Scaled:
    """Another wave times `numerator` / `denominator`, rounded down."""

    wave: Wave
    numerator: int
    denominator: int

    def at(self, elapsed_ns: int) -> int:
        return self.wave.at(elapsed_ns) * self.numerator // self.denominator


@dataclass(frozen=True)
class Total:
    """The sum of other waves."""

    waves: tuple[Wave, ...]

    def at(self, elapsed_ns: int) -> int:
        return sum(wave.at(elapsed_ns) for wave in self.waves)


def description(wave: Wave) -> dict[str, Any]:
    """Return the wave as JSON can hold it: its kind and its parameters."""
    kind = {"kind": type(wave).__name__.lower()}
    if isinstance(wave, Scaled):
        return {**kind, **vars(wave), "wave": description(wave.wave)}
    if isinstance(wave, Total):
        return {**kind, "waves": [description(part) for part in wave.waves]}
    return {**kind, **asdict(wave)}  # type: ignore[call-overload]
