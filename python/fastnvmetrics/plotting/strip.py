"""Phases and sync points of a picture: as a strip above it, and behind its lines."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from .._optional import library
from .._table import printable
from . import colors
from .bands import Bands, labels
from .marks import Marks

__all__ = ["Strip", "plain"]

#: How wide a letter of a name is.
_LETTER_IN = 0.068


class Strip:
    """Draws bands and marks into axes of matplotlib.

    Parameters
    ----------
    bands, marks
        None closer to each other than a pixel.
    second_in
        How long a second is, in inches.
    end_s
        Where the picture ends.
    """

    def __init__(self, bands: Bands, marks: Marks, second_in: float, end_s: float) -> None:
        self.bands, self.marks = bands, marks
        self.second_in, self.end_s = second_in, end_s
        self._collections = library("matplotlib.collections", "plot")

    def draw(self, axes: Any) -> None:
        """Draw the phases in lanes with their names, and the labels of sync points below them."""
        bands, lanes = self.bands, self.bands.lanes
        axes.set_ylim(lanes + any(self.marks.labels), 0)
        axes.set_yticks([])
        for side in ("left", "bottom"):
            axes.spines[side].set_visible(False)
        fills = [colors.of_phase(name) for name in bands.name]
        axes.add_collection(
            self._collections.PolyCollection(
                _boxes(bands, bands.lane + 0.06, bands.lane + 0.94),
                facecolors=fills,
                edgecolors=fills,
                linewidths=0.5,
                alpha=0.6,
            )
        )
        for middle, lane, text in labels(bands, self.second_in / _LETTER_IN):
            axes.text(
                middle, lane + 0.52, plain(text), ha="center", va="center", fontsize=8, clip_on=True
            )
        self._label_marks(axes, lanes)
        self._lines(axes)

    def shade(self, axes: Any) -> None:
        """Shade the phases and draw the sync points behind the lines of a panel."""
        bands = self.bands
        every = _boxes(bands, np.zeros(len(bands.lane)), np.ones(len(bands.lane)))
        for lane, share in enumerate(colors.SHADES):
            rows = bands.lane == lane
            shade = self._collections.PolyCollection(
                every[rows],
                facecolors=[colors.of_phase(name) for name in bands.name[rows]],
                alpha=share,
                linewidths=0,
                transform=axes.get_xaxis_transform(),
                zorder=0.5,
            )
            axes.add_collection(shade, autolim=False)
        self._lines(axes)

    def _label_marks(self, axes: Any, lane: int) -> None:
        free = -np.inf
        for at, text in zip(self.marks.time_s.tolist(), self.marks.labels):
            if not text or at < free:
                continue
            length = (len(text) + 1) * _LETTER_IN / self.second_in
            # To the left of a mark that is at the right edge.
            is_left = at + length > self.end_s
            axes.text(
                at,
                lane + 0.5,
                plain(f"{text} " if is_left else f" {text}"),
                fontsize=7.5,
                va="center",
                ha="right" if is_left else "left",
                color=colors.MARK,
            )
            free = at + length

    def _lines(self, axes: Any) -> None:
        lines = self._collections.LineCollection(
            [[(at, 0), (at, 1)] for at in self.marks.time_s.tolist()],
            transform=axes.get_xaxis_transform(),
            colors=colors.MARK,
            linewidths=0.7,
            linestyles=[(0, (3, 2))],
            zorder=1.5,
        )
        axes.add_collection(lines, autolim=False)


def plain(text: str) -> str:
    """Return a text that is no formula and no command: names are anybody's."""
    return printable(text).replace("$", r"\$")


def _boxes(
    bands: Bands, top: npt.NDArray[Any], bottom: npt.NDArray[Any]
) -> npt.NDArray[np.float64]:
    """Return the corners of each band: (B, 4, 2)."""
    begin, end = bands.begin_s, bands.end_s
    corners = [(begin, top), (begin, bottom), (end, bottom), (end, top)]
    return np.stack([np.column_stack(corner) for corner in corners], axis=1)
