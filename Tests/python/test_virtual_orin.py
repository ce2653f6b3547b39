"""What holds the traces of the virtual board against the values that were set: it finds what is off."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import fastnvmetrics as fm
from files import write

REPORT = Path(__file__).parent.parent / "VirtualOrin" / "report.py"
SAID = "all errors 0\nall negatives 3\nall source load\nall stat.cpu0 50.0\ntrace errors {errors}\ntrace stopping 0.010\n"


@pytest.fixture(scope="module")
def brought_back(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A recording whose one phase, `all`, saw a zone at 48.25 degrees, and one that cannot be read."""
    directory = tmp_path_factory.mktemp("back")
    zones = [
        fm.ThermalZoneConfig("warm-thermal", write(directory / "zone/temp", "48250\n")),
        fm.ThermalZoneConfig("gone-thermal", str(directory / "zone/gone")),
    ]
    board = fm.BoardConfig("by_hand", 2, thermal_zones=zones)
    with fm.NVMetrics(directory / "board.bin", board=board, slow_hz=100) as nv, nv.phase("all"):
        while nv.sample_count < 400:
            pass
    errors = fm.read_trace(directory / "board.bin")["read_errors"]
    (directory / "board.bin.said").write_text(SAID.format(errors=errors))
    return directory


def report(directory: Path, expectations: str) -> tuple[int, str]:
    """Its exit status, and what it prints."""
    (directory / "board.bin.set").write_text(f"all {expectations}\n")
    done = subprocess.run(
        [sys.executable, REPORT, directory],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    return done.returncode, done.stdout


GOOD = ["warm-thermal=48.250~0.001", "gone-thermal=nan~~unbound", "errors=0", "negatives=some", "source=load"]
BAD = [
    "warm-thermal=48.260~0.001",
    "warm-thermal=nan",
    "gone-thermal=48.250~0.001",
    "mean:warm-thermal=50~1",
    "back:gone-thermal=1",
    "errors=1",
    "errors=some",
    "source=counters",
    "other-thermal=48.250",
    "nothing",
    "settle=1000 warm-thermal=48.250~0.001",
]


def test_what_was_set_and_read_is_reported_line_by_line(brought_back: Path) -> None:
    status, printed = report(brought_back, " ".join(GOOD))
    assert status == 0, printed
    assert "warm-thermal" in printed and "48.25 (" in printed and "unbound: nan" in printed


@pytest.mark.parametrize("expectation", BAD)
def test_a_value_that_is_not_as_it_was_set_fails(brought_back: Path, expectation: str) -> None:
    status, printed = report(brought_back, f"{' '.join(GOOD)} {expectation}")
    assert status == 1
    assert sum(line.endswith("FAIL") for line in printed.splitlines()) == 1, printed


def test_a_check_that_failed_on_the_board_fails(brought_back: Path, tmp_path: Path) -> None:
    directory = shutil.copytree(brought_back, tmp_path / "back")
    (directory / "checks").write_text("ok   one\nFAIL another\n")
    assert report(directory, " ".join(GOOD))[0] == 1


def test_nothing_that_came_back_fails(tmp_path: Path) -> None:
    assert report(tmp_path, "errors=0")[0] == 1
