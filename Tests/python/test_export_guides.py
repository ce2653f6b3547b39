"""docs/export.md and docs/fleet.md run as they stand, on a trace of a simulated board."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

import fastnvmetrics as fm
from fastnvmetrics.simulate import Simulator
from test_guides import DOCS, blocks, run

pytestmark = pytest.mark.skipif(
    not (DOCS / "export.md").exists(), reason="the tests are somewhere else than the documentation"
)


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    """A directory with run.bin in it."""
    with Simulator(tmp_path / "root", board="orin_nx") as simulator:
        nv = fm.NVMetrics(
            tmp_path / "run.bin", board=fm.detect_board(root=simulator.root), metadata=True
        )
        with nv:
            with nv.phase("decode"):
                while nv.sample_count < 400:
                    os.sched_yield()
    return tmp_path


def programs(text: str, directory: Path) -> str:
    said = []
    for number, program in enumerate(blocks(text, "python")):
        (directory / f"program{number}.py").write_text(program, encoding="utf-8")
        said.append(run([sys.executable, f"program{number}.py"], directory))
    return "".join(said)


def test_the_guide_to_exports_runs(directory: Path) -> None:
    for library in ("pyarrow", "perfetto"):
        pytest.importorskip(library)
    text = (DOCS / "export.md").read_text(encoding="utf-8")
    said = run(["bash", "-ec", "\n".join(blocks(text, "sh"))], directory)
    assert '"time","time_s","voltage_mv_VDD_IN"' in said and "\nmedium " in said
    said = programs(text, directory)
    assert "orin_nx" in said and "VDD_IN" in said and "b'mW'" in said


def test_the_guide_to_fleets_runs(directory: Path) -> None:
    for library in ("pyarrow", "polars", "duckdb"):
        pytest.importorskip(library)
    import duckdb

    text = (
        (DOCS / "fleet.md")
        .read_text(encoding="utf-8")
        .partition("\n## Traces of many devices as one dataset\n")[2]
    )
    text = text.partition("\n## ")[0]
    run(["bash", "-ec", "\n".join(blocks(text, "sh"))], directory)
    said = programs(text, directory)
    assert "(orin_nx) VDD_IN: " in said and "decode" in said and "energy_uncertainty_j" in said
    (query,) = blocks(text, "sql")
    rows = subprocess.run(
        [sys.executable, "-c", f"import duckdb; print(duckdb.sql({query!r}).fetchall())"],
        cwd=directory, capture_output=True, text=True, check=True,
    ).stdout  # fmt: skip
    assert "'decode', 1, " in rows and duckdb.__name__
