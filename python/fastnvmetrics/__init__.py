"""fastnvmetrics: a profiler for NVIDIA Jetson Orin boards.

Recording needs Linux and the package's native code, which is loaded on first use; reading traces
needs numpy alone.

>>> import fastnvmetrics
>>> with fastnvmetrics.NVMetrics("run.bin") as nv:  # doctest: +SKIP
...     with nv.phase("work"):
...         work()
>>> data = fastnvmetrics.read_trace("run.bin")  # doctest: +SKIP
>>> data["power_mw"].mean(axis=0)  # doctest: +SKIP
"""

from .analysis import summarize
from .board import (
    BoardConfig,
    PowerRailConfig,
    ThermalZoneConfig,
    detect_board,
    get_board_config,
    total_power_rails,
)
from .comparison import Comparison, Difference, PhaseComparison, compare
from .diagnosis import NodeReport, doctor, restore_sensors
from .errors import FastNVMetricsError, TraceError, UnfinishedTraceError
from .frames import to_arrow, to_pandas, to_polars
from .joining.join import join
from .mapped import MappedTrace, map_trace
from .native_paths import get_include, get_library_dir
from .phase import Phase
from .phases import in_phase
from .plotting import plot
from .recorder import NVMetrics, recover
from .snapshot import RailSnapshot, Snapshot
from .stats import LatenessStats, SourceStats, Stats, TierStats
from .summary import (
    Distribution,
    PhaseGroup,
    PhaseSummary,
    RailSummary,
    Repeats,
    Summary,
    ZoneSummary,
)
from .trace import read_trace
from .trace_data import TraceData, TraceHeader

__all__ = [
    "BoardConfig",
    "Comparison",
    "Difference",
    "Distribution",
    "FastNVMetricsError",
    "LatenessStats",
    "MappedTrace",
    "NVMetrics",
    "NodeReport",
    "Phase",
    "PhaseComparison",
    "PhaseGroup",
    "PhaseSummary",
    "PowerRailConfig",
    "RailSnapshot",
    "RailSummary",
    "Repeats",
    "Snapshot",
    "SourceStats",
    "Stats",
    "Summary",
    "ThermalZoneConfig",
    "TierStats",
    "TraceData",
    "TraceError",
    "TraceHeader",
    "UnfinishedTraceError",
    "ZoneSummary",
    "__version__",
    "compare",
    "detect_board",
    "doctor",
    "get_board_config",
    "get_include",
    "get_library_dir",
    "in_phase",
    "join",
    "map_trace",
    "plot",
    "read_trace",
    "recover",
    "restore_sensors",
    "summarize",
    "to_arrow",
    "to_pandas",
    "to_polars",
    "total_power_rails",
]

__version__ = "0.3.0"
