"""The newest values of a recording, as a dictionary."""

from __future__ import annotations

import math
import struct
from typing import TYPE_CHECKING, TypedDict

from .board import total_power_rails
from .trace_format import MAX_CPU_CORES, MAX_POWER_RAILS, MAX_THERMAL_ZONES

if TYPE_CHECKING:
    from . import _ext

__all__ = ["RailSnapshot", "Snapshot"]

_FAST = struct.Struct(f"<dH{MAX_CPU_CORES}ffQQf")
_MEDIUM = struct.Struct(f"<d{MAX_POWER_RAILS}I{MAX_POWER_RAILS}I{MAX_POWER_RAILS}f")
_SLOW = struct.Struct(f"<d{MAX_THERMAL_ZONES}f")


class RailSnapshot(TypedDict):
    """One power rail. Where `power_mw` is None, a read has failed, and the others are what was read last."""

    voltage_mv: int | None
    current_ma: int | None
    power_mw: float | None


class Snapshot(TypedDict):
    """The newest values of a recording: what `NVMetrics.snapshot` returns.

    What is not known is None: there is no node, a read has failed, the core is offline, the zone powered
    down, or the tier has no sample yet. A value is never 0 or NaN instead, so that ``json.dumps`` makes
    JSON of it.
    """

    #: CLOCK_MONOTONIC at t = 0: ``time.monotonic_ns()`` less this is the time of the recording.
    start_monotonic_ns: int
    #: When the GPU, RAM and the memory controller were sampled, seconds since t = 0.
    time_s: float | None
    #: Per mille, 0 to 1000.
    gpu_load: int | None
    #: % of each core. Of about 100 ms before: how long a core slept is only known when it wakes.
    cpu_util: list[float | None]
    #: %, mean of the online cores, of the same time.
    cpu_aggregate: float | None
    #: kB.
    ram_used_kb: int | None
    ram_available_kb: int | None
    #: % of the memory controller.
    emc_util: float | None
    #: When the rails were sampled.
    medium_time_s: float | None
    #: The rails by label.
    power: dict[str, RailSnapshot]
    #: Power of the module: the sum of the rails that `total_power_rails` names. None where one of them is not
    #: known, or which they are.
    total_power_mw: float | None
    #: When the zones were sampled.
    slow_time_s: float | None
    #: °C of the thermal zones by name.
    temp_c: dict[str, float | None]


def from_native(engine: _ext.Engine) -> Snapshot:
    """Return the newest values of an engine with names."""
    start, fast, medium, slow = engine.snapshot()
    board, cores, *_, rails, zones, _root, _detected = engine.board
    labels = [label for label, _voltage, _current in rails]
    snapshot = Snapshot(
        start_monotonic_ns=start,
        time_s=None,
        gpu_load=None,
        cpu_util=[None] * cores,
        cpu_aggregate=None,
        ram_used_kb=None,
        ram_available_kb=None,
        emc_util=None,
        medium_time_s=None,
        power={
            label: RailSnapshot(voltage_mv=None, current_ma=None, power_mw=None)
            for label in labels
        },
        total_power_mw=None,
        slow_time_s=None,
        temp_c={name: None for name, _path in zones},
    )
    if fast is not None:
        time, gpu, *cpu, aggregate, used, available, emc = _FAST.unpack(fast)
        snapshot["time_s"] = time
        snapshot["gpu_load"] = gpu if engine.gpu_source != "none" else None
        snapshot["cpu_util"] = [_known(value) for value in cpu[:cores]]
        snapshot["cpu_aggregate"] = _known(aggregate)
        snapshot["ram_used_kb"] = used
        snapshot["ram_available_kb"] = available
        snapshot["emc_util"] = emc if emc >= 0 else None
    if medium is not None:
        time, *columns = _MEDIUM.unpack(medium)
        voltage = columns[:MAX_POWER_RAILS]
        current = columns[MAX_POWER_RAILS : 2 * MAX_POWER_RAILS]
        power = [_known(value) for value in columns[2 * MAX_POWER_RAILS :]]
        snapshot["medium_time_s"] = time
        for index, label in enumerate(labels):
            snapshot["power"][label] = RailSnapshot(
                voltage_mv=voltage[index], current_ma=current[index], power_mw=power[index]
            )
        parts = [power[index] for index in total_power_rails(board, labels)]
        known = [part for part in parts if part is not None]
        snapshot["total_power_mw"] = sum(known) if parts and len(known) == len(parts) else None
    if slow is not None:
        time, *degrees = _SLOW.unpack(slow)
        snapshot["slow_time_s"] = time
        snapshot["temp_c"] = {name: _known(value) for (name, _), value in zip(zones, degrees)}
    return snapshot


def _known(value: float) -> float | None:
    return None if math.isnan(value) else value
