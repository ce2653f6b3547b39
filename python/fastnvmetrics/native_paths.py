"""Where a C or C++ program finds the headers and the library of this package."""

from __future__ import annotations

import os

from .errors import FastNVMetricsError

__all__ = ["get_include", "get_library_dir"]

_PACKAGE = os.path.dirname(os.path.abspath(__file__))


def get_include() -> str:
    """Return the directory to compile with, of ``fastnvmetrics/fastnvmetrics.h`` and ``.hpp``.

    Raises
    ------
    FastNVMetricsError
        This copy of the package has no headers.

    Examples
    --------
    >>> import os, fastnvmetrics as fm
    >>> os.listdir(os.path.join(fm.get_include(), "fastnvmetrics")).count("fastnvmetrics.h")
    1
    """
    # In a source tree, which an editable installation is too, they are where they belong.
    for directory in (
        os.path.join(_PACKAGE, "include"),
        os.path.join(os.path.dirname(os.path.dirname(_PACKAGE)), "include"),
    ):
        if os.path.exists(os.path.join(directory, "fastnvmetrics", "fastnvmetrics.h")):
            return directory
    raise FastNVMetricsError(
        "this copy of fastnvmetrics has no headers: they come with the library that it was linked with, or "
        "install it with pip"
    )


def get_library_dir() -> str:
    """Return the directory to link with, of ``libfastnvmetrics-py.so.0`` or the library that was built in.

    That is the library that the package itself uses; its name keeps it apart from a
    ``libfastnvmetrics.so.0`` that is installed by itself. A program finds it at run time with an rpath.

    Raises
    ------
    FastNVMetricsError
        This copy of the package has no library: it was built for reading traces alone, or linked with one that is
        installed by itself.

    Examples
    --------
    >>> import fastnvmetrics as fm
    >>> directory = fm.get_library_dir()
    >>> options = ["-L" + directory, "-l:libfastnvmetrics-py.so.0", "-Wl,-rpath," + directory]
    """
    # FASTNVMETRICS_PREBUILT_LIB brings a library under its own name.
    if not any(name.startswith("libfastnvmetrics") for name in os.listdir(_PACKAGE)):
        raise FastNVMetricsError(
            "this copy of fastnvmetrics has no library: link with the one that it was linked with, or install it "
            "with pip"
        )
    return _PACKAGE
