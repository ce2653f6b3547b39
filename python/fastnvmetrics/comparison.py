"""Two traces, or two sets of repeats, against each other."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Union

from ._opened import TraceLike
from ._quantities import FigureOf, quantities
from ._repeats import mean_figure, repeats
from .analysis import summarize
from .summary import PhaseSummary, Repeats, Summary, jsonable

__all__ = ["Comparison", "Difference", "PhaseComparison", "compare"]

#: A run as `compare` takes it.
RunLike = Union[TraceLike, Summary]


@dataclass(frozen=True)
class Difference:
    """One figure on both sides.

    Attributes
    ----------
    quantity
        Its name, which ends in its unit: ``"energy_j"``; of a rail ``"energy_j of VDD_IN"``.
    a, b
        The figure on each side.
    difference, relative
        b − a, and that as a fraction of a; `relative` is None where a is 0.
    uncertainty
        Half the width of the 95 % interval of `difference`; None where that of a side is not known.
    exceeds
        Whether the difference is larger than its uncertainty; None where that is not known.
    """

    quantity: str
    a: Repeats
    b: Repeats
    difference: float
    relative: float | None
    uncertainty: float | None
    exceeds: bool | None


@dataclass(frozen=True)
class PhaseComparison:
    """The figures of one phase; ``phase["energy_j"]`` is the `Difference` of that quantity."""

    name: str
    differences: tuple[Difference, ...]

    def __getitem__(self, quantity: str) -> Difference:
        for difference in self.differences:
            if difference.quantity == quantity:
                return difference
        names = ", ".join(difference.quantity for difference in self.differences)
        raise KeyError(f"no quantity {quantity!r} in {self.name!r}; there are: {names}")


@dataclass(frozen=True)
class Comparison:
    """What `compare` returns; ``comparison["prefill"]`` is the phase of that name.

    Attributes
    ----------
    whole
        The whole traces.
    phases
        Phases that both sides have, in the order of a.
    only_in_a, only_in_b
        Names of the others.
    warnings
        In what the traces differ besides what was to be compared; sentences.
    """

    whole: PhaseComparison
    phases: tuple[PhaseComparison, ...]
    only_in_a: tuple[str, ...]
    only_in_b: tuple[str, ...]
    warnings: tuple[str, ...]

    def __getitem__(self, name: str) -> PhaseComparison:
        for phase in (*self.phases, self.whole):
            if phase.name == name:
                return phase
        names = ", ".join(phase.name for phase in self.phases) or "none"
        raise KeyError(f"no phase {name!r} on both sides; there are: {names}")

    def to_dict(self) -> dict[str, Any]:
        """Return all of it as JSON can hold it."""
        return dict(jsonable(self))

    def __str__(self) -> str:
        from ._comparison_text import comparison_text

        return comparison_text(self)


def compare(a: RunLike | Sequence[RunLike], b: RunLike | Sequence[RunLike]) -> Comparison:
    """Compare two traces, or several repeats of each, phase by phase.

    Parameters
    ----------
    a, b
        A trace as `summarize` takes it, or what it returned; or a list of these, repeats of one
        thing. With one trace on a side the spread is that of a phase's repeats in it, with
        several that between the traces, each of which counts as one.

    Returns
    -------
    Comparison
        ``print(compare(…))`` is a table. A difference *exceeds* when its 95 % interval does not
        hold 0: of twenty figures that are the same, one does so by chance. What no repeat tells the
        spread of, and has no uncertainty of its own (durations, utilisation, temperatures), is not
        decided.

    Raises
    ------
    ValueError
        A side is an empty list. Else as `summarize`.

    Examples
    --------
    >>> import fastnvmetrics as fm
    >>> def run(path, size):
    ...     with fm.NVMetrics(path, board=fm.get_board_config("generic_linux")) as nv:
    ...         with nv.phase("sum"):
    ...             total = sum(range(size))
    ...     return path
    >>> a = [run(f"a{repeat}.bin", 100_000) for repeat in range(3)]
    >>> b = [run(f"b{repeat}.bin", 4_000_000) for repeat in range(3)]
    >>> fm.compare(a, b)["sum"]["duration_s"].difference > 0
    True
    """
    runs_a, runs_b = _runs("a", a), _runs("b", b)
    names_a, names_b = _names(runs_a), _names(runs_b)
    return Comparison(
        whole=_phase("(whole)", [[run.whole] for run in runs_a], [[run.whole] for run in runs_b]),
        phases=tuple(
            _phase(name, _instances(name, runs_a), _instances(name, runs_b))
            for name in names_a
            if name in names_b
        ),
        only_in_a=tuple(name for name in names_a if name not in names_b),
        only_in_b=tuple(name for name in names_b if name not in names_a),
        warnings=tuple(_warnings(runs_a, runs_b)),
    )


def _runs(side: str, given: RunLike | Sequence[RunLike]) -> list[Summary]:
    runs: list[Any] = list(given) if isinstance(given, (list, tuple)) else [given]
    if not runs:
        raise ValueError(f"{side} is an empty list: give it a trace at least")
    return [run if isinstance(run, Summary) else summarize(run) for run in runs]


def _names(runs: list[Summary]) -> list[str]:
    return list(dict.fromkeys(name for run in runs for name in run))


def _instances(name: str, runs: list[Summary]) -> list[list[PhaseSummary]]:
    """Return the phases of a name, run by run; runs without one are left out."""
    return [list(run[name].instances) for run in runs if name in list(run)]


def _phase(
    name: str, runs_a: list[list[PhaseSummary]], runs_b: list[list[PhaseSummary]]
) -> PhaseComparison:
    found = []
    for quantity, figure_of in quantities(runs_a[0][0]):
        left, right = _side(runs_a, figure_of), _side(runs_b, figure_of)
        if left is not None and right is not None:
            found.append(_difference(quantity, left, right))
    return PhaseComparison(name, tuple(found))


def _side(runs: list[list[PhaseSummary]], figure_of: FigureOf) -> Repeats | None:
    by_run = [[figure_of(phase) for phase in run] for run in runs]
    if len(by_run) == 1:
        return repeats(by_run[0])
    return repeats([mean_figure(run) for run in by_run])


def _difference(quantity: str, a: Repeats, b: Repeats) -> Difference:
    difference = b.mean - a.mean
    uncertainty = None
    if a.uncertainty is not None and b.uncertainty is not None:
        uncertainty = math.hypot(a.uncertainty, b.uncertainty)
    return Difference(
        quantity=quantity,
        a=a,
        b=b,
        difference=difference,
        relative=difference / a.mean if a.mean else None,
        uncertainty=uncertainty,
        exceeds=None if uncertainty is None else abs(difference) > uncertainty,
    )


def _warnings(runs_a: list[Summary], runs_b: list[Summary]) -> list[str]:
    """Return the settings in which a run differs from the first, where both say what they are."""
    first = runs_a[0].settings
    runs = [(f"a[{index}]", run) for index, run in enumerate(runs_a)]
    runs += [(f"b[{index}]", run) for index, run in enumerate(runs_b)]
    found: dict[str, list[str]] = {}
    for place, run in runs:
        for key, value in run.settings.items():
            if value is not None and first.get(key) is not None and value != first[key]:
                sentence = f"{key} differs: {first[key]} in a[0], {value} in"
                found.setdefault(sentence, []).append(place)
    return [f"{sentence} {', '.join(places)}." for sentence, places in found.items()]
