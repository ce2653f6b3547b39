"""Why is it missing? Every node of a board, found or not, readable or not, and what to do about it."""

from __future__ import annotations

import os
from dataclasses import dataclass

from fastnvmetrics import _native
from fastnvmetrics._paths import PathLike

__all__ = ["NodeReport", "doctor", "restore_sensors"]

_KINDS = ("board", "gpu", "cpu", "memory", "emc", "rail", "zone")
_STATES = ("good", "absent", "forbidden", "failing", "powered down", "left out")


@dataclass(frozen=True)
class NodeReport:
    """What is known of one node of a board.

    Attributes
    ----------
    kind : str
        ``"board"``, ``"gpu"``, ``"cpu"``, ``"memory"``, ``"emc"``, ``"rail"`` or ``"zone"``.
    name : str
        The rail's label, the zone's type, ``"load"``, ``"mc_all"`` and so on.
    path : str
        Where it is, or where it was looked for first.
    state : str
        ``"good"``; ``"absent"``; ``"forbidden"`` (this process may not read it); ``"failing"``
        (see `errno`); ``"powered down"`` (a zone or GPU that is off now); ``"left out"`` (beyond
        what a trace can hold).
    errno : int
        Of the failed read; 0 where there was none.
    value : int
        What it says now, in `unit`; 0 where it was not read.
    unit : str
        The unit of `value`; empty where it has none.
    read_us : float
        What a read costs, in microseconds; 0 where it was not read.
    refresh_ms : float
        How often the sensor measures, in milliseconds; 0 where that is not known.
    advice : str
        What follows for a recording and what to do about it; empty where all is well.
    """

    kind: str
    name: str
    path: str
    state: str
    errno: int
    value: int
    unit: str
    read_us: float
    refresh_ms: float
    advice: str

    @property
    def is_readable(self) -> bool:
        """Whether a recording can use the node, at this moment or when it is powered again."""
        return self.state in ("good", "powered down")


def doctor(board: str | None = None, *, root: PathLike | None = None) -> list[NodeReport]:
    """Examine every node of a board.

    Reads each node a few times, which takes some 100 ms on a board.

    Parameters
    ----------
    board
        A name such as ``"agx_orin"``; None: the board that is detected, else what the machine has.
    root
        What is put before /proc, /sys and /etc; None: the environment's FASTNVMETRICS_ROOT.

    Returns
    -------
    list of NodeReport
        The board first, then its nodes in the order of a trace.

    Raises
    ------
    FastNVMetricsError
        There is no board of that name, or no native code.

    Examples
    --------
    >>> from fastnvmetrics import doctor
    >>> for node in doctor():  # doctest: +SKIP
    ...     if not node.is_readable:
    ...         print(node.name, node.state, node.advice)
    """
    name = None if board is None else os.fsencode(board)
    place = None if root is None else os.fsencode(root)
    return [
        NodeReport(
            kind=_KINDS[kind],
            name=node,
            path=os.fsdecode(path),
            state=_STATES[state],
            errno=errno,
            value=value,
            unit=unit,
            read_us=read_ns / 1000,
            refresh_ms=refresh_ms,
            advice=advice,
        )
        for kind, state, errno, value, read_ns, refresh_ms, node, path, unit, advice in (
            _native.load().doctor(name, place)
        )
    ]


def restore_sensors(root: PathLike | None = None) -> list[str]:
    """Put back what recorders that crashed have set the INA3221 power sensors to.

    Settings of a recorder that is running are left alone, and so is a sensor that somebody else has
    set meanwhile. The next recording does the same by itself; ``fastnvmetrics doctor --restore`` does
    it from the shell.

    Parameters
    ----------
    root
        What is put before /sys and /run; None: the environment's FASTNVMETRICS_ROOT.

    Returns
    -------
    list of str
        What was done, a sentence for each sensor; empty where there was nothing to do.

    Raises
    ------
    OSError
        Something could not be put back, such as without root; the message says all that was done
        and was not.
    FastNVMetricsError
        There is no native code.

    Examples
    --------
    >>> from fastnvmetrics import restore_sensors
    >>> restore_sensors()  # doctest: +SKIP
    ['The power sensor 1-0040, which a recorder that crashed had set, measures every 7 ms again.']
    """
    place = None if root is None else os.fsencode(root)
    done: list[str] = _native.load().restore_sensors(place)
    return done
