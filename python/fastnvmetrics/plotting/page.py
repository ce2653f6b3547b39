"""A scene as a page that zooms: one HTML file with plotly's script, ours and the values in it. It
needs no network.

The script makes an envelope of what is visible, so that the page is quick however many samples it
holds.
"""

from __future__ import annotations

import base64
import html
import importlib.resources
import json
import re
from typing import Any

import numpy as np
import numpy.typing as npt

from .._optional import library
from .._table import printable
from . import colors
from .bands import Bands, merged
from .marks import thinned
from .scene import Cores, Line, Panel, Scene

__all__ = ["library", "write"]

#: Phases and sync points that a page holds; there is no more to see of more.
_MOST_MARKS = 20_000
#: Of percentages and degrees, which are kept as whole numbers of such steps from here on.
_STEP = 0.01
_LOWEST = {"%": 0.0, "°C": -100.0}
_MISSING_16, _MISSING_8 = 65535, 255


def plotly() -> str:
    """Return plotly's script, or raise ImportError with what to do."""
    script: str = library("plotly.offline", "plot").get_plotlyjs()
    return script


def write(scene: Scene, path: str) -> None:
    """Write the page."""
    here = importlib.resources.files(__package__)
    page = (here / "page.html").read_text(encoding="utf-8")
    parts = {
        "title": html.escape(printable(scene.title)),
        "facts": html.escape(scene.facts),
        "plotly": _inline(plotly()),
        "data": json.dumps(_data(scene), allow_nan=False).replace("<", "\\u003c"),
        "values": _inline((here / "page_values.js").read_text(encoding="utf-8")),
        "script": _inline((here / "page.js").read_text(encoding="utf-8")),
    }
    with open(path, "w", encoding="utf-8") as file:
        file.write(re.sub(r"\{\{(\w+)\}\}", lambda found: parts[found[1]], page))


def _inline(script: str) -> str:
    """Return a script that ends where its element does."""
    return script.replace("</script", "<\\/script").replace("<!--", "<\\!--")


def _data(scene: Scene) -> dict[str, Any]:
    times = _Times()
    return {
        "begin_s": scene.begin_s,
        "end_s": scene.end_s,
        "start_ms": scene.start_realtime_ns / 1e6,
        "notes": _notes(scene),
        "panels": [_panel(panel, times) for panel in scene.panels],
        "cores": None if scene.cores is None else _cores(scene.cores, times),
        "phases": _phases(scene),
        "marks": _marks(scene),
        "times": times.arrays,
    }


class _Times:
    """Times of tiers, each once: panels share them."""

    def __init__(self) -> None:
        self.arrays: list[dict[str, Any]] = []
        self._known: dict[int, int] = {}

    def index(self, time_s: npt.NDArray[np.float64]) -> int:
        if id(time_s) not in self._known:
            self._known[id(time_s)] = len(self.arrays)
            self.arrays.append(_packed(time_s, "f8"))
        return self._known[id(time_s)]


def _notes(scene: Scene) -> list[str]:
    notes = [*scene.notes]
    if len(scene.bands.lane) > _MOST_MARKS:
        notes.append("Of many short phases, those that follow each other closely are shown as one.")
    if scene.bands.left_out:
        notes.append(f"{scene.bands.left_out:,} phases, of more threads or deeper, are not shown.")
    if any(not panel.is_exact for panel in scene.panels):
        notes.append(
            "The trace has more samples than this page: a point can be the mean of several, with "
            "the lowest and the highest as a shade. Look closer with a page of a part: --from and "
            "--until, or --phase."
        )
    return notes


def _panel(panel: Panel, times: _Times) -> dict[str, Any]:
    return {
        "title": panel.title,
        "unit": panel.unit,
        "time": times.index(panel.time_s),
        "is_step": panel.is_step,
        "is_exact": panel.is_exact,
        "limit": panel.limit,
        "lines": [_line(panel, line, number) for number, line in enumerate(panel.lines)],
    }


def _line(panel: Panel, line: Line, number: int) -> dict[str, Any]:
    color, dashes = colors.of_line(panel.title, line.label, number)
    parts = {"mean": line.mean}
    if not panel.is_exact:
        parts.update(low=line.low, high=line.high)
    return {
        "label": html.escape(printable(line.label), quote=False),
        "color": None if line.is_module else color,  # None: that of the text, light or dark
        "dash": {"solid": "solid", "dashed": "dash", "dotted": "dot", "dashdot": "dashdot"}[dashes],
        "is_module": line.is_module,
        **{name: _values(part, panel.unit) for name, part in parts.items()},
    }


def _cores(cores: Cores, times: _Times) -> dict[str, Any]:
    rows = []
    for percent in cores.percent.T:
        rounded = np.where(np.isnan(percent), _MISSING_8, np.clip(np.rint(percent), 0, 100))
        rows.append(_packed(rounded, "u1"))
    return {"time": times.index(cores.time_s), "rows": rows}


def _phases(scene: Scene) -> dict[str, Any]:
    bands: Bands = scene.bands
    if len(bands.lane) > _MOST_MARKS:
        bands = merged(bands, (scene.end_s - scene.begin_s) / _MOST_MARKS)
    return {
        "names": [html.escape(printable(name), quote=False) for name in bands.names],
        "colors": list(colors.PHASES),
        "lanes": bands.lanes,
        "begin_s": _packed(bands.begin_s, "f8"),
        "end_s": _packed(bands.end_s, "f8"),
        "lane": _packed(bands.lane, "i4"),
        "name": _packed(bands.name, "i4"),
        "count": _packed(bands.members, "i4"),
    }


def _marks(scene: Scene) -> dict[str, Any]:
    marks = scene.marks
    if len(marks.labels) > _MOST_MARKS:
        marks = thinned(marks, (scene.end_s - scene.begin_s) / _MOST_MARKS)
    return {
        "time_s": _packed(marks.time_s, "f8"),
        "labels": [html.escape(printable(label), quote=False) for label in marks.labels],
    }


def _values(values: npt.NDArray[np.float64], unit: str) -> dict[str, Any]:
    if unit not in _LOWEST:
        return _packed(values, "f4")
    lowest = _LOWEST[unit]
    steps = np.clip(np.rint((values - lowest) / _STEP), 0, _MISSING_16 - 1)
    packed = _packed(np.where(np.isnan(values), _MISSING_16, steps), "u2")
    return {**packed, "step": _STEP, "lowest": lowest}


def _packed(values: npt.NDArray[Any], kind: str) -> dict[str, Any]:
    """Return an array as the script unpacks it: little-endian, in base 64."""
    content = np.ascontiguousarray(values, f"<{kind}").tobytes()
    return {"kind": kind, "base64": base64.b64encode(content).decode("ascii")}
