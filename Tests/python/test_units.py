"""The systemd units of scripts/services."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest
from click.testing import CliRunner

from fastnvmetrics.cli.app import commands

SERVICES = Path(__file__).resolve().parents[2] / "scripts/services"
UNITS = sorted(SERVICES.glob("*.service"))


@pytest.mark.skipif(
    shutil.which("systemd-analyze") is None, reason="systemd-analyze is not installed"
)
def test_systemd_finds_nothing_wrong(tmp_path: Path) -> None:
    stub = tmp_path / "fastnvmetrics"
    stub.write_text("#!/bin/sh\n")
    stub.chmod(0o755)
    units = []
    for unit in [*UNITS, SERVICES.parent / "fastnvmetrics-setup.service"]:
        text = unit.read_text().replace("ExecStart=fastnvmetrics ", f"ExecStart={stub} ")
        text = re.sub(r"ExecStart=/usr/local/\S+", f"ExecStart={stub}", text)
        copy = tmp_path / unit.name.replace("@", "@robot")
        copy.write_text(text)
        units.append(str(copy))
    (tmp_path / "robot.service").write_text("[Service]\nExecStart=/bin/true\n")
    done = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", *units],
        capture_output=True,
        text=True,
        timeout=120,
    )
    # It also speaks of units of this machine.
    mine = [line for line in (done.stdout + done.stderr).splitlines() if "fastnvmetrics" in line]
    assert mine == []


@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.name)
def test_their_options_exist(unit: Path) -> None:
    text = unit.read_text()
    [line] = re.findall(r"fastnvmetrics ((?:record|serve) .*?)'?$", text, re.MULTILINE)
    [options] = re.findall(
        r'^Environment="?FASTNVMETRICS_\w+_OPTIONS=([^"\n]*)', text, re.MULTILINE
    )
    words = (
        re.sub(r'\$+FASTNVMETRICS_\w+|"', "", line)
        .replace("$$pid", "1")
        .replace("%i", "robot")
        .split()
    )
    done = CliRunner().invoke(commands, [*words, *options.split(), "--help"])
    assert done.exit_code == 0, done.output
    for word in [*words, *options.split()]:
        if word.startswith("--"):
            assert word in done.output


def test_there_is_one_for_each_way_to_record() -> None:
    assert [unit.name for unit in UNITS] == [
        "fastnvmetrics-flight.service",
        "fastnvmetrics-follow@.service",
        "fastnvmetrics-record.service",
        "fastnvmetrics-serve.service",
    ]
    for unit in UNITS:
        text = unit.read_text()
        assert "User=fastnvmetrics\n" in text
        assert "CapabilityBoundingSet=\n" in text
    assert (
        (SERVICES / "fastnvmetrics.sysusers")
        .read_text()
        .splitlines()[1]
        .startswith("u fastnvmetrics ")
    )
