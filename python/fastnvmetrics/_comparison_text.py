"""Comparisons as tables for people."""

from __future__ import annotations

from ._table import printable, table
from .comparison import Comparison, Difference, PhaseComparison

__all__ = ["comparison_text"]

_VERDICTS = {True: "yes", False: "no", None: "?"}


def comparison_text(comparison: Comparison) -> str:
    """Return a table with a block for each phase, the whole last."""
    lines = [f"warning: {warning}" for warning in comparison.warnings]
    for phase in (*comparison.phases, comparison.whole):
        lines += ["", *_block(phase)]
    for side, names in (("a", comparison.only_in_a), ("b", comparison.only_in_b)):
        if names:
            lines += ["", f"only in {side}: {', '.join(names)}"]
    lines += ["", "± is half a 95 % interval; differs: whether the difference is beyond it."]
    return "\n".join(map(printable, lines)).lstrip("\n")


def _block(phase: PhaseComparison) -> list[str]:
    rows = [(phase.name, "a", "n", "b", "n", "b - a", "±", "relative", "differs")]
    rows += [_row(difference) for difference in phase.differences]
    return table(rows)


def _row(found: Difference) -> tuple[str, str, str, str, str, str, str, str, str]:
    return (
        f"  {found.quantity}",
        f"{found.a.mean:.4g}" if found.a.mean < 1e4 else f"{found.a.mean:.0f}",
        str(found.a.count),
        f"{found.b.mean:.4g}" if found.b.mean < 1e4 else f"{found.b.mean:.0f}",
        str(found.b.count),
        f"{found.difference:+.3g}",
        "?" if found.uncertainty is None else f"{found.uncertainty:.2g}",
        "?" if found.relative is None else f"{100 * found.relative:+.1f} %",
        _VERDICTS[found.exceeds],
    )
