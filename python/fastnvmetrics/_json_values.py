"""What JSON of anybody's holds, by the type that it should have."""

from __future__ import annotations

from typing import Any

__all__ = ["object_of", "objects_of"]


def object_of(value: Any) -> dict[str, Any]:
    """Return an object; what is none is empty."""
    return value if isinstance(value, dict) else {}


def objects_of(value: Any) -> list[dict[str, Any]]:
    """Return the objects of a list; what is none is empty."""
    return [part for part in value if isinstance(part, dict)] if isinstance(value, list) else []
