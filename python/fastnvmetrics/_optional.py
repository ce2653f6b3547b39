"""Libraries that only a part of the package needs: imported when they are asked for."""

from __future__ import annotations

import importlib
from typing import Any

__all__ = ["library"]


def library(name: str, extra: str | None = None) -> Any:
    """Import a library that an extra of the package brings along.

    Raises
    ------
    ImportError
        It is not installed; the message says how to.
    """
    try:
        return importlib.import_module(name)
    except ImportError as error:
        package = name.partition(".")[0]
        install = f"pip install 'fastnvmetrics[{extra or package}]'"
        raise ImportError(
            f"{package} is needed for this: {install} ({error})", name=package
        ) from error
