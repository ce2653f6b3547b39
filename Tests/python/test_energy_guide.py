"""The recipes of docs/energy.md run as they stand."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from fastnvmetrics.simulate import Simulator

GUIDE = Path(__file__).resolve().parents[2] / "docs" / "energy.md"


def test_the_recipes_run_as_they_stand(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    if not GUIDE.exists():
        pytest.skip("the tests are somewhere else than the documentation")
    text = GUIDE.read_text(encoding="utf-8")
    recipes = re.findall(r"^```python\n(.*?)^```$", text, re.DOTALL | re.MULTILINE)
    assert len(recipes) == 4
    monkeypatch.chdir(tmp_path)
    with Simulator(tmp_path / "root", board="orin_nx") as simulator:
        monkeypatch.setenv("FASTNVMETRICS_ROOT", simulator.root)
        namespace: dict[str, Any] = {}
        for number, recipe in enumerate(recipes):
            exec(compile(recipe, f"{GUIDE.name}, recipe {number}", "exec"), namespace)
    said = capsys.readouterr().out
    assert re.search(r"one inference: \d+\.\d+ ± \d+\.\d+ J", said)
    assert "J more than idle" in said and "beyond chance" in said
