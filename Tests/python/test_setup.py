"""What building the package says where something is missing."""

from __future__ import annotations

import importlib.util
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

SOURCE = Path(__file__).resolve().parents[2]

pytestmark = [
    pytest.mark.skipif(not (SOURCE / "setup.py").exists(), reason="the tests are somewhere else than the sources"),
    pytest.mark.skipif(importlib.util.find_spec("setuptools") is None, reason="there is no setuptools here"),
]


def build(tmp_path: Path, first: str) -> subprocess.CompletedProcess[str]:
    """Run setup.py as an installation does, after the lines `first`."""
    script = f"""
import os, runpy, sys, setuptools
sys.argv = ["setup.py", "-q", "build_ext", "-b", sys.argv[1] + "/built", "-t", sys.argv[1] + "/temporary"]
{first}
runpy.run_path("setup.py", run_name="__main__")
"""
    return subprocess.run(
        [sys.executable, "-W", "ignore", "-c", script, str(tmp_path)],
        cwd=SOURCE,
        capture_output=True,
        text=True,
        timeout=120,
    )


def test_an_old_setuptools_is_told_in_a_sentence(tmp_path: Path) -> None:
    done = build(tmp_path, 'setuptools.__version__ = "59.6.0"')
    assert done.returncode == 1
    assert done.stderr == (
        "fastnvmetrics needs setuptools 61 or newer to build, this is 59.6.0: "
        "run `python3 -m pip install --upgrade pip setuptools wheel`.\n"
    )


def test_missing_headers_of_python_are_told_in_a_sentence(tmp_path: Path) -> None:
    done = build(
        tmp_path,
        """
exists = os.path.exists
os.path.exists = lambda path: not str(path).endswith("Python.h") and exists(path)
""",
    )
    assert done.returncode == 1
    assert done.stderr == (
        "fastnvmetrics needs the headers of Python to build and there is no Python.h: "
        "install them, on Ubuntu with `sudo apt install python3-dev`.\n"
    )


@pytest.mark.parametrize("found", ["", "5.10"])
def test_a_missing_or_old_swift_is_told_in_a_sentence(tmp_path: Path, found: str) -> None:
    # The script with the places where it looks beside the PATH taken away.
    text = (SOURCE / "scripts/build-library").read_text(encoding="utf-8")
    text, places = re.subn(r"(?m)^(.*) /opt/swift\S+ [^;]*; do$", r"\1 ; do", re.sub(r"\\\n\s*", "", text))
    assert places == 1
    for directory in ("scripts", "include", "bin"):
        (tmp_path / directory).mkdir()
    script = tmp_path / "scripts/build-library"
    script.write_text(text, encoding="utf-8")
    (tmp_path / "include/fastnvmetrics").symlink_to(SOURCE / "include/fastnvmetrics")
    swift = tmp_path / "bin/swift"
    if found:
        swift.write_text(f"#!/bin/sh\necho 'Swift version {found} (swift-{found}-RELEASE)'\n")
        swift.chmod(0o755)
    for name in ("bash", "sed", "sort", "head", "mkdir", "dirname", "uname"):
        command = shutil.which(name)
        assert command is not None
        (tmp_path / "bin" / name).symlink_to(command)
    done = subprocess.run(
        ["bash", script, "--output", tmp_path / "out"],
        env={"PATH": str(tmp_path / "bin"), "HOME": str(tmp_path)},
        capture_output=True,
        text=True,
    )
    said = f" (found {found} at {swift})" if found else ""
    assert done.returncode == 1
    assert done.stderr == (
        f"build-library: Swift 6.3 or newer is needed{said}: install it from https://www.swift.org/install/linux/\n"
    )
