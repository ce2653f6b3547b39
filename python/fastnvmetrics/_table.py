"""Aligned columns, and numbers with their uncertainty."""

from __future__ import annotations

import math
from collections.abc import Sequence

__all__ = ["known", "plus_minus", "printable", "table"]


def table(rows: Sequence[Sequence[str]], columns: str = "lr") -> list[str]:
    """Return rows as lines: a letter for each column, left or right; the last one is for the others too."""
    rows = [[printable(cell) for cell in row] for row in rows]
    widths = [max(len(cell) for cell in column) for column in zip(*rows)]
    sides = columns.ljust(len(widths), columns[-1])
    return [
        "  ".join(
            cell.ljust(width) if side == "l" else cell.rjust(width)
            for side, cell, width in zip(sides, row, widths)
        ).rstrip()
        for row in rows
    ]


def printable(text: str) -> str:
    """Return a text that is one line and sends a terminal no commands: names are anybody's."""
    return "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in text)


def known(value: float | None, spec: str, unit: str) -> str:
    """Return a number with its unit, ``?`` where it is not known."""
    return "?" if value is None else f"{value:{spec}}{unit}"


def plus_minus(value: float | None, uncertainty: float | None, unit: str) -> str:
    """Return ``12.31 ± 0.22 J``: two figures of the uncertainty, and the value to match."""
    if value is None:
        return "?"
    if uncertainty is None:
        return f"{value:.4g} ± ? {unit}"
    if uncertainty <= 0 or not math.isfinite(uncertainty):
        return f"{value:.4g} ± {uncertainty:.2g} {unit}"
    decimals = max(1 - math.floor(math.log10(uncertainty)), 0)
    return f"{value:.{decimals}f} ± {uncertainty:.{decimals}f} {unit}"
