"""High-rate power: what the power sensors are set to, and that they are put back."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import warnings
from collections.abc import Iterator
from pathlib import Path

import pytest

import fastnvmetrics as fm

NOBODY = 65534

RECORDER = """
import sys, time, warnings, fastnvmetrics as fm
warnings.simplefilter("ignore")
board = fm.detect_board(root=sys.argv[1])
nv = fm.NVMetrics(sys.argv[2], board=board, rail_update_interval_ms=1, rail_samples=4)
with nv:
    print(*nv.notices, sep="\\n", flush=True)
    print("recording", flush=True)
    sys.stdin.read()
print(*nv.notices, sep="\\n", flush=True)
"""


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A simulated AGX Orin that stands still."""
    root = tmp_path / "root"
    subprocess.run(
        [sys.executable, "-m", "fastnvmetrics.simulate", root, "--board", "agx_orin", "--static"],
        check=True,
        stdout=subprocess.DEVNULL,
    )
    return root


def settings(root: Path) -> list[tuple[int, int]]:
    """(update_interval, samples) of each chip."""
    return [
        (int(node.read_text()), int(node.with_name("samples").read_text()))
        for node in sorted(root.glob("sys/devices/**/hwmon/hwmon*/update_interval"))
    ]


def state_files(root: Path) -> list[Path]:
    return sorted((root / "run/fastnvmetrics").glob("sensors-*"))


class Recorder:
    """A process that records until it is told to stop, or is killed."""

    def __init__(self, root: Path, output: Path, **options: int) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-c", RECORDER, str(root), str(output)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            **options,  # type: ignore[call-overload]
        )
        self.notices = list(self._lines_until("recording\n"))

    def _lines_until(self, end: str) -> Iterator[str]:
        assert self.process.stdout is not None
        while (line := self.process.stdout.readline()) != end:
            assert line, "the recorder ended"
            yield line.rstrip()

    def kill(self) -> None:
        self.process.send_signal(signal.SIGKILL)
        self.process.communicate(timeout=30)

    def stop(self) -> list[str]:
        output, _ = self.process.communicate(timeout=30)
        assert self.process.returncode == 0
        return [str(line) for line in output.splitlines()]


def command(*arguments: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "fastnvmetrics", *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=60,
    )


def test_a_recording_sets_them_and_puts_them_back(tree: Path, tmp_path: Path) -> None:
    board = fm.detect_board(root=tree)
    nv = fm.NVMetrics(tmp_path / "run", board=board, metadata=True, rail_update_interval_ms=1, rail_samples=4)
    with pytest.warns(RuntimeWarning, match="1-0041 measures every 1 ms, averaging 4 measurements"):
        nv.start()
    assert settings(tree) == [(1, 4), (1, 4)]
    with pytest.warns(RuntimeWarning, match="1-0041 measures every 7 ms again"):
        nv.stop()
    assert settings(tree) == [(7, 1), (7, 1)]
    assert state_files(tree) == []
    meta = fm.read_trace(tmp_path / "run")["metadata"]
    assert meta is not None
    assert [(chip["update_interval_ms"], chip["samples"]) for chip in meta["sensors"]] == [(1, 4)] * 2


def test_the_next_recording_puts_back_what_a_killed_one_set(tree: Path, tmp_path: Path) -> None:
    recorder = Recorder(tree, tmp_path / "killed")
    assert len(recorder.notices) == 2
    recorder.kill()
    assert settings(tree) == [(1, 4), (1, 4)]
    assert len(state_files(tree)) == 1
    nv = fm.NVMetrics(tmp_path / "run", board=fm.detect_board(root=tree))
    with pytest.warns(RuntimeWarning, match="1-0040, which a recorder that crashed had set, measures"), nv:
        assert settings(tree) == [(7, 1), (7, 1)]
    assert state_files(tree) == []


def test_the_doctor_tells_of_them_and_restores_them(tree: Path, tmp_path: Path) -> None:
    Recorder(tree, tmp_path / "killed").kill()
    found = command("doctor", "--root", tree)
    assert f"run: sudo fastnvmetrics doctor --restore --root {tree}" in found.stdout
    assert settings(tree) == [(1, 4), (1, 4)]
    done = command("doctor", "--restore", "--root", tree)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.count("measures every 7 ms again") == 2
    assert settings(tree) == [(7, 1), (7, 1)]
    again = command("doctor", "--restore", "--root", tree)
    assert again.returncode == 0
    assert "Nothing to put back" in again.stdout
    assert command("doctor", "--restore", "--root", tree, "--json").stdout == "[]\n"
    assert fm.restore_sensors(tree) == []


def test_a_recorder_that_runs_is_left_alone(tree: Path, tmp_path: Path) -> None:
    recorder = Recorder(tree, tmp_path / "first")
    assert [("is running" in notice) for notice in fm.restore_sensors(tree)] == [True, True]
    second = Recorder(tree, tmp_path / "second")
    assert all(notice.startswith("Another recorder has set") for notice in second.notices)
    assert len(second.notices) == 2
    second.stop()
    assert settings(tree) == [(1, 4), (1, 4)]
    assert "The power sensor 1-0040 measures every 7 ms again." in recorder.stop()
    assert settings(tree) == [(7, 1), (7, 1)]


def test_a_forked_child_neither_restores_nor_keeps_the_lock(tree: Path, tmp_path: Path) -> None:
    script = """
import os, sys, time, warnings, fastnvmetrics as fm
warnings.simplefilter("ignore")
nv = fm.NVMetrics(sys.argv[2], board=fm.detect_board(root=sys.argv[1]), rail_update_interval_ms=1)
nv.start()
child = os.fork()
if child == 0:
    del nv
    print(os.getpid(), flush=True)
time.sleep(60)
"""
    parent = subprocess.Popen(
        [sys.executable, "-c", script, str(tree), str(tmp_path / "run")],
        stdout=subprocess.PIPE,
        text=True,
    )
    assert parent.stdout is not None
    child = int(parent.stdout.readline())
    try:
        assert settings(tree) == [(1, 1), (1, 1)]
        assert len(state_files(tree)) == 1
        parent.kill()
        parent.wait(timeout=30)
        assert len(fm.restore_sensors(tree)) == 2
        assert settings(tree) == [(7, 1), (7, 1)]
    finally:
        os.kill(child, signal.SIGKILL)
        parent.stdout.close()


def can_be_run_by_nobody() -> bool:
    try:
        done = subprocess.run(
            [sys.executable, "-c", "import fastnvmetrics"],
            user=NOBODY,
            group=NOBODY,
            stderr=subprocess.DEVNULL,
        )
    except PermissionError:
        return False
    return done.returncode == 0


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root, to be somebody else")
def test_without_the_right_to_set_them_a_recording_goes_on(tree: Path, tmp_path: Path) -> None:
    if not can_be_run_by_nobody():
        pytest.skip("this Python lies where only its owner may run it")
    for parent in (tree, *tree.parents):
        if parent != Path("/") and parent.owner() == "root":
            parent.chmod(parent.stat().st_mode | 0o755)
    output = tmp_path / "out"
    output.mkdir()
    output.chmod(0o777)
    recorder = Recorder(tree, output / "run", user=NOBODY, group=NOBODY)
    assert len(recorder.notices) == 4
    for notice in recorder.notices:
        assert notice.startswith("cannot set ")
        assert "Permission denied; only root can" in notice
        assert notice.endswith("measures every 7 ms, as before.")
    recorder.stop()
    assert settings(tree) == [(7, 1), (7, 1)]
    assert len(fm.read_trace(output / "run")["fast_time_s"]) > 0

    # What root left behind is not for others to put back, and they are told whom to ask.
    Recorder(tree, tmp_path / "killed").kill()
    script = """
import sys, fastnvmetrics as fm
rails = [node for node in fm.doctor(root=sys.argv[1]) if node.kind == "rail"]
assert all("sudo fastnvmetrics doctor --restore" in node.advice for node in rails)
fm.restore_sensors(sys.argv[1])
"""
    done = subprocess.run(
        [sys.executable, "-c", script, str(tree)],
        user=NOBODY,
        group=NOBODY,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.stderr.splitlines()[-1].startswith("PermissionError: [Errno 13]")
    assert settings(tree) == [(1, 4), (1, 4)]
    assert len(fm.restore_sensors(tree)) == 2


def test_what_cannot_be_put_back_is_an_error_that_says_what_was(tree: Path, tmp_path: Path) -> None:
    Recorder(tree, tmp_path / "killed").kill()
    node = next(tree.glob("sys/devices/**/1-0041/hwmon/hwmon*/update_interval"))
    node.rename(node.with_name("aside"))
    with pytest.raises(OSError) as caught:
        fm.restore_sensors(tree)
    assert caught.value.filename == str(node)
    assert "1-0040, which a recorder that crashed had set, measures every 7 ms again" in str(caught.value)
    done = command("doctor", "--restore", "--root", tree)
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1
    node.with_name("aside").rename(node)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert len(fm.restore_sensors(tree)) == 1
    assert settings(tree) == [(7, 1), (7, 1)]
