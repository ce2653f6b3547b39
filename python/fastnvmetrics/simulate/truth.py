"""What a simulated board said, and when: the reading end of truth.json and truth.log."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from typing import Any, Union, overload

import numpy as np
import numpy.typing as npt

__all__ = ["MARGIN_NS", "TRUTH_JSON", "TRUTH_LOG", "Truth", "load_truth"]

TRUTH_JSON = "truth.json"
TRUTH_LOG = "truth.log"

#: By default, how far a reader's timestamp may be from the instant of its read, either way.
MARGIN_NS = 1_000_000

# Nanoseconds, one for all instants or one for each.
Margin = Union[int, "npt.NDArray[np.int64]"]

_FOR_EVER = np.iinfo(np.int64).max


class Truth:
    """What a simulated board said, and when.

    Attributes
    ----------
    facts : dict
        truth.json: `board`, `l4t`, `cores`, `offline_cores`, `duty_percent` (by core, None where
        offline), `power_rails` and `thermal_zones` (names in the order of a trace), `total_rails`,
        `shunt_micro_ohm`, `emc_rate_hz`, `mem_total_kb`, `epoch_monotonic_ns`, `waves`.
    until_ns : int
        CLOCK_MONOTONIC up to which everything is known; the end of time once the simulation ended.
    """

    def __init__(
        self,
        facts: dict[str, Any],
        changes: Mapping[str, npt.NDArray[np.int64]],
        until_ns: int,
    ) -> None:
        self.facts = facts
        self.until_ns = until_ns
        self._changes = dict(changes)

    @property
    def epoch_ns(self) -> int:
        """CLOCK_MONOTONIC at which the waves begin."""
        return int(self.facts["epoch_monotonic_ns"])

    @property
    def signals(self) -> list[str]:
        """The names of the signals, such as ``gpu_load`` and ``voltage_mv/VDD_IN``."""
        return list(self._changes)

    @property
    def duty_percent(self) -> npt.NDArray[np.float64]:
        """Each core's share of busy time in %; NaN where it is offline. Shape (cores,)."""
        return np.array(self.facts["duty_percent"], dtype=np.float64)

    def changes(self, signal: str) -> npt.NDArray[np.int64]:
        """Return (value, ns before the store, ns after it) of each change; shape (changes, 3).

        The first row is the value that the simulation began with.

        Raises
        ------
        KeyError
            There is no such signal.
        """
        return self._changes[signal]

    @overload
    def value_at(
        self, signal: str, monotonic_ns: float, before_ns: Margin = ..., after_ns: Margin = ...
    ) -> set[int]: ...

    @overload
    def value_at(
        self,
        signal: str,
        monotonic_ns: npt.NDArray[Any],
        before_ns: Margin = ...,
        after_ns: Margin = ...,
    ) -> npt.NDArray[np.int64]: ...

    def value_at(
        self,
        signal: str,
        monotonic_ns: float | npt.NDArray[Any],
        before_ns: Margin = MARGIN_NS,
        after_ns: Margin = MARGIN_NS,
    ) -> set[int] | npt.NDArray[np.int64]:
        """Return what a reader may have seen.

        Parameters
        ----------
        signal
            One of `signals`.
        monotonic_ns
            The instant of the read on CLOCK_MONOTONIC, in nanoseconds; or an array of instants.
        before_ns, after_ns
            How far the read may have been before and after that instant. A reader that keeps values
            for a while, as the engine does with the GPU's, needs a larger `before_ns`. May
            be arrays like `monotonic_ns`.

        Returns
        -------
        set of int, or int64 array of shape (instants, k)
            Every value that the file held at some time from `before_ns` before to `after_ns` after
            the instant: mostly one, two around a change. In an array the last is repeated to fill a
            row.

        Raises
        ------
        ValueError
            Part of that time lies before the start, or is not known yet.
        """
        given = np.asarray(monotonic_ns)
        instants = np.atleast_1d(given)
        if instants.dtype.kind == "f":
            instants = np.rint(instants)
        instants = instants.astype(np.int64)
        begin, end = instants - before_ns, instants + after_ns
        if instants.size:
            self._check_known(int(np.min(instants)), int(np.max(end)))
        values, store_begun, store_done = self._changes[signal].T
        # The oldest value is that of the last store done before the stretch, the newest that of the
        # last store begun within it.
        oldest = np.searchsorted(store_done, begin, side="left") - 1
        oldest = np.maximum(oldest, 0)
        newest = np.searchsorted(store_begun, end, side="right") - 1
        width = int(np.max(newest - oldest, initial=0)) + 1
        rows = np.minimum(oldest[:, None] + np.arange(width), newest[:, None])
        seen: npt.NDArray[np.int64] = values[rows]
        return seen if given.ndim else {int(value) for value in seen[0]}

    def admits(
        self,
        signal: str,
        monotonic_ns: npt.NDArray[Any],
        observed: npt.NDArray[Any],
        before_ns: Margin = MARGIN_NS,
        after_ns: Margin = MARGIN_NS,
    ) -> npt.NDArray[np.bool_]:
        """Return for each instant whether `observed` is among the values of `value_at`."""
        seen = self.value_at(signal, np.atleast_1d(monotonic_ns), before_ns, after_ns)
        admitted: npt.NDArray[np.bool_] = (seen == np.atleast_1d(observed)[:, None]).any(axis=1)
        return admitted

    def _check_known(self, first_ns: int, last_ns: int) -> None:
        if first_ns < self.epoch_ns:
            raise ValueError(f"{first_ns} ns is before the simulation began, {self.epoch_ns} ns")
        if last_ns > self.until_ns:
            raise ValueError(f"{last_ns} ns is past what the log holds, {self.until_ns} ns")


def load_truth(directory: str | os.PathLike[str]) -> Truth:
    """Read what is known of a simulation so far, running or ended.

    Raises
    ------
    OSError
        There is none in that directory.
    """
    with open(os.path.join(directory, TRUTH_JSON), encoding="utf-8") as file:
        facts = json.load(file)
    changes: dict[str, list[tuple[int, int, int]]] = {}
    until = int(facts["epoch_monotonic_ns"])
    with open(os.path.join(directory, TRUTH_LOG), encoding="utf-8") as file:
        for line in file:
            if not line.endswith("\n"):
                break  # it is being written at this moment
            kind, *numbers = line.split()
            if kind == "until":
                until = int(numbers[0])
            elif kind == "end":
                until = _FOR_EVER
            else:
                value, before, after = map(int, numbers)
                changes.setdefault(kind, []).append((value, before, after))
    arrays = {signal: np.array(rows, dtype=np.int64) for signal, rows in changes.items()}
    return Truth(facts, arrays, until)
