"""Traces as data frames of pandas and Polars, and as tables of Arrow.

None of these libraries is needed for anything else, and none is imported before it is asked for.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import numpy.typing as npt

from ._carry import carried, rows_at
from ._column_names import column_names
from ._opened import TraceLike, is_aligned, opened
from ._optional import library

if TYPE_CHECKING:
    import pandas
    import polars
    import pyarrow

__all__ = ["Tier", "to_arrow", "to_pandas", "to_polars"]

Tier = Literal["fast", "medium", "slow", "aligned"]

_TIERS = ("fast", "medium", "slow", "aligned")
_FAST = ("gpu_load", "cpu_aggregate", "ram_used_kb", "ram_available_kb", "emc_util")
_RAILS = ("voltage_mv", "current_ma", "power_mw")


def to_pandas(trace: TraceLike, tier: Tier = "fast", *, absolute: bool = False) -> pandas.DataFrame:
    """Return a tier as a pandas DataFrame.

    Parameters
    ----------
    trace
        A path, or what `read_trace` or `map_trace` returned.
    tier
        ``"fast"``, ``"medium"`` or ``"slow"`` with the rows of that tier; ``"aligned"`` has all
        columns, with medium and slow carried forward onto the times of fast, as
        ``read_trace(…, align="fast")`` does.
    absolute
        True puts a column `time` first: UTC, from what the clock said when the recording began.

    Returns
    -------
    pandas.DataFrame
        `time_s`, then the columns by the names of `TraceData`. Those of cores, rails and zones get
        a number or a name: ``cpu_util_0``, ``power_mw_VDD_IN``, ``temp_c_cpu-thermal``. What is not
        known is as in the trace: NaN, or -1 in `emc_util`. Columns are views of the trace's arrays
        and are not to be written to; ``"aligned"`` makes new ones of medium and slow.

    Raises
    ------
    ImportError
        pandas is not installed; the message says how to.
    ValueError
        There is no such tier; or `absolute`, and the trace does not say when it began.
    OSError, TypeError
        As `read_trace`.

    Examples
    --------
    >>> frame = to_pandas("run.bin", "medium", absolute=True)  # doctest: +SKIP
    >>> frame.set_index("time")["power_mw_VDD_IN"].resample("1s").mean()  # doctest: +SKIP
    """
    pandas_ = library("pandas")
    columns, time = _columns(trace, tier, absolute)
    frame: pandas.DataFrame = pandas_.DataFrame(columns, copy=False)
    if time is not None:
        frame.insert(0, "time", pandas_.Series(time.view("M8[ns]")).dt.tz_localize("UTC"))
    return frame


def to_polars(trace: TraceLike, tier: Tier = "fast", *, absolute: bool = False) -> polars.DataFrame:
    """Return a tier as a Polars DataFrame; as `to_pandas`.

    Columns that are contiguous in the trace are shared with it; those of cores, rails and zones are
    copied. NaN stays NaN: ``fill_nan(None)`` makes nulls of them.

    Examples
    --------
    >>> to_polars("run.bin")["gpu_load"].mean()  # doctest: +SKIP
    """
    polars_ = library("polars")
    columns, time = _columns(trace, tier, absolute)
    series = [polars_.Series(name, _contiguous(values)) for name, values in columns.items()]
    if time is not None:
        kind = polars_.Datetime("ns", "UTC")
        series.insert(0, polars_.Series("time", time).cast(kind))
    frame: polars.DataFrame = polars_.DataFrame(series)
    return frame


def to_arrow(trace: TraceLike, tier: Tier = "fast", *, absolute: bool = False) -> pyarrow.Table:
    """Return a tier as an Arrow table; as `to_pandas`.

    Columns that are contiguous in the trace are shared with it; those of cores, rails and zones are
    copied. NaN stays NaN and is no null.

    Examples
    --------
    >>> import pyarrow.parquet  # doctest: +SKIP
    >>> pyarrow.parquet.write_table(to_arrow("run.bin", "aligned"), "run.parquet")  # doctest: +SKIP
    """
    pyarrow_ = library("pyarrow", extra="arrow")
    columns, time = _columns(trace, tier, absolute)
    arrays = {}
    if time is not None:
        arrays["time"] = pyarrow_.array(time).view(pyarrow_.timestamp("ns", tz="UTC"))
    for name, values in columns.items():
        arrays[name] = pyarrow_.array(_contiguous(values))
    table: pyarrow.Table = pyarrow_.table(arrays)
    return table


def _contiguous(values: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Return the column itself where it is contiguous and aligned, else a copy that is."""
    return np.require(values, requirements=["C", "A"])


def _columns(
    trace: TraceLike, tier: str, absolute: bool
) -> tuple[dict[str, npt.NDArray[Any]], npt.NDArray[np.int64] | None]:
    """Return the columns of a tier by name, and absolute times in ns where asked for."""
    if tier not in _TIERS:
        raise ValueError(f"tier must be one of {', '.join(_TIERS)}, not {tier!r}")
    data = opened(trace)
    if tier in ("medium", "slow") and is_aligned(data):
        raise ValueError(
            f'tier {tier!r} is not in a trace that was read with align="fast": read it without, '
            'or take the tier "aligned"'
        )
    times = data["fast_time_s" if tier == "aligned" else f"{tier}_time_s"]
    columns: dict[str, npt.NDArray[Any]] = {"time_s": times}
    if tier in ("fast", "aligned"):
        columns.update((name, data[name]) for name in _FAST)
        cores = data["cpu_util"]
        columns.update((f"cpu_util_{core}", cores[:, core]) for core in range(cores.shape[1]))
        columns["sync_id"] = data["sync_id"]
    if tier in ("medium", "aligned"):
        for name in _RAILS:
            missing = np.nan if name == "power_mw" else 0
            values = _onto(data, name, "medium_time_s", missing, tier)
            columns.update(_named(name, values, data["power_rail_names"]))
    if tier in ("slow", "aligned"):
        values = _onto(data, "temp_c", "slow_time_s", np.nan, tier)
        columns.update(_named("temp_c", values, data["thermal_zone_names"]))
    return columns, _absolute(data, times) if absolute else None


def _named(name: str, values: npt.NDArray[Any], labels: list[str]) -> dict[str, npt.NDArray[Any]]:
    """Return the columns of an array by label; of two with one label, the second gets a number."""
    return {
        column: values[:, index] for index, column in enumerate(column_names(name, labels))
    }


def _onto(data: Any, name: str, time: str, missing: float, tier: str) -> npt.NDArray[Any]:
    values: npt.NDArray[Any] = data[name]
    if tier != "aligned" or is_aligned(data):
        return values
    onto_fast: npt.NDArray[Any] = carried(values, rows_at(data[time], data["fast_time_s"]), missing)
    return onto_fast


def _absolute(data: Any, times: npt.NDArray[np.float64]) -> npt.NDArray[np.int64]:
    begun = int(data["start_realtime_ns"])
    if not begun:
        raise ValueError("this trace does not say when it began: absolute times are not known")
    return begun + np.rint(np.asarray(times) * 1e9).astype(np.int64)
