"""Names of the columns that a trace has for each rail, zone or core."""

from __future__ import annotations

from collections.abc import Sequence

__all__ = ["column_names"]


def column_names(name: str, labels: Sequence[str]) -> list[str]:
    """Return a name for each label; one that is taken gets the number of its column."""
    found: list[str] = []
    for index, label in enumerate(labels):
        column = f"{name}_{label}"
        while column in found:
            column = f"{column}_{index}"
        found.append(column)
    return found
