"""docs/tutorial.md and docs/recipes.md run as they stand, on a simulated board."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from fastnvmetrics.simulate import Simulator

DOCS = Path(__file__).resolve().parents[2] / "docs"

pytestmark = pytest.mark.skipif(
    not (DOCS / "tutorial.md").exists(), reason="the tests are somewhere else than the documentation"
)


def blocks(text: str, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", text, re.DOTALL | re.MULTILINE)


def run(command: list[str], directory: Path, root: str | None = None) -> str:
    """Run it as in an activated environment; the time-out is there to name a hang."""
    environment = {**os.environ, "PATH": os.path.dirname(sys.executable) + os.pathsep + os.environ["PATH"]}
    environment.pop("FASTNVMETRICS_ROOT", None)
    if root is not None:
        environment["FASTNVMETRICS_ROOT"] = root
    done = subprocess.run(
        command, cwd=directory, env=environment, capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_the_tutorial_goes_from_install_to_joules(tmp_path: Path) -> None:
    text = (DOCS / "tutorial.md").read_text(encoding="utf-8")
    commands = blocks(text, "sh")
    assert commands.pop(0) == "pip install .\n"  # which has been done here, somehow
    programs = re.findall(r"^Save as `(\w+\.py)`:\n\n```python\n(.*?)^```$", text, re.DOTALL | re.MULTILINE)
    assert len(programs) == len(blocks(text, "python")) == 3
    for name, program in programs:
        (tmp_path / name).write_text(program, encoding="utf-8")
    said = run(["bash", "-ec", "\n".join(commands)], tmp_path)
    assert re.search(r"^one takes \d+\.\d+ ± \d+\.\d+ J$", said, re.MULTILINE)
    phases = re.findall(r"^(\S+) J = (\S+) W × (\S+) s$", said, re.MULTILINE)
    assert len(phases) == 3
    watts = {power for _, power, _ in phases}
    assert len(watts) == 1  # the board stands still
    for joules, power, seconds in phases:
        assert float(joules) == pytest.approx(float(power) * float(seconds), rel=0.01, abs=0.01)
    assert re.search(r"^[+-]\d+% joules: (not )?less$", said, re.MULTILINE)


def test_the_recipes_run_as_they_stand(tmp_path: Path) -> None:
    programs = blocks((DOCS / "recipes.md").read_text(encoding="utf-8"), "python")
    assert len(programs) == 3
    said = []
    with Simulator(tmp_path / "root", board="orin_nx") as simulator:
        for number, program in enumerate(programs):
            path = tmp_path / f"recipe{number}.py"
            path.write_text(program, encoding="utf-8")
            said.append(run([sys.executable, path.name], tmp_path, simulator.root))
    timeline, workers, children = said
    assert "\nTrue\n" in timeline and "% GPU" in timeline
    assert re.search(r"^infer .* J ", timeline, re.MULTILINE)
    assert len(re.findall(r"^prepare +8 .* J ", workers, re.MULTILINE)) == 2
    assert len(re.findall(r"^wait for data .* J ", workers, re.MULTILINE)) == 2
    assert "cannot pickle" in children
    for method in ("fork", "spawn"):
        assert f"{method} decorated 49\n" in children
        assert f"{method} refused " in children
        assert f"{method} busy " in children
        assert f"{method} own ['of its own']\n" in children
        assert f"{method} parent: ['item']\n" in children
