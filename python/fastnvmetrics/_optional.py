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
        It is not installed, or does not go with others that are; the message says how to.
    """
    try:
        return importlib.import_module(name)
    except Exception as error:  # protobuf has errors of its own for versions that do not match
        package = name.partition(".")[0]
        reason = str(error).split("\n", 1)[0]
        install = f"pip install 'fastnvmetrics[{extra or package}]'"
        raise ImportError(
            f"{package} is needed for this: {install} ({reason})", name=package
        ) from error
