"""The tables of a dataset: the same columns whatever the board."""

from __future__ import annotations

from typing import Any

__all__ = ["TABLES", "schema_of"]

# Types that every reader has. Spark reads no unsigned numbers and no nanoseconds.
_TABLES: dict[str, str] = {
    "fast": "run:text time:time time_s:real gpu_load:int cpu_aggregate:single cpu_util:singles "
    "emc_util:single ram_used_kb:int ram_available_kb:int sync_id:int phase:text",
    "rails": "run:text time:time time_s:real rail:text in_total:bool voltage_mv:int current_ma:int "
    "power_mw:single phase:text",
    "zones": "run:text time:time time_s:real zone:text temp_c:single phase:text",
    "marks": "run:text time:time time_s:real sync_id:int label:text",
    "phases": "run:text begin:time end:time phase:text id:int parent:int depth:int thread:int "
    "was_ended:bool begin_s:real end_s:real duration_s:real energy_j:real "
    "energy_uncertainty_j:real mean_power_w:real gpu_percent:real cpu_percent:real "
    "emc_percent:real ram_peak_kb:int temp_max_c:real",
    "runs": "run:text begin:time duration_s:real source:text board:text host:text serial:text "
    "model:text l4t_release:text kernel_release:text power_mode:text power_mode_name:text "
    "library_version:text command:text exit_code:int annotations:text cores:int "
    "rails:texts zones:texts fast_hz:int medium_hz:int slow_hz:int fast_samples:int "
    "medium_samples:int slow_samples:int missed:int dropped_samples:int read_errors:int "
    "recovered:bool energy_j:real energy_uncertainty_j:real mean_power_w:real "
    "gpu_percent:real cpu_percent:real emc_percent:real ram_peak_kb:int temp_max_c:real "
    "metadata:text stats:text",
}

#: Their names; `runs` is the last to be written.
TABLES = tuple(_TABLES)


def schema_of(table: str, facts: str) -> Any:
    """Return the Arrow schema of a table, with the facts of a trace under ``fastnvmetrics``."""
    import pyarrow as pa

    kinds = {
        "text": pa.string(),
        "texts": pa.list_(pa.string()),
        "time": pa.timestamp("us", tz="UTC"),
        "real": pa.float64(),
        "single": pa.float32(),
        "singles": pa.list_(pa.float32()),
        "int": pa.int64(),
        "bool": pa.bool_(),
    }
    fields = (field.split(":") for field in _TABLES[table].split())
    return pa.schema(
        [(name, kinds[kind]) for name, kind in fields], metadata={"fastnvmetrics": facts}
    )
