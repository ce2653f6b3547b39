"""Statistics of a recording as lines for people."""

from __future__ import annotations

from .stats import Stats

__all__ = ["lines"]


def lines(stats: Stats) -> list[str]:
    """Return a table of the tiers, one of the sources, and what it cost."""
    table = [
        f"{'tier':<8} {'rate':>9} {'samples':>10} {'missed':>8} {'dropped':>8}"
        f" {'late: median':>13} {'99 %':>9} {'max':>10}"
    ]
    for name, tier in stats["tiers"].items():
        late = tier["lateness_us"]
        table.append(
            f"{name:<8} {tier['rate_hz']:>6} Hz {tier['samples']:>10} {tier['missed']:>8} {tier['dropped']:>8}"
            f" {late['median']:>10.0f} µs {late['p99']:>6.0f} µs {late['max']:>7.0f} µs"
        )
    table += [
        "",
        f"{'source':<24} {'reads':>10} {'failed':>7} {'a read':>10} {'longest':>11} {'mean age':>11} {'oldest':>11}",
    ]
    for source in stats["sources"]:
        if not source["reads"]:
            continue
        name = source["name"] + (" *" if source["own_thread"] else "")
        table.append(
            f"{name:<24} {source['reads']:>10} {source['failures']:>7}"
            f" {source['read_s'] / source['reads'] * 1e6:>7.1f} µs {source['longest_read_us']:>8.0f} µs"
            f" {source['mean_age_us'] / 1e3:>8.2f} ms {source['oldest_us'] / 1e3:>8.1f} ms"
        )
    if any(source["own_thread"] and source["reads"] for source in stats["sources"]):
        table.append("* read by a thread of its own, because it can block; ages are those of the newest value")
    table += [
        "",
        f"{stats['elapsed_s']:.1f} s; the threads that sample took {100 * stats['cpu_share']:.1f} % of one core",
    ]
    return table
