"""summarize: figures whose values are known in advance."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import fastnvmetrics as fm
import power_sensor as ps
import trace_builder as build
from fastnvmetrics._columns import distribution

GOLDEN = Path(__file__).resolve().parent.parent / "golden"
AGX_RAILS = ("VDD_GPU_SOC", "VDD_CPU_CV", "VIN_SYS_5V0", "VDDQ_VDD2_1V8AO")


def phase(trace: dict[str, Any], begin: float, end: float) -> fm.PhaseSummary:
    """Return what is said of one phase."""
    trace = {**trace, "phases": ps.phases(("work", begin, end))}
    (found,) = fm.summarize(trace)["work"].instances  # type: ignore[arg-type]
    return found


def constant(*watts: float) -> Any:
    return lambda times: np.tile(watts, (len(times), 1))


# ---- Energy


def test_a_constant_power_has_the_energy_of_power_times_time() -> None:
    rail = phase(ps.sampled(constant(8.0)), 0.303, 1.417).rails[0]
    assert rail.energy_j == pytest.approx(8.0 * 1.114, rel=1e-6)
    assert rail.mean_power_w == pytest.approx(8.0, rel=1e-6)
    assert rail.power_w == fm.Distribution(8.0, 8.0, 8.0, 8.0, 8.0)
    assert (rail.readings, rail.failed_reads, rail.bridged_s) == (111, 0, 0.0)


def test_a_linear_ramp_is_integrated_exactly() -> None:
    trace = ps.sampled(lambda times: 2.0 + 6.0 * times)
    for begin, end in ((0.5, 1.5), (0.123, 0.1234), (0.4999, 1.7321)):
        rail = phase(trace, begin, end).rails[0]
        expected = 2.0 * (end - begin) + 3.0 * (end**2 - begin**2)
        assert rail.energy_j == pytest.approx(expected, rel=1e-5)


def test_a_ramp_of_a_known_sensor_is_when_it_was_measured() -> None:
    lag = 0.007 / 2 + 0.007 / 12
    trace = ps.sampled(lambda times: 2.0 + 6.0 * (times - lag), board="orin_nx", rails=("VDD_IN",))
    assert phase(trace, 0.5, 1.5).energy_j == pytest.approx(2.0 + 3.0 * (1.5**2 - 0.5**2), rel=1e-5)


def test_phases_that_meet_add_up_to_the_one_around_them() -> None:
    rng = np.random.default_rng(1)
    trace = ps.sampled(lambda times: rng.uniform(1, 9, len(times)), board="orin_nx", rails=("VDD_IN",))
    edges = [0.0, 0.31, 0.313, 0.9004, 1.5]
    parts = [phase(trace, begin, end).energy_j for begin, end in zip(edges, edges[1:])]
    assert sum(part or math.nan for part in parts) == pytest.approx(phase(trace, 0.0, 1.5).energy_j)


def test_the_whole_lasts_from_zero_to_the_last_fast_sample_with_its_edges_held() -> None:
    trace = ps.sampled(constant(5.0), seconds=2.0)
    trace["medium_time_s"] = trace["medium_time_s"] + 0.02  # a warm-up
    whole = fm.summarize(trace).whole  # type: ignore[arg-type]
    assert (whole.begin_s, whole.end_s) == (0.0, 2.0)
    assert whole.rails[0].energy_j == pytest.approx(10.0, rel=1e-6)
    assert whole.fast_samples == 2000


def test_readings_that_failed_are_bridged_and_never_zero() -> None:
    trace = ps.sampled(lambda times: 2.0 + 6.0 * times, board="orin_nx", rails=("VDD_IN",))
    full = phase(trace, 0.5, 1.5)
    trace["power_mw"][80:100, 0] = np.nan
    found = phase(trace, 0.5, 1.5)
    assert found.energy_j == pytest.approx(full.energy_j, rel=1e-5)
    assert found.rails[0].failed_reads == found.failed_reads == 20
    assert found.rails[0].bridged_s == pytest.approx(0.21)
    assert found.energy_uncertainty_j > full.energy_uncertainty_j  # type: ignore[operator]
    assert any("0.21 s without readings are bridged" in note for note in found.notes)


def test_missing_samples_are_bridged_like_failed_ones() -> None:
    trace = ps.sampled(constant(4.0))
    kept = np.delete(np.arange(200), np.arange(80, 100))
    for key in ("medium_time_s", "voltage_mv", "current_ma", "power_mw"):
        trace[key] = trace[key][kept]
    found = phase(trace, 0.5, 1.5)
    assert found.rails[0].energy_j == pytest.approx(4.0)
    assert found.rails[0].bridged_s == pytest.approx(0.21)
    assert found.missed_samples == 20


def test_a_phase_that_was_mostly_not_measured_has_no_energy_and_says_why() -> None:
    trace = ps.sampled(constant(4.0))
    trace["power_mw"][60:140, 0] = np.nan
    rail = phase(trace, 0.5, 1.5).rails[0]
    assert rail.energy_j is None and rail.energy_uncertainty_j is None
    assert any("there are readings for 19 % of the time" in note for note in phase(trace, 0.5, 1.5).notes)


def test_a_phase_beyond_the_last_reading_has_no_energy_and_says_why() -> None:
    trace = ps.sampled(constant(4.0), board="orin_nx", rails=("VDD_IN",))
    found = phase(trace, 5.0, 6.0)
    assert found.energy_j is None
    assert any("readings for 0 % of the time" in note for note in found.notes)
    assert phase(trace, 1.9, 2.02).energy_j == pytest.approx(4.0 * 0.12, rel=1e-6)


def test_a_rail_whose_every_reading_failed_has_no_energy() -> None:
    trace = ps.sampled(constant(4.0, 5.0))
    trace["power_mw"][:, 0] = np.nan
    summary = fm.summarize(trace)  # type: ignore[arg-type]
    assert [rail.energy_j for rail in summary.whole.rails] == [None, pytest.approx(10.0)]
    assert any(note.startswith("RAIL_0: no reading succeeded") for note in summary.notes)


def test_a_phase_without_length_has_no_energy_and_no_mean_power() -> None:
    rail = phase(ps.sampled(constant(4.0)), 0.7, 0.7).rails[0]
    assert rail.energy_j == 0.0 and rail.mean_power_w is None


# ---- Its uncertainty


def test_a_steady_power_is_as_uncertain_as_its_steps() -> None:
    trace = ps.sampled(constant(5.0), board="orin_nx", rails=("VDD_IN",))
    found = phase(trace, 0.5, 1.5).rails[0]
    current, voltage = 5.0 * 0.008, 1.0 * 0.008  # J of a step of either, in the second
    assert found.sampling_uncertainty_j == 0.0
    # Half a step at most, 95 % of that as one is uniform, and a little for the other.
    assert 0.95 * current / 2 <= found.energy_uncertainty_j <= math.hypot(current, voltage) / 2  # type: ignore[operator]
    assert found.energy_uncertainty_j == found.step_uncertainty_j


def test_steps_follow_the_shunt_of_the_metadata() -> None:
    trace = ps.sampled(constant(5.0), board="orin_nx", rails=("VDD_IN",))
    of_catalogue = phase(trace, 0.5, 1.5).rails[0].step_uncertainty_j
    trace["metadata"] = {"rails": [{"label": "VDD_IN", "shunt_uohm": 1000, "in_total": True}]}
    of_shunt = phase(trace, 0.5, 1.5).rails[0].step_uncertainty_j
    assert of_shunt == pytest.approx(5.0 * of_catalogue, rel=0.05)  # type: ignore[operator]


def test_a_board_that_is_not_known_has_energy_without_uncertainty_and_without_total() -> None:
    summary = fm.summarize(ps.sampled(constant(4.0, 2.0)))  # type: ignore[arg-type]
    assert summary.whole.total is None and summary.whole.energy_j is None
    rail = summary.whole.rails[0]
    assert rail.energy_j == pytest.approx(8.0)
    assert rail.energy_uncertainty_j is None and rail.mean_power_uncertainty_w is None
    assert any("not known which rails" in note for note in summary.notes)
    assert any("RAIL_0: shunt and refresh of its sensor are not known" in note for note in summary.notes)


def test_metadata_make_any_board_known() -> None:
    trace = ps.sampled(constant(4.0, 2.0))
    rail = {"chip": "0-0040", "shunt_uohm": 5000, "in_total": True}
    trace["metadata"] = {
        "rails": [rail, {**rail, "in_total": False}],
        "sensors": [{"chip": "0-0040", "update_interval_ms": 7, "samples": 1}],
    }
    summary = fm.summarize(trace)  # type: ignore[arg-type]
    assert summary.total_rails == ("RAIL_0",)
    assert summary.whole.energy_j == pytest.approx(8.0)
    assert summary.whole.energy_uncertainty_j is not None


@pytest.mark.parametrize("metadata", [None, {}, {"rails": 1}, {"rails": [1, {}]}, {"sensors": "x"}])
def test_metadata_of_any_shape_are_no_harm(metadata: Any) -> None:
    trace = ps.sampled(constant(4.0, 2.0))
    trace["metadata"] = metadata
    assert fm.summarize(trace).whole.rails[0].energy_j == pytest.approx(8.0)  # type: ignore[arg-type]


def test_a_phase_shorter_than_a_refresh_is_as_uncertain_as_power_ranges() -> None:
    trace = ps.sampled(
        lambda times: np.where(times < 1.0, 3.0, 13.0), board="orin_nx", rails=("VDD_IN",)
    )
    found = phase(trace, 0.5, 0.502)
    assert found.energy_j == pytest.approx(3.0 * 0.002, rel=1e-3)
    assert found.energy_uncertainty_j == pytest.approx(1.96 * 10.0 * 0.002 / math.sqrt(12), rel=0.05)
    assert any("too short" in note for note in found.notes)
    assert not phase(trace, 0.5, 0.53).notes


def test_one_reading_has_an_energy_but_no_uncertainty() -> None:
    trace = ps.sampled(constant(4.0), seconds=0.01, board="orin_nx", rails=("VDD_IN",))
    whole = fm.summarize(trace).whole  # type: ignore[arg-type]
    assert whole.energy_j == pytest.approx(0.04) and whole.energy_uncertainty_j is None


# ---- Which rails add up


def test_total_of_agx_counts_each_watt_once() -> None:
    trace = ps.sampled(constant(10.0, 5.0, 3.0, 2.0), board="agx_orin", rails=AGX_RAILS)
    summary = fm.summarize(trace)  # type: ignore[arg-type]
    assert summary.total_rails == AGX_RAILS[:3]
    assert summary.whole.energy_j == pytest.approx(2.0 * 18.0)
    assert summary.whole.mean_power_w == pytest.approx(18.0)
    assert summary.whole.rail("VDDQ_VDD2_1V8AO").energy_j == pytest.approx(4.0)


def test_total_of_nx_is_its_input_alone() -> None:
    names = ("VDD_IN", "VDD_CPU_GPU_CV", "VDD_SOC")
    trace = ps.sampled(constant(10.0, 5.0, 3.0), board="orin_nx", rails=names)
    assert fm.summarize(trace).whole.mean_power_w == pytest.approx(10.0)  # type: ignore[arg-type]


def test_there_is_no_total_where_a_rail_of_it_is_missing() -> None:
    trace = ps.sampled(constant(10.0, 5.0), board="agx_orin", rails=AGX_RAILS[:2])
    assert fm.summarize(trace).whole.total is None  # type: ignore[arg-type]
    trace = ps.sampled(constant(10.0, 5.0, 3.0), board="agx_orin", rails=AGX_RAILS[:3])
    trace["power_mw"][:, 1] = np.nan
    assert fm.summarize(trace).whole.energy_j is None  # type: ignore[arg-type]


def test_total_is_the_sum_of_its_rails_also_where_one_of_them_fails() -> None:
    trace = ps.sampled(constant(10.0, 5.0, 3.0), board="agx_orin", rails=AGX_RAILS[:3])
    trace["power_mw"][50:55, 1] = np.nan
    whole = fm.summarize(trace).whole  # type: ignore[arg-type]
    assert whole.energy_j == pytest.approx(sum(rail.energy_j or 0 for rail in whole.rails))
    assert whole.total is not None and whole.total.failed_reads == 5


# ---- The other columns


def test_means_are_weighted_with_the_time_of_each_sample() -> None:
    trace = ps.sampled(constant(1.0), seconds=1.0)
    keep = np.concatenate((np.arange(0, 500), np.arange(500, 1000, 10)))
    for key in ("fast_time_s", "gpu_load", "cpu_util", "cpu_aggregate", "emc_util", "sync_id"):
        trace[key] = trace[key][keep]
    trace["ram_used_kb"] = trace["ram_used_kb"][keep]
    trace["gpu_load"][trace["fast_time_s"] > 0.5005] = 1000
    found = phase(trace, 0.0, 0.991)
    assert found.gpu_percent is not None
    assert found.gpu_percent.mean == pytest.approx((0.5 * 50 + 0.491 * 100) / 0.991, abs=0.1)
    assert found.gpu_percent.p50 == 50.0 and found.gpu_percent.max == 100.0


@pytest.mark.parametrize("count", [1, 2, 3, 100, 10_002])
def test_percentiles_are_those_of_numpy(count: int) -> None:
    values = np.random.default_rng(count).gamma(2, 3, count)
    found = distribution(values)
    assert found is not None
    expected = np.percentile(values, (50, 95, 99))
    assert (found.p50, found.p95, found.p99) == pytest.approx(tuple(expected), rel=1e-12)
    assert (found.mean, found.max) == (pytest.approx(values.mean()), values.max())


def test_unknown_values_are_none() -> None:
    trace = ps.sampled(constant(1.0), gpu_available=False)
    trace["emc_util"][:] = -1
    trace["cpu_util"][:, 1] = np.nan
    whole = fm.summarize(trace).whole  # type: ignore[arg-type]
    assert whole.gpu_percent is None and whole.emc_percent is None
    assert whole.core_percent[1] is None and whole.core_percent[0] is not None
    assert whole.core_percent[0].mean == pytest.approx(25.0) and whole.core_percent[0].max == 25.0
    assert whole.zones == (fm.ZoneSummary("cpu-thermal", None, None),)


def test_ram_and_temperature_are_those_of_the_phase() -> None:
    trace = ps.sampled(
        constant(1.0),
        slow_time_s=np.arange(20) / 10,
        temp_c=np.arange(20, dtype=np.float32)[:, None] + 40,
    )
    found = phase(trace, 0.55, 1.05)
    assert found.ram_peak_kb == 1048
    assert found.zones == (fm.ZoneSummary("cpu-thermal", 48.0, 50.0),)
    # Between two samples the one before holds.
    assert phase(trace, 0.55, 0.56).zones == (fm.ZoneSummary("cpu-thermal", 45.0, 45.0),)


# ---- Phases


def test_phases_of_one_name_are_grouped() -> None:
    trace = ps.sampled(lambda times: np.where(times % 1 < 0.5, 4.0, 8.0), seconds=6.0)
    trace["board_name"], trace["power_rail_names"] = "orin_nx", ["VDD_IN"]
    rows = [("a", 0.1, 0.4), ("b", 0.6, 0.9), ("a", 1.1, 1.4), ("a", 2.6, 2.9)]
    summary = fm.summarize({**trace, "phases": ps.phases(*rows)})  # type: ignore[arg-type]
    assert list(summary) == ["a", "b"] and len(summary) == 2
    group = summary["a"]
    assert group.count == 3 and group.energy_j is not None
    assert group.energy_j.mean == pytest.approx((1.2 + 1.2 + 2.4) / 3, rel=1e-3)
    assert group.energy_j.standard_deviation == pytest.approx(np.std([1.2, 1.2, 2.4], ddof=1), rel=1e-3)
    # Student's t with two degrees of freedom.
    expected = 4.303 * np.std([1.2, 1.2, 2.4], ddof=1) / math.sqrt(3)
    assert group.energy_j.uncertainty == pytest.approx(expected, rel=0.02)
    assert summary["b"].energy_j is not None and summary["b"].energy_j.standard_deviation is None
    with pytest.raises(KeyError, match="no phase 'c'; there are: a, b"):
        summary["c"]


def test_a_power_of_zero_is_a_power() -> None:
    trace = ps.sampled(constant(0.0), board="orin_nx", rails=("VDD_IN",))
    trace["phases"] = ps.phases(("off", 0.5, 1.0))
    group = fm.summarize(trace)["off"]  # type: ignore[arg-type]
    assert group.energy_j is not None and group.energy_j.mean == 0.0
    assert group.mean_power_w is not None and group.mean_power_w.mean == 0.0


def test_a_phase_that_was_never_ended_lasts_to_the_end_of_the_trace() -> None:
    trace = ps.sampled(constant(4.0))
    rows = ps.phases(("open", 0.5, 0.5))
    rows["was_ended"] = False
    (found,) = fm.summarize({**trace, "phases": rows})["open"].instances  # type: ignore[arg-type]
    assert (found.end_s, found.was_ended) == (2.0, False)
    assert found.rails[0].energy_j == pytest.approx(6.0)
    assert "it was never ended" in found.notes[0]


def test_without_phases_sync_points_part_the_trace() -> None:
    trace = ps.sampled(constant(4.0))
    trace["sync_id"] = np.repeat(np.arange(4, dtype=np.uint64), 500)
    summary = fm.summarize(trace)  # type: ignore[arg-type]
    assert list(summary) == ["sync 1", "sync 2", "sync 3"]
    assert summary["sync 2"].duration_s.mean == pytest.approx(0.5)
    assert summary["sync 3"].instances[0].rails[0].energy_j == pytest.approx(4.0 * 0.499)


def test_labels_name_the_phases_between_sync_points_and_say_when_they_began() -> None:
    trace = ps.sampled(constant(4.0))
    trace["sync_id"] = np.repeat(np.arange(4, dtype=np.uint64), 500)
    labels = np.zeros(2, [("sync_id", "u8"), ("time_ns", "i8"), ("label", "U87")])
    labels["sync_id"], labels["time_ns"] = [1, 3], [500_250_000, 1_500_500_000]
    labels["label"] = ["warm", "hot"]
    summary = fm.summarize({**trace, "sync_labels": labels})  # type: ignore[arg-type]
    assert list(summary) == ["warm", "sync 2", "hot"]
    assert summary["warm"].instances[0].begin_s == pytest.approx(0.50025)
    assert summary["hot"].instances[0].begin_s == pytest.approx(1.5005)


def test_a_recovered_trace_says_so() -> None:
    trace = ps.sampled(constant(4.0), recovered=True, dropped_samples=7)
    notes = fm.summarize(trace).notes  # type: ignore[arg-type]
    assert "was recovered" in notes[0] and notes[1].startswith("7 samples were lost")


# ---- What it takes and gives


def test_paths_arrays_and_mappings_give_the_same() -> None:
    path = GOLDEN / "agx_orin_v1.bin"
    expected = fm.summarize(path).to_dict()
    assert fm.summarize(fm.read_trace(path)).to_dict() == expected
    with fm.map_trace(path) as mapped:
        assert fm.summarize(mapped).to_dict() == expected


def test_other_arguments_are_refused() -> None:
    with pytest.raises(TypeError, match="path or what read_trace"):
        fm.summarize(3)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="align"):
        fm.summarize(fm.read_trace(GOLDEN / "agx_orin_v1.bin", align="fast"))


@pytest.mark.parametrize("counts", [(0, 0, 0), (5, 0, 0), (0, 5, 0), (0, 0, 1), (1, 1, 1)])
def test_traces_without_samples_have_a_summary(tmp_path: Path, counts: tuple[int, int, int]) -> None:
    (tmp_path / "trace.bin").write_bytes(build.trace(*counts))
    summary = fm.summarize(tmp_path / "trace.bin")
    json.dumps(summary.to_dict(), allow_nan=False)
    assert str(summary)


def test_a_trace_without_rails_has_no_energy() -> None:
    trace = ps.empty("generic_linux", ())
    summary = fm.summarize(trace)  # type: ignore[arg-type]
    assert summary.whole.energy_j is None and summary.whole.rails == ()
    assert "no power rails" in summary.notes[0]


def test_to_dict_is_json_with_properties() -> None:
    trace = ps.sampled(constant(8.0), board="orin_nx", rails=("VDD_IN",))
    trace["phases"] = ps.phases(("work", 0.5, 1.5))
    found = json.loads(json.dumps(fm.summarize(trace).to_dict(), allow_nan=False))  # type: ignore[arg-type]
    assert found["phases"][0]["count"] == 1
    assert found["phases"][0]["instances"][0]["energy_j"] == pytest.approx(8.0)
    assert found["whole"]["total"]["label"] == "total"


def test_the_table_is_aligned_and_has_units() -> None:
    trace = ps.sampled(constant(8.0), board="orin_nx", rails=("VDD_IN",))
    trace["phases"] = ps.phases(("prefill", 0.2, 0.5), ("decode", 0.5, 1.5), ("decode", 1.5, 1.9))
    text = str(fm.summarize(trace))  # type: ignore[arg-type]
    lines = {line.split()[0]: line for line in text.splitlines() if line}
    assert "VDD_IN" in lines["orin_nx,"]
    assert len(lines["prefill"]) == len(lines["phase"]) == len(lines["(whole)"])
    assert "2.4000 ± 0.0063 J" in lines["prefill"] and "50.0 %" in lines["prefill"]
    assert str(fm.summarize(trace)["decode"].instances[0]).startswith("phase")  # type: ignore[arg-type]


def test_a_name_sends_no_commands_to_a_terminal() -> None:
    trace = ps.sampled(constant(4.0))
    trace["phases"] = ps.phases(("red\x1b[31m\nnext", 0.1, 0.5))
    text = str(fm.summarize(trace))  # type: ignore[arg-type]
    assert "red\ufffd[31m\ufffdnext" in text and "\x1b" not in text


def test_times_that_are_no_numbers_are_no_harm() -> None:
    trace = ps.sampled(constant(4.0))
    trace["fast_time_s"][3] = np.nan
    trace["medium_time_s"][20] = np.nan
    summary = fm.summarize(trace)  # type: ignore[arg-type]
    assert "nan" not in str(summary)
    assert summary.whole.rails[0].energy_j in (None, pytest.approx(8.0, rel=0.02))
