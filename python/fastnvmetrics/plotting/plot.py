"""``plot``: a trace as a picture or as a page."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from .._opened import TraceLike, is_aligned, opened
from .._paths import PathLike
from .._phase_list import LONGEST_S
from .._replacing import replacing
from ..mapped import MappedTrace, map_trace
from ..phases import PHASE
from .scene import scene_of

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["FORMATS", "plot"]

#: What can be written, by what the name of the file ends in.
FORMATS = (".png", ".svg", ".pdf", ".html")

#: Columns of a picture, about its pixels; samples of a line of a page, a minute at 1 kHz.
_PICTURE_POINTS, _PAGE_POINTS = 1200, 70_000
_MOST_POINTS = 2_000_000
_LAST_SAMPLES = 64


def plot(
    trace: TraceLike,
    path: PathLike | None = None,
    *,
    begin_s: float | None = None,
    end_s: float | None = None,
    phase: str | None = None,
    repeat: int = 1,
    points: int | None = None,
    title: str | None = None,
) -> Figure | None:
    """Draw a trace: all that was measured over one time axis, with the phases shaded.

    A long trace is drawn as the lowest, the mean and the highest value of each column of the
    picture, so that no spike is lost, in memory that has a bound. What is not known is a gap.

    Parameters
    ----------
    trace
        A path, or what `read_trace` (not aligned) or `map_trace` returned.
    path
        Where it goes: ``.png``, ``.svg`` or ``.pdf`` is a picture, ``.html`` a page that zooms and
        needs no network. It is replaced once all of it is there. None returns a figure of
        matplotlib.
    begin_s, end_s
        The stretch to draw, seconds since t = 0; None is the beginning or the end.
    phase, repeat
        Draw this phase alone, with a little around it; of several of that name, which one, from 1.
    points
        The most columns of a picture, or samples of a line that a page holds; of one that has
        more, a fifth as many columns. None: 1200, 70,000.
    title
        The first line; None says board and command.

    Returns
    -------
    matplotlib.figure.Figure
        Where `path` is None.

    Raises
    ------
    ImportError
        matplotlib (of a page: plotly) is not installed; the message says how to.
    ValueError
        The file is no complete trace, as with `read_trace`; it has no samples in the stretch, no
        such phase; the path ends in nothing that can be written, or is that of the trace.
    OSError
        The trace cannot be read, the plot cannot be written.
    TypeError
        `trace` is no trace and no path.

    Examples
    --------
    >>> import fastnvmetrics as fm
    >>> fm.plot("run.bin", "run.html", phase="decode")  # doctest: +SKIP
    """
    ending = None if path is None else _ending(path)
    if points is not None and not 10 <= points <= _MOST_POINTS:
        raise ValueError(f"points must be from 10 to {_MOST_POINTS:,}, not {points}")
    if path is not None and isinstance(trace, (str, bytes, os.PathLike)):
        _refuse_same(trace, path)
    # Before a long trace is gone through: the library may be missing.
    if ending == ".html":
        from . import page

        page.plotly()
    else:
        from . import picture

        picture.matplotlib()
    # Whatever bits a damaged trace has for numbers is no warning of arithmetic.
    with _mapped(trace) as data, np.errstate(all="ignore"):
        begin, end = _stretch(data, begin_s, end_s, phase, repeat)
        is_page = ending == ".html"
        columns = points or (_PAGE_POINTS if is_page else _PICTURE_POINTS)
        # Of a column a page holds three values for each line.
        scene = scene_of(data, begin, end, columns, title, -(-columns // 5) if is_page else columns)
    if not scene.panels and scene.cores is None:
        raise ValueError(f"there are no samples from {begin:g} s to {end:g} s: nothing to plot")
    if path is None:
        figure: Figure = picture.figure_of(scene, columns)
        return figure
    with replacing(path) as temporary:
        if ending == ".html":
            page.write(scene, temporary)
        else:
            picture.write(scene, columns, temporary, str(ending)[1:])
    return None


def _ending(path: PathLike) -> str:
    ending = os.path.splitext(os.fsdecode(path))[1].lower()
    if ending not in FORMATS:
        raise ValueError(f"{os.fsdecode(path)}: the name must end in one of {', '.join(FORMATS)}")
    return ending


def _refuse_same(trace: PathLike, path: PathLike) -> None:
    with contextlib.suppress(OSError):
        if os.path.samefile(trace, path):
            raise ValueError(f"{os.fsdecode(path)}: this is the trace itself; name another file")


@contextlib.contextmanager
def _mapped(trace: TraceLike) -> Iterator[Any]:
    if isinstance(trace, (str, bytes, os.PathLike)):
        with map_trace(trace) as mapped:
            yield mapped
        return
    data = opened(trace)
    if not isinstance(data, MappedTrace) and is_aligned(data):
        raise ValueError(
            'this trace was read with align="fast", which repeats readings: read it without'
        )
    yield data


def _stretch(
    trace: Any, begin_s: float | None, end_s: float | None, phase: str | None, repeat: int
) -> tuple[float, float]:
    """Return the stretch that is asked for, cut to what was recorded."""
    last = max(_last(trace, tier) for tier in ("fast", "medium", "slow")) or 1e-3
    begin, end = 0.0, last
    if phase is not None:
        begin, end = _phase(trace, phase, repeat)
        margin = 0.05 * (end - begin) or 0.01
        begin, end = max(begin - margin, 0.0), min(end + margin, last)
    begin = begin if begin_s is None else max(begin_s, 0.0)
    end = end if end_s is None else min(end_s, last)
    if not begin < end:
        raise ValueError(
            f"nothing was recorded from {begin:g} s to {end:g} s: the trace ends at {last:g} s"
        )
    return begin, end


def _last(trace: Any, tier: str) -> float:
    """Return when a tier ends, 0 where it has no samples; a damaged trace can say any time."""
    times = np.array(trace[f"{tier}_time_s"][-_LAST_SAMPLES:], np.float64)
    with np.errstate(invalid="ignore"):
        known = times[(times > 0) & (times < LONGEST_S)]
    return float(known.max()) if len(known) else 0.0


def _phase(trace: Any, name: str, repeat: int) -> tuple[float, float]:
    phases = trace["phases"] if "phases" in trace else np.empty(0, PHASE)
    found = phases[phases["name"] == name]
    if not len(found):
        names = ", ".join(dict.fromkeys(phases["name"].tolist())) or "none"
        raise ValueError(f"no phase {name!r}; there are: {names}")
    if not 1 <= repeat <= len(found):
        raise ValueError(f"there are {len(found)} phases {name!r}, and no number {repeat}")
    row = found[repeat - 1]
    return int(row["begin_ns"]) * 1e-9, int(row["end_ns"]) * 1e-9
