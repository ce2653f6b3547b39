"""What a recording survives, and what it must not do: each of these was a fault once."""

from __future__ import annotations

import errno
import os
import resource
import signal
import subprocess
import sys
import time
import warnings
from pathlib import Path

import numpy as np
import pytest

import fastnvmetrics as fm

STAT = "cpu  {0} 0 0 {1} 0 0 0 0 0 0\ncpu0 {0} 0 0 {1} 0 0 0 0 0 0\n"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """The least that is a machine: one core, some memory, one rail."""
    tree = tmp_path / "root"
    (tree / "proc").mkdir(parents=True)
    (tree / "proc/stat").write_text(STAT.format(100, 900))
    (tree / "proc/meminfo").write_text("MemTotal: 1000 kB\nMemFree: 1 kB\nMemAvailable: 400 kB\n")
    (tree / "voltage").write_text("5000\n")
    (tree / "current").write_text("100\n")
    return tree


def a_board(root: Path) -> fm.BoardConfig:
    rail = fm.PowerRailConfig("RAIL", root / "voltage", root / "current")
    return fm.BoardConfig(board_name="bench", num_cpu_cores=1, power_rails=[rail], root=str(root))


def record(nv: fm.NVMetrics, samples: int) -> None:
    """Wait until that many fast samples exist."""
    while nv.sample_count < samples:
        time.sleep(0.002)


def run(script: str, *arguments: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", script, *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=60,
    )


# ---- Files


@pytest.mark.parametrize("deed", ["removed", "replaced", "directory removed"])
def test_a_trace_that_was_taken_away_is_an_error_at_stop(root: Path, tmp_path: Path, deed: str) -> None:
    directory = tmp_path / "out"
    directory.mkdir()
    path = directory / "run.bin"
    nv = fm.NVMetrics(path, board=a_board(root))
    nv.start()
    record(nv, 20)
    if deed == "replaced":
        other = directory / "other"
        other.write_text("other")
        other.replace(path)
    else:
        path.unlink()
    if deed == "directory removed":
        for name in os.listdir(directory):
            (directory / name).unlink()
        directory.rmdir()
    with pytest.raises(OSError) as caught:
        nv.stop()
    assert caught.value.errno == (errno.ESTALE if deed == "replaced" else errno.ENOENT)
    assert caught.value.filename == str(path)
    assert not nv.is_running
    if deed != "directory removed":
        assert [name for name in os.listdir(directory) if "fnvm" in name] == []
        path.unlink(missing_ok=True)
        with nv:
            pass
        assert len(fm.read_trace(path)["fast_time_s"]) == nv.sample_count


def test_a_trace_that_was_renamed_is_completed_where_it_is(root: Path, tmp_path: Path) -> None:
    path, elsewhere = tmp_path / "run.bin", tmp_path / "elsewhere.bin"
    nv = fm.NVMetrics(path, board=a_board(root))
    nv.start()
    record(nv, 20)
    path.rename(elsewhere)
    with pytest.raises(OSError, match="complete where it is now") as caught:
        nv.stop()
    assert (caught.value.errno, caught.value.filename) == (errno.ENOENT, str(path))
    trace = fm.read_trace(elsewhere)
    assert len(trace["fast_time_s"]) == nv.sample_count
    assert not trace["recovered"]
    assert [name for name in os.listdir(tmp_path) if "fnvm" in name] == []


def test_a_limit_on_file_sizes_is_an_error_and_no_signal(root: Path, tmp_path: Path) -> None:
    script = """
import resource, signal, sys, time, fastnvmetrics as fm
signal.signal(signal.SIGXFSZ, signal.SIG_DFL)
resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))
root = sys.argv[1]
nv = fm.NVMetrics(sys.argv[2], board=fm.BoardConfig(board_name="b", num_cpu_cores=1, root=root))
nv.start()
while nv.sample_count < 500:
    time.sleep(0.01)
try:
    nv.stop()
except OSError as error:
    print(error.errno, nv.counts["dropped_samples"] > 0)
"""
    done = run(script, root, tmp_path / "run.bin")
    assert done.returncode == 0
    # The warning and nothing else; from 3.13 on its line of the program follows.
    assert "samples were lost" in done.stderr.splitlines()[0]
    assert done.stderr.splitlines()[1:] in ([], ["  nv.stop()"])
    assert done.stdout.split() == [str(errno.EFBIG), "True"]


def test_a_start_that_fails_leaves_the_older_trace(root: Path, tmp_path: Path) -> None:
    path = tmp_path / "run.bin"
    with fm.NVMetrics(path, board=a_board(root)):
        pass
    before = path.read_bytes()
    script = """
import os, resource, sys, fastnvmetrics as fm
nv = fm.NVMetrics(sys.argv[2], board=fm.BoardConfig(board_name="b", num_cpu_cores=1, root=sys.argv[1]))
if os.geteuid() == 0:
    os.setgroups([])
    os.setresgid(65534, 65534, 65534)
    os.setresuid(65534, 65534, 65534)
resource.setrlimit(resource.RLIMIT_NPROC, (1, 1))
try:
    nv.start()
except OSError as error:
    print(error.errno)
"""
    for parent in (tmp_path, *tmp_path.parents):
        if os.geteuid() == 0 and parent.is_relative_to(tmp_path.parents[1]):
            parent.chmod(0o777)
    done = run(script, root, path)
    # Either no thread could be had, or a user without rights may not replace the trace at all.
    assert done.stdout.split() in ([str(errno.EAGAIN)], [str(errno.EACCES)]), done.stderr
    assert path.read_bytes() == before
    assert [name for name in os.listdir(tmp_path) if "fnvm" in name] == []


def test_recover_leaves_spools_alone_that_it_cannot_open(root: Path, tmp_path: Path) -> None:
    path = killed_trace(root, tmp_path / "run.bin")
    medium = tmp_path / "run.bin.fnvm-medium"
    size = medium.stat().st_size
    assert size > 0
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    taken: list[int] = []
    try:
        # Room for the trace and its directory, and for nothing else.
        lowest = os.open("/dev/null", os.O_RDONLY)
        os.close(lowest)
        resource.setrlimit(resource.RLIMIT_NOFILE, (lowest + 3, hard))
        with pytest.raises(OSError) as caught:
            fm.recover(path)
        assert caught.value.errno == errno.EMFILE
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        for descriptor in taken:
            os.close(descriptor)
    assert medium.stat().st_size == size
    assert fm.recover(path)
    assert len(fm.read_trace(path)["medium_time_s"]) == size // 104


def killed_trace(root: Path, path: Path) -> Path:
    script = """
import os, signal, sys, time, fastnvmetrics as fm
root = sys.argv[1]
rail = fm.PowerRailConfig("RAIL", root + "/voltage", root + "/current")
board = fm.BoardConfig(board_name="b", num_cpu_cores=1, power_rails=[rail], root=root)
nv = fm.NVMetrics(sys.argv[2], board=board)
nv.start()
while nv.sample_count < 400:
    time.sleep(0.01)
os.kill(os.getpid(), signal.SIGKILL)
"""
    assert run(script, root, path).returncode == -signal.SIGKILL
    return path


def test_a_crash_leaves_flags_and_counts_of_a_moment_ago(root: Path, tmp_path: Path) -> None:
    (root / "voltage").unlink()
    path = killed_trace(root, tmp_path / "run.bin")
    fm.recover(path)
    assert fm.read_trace(path)["read_errors"] > 0


def test_a_crashed_trace_is_put_back_where_the_start_fails(root: Path, tmp_path: Path) -> None:
    path = killed_trace(root, tmp_path / "run.bin")
    crashed = path.read_bytes()
    names = sorted(os.listdir(tmp_path))
    (tmp_path / "run.bin.fnvm-new").mkdir()  # where the new trace is made first
    with pytest.raises(OSError):
        fm.NVMetrics(path, board=a_board(root)).start()
    (tmp_path / "run.bin.fnvm-new").rmdir()
    assert sorted(os.listdir(tmp_path)) == names
    assert path.read_bytes() == crashed


# ---- Forks


def test_a_forked_child_does_not_keep_the_lock_of_a_killed_parent(root: Path, tmp_path: Path) -> None:
    path = tmp_path / "run.bin"
    script = """
import os, signal, sys, time, fastnvmetrics as fm
nv = fm.NVMetrics(sys.argv[2], board=fm.BoardConfig(board_name="b", num_cpu_cores=1, root=sys.argv[1]))
nv.start()
while nv.sample_count < 200:
    time.sleep(0.01)
child = os.fork()
if child == 0:
    os.close(1)
    os.close(2)
    time.sleep(30)
    os._exit(0)
print(child, flush=True)
os.kill(os.getpid(), signal.SIGKILL)
"""
    done = run(script, root, path)
    child = int(done.stdout)
    try:
        assert fm.recover(path)
    finally:
        os.kill(child, signal.SIGKILL)


def test_a_child_forked_in_the_middle_of_a_start_does_not_hang(root: Path, tmp_path: Path) -> None:
    script = """
import os, sys, threading, time, fastnvmetrics as fm
nv = fm.NVMetrics(sys.argv[2], board=fm.BoardConfig(board_name="b", num_cpu_cores=1, root=sys.argv[1]))
over = threading.Event()

def work():
    while not over.is_set():
        nv.start()
        nv.stop()

worker = threading.Thread(target=work)
worker.start()
hung = 0
for _ in range(40):
    child = os.fork()
    if child == 0:
        import signal
        signal.alarm(10)
        nv.is_running, nv.sample_count, nv.counts
        try:
            nv.sync()
        except RuntimeError:
            pass
        try:
            nv.stop()
        except RuntimeError:
            pass
        os._exit(0)
    hung += os.waitpid(child, 0)[1] != 0
over.set()
worker.join()
print(hung)
"""
    done = run(script, root, tmp_path / "run.bin")
    assert (done.stdout.strip(), done.returncode) == ("0", 0), done.stderr


# ---- Nodes


def test_a_change_of_directory_loses_no_node(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(root)
    board = a_board(root)
    board.power_rails = [fm.PowerRailConfig("RAIL", "voltage", "current")]
    board.root = "."
    with fm.NVMetrics(tmp_path / "run.bin", board=board) as nv:
        monkeypatch.chdir("/")
        record(nv, 800)
    trace = fm.read_trace(tmp_path / "run.bin")
    assert trace["read_errors"] == 0
    assert np.isfinite(trace["power_mw"]).all()


def test_a_file_that_is_replaced_again_and_again_is_always_read(root: Path, tmp_path: Path) -> None:
    with fm.NVMetrics(tmp_path / "run.bin", board=a_board(root)) as nv:
        for voltage in range(5001, 5060):
            (root / "new").write_text(f"{voltage}\n")
            (root / "new").replace(root / "voltage")
            record(nv, nv.sample_count + 20)
        record(nv, nv.sample_count + 600)
    trace = fm.read_trace(tmp_path / "run.bin")
    assert trace["read_errors"] == 0
    assert trace["voltage_mv"][-1, 0] == 5059


@pytest.mark.parametrize(
    "stat",
    [
        f"cpu0 {2**62} {2**62} {2**62 + 1} {2**62} 0 0 0 0\n",
        "cpu0 -1 -1 -1 -1\n",
        f"cpu0 {10**30} 0 0 {10**30}\n",
        "cpu0 0 0 0 0\n",
        "cpu0\n",
        "",
        "\0" * 100,
    ],
)
def test_an_absurd_stat_file_is_survived(root: Path, tmp_path: Path, stat: str) -> None:
    (root / "proc/stat").write_text("cpu0 0 0 0 0 0 0 0 0\n")
    with fm.NVMetrics(tmp_path / "run.bin", board=a_board(root)) as nv:
        record(nv, 50)
        (root / "proc/stat").write_text(stat)
        record(nv, 300)
        (root / "proc/stat").write_text("cpu0 5 0 0 5 0 0 0 0\n")
        record(nv, 500)
    known = fm.read_trace(tmp_path / "run.bin")["cpu_util"]
    known = known[~np.isnan(known)]
    assert ((known >= 0) & (known <= 100)).all()


def test_a_machine_without_a_stat_file_has_its_idle_counters(root: Path, tmp_path: Path) -> None:
    (root / "proc/stat").unlink()
    idle = root / "sys/devices/system/cpu/cpu0/cpuidle/state0/time"
    idle.parent.mkdir(parents=True)
    (root / "sys/devices/system/cpu/possible").write_text("0\n")
    begin = time.monotonic()

    def half_idle() -> None:
        idle.write_text(f"{int((time.monotonic() - begin) * 500_000):012d}\n")

    half_idle()
    with fm.NVMetrics(tmp_path / "run.bin", board=a_board(root)) as nv:
        until = time.monotonic() + 1.5
        while time.monotonic() < until:
            half_idle()
            time.sleep(0.005)
    trace = fm.read_trace(tmp_path / "run.bin")
    weights = np.diff(trace["fast_time_s"], prepend=0.0)
    assert np.average(trace["cpu_util"][:, 0], weights=weights) == pytest.approx(50, abs=3)



def test_gpu_counters_that_load_contradicts_give_way_to_it(root: Path, tmp_path: Path) -> None:
    """Cycles pass and none is busy, but the GPU says that it is at its limit."""
    counters = root / "counters"
    (root / "load").write_text("1000\n")
    counters.write_text("0 0000000000\n")
    board = a_board(root)
    board.gpu_load_path = root / "load"
    nv = fm.NVMetrics(tmp_path / "run.bin", board=board)
    begin = time.monotonic()
    with open(counters, "r+b", buffering=0) as file:
        # On a busy machine this writer stands still for 100 ms, which is another reason to give way.
        for _ in range(10):
            sources = set()
            with warnings.catch_warnings(), nv:
                warnings.simplefilter("ignore", RuntimeWarning)
                until = time.monotonic() + 10
                while time.monotonic() < until and not (sources and nv.gpu_source == "load"):
                    sources |= {nv.gpu_source} & {"counters"}
                    cycles = int((time.monotonic() - begin) * 1e8)
                    os.pwrite(file.fileno(), f"0 {cycles:010d}\n".encode(), 0)
                    time.sleep(0.002)
                record(nv, nv.sample_count + 50)
            if any("contradicted" in notice for notice in nv.notices):
                break
    load = fm.read_trace(tmp_path / "run.bin")["gpu_load"]
    assert "contradicted" in " ".join(nv.notices)
    assert sources == {"counters"}
    assert nv.gpu_source == "load"
    assert set(load[-50:]) == {1000}


def test_gpu_counters_that_stand_still_are_not_used(root: Path, tmp_path: Path) -> None:
    (root / "load").write_text("500\n")
    (root / "counters").write_text("10 20\n")
    board = a_board(root)
    board.gpu_load_path = root / "load"
    with fm.NVMetrics(tmp_path / "run.bin", board=board) as nv:
        record(nv, 300)
    assert nv.gpu_source == "load"
    assert set(fm.read_trace(tmp_path / "run.bin")["gpu_load"]) == {500}


# ---- Stopping


def test_stop_wakes_tiers_that_sleep_for_a_second(root: Path, tmp_path: Path) -> None:
    script = """
import sys, fastnvmetrics as fm
board = fm.BoardConfig(board_name="b", num_cpu_cores=1, root=sys.argv[1])
nv = fm.NVMetrics(sys.argv[2], fast_hz=1, medium_hz=1, slow_hz=1, board=board)
for _ in range(120):
    with nv:
        pass
print(nv.sample_count)
"""
    # Waiting for the slow tier would take two minutes, twice what `run` allows.
    assert run(script, root, tmp_path / "run.bin").stdout.split() == ["11"]
