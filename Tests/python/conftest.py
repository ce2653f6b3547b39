"""Fixtures that more than one file of tests needs."""

from __future__ import annotations

from pathlib import Path

import pytest

import fastnvmetrics as fm
from files import write


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A machine of two cores and nothing else."""
    root = tmp_path / "root"
    ticks = "4 0 4 40 0 0 0 0 0 0"
    write(root / "proc/stat", f"cpu  8 0 8 80 0 0 0 0 0 0\ncpu0 {ticks}\ncpu1 {ticks}\n")
    write(root / "proc/meminfo", "MemTotal: 1000 kB\nMemFree: 300 kB\nMemAvailable: 400 kB\n")
    write(root / "sys/devices/system/cpu/possible", "0-1\n")
    return root


@pytest.fixture
def board(root: Path) -> fm.BoardConfig:
    """A board by hand over that machine, with no node of its own."""
    return fm.BoardConfig(board_name="by_hand", num_cpu_cores=2, root=str(root))
