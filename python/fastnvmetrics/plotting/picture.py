"""A scene drawn by matplotlib: PNG, SVG, PDF. No window is opened, and no setting of the program
touched.
"""

from __future__ import annotations

import contextlib
import warnings
from collections.abc import Iterator
from typing import Any

import numpy as np

from .._optional import library
from . import colors
from .bands import merged
from .marks import thinned
from .scene import Cores, Panel, Scene
from .strip import Strip, plain
from .times import clock

__all__ = ["figure_of", "library", "write"]

_DPI = 120
_WIDTH_IN = 12.0
_LEFT_IN, _RIGHT_IN, _TOP_IN, _BOTTOM_IN, _GAP_IN = 0.5, 1.8, 0.55, 0.55, 0.25
_LANE_IN = 0.2
_HEIGHTS_IN = {"utilisation": 1.75, "power": 1.9, "temperature": 1.3, "RAM used": 0.9}
#: Lines of a legend: smaller ones where there are many.
_LEGEND_LINE_IN, _SMALL_LINE_IN = 0.155, 0.122
_MANY_LINES = 6

_STYLE = {
    "font.size": 9,
    "font.family": ["DejaVu Sans"],
    "svg.fonttype": "none",  # text stays text
    "svg.hashsalt": "fastnvmetrics",
    "pdf.fonttype": 42,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": colors.AXIS,
    "xtick.color": colors.AXIS,
    "ytick.color": colors.AXIS,
    "text.color": colors.INK,
    "axes.labelcolor": colors.INK,
    "agg.path.chunksize": 20000,
}


def matplotlib() -> Any:
    """Return matplotlib, or raise ImportError with what to do."""
    return library("matplotlib", "plot")


def write(scene: Scene, columns: int, path: str, kind: str) -> None:
    """Write a picture."""
    metadata = {"svg": {"Date": None}, "pdf": {"CreationDate": None}, "png": {}}[kind]
    with _styled():
        _draw(scene, columns).savefig(path, format=kind, dpi=_DPI, metadata=metadata)


def figure_of(scene: Scene, columns: int) -> Any:
    """Return the figure."""
    with _styled():
        return _draw(scene, columns)


@contextlib.contextmanager
def _styled() -> Iterator[None]:
    found = matplotlib()
    with found.rc_context({}), warnings.catch_warnings():
        found.rcdefaults()
        found.rcParams.update(_STYLE)
        # A name that the font has no letters for is a box; what is no user's business is not said.
        warnings.simplefilter("ignore")
        yield


def _draw(scene: Scene, columns: int) -> Any:
    return _Drawing(scene, columns).figure


class _Drawing:
    def __init__(self, scene: Scene, columns: int) -> None:
        figures = library("matplotlib.figure", "plot")
        self.agg = library("matplotlib.backends.backend_agg", "plot")
        self.scene = scene
        width_in = _WIDTH_IN - _LEFT_IN - _RIGHT_IN
        self.second_in = width_in / (scene.end_s - scene.begin_s)
        # A pixel: what is narrower cannot be told apart.
        self.pixel_s = 1 / (self.second_in * _DPI)
        self.bands = merged(scene.bands, self.pixel_s)
        self.marks = thinned(scene.marks, self.pixel_s)
        self.strip = Strip(self.bands, self.marks, self.second_in, scene.end_s)
        heights = self._heights()
        total = (
            sum(heights) + _GAP_IN * len(heights) + _TOP_IN + _BOTTOM_IN + 0.16 * len(self.notes())
        )
        self.figure = figures.Figure(figsize=(_WIDTH_IN, total), dpi=_DPI, facecolor="white")
        self.agg.FigureCanvasAgg(self.figure)
        self.height_in = total
        self._axes(heights)
        self._heading()

    def notes(self) -> list[str]:
        notes = [*self.scene.notes]
        together = int(self.bands.members[self.bands.members > 1].sum())
        if together:
            notes.append(
                f"{together:,} phases narrower than a pixel are drawn together with neighbours."
            )
        if self.bands.left_out:
            notes.append(
                f"{self.bands.left_out:,} phases, of more threads or deeper, are not drawn."
            )
        if any(not panel.is_exact for panel in self.scene.panels):
            notes.append(
                "Lines are means of each column of pixels, shades from its lowest to its highest "
                "sample."
            )
        return notes

    def _heights(self) -> list[float]:
        scene = self.scene
        heights = []
        has_labels = any(self.marks.labels)
        lanes = self.bands.lanes + has_labels
        if lanes:
            heights.append(_LANE_IN * lanes)
        for panel in scene.panels:
            many = len(panel.lines) > _MANY_LINES
            legend = (_SMALL_LINE_IN if many else _LEGEND_LINE_IN) * len(panel.lines) + 0.1
            heights.append(max(_HEIGHTS_IN[panel.title], legend))
            if panel is scene.panels[0] and scene.cores is not None:
                heights.append(0.085 * scene.cores.percent.shape[1] + 0.12)
        if not scene.panels:
            heights.append(1.5)
        return heights

    def _axes(self, heights: list[float]) -> None:
        scene = self.scene
        self.top_in = self.height_in - _TOP_IN
        left = [*heights]
        every = []
        if self.bands.lanes or any(self.marks.labels):
            axes = self._add(left.pop(0))
            self._title(axes, "phases" if self.bands.lanes else "sync points")
            self.strip.draw(axes)
            every.append(axes)
        if not scene.panels and scene.cores is not None:
            every.append(self._cores(self._add(left.pop(0)), scene.cores))
        for panel in scene.panels:
            every.append(self._panel(self._add(left.pop(0)), panel))
            if panel is scene.panels[0] and scene.cores is not None:
                every.append(self._cores(self._add(left.pop(0)), scene.cores))
        for axes in every:
            axes.set_xlim(scene.begin_s, scene.end_s)
            is_last = axes is every[-1]
            axes.tick_params(axis="x", labelbottom=is_last, length=3 if is_last else 0)
            axes.tick_params(axis="y", length=3)
        last = every[-1]
        if scene.end_s > 600:
            last.xaxis.set_major_locator(library("matplotlib.ticker", "plot").FixedLocator(
                clock.ticks(scene.begin_s, scene.end_s, 9)
            ))  # fmt: skip
            last.xaxis.set_major_formatter(lambda seconds, at=None: clock.text(seconds))
            last.set_xlabel("hours, minutes, seconds since the start")
        else:
            last.xaxis.get_major_formatter().set_useOffset(False)
            last.set_xlabel("seconds since the start")

    def _add(self, height_in: float) -> Any:
        width_in = _WIDTH_IN - _LEFT_IN - _RIGHT_IN
        self.top_in -= _GAP_IN + height_in
        bottom = self.top_in
        place = (
            _LEFT_IN / _WIDTH_IN,
            bottom / self.height_in,
            width_in / _WIDTH_IN,
            height_in / self.height_in,
        )
        return self.figure.add_axes(place)

    # ---- What is in the axes

    def _panel(self, axes: Any, panel: Panel) -> Any:
        self.strip.shade(axes)
        for number, line in enumerate(panel.lines):
            color, dashes = colors.of_line(panel.title, line.label, number)
            width = 1.6 if line.is_module else 1.1
            if line.is_module:
                color, dashes = colors.INK, "solid"
            how = "steps-post" if panel.is_step else "default"
            if not panel.is_exact:
                # As wide as the column: a single high sample is seen.
                axes.fill_between(
                    panel.time_s,
                    line.low,
                    line.high,
                    step="mid",
                    color=color,
                    alpha=0.3,
                    linewidth=0,
                    zorder=2,
                )
            axes.plot(
                panel.time_s, line.mean, color=color, linestyle=dashes, linewidth=width,
                drawstyle=how, label=plain(line.label), zorder=3,
            )  # fmt: skip
        self._title(axes, f"{panel.title}, {panel.unit}")
        if panel.limit is not None:
            axes.set_ylim(-0.02 * panel.limit, 1.04 * panel.limit)
        elif panel.title == "power":
            axes.set_ylim(0, max(axes.get_ylim()[1], 0.1))
        axes.ticklabel_format(axis="y", useOffset=False)
        axes.yaxis.set_major_locator(
            library("matplotlib.ticker", "plot").MaxNLocator(5, min_n_ticks=2)
        )
        axes.grid(axis="y", color=colors.GRID, linewidth=0.6, zorder=0)
        axes.set_axisbelow(True)
        axes.legend(
            loc="upper left", bbox_to_anchor=(1.005, 1.03), frameon=False, handlelength=1.6,
            borderaxespad=0.1, fontsize=6.8 if len(panel.lines) > _MANY_LINES else 8,
            labelspacing=0.2,
        )  # fmt: skip
        return axes

    def _cores(self, axes: Any, cores: Cores) -> Any:
        times = cores.time_s
        if len(times) > 1:
            middles = (times[1:] + times[:-1]) / 2
            edges = np.concatenate(
                ([2 * times[0] - middles[0]], middles, [2 * times[-1] - middles[-1]])
            )
        else:
            edges = np.array([times[0] - self.pixel_s, times[0] + self.pixel_s])
        count = cores.percent.shape[1]
        mesh = axes.pcolormesh(
            edges, np.arange(count + 1) - 0.5, np.ma.masked_invalid(cores.percent.T),
            cmap="cividis", vmin=0, vmax=100, shading="flat", rasterized=True, antialiased=False,
        )  # fmt: skip
        axes.set_ylim(count - 0.5, -0.5)
        axes.set_yticks(sorted({0, count - 1}))
        self._title(axes, "cores, %")
        for side in ("left", "bottom"):
            axes.spines[side].set_visible(False)
        place = axes.get_position()
        scale = self.figure.add_axes(
            (place.x1 + 0.012, place.y0 + 0.12 * place.height, 0.009, 0.76 * place.height)
        )
        bar = self.figure.colorbar(mesh, cax=scale, ticks=[0, 50, 100])
        bar.outline.set_visible(False)
        bar.ax.tick_params(labelsize=7, length=2)
        bar.ax.set_yticklabels(["0", "50", "100 %"])
        return axes

    def _title(self, axes: Any, text: str) -> None:
        place = axes.get_position()
        bottom = place.y1 + 0.035 / self.height_in
        self.figure.text(
            place.x0, bottom, text, fontsize=8.5, fontweight="bold", ha="left", va="bottom"
        )

    def _heading(self) -> None:
        left, height = _LEFT_IN / _WIDTH_IN, self.height_in
        write = self.figure.text
        write(
            left,
            1 - 0.27 / height,
            plain(self.scene.title),
            fontsize=12,
            fontweight="bold",
            va="center",
        )
        write(left, 1 - 0.5 / height, self.scene.facts, fontsize=9, color=colors.AXIS, va="center")
        for number, note in enumerate(reversed(self.notes())):
            write(
                left,
                (0.08 + 0.16 * number) / height,
                note,
                fontsize=7,
                color=colors.AXIS,
                va="center",
            )
