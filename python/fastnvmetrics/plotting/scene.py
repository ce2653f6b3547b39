"""What a plot of a trace shows, whatever draws it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from .._columns import gpu_is_known
from .._rail_sensors import total_rails
from ..mapped import forget
from ..phases import PHASE
from .bands import Bands, bands_of
from .envelope import Envelope, envelope
from .heading import heading
from .marks import Marks, marks_of

__all__ = ["Cores", "Line", "Panel", "Scene", "scene_of"]

Floats = npt.NDArray[np.float64]

#: After so many rows a mapped trace gives back the memory of what was looked at.
_FORGOTTEN_ROWS = 1 << 20
_KB_PER_GIB = float(1 << 20)


@dataclass(frozen=True)
class Line:
    """A line of a panel: three arrays (P,), NaN where there is a gap; `is_module` is the module's
    power.
    """

    label: str
    low: Floats
    mean: Floats
    high: Floats
    is_module: bool = False


@dataclass(frozen=True)
class Panel:
    """Lines with one unit over the same times (P,).

    Attributes
    ----------
    is_step
        Whether a value holds until the next one: sensors that are read.
    is_exact
        Whether each point is a sample; else a column of several.
    limit
        The highest value that there can be.
    """

    title: str
    unit: str
    time_s: Floats
    lines: tuple[Line, ...]
    is_step: bool = False
    is_exact: bool = False
    limit: float | None = None


@dataclass(frozen=True)
class Cores:
    """Utilisation of each core, (P, cores) in %: the mean of each column."""

    time_s: Floats
    percent: Floats


@dataclass(frozen=True)
class Scene:
    """A trace, or a part of it, as it is drawn."""

    title: str
    facts: str
    notes: tuple[str, ...]
    begin_s: float
    end_s: float
    start_realtime_ns: int
    panels: tuple[Panel, ...]
    cores: Cores | None
    bands: Bands
    marks: Marks


def scene_of(
    trace: Any, begin_s: float, end_s: float, samples: int, title: str | None, columns: int
) -> Scene:
    """Return what there is to draw of a stretch of time: at most so many samples, else so many
    columns.
    """
    tiers = _Tiers(trace, begin_s, end_s, samples, columns)
    panels = [*tiers.utilisation(), *tiers.power(), *tiers.temperature(), *tiers.ram()]
    head = heading(trace, begin_s, end_s)
    phases = trace["phases"] if "phases" in trace else np.empty(0, PHASE)
    return Scene(
        title=head.title if title is None else title,
        facts=head.facts,
        notes=head.notes,
        begin_s=begin_s,
        end_s=end_s,
        start_realtime_ns=int(trace["start_realtime_ns"]),
        panels=tuple(panels),
        cores=tiers.cores(),
        bands=bands_of(phases, begin_s, end_s),
        marks=marks_of(trace, begin_s, end_s),
    )


class _Tiers:
    """The tiers of a trace as envelopes; each is gone through once."""

    def __init__(
        self, trace: Any, begin_s: float, end_s: float, samples: int, columns: int
    ) -> None:
        self.trace = trace
        self.stretch = (begin_s, end_s, columns)
        self.samples = samples
        self.has_gpu = gpu_is_known(trace)
        self.fast = self._envelope("fast", self._fast_rows)

    def utilisation(self) -> list[Panel]:
        names = (("GPU", 0), ("CPU", 1), ("EMC", 2))
        return self._panel(self.fast, names, "utilisation", "%", limit=100.0)

    def ram(self) -> list[Panel]:
        return self._panel(self.fast, (("RAM", 3),), "RAM used", "GiB")

    def cores(self) -> Cores | None:
        percent = self.fast.mean[:, 4:]
        if not percent.size or np.isnan(percent).all():
            return None
        return Cores(self.fast.time_s, percent)

    def power(self) -> list[Panel]:
        labels = list(self.trace["power_rail_names"])
        total = total_rails(self.trace)
        watts = self.trace["power_mw"]

        def rows(part: slice) -> npt.NDArray[Any]:
            found = np.asarray(watts[part], np.float32) / np.float32(1000)
            return np.column_stack((found, found[:, total].sum(axis=1))) if sums else found

        # Of several rails; one that is the module's by itself is drawn as such.
        sums = len(total) > 1
        names = [
            (f"{label} (module)" if total == [rail] else label, rail)
            for rail, label in enumerate(labels)
        ]
        if sums:
            names.append(("module", len(labels)))
        return self._panel(
            self._envelope("medium", rows),
            names,
            "power",
            "W",
            is_step=True,
            module=len(labels) if sums else next(iter(total), None),
        )

    def temperature(self) -> list[Panel]:
        zones = [(str(name), zone) for zone, name in enumerate(self.trace["thermal_zone_names"])]
        degrees = self.trace["temp_c"]
        found = self._envelope("slow", lambda part: np.asarray(degrees[part], np.float32))
        return self._panel(found, zones, "temperature", "°C", is_step=True)

    def _fast_rows(self, part: slice) -> npt.NDArray[Any]:
        trace = self.trace
        if part.start and part.start % _FORGOTTEN_ROWS < part.stop - part.start:
            forget(trace)
        cores = trace["cpu_util"][part]
        found = np.empty((len(cores), 4 + cores.shape[1]), np.float32)
        found[:, 0] = trace["gpu_load"][part] if self.has_gpu else np.nan
        found[:, 0] /= 10
        found[:, 1] = trace["cpu_aggregate"][part]
        found[:, 2] = trace["emc_util"][part]
        found[:, 2][found[:, 2] < 0] = np.nan
        found[:, 3] = trace["ram_used_kb"][part] / _KB_PER_GIB
        found[:, 4:] = cores
        # What a damaged trace holds besides numbers is not known either.
        found[np.isinf(found)] = np.nan
        return found

    def _envelope(self, tier: str, rows: Any) -> Envelope:
        rate = max(int(self.trace[f"{tier}_hz"]), 1)
        return envelope(self.trace[f"{tier}_time_s"], rows, *self.stretch, 1 / rate, self.samples)

    def _panel(
        self,
        found: Envelope,
        names: Any,
        title: str,
        unit: str,
        is_step: bool = False,
        limit: float | None = None,
        module: int | None = None,
    ) -> list[Panel]:
        """Return the panel, without lines that nothing is known of; none where there are none."""
        lines = tuple(
            Line(label, found.low[:, at], found.mean[:, at], found.high[:, at], at == module)
            for label, at in names
            if not np.isnan(found.mean[:, at]).all()
        )
        return (
            [Panel(title, unit, found.time_s, lines, is_step, found.is_exact, limit)]
            if lines
            else []
        )
