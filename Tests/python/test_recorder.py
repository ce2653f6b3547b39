"""NVMetrics, row by row of its contract, on boards made of plain files."""

from __future__ import annotations

import errno
import gc
import inspect
import os
import signal
import struct
import subprocess
import sys
import threading
import time
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import fastnvmetrics.board
from files import write
from fastnvmetrics import (
    BoardConfig,
    FastNVMetricsError,
    NVMetrics,
    PowerRailConfig,
    ThermalZoneConfig,
    _native,
    get_board_config,
    read_trace,
    recover,
)

try:
    _native.load()
except FastNVMetricsError as reason:
    pytest.skip(str(reason), allow_module_level=True)

FNVM_E_ALREADY_RUNNING = -4
FNVM_E_NOT_RUNNING = -5
FNVM_E_FORMAT = -9
FNVM_E_TIMEOUT = -11
FNVM_E_FORKED = -12

FLAG_CLOSED = 2
AGX_ORIN = b"nvidia,p3737-0000+p3701-0005\0nvidia,p3701-0005\0nvidia,tegra234\0"


# ---- fixtures ------------------------------------------------------------------------------------


@pytest.fixture
def board(root: Path) -> BoardConfig:
    """A board by hand over that machine, with every kind of node."""
    nodes = root / "nodes"
    return BoardConfig(
        board_name="by_hand",
        num_cpu_cores=2,
        gpu_load_path=write(nodes / "load", "500\n"),
        emc_actmon_path=write(nodes / "mc_all", "1000000\n"),
        emc_clk_rate_path=write(nodes / "clk_rate", "3199000000\n"),
        power_rails=[
            PowerRailConfig(
                "VDD_A", write(nodes / "in1", "5000\n"), write(nodes / "curr1", "200\n")
            ),
            PowerRailConfig(
                "VDD_B", write(nodes / "in2", "19000\n"), write(nodes / "curr2", "1\n")
            ),
        ],
        thermal_zones=[ThermalZoneConfig("cpu-thermal", write(nodes / "temp", "41500\n"))],
        root=str(root),
    )


@pytest.fixture
def trace(tmp_path: Path) -> Path:
    return tmp_path / "run.bin"


@pytest.fixture
def no_forced_switches() -> Iterator[None]:
    """A thread that holds the GIL keeps it until it lets go of it itself."""
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1000)
    yield
    sys.setswitchinterval(interval)


def sync_points(trace: Path) -> list[tuple[int, int]]:
    """(id, index of the first fast sample after it), as they are in the file."""
    data = trace.read_bytes()
    counts = struct.unpack_from("<4Q", data, 56)
    begin = 728 + 98 * counts[0] + 104 * counts[1] + 72 * counts[2]
    return list(struct.iter_unpack("<QQ", data[begin : begin + 16 * counts[3]]))


def is_closed(trace: Path) -> bool:
    return bool(struct.unpack_from("<I", trace.read_bytes(), 664)[0] & FLAG_CLOSED)


def wait_until(condition: Callable[[], bool]) -> None:
    while not condition():
        time.sleep(0.001)


def run_python(script: str, *args: str | Path) -> subprocess.CompletedProcess[str]:
    """Runs a script that ends by itself: the time-out is there to name a hang, not to measure."""
    return subprocess.run(
        [sys.executable, "-W", "ignore::DeprecationWarning", "-c", script, *map(str, args)],
        capture_output=True,
        text=True,
        timeout=120,
    )


# ---- NVMetrics(output_path, fast_hz, medium_hz, slow_hz, board) ----------------------------------


def test_constructor_has_the_signature_of_the_reference() -> None:
    parameters = inspect.signature(NVMetrics).parameters
    # What is added can only be given by keyword.
    reference = [p for p in parameters.values() if p.kind is not inspect.Parameter.KEYWORD_ONLY]
    assert [(p.name, p.default) for p in reference] == [
        ("output_path", inspect.Parameter.empty),
        ("fast_hz", 1000),
        ("medium_hz", 100),
        ("slow_hz", 10),
        ("board", None),
    ]
    assert {p.kind for p in reference} == {inspect.Parameter.POSITIONAL_OR_KEYWORD}


def test_constructor_writes_nothing(trace: Path, board: BoardConfig) -> None:
    NVMetrics(trace, board=board)
    assert not trace.exists()


@pytest.mark.parametrize("form", [str, Path, os.fsencode])
def test_path_may_be_str_pathlike_or_bytes(
    form: Callable[[Path], Any], trace: Path, board: BoardConfig
) -> None:
    with NVMetrics(form(trace), board=board):
        pass
    assert read_trace(trace)["board_name"] == "by_hand"


def test_path_is_bytes_from_end_to_end(tmp_path: Path, board: BoardConfig) -> None:
    name = b"run-\xff\xfe.bin"
    path = os.fsencode(tmp_path) + b"/" + name
    for form in (path, os.fsdecode(path)):
        with NVMetrics(form, board=board):
            pass
        assert name in os.listdir(os.fsencode(tmp_path))
        os.unlink(path)


@pytest.mark.parametrize("path", [None, 3, 1.5, ["run.bin"]])
def test_path_of_another_type_is_refused(path: Any, board: BoardConfig) -> None:
    with pytest.raises(TypeError):
        NVMetrics(path, board=board)


@pytest.mark.parametrize("path", ["run\0.bin", b"\0", ""])
def test_path_that_no_file_can_have_is_refused(path: Any, board: BoardConfig) -> None:
    with pytest.raises(ValueError):
        NVMetrics(path, board=board)


@pytest.mark.parametrize("tier", ["fast_hz", "medium_hz", "slow_hz"])
class TestRates:
    @pytest.mark.parametrize("rate", [0, -1, 20001, 2**32 + 10, 2**40, -(2**70)])
    def test_out_of_range_is_refused(self, tier: str, rate: int, board: BoardConfig) -> None:
        with pytest.raises(ValueError, match=tier):
            NVMetrics("run.bin", board=board, **{tier: rate})

    @pytest.mark.parametrize("rate", [True, 100.0, "100", None, np.float64(10)])
    def test_not_an_integer_is_refused(self, tier: str, rate: Any, board: BoardConfig) -> None:
        with pytest.raises(TypeError, match=tier):
            NVMetrics("run.bin", board=board, **{tier: rate})

    @pytest.mark.parametrize("rate", [1, 20000, np.int64(50), np.uint16(50)])
    def test_in_range_is_taken(self, tier: str, rate: Any, board: BoardConfig) -> None:
        NVMetrics("run.bin", board=board, **{tier: rate})


def test_rates_reach_the_trace(trace: Path, board: BoardConfig) -> None:
    with NVMetrics(trace, 200, 50, 5, board):
        pass
    data = read_trace(trace)
    assert (data["fast_hz"], data["medium_hz"], data["slow_hz"]) == (200, 50, 5)


@pytest.mark.parametrize("wrong", ["agx_orin", 1, {}, ("a", 1)])
def test_board_of_another_type_is_refused(wrong: Any) -> None:
    with pytest.raises(TypeError):
        NVMetrics("run.bin", board=wrong)


@pytest.mark.parametrize("cores", [0, 17, -1])
def test_board_with_impossible_cores_is_refused(cores: int, board: BoardConfig) -> None:
    with pytest.raises(ValueError):
        NVMetrics("run.bin", board=board.copy(num_cpu_cores=cores))


def test_board_is_detected_in_the_constructor(
    trace: Path, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    compatible = root / "sys/firmware/devicetree/base/compatible"
    write(compatible, AGX_ORIN.decode())
    (root / "proc/device-tree").symlink_to("/sys/firmware/devicetree/base")
    monkeypatch.setenv("FASTNVMETRICS_ROOT", str(root))
    nv = NVMetrics(trace)
    assert (nv.board.board_name, nv.board.num_cpu_cores) == ("agx_orin", 2)


def test_no_board_is_an_error_that_tells_what_was_found_and_how_to_go_on(
    trace: Path, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for node in ("sys/firmware/devicetree/base", "proc/device-tree"):
        write(root / node / "compatible", "acme,toaster\0acme,soc\0")
    monkeypatch.setenv("FASTNVMETRICS_ROOT", str(root))
    with pytest.raises(RuntimeError, match="(?s)acme,toaster.*generic_linux"):
        NVMetrics(trace)


def test_bad_rate_is_named_before_the_board_is_looked_for(
    trace: Path, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FASTNVMETRICS_ROOT", str(root))
    with pytest.raises(ValueError):
        NVMetrics(trace, fast_hz=0)


def test_board_given_is_kept_as_a_copy(trace: Path, board: BoardConfig) -> None:
    nv = NVMetrics(trace, board=board)
    assert nv.board == board
    board.power_rails.clear()
    nv.board.power_rails.clear()
    assert [rail.label for rail in nv.board.power_rails] == ["VDD_A", "VDD_B"]


# ---- what is recorded ----------------------------------------------------------------------------


def test_nodes_of_the_board_are_sampled(trace: Path, board: BoardConfig) -> None:
    with NVMetrics(trace, medium_hz=1000, slow_hz=1000, board=board):
        pass
    data = read_trace(trace)
    assert data["power_rail_names"] == ["VDD_A", "VDD_B"]
    assert data["thermal_zone_names"] == ["cpu-thermal"]
    assert (data["gpu_load"] == 500).all()
    assert (data["ram_available_kb"] == 400).all()
    assert not np.isnan(data["cpu_util"]).any()
    assert (data["voltage_mv"] == [5000, 19000]).all()
    assert (data["power_mw"] == [1000, 19]).all()
    assert (data["temp_c"] == 41.5).all()


@pytest.mark.parametrize("interval", [-1, float("nan"), float("inf"), 1e6])
def test_a_flush_interval_that_is_none_is_refused(
    trace: Path, board: BoardConfig, interval: float
) -> None:
    with pytest.raises(ValueError, match="flush_interval"):
        NVMetrics(trace, board=board, flush_interval=interval)


def test_nodes_that_cannot_be_read_are_counted_and_not_fatal(
    trace: Path, board: BoardConfig
) -> None:
    board.power_rails.append(PowerRailConfig("GONE", "/nowhere/in1_input", "/nowhere/curr1_input"))
    board.thermal_zones.append(ThermalZoneConfig("gone-thermal", "/nowhere/temp"))
    with NVMetrics(trace, medium_hz=1000, slow_hz=1000, board=board) as nv:
        wait_until(lambda: min(nv.counts["medium_samples"], nv.counts["slow_samples"]) > 0)
    assert nv.counts["read_errors"] > 0
    data = read_trace(trace)
    assert np.isnan(data["power_mw"][:, 2]).all() and not np.isnan(data["power_mw"][:, :2]).any()
    assert np.isnan(data["temp_c"][:, 1]).all() and not np.isnan(data["temp_c"][:, 0]).any()


def test_any_linux_machine_can_be_recorded(trace: Path) -> None:
    with NVMetrics(trace, board=get_board_config("generic_linux")) as nv:
        pass
    data = read_trace(trace)
    assert data["board_name"] == "generic_linux"
    assert data["num_cpu_cores"] == nv.board.num_cpu_cores
    assert len(data["fast_time_s"]) >= 10
    assert (data["ram_used_kb"] > 0).all()


# ---- start and stop ------------------------------------------------------------------------------


def test_file_is_complete_when_stop_returns(trace: Path, board: BoardConfig) -> None:
    nv = NVMetrics(trace, board=board)
    nv.start()
    nv.wait_for_warmup()
    nv.stop()
    assert is_closed(trace)
    assert os.listdir(trace.parent).count(trace.name) == 1
    assert sorted(os.listdir(trace.parent)) == ["root", "run.bin"]  # no spool is left
    assert len(read_trace(trace)["fast_time_s"]) == nv.sample_count >= 10


def test_start_while_running_is_refused_and_the_recording_goes_on(
    trace: Path, board: BoardConfig
) -> None:
    nv = NVMetrics(trace, board=board)
    nv.start()
    with pytest.raises(RuntimeError, match="already running") as caught:
        nv.start()
    assert isinstance(caught.value, FastNVMetricsError)
    assert caught.value.status == FNVM_E_ALREADY_RUNNING
    assert nv.is_running
    nv.stop()
    assert is_closed(trace)


def test_stop_is_harmless_where_nothing_runs(trace: Path, board: BoardConfig) -> None:
    nv = NVMetrics(trace, board=board)
    nv.stop()
    assert not trace.exists()
    nv.start()
    nv.stop()
    complete = trace.read_bytes()
    nv.stop()
    assert trace.read_bytes() == complete


def test_is_running_tells(trace: Path, board: BoardConfig) -> None:
    nv = NVMetrics(trace, board=board)
    states = [nv.is_running]
    nv.start()
    states.append(nv.is_running)
    nv.stop()
    states.append(nv.is_running)
    assert states == [False, True, False]


def test_start_after_stop_records_anew(trace: Path, board: BoardConfig) -> None:
    nv = NVMetrics(trace, fast_hz=2000, board=board)
    with nv:
        wait_until(lambda: nv.sample_count >= 100)
        assert [nv.sync(), nv.sync()] == [1, 2]
    first = nv.sample_count
    with nv:
        assert nv.sync() == 1
    assert nv.counts["sync_points"] == 1
    assert first > 100 and nv.sample_count == len(read_trace(trace)["fast_time_s"])
    assert [mark for mark, _ in sync_points(trace)] == [1]


def test_missing_directory_is_reported_by_start(tmp_path: Path, board: BoardConfig) -> None:
    path = tmp_path / "missing" / "run.bin"
    nv = NVMetrics(path, board=board)
    with pytest.raises(FileNotFoundError) as caught:
        nv.start()
    assert caught.value.errno == errno.ENOENT
    assert caught.value.filename == str(path)
    assert not nv.is_running


def test_directory_as_output_is_reported_by_start(tmp_path: Path, board: BoardConfig) -> None:
    with pytest.raises(IsADirectoryError):
        NVMetrics(tmp_path, board=board).start()


def test_directory_without_permission_is_reported_by_start(
    tmp_path: Path, board: BoardConfig
) -> None:
    directory = tmp_path / "closed"
    directory.mkdir(mode=0o555)
    # root may write anywhere but into sysfs, which has no files of ours
    path = directory / "run.bin" if os.geteuid() != 0 else Path("/sys/run.bin")
    with pytest.raises(OSError) as caught:
        NVMetrics(path, board=board).start()
    assert caught.value.errno in (errno.EACCES, errno.EPERM, errno.EROFS)
    assert caught.value.filename == str(path)


def test_file_errors_keep_the_bytes_of_the_path(tmp_path: Path, board: BoardConfig) -> None:
    path = os.fsencode(tmp_path) + b"/missing-\xff/run.bin"
    with pytest.raises(FileNotFoundError) as caught:
        NVMetrics(path, board=board).start()
    assert os.fsencode(caught.value.filename) == path


def test_two_recorders_do_not_share_a_path(trace: Path, board: BoardConfig) -> None:
    with NVMetrics(trace, board=board):
        with pytest.raises(OSError) as caught:
            NVMetrics(trace, board=board).start()
        assert caught.value.errno == errno.EBUSY
    assert is_closed(trace)


# ---- wait_for_warmup -----------------------------------------------------------------------------


def test_warmup_is_ten_samples(trace: Path, board: BoardConfig) -> None:
    nv = NVMetrics(trace, board=board)
    nv.start()
    nv.wait_for_warmup()
    assert nv.sample_count >= 10
    nv.stop()


@pytest.mark.parametrize("used", [False, True])
def test_wait_where_nothing_runs_fails_and_does_not_hang(
    used: bool, trace: Path, board: BoardConfig
) -> None:
    nv = NVMetrics(trace, board=board)
    if used:
        with nv:
            pass
    with pytest.raises(RuntimeError) as caught:
        nv.wait_for_warmup()
    assert getattr(caught.value, "status", None) == FNVM_E_NOT_RUNNING


def test_wait_can_be_limited(trace: Path, board: BoardConfig) -> None:
    nv = NVMetrics(trace, board=board)
    statuses = set()
    for _ in range(100):
        nv.start()
        try:
            nv.wait_for_warmup(timeout=0)
        except FastNVMetricsError as error:
            statuses.add(error.status)
        nv.stop()
        if statuses:  # else this thread was away for as long as the warm-up took
            break
    assert statuses == {FNVM_E_TIMEOUT}


@pytest.mark.parametrize("timeout", [60, 0.5, np.float32(60), float("inf"), 1e300, None])
def test_limit_is_in_seconds(timeout: Any, trace: Path, board: BoardConfig) -> None:
    nv = NVMetrics(trace, board=board)
    nv.start()
    while nv.sample_count < 10:
        time.sleep(0.001)
    nv.wait_for_warmup(timeout)
    nv.stop()


@pytest.mark.parametrize(("timeout", "error"), [(float("nan"), ValueError), ("1", TypeError)])
def test_limit_that_is_none_is_refused(
    timeout: Any, error: type[Exception], trace: Path, board: BoardConfig
) -> None:
    with pytest.raises(error):
        NVMetrics(trace, board=board).wait_for_warmup(timeout)


@pytest.mark.usefixtures("no_forced_switches")
def test_stop_in_another_thread_ends_the_wait(trace: Path, board: BoardConfig) -> None:
    """The other thread can only come to its stop if the wait lets go of the GIL."""
    nv = NVMetrics(trace, board=board)
    statuses = set()
    waiting = threading.Event()

    def stop_the_wait() -> None:
        while not waiting.is_set():
            time.sleep(0)
        nv.stop()

    for _ in range(100):
        waiting.clear()
        other = threading.Thread(target=stop_the_wait)
        other.start()
        nv.start()
        waiting.set()
        try:
            nv.wait_for_warmup()
        except FastNVMetricsError as error:
            statuses.add(error.status)
        other.join()
        assert is_closed(trace)
        if statuses:  # else the warm-up was over first
            break
    assert statuses == {FNVM_E_NOT_RUNNING}


def test_ctrl_c_completes_the_file_wherever_it_comes(trace: Path, board: BoardConfig) -> None:
    nv = NVMetrics(trace, board=board)

    def interrupt() -> None:
        wait_until(lambda: nv.is_running)
        os.kill(os.getpid(), signal.SIGINT)

    for _ in range(10):
        other = threading.Thread(target=interrupt)
        other.start()
        with pytest.raises(KeyboardInterrupt):
            with nv:
                wait_until(lambda: False)
        other.join()
        assert not nv.is_running
        assert is_closed(trace)


# ---- sync ----------------------------------------------------------------------------------------


def test_sync_counts_from_one_and_labels_the_samples_after_it(
    trace: Path, board: BoardConfig
) -> None:
    with NVMetrics(trace, board=board) as nv:
        for expected in (1, 2, 3):
            assert nv.sync() == expected
            enough = nv.sample_count + 2
            while nv.sample_count < enough:
                time.sleep(0.001)
    ids = read_trace(trace)["sync_id"]
    assert ids[0] == 0 and set(ids) == {0, 1, 2, 3}
    assert (np.diff(ids.astype(np.int64)) >= 0).all()


@pytest.mark.parametrize("fast_hz", [1, 1000, 20000])
def test_every_mark_is_followed_by_a_sample_though_stop_follows_at_once(
    fast_hz: int, trace: Path, board: BoardConfig
) -> None:
    nv = NVMetrics(trace, fast_hz=fast_hz, board=board)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # 20 kHz may be more than the disk can take
        for _ in range(5):
            nv.start()
            assert [nv.sync() for _ in range(3)] == [1, 2, 3]
            nv.stop()
            data = read_trace(trace)
            marks = sync_points(trace)
            assert [mark for mark, _ in marks] == [1, 2, 3]
            assert all(index < len(data["fast_time_s"]) for _, index in marks)
            assert data["sync_id"][-1] == 3


def test_sync_where_nothing_runs_is_refused(trace: Path, board: BoardConfig) -> None:
    nv = NVMetrics(trace, board=board)
    with pytest.raises(RuntimeError):
        nv.sync()
    with nv:
        nv.sync()
    with pytest.raises(RuntimeError) as caught:
        nv.sync()
    assert getattr(caught.value, "status", None) == FNVM_E_NOT_RUNNING


def test_marks_of_many_threads_are_distinct(trace: Path, board: BoardConfig) -> None:
    ids: list[int] = []
    with NVMetrics(trace, board=board) as nv:
        threads = [
            threading.Thread(target=lambda: ids.extend(nv.sync() for _ in range(25)))
            for _ in range(4)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert sorted(ids) == list(range(1, 101))
    assert [mark for mark, _ in sync_points(trace)] == list(range(1, 101))


# ---- sample_count, counts, notices ---------------------------------------------------------------


def test_sample_count_grows_while_running_and_stays_after_stop(
    trace: Path, board: BoardConfig
) -> None:
    nv = NVMetrics(trace, board=board)
    assert nv.sample_count == 0
    with nv:
        before = nv.sample_count
        wait_until(lambda: nv.sample_count > before)
    assert nv.sample_count == nv.counts["fast_samples"] == len(read_trace(trace)["fast_time_s"])


def test_counts_agree_with_the_trace(trace: Path, board: BoardConfig) -> None:
    with NVMetrics(trace, board=board) as nv:
        nv.sync()
    data, counts = read_trace(trace), nv.counts
    assert counts["medium_samples"] == len(data["medium_time_s"])
    assert counts["slow_samples"] == len(data["slow_time_s"])
    assert counts["sync_points"] == 1
    for key in ("missed_fast", "missed_medium", "missed_slow", "dropped_samples", "read_errors"):
        assert counts[key] == data[key]
    assert all(type(value) is int for value in counts.values())


class EngineWith:
    """An engine of which some answers are replaced."""

    def __init__(self, engine: Any, **answers: Any) -> None:
        self._engine = engine
        self.__dict__.update(answers)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._engine, name)


def test_each_notice_is_a_warning_once(trace: Path, board: BoardConfig) -> None:
    said = ["at start"]
    nv = NVMetrics(trace, board=board)
    nv._engine = EngineWith(nv._engine, notices=lambda: list(said))  # type: ignore[assignment]
    with pytest.warns(RuntimeWarning) as caught:
        nv.start()
        said.append("at stop")
        nv.stop()
        nv.stop()
    assert [str(warning.message) for warning in caught] == ["at start", "at stop"]
    assert {warning.filename for warning in caught} == {__file__}
    assert nv.notices == said


def test_a_warning_in_a_with_statement_is_at_the_users_line(trace: Path, board: BoardConfig) -> None:
    nv = NVMetrics(trace, board=board)
    nv._engine = EngineWith(nv._engine, notices=lambda: ["so"])  # type: ignore[assignment]
    with pytest.warns(RuntimeWarning) as caught:
        with nv:
            pass
    assert [warning.filename for warning in caught] == [__file__]


def test_start_that_fails_by_a_warning_starts_nothing(trace: Path, board: BoardConfig) -> None:
    nv = NVMetrics(trace, board=board)
    nv._engine = EngineWith(nv._engine, notices=lambda: ["so"])  # type: ignore[assignment]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(RuntimeWarning):
            nv.start()
    assert not nv.is_running


# ---- the context manager -------------------------------------------------------------------------


def test_body_begins_after_the_warmup_and_stop_follows_it(trace: Path, board: BoardConfig) -> None:
    with NVMetrics(trace, board=board) as nv:
        assert nv.is_running and nv.sample_count >= 10
    assert not nv.is_running
    assert is_closed(trace)


@pytest.mark.parametrize("kind", [KeyError, KeyboardInterrupt, SystemExit, GeneratorExit])
def test_exception_of_the_body_goes_on_and_the_file_is_complete(
    kind: type[BaseException], trace: Path, board: BoardConfig
) -> None:
    raised = kind("of the body")
    with pytest.raises(kind) as caught:
        with NVMetrics(trace, board=board) as nv:
            raise raised
    assert caught.value is raised
    assert not nv.is_running
    assert is_closed(trace)


def disk_full() -> None:
    raise OSError(errno.ENOSPC, "cannot write the trace", "run.bin")


def test_failing_stop_does_not_replace_the_exception_of_the_body(
    trace: Path, board: BoardConfig
) -> None:
    nv = NVMetrics(trace, board=board)
    with warnings.catch_warnings(record=True) as caught_warnings:
        warnings.simplefilter("always")
        with pytest.raises(KeyError) as caught:
            with nv:
                engine = nv._engine
                nv._engine = EngineWith(engine, stop=disk_full)  # type: ignore[assignment]
                raise KeyError("of the body")
    engine.stop()
    told = [*getattr(caught.value, "__notes__", []), *(str(w.message) for w in caught_warnings)]
    assert any("cannot write the trace" in text for text in told)


def test_failing_stop_is_raised_where_the_body_succeeds(trace: Path, board: BoardConfig) -> None:
    nv = NVMetrics(trace, board=board)
    with pytest.raises(OSError, match="cannot write the trace"):
        with nv:
            engine = nv._engine
            nv._engine = EngineWith(engine, stop=disk_full)  # type: ignore[assignment]
    engine.stop()


# ---- the GIL and threads -------------------------------------------------------------------------


@pytest.mark.usefixtures("no_forced_switches")
@pytest.mark.parametrize("call", ["start", "stop", "wait_for_warmup"])
def test_other_threads_run_during_a_blocking_call(
    call: str, trace: Path, board: BoardConfig
) -> None:
    turns = 0
    finished = False

    def take_turns() -> None:
        nonlocal turns
        while not finished:
            turns += 1
            time.sleep(0)  # the other thread's turn

    nv = NVMetrics(trace, board=board)
    worker = threading.Thread(target=take_turns)
    worker.start()
    meanwhile = 0
    try:
        for _ in range(100):
            for name in ("start", "wait_for_warmup", "stop"):
                method = getattr(nv._engine, name)
                # Nothing between these lines lets go of the GIL but the call itself.
                before = turns
                method()
                after = turns
                if name == call:
                    meanwhile += after - before
            if meanwhile > 0:
                break
    finally:
        finished = True
        worker.join()
    assert meanwhile > 0


def test_methods_may_be_called_by_many_threads_at_once(trace: Path, board: BoardConfig) -> None:
    """No order is promised here: every call returns or raises what it may."""
    nv = NVMetrics(trace, board=board)
    unexpected: list[BaseException] = []

    def use(seed: int) -> None:
        properties = (lambda: nv.notices, lambda: nv.counts)
        methods = (nv.start, nv.sync, nv.wait_for_warmup, nv.stop, *properties)
        for turn in range(60):
            try:
                methods[(turn * seed + turn // 6) % len(methods)]()
            except FastNVMetricsError as error:
                if error.status not in (FNVM_E_ALREADY_RUNNING, FNVM_E_NOT_RUNNING):
                    unexpected.append(error)
            except BaseException as error:
                unexpected.append(error)

    threads = [threading.Thread(target=use, args=(seed,)) for seed in (1, 5, 7, 11)]
    for thread in threads:
        thread.start()
    # A thread may find itself waiting for a warm-up that a stop has ended; none waits for ever.
    for thread in threads:
        thread.join()
    nv.stop()
    assert unexpected == []
    read_trace(trace)


# ---- ends that nobody called for -----------------------------------------------------------------


def test_recorder_that_is_dropped_completes_its_file(trace: Path, board: BoardConfig) -> None:
    nv = NVMetrics(trace, board=board)
    nv.start()
    nv.wait_for_warmup()
    del nv
    gc.collect()
    assert is_closed(trace)


def test_dropping_a_recorder_keeps_the_current_exception(trace: Path, board: BoardConfig) -> None:
    nv = NVMetrics(trace, board=board)
    nv.start()
    with pytest.raises(KeyError, match="kept"):
        try:
            raise KeyError("kept")
        finally:
            del nv
    assert is_closed(trace)


RECORD = """
import os, signal, sys
import fastnvmetrics
nv = fastnvmetrics.NVMetrics(sys.argv[1], board=fastnvmetrics.get_board_config("generic_linux"))
nv.start()
nv.wait_for_warmup()
"""


@pytest.mark.parametrize("end", ["", "sys.exit(3)", "1 / 0", "nv.cycle = nv", "import atexit"])
def test_file_is_complete_after_the_interpreter_exits(end: str, trace: Path) -> None:
    result = run_python(RECORD + end, trace)
    assert "fastnvmetrics" not in result.stderr
    assert is_closed(trace)
    assert len(read_trace(trace)["fast_time_s"]) >= 10


def test_forked_child_leaves_the_recording_alone_when_it_exits(trace: Path) -> None:
    result = run_python(
        RECORD
        + """
child = os.fork()
if child == 0:
    sys.exit(7)
_, status = os.waitpid(child, 0)
assert os.waitstatus_to_exitcode(status) == 7, status
assert nv.is_running
before = nv.sample_count
assert nv.sync() == 1
nv.stop()
print(nv.sample_count)
""",
        trace,
    )
    assert (result.returncode, result.stderr) == (0, "")
    assert len(read_trace(trace)["fast_time_s"]) == int(result.stdout)
    assert [mark for mark, _ in sync_points(trace)] == [1]


def test_forked_child_is_refused_and_does_not_hang(trace: Path) -> None:
    result = run_python(
        RECORD
        + f"""
child = os.fork()
if child == 0:
    refused = 0
    for call in (nv.start, nv.stop, nv.sync, nv.wait_for_warmup):
        try:
            call()
        except fastnvmetrics.FastNVMetricsError as error:
            refused += error.status == {FNVM_E_FORKED}
    del nv
    os._exit(refused)
_, status = os.waitpid(child, 0)
nv.stop()
sys.exit(os.waitstatus_to_exitcode(status))
""",
        trace,
    )
    assert (result.returncode, result.stderr) == (4, "")
    assert is_closed(trace)


# ---- after a crash -------------------------------------------------------------------------------

CRASH = (
    RECORD
    + """
# Until ten samples are out of this process, and vouched for.
while os.path.getsize(sys.argv[1]) < 728 + 98 * 10 or os.path.getsize(sys.argv[1] + ".fnvm-journal") < 32:
    pass
os.kill(os.getpid(), signal.SIGKILL)
"""
)


def test_recover_completes_the_trace_of_a_killed_recorder(trace: Path) -> None:
    assert run_python(CRASH, trace).returncode == -signal.SIGKILL
    with pytest.raises(ValueError, match="^Unfinished trace"):
        read_trace(trace)
    assert recover(trace) is True
    assert recover(os.fsencode(trace)) is False
    data = read_trace(trace)
    assert data["recovered"] is True
    assert len(data["fast_time_s"]) >= 10


def test_unfinished_trace_is_set_aside_with_a_warning(trace: Path, board: BoardConfig) -> None:
    run_python(CRASH, trace)
    nv = NVMetrics(trace, board=board)
    with pytest.warns(RuntimeWarning, match="unfinished-"):
        nv.start()
    nv.stop()
    assert read_trace(trace)["board_name"] == "by_hand"
    (aside,) = trace.parent.glob("run.bin.unfinished-*[0-9]")
    assert recover(aside) is True
    assert read_trace(aside)["board_name"] == "generic_linux"


def test_recover_refuses_what_is_no_trace(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        recover(tmp_path / "missing.bin")
    text = tmp_path / "text"
    text.write_text("not a trace\n" * 100)
    with pytest.raises(FastNVMetricsError) as caught:
        recover(text)
    assert caught.value.status == FNVM_E_FORMAT
    for wrong in (None, 3):
        with pytest.raises(TypeError):
            recover(wrong)  # type: ignore[arg-type]
    with pytest.raises(ValueError):
        recover("a\0b")


def test_trace_that_is_being_recorded_is_not_recovered(trace: Path, board: BoardConfig) -> None:
    with NVMetrics(trace, board=board):
        with pytest.raises(OSError) as caught:
            recover(trace)
        assert caught.value.errno == errno.EBUSY
    assert is_closed(trace)


# ---- nothing is left behind ----------------------------------------------------------------------


def test_descriptors_and_threads_are_given_back(trace: Path, board: BoardConfig) -> None:
    def held() -> tuple[int, int]:
        return len(os.listdir("/proc/self/fd")), len(os.listdir("/proc/self/task"))

    def record() -> None:
        nv = NVMetrics(trace, board=board)
        nv.start()
        nv.stop()

    record()  # what is made once is made now
    gc.collect()
    before = held()
    for _ in range(50):
        record()
    gc.collect()
    for _ in range(1000):  # a thread that was joined may be listed for a moment more
        if held() == before:
            break
        time.sleep(0.001)
    assert held() == before


def test_calls_that_return_nothing_take_no_reference_to_it(trace: Path, board: BoardConfig) -> None:
    # An extension built with the headers of Python 3.12 runs with 3.10 and 3.11, where None can be used up.
    with NVMetrics(trace, board=board) as nv:
        engine = nv._engine
        for _ in range(2):  # the first time makes things that stay
            before = sys.getrefcount(None)
            for _ in range(1000):
                engine.wait_for_warmup()
                engine.phase_end(engine.phase_begin("x"))
        assert abs(sys.getrefcount(None) - before) < 500


def test_references_are_given_back(trace: Path, board: BoardConfig) -> None:
    extension = _native.load()
    native = fastnvmetrics.board.to_native(board)
    path = os.fsencode(trace)
    counted = (extension.Engine, native, path, FastNVMetricsError, *native)

    def use() -> None:
        engine = extension.Engine(path, native, fast_hz=1000)
        engine.board, engine.counts(), engine.notices(), engine.sample_count, engine.is_running
        for wrong, options in (
            ((path, native), {"fast_hz": 0}),
            ((path, native), {"speed": 1}),
            ((path, ()), {}),
            ((b"", native), {}),
        ):
            with pytest.raises((TypeError, ValueError)):
                extension.Engine(*wrong, **options)
        for call, *given in (
            (engine.sync,),
            (engine.sync, "label"),
            (engine.phase_begin, "name"),
            (engine.phase_end, 1),
            (engine.snapshot,),
        ):
            with pytest.raises(FastNVMetricsError):
                call(*given)
        for call, wrong in ((engine.sync, 3), (engine.phase_begin, "\0"), (engine.phase_end, -1)):
            with pytest.raises((TypeError, ValueError, OverflowError)):
                call(wrong)

    use()
    gc.collect()
    before = [sys.getrefcount(thing) for thing in counted]
    for _ in range(100):
        use()
    gc.collect()
    assert [sys.getrefcount(thing) for thing in counted] == before


# ---- annotations ---------------------------------------------------------------------------------


def test_annotations_are_in_every_trace(trace: Path, board: BoardConfig) -> None:
    nv = NVMetrics(trace, board=board)
    nv.annotate("command", "train")
    for loss in ("2", "1"):
        with nv:
            nv.annotate("loss", "9")
            nv.annotate("loss", loss)
        assert read_trace(trace)["metadata"]["annotations"] == {"command": "train", "loss": loss}


@pytest.mark.parametrize(
    ("key", "value", "error"),
    [
        ("", "x", ValueError),
        ("k" * 65, "x", ValueError),
        ("k", "v" * 4097, ValueError),
        ("a\0b", "x", ValueError),
        ("k", "\ud800", ValueError),
        ("k", 1, TypeError),
        (None, "x", TypeError),
    ],
    ids=["empty", "long key", "long value", "NUL", "surrogate", "int", "None"],
)
def test_what_is_no_annotation_is_refused(
    key: Any, value: Any, error: type[Exception], trace: Path, board: BoardConfig
) -> None:
    with pytest.raises(error):
        NVMetrics(trace, board=board).annotate(key, value)
