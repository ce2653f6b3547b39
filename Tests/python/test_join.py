"""One trace of several."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import fastnvmetrics as fm
import trace_builder
from fastnvmetrics import trace_format as layout
from fastnvmetrics.simulate import Simulator

SECOND = 1_000_000_000
CLOSED = layout.FLAG_VALID | layout.FLAG_CLOSED


def wait_for_samples(nv: fm.NVMetrics, count: int) -> None:
    """Wait until so many more were taken."""
    enough, deadline = nv.sample_count + count, time.monotonic() + 60
    while nv.sample_count < enough:
        assert time.monotonic() < deadline
        time.sleep(0.005)


def build(path: Path, start_s: float, seconds: float = 1.0, **fields: Any) -> Path:
    """A trace of that length; its first samples are at t = 0."""
    fields = {"flags": CLOSED, "start_monotonic_ns": round(start_s * SECOND), **fields}
    content = trace_builder.trace(
        fast=round(seconds * 1000), medium=round(seconds * 100), slow=round(seconds * 10), **fields
    )
    path.write_bytes(content)
    return path


@pytest.fixture(scope="module")
def rotated(tmp_path_factory: pytest.TempPathFactory) -> tuple[list[Path], fm.NVMetrics]:
    """Four traces that one recording was rotated into, with marks and phases across the cuts."""
    directory = tmp_path_factory.mktemp("rotated")
    paths = [directory / f"{number}.bin" for number in range(4)]
    with Simulator(directory / "root", board="agx_orin") as simulator:
        nv = fm.NVMetrics(paths[0], board=fm.detect_board(root=simulator.root), stats=True)
        nv.annotate("note", "first")
        with nv, nv.phase("run"):
            for number, path in enumerate(paths[1:], 1):
                nv.sync(f"mark {number}")
                with nv.phase("step"):
                    wait_for_samples(nv, 250)
                    if number == 2:
                        nv.rotate(path)  # in the middle of a step
                if number != 2:
                    nv.rotate(path)
            nv.annotate("note", "last")
            wait_for_samples(nv, 250)
    return paths, nv


def test_no_sample_is_lost_and_times_go_on(
    rotated: tuple[list[Path], fm.NVMetrics], tmp_path: Path
) -> None:
    paths, nv = rotated
    fm.join(reversed(paths), tmp_path / "all.bin")  # in any order
    trace = fm.read_trace(tmp_path / "all.bin")
    parts = [fm.read_trace(path) for path in paths]
    for tier in ("fast", "medium", "slow"):
        times: Any = trace[f"{tier}_time_s"]  # type: ignore[literal-required]
        assert len(times) == nv.counts[f"{tier}_samples"]
        assert (np.diff(times) > 0).all()
        absolute = [
            (part["start_monotonic_ns"] - parts[0]["start_monotonic_ns"]) * 1e-9
            + part[f"{tier}_time_s"]  # type: ignore[literal-required]
            for part in parts
        ]
        assert np.abs(times - np.concatenate(absolute)).max() < 1e-9
        assert trace[f"missed_{tier}"] == nv.counts[f"missed_{tier}"]  # type: ignore[literal-required]
    for column in ("gpu_load", "cpu_util", "ram_used_kb", "power_mw", "voltage_mv", "temp_c"):
        joined = np.concatenate([part[column] for part in parts])  # type: ignore[literal-required]
        assert trace[column].tobytes() == joined.tobytes()  # type: ignore[literal-required]
    assert not trace["recovered"]
    assert trace["gpu_available"]


def test_phases_are_whole_and_marks_are_numbered_anew(
    rotated: tuple[list[Path], fm.NVMetrics], tmp_path: Path
) -> None:
    paths, _ = rotated
    fm.join(paths, tmp_path / "all.bin")
    trace = fm.read_trace(tmp_path / "all.bin")
    phases = trace["phases"]
    assert phases["name"].tolist() == ["run", "step", "step", "step"]
    assert phases["id"].tolist() == [1, 2, 3, 4]
    assert phases["parent"].tolist() == [0, 1, 1, 1]
    assert phases["was_ended"].all()
    assert trace["sync_labels"]["label"].tolist() == ["mark 1", "mark 2", "mark 3"]
    assert trace["sync_labels"]["sync_id"].tolist() == [1, 2, 3]
    ids = trace["sync_id"]
    first = np.searchsorted(ids, [1, 2, 3])
    assert (trace["fast_time_s"][first] * 1e9 >= trace["sync_labels"]["time_ns"]).all()
    summary = fm.summarize(trace)
    assert [summary[name].count for name in ("run", "step")] == [1, 3]
    lengths = [fm.summarize(path)["run"].duration_s.mean for path in paths]
    assert summary["run"].duration_s.mean == pytest.approx(sum(lengths), abs=0.05)


def test_joules_are_the_sum_of_the_parts(
    rotated: tuple[list[Path], fm.NVMetrics], tmp_path: Path
) -> None:
    paths, _ = rotated
    fm.join(paths, tmp_path / "all.bin")
    whole = fm.summarize(tmp_path / "all.bin")
    parts = [fm.summarize(path) for path in paths]
    joules = [part.whole.energy_j or 0.0 for part in parts]
    gaps_s = whole.duration_s - sum(part.duration_s for part in parts)
    assert whole.whole.energy_j == pytest.approx(sum(joules), abs=0.02 * sum(joules) + 60 * gaps_s)


def test_facts_are_those_of_the_newest_and_statistics_are_added_up(
    rotated: tuple[list[Path], fm.NVMetrics], tmp_path: Path
) -> None:
    paths, nv = rotated
    fm.join(paths, tmp_path / "all.bin")
    trace = fm.read_trace(tmp_path / "all.bin")
    metadata, stats = trace["metadata"], trace["stats"]
    assert metadata is not None and stats is not None
    assert metadata["annotations"] == {"note": "last"}
    assert metadata["joined_traces"] == 4
    assert metadata["start_monotonic_ns"] == trace["start_monotonic_ns"]
    assert metadata["duration_s"] == pytest.approx(trace["fast_time_s"][-1], abs=0.01)
    assert metadata["clocks"]["start"]
    for tier, told in nv.stats["tiers"].items():
        assert stats["tiers"][tier]["samples"] == told["samples"]
        assert stats["tiers"][tier]["missed"] == told["missed"]
    reads = {source["name"]: source["reads"] for source in stats["sources"]}
    assert reads == {source["name"]: source["reads"] for source in nv.stats["sources"]}


def test_the_last_seconds_are_cut_exactly(
    rotated: tuple[list[Path], fm.NVMetrics], tmp_path: Path
) -> None:
    paths, _ = rotated
    fm.join(paths, tmp_path / "all.bin")
    fm.join(paths, tmp_path / "end.bin", last_s=0.6)
    whole, end = fm.read_trace(tmp_path / "all.bin"), fm.read_trace(tmp_path / "end.bin")
    assert end["fast_time_s"][-1] == pytest.approx(0.6)
    shift = (end["start_monotonic_ns"] - whole["start_monotonic_ns"]) * 1e-9
    kept = whole["fast_time_s"] >= shift - 1e-12
    assert kept.sum() == len(end["fast_time_s"])
    assert np.abs(whole["fast_time_s"][kept] - shift - end["fast_time_s"]).max() < 1e-9
    assert end["gpu_load"].tobytes() == whole["gpu_load"][kept].tobytes()
    assert end["phases"]["name"][0] == "run"
    assert end["phases"]["begin_ns"][0] == 0
    assert end["start_realtime_ns"] - whole["start_realtime_ns"] == pytest.approx(
        shift * 1e9, abs=1e6
    )


def test_a_joined_trace_is_one_that_can_be_joined(
    rotated: tuple[list[Path], fm.NVMetrics], tmp_path: Path
) -> None:
    paths, _ = rotated
    fm.join(paths, tmp_path / "all.bin")
    fm.join([tmp_path / "all.bin"], tmp_path / "again.bin")
    one, other = fm.read_trace(tmp_path / "all.bin"), fm.read_trace(tmp_path / "again.bin")
    assert all(
        one[key].tobytes() == other[key].tobytes()  # type: ignore[literal-required]
        for key in one
        if isinstance(one[key], np.ndarray)  # type: ignore[literal-required]
    )
    assert not fm.recover(tmp_path / "all.bin"), "the native reader finds it complete"


def test_a_gap_stays_one_and_a_phase_of_a_killed_recorder_ends_there(tmp_path: Path) -> None:
    path = tmp_path / "a.bin"
    with fm.NVMetrics(path, board=fm.get_board_config("generic_linux")) as nv:
        nv.phase("killed").__enter__()
        wait_for_samples(nv, 50)
    with fm.NVMetrics(tmp_path / "b.bin", board=fm.get_board_config("generic_linux")) as nv:
        with nv.phase("after"):
            wait_for_samples(nv, 50)
    fm.join([path, tmp_path / "b.bin"], tmp_path / "all.bin")
    phases = fm.read_trace(tmp_path / "all.bin")["phases"]
    assert phases["name"].tolist() == ["killed", "after"]
    assert phases["end_ns"][0] <= phases["begin_ns"][1]


def test_counters_are_added_and_the_output_may_be_one_of_the_parts(tmp_path: Path) -> None:
    first = build(tmp_path / "a", 100, missed_fast=3, dropped_samples=1, read_errors=2**32 - 2)
    second = build(tmp_path / "b", 101, missed_fast=4, read_errors=5, flags=CLOSED | 2**2)
    fm.join([first, second], first)
    trace = fm.read_trace(first)
    assert (trace["missed_fast"], trace["dropped_samples"], trace["read_errors"]) == (
        7,
        1,
        2**32 - 1,
    )
    assert trace["recovered"]
    assert trace["fast_time_s"][1000] == pytest.approx(1.0)
    assert sorted(os.listdir(tmp_path)) == ["a", "b"]


def test_traces_that_do_not_fit_are_refused_and_nothing_is_written(tmp_path: Path) -> None:
    good = build(tmp_path / "a", 100)
    cases = {
        "before": build(tmp_path / "overlap", 100.5),
        "num_cpu_cores": build(tmp_path / "cores", 200, num_cpu_cores=3),
        "fast_hz": build(tmp_path / "rate", 200, fast_hz=500),
        "when it began": build(tmp_path / "reference", 0),
        "Unfinished": build(tmp_path / "unfinished", 200, flags=layout.FLAG_VALID),
    }
    for message, other in cases.items():
        with pytest.raises(ValueError, match=message):
            fm.join([good, other], tmp_path / "out")
    with pytest.raises(ValueError, match="no traces"):
        fm.join([], tmp_path / "out")
    for seconds in (0.0, -1.0, float("nan")):
        with pytest.raises(ValueError, match="last_s"):
            fm.join([good], tmp_path / "out", last_s=seconds)
    with pytest.raises(OSError):
        fm.join([good], tmp_path / "no directory" / "out")
    assert not [name for name in os.listdir(tmp_path) if name.startswith("out")]


def test_a_hole_of_an_hour_and_a_cut_in_it(tmp_path: Path) -> None:
    parts = [build(tmp_path / "a", 100), build(tmp_path / "b", 3700)]
    fm.join(parts, tmp_path / "out", last_s=60)
    trace = fm.read_trace(tmp_path / "out")
    assert len(trace["fast_time_s"]) == 1000
    assert trace["start_monotonic_ns"] == 3700 * SECOND
