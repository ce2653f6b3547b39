"""What a simulated board drew, by what the simulation wrote down of itself."""

from __future__ import annotations

import numpy as np

from fastnvmetrics.simulate import Truth


def drawn(truth: Truth, label: str, start_ns: int, begin_s: float, end_s: float) -> float:
    """Return the joules of a rail between two times of a trace that began at `start_ns`, CLOCK_MONOTONIC."""
    changes = {kind: truth.changes(f"{kind}/{label}") for kind in ("voltage_mv", "current_ma")}
    instants = start_ns + np.round(np.array((begin_s, end_s)) * 1e9).astype(np.int64)
    edges = np.unique(np.concatenate([*(rows[:, 2] for rows in changes.values()), instants]))
    edges = edges[(edges >= instants[0]) & (edges <= instants[1])]
    product = np.ones(len(edges) - 1)
    for rows in changes.values():
        row = np.searchsorted(rows[:, 2], edges[:-1], side="right") - 1
        product *= rows[row, 0]
    return float((product * np.diff(edges)).sum()) * 1e-6 * 1e-9
