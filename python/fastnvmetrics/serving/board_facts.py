"""What the system says of the board it runs on, read from the files that say so."""

from __future__ import annotations

import os

from .._trace_file import open_regular
from ..board import BoardConfig

__all__ = ["board_facts"]

_FILES = {
    "model": ("proc/device-tree/model", "sys/firmware/devicetree/base/model"),
    "l4t": ("etc/nv_tegra_release",),
    "power_mode": ("var/lib/nvpmodel/status",),
}


def board_facts(board: BoardConfig) -> dict[str, str]:
    """Return ``model``, ``l4t`` and ``power_mode`` as the files have them; empty where not known.

    ``l4t`` is the first line of ``/etc/nv_tegra_release``, ``power_mode`` that of nvpmodel's
    status, such as ``"pmode:0002"``.
    """
    root = os.fsdecode(board.root) if board.root else "/"
    found = {}
    for name, paths in _FILES.items():
        lines = (_first_line(os.path.join(root, path)) for path in paths)
        found[name] = next((line for line in lines if line), "")
    return found


def _first_line(path: str) -> str:
    try:
        with open_regular(path) as file:
            content = file.read(4096) or b""
    except OSError:
        return ""
    return content.split(b"\n", 1)[0].rstrip(b"\0").decode("utf-8", "replace").strip()
