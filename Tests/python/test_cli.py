"""The command fastnvmetrics, run as a process."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import fastnvmetrics as fm

RECORDER = """
import os, sys, time, fastnvmetrics as fm
nv = fm.NVMetrics(sys.argv[1], board=fm.get_board_config("generic_linux"))
nv.start()
nv.wait_for_warmup()
while nv.sample_count < 400:
    time.sleep(0.01)
nv.sync()
print("recording", flush=True)
time.sleep(60)
"""


def run(*arguments: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "fastnvmetrics", *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=60,
    )


def test_record_and_stats_show_what_a_recording_did(tmp_path: Path) -> None:
    path = tmp_path / "run.bin"
    done = run("record", path, "--board", "generic_linux", "--seconds", 0.3)
    assert done.returncode == 0, done.stderr
    trace = fm.read_trace(path)
    stats = trace["stats"]
    assert stats is not None
    table = run("stats", path)
    assert table.returncode == 0
    assert table.stdout == done.stderr
    fast = next(line for line in table.stdout.splitlines() if line.startswith("fast"))
    assert fast.split()[1:4] == ["1000", "Hz", str(len(trace["fast_time_s"]))]
    assert json.loads(run("stats", path, "--json").stdout) == stats


def test_record_ends_with_the_command(tmp_path: Path) -> None:
    path = tmp_path / "run.bin"
    command = [sys.executable, "-c", "import sys; print('hello'); sys.exit(3)"]
    done = run("record", path, "--board", "generic_linux", "--", *command)
    assert (done.returncode, done.stdout) == (3, "hello\n")
    assert len(fm.read_trace(path)["fast_time_s"]) >= 10


def test_record_completes_its_trace_at_sigterm_and_ctrl_c(tmp_path: Path) -> None:
    for number in (signal.SIGTERM, signal.SIGINT):
        path = tmp_path / f"{number}.bin"
        arguments = [sys.executable, "-m", "fastnvmetrics", "record", str(path), "--board", "generic_linux"]
        recorder = subprocess.Popen(arguments, stderr=subprocess.PIPE, text=True)
        while not path.exists() or path.stat().st_size < 10_000:
            assert recorder.poll() is None
            time.sleep(0.01)
        recorder.send_signal(number)
        _, errors = recorder.communicate(timeout=60)
        assert recorder.returncode == 0, errors
        assert "of one core" in errors
        assert not fm.read_trace(path)["recovered"]


def test_sigterm_ends_the_command_and_completes_the_trace(tmp_path: Path) -> None:
    path = tmp_path / "run.bin"
    sleeper = [sys.executable, "-c", "import time; time.sleep(60)"]
    recorder = subprocess.Popen(
        [sys.executable, "-m", "fastnvmetrics", "record", str(path), "--board", "generic_linux", "--", *sleeper],
        stderr=subprocess.PIPE,
        text=True,
    )
    while not path.exists() or path.stat().st_size < 50_000:
        assert recorder.poll() is None
        time.sleep(0.01)
    recorder.send_signal(signal.SIGTERM)
    recorder.communicate(timeout=30)
    assert recorder.returncode == 128 + signal.SIGTERM
    assert not fm.read_trace(path)["recovered"]


def test_a_length_of_time_that_is_none_is_refused(tmp_path: Path) -> None:
    for seconds in ("nan", "-1", "0", "inf", "soon"):
        done = run("record", tmp_path / "run.bin", "--board", "generic_linux", "--seconds", seconds)
        assert done.returncode == 2
        assert not (tmp_path / "run.bin").exists()


def test_a_trace_without_statistics_says_so(tmp_path: Path) -> None:
    with fm.NVMetrics(tmp_path / "run.bin", board=fm.get_board_config("generic_linux")):
        pass
    done = run("stats", tmp_path / "run.bin")
    assert done.returncode == 1
    assert "holds no statistics" in done.stderr


def killed_trace(path: Path) -> Path:
    """A trace whose recorder was killed after 400 samples."""
    recorder = subprocess.Popen(
        [sys.executable, "-c", RECORDER, str(path)], stdout=subprocess.PIPE, text=True
    )
    assert recorder.stdout is not None
    assert recorder.stdout.readline() == "recording\n"
    recorder.send_signal(signal.SIGKILL)
    recorder.wait(timeout=30)
    recorder.stdout.close()
    return path


def test_recover_completes_the_trace_of_a_killed_recorder(tmp_path: Path) -> None:
    path = killed_trace(tmp_path / "run.bin")
    done = run("recover", path)
    assert (done.returncode, done.stderr) == (0, "")
    trace = fm.read_trace(path)
    assert trace["recovered"]
    assert len(trace["fast_time_s"]) >= 100
    assert sorted(os.listdir(tmp_path)) == ["run.bin"]

    before = path.read_bytes()
    again = run("recover", path)
    assert again.returncode == 0
    assert "complete already" in again.stdout
    assert path.read_bytes() == before


def test_recover_says_in_one_line_what_it_cannot_read(tmp_path: Path) -> None:
    foreign = tmp_path / "foreign"
    foreign.write_bytes(b"no trace" * 200)
    for path in (tmp_path / "missing", foreign, tmp_path):
        done = run("recover", path)
        assert done.returncode == 1
        assert done.stderr.count("\n") == 1
        assert str(path) in done.stderr


def test_wrong_usage_has_its_own_exit_code() -> None:
    assert run().returncode == 2
    assert run("no-such-command").returncode == 2
