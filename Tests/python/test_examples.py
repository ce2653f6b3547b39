"""The examples of the documentation run, on a simulated board where they detect one."""

from __future__ import annotations

import doctest
import importlib
import pkgutil
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import fastnvmetrics as fm
from fastnvmetrics.simulate import Simulator

GUIDE = Path(__file__).resolve().parents[2] / "docs" / "python.md"
MODULES = [
    module.name
    for module in pkgutil.iter_modules(fm.__path__)
    if not module.ispkg and not module.name.startswith("_")
]


@pytest.fixture(scope="module")
def board(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with Simulator(tmp_path_factory.mktemp("simulated") / "root", board="orin_nx") as simulator:
        yield simulator.root


@pytest.fixture
def anywhere(tmp_path: Path, board: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("FASTNVMETRICS_ROOT", board)


@pytest.mark.usefixtures("anywhere")
def test_the_guide_runs_as_it_stands(capsys: pytest.CaptureFixture[str]) -> None:
    if not GUIDE.exists():
        pytest.skip("the tests are somewhere else than the documentation")
    blocks = re.findall(r"^```python\n(.*?)^```$", GUIDE.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)
    assert len(blocks) >= 7
    namespace: dict[str, Any] = {}
    for number, block in enumerate(blocks):
        exec(compile(block, f"{GUIDE.name}, block {number}", "exec"), namespace)
    said = capsys.readouterr().out
    assert "% GPU after prefilled" in said and "VDD_IN" in said and "decode" in said


@pytest.mark.usefixtures("anywhere")
@pytest.mark.parametrize("name", MODULES)
def test_examples_of_a_module_run(name: str) -> None:
    module = importlib.import_module(f"fastnvmetrics.{name}")
    options = doctest.NORMALIZE_WHITESPACE | doctest.ELLIPSIS
    failed, _ = doctest.testmod(module, optionflags=options, extraglobs={"fm": fm})
    assert failed == 0
