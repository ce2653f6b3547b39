"""The page in a headless browser: it draws without a network, and all panels follow a zoom."""

from __future__ import annotations

import importlib.util
import shutil
from pathlib import Path
from typing import Any

import pytest

import fastnvmetrics as fm
from test_plot import trace

BROWSER = Path(__file__).resolve().parents[2] / "scripts/pictures.d/browser.py"
AXIS = "document.getElementById('plot')._fullLayout.xaxis"
DATA = "document.getElementById('plot').data"

pytestmark = pytest.mark.skipif(
    shutil.which("chromium") is None or not BROWSER.exists(), reason="there is no browser"
)


@pytest.fixture(scope="module")
def browser() -> Any:
    specification = importlib.util.spec_from_file_location("browser", BROWSER)
    assert specification is not None and specification.loader is not None
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    with module.Browser(1400, 1000) as found:
        yield found


def opened(browser: Any, path: Path, fragment: str = "") -> None:
    browser.requests.clear()
    browser.open(
        f"file://{path}{fragment}",
        f"window.Plotly && document.getElementById('plot')?._fullLayout?.xaxis && {AXIS}.range",
    )


def test_a_drag_zooms_all_panels_and_shows_samples(browser: Any, tmp_path: Path) -> None:
    pytest.importorskip("plotly")
    fm.plot(trace(tmp_path / "run.bin", fast=8000), tmp_path / "run.html")
    opened(browser, tmp_path / "run.html")
    assert browser.evaluate(f"{AXIS}.range") == pytest.approx([0, 7.999])
    names = browser.evaluate(f"{DATA}.map((trace) => trace.name).filter((name) => name)")
    assert names[:3] == ["GPU", "CPU", "EMC"] and "RAIL_A" in names and "RAM" in names
    # 8000 samples are drawn as columns, with the lowest and the highest beside them.
    gpu = f"{DATA}.filter((trace) => trace.name === 'GPU')[0]"
    assert browser.evaluate(f"{gpu}.x.length") < 2000
    assert browser.evaluate(
        f"Math.max(...{gpu}.customdata.map((ends) => ends[1]))"
    ) == pytest.approx(100)
    left = browser.evaluate("document.getElementById('plot').getBoundingClientRect().left")
    offset = browser.evaluate(f"{AXIS}._offset")
    ends = [left + offset + browser.evaluate(f"{AXIS}.d2p({time})") for time in (2.0, 2.5)]
    browser.drag((ends[0], 400), (ends[1], 400))
    browser.wait_for(f"{AXIS}.range[1] < 3 && {gpu}.x.length < 600")
    begin, end = browser.evaluate(f"{AXIS}.range")
    assert (begin, end) == pytest.approx((2.0, 2.5), abs=0.02)
    lengths = browser.evaluate(
        f"Object.fromEntries({DATA}.filter((trace) => trace.name).map((t) => [t.name, t.x.length]))"
    )
    assert lengths["GPU"] == pytest.approx(502, abs=25)  # each sample now
    assert lengths["RAIL_A"] == pytest.approx(52, abs=4)
    assert lengths["RAM"] == lengths["GPU"]
    told = [float(time) for time in browser.evaluate("location.hash")[1:].split("-")]
    assert told == pytest.approx([begin, end], abs=1e-6)
    browser.evaluate("document.getElementById('whole').click()")
    browser.wait_for(f"{AXIS}.range[1] > 7.9")


def test_the_page_asks_for_nothing_and_names_are_text(browser: Any, tmp_path: Path) -> None:
    pytest.importorskip("plotly")
    fm.plot(trace(tmp_path / "run.bin"), tmp_path / "run.html", title="<img src=x onerror=boom()>")
    opened(browser, tmp_path / "run.html", "#0.5-2.5")
    assert browser.evaluate(f"{AXIS}.range") == pytest.approx([0.5, 2.5])
    texts = browser.evaluate(
        "[...document.querySelectorAll('#plot text')].map((t) => t.textContent)"
    )
    for text in ("request", "prefill", "decode <b>&$x$", " half way", "RAIL_A", "utilisation, %"):
        assert any(text.strip() == found.strip() for found in texts), text
    assert (
        browser.evaluate("document.querySelector('h1').textContent") == "<img src=x onerror=boom()>"
    )
    assert [
        url for url in browser.requests if not url.startswith(("file:", "data:", "blob:"))
    ] == []


def test_a_line_that_was_clicked_away_stays_away(browser: Any, tmp_path: Path) -> None:
    pytest.importorskip("plotly")
    fm.plot(trace(tmp_path / "run.bin"), tmp_path / "run.html")
    opened(browser, tmp_path / "run.html")
    index = browser.evaluate(f"{DATA}.findIndex((trace) => trace.name === 'RAIL_B')")
    browser.evaluate(f"Plotly.restyle('plot', {{visible: 'legendonly'}}, [{index}]).then(() => 1)")
    browser.evaluate("Plotly.relayout('plot', {'xaxis.range': [1, 2]}).then(() => 1)")
    browser.wait_for("location.hash === '#1-2'")
    visible = browser.evaluate(f"{DATA}.filter((trace) => trace.name === 'RAIL_B')[0].visible")
    assert visible == "legendonly"
    browser.evaluate("document.getElementById('theme').click()")
    browser.wait_for("document.documentElement.className === 'dark'")
