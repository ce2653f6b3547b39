"""Clocks of the GPU and of the CPU cores, as the kernel says them."""

from __future__ import annotations

import glob
import os

from ..board import BoardConfig

__all__ = ["Clocks"]

_DEVICES = "sys/class/devfreq"
_POLICIES = "sys/devices/system/cpu/cpufreq/policy[0-9]*/scaling_cur_freq"


class Clocks:
    """The nodes of a board that say a clock; each call reads them anew."""

    def __init__(self, board: BoardConfig) -> None:
        root = os.fsdecode(board.root or os.environ.get("FASTNVMETRICS_ROOT") or "/")
        self._cpu = sorted(glob.glob(os.path.join(glob.escape(root), _POLICIES)))
        self._gpu = ""
        if board.gpu_load_path:
            # The GPU's is the one whose device is that of its load.
            device = os.path.dirname(os.path.realpath(board.gpu_load_path))
            for entry in glob.glob(os.path.join(glob.escape(root), _DEVICES, "*")):
                if os.path.realpath(os.path.join(entry, "device")) == device:
                    self._gpu = os.path.join(entry, "cur_freq")

    def gpu_mhz(self) -> float | None:
        """Return the GPU's clock in MHz, None where it is not known."""
        hertz = _number(self._gpu) if self._gpu else None
        return None if hertz is None else hertz / 1e6

    def cpu_mhz(self) -> float | None:
        """Return the clock of the fastest cores in MHz."""
        kilohertz = [found for found in map(_number, self._cpu) if found is not None]
        return max(kilohertz) / 1e3 if kilohertz else None


def _number(path: str) -> int | None:
    try:
        with open(path, "rb", buffering=0) as file:
            return int(file.read(32))
    except (OSError, ValueError):
        return None
