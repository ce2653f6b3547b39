"""The exceptions that Python does not bring along."""

from __future__ import annotations

__all__ = ["FastNVMetricsError", "TraceError", "UnfinishedTraceError"]


class FastNVMetricsError(RuntimeError):
    """A failure of fastnvmetrics itself.

    File errors are `OSError` with errno and filename, bad arguments `ValueError` or `TypeError`;
    everything else is this one.

    Parameters
    ----------
    *args
        As for `RuntimeError`: usually the message.
    status
        The `fnvm_status` behind the failure, see `status`.

    Attributes
    ----------
    status : int or None
        The negative `FNVM_E_…` code of fastnvmetrics.h, such as -2 for `FNVM_E_NO_BOARD`; None
        where no native call was made.

    Examples
    --------
    >>> error = FastNVMetricsError("no supported Jetson board", status=-2)
    >>> isinstance(error, RuntimeError), error.status
    (True, -2)
    """

    status: int | None

    def __init__(self, *args: object, status: int | None = None) -> None:
        super().__init__(*args)
        self.status = status


class TraceError(ValueError):
    """A file is no trace, or not all of one is there: what readers raise."""


class UnfinishedTraceError(TraceError):
    """A trace is being recorded, or its recorder was killed: `recover` completes it then."""
