"""What a recording says of itself."""

from __future__ import annotations

import os
import time
import warnings
from pathlib import Path

import pytest

import fastnvmetrics as fm


@pytest.fixture
def board(tmp_path: Path) -> fm.BoardConfig:
    root = tmp_path / "root"
    (root / "proc").mkdir(parents=True)
    (root / "proc/stat").write_text("cpu  100 0 0 900 0 0 0 0\ncpu0 100 0 0 900 0 0 0 0\n")
    (root / "proc/meminfo").write_text("MemTotal: 1000 kB\nMemFree: 1 kB\nMemAvailable: 400 kB\n")
    for name, text in (("load", "500\n"), ("voltage", "5000\n"), ("current", "100\n"), ("temp", "41500\n")):
        (root / name).write_text(text)
    return fm.BoardConfig(
        board_name="bench",
        num_cpu_cores=1,
        gpu_load_path=str(root / "load"),
        power_rails=[fm.PowerRailConfig("VDD_IN", str(root / "voltage"), str(root / "current"))],
        thermal_zones=[fm.ThermalZoneConfig("tj-thermal", str(root / "temp"))],
        root=str(root),
    )


def record(nv: fm.NVMetrics, fast: int, slow: int = 2) -> None:
    while nv.counts["fast_samples"] < fast or nv.counts["slow_samples"] < slow:
        time.sleep(0.002)


def sources(stats: fm.Stats) -> dict[str, fm.SourceStats]:
    return {source["name"]: source for source in stats["sources"]}


def test_nothing_is_known_before_the_first_start(tmp_path: Path, board: fm.BoardConfig) -> None:
    stats = fm.NVMetrics(tmp_path / "run.bin", board=board).stats
    assert (stats["elapsed_s"], stats["cpu_s"], stats["cpu_share"]) == (0, 0, 0)
    assert (stats["tiers"], stats["sources"]) == ({}, [])


def test_statistics_grow_while_it_runs_and_stay_after_stop(tmp_path: Path, board: fm.BoardConfig) -> None:
    nv = fm.NVMetrics(tmp_path / "run.bin", slow_hz=50, board=board)
    with nv:
        record(nv, 50)
        first = nv.stats
        record(nv, 300)
        second = nv.stats
    last = nv.stats
    assert list(last["tiers"]) == ["fast", "medium", "slow"]
    assert [tier["rate_hz"] for tier in last["tiers"].values()] == [1000, 100, 50]
    for earlier, later in ((first, second), (second, last)):
        assert 0 < earlier["elapsed_s"] < later["elapsed_s"]
        assert 0 < earlier["cpu_s"] <= later["cpu_s"]
        assert earlier["tiers"]["fast"]["samples"] < later["tiers"]["fast"]["samples"]
        assert sources(earlier)["ram"]["reads"] < sources(later)["ram"]["reads"]
    assert last["cpu_share"] == pytest.approx(last["cpu_s"] / last["elapsed_s"])
    assert last["tiers"]["fast"]["samples"] == nv.sample_count
    assert last["tiers"]["fast"]["missed"] == nv.counts["missed_fast"]
    assert nv.stats == last


def test_lateness_is_counted_for_each_regular_tick(tmp_path: Path, board: fm.BoardConfig) -> None:
    nv = fm.NVMetrics(tmp_path / "run.bin", board=board)
    with nv:
        record(nv, 300)
    fast = nv.stats["tiers"]["fast"]
    ticks = sum(ticks for _, ticks in fast["lateness_histogram"])
    assert ticks == fast["samples"] - 10 - 1  # the warm-up and the closing sample
    lateness = fast["lateness_us"]
    assert 0 < lateness["median"] <= lateness["p99"] <= lateness["max"]
    ends = [end for end, _ in fast["lateness_histogram"]]
    assert ends == sorted(ends)
    assert ends[-1] > lateness["max"]


def test_each_source_counts_its_reads_and_failures(tmp_path: Path, board: fm.BoardConfig) -> None:
    board.power_rails.append(fm.PowerRailConfig("GONE", "/nowhere/in1_input", "/nowhere/curr1_input"))
    nv = fm.NVMetrics(tmp_path / "run.bin", slow_hz=50, board=board, ram_hz=100)
    with nv:
        record(nv, 300)
    stats = sources(nv.stats)
    assert list(stats) == ["cpu", "gpu", "ram", "emc", "VDD_IN", "GONE", "tj-thermal"]
    assert [stats[name]["tier"] for name in ("gpu", "VDD_IN", "tj-thermal")] == ["fast", "medium", "slow"]
    assert stats["gpu"]["reads"] == nv.sample_count + 1  # and one before t = 0
    assert stats["ram"]["reads"] <= nv.sample_count / 5
    assert stats["ram"]["oldest_us"] > 1000
    assert stats["gpu"]["failures"] == 0
    assert stats["GONE"]["failures"] == nv.counts["read_errors"] > 0
    assert 0 < stats["gpu"]["longest_read_us"] / 1e6 <= stats["gpu"]["read_s"]
    assert not any(stats[name]["own_thread"] for name in ("cpu", "gpu", "ram", "VDD_IN"))


def test_the_trace_has_the_statistics_where_they_were_asked_for(tmp_path: Path, board: fm.BoardConfig) -> None:
    nv = fm.NVMetrics(tmp_path / "run.bin", board=board, stats=True)
    with nv:
        record(nv, 100)
    trace = fm.read_trace(tmp_path / "run.bin")
    stats = nv.stats
    stored = trace["stats"]
    assert stored is not None and trace["metadata"] is not None
    for tier in stats["tiers"].values():
        tier["lateness_histogram"] = [list(bucket) for bucket in tier["lateness_histogram"]]  # type: ignore[misc]
    assert stored == stats
    assert len(trace["fast_time_s"]) == nv.sample_count


def test_a_trace_without_them_has_none(tmp_path: Path, board: fm.BoardConfig) -> None:
    with fm.NVMetrics(tmp_path / "run.bin", board=board):
        pass
    trace = fm.read_trace(tmp_path / "run.bin")
    assert trace["stats"] is None and trace["metadata"] is None


@pytest.mark.parametrize(
    "options",
    [
        {"gpu_hz": -1},
        {"ram_hz": 20001},
        {"realtime": 100},
        {"realtime": -1},
        {"cpu": -2},
        {"cpu": 5000},
        {"rail_samples": 3},
        {"rail_update_interval_ms": 60001},
    ],
)
def test_an_option_out_of_range_is_refused(
    tmp_path: Path, board: fm.BoardConfig, options: dict[str, int]
) -> None:
    with pytest.raises(ValueError, match=next(iter(options))):
        fm.NVMetrics(tmp_path / "run.bin", board=board, **options)  # type: ignore[arg-type]


def test_scheduling_that_is_not_permitted_is_told_and_the_recording_goes_on(
    tmp_path: Path, board: fm.BoardConfig
) -> None:
    nv = fm.NVMetrics(tmp_path / "run.bin", board=board, cpu=1000)
    with pytest.warns(RuntimeWarning, match="CPU 1000"):
        nv.start()
    record(nv, 50)
    nv.stop()
    assert len(fm.read_trace(tmp_path / "run.bin")["fast_time_s"]) == nv.sample_count


def test_the_sampling_threads_run_as_they_are_asked_to(tmp_path: Path, board: fm.BoardConfig) -> None:
    nv = fm.NVMetrics(tmp_path / "run.bin", board=board, cpu=0, realtime=True)
    with warnings.catch_warnings(record=True):
        warnings.simplefilter("always")
        nv.start()
    record(nv, 50)
    threads = {
        (Path("/proc/self/task") / tid / "comm").read_text().strip(): int(tid)
        for tid in os.listdir("/proc/self/task")
    }
    fast = threads["fnvm-fast"]
    assert os.sched_getaffinity(fast) == {0}
    if not any("realtime" in notice for notice in nv.notices):
        assert os.sched_getscheduler(fast) & 0xFF == os.SCHED_FIFO
        assert os.sched_getparam(fast).sched_priority == 50
    assert os.sched_getscheduler(threads["fnvm-spool"]) == os.SCHED_OTHER
    nv.stop()
