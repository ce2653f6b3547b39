"""Plots hold what the trace holds: pictures and pages of traces whose values are known."""

from __future__ import annotations

import base64
import contextlib
import json
import os
import re
import struct
import subprocess
import sys
import warnings
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import fastnvmetrics as fm
import trace_builder
from fastnvmetrics.phases import EVENT
from fastnvmetrics.plotting import page

RUN = [sys.executable, "-m", "fastnvmetrics", "plot"]
NAMES = ("request", "prefill", "decode <b>&$x$")


def chunk(kind: bytes, payload: bytes) -> bytes:
    return struct.pack("<4sQI", kind, len(payload), zlib.crc32(payload)) + payload


def events(*rows: tuple[float, int, int, int, str]) -> bytes:
    """Records of PHAS: (time, kind, id, parent, name)."""
    found = np.zeros(len(rows), EVENT)
    for record, (time, kind, number, parent, name) in zip(found, rows):
        record["time_ns"], record["kind"], record["thread"] = round(time * 1e9), kind, 7
        record["id"], record["parent"], record["name"] = number, parent, name.encode()
    return found.tobytes()


def trace(
    path: Path, fast: int = 3000, metadata: dict[str, Any] | None = None, **fields: Any
) -> Path:
    """Three seconds with phases and a label."""
    content = trace_builder.trace(
        fast=fast, medium=fast // 10, slow=fast // 100, marks=[(1, 700)],
        **{"flags": 1 | 2 | 8, "start_monotonic_ns": 1, "emc_available": 1, **fields},
    )  # fmt: skip
    payload = events(
        (0.5, 2, 1, 0, NAMES[0]), (0.5, 2, 2, 1, NAMES[1]), (1.0, 3, 2, 0, ""), (1.0, 2, 3, 1,
        NAMES[2]), (2.5, 3, 3, 0, ""), (2.5, 3, 1, 0, ""), (0.7, 1, 1, 0, "half way"),
    )  # fmt: skip
    chunks = chunk(b"PHAS", payload)
    if metadata is not None:
        chunks += chunk(b"META", json.dumps(metadata).encode())
    whole = bytearray(content + chunks)
    offset = fm.trace_format.HEADER.fields["chunks_offset"][1]  # type: ignore[index]
    whole[offset : offset + 8] = struct.pack("<Q", len(content))
    path.write_bytes(bytes(whole))
    return path


def data_of(page: Path) -> dict[str, Any]:
    found = re.search(
        r'<script type="application/json" id="data">(.*?)</script>',
        page.read_text("utf-8"),
        re.DOTALL,
    )
    assert found is not None
    data: dict[str, Any] = json.loads(found[1])
    return data


def unpacked(array: dict[str, Any]) -> npt.NDArray[Any]:
    values = np.frombuffer(base64.b64decode(array["base64"]), f"<{array['kind']}")
    if "step" not in array:
        return values
    return np.where(values == 65535, np.nan, array["lowest"] + values * array["step"])


def run(*arguments: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run([*RUN, *map(str, arguments)], capture_output=True, text=True, timeout=120)


@pytest.fixture
def plotly() -> Any:
    return pytest.importorskip("plotly")


@pytest.fixture
def matplotlib() -> Any:
    return pytest.importorskip("matplotlib")


def test_the_page_holds_the_samples_of_the_trace(tmp_path: Path, plotly: Any) -> None:
    path = trace(tmp_path / "run.bin")
    fm.plot(path, tmp_path / "run.html")
    data, read = data_of(tmp_path / "run.html"), fm.read_trace(path)
    panels = {panel["title"]: panel for panel in data["panels"]}
    assert list(panels) == ["utilisation", "power", "temperature", "RAM used"]
    fast = panels["utilisation"]
    assert fast["is_exact"]
    assert np.array_equal(unpacked(data["times"][fast["time"]]), read["fast_time_s"])
    lines = {line["label"]: unpacked(line["mean"]) for line in fast["lines"]}
    assert np.allclose(lines["GPU"], np.minimum(read["gpu_load"] / 10, 100), atol=0.0051)
    assert np.allclose(lines["CPU"], read["cpu_aggregate"], atol=0.0051)
    assert np.allclose(lines["EMC"], read["emc_util"], atol=0.0051)
    power = panels["power"]
    assert [line["label"] for line in power["lines"]] == ["RAIL_A", "RAIL_B"]
    assert np.allclose(unpacked(power["lines"][1]["mean"]), read["power_mw"][:, 1] / 1000)
    degrees = panels["temperature"]["lines"][2]
    assert np.allclose(unpacked(degrees["mean"]), read["temp_c"][:, 2], atol=0.0051)
    cores = [unpacked(row) for row in data["cores"]["rows"]]
    assert np.allclose(cores, read["cpu_util"].T, atol=0.51)


def test_the_page_of_a_long_trace_holds_its_envelope(tmp_path: Path, plotly: Any) -> None:
    path = trace(tmp_path / "run.bin", fast=20_000)
    content = bytearray(path.read_bytes())
    row = len(trace_builder.header()) + 12_345 * fm.trace_format.FAST_SAMPLE.itemsize + 8
    content[row : row + 2] = struct.pack("<H", 1000)
    path.write_bytes(bytes(content))
    fm.plot(path, tmp_path / "run.html", points=1000)
    panel = data_of(tmp_path / "run.html")["panels"][0]
    assert not panel["is_exact"]
    gpu = panel["lines"][0]
    low, mean, high = (unpacked(gpu[name]) for name in ("low", "mean", "high"))
    load = fm.read_trace(path)["gpu_load"] / 10
    assert len(mean) == 200
    assert high.max() == pytest.approx(load.max()) and low.min() == pytest.approx(load.min())
    assert high[123] == pytest.approx(100)
    assert mean.mean() == pytest.approx(load.mean(), abs=0.1)


def test_the_page_holds_phases_and_labels_and_asks_nobody_for_anything(
    tmp_path: Path, plotly: Any
) -> None:
    path = trace(tmp_path / "run.bin")
    fm.plot(path, tmp_path / "run.html", title="</script><script>alert(1)</script>")
    text = (tmp_path / "run.html").read_text("utf-8")
    data = data_of(tmp_path / "run.html")
    phases = data["phases"]
    assert phases["names"] == ["request", "prefill", "decode &lt;b&gt;&amp;$x$"]
    assert unpacked(phases["begin_s"]).tolist() == [0.5, 0.5, 1.0]
    assert unpacked(phases["lane"]).tolist() == [0, 1, 1]
    assert data["marks"]["labels"] == ["half way"]
    assert unpacked(data["marks"]["time_s"]).tolist() == pytest.approx([0.7])
    assert not re.search(
        r"<(script|link|img|iframe)[^>]+(src|href)=", text.replace("\\/", "/").split("<script>")[0]
    )
    assert "default-src 'none'" in text
    assert "</script><script>alert" not in text
    assert text.count("</script>") == 4


def test_the_energy_is_that_of_the_summary(tmp_path: Path, plotly: Any) -> None:
    rails = {"power_rail_names": [b"VDD_IN", b"VDD_CPU_GPU_CV", b"VDD_SOC"], "num_power_rails": 3}
    path = trace(
        tmp_path / "run.bin",
        board_name=b"orin_nx",
        metadata={"annotations": {"command": "./infer a"}},
        **rails,
    )
    fm.plot(path, tmp_path / "run.html")
    text = (tmp_path / "run.html").read_text("utf-8")
    whole = fm.summarize(path).whole
    assert whole.energy_j is not None and whole.energy_uncertainty_j is not None
    found = re.search(r"([\d.]+) ± ([\d.]+) J", text)
    assert found is not None
    assert float(found[1]) == pytest.approx(whole.energy_j, rel=1e-3)
    assert float(found[2]) == pytest.approx(whole.energy_uncertainty_j, rel=0.05)
    assert "orin_nx  ·  ./infer a" in text
    labels = [line["label"] for line in data_of(tmp_path / "run.html")["panels"][1]["lines"]]
    assert labels == ["VDD_IN (module)", "VDD_CPU_GPU_CV", "VDD_SOC"]


def test_gaps_stay_gaps_and_panels_without_data_are_left_out(tmp_path: Path, plotly: Any) -> None:
    path = trace(tmp_path / "run.bin", flags=1 | 2)
    data: Any = dict(fm.read_trace(path))
    data["emc_util"] = np.full(3000, -1, np.float32)
    data["power_mw"][100:200] = np.nan
    data["temp_c"][:] = np.nan
    fm.plot(data, tmp_path / "run.html")
    panels = data_of(tmp_path / "run.html")["panels"]
    assert [panel["title"] for panel in panels] == ["utilisation", "power", "RAM used"]
    assert [line["label"] for line in panels[0]["lines"]] == ["CPU"]
    assert np.isnan(unpacked(panels[1]["lines"][0]["mean"])[100:200]).all()


def test_pictures_are_written_in_each_format_and_hold_text(tmp_path: Path, matplotlib: Any) -> None:
    path = trace(tmp_path / "run.bin")
    for ending, magic in (("png", b"\x89PNG"), ("svg", b"<?xml"), ("pdf", b"%PDF")):
        fm.plot(path, tmp_path / f"run.{ending}")
        assert (tmp_path / f"run.{ending}").read_bytes().startswith(magic)
    text = (tmp_path / "run.svg").read_text("utf-8")
    for name in (
        "request",
        "prefill",
        "decode &lt;b&gt;&amp;$x$",
        "half way",
        "RAIL_A",
        "zone-c",
        "utilisation, %",
    ):
        assert name in text
    assert sorted(os.listdir(tmp_path)) == ["run.bin", "run.pdf", "run.png", "run.svg"]


def test_a_figure_for_programs_changes_no_setting_of_theirs(
    tmp_path: Path, matplotlib: Any
) -> None:
    before = dict(matplotlib.rcParams)
    figure = fm.plot(trace(tmp_path / "run.bin"))
    assert figure is not None
    assert len(figure.axes) == 7  # phases, five panels, the scale of the cores
    assert dict(matplotlib.rcParams) == before
    gpu = next(line for line in figure.axes[1].lines if line.get_label() == "GPU")
    assert np.nanmax(gpu.get_ydata()) <= 100


def test_thousands_of_phases_are_few_boxes(tmp_path: Path, matplotlib: Any) -> None:
    data: Any = dict(fm.read_trace(trace(tmp_path / "run.bin")))
    phases = np.zeros(50_000, fm.phases.PHASE)
    phases["id"] = np.arange(1, 50_001)
    phases["begin_ns"] = np.arange(50_000) * 59_000
    phases["end_ns"] = phases["begin_ns"] + 50_000
    phases["name"] = "token"
    data["phases"] = phases
    figure = fm.plot(data)
    assert figure is not None
    assert len(figure.axes[0].collections[0].get_paths()) < 10
    assert any("50,000 phases" in text.get_text() for text in figure.texts)


def test_the_stretch_of_a_phase(tmp_path: Path, plotly: Any) -> None:
    path = trace(tmp_path / "run.bin")
    assert run(path, "-o", tmp_path / "a.html", "--phase", "prefill").returncode == 0
    data = data_of(tmp_path / "a.html")
    assert (data["begin_s"], data["end_s"]) == pytest.approx((0.475, 1.025))
    assert run(path, "-o", tmp_path / "b.html", "--from", "1s", "--until", "1500ms").returncode == 0
    data = data_of(tmp_path / "b.html")
    assert (data["begin_s"], data["end_s"]) == (1.0, 1.5)
    assert len(unpacked(data["times"][0])) == 501


def test_a_plot_stands_beside_its_trace(tmp_path: Path, matplotlib: Any) -> None:
    path = trace(tmp_path / "run.bin")
    done = run(path)
    assert (done.returncode, done.stdout, done.stderr) == (0, f"{tmp_path / 'run.png'}\n", "")


@pytest.mark.parametrize(
    "kind, code", [("missing", 1), ("truncated", 3), ("foreign", 3), ("unfinished", 4)]
)
def test_what_is_no_complete_trace_is_one_line(
    tmp_path: Path, kind: str, code: int, matplotlib: Any
) -> None:
    path = tmp_path / "run.bin"
    content = trace(tmp_path / "good.bin").read_bytes()
    if kind == "truncated":
        path.write_bytes(content[:20_000])
    elif kind == "foreign":
        path.write_bytes(b"no trace" * 200)
    elif kind == "unfinished":
        path.write_bytes(trace_builder.header(flags=1, start_monotonic_ns=1))
    done = run(path)
    assert (done.returncode, done.stdout) == (code, "")
    assert done.stderr.count("\n") == 1 and str(path) in done.stderr
    assert not (tmp_path / "run.png").exists()


@pytest.mark.parametrize(
    "arguments, code",
    [
        (["-o", "run.gif"], 2),
        (["--phase", "a", "--from", "1"], 2),
        (["--repeat", "2"], 2),
        (["--points", "1"], 2),
        (["--phase", "none"], 1),
        (["--phase", "prefill", "--repeat", "2"], 1),
        (["--from", "10"], 1),
        (["--from", "2", "--until", "1"], 1),
        (["-o", "no/such/run.png"], 1),
    ],
)
def test_what_cannot_be_plotted_is_said(
    tmp_path: Path, arguments: list[str], code: int, matplotlib: Any
) -> None:
    path = trace(tmp_path / "run.bin")
    done = subprocess.run(
        [*RUN, str(path), *arguments], capture_output=True, text=True, timeout=60, cwd=tmp_path
    )
    assert done.returncode == code, done.stderr
    assert "Traceback" not in done.stderr
    assert code == 2 or done.stderr.count("\n") == 1
    assert os.listdir(tmp_path) == ["run.bin"]


def test_a_trace_is_not_overwritten_with_its_plot(tmp_path: Path, matplotlib: Any) -> None:
    path = trace(tmp_path / "run.png")
    before = path.read_bytes()
    done = run(path)
    assert done.returncode == 1 and "the trace itself" in done.stderr
    assert path.read_bytes() == before


def test_a_trace_without_samples_says_so(tmp_path: Path, matplotlib: Any) -> None:
    path = tmp_path / "run.bin"
    path.write_bytes(trace_builder.trace())
    done = run(path)
    assert done.returncode == 1 and "no samples" in done.stderr


def test_a_library_that_is_missing_is_named_with_its_extra(tmp_path: Path) -> None:
    path = trace(tmp_path / "run.bin")
    for name, output in (("matplotlib", "run.png"), ("plotly", "run.html")):
        program = (
            f"import sys; sys.modules[{name!r}] = None; sys.modules['{name}.offline'] = None\n"
            "from fastnvmetrics.cli import main\nsys.exit(main())"
        )
        done = subprocess.run(
            [sys.executable, "-c", program, "plot", str(path), "-o", str(tmp_path / output)],
            capture_output=True, text=True, timeout=60,
        )  # fmt: skip
        assert done.returncode == 1, done.stderr
        assert done.stderr.count("\n") == 1 and "pip install 'fastnvmetrics[plot]'" in done.stderr


def test_an_aligned_trace_is_refused(tmp_path: Path, matplotlib: Any) -> None:
    path = trace(tmp_path / "run.bin")
    with pytest.raises(ValueError, match="align"):
        fm.plot(fm.read_trace(path, align="fast"), tmp_path / "run.png")


def test_times_of_a_damaged_trace_are_no_failure_of_the_summary(tmp_path: Path) -> None:
    data: Any = dict(fm.read_trace(trace(tmp_path / "run.bin")))
    data["medium_time_s"][100] = 1e308
    data["fast_time_s"][100] = -1e308
    assert fm.summarize(data).whole.fast_samples > 0


@settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    st.lists(
        st.tuples(st.floats(0, 1, exclude_max=True), st.binary(min_size=1, max_size=8)), max_size=40
    )
)
def test_a_damaged_trace_is_drawn_or_refused(
    tmp_path: Path, damage: list[tuple[float, bytes]]
) -> None:
    content = bytearray(trace(tmp_path / "run.bin", fast=500, board_name=b"orin_nx").read_bytes())
    for share, part in damage:
        at = 40 + int(share * (len(content) - 48))
        content[at : at + len(part)] = part
    (tmp_path / "run.bin").write_bytes(bytes(content))
    with pytest.MonkeyPatch.context() as patch, warnings.catch_warnings():
        patch.setattr(page, "plotly", lambda: "")
        warnings.simplefilter("error")
        warnings.filterwarnings("ignore", message=".*run.bin.*")  # what is said of damaged chunks
        with contextlib.suppress(ValueError):
            fm.plot(tmp_path / "run.bin", tmp_path / "run.html", points=100)
            data_of(tmp_path / "run.html")
