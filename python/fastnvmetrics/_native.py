"""The one place where the native extension is imported.

It is imported on first use and not with the package: traces are read in pure Python, also on
machines that the engine was never built for.
"""

from __future__ import annotations

import importlib
import sys
from types import ModuleType

from .errors import FastNVMetricsError

__all__ = ["load"]

_EXTENSION = "fastnvmetrics._ext"


def load() -> ModuleType:
    """Return the extension module.

    Returns
    -------
    module
        `fastnvmetrics._ext`.

    Raises
    ------
    FastNVMetricsError
        There is no native code here; the message says why and what to do.
    """
    try:
        # Kept by sys.modules: every call but the first is a dictionary look-up.
        return importlib.import_module(_EXTENSION)
    except ImportError as error:
        raise FastNVMetricsError(
            f"the native part of fastnvmetrics is not available: {_reason(error)}. "
            "Reading traces (fastnvmetrics.read_trace) works without it."
        ) from error


def _reason(error: ImportError) -> str:
    """Why the import failed and what to do about it, without a full stop."""
    if not sys.platform.startswith("linux"):
        return f"recording needs Linux and this is {sys.platform}; record on the board itself"
    if isinstance(error, ModuleNotFoundError) and error.name == _EXTENSION:
        return (
            f"this copy has no extension for Python {sys.version_info[0]}.{sys.version_info[1]} "
            f"({error}); install the package with pip, or build it with `pip install .` "
            "in its source directory"
        )
    return (
        f"the extension cannot be loaded ({error}); a wheel for this machine's architecture and C "
        "library, or one built here with `pip install .`, can be"
    )
