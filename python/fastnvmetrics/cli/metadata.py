"""The metadata of a trace as people ask for it: which command, which board, which clocks, which settings."""

from __future__ import annotations

from typing import Any

from .._json_values import object_of, objects_of

__all__ = ["metadata_rows"]


def metadata_rows(metadata: dict[str, Any]) -> list[tuple[str, Any]]:
    """Return names and values, those that are not known among them; any of it can be missing or of another type."""
    board = object_of(metadata.get("board"))
    start = object_of(object_of(metadata.get("clocks")).get("start"))
    governors = {policy.get("governor") for policy in objects_of(start.get("cpu"))}
    options = object_of(metadata.get("options"))
    rows = [
        (name.replace("_", " "), value)
        for name, value in object_of(metadata.get("annotations")).items()
    ]
    rows += [
        ("model", board.get("model")),
        ("host", board.get("host")),
        ("serial number", board.get("serial")),
        ("L4T", board.get("l4t_release")),
        ("kernel", board.get("kernel_release")),
        ("power mode", _power_mode(board)),
        ("clocks locked", _yes_or_no(start.get("locked"))),
        ("CPU governor", sorted(map(str, governors - {None})) or None),
        ("GPU governor", start.get("gpu_governor")),
    ]
    rows += [
        (
            f"sensor {sensor.get('chip')}",
            f"measures every {sensor.get('update_interval_ms')} ms, mean of {sensor.get('samples')}",
        )
        for sensor in objects_of(metadata.get("sensors"))
    ]
    rows.append(("recorder", f"fastnvmetrics {metadata.get('library_version')}"))
    chosen = [
        f"{name} {value}"
        for name, value in options.items()
        if value
        and not name.startswith("write_")
        and name not in ("fast_hz", "medium_hz", "slow_hz")
    ]
    rows.append(("options", chosen))
    return rows


def _power_mode(board: dict[str, Any]) -> str | None:
    """Return the name of the mode and what nvpmodel says."""
    known = [board.get("power_mode_name"), board.get("power_mode")]
    return ", ".join(str(part) for part in known if part) or None


def _yes_or_no(value: Any) -> str | None:
    return None if not isinstance(value, bool) else "yes" if value else "no"
