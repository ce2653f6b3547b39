"""Recording: the engine as a Python object."""

from __future__ import annotations

import atexit
import contextlib
import math
import os
import sys
import warnings
import weakref
from types import TracebackType
from typing import TYPE_CHECKING

from . import _native
from . import board as _board
from . import snapshot as _snapshot
from . import stats as _stats
from ._paths import PathLike
from .board import BoardConfig
from .errors import FastNVMetricsError
from .phase import Phase
from .snapshot import Snapshot
from .stats import Stats

if TYPE_CHECKING:
    from typing_extensions import Self

    from . import _ext

__all__ = ["NVMetrics", "recover"]

_LONGEST_INTERVAL = 86400  # seconds
_USUAL_PRIORITY = 50
_FORKED = -12  # FNVM_E_FORKED of fastnvmetrics.h


class NVMetrics:
    """A recorder of GPU, CPU, memory, power and temperature.

    Threads outside Python sample the board and write a trace, which `read_trace` reads. Nothing is
    written before `start`.

    Parameters
    ----------
    output_path
        Where the trace goes: `str`, `bytes` or `os.PathLike`. A relative path is taken at `start`.
    fast_hz
        GPU load, CPU utilisation, RAM and memory controller: 1 to 20000 samples a second.
    medium_hz
        Power rails, likewise.
    slow_hz
        Thermal zones, likewise.
    board
        What to sample. It is copied: changing it later changes nothing. None detects the board of
        this machine, as `detect_board` does.
    flush_interval
        Seconds after which the disk is made to keep what was written: a power cut loses at most this and a
        quarter of a second. 0: only at the end. A crash of the program loses at most a quarter of a second
        either way.
    gpu_hz, ram_hz, emc_hz, voltage_hz, current_hz, thermal_hz
        How often each source is read inside its tier; 0: at every tick, unless `native_rates` says
        otherwise. Between reads a column holds exactly what was read last.
    native_rates
        True: a source without a rate of its own is read no faster than its value can change (GPU load
        60 Hz, EMC 50 Hz, a power sensor's `update_interval` and voltage a tenth as often, zones 10 Hz), and
        an idle GPU is left to sleep. None: so in tiers above 1 kHz.
    realtime
        SCHED_FIFO with this priority, 1 to 99 (True: 50), for the threads that sample, and rings locked in
        memory. Where that is not permitted, a notice says so and the recording goes on. False or 0: the usual
        scheduling.
    cpu
        The CPU that the threads that sample run on; None: any.
    stats
        Whether the trace gets the full statistics of the run, and `metadata`.
    metadata
        Whether the trace gets facts of the board and of the run. One with phases, labels or annotations has
        them anyway.
    rail_update_interval_ms, rail_samples
        What the INA3221 power sensors are set to while recording: how often they measure, in milliseconds,
        and how many measurements they average (1, 4, 16, 64, 128, 256, 512 or 1024). Only root can do that;
        what was there is put back at `stop`, after a crash by the next recording or by
        ``fastnvmetrics doctor --restore``. 0 leaves them as they are.

    Raises
    ------
    TypeError, ValueError
        An argument is of the wrong type or out of range.
    FastNVMetricsError
        No board was given and none is recognised; the message names the compatible strings found
        and how to go on. Also where there is no native code.

    Notes
    -----
    Any thread may call any method at any time. A recorder that is dropped or still running when the
    interpreter exits completes its trace. After `os.fork` it belongs to the parent: in the child
    its methods raise `FastNVMetricsError`.

    What a user should know about a recording, such as a crashed trace that was set aside, is issued
    as `RuntimeWarning` by `start` and `stop`, and kept in `notices`.

    Examples
    --------
    >>> from fastnvmetrics import NVMetrics
    >>> with NVMetrics("run.bin") as nv:  # doctest: +SKIP
    ...     with nv.phase("prefill"):
    ...         prefill()
    ...     with nv.phase("decode"):
    ...         decode()
    """

    def __init__(
        self,
        output_path: PathLike,
        fast_hz: int = 1000,
        medium_hz: int = 100,
        slow_hz: int = 10,
        board: BoardConfig | None = None,
        *,
        flush_interval: float = 1.0,
        gpu_hz: int = 0,
        ram_hz: int = 0,
        emc_hz: int = 0,
        voltage_hz: int = 0,
        current_hz: int = 0,
        thermal_hz: int = 0,
        native_rates: bool | None = None,
        realtime: bool | int = False,
        cpu: int | None = None,
        stats: bool = False,
        metadata: bool = False,
        rail_update_interval_ms: int = 0,
        rail_samples: int = 0,
    ) -> None:
        path = os.fsencode(output_path)
        native = None if board is None else _board.to_native(board)
        self._engine: _ext.Engine = _native.load().Engine(
            path,
            native,
            fast_hz=fast_hz,
            medium_hz=medium_hz,
            slow_hz=slow_hz,
            flush_interval_ms=_milliseconds("flush_interval", flush_interval),
            gpu_hz=gpu_hz,
            ram_hz=ram_hz,
            emc_hz=emc_hz,
            voltage_hz=voltage_hz,
            current_hz=current_hz,
            thermal_hz=thermal_hz,
            native_rates=-1 if native_rates is None else int(bool(native_rates)),
            realtime=realtime * _USUAL_PRIORITY if isinstance(realtime, bool) else realtime,
            cpu=-1 if cpu is None else cpu,
            stats=int(bool(stats)),
            metadata=int(bool(metadata)),
            rail_update_interval_ms=rail_update_interval_ms,
            rail_samples=rail_samples,
        )
        self._notices_issued = 0

    def start(self) -> None:
        """Create the trace and start sampling. After `stop` it records anew, to the same path, that of the last `rotate`.

        Raises
        ------
        FastNVMetricsError
            It is already running.
        OSError
            The trace cannot be created, or another recorder is writing it (EBUSY).
        """
        _recording.add(self)  # first: Ctrl-C may come as soon as the engine runs
        self._engine.start()
        self._notices_issued = 0
        try:
            self._issue_notices()
        except RuntimeWarning:  # warnings are errors here, and a start that fails starts nothing
            self._engine.stop()
            raise

    def stop(self) -> None:
        """Stop sampling and complete the trace. Without effect where nothing is recorded.

        Raises
        ------
        OSError
            The trace could not be written; everything that could be saved is.
        """
        try:
            self._engine.stop()
        except Exception:
            with contextlib.suppress(RuntimeWarning):  # the failure itself is what counts
                self._issue_notices()
            raise
        finally:
            if not self._engine.is_running:  # another thread may have started it again
                _recording.discard(self)
        self._issue_notices()

    def wait_for_warmup(self, timeout: float | None = None) -> None:
        """Wait until ten fast samples exist. Ctrl-C interrupts it.

        Parameters
        ----------
        timeout
            In seconds; None waits as long as it takes.

        Raises
        ------
        FastNVMetricsError
            Nothing is recorded, or no longer; or the time ran out.
        """
        self._engine.wait_for_warmup(timeout)

    def sync(self, label: str | None = None) -> int:
        """Mark a boundary: the next fast sample is the first one after it.

        Parameters
        ----------
        label
            What the trace says of the mark, in `sync_labels`; up to 87 bytes of UTF-8 are kept.

        Returns
        -------
        int
            1, 2, 3, …: what `sync_id` of the trace holds from that sample on.

        Raises
        ------
        FastNVMetricsError
            Nothing is recorded.
        TypeError, ValueError
            The label is no text, empty, or cannot be UTF-8 without a NUL.
        OSError
            Thousands of marks wait for the disk already (EAGAIN).

        Examples
        --------
        >>> import fastnvmetrics as fm
        >>> with fm.NVMetrics("run.bin", board=fm.get_board_config("generic_linux")) as nv:
        ...     nv.sync(), nv.sync("decode")
        (1, 2)
        >>> fm.read_trace("run.bin")["sync_labels"][["sync_id", "label"]].tolist()
        [(2, 'decode')]
        """
        return self._engine.sync(label)

    def phase(self, name: str) -> Phase:
        """Name a stretch of the recording: a block of a ``with`` statement, or each call of a function.

        A phase is inside of the one that its thread began last and has not ended. Phases of one name may
        come as often as one likes, in any number of threads at once. Each costs two marks, less than a
        microsecond each.

        Tasks of an event loop share their thread: a phase that another task began last and has not ended is
        taken for the parent.

        Parameters
        ----------
        name
            What it is called in `phases` of the trace; up to 87 bytes of UTF-8 are kept.

        Returns
        -------
        Phase
            A context manager and decorator. The ``with`` statement raises `FastNVMetricsError` where
            nothing is recorded; a decorated function just runs then.

        Raises
        ------
        TypeError, ValueError
            The name is no text, empty, or cannot be UTF-8 without a NUL.

        Examples
        --------
        >>> import fastnvmetrics as fm
        >>> with fm.NVMetrics("run.bin", board=fm.get_board_config("generic_linux")) as nv:
        ...     with nv.phase("request"), nv.phase("prefill"):
        ...         pass
        >>> fm.read_trace("run.bin")["phases"]["name"].tolist()
        ['request', 'prefill']
        """
        if not _board.checked_text("name", name):
            raise ValueError("the name of a phase is empty")
        return Phase(self, name)

    def rotate(self, output_path: PathLike) -> None:
        """Complete the trace that is being recorded and go on into another one, without losing a sample.

        In each tier the first sample of the new trace is the tick after the last one of the old. The new trace
        has a t = 0 of its own, just after the last fast sample of the old one; `start_monotonic_ns` of both puts
        their times together exactly. Sync points count from 1 again; a phase that is open ends in the old trace at that
        moment and begins again in the new one, with its id, name and parent. `counts`, `stats` and `snapshot`
        go on from `start`; what a trace says of itself is its own.

        It returns when the old trace is complete, after a quarter of a second, while the recording goes on. The next
        `start` records to the new path.

        Parameters
        ----------
        output_path
            Where the new trace goes. A complete trace there is replaced, a crashed one is set aside.

        Raises
        ------
        FastNVMetricsError
            Nothing is recorded.
        OSError
            `filename` says which trace it is about. The new one cannot be created (EBUSY: another recorder, or this
            one, is writing it): the recording goes on in the old one. The old one cannot be completed: the
            recording goes on in the new one, and `recover` completes the old one later.

        Examples
        --------
        >>> import fastnvmetrics as fm
        >>> with fm.NVMetrics("run.bin", board=fm.get_board_config("generic_linux")) as nv:
        ...     nv.rotate("next.bin")
        >>> old, new = fm.read_trace("run.bin"), fm.read_trace("next.bin")
        >>> end = old["start_monotonic_ns"] + int(old["fast_time_s"][-1] * 1e9)
        >>> end < new["start_monotonic_ns"]
        True
        """
        try:
            self._engine.rotate(os.fsencode(output_path))
        finally:
            with contextlib.suppress(FastNVMetricsError):
                self._issue_notices()

    def annotate(self, key: str, value: str) -> None:
        """Say something of your own about what is recorded: the command, the model, the room's temperature.

        It is under ``annotations`` in the `metadata` of every trace that this recorder completes from now on, of
        the one that is being recorded too. Setting a key again replaces its value.

        Parameters
        ----------
        key
            1 to 64 bytes of UTF-8; there is room for 128 keys.
        value
            Up to 4096 bytes of UTF-8.

        Raises
        ------
        TypeError, ValueError
            One is no text, too long, or cannot be UTF-8 without a NUL; the key is empty; 128 others are there.

        Examples
        --------
        >>> import fastnvmetrics as fm
        >>> nv = fm.NVMetrics("run.bin", board=fm.get_board_config("generic_linux"))
        >>> nv.annotate("command", "train --epochs 3")
        >>> with nv:
        ...     nv.annotate("loss", "0.25")
        >>> fm.read_trace("run.bin")["metadata"]["annotations"]
        {'command': 'train --epochs 3', 'loss': '0.25'}
        """
        self._engine.annotate(key, value)

    def snapshot(self) -> Snapshot:
        """Return the newest values, which disturbs no tier and takes microseconds.

        Returns
        -------
        Snapshot
            A dictionary with the keys of `read_trace` where there are such; what is not known is None.

        Raises
        ------
        FastNVMetricsError
            Nothing is recorded.

        Examples
        --------
        >>> import fastnvmetrics as fm
        >>> with fm.NVMetrics("run.bin", board=fm.get_board_config("generic_linux")) as nv:
        ...     newest = nv.snapshot()
        >>> newest["ram_used_kb"] > 0
        True
        """
        return _snapshot.from_native(self._engine)

    @property
    def sample_count(self) -> int:
        """Fast samples so far, also after `stop`."""
        return self._engine.sample_count

    @property
    def is_running(self) -> bool:
        """Whether it is recording."""
        return self._engine.is_running

    @property
    def board(self) -> BoardConfig:
        """The board that is sampled, given or detected: a copy, changing it changes nothing."""
        return _board.from_native(self._engine.board)

    @property
    def counts(self) -> dict[str, int]:
        """How much was recorded and what had to be left out so far, also after `stop`.

        ``fast_samples``, ``medium_samples``, ``slow_samples``, ``sync_points``; deadlines skipped
        because a tier was late: ``missed_fast``, ``missed_medium``, ``missed_slow``; and
        ``dropped_samples`` (the disk could not keep up), ``read_errors``, ``negative_currents``.
        """
        return self._engine.counts()

    @property
    def stats(self) -> Stats:
        """What the recording did and what it cost so far, also after `stop`: see `fastnvmetrics.Stats`.

        Ticks, missed ticks and how late they were for each tier; reads, failures, their time and the age of the
        values for each source; the CPU time of the threads that sample.
        """
        return _stats.from_native(self._engine)

    @property
    def gpu_source(self) -> str:
        """Where GPU load comes from at this moment.

        ``"counters"``: a utilisation for each interval; ``"load"``: what the GPU's firmware says,
        refreshed every 16.7 ms; ``"none"``: there is no node, and the column is 0.
        """
        return self._engine.gpu_source

    @property
    def notices(self) -> list[str]:
        """What the user should know about the current or last recording, one sentence each."""
        return self._engine.notices()

    def __enter__(self) -> Self:
        """Start, and wait for the warm-up."""
        was_running = self._engine.is_running
        try:
            self.start()
            self.wait_for_warmup()
        except BaseException:  # Ctrl-C too: __exit__ is not called when __enter__ fails
            if not was_running:
                self._engine.stop()
            raise
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Stop. The body's exception goes on; if stopping fails as well, a note on it says so."""
        try:
            self.stop()
        except Exception as failure:
            if exc is None:
                raise
            _add_note(exc, f"fastnvmetrics: stopping the recording failed as well: {failure}")

    def _issue_notices(self) -> None:
        notices = self.notices
        first, self._notices_issued = self._notices_issued, len(notices)
        # The line that the user sees is one of theirs, in a with statement too.
        level, frame = 1, sys._getframe()
        while frame.f_back is not None and frame.f_code.co_filename == __file__:
            level, frame = level + 1, frame.f_back
        for notice in notices[first:]:
            warnings.warn(notice, RuntimeWarning, stacklevel=level)


def recover(path: PathLike) -> bool:
    """Complete a trace whose recorder was killed or crashed.

    Parameters
    ----------
    path
        The trace; what was spooled is looked for beside it.

    Returns
    -------
    bool
        True where it was completed now, False where it was complete already.

    Raises
    ------
    OSError
        The file cannot be read or written, or is still being recorded (EBUSY).
    FastNVMetricsError
        It is not a trace.

    Examples
    --------
    >>> import fastnvmetrics
    >>> fastnvmetrics.recover("run.bin")  # doctest: +SKIP
    True
    """
    recovered: bool = _native.load().recover(os.fsencode(path))
    return recovered


def _milliseconds(name: str, seconds: float) -> int:
    """Whole milliseconds, at least 1 for what is above 0."""
    if not 0 <= seconds <= _LONGEST_INTERVAL:
        raise ValueError(f"{name} must be from 0 to {_LONGEST_INTERVAL} seconds, not {seconds!r}")
    return math.ceil(seconds * 1000)


def _add_note(exc: BaseException, note: str) -> None:
    if sys.version_info >= (3, 11):
        exc.add_note(note)
    else:
        warnings.warn(note, RuntimeWarning, stacklevel=3)


# Recorders that run, held weakly: one that is dropped is completed there and then by its engine.
_recording: weakref.WeakSet[NVMetrics] = weakref.WeakSet()


def _all_recording() -> list[NVMetrics]:
    while True:
        try:
            return list(_recording)
        except RuntimeError:  # another thread has started or stopped one meanwhile
            continue


@atexit.register
def _complete_recordings() -> None:
    for recorder in _all_recording():
        try:
            recorder.stop()
        except Exception as failure:
            # In a forked child the recording is the parent's to complete.
            if not (isinstance(failure, FastNVMetricsError) and failure.status == _FORKED):
                warnings.warn(
                    f"a recording could not be completed at exit: {failure}",
                    RuntimeWarning,
                    stacklevel=1,
                )
