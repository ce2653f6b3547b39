"""What traces must have in common for their figures to be comparable."""

from __future__ import annotations

from typing import Any

from ._rail_sensors import rail_sensors

__all__ = ["settings_of"]

_RATES = ("gpu_hz", "ram_hz", "emc_hz", "voltage_hz", "current_hz", "thermal_hz", "native_rates")


def settings_of(trace: Any) -> dict[str, Any]:
    """Return board, power mode, rates and sensors; None is what the trace does not say."""
    metadata = trace["metadata"] if isinstance(trace["metadata"], dict) else {}
    board, options = (
        part if isinstance(part, dict) else {}
        for part in (metadata.get("board"), metadata.get("options"))
    )
    sensors = metadata.get("sensors")
    settings: dict[str, Any] = {
        "board": str(trace["board_name"]),
        "model": board.get("model"),
        "l4t_release": board.get("l4t_release"),
        "power_mode": board.get("power_mode"),
        "fast_hz": int(trace["fast_hz"]),
        "medium_hz": int(trace["medium_hz"]),
        "slow_hz": int(trace["slow_hz"]),
    }
    settings.update((rate, options.get(rate)) for rate in _RATES)
    if isinstance(sensors, list):
        for sensor in sensors:
            if isinstance(sensor, dict):
                for key in ("update_interval_ms", "samples"):
                    settings[f"{key} of {sensor.get('chip')}"] = sensor.get(key)
    for rail in rail_sensors(trace):
        settings[f"current step of {rail.label}"] = rail.current_step_a
    return settings
