"""/proc/stat in which each core has a known duty."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from .words import WORD, counter_word

__all__ = ["TICK_NS", "ProcStat"]

#: One USER_HZ tick.
TICK_NS = 10_000_000

# A cpu line in words: label, user, nice and system, idle, then iowait to guest_nice. Only user and idle
# change, and at every tick of time just one of the two: a reader never sees a core half-updated.
_USER, _IDLE = 1, 3
_LINE_WORDS = 6
_NICE_SYSTEM = b" 0    0 "
_REST = b" 0 0 0 0 0 0".ljust(2 * WORD - 1) + b"\n"

# What the counters start from, as on a machine that has been up for a while.
_USER_BASE, _IDLE_BASE = 12_345, 67_890

_TAIL = b"intr 0\nctxt 0\nbtime 1700000000\nprocesses 1000\nprocs_running 1\nprocs_blocked 0\n"


class ProcStat:
    """The cpu lines as functions of time.

    In every core user + idle advance by one tick each 10 ms of time, whenever they are looked at: an
    updater that is late catches up. Of `t` ticks ``t * duty // 100`` are busy, so over any stretch of
    time the duty holds to one tick.

    Parameters
    ----------
    duties
        Percent busy by core number; an offline core is absent and has no line.
    """

    def __init__(self, duties: Mapping[int, int]) -> None:
        self._cores = sorted(duties.items())
        self._busy = [-1] * len(self._cores)
        self._ticks = -1

    def text(self, elapsed_ns: int) -> bytes:
        """Return the whole file as it is at a time."""
        counters = [self._counters(duty, elapsed_ns // TICK_NS) for _, duty in self._cores]
        total = (sum(user for user, _ in counters), sum(idle for _, idle in counters))
        lines = [self._line("cpu", *total)]
        for (core, _), counter in zip(self._cores, counters):
            lines.append(self._line(f"cpu{core}", *counter))
        return b"".join(lines) + _TAIL

    def changes(self, elapsed_ns: int) -> Iterator[tuple[int, bytes]]:
        """Yield (word of the file, text) for what changed since the last call.

        The line of all cores follows the cores; it is behind them for as long as the stores take.
        """
        ticks = elapsed_ns // TICK_NS
        if ticks == self._ticks:
            return
        first = self._ticks < 0
        self._ticks = ticks
        all_user = all_idle = 0
        for row, (_, duty) in enumerate(self._cores):
            user, idle = self._counters(duty, ticks)
            all_user += user
            all_idle += idle
            line = (row + 1) * _LINE_WORDS
            # Idle time changes unless the tick was a busy one, and the other way round; after a delay
            # both do.
            if first or user != self._busy[row]:
                yield line + _USER, counter_word(user)
            self._busy[row] = user
            yield line + _IDLE, counter_word(idle)
        yield _USER, counter_word(all_user)
        yield _IDLE, counter_word(all_idle)

    @staticmethod
    def _counters(duty: int, ticks: int) -> tuple[int, int]:
        busy = ticks * duty // 100
        return _USER_BASE + busy, _IDLE_BASE + ticks - busy

    @staticmethod
    def _line(label: str, user: int, idle: int) -> bytes:
        line = label.encode().ljust(WORD) + counter_word(user) + _NICE_SYSTEM + counter_word(idle)
        return line + _REST
