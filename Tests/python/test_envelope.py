"""Envelopes: nothing that was sampled is lost, and nothing that was not is made up."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fastnvmetrics.phases import PHASE
from fastnvmetrics.plotting import envelope as module
from fastnvmetrics.plotting.bands import MIXED, bands_of, labels, merged
from fastnvmetrics.plotting.envelope import Envelope, envelope
from fastnvmetrics.plotting.marks import Marks, thinned
from fastnvmetrics.plotting.times import clock


def of(
    times: Any, values: Any, columns: int, period_s: float = 0.001, **stretch: float
) -> Envelope:
    times = np.asarray(times, np.float64)
    rows = np.asarray(values, np.float32).reshape(len(times), -1)
    begin, end = stretch.get("begin_s", 0.0), stretch.get("end_s", float(times[-1]))
    return envelope(times, lambda part: rows[part], begin, end, columns, period_s)


@settings(max_examples=60, deadline=None)
@given(
    values=st.lists(
        st.one_of(st.floats(-100, 100, width=32), st.just(float("nan"))), min_size=1, max_size=400
    ),
    columns=st.integers(10, 60),
    block=st.integers(1, 300),
)
def test_no_spike_disappears_and_the_mean_is_that_of_the_samples(
    values: list[float], columns: int, block: int
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "_BLOCK", block)
        found = of(np.arange(len(values)) / 1000 + 0.001, values, columns)
    known = [value for value in values if not np.isnan(value)]
    assert len(found.time_s) <= max(columns, len(values) if found.is_exact else 0)
    if not known:
        assert np.isnan(found.mean).all()
        return
    assert np.nanmax(found.high) == max(known)
    assert np.nanmin(found.low) == min(known)
    with np.errstate(invalid="ignore"):
        assert not (found.low > found.mean + 1e-4).any()
        assert not (found.high < found.mean - 1e-4).any()
    assert (np.diff(found.time_s) > 0).all()


def test_the_columns_are_those_of_the_samples_in_them() -> None:
    times = np.arange(10_000) / 1000 + 0.0005  # at no edge
    values = np.column_stack((np.sin(times), np.arange(10_000) % 7))
    found = of(times, values, 100, end_s=10.0)
    assert len(found.time_s) == 100
    parts = values.astype(np.float32).reshape(100, 100, 2)
    assert np.array_equal(found.low, parts.min(axis=1))
    assert np.array_equal(found.high, parts.max(axis=1))
    assert np.allclose(found.mean, parts.mean(axis=1), atol=1e-6)


def test_few_samples_stay_as_they_are() -> None:
    found = of([0.0, 0.001, 0.002], [1, 2, 3], 10)
    assert found.is_exact
    assert found.mean[:, 0].tolist() == [1, 2, 3]
    assert found.low is found.mean is found.high


@pytest.mark.parametrize("columns", [50, 5000])
def test_a_stretch_without_samples_is_a_gap(columns: int) -> None:
    times = np.concatenate((np.arange(1000), np.arange(2000, 3000))) / 1000
    found = of(times, np.ones(2000), columns)
    gap = np.isnan(found.mean[:, 0])
    assert gap.sum() == 1
    assert 0.999 < found.time_s[gap][0] <= 2.0
    # A tick or two that came late is none.
    times = np.delete(np.arange(3000) / 1000, [100, 101, 500])
    assert not np.isnan(of(times, np.ones(len(times)), columns).mean).any()


def test_what_is_not_known_is_not_zero() -> None:
    values = np.ones(3000)
    values[1000:2000] = np.nan
    found = of(np.arange(3000) / 1000, values, 30, end_s=3.0)
    assert np.isnan(found.mean[10:20]).all()
    assert (found.mean[:10] == 1).all() and (found.low[20:] == 1).all()


def test_times_that_a_damaged_trace_holds_are_left_out() -> None:
    times = np.arange(3000) / 1000
    times[[100, 500, 700]] = [np.nan, 0.001, 1e300]
    for columns in (20, 5000):
        found = of(times, np.ones(3000), columns, end_s=2.999)
        assert np.isfinite(found.time_s).all()
        assert (np.diff(found.time_s) > 0).all()


def test_only_the_stretch_is_drawn() -> None:
    times = np.arange(10_000) / 1000
    found = of(times, np.arange(10_000), 5000, begin_s=2.0, end_s=3.0)
    assert found.mean[[0, -1], 0].tolist() == [2000, 3000]


def phases(*rows: tuple[str, float, float, int, int]) -> npt.NDArray[np.void]:
    """Phases of (name, begin, end, depth, thread)."""
    found = np.zeros(len(rows), PHASE)
    for record, (name, begin, end, depth, thread) in zip(found, rows):
        record["name"], record["depth"], record["thread"] = name, depth, thread
        record["begin_ns"], record["end_ns"] = round(begin * 1e9), round(end * 1e9)
    return found


def test_phases_inside_of_others_have_a_lane_below_them() -> None:
    bands = bands_of(
        phases(("a", 0, 4, 0, 1), ("b", 1, 2, 1, 1), ("b", 2, 3, 1, 1), ("c", 5, 6, 0, 1)), 0, 10
    )
    assert bands.lane.tolist() == [0, 0, 1, 1]
    assert [bands.names[name] for name in bands.name] == ["a", "c", "b", "b"]


def test_threads_that_overlap_have_lanes_of_their_own_and_others_share_one() -> None:
    bands = bands_of(phases(("a", 0, 4, 0, 1), ("a", 1, 5, 0, 2), ("a", 6, 7, 0, 3)), 0, 10)
    assert bands.lane.tolist() == [0, 0, 1]
    assert bands.begin_s.tolist() == [0, 6, 1]
    crowd = bands_of(phases(*(("a", 0, 1, 0, thread) for thread in range(100))), 0, 1)
    assert crowd.lanes == 8 and crowd.left_out == 92


def test_phases_narrower_than_a_pixel_are_drawn_together() -> None:
    rows = [("token", at / 1000, (at + 0.9) / 1000, 0, 1) for at in range(5000)]
    rows[1000:2000] = [("other", 1.0, 2.0, 0, 1)]
    bands = merged(bands_of(phases(*rows), 0, 5), 0.01)
    assert bands.members.tolist() == [1000, 1, 3000]
    assert [bands.names[name] for name in bands.name] == ["token", "other", "token"]
    assert bands.begin_s.tolist() == [0, 1, 2]
    assert [text for _, _, text in labels(bands, 20)] == ["token × 1000", "other", "token × 3000"]


def test_a_band_of_phases_of_several_names_has_none() -> None:
    rows = [("ab"[at % 2], at / 1000, (at + 1) / 1000, 0, 1) for at in range(100)]
    bands = merged(bands_of(phases(*rows), 0, 1), 0.01)
    assert bands.name.tolist() == [MIXED] and bands.members.tolist() == [100]
    assert labels(bands, 1000)[0][2] == "100 phases"


@settings(max_examples=40, deadline=None)
@given(
    st.lists(
        st.tuples(st.floats(0, 9), st.floats(0, 3), st.integers(0, 3), st.integers(1, 3)),
        max_size=60,
    ),
    st.floats(0.001, 2),
)
def test_no_phase_is_lost_when_bands_are_made_one(
    rows: list[tuple[float, float, int, int]], pixel_s: float
) -> None:
    given_phases = phases(
        *(("a", begin, begin + length, depth, thread) for begin, length, depth, thread in rows)
    )
    bands = bands_of(given_phases, 0, 12)
    found = merged(bands, pixel_s)
    assert found.members.sum() + found.left_out == len(rows)
    for begin, end, lane in zip(bands.begin_s, bands.end_s, bands.lane):
        assert ((found.lane == lane) & (found.begin_s <= begin) & (found.end_s >= end)).any()


def test_of_sync_points_in_a_pixel_one_with_a_label_is_kept() -> None:
    found = thinned(Marks(np.array([0.0, 0.001, 0.5]), ["", "here", ""]), 0.01)
    assert (found.time_s.tolist(), found.labels) == ([0.001, 0.5], ["here", ""])


def test_a_long_time_axis_has_round_hours() -> None:
    ticks = clock.ticks(0, 86_400, 9)
    assert [clock.text(tick) for tick in ticks][:3] == ["0:00:00", "3:00:00", "6:00:00"]
    assert [clock.text(tick) for tick in clock.ticks(3600.1, 3600.7, 9)][0] == "1:00:00.1"
