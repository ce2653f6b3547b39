"""What a recording did and what it cost, as a dictionary."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypedDict

if TYPE_CHECKING:
    from . import _ext

__all__ = ["LatenessStats", "SourceStats", "Stats", "TierStats"]

_TIERS = ("fast", "medium", "slow")


class LatenessStats(TypedDict):
    """How late ticks began, in microseconds; quantiles are exact to 6 %."""

    median: float
    p99: float
    max: float


class TierStats(TypedDict):
    """One tier."""

    #: The rate that was asked for.
    rate_hz: int
    #: Ticks at which a sample was taken.
    samples: int
    #: Deadlines skipped because the tier was late.
    missed: int
    #: Samples for which there was no room, because the disk could not keep up.
    dropped: int
    #: The warm-up and the closing sample are not in it.
    lateness_us: LatenessStats
    #: (end, ticks): ticks less late than `end` microseconds and not less late than the pair before.
    lateness_histogram: list[tuple[float, int]]


class SourceStats(TypedDict):
    """One source: "gpu", "cpu" (all of them), "ram", "emc", a rail's label, a zone's name."""

    name: str
    #: Which tier takes its values: "fast", "medium" or "slow".
    tier: str
    #: Whether a thread of its own reads it, because it can block; the tier then takes its newest value.
    own_thread: bool
    reads: int
    failures: int
    #: Seconds spent in reads.
    read_s: float
    longest_read_us: float
    #: The mean age of its values when samples took them.
    mean_age_us: float
    #: The oldest value that a sample took.
    oldest_us: float


class Stats(TypedDict):
    """What a recording did and what it cost: `NVMetrics.stats`, and ``read_trace(path)["stats"]``."""

    #: Seconds since t = 0, until now or the end.
    elapsed_s: float
    #: CPU seconds of the threads that sample.
    cpu_s: float
    #: Their share of one core, 1 being all of it.
    cpu_share: float
    #: By name: "fast", "medium", "slow"; empty before the first start.
    tiers: dict[str, TierStats]
    sources: list[SourceStats]


def from_native(engine: _ext.Engine) -> Stats:
    """Return the statistics of an engine with names and units."""
    elapsed, cpu, tiers, sources = engine.stats()
    return Stats(
        elapsed_s=elapsed / 1e9,
        cpu_s=cpu / 1e9,
        cpu_share=cpu / elapsed if elapsed else 0.0,
        tiers={
            name: TierStats(
                rate_hz=rate,
                samples=samples,
                missed=missed,
                dropped=dropped,
                lateness_us=LatenessStats(median=median / 1e3, p99=p99 / 1e3, max=longest / 1e3),
                lateness_histogram=[(end / 1e3, ticks) for end, ticks in buckets],
            )
            for name, (rate, samples, missed, dropped, median, p99, longest, buckets) in zip(
                _TIERS, tiers
            )
        },
        sources=[
            SourceStats(
                name=name,
                tier=_TIERS[tier],
                own_thread=own_thread,
                reads=reads,
                failures=failures,
                read_s=spent / 1e9,
                longest_read_us=longest / 1e3,
                mean_age_us=age / 1e3,
                oldest_us=oldest / 1e3,
            )
            for name, tier, own_thread, reads, failures, spent, longest, age, oldest in sources
        ],
    )
