"""Traces that are read while they are recorded, and the figures of `serve`."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
import pytest

import fastnvmetrics as fm
import trace_builder
from fastnvmetrics import trace_format as layout
from fastnvmetrics.continuous.following import NewSamples, TraceFollower
from fastnvmetrics.serving.windows import LiveFigures, Window
from fastnvmetrics.simulate import Simulator

TIERS = ("fast", "medium", "slow")


def wait_for_samples(nv: fm.NVMetrics, count: int) -> None:
    """Wait until so many more were taken."""
    enough, deadline = nv.sample_count + count, time.monotonic() + 60
    while nv.sample_count < enough:
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_every_sample_comes_once_through_rotations(tmp_path: Path) -> None:
    found: list[NewSamples] = []
    paths = [tmp_path / f"{number}.bin" for number in range(4)]
    with Simulator(tmp_path / "root", board="orin_nx") as simulator:
        with fm.NVMetrics(paths[0], board=fm.detect_board(root=simulator.root)) as nv:
            follower = TraceFollower(paths[0])
            for path in paths[1:]:
                wait_for_samples(nv, 300)
                found += follower.read()
                nv.rotate(path)
                follower.go_on(path)
            assert not follower.is_complete
        found += follower.read()
    assert follower.is_complete
    assert follower.read() == []
    follower.close()
    for tier, record in zip(TIERS, (layout.FAST_SAMPLE, layout.MEDIUM_SAMPLE, layout.SLOW_SAMPLE)):
        seen = np.concatenate([getattr(samples, tier) for samples in found])
        assert seen.dtype == record
        traces = [fm.map_trace(path) for path in paths]
        recorded = np.concatenate([getattr(trace, tier) for trace in traces])
        assert seen.tobytes() == recorded.tobytes()
        assert nv.counts[f"{tier}_samples"] == len(seen)


def test_joules_of_what_was_followed_are_those_of_the_joined_trace(tmp_path: Path) -> None:
    paths = [tmp_path / f"{number}.bin" for number in range(3)]
    with Simulator(tmp_path / "root", board="agx_orin") as simulator:
        with fm.NVMetrics(paths[0], board=fm.detect_board(root=simulator.root)) as nv:
            follower = TraceFollower(paths[0])
            figures = LiveFigures(follower.header)
            for path in paths[1:]:
                wait_for_samples(nv, 400)
                nv.rotate(path)
                follower.go_on(path)
                figures.add(follower.read())
        figures.add(follower.read())
    follower.close()
    fm.join(paths, tmp_path / "all.bin")
    trace = fm.read_trace(tmp_path / "all.bin")
    times, watts = trace["medium_time_s"], trace["power_mw"].astype(float) / 1000
    areas = (np.diff(times)[:, None] * (watts[1:] + watts[:-1]) / 2).sum(axis=0)
    for rail, label in enumerate(trace["power_rail_names"]):
        assert figures.joules[label] == pytest.approx(areas[rail], rel=1e-6)
    assert figures.joules["total"] == pytest.approx(sum(areas[:3]), rel=1e-6)


def samples_of(content: bytes, path: Path) -> list[NewSamples]:
    path.write_bytes(content)
    with TraceFollower(path) as follower:
        return follower.read()


def test_a_complete_trace_is_all_there(tmp_path: Path) -> None:
    [samples] = samples_of(
        trace_builder.trace(fast=50, medium=7, slow=2, marks=[(1, 3)]), tmp_path / "a"
    )
    assert [len(getattr(samples, tier)) for tier in TIERS] == [50, 7, 2]
    assert samples.medium.tobytes() == trace_builder.medium_samples(7).tobytes()


def test_a_trace_without_fast_samples_has_none(tmp_path: Path) -> None:
    [samples] = samples_of(trace_builder.trace(fast=0, medium=200, slow=2), tmp_path / "a")
    assert [len(getattr(samples, tier)) for tier in TIERS] == [0, 200, 2]


def test_half_a_record_waits_for_its_other_half(tmp_path: Path) -> None:
    path = tmp_path / "a"
    records = trace_builder.fast_samples(3).tobytes()
    path.write_bytes(trace_builder.header(flags=layout.FLAG_VALID) + records[:150])
    with TraceFollower(path) as follower:
        assert [len(samples.fast) for samples in follower.read()] == [1]
        assert follower.read() == []
        with path.open("ab") as file:
            file.write(records[150:])
        assert [samples.fast.tobytes() for samples in follower.read()] == [records[98:]]
        assert not follower.is_complete


def test_what_is_no_trace_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"no trace" * 200)
    with pytest.raises(ValueError, match="Bad magic"):
        TraceFollower(tmp_path / "a")
    with pytest.raises(OSError):
        TraceFollower(tmp_path / "missing")


def test_windows_have_least_mean_and_most_and_no_value_where_none_is_known(tmp_path: Path) -> None:
    medium = trace_builder.medium_samples(4)
    medium["power_mw"][:, 0] = [1000, np.nan, 3000, 5000]
    medium["power_mw"][:, 1] = np.nan
    [built] = samples_of(trace_builder.trace(fast=10, medium=4, slow=1), tmp_path / "a")
    figures = LiveFigures(built.header)
    window = figures.add([built._replace(medium=medium)])
    assert figures.columns["medium"][:2] == [("rail_power", "RAIL_A"), ("rail_power", "RAIL_B")]
    power = window.spread("medium", 0)
    assert power is not None
    assert (power.least, power.mean, power.most) == pytest.approx((1, 3, 5))
    assert window.spread("medium", 1) is None
    # RAIL_A: 0.02 s at a mean of 2 W, then 0.01 s at 4 W; the reading that failed is bridged.
    assert figures.joules == {"RAIL_A": pytest.approx(0.08), "RAIL_B": 0.0}
    gpu = window.spread("fast", 0)
    assert gpu is None, "the header does not say that GPU load was measured"
    assert Window().spread("fast", 0) is None


def test_windows_add_up(tmp_path: Path) -> None:
    [built] = samples_of(trace_builder.trace(fast=900, medium=90, slow=9), tmp_path / "a")
    whole = LiveFigures(built.header).add([built])
    parts, figures = Window(), LiveFigures(built.header)
    for first in range(0, 900, 300):
        parts.add(
            figures.add(
                [
                    NewSamples(
                        built.header,
                        built.fast[first : first + 300],
                        built.medium[first // 10 : first // 10 + 30],
                        built.slow[first // 100 : first // 100 + 3],
                    )
                ]
            )
        )
    assert parts.samples == whole.samples == {"fast": 900, "medium": 90, "slow": 9}
    assert parts.seconds == pytest.approx(whole.seconds)
    for tier, columns in figures.columns.items():
        for column in range(len(columns)):
            one, other = parts.spread(tier, column), whole.spread(tier, column)
            assert (one is None) == (other is None)
            if one is not None and other is not None:
                assert (one.least, one.most) == (other.least, other.most)
                assert one.mean == pytest.approx(other.mean)


def test_other_columns_are_refused(tmp_path: Path) -> None:
    [built] = samples_of(trace_builder.trace(fast=10), tmp_path / "a")
    [other] = samples_of(trace_builder.trace(fast=10, num_cpu_cores=3), tmp_path / "b")
    with pytest.raises(ValueError, match="other columns"):
        LiveFigures(built.header).add([other])
