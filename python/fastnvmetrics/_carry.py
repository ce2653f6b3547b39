"""Slower tiers on the times of a faster one: each row has the last value taken at or before it."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

__all__ = ["carried", "rows_at"]


def rows_at(times: npt.NDArray[np.float64], at: npt.NDArray[np.float64]) -> npt.NDArray[np.int64]:
    """Return the last row at or before each time, -1 where there is none."""
    return (np.searchsorted(times, at, side="right") - 1).astype(np.int64, copy=False)


def carried(values: npt.NDArray[Any], rows: npt.NDArray[np.int64], missing: float) -> Any:
    """Return (rows, …) values of these rows of a table of values; `missing` where a row is -1."""
    result = np.full((len(rows), values.shape[1]), missing, values.dtype)
    known = rows >= 0
    result[known] = values[rows[known]]
    return result
