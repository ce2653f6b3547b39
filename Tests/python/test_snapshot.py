"""NVMetrics.snapshot: the newest sample of each tier, and None for what is not known."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import fastnvmetrics as fm
from files import write
from fastnvmetrics.simulate import Simulator


@pytest.mark.parametrize("name", ["agx_orin", "orin_nano"])
def test_a_snapshot_is_what_the_simulated_board_says(tmp_path: Path, name: str) -> None:
    with Simulator(tmp_path / "root", board=name) as simulator:
        board = fm.detect_board(root=simulator.root)
        with fm.NVMetrics(tmp_path / "run", board=board) as nv:
            while nv.counts["slow_samples"] < 3:
                time.sleep(0.001)
            shots = [nv.snapshot()]
            while shots[-1]["slow_time_s"] == shots[0]["slow_time_s"] or len(shots) < 20:
                time.sleep(0.001)
                shots.append(nv.snapshot())
            slow = nv.counts["slow_samples"]
            while nv.counts["slow_samples"] < slow + 2:  # each sample has one after it
                time.sleep(0.001)
        trace = fm.read_trace(tmp_path / "run")
        truth = simulator.truth
    labels, zones = trace["power_rail_names"], trace["thermal_zone_names"]
    total = fm.total_power_rails(name, labels)
    assert total
    start = trace["start_monotonic_ns"]

    def admits(signal: str, tier: str, index: int, value: float | None) -> bool:
        """Whether the board said so between the sample and the one after it, when its reads are done."""
        times: Any = trace[f"{tier}_time_s"]  # type: ignore[literal-required]
        begin, end = np.rint(times[index : index + 2] * 1e9).astype(np.int64)
        assert value is not None
        instant, seen = np.array([start + begin]), np.array([value])
        return bool(truth.admits(signal, instant, seen, before_ns=1_000, after_ns=end - begin).all())

    for shot in shots:
        assert shot["start_monotonic_ns"] == start
        # Each is a sample of the trace, to the bit.
        fast = np.flatnonzero(trace["fast_time_s"] == shot["time_s"])[0]
        medium = np.flatnonzero(trace["medium_time_s"] == shot["medium_time_s"])[0]
        slow = np.flatnonzero(trace["slow_time_s"] == shot["slow_time_s"])[0]
        assert shot["gpu_load"] == trace["gpu_load"][fast]
        assert shot["ram_used_kb"] == trace["ram_used_kb"][fast]
        assert shot["ram_available_kb"] == trace["ram_available_kb"][fast]
        assert shot["emc_util"] == trace["emc_util"][fast]
        assert list(shot["power"]) == labels and list(shot["temp_c"]) == zones
        power = 0.0
        for rail, label in enumerate(labels):
            values = shot["power"][label]
            assert values["voltage_mv"] == trace["voltage_mv"][medium, rail]
            assert values["current_ma"] == trace["current_ma"][medium, rail]
            assert values["power_mw"] == trace["power_mw"][medium, rail]
            assert admits(f"voltage_mv/{label}", "medium", medium, values["voltage_mv"])
            assert admits(f"current_ma/{label}", "medium", medium, values["current_ma"])
            if rail in total:
                power += float(trace["power_mw"][medium, rail])
        assert shot["total_power_mw"] == pytest.approx(power, rel=1e-12)
        for zone, zone_name in enumerate(zones):
            degrees = shot["temp_c"][zone_name]
            assert degrees == trace["temp_c"][slow, zone]
            assert degrees is not None
            assert admits(f"temp_millic/{zone_name}", "slow", slow, round(degrees * 1000))
        assert admits("gpu_load", "fast", fast, shot["gpu_load"])
        assert admits("ram_available_kb", "fast", fast, shot["ram_available_kb"])
        assert len(shot["cpu_util"]) == trace["num_cpu_cores"]
        assert all(core is not None and 0 <= core <= 100 for core in shot["cpu_util"])
        assert json.loads(json.dumps(shot, allow_nan=False)) == shot


def test_what_a_snapshot_does_not_know_is_none(tmp_path: Path, root: Path) -> None:
    nodes = root / "nodes"
    board = fm.BoardConfig(
        board_name="agx_orin",
        num_cpu_cores=2,
        power_rails=[
            fm.PowerRailConfig("VDD_GPU_SOC", write(nodes / "v", "5000\n"), write(nodes / "c", "200\n")),
            fm.PowerRailConfig("VDD_CPU_CV", str(nodes / "no v"), str(nodes / "no c")),
            fm.PowerRailConfig("VIN_SYS_5V0", write(nodes / "w", "5000\n"), write(nodes / "d", "400\n")),
        ],
        thermal_zones=[
            fm.ThermalZoneConfig("warm", write(nodes / "temp", "41500\n")),
            fm.ThermalZoneConfig("absent", str(nodes / "no temp")),
        ],
        root=str(root),
    )
    with fm.NVMetrics(tmp_path / "run", board=board) as nv:
        while not nv.counts["slow_samples"] or not nv.counts["medium_samples"]:
            time.sleep(0.001)
        shot = nv.snapshot()
    assert shot["gpu_load"] is None and shot["emc_util"] is None
    assert (shot["ram_used_kb"], shot["ram_available_kb"]) == (600, 400)
    assert shot["power"]["VDD_GPU_SOC"] == {"voltage_mv": 5000, "current_ma": 200, "power_mw": 1000.0}
    assert shot["power"]["VDD_CPU_CV"]["power_mw"] is None
    assert shot["total_power_mw"] is None
    assert shot["temp_c"] == {"warm": 41.5, "absent": None}
    json.dumps(shot, allow_nan=False)


def test_a_snapshot_before_the_first_samples_has_all_of_its_keys(
    tmp_path: Path, board: fm.BoardConfig
) -> None:
    rail = fm.PowerRailConfig("RAIL", "/none", "/none")
    zone = fm.ThermalZoneConfig("zone", "/none")
    board = board.copy(power_rails=[rail], thermal_zones=[zone])
    nv = fm.NVMetrics(tmp_path / "run", board=board)

    class Empty:
        def __getattr__(self, name: str) -> Any:
            return getattr(engine, name)

        def snapshot(self) -> Any:
            return 7, None, None, None

    engine, nv._engine = nv._engine, Empty()  # type: ignore[assignment]
    shot = nv.snapshot()
    assert set(shot) == set(fm.Snapshot.__annotations__)
    assert shot["start_monotonic_ns"] == 7
    assert shot["cpu_util"] == [None, None]
    assert shot["power"] == {"RAIL": {"voltage_mv": None, "current_ma": None, "power_mw": None}}
    assert shot["temp_c"] == {"zone": None}
    others = set(shot) - {"start_monotonic_ns", "cpu_util", "power", "temp_c"}
    assert {shot[key] for key in others} == {None}  # type: ignore[literal-required]


def test_a_snapshot_where_nothing_is_recorded_is_refused(tmp_path: Path, board: fm.BoardConfig) -> None:
    nv = fm.NVMetrics(tmp_path / "run", board=board)
    with pytest.raises(fm.FastNVMetricsError, match="not running"):
        nv.snapshot()
    with nv:
        assert nv.snapshot()["ram_available_kb"] == 400
    with pytest.raises(fm.FastNVMetricsError, match="not running"):
        nv.snapshot()
