"""What `fastnvmetrics serve` tells Prometheus, as the official client's metric families."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    InfoMetricFamily,
)

from ..continuous.following import TraceFollower
from .windows import LiveFigures, Window

__all__ = ["Exporter"]

#: So many scrapers have windows of their own; a further one takes that of the longest silent.
MOST_SCRAPERS = 16
#: Seconds after which one that does not come back is forgotten.
FORGOTTEN_AFTER = 3600.0
#: Seconds without a new sample after which the recording counts as stopped.
SILENT_AFTER = 3.0

#: By column of `LiveFigures`: the name of its label, the unit, what it is.
_GAUGES = {
    "gpu_utilization": ("", "ratio", "GPU utilisation, 0 to 1"),
    "cpu_utilization": ("", "ratio", "utilisation of the online CPU cores, 0 to 1"),
    "cpu_core_utilization": ("core", "ratio", "utilisation of a CPU core, 0 to 1"),
    "emc_utilization": ("", "ratio", "utilisation of the memory controller, 0 to 1"),
    "memory_used": ("", "bytes", "RAM in use"),
    "memory_available": ("", "bytes", "RAM available to programs"),
    "rail_power": ("rail", "watts", "power of a rail"),
    "rail_voltage": ("rail", "volts", "voltage of a rail"),
    "rail_current": ("rail", "amperes", "current of a rail"),
    "module_power": ("", "watts", "power of the module"),
    "temperature": ("zone", "celsius", "temperature of a thermal zone"),
}
_STATISTICS = (("", "mean", "Mean"), ("_min", "least", "Minimum"), ("_max", "most", "Maximum"))


@dataclass
class _Scraper:
    window: Window
    asked: float = field(default_factory=time.monotonic)


class Exporter:
    """Follows a recording and answers scrapers, each with what came since it asked last.

    Any thread may call any method.

    Parameters
    ----------
    path
        The trace that is recorded.
    counts
        Returns what the recorder counted: keys of `NVMetrics.counts`, growing.
    cpu_seconds
        Returns the CPU time that recording took so far.
    info
        Labels of ``fastnvmetrics_info``.

    Raises
    ------
    ValueError, OSError
        As `TraceFollower`.
    """

    def __init__(
        self,
        path: str,
        counts: Callable[[], Mapping[str, int]],
        cpu_seconds: Callable[[], float],
        info: Mapping[str, str],
    ) -> None:
        self._lock = threading.Lock()
        self._counts, self._cpu_seconds = counts, cpu_seconds
        self.info = dict(info)
        self._follower = TraceFollower(path)
        self._figures = LiveFigures(self._follower.header)
        self._since_start = Window()
        self._scrapers: dict[str, _Scraper] = {}
        self._newest = time.monotonic()

    def update(self) -> float:
        """Take what has reached the files; return for how many seconds there was nothing new.

        Raises
        ------
        OSError
            The files cannot be read.
        """
        with self._lock:
            return self._update()

    def go_on(self, path: str) -> None:
        """Follow the recording into the trace that it was rotated into."""
        with self._lock:
            self._follower.go_on(path)

    def close(self) -> None:
        """Close the files."""
        with self._lock:
            self._follower.close()

    def scrape(self, scraper: str) -> list[Any]:
        """Return the metric families for a scraper, and begin its next window.

        Parameters
        ----------
        scraper
            Who asks. One that is new, or that was forgotten, gets the window since the start.
        """
        with self._lock:
            silent = self._update()
            counts, cpu_seconds = self._counts(), self._cpu_seconds()
            is_recording = silent < SILENT_AFTER
            window = self._window(scraper)
            families = [
                InfoMetricFamily("fastnvmetrics", "The board and its recorder", dict(self.info)),
                GaugeMetricFamily(
                    "fastnvmetrics_recording",
                    "1: samples come; 0: none came for seconds, and no values are given",
                    float(is_recording),
                ),
            ]
            if is_recording:
                families += self._gauges(window)
                families += self._energy()
            families += self._recorder(counts, cpu_seconds)
            return families

    def _update(self) -> float:
        window = self._figures.add(self._follower.read())
        now = time.monotonic()
        if any(window.samples.values()):
            self._newest = now
            self._since_start.add(window)
            for scraper in self._scrapers.values():
                scraper.window.add(window)
        return now - self._newest

    def _window(self, name: str) -> Window:
        now = time.monotonic()
        for other, scraper in list(self._scrapers.items()):
            if now - scraper.asked > FORGOTTEN_AFTER:
                del self._scrapers[other]
        known = self._scrapers.pop(name, None)
        while len(self._scrapers) >= MOST_SCRAPERS:
            del self._scrapers[next(iter(self._scrapers))]  # in the order of their last questions
        self._scrapers[name] = _Scraper(Window())
        if known is not None:
            return known.window
        since_start = Window()
        since_start.add(self._since_start)
        return since_start

    def _gauges(self, window: Window) -> Iterable[Any]:
        families: dict[str, Any] = {}
        for tier, columns in self._figures.columns.items():
            for column, (name, label) in enumerate(columns):
                spread = window.spread(tier, column)
                if spread is None:
                    continue
                label_name, unit, what = _GAUGES[name]
                for infix, attribute, word in _STATISTICS:
                    full = f"fastnvmetrics_{name}{infix}_{unit}"
                    if full not in families:
                        families[full] = GaugeMetricFamily(
                            full,
                            f"{word} since the last scrape: {what}",
                            labels=[label_name] if label_name else [],
                        )
                    families[full].add_metric(
                        [label] if label_name else [], getattr(spread, attribute)
                    )
        yield from families.values()
        yield GaugeMetricFamily(
            "fastnvmetrics_window_seconds",
            "Length of the window that minimum, mean and maximum are of",
            window.seconds,
        )

    def _energy(self) -> Iterable[Any]:
        joules = self._figures.joules
        rails = CounterMetricFamily(
            "fastnvmetrics_rail_energy_joules", "Energy of a rail since the start", labels=["rail"]
        )
        bridged = CounterMetricFamily(
            "fastnvmetrics_rail_energy_bridged_seconds",
            "Time without readings that energy was interpolated over",
            labels=["rail"],
        )
        for rail in self._figures.rails:
            rails.add_metric([rail], joules[rail])
            bridged.add_metric([rail], self._figures.bridged_s[rail])
        yield from (rails, bridged)
        if "total" in joules:
            yield CounterMetricFamily(
                "fastnvmetrics_module_energy_joules",
                "Energy of the module since the start",
                joules["total"],
            )

    def _recorder(self, counts: Mapping[str, int], cpu_seconds: float) -> Iterable[Any]:
        samples = CounterMetricFamily(
            "fastnvmetrics_samples", "Samples that were aggregated", labels=["tier"]
        )
        missed = CounterMetricFamily(
            "fastnvmetrics_missed_ticks", "Ticks skipped because a tier was late", labels=["tier"]
        )
        for tier, count in self._since_start.samples.items():
            samples.add_metric([tier], count)
            missed.add_metric([tier], counts[f"missed_{tier}"])
        yield from (samples, missed)
        yield CounterMetricFamily(
            "fastnvmetrics_dropped_samples",
            "Samples lost because the disk could not keep up",
            counts["dropped_samples"],
        )
        yield CounterMetricFamily(
            "fastnvmetrics_read_errors", "Failed reads of any source", counts["read_errors"]
        )
        yield CounterMetricFamily(
            "fastnvmetrics_recorder_cpu_seconds", "CPU time of the threads that sample", cpu_seconds
        )
