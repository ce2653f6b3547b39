"""Colours that those who see few of them can tell apart: Okabe and Ito's for lines, Tol's muted
ones for phases.
"""

from __future__ import annotations

from .bands import MIXED

__all__ = ["AXIS", "GRID", "INK", "LINES", "MARK", "PHASES", "SHADES", "of_line", "of_phase"]

INK, AXIS, GRID, MARK = "#1b1f24", "#57606a", "#e3e6ea", "#8c3b12"

_BLUE, _ORANGE, _GREEN, _PINK, _SKY, _RED, _OLIVE = LINES = (
    "#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00", "#A89A00",
)  # fmt: skip
PHASES = ("#88CCEE", "#DDCC77", "#44AA99", "#CC6677", "#AA4499", "#999933", "#6699CC", "#EE8866")
#: How much of a phase's colour is behind the lines, by lane: further down it would add up to grey.
SHADES = (0.1, 0.17, 0.05)
_OTHER = "#9aa0a6"
_NAMED = {"GPU": _GREEN, "CPU": _BLUE, "EMC": _ORANGE, "RAM": _PINK}
_DASHES = ("solid", "dashed", "dotted", "dashdot")


def of_line(panel: str, label: str, number: int) -> tuple[str, str]:
    """Return the colour of a line and its dashes: dashes change where colours repeat."""
    if panel in ("utilisation", "RAM used") and label in _NAMED:
        return _NAMED[label], "solid"
    return LINES[number % len(LINES)], _DASHES[number // len(LINES) % len(_DASHES)]


def of_phase(name: int) -> str:
    """Return the colour of the phases of a name, by its number."""
    return _OTHER if name == MIXED else PHASES[name % len(PHASES)]
