"""Recordings that nobody stops, in Python: signals, exec, daemons, threads at the end of the interpreter."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
import weakref
from collections.abc import Iterator
from pathlib import Path

import pytest

import fastnvmetrics as fm
from fastnvmetrics import recorder

BEGIN = """
import os, signal, sys, threading, time
import fastnvmetrics as fm
path = sys.argv[1]
nv = fm.NVMetrics(path, board=fm.get_board_config("generic_linux"))
nv.start()
while nv.sample_count < 300:
    time.sleep(0.01)
"""


@pytest.fixture
def trace(tmp_path: Path) -> Path:
    return tmp_path / "run.bin"


def run(script: str, trace: Path) -> subprocess.CompletedProcess[str]:
    """The time-out is there to name a hang, not to measure."""
    # From 3.12 on Python warns of any fork beside threads.
    return subprocess.run(
        [sys.executable, "-W", "ignore::DeprecationWarning", "-c", BEGIN + script, str(trace)],
        capture_output=True,
        text=True,
        timeout=60,
    )


def is_complete(trace: Path) -> bool:
    return bool(trace.read_bytes()[664] & 2)


def check_whole(trace: Path) -> None:
    assert len(fm.read_trace(trace)["fast_time_s"]) > 50
    assert os.listdir(trace.parent) == [trace.name]


# ---- Signals


def test_sigterm_without_a_handler_leaves_a_trace_to_recover(trace: Path) -> None:
    assert run("os.kill(os.getpid(), signal.SIGTERM); time.sleep(60)", trace).returncode == -signal.SIGTERM
    assert fm.recover(trace)
    check_whole(trace)


@pytest.mark.parametrize("answer", ["sys.exit(0)", "nv.stop(); sys.exit(0)"])
def test_a_handler_of_sigterm_completes_the_trace(answer: str, trace: Path) -> None:
    script = f"""
def handler(number, frame):
    {answer}
signal.signal(signal.SIGTERM, handler)
os.kill(os.getpid(), signal.SIGTERM)
time.sleep(60)
"""
    done = run(script, trace)
    assert (done.returncode, done.stderr) == (0, "")
    assert is_complete(trace)
    check_whole(trace)


@pytest.mark.parametrize("call", ["start", "wait_for_warmup", "stop"])
def test_ctrl_c_during_a_call_leaves_a_recorder_that_can_go_on(call: str, trace: Path) -> None:
    nv = fm.NVMetrics(trace, board=fm.get_board_config("generic_linux"))
    calling = threading.Event()
    interrupted = 0

    def interrupt() -> None:
        calling.wait()
        os.kill(os.getpid(), signal.SIGINT)

    for _ in range(20):
        calling.clear()
        other = threading.Thread(target=interrupt)
        other.start()
        try:
            for name in ("start", "wait_for_warmup", "stop"):
                if name == call:
                    calling.set()
                getattr(nv, name)()
            while other.is_alive():  # it comes at the latest here
                time.sleep(0.0001)
            time.sleep(0.001)
        except KeyboardInterrupt:
            interrupted += 1
        other.join()
        nv.stop()
        assert not nv.is_running
        assert is_complete(trace)
    assert interrupted > 0


# ---- Exec and daemons


def test_exec_leaves_a_trace_to_recover(trace: Path) -> None:
    assert run('os.execvp("true", ["true"])', trace).returncode == 0
    assert fm.recover(trace)
    check_whole(trace)


def test_exit_without_the_interpreter_leaves_a_trace_to_recover(trace: Path) -> None:
    assert run("os._exit(3)", trace).returncode == 3
    assert fm.recover(trace)
    check_whole(trace)


@pytest.mark.parametrize("end", ["sys.exit(0)", "os._exit(0)"])
def test_a_daemon_cannot_harm_the_trace_and_records_its_own(end: str, trace: Path) -> None:
    """As daemons are made: fork, the parent ends, a session of its own, fork, the first child ends."""
    done = run(
        f"""
reading, writing = os.pipe()
if os.fork() > 0:
    os.close(writing)
    answer = os.read(reading, 100).decode()  # until the daemon has done its part, or died
    print(answer)
    {end}
os.setsid()
if os.fork() > 0:
    os._exit(0)
signal.alarm(50)
try:
    nv.sync()
except fm.FastNVMetricsError as error:
    refused = error.status == -12
del nv
with fm.NVMetrics(path + ".daemon", board=fm.get_board_config("generic_linux")) as own:
    pass
os.write(writing, b"refused" if refused else b"not refused")
os.close(writing)
os._exit(0)
""",
        trace,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "refused\n", "")
    own = Path(f"{trace}.daemon")
    assert is_complete(own)
    own.unlink()
    assert fm.recover(trace) == (end == "os._exit(0)")
    check_whole(trace)


# ---- The end of the interpreter


@pytest.mark.parametrize(
    "body",
    [
        "time.sleep(60)",
        "while True: nv.sync()",
        "while True: nv.sample_count, nv.counts, nv.notices, nv.is_running",
        "while True: nv.wait_for_warmup()",
    ],
)
def test_the_trace_is_complete_whatever_a_daemon_thread_does_at_exit(body: str, trace: Path) -> None:
    script = f"""
def work():
    try:
        {body}
    except fm.FastNVMetricsError:
        pass
threading.Thread(target=work, daemon=True).start()
time.sleep(0.05)
"""
    done = run(script, trace)
    assert (done.returncode, done.stderr) == (0, "")
    assert is_complete(trace)
    check_whole(trace)


def test_a_thread_that_starts_recorders_at_exit_does_not_disturb_it(trace: Path) -> None:
    """What it leaves is complete or can be recovered; nothing hangs, crashes or is left out."""
    script = """
def work(number):
    while True:
        for i in range(5):
            other = fm.NVMetrics(f"{path}.{number}", board=nv.board)
            other.start()
            other.stop()
for number in range(3):
    threading.Thread(target=work, args=(number,), daemon=True).start()
time.sleep(0.1)
"""
    for _ in range(3):
        done = run(script, trace)
        assert (done.returncode, done.stderr) == (0, "")
        assert is_complete(trace)
        for number in range(3):
            other = Path(f"{trace}.{number}")
            if other.exists():
                fm.recover(other)
                fm.read_trace(other)


def test_a_recorder_that_is_started_at_exit_does_not_keep_others_from_completion(
    trace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A set that a thread changes while another goes through it raises RuntimeError there."""

    class Changing(weakref.WeakSet):  # type: ignore[type-arg]
        changes = 3

        def __iter__(self) -> Iterator[object]:
            if self.changes:
                self.changes -= 1
                raise RuntimeError("Set changed size during iteration")
            return iter(super().__iter__())

    monkeypatch.setattr(recorder, "_recording", Changing())
    nv = fm.NVMetrics(trace, board=fm.get_board_config("generic_linux"))
    nv.start()
    recorder._complete_recordings()
    assert not nv.is_running
    assert is_complete(trace)


def test_a_recording_of_a_thread_that_ended_is_completed_at_exit(trace: Path) -> None:
    script = """
nv.stop()
def work():
    global other
    other = fm.NVMetrics(path, board=nv.board)
    other.start()
    while other.sample_count < 300:
        time.sleep(0.01)
thread = threading.Thread(target=work)
thread.start()
thread.join()
"""
    done = run(script, trace)
    assert (done.returncode, done.stderr) == (0, "")
    assert is_complete(trace)
    check_whole(trace)
