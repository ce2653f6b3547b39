"""What `summarize` returns: a trace in figures."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

__all__ = [
    "Distribution",
    "PhaseGroup",
    "PhaseSummary",
    "RailSummary",
    "Repeats",
    "Summary",
    "ZoneSummary",
]


@dataclass(frozen=True)
class Distribution:
    """Mean, maximum and percentiles of samples, in the unit of the field that holds them.

    The mean is weighted with the time that each sample stands for, percentiles are not.
    """

    mean: float
    max: float
    p50: float
    p95: float
    p99: float


@dataclass(frozen=True)
class RailSummary:
    """Power and energy of one rail, or of the module, over a stretch of time.

    Attributes
    ----------
    label
        The rail's name, ``"total"`` for the module.
    energy_j, mean_power_w
        Joules, and watts: the same divided by the duration. None where too little was measured; the
        notes say why.
    energy_uncertainty_j, mean_power_uncertainty_w
        Half the width of the 95 % interval; None where the sensor's steps or its refresh are not
        known, or too few readings tell how much the power varied.
    step_uncertainty_j, sampling_uncertainty_j, edge_uncertainty_j
        What that is made of, 95 % each: the sensor's steps, common to all repeats; the power
        between readings, which differs from repeat to repeat; and of the latter the share that is
        common to repeats all the same, what a step of the power at the edges of the phase loses.
        The first two add up in quadrature.
    power_w
        Of the readings inside, in W; None where there are none.
    readings, failed_reads
        Samples with a value and without one. For the total, with a value of each of its rails.
    bridged_s
        Seconds without readings that a straight line was drawn over.
    """

    label: str
    energy_j: float | None
    energy_uncertainty_j: float | None
    mean_power_w: float | None
    mean_power_uncertainty_w: float | None
    step_uncertainty_j: float | None
    sampling_uncertainty_j: float | None
    edge_uncertainty_j: float | None
    power_w: Distribution | None
    readings: int
    failed_reads: int
    bridged_s: float


@dataclass(frozen=True)
class ZoneSummary:
    """Temperature of a thermal zone in °C, None where it was not known."""

    name: str
    mean_c: float | None
    max_c: float | None


@dataclass(frozen=True)
class PhaseSummary:
    """One phase, or the whole trace.

    Attributes
    ----------
    name, id, parent, depth, thread, was_ended
        As in the trace; the whole trace is called ``"(whole)"`` and has the id 0.
    begin_s, end_s, duration_s
        Seconds, the first two since t = 0.
    fast_samples, medium_samples, slow_samples
        How many were taken inside.
    missed_samples, failed_reads
        Samples that the tiers skipped, and reads that failed: for the whole trace as the recorder
        counted them, of any source; for a phase as its samples show, reads of rails alone.
    gpu_percent, cpu_percent, core_percent, emc_percent
        In %; None where it was not measured. `core_percent` has an entry for each core.
    ram_peak_kb
        The most RAM in use, kB.
    rails, total
        Each rail in the order of the trace, and the module; `total` is None where it is not known
        which rails add up to it.
    zones
        Each zone in the order of the trace.
    notes
        What to know about these figures, sentences.
    """

    name: str
    begin_s: float
    end_s: float
    duration_s: float
    id: int
    parent: int
    depth: int
    thread: int
    was_ended: bool
    fast_samples: int
    medium_samples: int
    slow_samples: int
    missed_samples: int
    failed_reads: int
    gpu_percent: Distribution | None
    cpu_percent: Distribution | None
    core_percent: tuple[Distribution | None, ...]
    emc_percent: Distribution | None
    ram_peak_kb: int | None
    rails: tuple[RailSummary, ...]
    total: RailSummary | None
    zones: tuple[ZoneSummary, ...]
    notes: tuple[str, ...]

    @property
    def energy_j(self) -> float | None:
        """Energy of the module in J, None where it is not known."""
        return self.total.energy_j if self.total else None

    @property
    def energy_uncertainty_j(self) -> float | None:
        """Half the width of its 95 % interval in J."""
        return self.total.energy_uncertainty_j if self.total else None

    @property
    def mean_power_w(self) -> float | None:
        """Mean power of the module in W."""
        return self.total.mean_power_w if self.total else None

    @property
    def mean_power_uncertainty_w(self) -> float | None:
        """Half the width of its 95 % interval in W."""
        return self.total.mean_power_uncertainty_w if self.total else None

    def rail(self, label: str) -> RailSummary:
        """Return the rail of that label, ``"total"`` for the module.

        Raises
        ------
        KeyError
            There is none; the message has those that there are.
        """
        every = [*self.rails, *([self.total] if self.total else [])]
        for rail in every:
            if rail.label == label:
                return rail
        raise KeyError(f"no rail {label!r}; there are: {', '.join(rail.label for rail in every)}")

    def to_dict(self) -> dict[str, Any]:
        """Return it as JSON can hold it."""
        return dict(jsonable(self))

    def __str__(self) -> str:
        from . import _summary_text

        return _summary_text.phase_text(self)


@dataclass(frozen=True)
class Repeats:
    """A figure over the repeats of a phase.

    Attributes
    ----------
    mean
        Over the repeats in which it is known.
    standard_deviation
        From repeat to repeat; None for a single one.
    uncertainty
        Half the width of the 95 % interval of the mean: from the spread of the repeats and from
        what all of them share. Of a single repeat, that of its measurement; None where it is not
        known.
    count
        How many repeats it is known of.
    """

    mean: float
    standard_deviation: float | None
    uncertainty: float | None
    count: int


@dataclass(frozen=True)
class PhaseGroup:
    """The phases of one name.

    Attributes
    ----------
    name
        Theirs.
    instances
        Each of them, by its beginning.
    duration_s, energy_j, mean_power_w
        Over the instances; the last two of the module, None where not known.
    """

    name: str
    instances: tuple[PhaseSummary, ...]
    duration_s: Repeats
    energy_j: Repeats | None
    mean_power_w: Repeats | None

    @property
    def count(self) -> int:
        """How many there are."""
        return len(self.instances)


@dataclass(frozen=True)
class Summary:
    """A trace in figures.

    ``summary["prefill"]`` is the `PhaseGroup` of that name; iterating gives the names.

    Attributes
    ----------
    board_name
        As in the trace.
    total_rails
        Labels of the rails whose sum is the module's power; empty where that is not known.
    whole
        From t = 0 to the last fast sample.
    phases
        A group for each name, by its first beginning. Of a trace without phases, those from sync
        point to sync point.
    settings
        What comparable traces have in common: board, power mode, rates, sensors; None is not known.
    notes
        What to know about the figures, sentences.
    """

    board_name: str
    total_rails: tuple[str, ...]
    whole: PhaseSummary
    phases: tuple[PhaseGroup, ...]
    settings: dict[str, Any]
    notes: tuple[str, ...]

    @property
    def duration_s(self) -> float:
        """Length of the trace in seconds."""
        return self.whole.duration_s

    def __getitem__(self, name: str) -> PhaseGroup:
        for group in self.phases:
            if group.name == name:
                return group
        names = ", ".join(self) or "none"
        raise KeyError(f"no phase {name!r}; there are: {names}")

    def __iter__(self) -> Iterator[str]:
        return (group.name for group in self.phases)

    def __len__(self) -> int:
        return len(self.phases)

    def to_dict(self) -> dict[str, Any]:
        """Return all of it as JSON can hold it.

        Examples
        --------
        >>> json.dumps(fm.summarize("run.bin").to_dict())  # doctest: +SKIP
        """
        return dict(jsonable(self))

    def __str__(self) -> str:
        from . import _summary_text

        return _summary_text.summary_text(self)


def jsonable(value: Any) -> Any:
    """Return dataclasses as dictionaries with their properties, and None for what JSON has not."""
    if dataclasses.is_dataclass(value):
        names = [field.name for field in dataclasses.fields(value)]
        names += [name for name, item in vars(type(value)).items() if isinstance(item, property)]
        return {name: jsonable(getattr(value, name)) for name in names}
    if isinstance(value, (list, tuple)):
        return [jsonable(item) for item in value]
    if isinstance(value, dict):
        return {str(key): jsonable(item) for key, item in value.items()}
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value
