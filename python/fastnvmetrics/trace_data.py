"""The types of a trace in memory."""

from __future__ import annotations

from typing import Any, TypedDict

import numpy as np
import numpy.typing as npt

from .stats import Stats

__all__ = ["TraceData", "TraceHeader"]


class TraceHeader(TypedDict):
    """What a trace says of itself and of how it was recorded."""

    board_name: str
    num_cpu_cores: int
    num_power_rails: int
    num_thermal_zones: int
    emc_available: bool
    fast_hz: int
    medium_hz: int
    slow_hz: int
    power_rail_names: list[str]
    thermal_zone_names: list[str]

    # All 0 or False in traces of the C++ reference, which does not write them.

    #: CLOCK_MONOTONIC at t = 0.
    start_monotonic_ns: int
    #: CLOCK_REALTIME at t = 0.
    start_realtime_ns: int
    #: Deadlines skipped because the tier was late.
    missed_fast: int
    missed_medium: int
    missed_slow: int
    #: Samples lost because the disk could not keep up.
    dropped_samples: int
    #: Failed reads of any source.
    read_errors: int
    #: Whether the trace was completed after a crash.
    recovered: bool
    #: Whether `gpu_load` was measured.
    gpu_available: bool

    #: Facts of the board and of the run (``NVMetrics(metadata=True)``, and with phases or labels), as
    #: docs/trace-format.md defines them; None where the trace has none.
    metadata: dict[str, Any] | None
    #: Statistics of the run (``NVMetrics(stats=True)``), likewise.
    stats: Stats | None


class TraceData(TraceHeader):
    """What `read_trace` returns: N fast, M medium and S slow samples, each array C-contiguous."""

    #: (N,) seconds since the start, the same zero for the three tiers.
    fast_time_s: npt.NDArray[np.float64]
    #: (N,) per mille, 0 to 1000.
    gpu_load: npt.NDArray[np.uint16]
    #: (N, cores) %; NaN where a core is offline.
    cpu_util: npt.NDArray[np.float32]
    #: (N,) %, mean of the online cores.
    cpu_aggregate: npt.NDArray[np.float32]
    #: (N,) kB.
    ram_used_kb: npt.NDArray[np.uint64]
    #: (N,) kB.
    ram_available_kb: npt.NDArray[np.uint64]
    #: (N,) %; -1 where it is not available.
    emc_util: npt.NDArray[np.float32]
    #: (M,) seconds.
    medium_time_s: npt.NDArray[np.float64]
    #: (M, rails) mV.
    voltage_mv: npt.NDArray[np.uint32]
    #: (M, rails) mA.
    current_ma: npt.NDArray[np.uint32]
    #: (M, rails) mW; NaN where a read failed.
    power_mw: npt.NDArray[np.float32]
    #: (S,) seconds.
    slow_time_s: npt.NDArray[np.float64]
    #: (S, zones) °C; NaN where a read failed or the zone is powered down.
    temp_c: npt.NDArray[np.float32]
    #: (N,) the last `sync()` before each fast sample; 0 before the first.
    sync_id: npt.NDArray[np.uint64]
    #: Records of `phases.PHASE`, one for each phase in the order of their beginnings: ``id``, ``parent`` (its id,
    #: 0: none), ``depth``, ``thread``, ``begin_ns`` and ``end_ns`` since t = 0, ``was_ended`` (False: it lasts
    #: until the last fast sample), ``name``.
    phases: npt.NDArray[np.void]
    #: Records of `phases.SYNC_LABEL`, one for each sync point that has a label: ``sync_id``, ``time_ns`` since
    #: t = 0, ``label``.
    sync_labels: npt.NDArray[np.void]
