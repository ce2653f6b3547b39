"""compare: differences, and whether they are beyond their uncertainty."""

from __future__ import annotations

import json
import math
from typing import Any

import numpy as np
import pytest

import fastnvmetrics as fm
import power_sensor as ps


def run(*watts: float, seconds: float = 1.0, **changes: Any) -> Any:
    """A trace of an Orin NX with a phase "work" for each of the powers."""
    length = seconds * len(watts)

    def power(times: ps.Floats) -> ps.Floats:
        return np.asarray(watts)[np.minimum((times / seconds).astype(int), len(watts) - 1)]

    trace = ps.sampled(power, seconds=length, board="orin_nx", rails=("VDD_IN",), **changes)
    inside = [(0.1 + index * seconds, (index + 1) * seconds - 0.1) for index in range(len(watts))]
    trace["phases"] = ps.phases(*(("work", begin, end) for begin, end in inside))
    return trace


def test_a_difference_beyond_its_uncertainty_exceeds_it() -> None:
    found = fm.compare(run(8.0), run(9.0))["work"]["energy_j"]
    assert found.difference == pytest.approx(0.8, rel=1e-4)
    assert found.relative == pytest.approx(0.125, rel=1e-4)
    assert found.uncertainty == pytest.approx(
        math.hypot(found.a.uncertainty or 0, found.b.uncertainty or 0)
    )
    assert found.exceeds is True


def test_a_difference_of_less_than_a_step_does_not_exceed_its_uncertainty() -> None:
    found = fm.compare(run(8.0), run(8.02))["work"]["energy_j"]
    assert found.difference == pytest.approx(0.016, rel=0.01) and found.exceeds is False


def test_a_trace_equals_itself() -> None:
    comparison = fm.compare(run(8.0, 9.0), run(8.0, 9.0))
    assert comparison.warnings == ()
    for found in (*comparison["work"].differences, *comparison.whole.differences):
        assert found.difference == 0 and found.exceeds in (False, None)


def test_repeats_in_a_trace_use_their_spread() -> None:
    a, b = run(8.0, 9.0, 10.0), run(9.0, 10.0, 11.0)
    found = fm.compare(a, b)["work"]["energy_j"]
    assert (found.a.count, found.b.count) == (3, 3)
    assert found.a.standard_deviation == pytest.approx(0.8, rel=1e-3)
    assert found.exceeds is False, "the spread is as large as the difference"


def test_repeated_traces_use_the_spread_between_them() -> None:
    a = [run(power) for power in (8.0, 8.2, 8.1)]
    b = [run(power) for power in (9.0, 9.2, 9.1)]
    found = fm.compare(a, b)["work"]["energy_j"]
    assert (found.a.count, found.b.count) == (3, 3)
    spread = 4.303 * 0.1 * 0.8 / math.sqrt(3)
    assert found.uncertainty == pytest.approx(spread * math.sqrt(2), rel=0.02)
    assert found.exceeds is True
    assert fm.compare(a, b)["work"]["duration_s"].exceeds is False


def test_each_trace_counts_once_however_many_repeats_it_has() -> None:
    a = [run(8.0, 8.0, 8.0), run(10.0)]
    found = fm.compare(a, [run(9.0), run(9.0)])["work"]["energy_j"]
    assert found.a.count == 2 and found.a.mean == pytest.approx(7.2, rel=1e-3)


def test_what_no_repeat_tells_the_spread_of_is_not_decided() -> None:
    found = fm.compare(run(8.0), run(8.0))["work"]
    assert found["duration_s"].exceeds is None and found["gpu_percent"].exceeds is None


def test_settings_that_differ_are_warned_of() -> None:
    def told(mode: str, interval: int) -> dict[str, Any]:
        return {
            "board": {"power_mode": mode},
            "rails": [{"label": "VDD_IN", "chip": "1-0040", "shunt_uohm": 5000, "in_total": True}],
            "sensors": [{"chip": "1-0040", "update_interval_ms": interval, "samples": 1}],
        }

    a = run(8.0, metadata=told("pmode:0000", 7))
    b = run(8.0, metadata=told("pmode:0002", 1), fast_hz=500)
    assert set(fm.compare(a, b).warnings) == {
        "power_mode differs: pmode:0000 in a[0], pmode:0002 in b[0].",
        "update_interval_ms of 1-0040 differs: 7 in a[0], 1 in b[0].",
        "fast_hz differs: 1000 in a[0], 500 in b[0].",
    }
    assert fm.compare(a, a).warnings == ()
    # What one of them does not say is no difference.
    assert fm.compare(a, run(8.0)).warnings == ()


def test_software_clocks_and_annotations_that_differ_are_warned_of() -> None:
    def told(kernel: str, governors: tuple[str, str], locked: bool, command: str) -> dict[str, Any]:
        policies = [
            {"policy": f"policy{index}", "governor": governor}
            for index, governor in enumerate(governors)
        ]
        return {
            "library_version": "0.3.0",
            "board": {"kernel_release": kernel, "power_mode": "pmode:0002", "power_mode_name": None},
            "clocks": {"start": {"cpu": policies, "locked": locked, "gpu_governor": "nvhost_podgov"}},
            "annotations": {"command": command},
        }

    a = run(8.0, metadata=told("5.15.1", ("schedutil", "schedutil"), False, "infer a"))
    b = run(8.0, metadata=told("5.15.2", ("performance", "performance"), True, "infer b"))
    assert set(fm.compare(a, b).warnings) == {
        "kernel_release differs: 5.15.1 in a[0], 5.15.2 in b[0].",
        "cpu_governor differs: schedutil in a[0], performance in b[0].",
        "clocks_locked differs: False in a[0], True in b[0].",
        "annotation command differs: infer a in a[0], infer b in b[0].",
    }
    mixed = run(8.0, metadata=told("5.15.1", ("schedutil", "performance"), False, "infer a"))
    other = run(8.0, metadata=told("5.15.1", ("performance", "schedutil"), False, "infer a"))
    assert len(fm.compare(mixed, other).warnings) == 2


def test_boards_that_differ_are_warned_of_and_compared_all_the_same() -> None:
    b = ps.sampled(lambda times: np.full(len(times), 9.0), board="mine", rails=("VDD_IN",))
    b["phases"] = ps.phases(("other", 0.1, 0.9))
    comparison = fm.compare(run(8.0), b)  # type: ignore[arg-type]
    assert "board differs: orin_nx in a[0], mine in b[0]." in comparison.warnings
    assert (comparison.only_in_a, comparison.only_in_b) == (("work",), ("other",))
    found = comparison.whole["energy_j of VDD_IN"]
    assert found.uncertainty is None and found.exceeds is None


def test_summaries_are_taken_as_well() -> None:
    a = fm.summarize(run(8.0))
    assert fm.compare(a, [a, a])["work"]["energy_j"].difference == 0


def test_arguments_are_checked() -> None:
    with pytest.raises(ValueError, match="b is an empty list"):
        fm.compare(run(8.0), [])
    with pytest.raises(TypeError, match="path or what read_trace"):
        fm.compare(run(8.0), [3])  # type: ignore[list-item]
    with pytest.raises(KeyError, match="no phase 'x' on both sides; there are: work"):
        fm.compare(run(8.0), run(8.0))["x"]
    with pytest.raises(KeyError, match="no quantity 'joules'"):
        fm.compare(run(8.0), run(8.0))["work"]["joules"]


def test_it_can_be_printed_and_written_as_json() -> None:
    comparison = fm.compare(run(8.0), run(9.0))
    json.dumps(comparison.to_dict(), allow_nan=False)
    line = next(line for line in str(comparison).splitlines() if line.strip().startswith("energy_j"))
    assert "+12.5 %" in line and line.endswith("yes")


def test_equal_powers_seldom_exceed() -> None:
    """Of 100 comparisons of what is the same, about five say that it is not."""
    exceeding = 0
    for pair in range(100):
        rng = np.random.default_rng([pair, 3])
        sides = []
        for _ in range(2):
            watts = 5.0 + 4.0 * rng.gamma(2, 0.2, 6001).repeat(20)[: len(ps.times_of(3.0))]
            trace = ps.trace([ps.read(watts, ps.Sensor(), rng)])
            trace["phases"] = ps.phases(("work", 0.5, 2.5))
            sides.append(trace)
        exceeding += bool(fm.compare(*sides)["work"]["energy_j"].exceeds)  # type: ignore[arg-type]
    assert 1 <= exceeding <= 12
