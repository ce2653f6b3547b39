"""Data frames: the columns of a trace, shared with it where that is possible."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import fastnvmetrics as fm
import power_sensor as ps

GOLDEN = Path(__file__).resolve().parent.parent / "golden" / "agx_orin_v1.bin"


def convert(library: str, *arguments: Any, **options: Any) -> Any:
    """Return a frame of that library as a dictionary of numpy arrays, and the frame."""
    if library == "pandas":
        pytest.importorskip("pandas")
        frame = fm.to_pandas(*arguments, **options)
        return {name: frame[name].to_numpy() for name in frame.columns}, frame
    if library == "polars":
        pytest.importorskip("polars")
        polars = fm.to_polars(*arguments, **options)
        return {name: polars[name].to_numpy() for name in polars.columns}, polars
    pytest.importorskip("pyarrow")
    table = fm.to_arrow(*arguments, **options)
    return {name: table[name].to_numpy() for name in table.column_names}, table


@pytest.fixture(params=["pandas", "polars", "arrow"])
def library(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def test_each_tier_has_its_columns(library: str) -> None:
    data = fm.read_trace(GOLDEN)
    fast, _ = convert(library, data)
    assert list(fast)[:3] == ["time_s", "gpu_load", "cpu_aggregate"]
    assert np.array_equal(fast["cpu_util_3"], data["cpu_util"][:, 3], equal_nan=True)
    assert np.array_equal(fast["sync_id"], data["sync_id"])
    assert fast["ram_used_kb"].dtype == np.uint64 and fast["gpu_load"].dtype == np.uint16
    medium, _ = convert(library, data, "medium")
    assert len(medium) == 1 + 3 * data["num_power_rails"]
    assert np.array_equal(medium["power_mw_VDD_CPU_CV"], data["power_mw"][:, 1], equal_nan=True)
    slow, _ = convert(library, data, tier="slow")
    assert np.array_equal(slow["temp_c_cpu-thermal"], data["temp_c"][:, 0], equal_nan=True)


def test_aligned_has_everything_on_the_times_of_fast(library: str) -> None:
    expected = fm.read_trace(GOLDEN, align="fast")
    for source in (GOLDEN, expected):
        found, _ = convert(library, source, "aligned")
        assert np.array_equal(found["time_s"], expected["fast_time_s"])
        assert np.array_equal(found["current_ma_VIN_SYS_5V0"], expected["current_ma"][:, 2])
        for column, values in (
            ("power_mw_VDD_GPU_SOC", expected["power_mw"][:, 0]),
            ("temp_c_tj-thermal", expected["temp_c"][:, 8]),
        ):
            assert np.array_equal(found[column], values, equal_nan=True)


def test_mapped_traces_give_the_same(library: str) -> None:
    expected, _ = convert(library, GOLDEN, "aligned")
    with fm.map_trace(GOLDEN) as mapped:
        found, _ = convert(library, mapped, "aligned")
    assert list(found) == list(expected)
    for name, values in found.items():
        assert np.array_equal(values, expected[name], equal_nan=True), name


def test_contiguous_columns_are_shared(library: str) -> None:
    data = ps.sampled(lambda times: times)
    found, _ = convert(library, data)
    for column, key in (("time_s", "fast_time_s"), ("ram_used_kb", "ram_used_kb"), ("emc_util", "emc_util")):
        assert np.shares_memory(found[column], data[key]), column


def test_a_shared_frame_outlives_its_trace(library: str) -> None:
    data = ps.sampled(lambda times: times)
    expected = data["fast_time_s"].copy()
    _, frame = convert(library, data)
    del data
    values = frame["time_s"].to_numpy()
    assert np.array_equal(values, expected)


def test_absolute_times_are_utc(library: str) -> None:
    data = ps.sampled(lambda times: times)
    found, frame = convert(library, data, "medium", absolute=True)
    assert next(iter(found)) == "time"
    expected = data["start_realtime_ns"] + np.rint(data["medium_time_s"] * 1e9).astype(np.int64)
    if library == "pandas":
        assert str(frame["time"].dtype) == "datetime64[ns, UTC]"
        assert np.array_equal(frame["time"].astype("int64"), expected)
    elif library == "polars":
        assert frame["time"].dtype.time_zone == "UTC"
        assert np.array_equal(frame["time"].to_physical().to_numpy(), expected)
    else:
        assert str(frame["time"].type) == "timestamp[ns, tz=UTC]"
        assert np.array_equal(frame["time"].to_numpy().astype(np.int64), expected)


def test_a_trace_that_does_not_say_when_it_began_has_no_absolute_times(library: str) -> None:
    data = ps.sampled(lambda times: times, start_realtime_ns=0)
    with pytest.raises(ValueError, match="does not say when it began"):
        convert(library, data, absolute=True)


def test_arguments_are_checked(library: str) -> None:
    with pytest.raises(ValueError, match="tier must be one of fast, medium, slow, aligned"):
        convert(library, GOLDEN, "middle")
    aligned = fm.read_trace(GOLDEN, align="fast")
    with pytest.raises(ValueError, match='tier "aligned"'):
        convert(library, aligned, "medium")
    with pytest.raises(TypeError, match="path or what read_trace"):
        convert(library, 3)


def test_empty_tiers_keep_their_columns(library: str) -> None:
    found, _ = convert(library, ps.empty(), "aligned")
    assert {len(values) for values in found.values()} == {0}
    assert found["power_mw_VDD_IN"].dtype == np.float32


def test_rails_of_one_name_get_columns_of_their_own(library: str) -> None:
    data = ps.sampled(lambda times: np.stack([times, 2 * times], axis=1), rails=("R", "R"))
    found, _ = convert(library, data, "medium")
    assert [name for name in found if name.startswith("power")] == ["power_mw_R", "power_mw_R_1"]


@pytest.mark.parametrize(
    ("function", "module", "extra"),
    [("to_pandas", "pandas", "pandas"), ("to_polars", "polars", "polars"), ("to_arrow", "pyarrow", "arrow")],
)
def test_a_missing_library_is_named_with_its_extra(
    monkeypatch: pytest.MonkeyPatch, function: str, module: str, extra: str
) -> None:
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(ImportError, match=rf"pip install 'fastnvmetrics\[{extra}\]'"):
        getattr(fm, function)(GOLDEN)


def test_importing_the_package_imports_none_of_them() -> None:
    script = (
        "import sys, fastnvmetrics\n"
        "print([name for name in ('pandas', 'polars', 'pyarrow') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
