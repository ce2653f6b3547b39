"""What is known of the sensors behind a trace's rails."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from .board import total_power_rails

__all__ = ["RailSensor", "rail_sensors", "total_rails"]

# The INA3221: one step of its shunt voltage and of its bus voltage.
_SHUNT_STEP_V = 40e-6
_VOLTAGE_STEP_V = 8e-3

# A cycle has a current and a voltage conversion for each of three channels.
_DUTY = 1 / 6

# Used where the trace has no metadata: what the boards of the catalogue have by design.
_CATALOGUE_SHUNT_UOHM = {"agx_orin": 2000, "orin_nx": 5000, "orin_nano": 5000}
_CATALOGUE_REFRESH_S = 7e-3


@dataclass(frozen=True)
class RailSensor:
    """The sensor of one rail; None stands for what is not known."""

    label: str
    current_step_a: float | None
    voltage_step_v: float | None
    #: Seconds between two values, as a reader sees them.
    refresh_s: float | None
    #: How long before its sample a value was measured, on average.
    lag_s: float


def rail_sensors(trace: Mapping[str, Any]) -> list[RailSensor]:
    """Return the sensor of each rail, from the metadata of the trace, else from the catalogue."""
    board = str(trace["board_name"])
    labels: list[str] = list(trace["power_rail_names"])
    metadata = _mapping(trace["metadata"])
    told = [_mapping(rail) for rail in _items(metadata.get("rails"))]
    if len(told) != len(labels):
        told = [{} for _ in labels]
    chips = {}
    for item in _items(metadata.get("sensors")):
        chip = _mapping(item)
        if isinstance(chip.get("chip"), str):
            chips[chip["chip"]] = chip
    options = _mapping(metadata.get("options"))
    medium_hz = int(trace["medium_hz"])
    ages = _read_ages(trace["stats"])
    return [
        _sensor(board, label, rail, _chip_of(rail, chips), options, medium_hz, ages.get(label))
        for label, rail in zip(labels, told)
    ]


def total_rails(trace: Mapping[str, Any]) -> list[int]:
    """Return the columns that add up to the module's power; empty where that is not known."""
    labels: list[str] = list(trace["power_rail_names"])
    told = [_mapping(rail) for rail in _items(_mapping(trace["metadata"]).get("rails"))]
    flags = [rail.get("in_total") for rail in told]
    if len(flags) == len(labels) and all(isinstance(flag, bool) for flag in flags):
        return [index for index, flag in enumerate(flags) if flag]
    return total_power_rails(str(trace["board_name"]), labels)


def _sensor(
    board: str,
    label: str,
    rail: Mapping[str, Any],
    chip: Mapping[str, Any],
    options: Mapping[str, Any],
    medium_hz: int,
    read_age_s: float | None,
) -> RailSensor:
    shunt_uohm = _positive(rail.get("shunt_uohm"))
    if shunt_uohm is None:
        shunt_uohm = _CATALOGUE_SHUNT_UOHM.get(board)
    interval_ms = _positive(chip.get("update_interval_ms"))
    refresh_s = interval_ms / 1000 if interval_ms is not None else None
    if refresh_s is None and board in _CATALOGUE_SHUNT_UOHM:
        refresh_s = _CATALOGUE_REFRESH_S
    # An average over several cycles is one over all of the refresh, seen in slices.
    averaged = (_positive(chip.get("samples")) or 1) > 1
    measured_s = (refresh_s or 0.0) * (1.0 if averaged else _DUTY)
    held_s = _held_s(options, medium_hz, refresh_s)
    if read_age_s is None:
        read_age_s = held_s / 2
    # The middle of the measurement, half a refresh that the value has waited on average, and how
    # long ago it was read: of which a device that hung says little.
    longest_s = 2 * max(refresh_s or 0.0, held_s)
    lag_s = measured_s / 2 + (refresh_s or 0.0) / 2 + min(read_age_s, longest_s)
    return RailSensor(
        label=label,
        current_step_a=None if shunt_uohm is None else _SHUNT_STEP_V / (shunt_uohm * 1e-6),
        voltage_step_v=None if shunt_uohm is None else _VOLTAGE_STEP_V,
        refresh_s=None if refresh_s is None else max(refresh_s, held_s),
        lag_s=lag_s,
    )


def _held_s(options: Mapping[str, Any], medium_hz: int, refresh_s: float | None) -> float:
    """Return for how long a column holds a value because it is read less often than sampled."""
    current_hz = _positive(options.get("current_hz"))
    native = options.get("native_rates")
    if native is None:
        native = bool(options) and medium_hz > 1000
    held_s = 1 / current_hz if current_hz else (refresh_s or 0.0) if native is True else 0.0
    return held_s if held_s * medium_hz > 1 else 0.0


def _chip_of(rail: Mapping[str, Any], chips: Mapping[str, Mapping[str, Any]]) -> Mapping[str, Any]:
    chip = rail.get("chip")
    return chips.get(chip, {}) if isinstance(chip, str) else {}


def _read_ages(stats: Any) -> dict[str, float]:
    """Return the mean age in seconds of each rail's reads, where the trace has statistics."""
    ages: dict[str, float] = {}
    for item in _items(_mapping(stats).get("sources")):
        source = _mapping(item)
        age_us = _positive(source.get("mean_age_us"))
        if source.get("tier") == "medium" and age_us is not None:
            ages[str(source.get("name"))] = age_us * 1e-6
    return ages


# Metadata is JSON that anyone may have written: a value of another kind is one that is not known.


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _items(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _positive(value: Any) -> float | None:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return None
    return float(value) if 0 < value < float("inf") else None
