"""The recipe of docs/containers.md without a container engine: the host's trees, mounted read-only
under a root.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import fastnvmetrics as fm
from fastnvmetrics.simulate import Simulator

PROJECT = Path(__file__).resolve().parents[2]
DOCKERFILE = PROJECT / "Examples/container/Dockerfile"

RECIPE = """
set -e
for name in sys proc; do
  mount --bind "$TREE/$name" "$HOST/$name"
  mount -o remount,bind,ro "$HOST/$name"
done
if touch "$HOST/sys/x" 2>/dev/null; then exit 99; fi
"$PYTHON" -m fastnvmetrics record --duration 0.5 -o run.bin
"$PYTHON" -m fastnvmetrics doctor
"""


def can_mount() -> bool:
    """Whether mounts of one's own are allowed here."""
    if shutil.which("unshare") is None:
        return False
    done = subprocess.run(
        ["unshare", "--mount", "sh", "-c", "mount --bind /tmp /tmp"], capture_output=True
    )
    return done.returncode == 0


@pytest.mark.skipif(not can_mount(), reason="mounts need root, and a container that allows them")
def test_a_root_of_read_only_mounts_is_enough(tmp_path: Path) -> None:
    for name in ("sys", "proc"):
        (tmp_path / "host" / name).mkdir(parents=True)
    with Simulator(tmp_path / "tree", board="orin_nano") as simulator:
        # As on a board: a link out of the mount, whose end a container hides.
        tree = Path(simulator.root)
        (tree / "sys/firmware/devicetree").mkdir(parents=True)
        (tree / "proc/device-tree").rename(tree / "sys/firmware/devicetree/base")
        (tree / "proc/device-tree").symlink_to("/nowhere/firmware/devicetree/base")
        done = subprocess.run(
            ["unshare", "--mount", "sh", "-c", RECIPE],
            capture_output=True,
            text=True,
            timeout=120,
            cwd=tmp_path,
            env={
                **os.environ,
                "TREE": simulator.root,
                "HOST": str(tmp_path / "host"),
                "FASTNVMETRICS_ROOT": str(tmp_path / "host"),
                "PYTHON": sys.executable,
            },
        )
    assert done.returncode == 0, done.stdout + done.stderr
    trace = fm.read_trace(tmp_path / "run.bin")
    assert trace["board_name"] == "orin_nano"
    assert trace["gpu_available"] and trace["emc_available"]
    assert (trace["power_mw"] > 0).all()
    assert trace["metadata"] and trace["metadata"]["board"]["root"] == str(tmp_path / "host")


def test_the_image_asks_for_extras_that_there_are() -> None:
    text = DOCKERFILE.read_text()
    [extras] = re.findall(r"\.whl\)\[([\w,]+)\]", text)
    known = re.findall(r"^(\w+) = \[", (PROJECT / "pyproject.toml").read_text(), re.MULTILINE)
    assert set(extras.split(",")) <= set(known)
    assert re.search(r"^USER (?!root)", text, re.MULTILINE)
    assert "FASTNVMETRICS_ROOT=/host" in text
