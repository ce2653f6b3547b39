"""/proc/stat in which each core has a known duty."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from .words import WORD, counter_word

__all__ = ["TICK_NS", "ProcStat"]

#: One USER_HZ tick.
TICK_NS = 10_000_000

# A cpu line in words: label, user, nice and system, idle, then iowait to guest_nice. Only user and
# idle change, and at every tick of time just one of the two: a reader never sees a core
# half-updated.
_USER, _IDLE = 1, 3
_LINE_WORDS = 6
_NICE_SYSTEM = b" 0    0 "
_REST = b" 0 0 0 0 0 0".ljust(2 * WORD - 1) + b"\n"

# What the counters start from, as on a machine that has been up for a while.
_USER_BASE, _IDLE_BASE = 12_345, 67_890

_TAIL = b"intr 0\nctxt 0\nbtime 1700000000\nprocesses 1000\nprocs_running 1\nprocs_blocked 0\n"


class ProcStat:
    """The cpu lines as functions of time.

    In every core user + idle advance by one tick each 10 ms of time, whenever they are looked at:
    an updater that is late catches up. Of `t` ticks ``t * duty // 100`` are busy, so over any
    stretch of time the duty holds to one tick.

    Parameters
    ----------
    duties
        Percent busy by core number; an offline core is absent and has no line.
    """

    def __init__(self, duties: Mapping[int, int]) -> None:
        self._duties = sorted(duties.items())

    def text(self, elapsed_ns: int) -> bytes:
        """Return the whole file as it is at a time."""
        labels = ["cpu", *(f"cpu{core}" for core, _ in self._duties)]
        lines = [
            label.encode().ljust(WORD)
            + counter_word(user)
            + _NICE_SYSTEM
            + counter_word(idle)
            + _REST
            for label, (user, idle) in zip(labels, self._counters(elapsed_ns))
        ]
        return b"".join(lines) + _TAIL

    def words(self, elapsed_ns: int) -> Iterator[tuple[int, bytes]]:
        """Yield (word of the file, text) for every counter as it is at a time.

        The first line counts all cores and is ahead of theirs for as long as the stores take.
        """
        for line, (user, idle) in enumerate(self._counters(elapsed_ns)):
            yield line * _LINE_WORDS + _USER, counter_word(user)
            yield line * _LINE_WORDS + _IDLE, counter_word(idle)

    def _counters(self, elapsed_ns: int) -> list[tuple[int, int]]:
        """Return (user, idle) of each line, in ticks."""
        ticks = elapsed_ns // TICK_NS
        cores = []
        for _, duty in self._duties:
            busy = ticks * duty // 100
            cores.append((_USER_BASE + busy, _IDLE_BASE + ticks - busy))
        return [(sum(user for user, _ in cores), sum(idle for _, idle in cores)), *cores]
