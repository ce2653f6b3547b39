"""Readings of a board for a display: the newest values, joules since the start, the last minute."""

from __future__ import annotations

import math
import os
import tempfile
import time
import warnings
from collections import deque
from dataclasses import dataclass, field
from types import TracebackType

from ..board import BoardConfig
from ..recorder import NVMetrics
from ..snapshot import Snapshot
from .clocks import Clocks

__all__ = ["HISTORY_S", "Meter", "Reading", "read_once"]

#: How much history there is: a value a second.
HISTORY_S = 60
#: The trace is removed and begun anew after this: a view that is left open fills no disk.
_TRACE_S = 3600.0
#: Longer without a reading, and nobody knows what was drawn meanwhile: it is not counted.
_LONGEST_GAP_S = 5.0


@dataclass
class History:
    """Means of each second of the last minute; None where nothing was known."""

    gpu_percent: deque[float | None] = field(default_factory=lambda: deque(maxlen=HISTORY_S))
    cpu_percent: deque[float | None] = field(default_factory=lambda: deque(maxlen=HISTORY_S))
    power_w: deque[float | None] = field(default_factory=lambda: deque(maxlen=HISTORY_S))


@dataclass(frozen=True)
class Reading:
    """The board at one moment.

    Attributes
    ----------
    snapshot
        The newest values, as `NVMetrics.snapshot` has them.
    elapsed_s, energy_j
        Seconds since the start or the last reset, and the module's joules since then; None where
        its power is not known.
    gpu_mhz, cpu_mhz
        Clocks, None where not known; of the CPU that of the fastest cores.
    history
        The last minute; it goes on changing.
    """

    snapshot: Snapshot
    elapsed_s: float
    energy_j: float | None
    gpu_mhz: float | None
    cpu_mhz: float | None
    history: History


class Meter:
    """A recorder for a display, whose trace nobody needs: it is written to TMPDIR, and removed.

    Parameters
    ----------
    board
        What is read.
    rate_hz
        How often.

    Raises
    ------
    OSError, FastNVMetricsError
        It cannot be recorded.
    """

    def __init__(self, board: BoardConfig, rate_hz: int) -> None:
        self.board = board
        self.rate_hz = rate_hz
        self.history = History()
        self._clocks = Clocks(board)
        self._gpu_mhz, self._cpu_mhz = self._clocks.gpu_mhz(), self._clocks.cpu_mhz()
        self._directory = tempfile.TemporaryDirectory(prefix="fastnvmetrics-top-")
        self._recorder = self._new_recorder()
        self._began_s = 0.0
        self._second = 0
        self._sums: list[list[float]] = [[], [], []]
        self._energy_j: float | None = None
        self._last: tuple[float, float] | None = None
        self._snapshot: Snapshot | None = None
        self.reset()

    def _new_recorder(self) -> NVMetrics:
        rate = self.rate_hz
        path = os.path.join(self._directory.name, "top.bin")
        return NVMetrics(path, rate, rate, rate, self.board, flush_interval=0)

    def __enter__(self) -> Meter:
        self._start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        try:
            self._stop()
        except OSError:
            pass  # the trace could not be completed: it is removed anyway
        finally:
            self._directory.cleanup()

    @property
    def notices(self) -> list[str]:
        """What the user should know, one sentence each."""
        return self._recorder.notices

    def reset(self) -> None:
        """Count joules from now on."""
        self._began_s = time.monotonic()
        self._energy_j = None
        self._last = None

    def read(self) -> Reading:
        """Return the newest values, and count them in."""
        now = time.monotonic()
        if now - self._recording_s > _TRACE_S:
            self._stop()
            self._start()
        snapshot = self._recorder.snapshot()
        before = self._snapshot
        if before is not None and _known_tiers(snapshot) < _known_tiers(before):
            snapshot = before  # begun anew a moment ago
        self._snapshot = snapshot
        self._count(snapshot)
        self._remember(snapshot, int(now))
        return Reading(
            snapshot=snapshot,
            elapsed_s=now - self._began_s,
            energy_j=self._energy_j,
            gpu_mhz=self._gpu_mhz,
            cpu_mhz=self._cpu_mhz,
            history=self.history,
        )

    def _start(self) -> None:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", RuntimeWarning)  # the notices, which the display says
            self._recorder.start()
        self._recording_s = time.monotonic()

    def _stop(self) -> None:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", RuntimeWarning)
            self._recorder.stop()

    def _count(self, snapshot: Snapshot) -> None:
        """Add the area below the power from the reading before to this one."""
        milliwatts, medium_s = snapshot["total_power_mw"], snapshot["medium_time_s"]
        if milliwatts is None or medium_s is None or not math.isfinite(milliwatts):
            return
        at, watts = snapshot["start_monotonic_ns"] / 1e9 + medium_s, milliwatts / 1000
        if self._last is not None and at - self._last[0] <= _LONGEST_GAP_S:
            gap = at - self._last[0]
            self._energy_j = (self._energy_j or 0.0) + gap * (watts + self._last[1]) / 2
        elif self._energy_j is None:
            self._energy_j = 0.0
        self._last = at, watts

    def _remember(self, snapshot: Snapshot, second: int) -> None:
        if second != self._second:
            history = self.history
            lines = (history.gpu_percent, history.cpu_percent, history.power_w)
            if self._second:
                for line, values in zip(lines, self._sums):
                    line.append(sum(values) / len(values) if values else None)
                    values.clear()
                # A second without any reading is one that nothing is known of.
                for _ in range(min(second - self._second - 1, HISTORY_S)):
                    for line in lines:
                        line.append(None)
                self._gpu_mhz, self._cpu_mhz = self._clocks.gpu_mhz(), self._clocks.cpu_mhz()
            self._second = second
        gpu, cpu, power = (
            snapshot["gpu_load"],
            snapshot["cpu_aggregate"],
            snapshot["total_power_mw"],
        )
        if gpu is not None:
            self._sums[0].append(gpu / 10)
        if cpu is not None:
            self._sums[1].append(cpu)
        if power is not None:
            self._sums[2].append(power / 1000)


def _known_tiers(snapshot: Snapshot) -> int:
    """Return how many tiers have a sample."""
    times = (snapshot["time_s"], snapshot["medium_time_s"], snapshot["slow_time_s"])
    return sum(time_s is not None for time_s in times)


def read_once(board: BoardConfig, patience_s: float = 3.0) -> Reading:
    """Return one reading of a board: of half a second, once every tier has values.

    Parameters
    ----------
    board
        What is read.
    patience_s
        How long to wait for a tier that has none.

    Raises
    ------
    OSError, FastNVMetricsError
        It cannot be recorded.
    """
    with Meter(board, 100) as meter:
        begun = time.monotonic()
        while True:
            time.sleep(0.05)
            reading = meter.read()
            waited = time.monotonic() - begun
            if (waited >= 0.5 and _known_tiers(reading.snapshot) == 3) or waited >= patience_s:
                return reading
