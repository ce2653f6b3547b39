"""The layout of a trace file, version 1, as numpy sees it.

Little-endian and packed; docs/trace-format.md is the specification. A file is the header, the fast,
medium and slow samples, the sync points, then optional chunks.
"""

from __future__ import annotations

import numpy as np

__all__ = [
    "FAST_SAMPLE",
    "FLAG_CLOSED",
    "FLAG_GPU_AVAILABLE",
    "FLAG_RECOVERED",
    "FLAG_VALID",
    "HEADER",
    "MAGIC",
    "MAX_CPU_CORES",
    "MAX_POWER_RAILS",
    "MAX_THERMAL_ZONES",
    "MEDIUM_SAMPLE",
    "SLOW_SAMPLE",
    "SYNC_POINT",
    "VERSION",
]

MAGIC = 0x4E564D54
VERSION = 1

MAX_CPU_CORES = 16
MAX_POWER_RAILS = 8
MAX_THERMAL_ZONES = 16

FLAG_VALID = 1  # the fields from `flags` on are filled
FLAG_CLOSED = 2
FLAG_RECOVERED = 4
FLAG_GPU_AVAILABLE = 8

HEADER = np.dtype(
    [
        ("magic", "<u4"),
        ("version", "<u4"),
        ("board_name", "S32"),
        ("num_cpu_cores", "u1"),
        ("num_power_rails", "u1"),
        ("num_thermal_zones", "u1"),
        ("emc_available", "u1"),
        ("fast_hz", "<u4"),
        ("medium_hz", "<u4"),
        ("slow_hz", "<u4"),
        ("num_fast_samples", "<u8"),
        ("num_medium_samples", "<u8"),
        ("num_slow_samples", "<u8"),
        ("num_sync_points", "<u8"),
        ("power_rail_names", "S24", (MAX_POWER_RAILS,)),
        ("thermal_zone_names", "S24", (MAX_THERMAL_ZONES,)),
        # From here on all zero in traces of the C++ reference.
        ("flags", "<u4"),
        ("missed_fast", "<u4"),
        ("missed_medium", "<u4"),
        ("missed_slow", "<u4"),
        ("start_monotonic_ns", "<u8"),
        ("start_realtime_ns", "<u8"),
        ("chunks_offset", "<u8"),
        ("dropped_samples", "<u4"),
        ("read_errors", "<u4"),
        ("writer_version", "<u4"),
        ("reserved", "V12"),
    ]
)

FAST_SAMPLE = np.dtype(
    [
        ("time_s", "<f8"),
        ("gpu_load", "<u2"),  # per mille
        ("cpu_util", "<f4", (MAX_CPU_CORES,)),  # %; NaN: offline
        ("cpu_aggregate", "<f4"),
        ("ram_used_kb", "<u8"),
        ("ram_available_kb", "<u8"),
        ("emc_util", "<f4"),  # %; -1: not available
    ]
)

MEDIUM_SAMPLE = np.dtype(
    [
        ("time_s", "<f8"),
        ("voltage_mv", "<u4", (MAX_POWER_RAILS,)),
        ("current_ma", "<u4", (MAX_POWER_RAILS,)),
        ("power_mw", "<f4", (MAX_POWER_RAILS,)),  # NaN: read failed
    ]
)

SLOW_SAMPLE = np.dtype(
    [
        ("time_s", "<f8"),
        ("temp_c", "<f4", (MAX_THERMAL_ZONES,)),  # NaN: read failed, or powered down
    ]
)

SYNC_POINT = np.dtype(
    [
        ("sync_id", "<u8"),
        ("fast_sample_idx", "<u8"),  # the first fast sample after the mark
    ]
)
