"""`fastnvmetrics record` into several files, and as long as a process lives."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

import fastnvmetrics as fm
from command import killed_trace
from fastnvmetrics.cli.app import commands
from fastnvmetrics.continuous.rotation import RotatedTraces

GENERIC = ("--board", "generic_linux")


def wait_for(condition: Callable[[], object], process: subprocess.Popen[str] | None = None) -> None:
    deadline = time.monotonic() + 60
    while not condition():
        assert process is None or process.poll() is None, process.stderr and process.stderr.read()
        assert time.monotonic() < deadline
        time.sleep(0.02)


def start(directory: Path, *arguments: object) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "fastnvmetrics", "record", *GENERIC, *map(str, arguments)],
        stderr=subprocess.PIPE,
        text=True,
        cwd=directory,
    )


def run(directory: Path, *arguments: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "fastnvmetrics", "record", *GENERIC, *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=60,
        cwd=directory,
    )


def test_files_follow_each_other_without_losing_a_sample(tmp_path: Path) -> None:
    child = "import time; time.sleep(1.7); raise SystemExit(7)"
    done = run(tmp_path, "--rotate", "1s", "-o", "run.bin", "--", sys.executable, "-c", child)
    assert done.returncode == 7, done.stderr
    names = sorted(os.listdir(tmp_path))
    assert len(names) >= 2
    assert all(
        re.fullmatch(rf"run-{number:06}-\d{{8}}T\d{{6}}\.bin", name)
        for number, name in enumerate(names, 1)
    )
    assert done.stderr.count(": complete\n") == len(names) - 1
    traces = [fm.read_trace(tmp_path / name) for name in names]
    assert all(trace["metadata"] and trace["stats"] and not trace["recovered"] for trace in traces)
    assert all(trace["phases"]["name"].tolist() == ["command"] for trace in traces)
    ticks = np.concatenate(
        [trace["start_monotonic_ns"] * 1e-9 + trace["medium_time_s"] for trace in traces]
    )
    missed = sum(trace["missed_medium"] for trace in traces)
    assert abs((ticks[-1] - ticks[0]) * 100 + 1 - len(ticks) - missed) <= 1
    fm.join([tmp_path / name for name in names], tmp_path / "all.bin")
    [phase] = fm.read_trace(tmp_path / "all.bin")["phases"]
    assert phase["was_ended"]
    assert 1.7e9 <= phase["end_ns"] - phase["begin_ns"]


def test_files_are_no_larger_than_asked_and_the_oldest_go(tmp_path: Path) -> None:
    recorder = start(tmp_path, "--rotate", "200kB", "--keep", 2, "--fast-hz", 4000, "-o", "run.bin")
    wait_for(
        lambda: (
            (tmp_path / "run.bin").exists()
            or any("-000004-" in name for name in os.listdir(tmp_path))
        )
    )
    recorder.send_signal(signal.SIGTERM)
    _, errors = recorder.communicate(timeout=60)
    assert recorder.returncode == 0, errors
    names = sorted(os.listdir(tmp_path))
    assert [name.split("-")[1] for name in names] == ["000003", "000004"]
    for name in names:
        assert not fm.read_trace(tmp_path / name)["recovered"]


def test_numbers_go_on_after_a_restart_and_what_was_killed_is_recovered(tmp_path: Path) -> None:
    killed = killed_trace(tmp_path / "run-000041-20260131T120000.bin")
    (tmp_path / "run-000040-20260131T110000.bin").write_bytes(b"")  # as a power cut leaves them
    done = run(tmp_path, "--rotate", "1h", "-o", "run.bin", "--duration", "0.3")
    assert done.returncode == 0
    assert "recovered" in done.stderr
    assert fm.read_trace(killed)["recovered"]
    names = sorted(os.listdir(tmp_path))
    assert len(names) == 3
    assert names[2].startswith("run-000042-")
    assert "run-000040-20260131T110000.bin cannot be completed" in done.stderr


def test_old_files_go_by_size_and_others_stay(tmp_path: Path) -> None:
    for number in range(1, 6):
        (tmp_path / f"run-{number:06}-20260131T120000.bin").write_bytes(b"x" * 100)
    for name in (
        "run-1-20260131T120000.bin",
        "run-000001-20260131T120000.bin.old",
        "walk-000001-20260131T120000.bin",
    ):
        (tmp_path / name).write_bytes(b"x" * 1000)
    traces = RotatedTraces(str(tmp_path / "run.bin"), max_bytes=250)
    current = traces.paths()[-1]
    removed = traces.remove_old(current)
    assert [os.path.basename(path)[4:10] for path in removed] == ["000001", "000002", "000003"]
    assert RotatedTraces(str(tmp_path / "run.bin"), max_bytes=1).remove_old(current) == [
        current.replace("000005", "000004")
    ]
    assert traces.paths() == [current]
    assert len(os.listdir(tmp_path)) == 4
    assert "-000006-" in traces.next_path()


def test_a_rotation_that_fails_is_said_once_and_recording_goes_on(tmp_path: Path) -> None:
    directory = tmp_path / "disk"
    directory.mkdir()
    recorder = start(tmp_path, "--rotate", "1s", "-o", "disk/run.bin")
    wait_for(lambda: any(name.endswith(".bin") for name in os.listdir(directory)), recorder)
    [first] = [name for name in os.listdir(directory) if name.endswith(".bin")]
    wait_for(lambda: (directory / first).stat().st_size > 20_000, recorder)
    directory.rename(tmp_path / "moved")  # the next file cannot be created
    assert recorder.stderr is not None
    assert "recording goes on in the former trace" in recorder.stderr.readline()
    (tmp_path / "moved").rename(directory)
    wait_for(
        lambda: any("-00000" in name and name[:10] != first[:10] for name in os.listdir(directory)),
        recorder,
    )
    recorder.send_signal(signal.SIGINT)
    _, errors = recorder.communicate(timeout=60)
    assert recorder.returncode == 0, errors
    assert "goes on in the former" not in errors
    assert len(fm.read_trace(directory / first)["fast_time_s"]) > 900


@pytest.mark.parametrize(
    "arguments",
    [
        ("--rotate", "soon"),
        ("--rotate", "0.5s"),
        ("--rotate", "10kB"),
        ("--rotate", "1h", "--keep-last", "1m"),
        ("--keep-last", "500ms"),
        ("--keep-last", "1GB"),
        ("--keep", "3"),
        ("--max-size", "1GB"),
        ("--rotate", "1h", "--keep", "0"),
    ],
)
def test_what_makes_no_sense_is_wrong_usage(tmp_path: Path, arguments: tuple[str, ...]) -> None:
    path = tmp_path / "run.bin"
    done = CliRunner().invoke(commands, ["record", *GENERIC, "-o", str(path), *arguments])
    assert done.exit_code == 2
    assert os.listdir(tmp_path) == []


def test_recording_ends_with_the_process(tmp_path: Path) -> None:
    sleeper = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    recorder = start(tmp_path, "--pid", sleeper.pid, "-o", "run.bin")
    path = tmp_path / "run.bin"
    wait_for(lambda: path.exists() and path.stat().st_size > 20_000, recorder)
    sleeper.kill()
    sleeper.wait(timeout=30)
    _, errors = recorder.communicate(timeout=60)
    assert recorder.returncode == 0, errors
    assert len(fm.read_trace(path)["fast_time_s"]) > 100


def test_a_process_that_is_gone_is_one_line(tmp_path: Path) -> None:
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait(timeout=30)
    done = run(tmp_path, "--pid", gone.pid, "-o", "run.bin")
    assert (done.returncode, done.stderr) == (
        1,
        f"fastnvmetrics: process {gone.pid}: No such process\n",
    )
    assert os.listdir(tmp_path) == []
