"""Numbers as text, as short as they can be and still the same numbers."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from ._wide import Column, Values

__all__ = ["iso_times", "numbers", "objects"]


def iso_times(nanoseconds: npt.NDArray[np.int64]) -> list[str]:
    """Return times as ISO 8601 in UTC, to the nanosecond."""
    texts: list[str] = np.datetime_as_string(nanoseconds.view("M8[ns]")).tolist()
    return [text + "Z" for text in texts]


def numbers(values: npt.NDArray[Any]) -> list[Any]:
    """Return Python's numbers, whose text is the shortest that reads back as the same."""
    if values.dtype != np.float32:
        return list(values.tolist())
    short = values.astype(np.float64)
    left = np.flatnonzero(np.isfinite(short))
    for digits in range(1, 8):
        rounded = np.round(short[left], digits)
        fits = rounded.astype(np.float32) == values[left]
        short[left[fits]] = rounded[fits]
        left = left[~fits]
        if not len(left):
            break
    return list(short.tolist())


def objects(column: Column, values: Values) -> list[Any]:
    """Return a column as Python's objects, None for what is not known or no number."""
    if values.texts is not None:
        texts = np.array([*values.texts, None], object)
        codes = (
            values.values if values.missing is None else np.where(values.missing, -1, values.values)
        )
        return list(texts[codes].tolist())
    if column.kind == "time":
        return list(iso_times(values.values))
    missing = values.missing
    if values.values.dtype.kind == "f":
        finite = np.isfinite(values.values)
        if not finite.all():
            missing = ~finite if missing is None else missing | ~finite
    found = numbers(values.values)
    if missing is not None:
        for row in np.flatnonzero(missing).tolist():
            found[row] = None
    return found
