"""What traces must have in common for their figures to be comparable."""

from __future__ import annotations

from typing import Any

from ._json_values import object_of, objects_of
from ._rail_sensors import rail_sensors

__all__ = ["settings_of"]

_RATES = ("gpu_hz", "ram_hz", "emc_hz", "voltage_hz", "current_hz", "thermal_hz", "native_rates")


def settings_of(trace: Any) -> dict[str, Any]:
    """Return board, software, power mode, clocks, rates, sensors and annotations; None is what the trace does not say."""
    metadata = object_of(trace["metadata"])
    board, options = object_of(metadata.get("board")), object_of(metadata.get("options"))
    settings: dict[str, Any] = {
        "board": str(trace["board_name"]),
        "model": board.get("model"),
        "l4t_release": board.get("l4t_release"),
        "kernel_release": board.get("kernel_release"),
        "library_version": metadata.get("library_version"),
        "power_mode": board.get("power_mode_name") or board.get("power_mode"),
        **_clocks(object_of(object_of(metadata.get("clocks")).get("start"))),
        "fast_hz": int(trace["fast_hz"]),
        "medium_hz": int(trace["medium_hz"]),
        "slow_hz": int(trace["slow_hz"]),
    }
    settings.update((rate, options.get(rate)) for rate in _RATES)
    for sensor in objects_of(metadata.get("sensors")):
        for key in ("update_interval_ms", "samples"):
            settings[f"{key} of {sensor.get('chip')}"] = sensor.get(key)
    for rail in rail_sensors(trace):
        settings[f"current step of {rail.label}"] = rail.current_step_a
    annotations = object_of(metadata.get("annotations"))
    settings.update((f"annotation {key}", value) for key, value in annotations.items())
    return settings


def _clocks(clocks: dict[str, Any]) -> dict[str, Any]:
    """Return whether the clocks were locked, and the governors: that of all cores, or of each policy."""
    policies = {
        str(policy.get("policy")): policy.get("governor") for policy in objects_of(clocks.get("cpu"))
    }
    found: dict[str, Any] = {
        "clocks_locked": clocks.get("locked"),
        "gpu_governor": clocks.get("gpu_governor"),
    }
    if len(set(policies.values())) == 1:
        found["cpu_governor"] = next(iter(policies.values()))
    else:
        found.update((f"governor of {name}", governor) for name, governor in policies.items())
    return found
