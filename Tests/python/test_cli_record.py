"""fastnvmetrics record: until the command, the process or the time is over."""

from __future__ import annotations

import os
import pty
import re
import shlex
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

import fastnvmetrics as fm
from command import PATIENCE, begun, line, run
from drawn import drawn
from fastnvmetrics.simulate import Simulator

ANY = ("--board", "generic_linux")

# Says which signals come to it, and ends at SIGTERM with 9.
LISTENER = """
import signal, sys
def heard(number, frame):
    print("heard", signal.Signals(number).name, flush=True)
    if number == signal.SIGTERM:
        sys.exit(9)
for name in ("SIGINT", "SIGTERM", "SIGHUP", "SIGUSR1", "SIGUSR2"):
    signal.signal(getattr(signal, name), heard)
print("listening", flush=True)
while True:
    signal.pause()
"""


def test_the_command_is_recorded_as_a_phase_and_its_exit_code_passed_on(tmp_path: Path) -> None:
    path = tmp_path / "run.bin"
    done = run("record", *ANY, "-o", path, "--", sys.executable, "-c", "print('hello'); exit(3)")
    assert (done.returncode, done.stdout) == (3, "hello\n")
    assert str(path) in done.stderr
    trace = fm.read_trace(path)
    assert trace["phases"]["name"].tolist() == ["command"]
    assert trace["stats"] is not None


def test_the_trace_says_what_was_run_and_noted(tmp_path: Path) -> None:
    path = tmp_path / "run.bin"
    long = "x" * 5000
    done = run("record", *ANY, "-q", "-o", path, "--note", "model=a=b", "--", "sh", "-c", "exit 3", "a b", long)
    assert done.returncode == 3
    metadata = fm.read_trace(path)["metadata"]
    assert metadata is not None
    notes = metadata["annotations"]
    assert notes["command"].startswith("sh -c 'exit 3' 'a b' xxx")
    assert len(notes["command"]) == 4096
    assert (notes["exit_code"], notes["model"]) == ("3", "a=b")


def test_options_of_the_command_need_no_dashes_before_it(tmp_path: Path) -> None:
    done = run("record", *ANY, "-o", tmp_path / "run.bin", sys.executable, "-c", "exit(4)")
    assert done.returncode == 4


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGSEGV])
def test_a_command_that_a_signal_ends_has_the_exit_code_of_shells(
    tmp_path: Path, number: signal.Signals
) -> None:
    done = run(
        "record",
        *ANY,
        "-q",
        "-o",
        tmp_path / "run.bin",
        "--",
        "sh",
        "-c",
        f"kill -{int(number)} $$",
    )
    assert (done.returncode, done.stderr) == (128 + number, "")
    assert not fm.read_trace(tmp_path / "run.bin")["recovered"]


def test_a_command_that_cannot_be_run_is_said_before_anything_is_recorded(tmp_path: Path) -> None:
    text = tmp_path / "text"
    text.write_text("no program")
    for name, code in (
        (tmp_path / "missing", 127),
        ("no-such-command", 127),
        (text, 126),
        (tmp_path, 126),
    ):
        done = run("record", *ANY, "-o", tmp_path / "run.bin", "--", name)
        assert done.returncode == code
        assert done.stderr.count("\n") == 1
        assert str(name) in done.stderr
    text.chmod(0o755)  # executable, and still no program
    done = run("record", *ANY, "-o", tmp_path / "run.bin", "--", text)
    assert (done.returncode, done.stderr.count("\n")) == (126, 1)


def test_a_recording_that_fails_has_an_exit_code_of_its_own(tmp_path: Path) -> None:
    path = tmp_path / "missing" / "run.bin"
    with_command = run("record", *ANY, "-o", path, "--", "true")
    assert with_command.returncode == 125
    without = run("record", *ANY, "-o", path, "--duration", "1s")
    assert without.returncode == 1
    for done in (with_command, without):
        assert done.stderr.count("\n") == 1
        assert str(path) in done.stderr
        assert "No such file or directory" in done.stderr


def test_where_no_board_is_detected_it_says_how_to_go_on(root: Path, tmp_path: Path) -> None:
    done = run("record", "--root", root, "-o", tmp_path / "run.bin", "--duration", "1s")
    assert (done.returncode, done.stderr.count("\n")) == (1, 1)
    assert "generic_linux" in done.stderr
    assert not (tmp_path / "run.bin").exists()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_without_a_command_a_signal_ends_it_cleanly(tmp_path: Path, number: signal.Signals) -> None:
    path = tmp_path / "run.bin"
    recorder = begun(path, "record", *ANY, "-o", path)
    recorder.send_signal(number)
    _, errors = recorder.communicate(timeout=PATIENCE)
    assert recorder.returncode == 0, errors
    assert not fm.read_trace(path)["recovered"]


def test_signals_are_passed_on_to_the_command(tmp_path: Path) -> None:
    recorder = subprocess.Popen(
        line(
            "record", *ANY, "-q", "-o", tmp_path / "run.bin", "--", sys.executable, "-c", LISTENER
        ),
        stdout=subprocess.PIPE,
        text=True,
    )
    assert recorder.stdout is not None
    assert recorder.stdout.readline() == "listening\n"
    for name in ("SIGUSR1", "SIGUSR2", "SIGHUP", "SIGINT", "SIGTERM"):
        recorder.send_signal(getattr(signal, name))
        assert recorder.stdout.readline() == f"heard {name}\n"
    assert recorder.wait(PATIENCE) == 9
    recorder.stdout.close()
    assert not fm.read_trace(tmp_path / "run.bin")["recovered"]


def test_ctrl_c_at_a_terminal_comes_to_the_command_once(tmp_path: Path) -> None:
    command = line(
        "record", *ANY, "-q", "-o", tmp_path / "run.bin", "--", sys.executable, "-c", LISTENER
    )
    process, terminal = pty.fork()
    if process == 0:
        os.execv(command[0], command)
    said = b""

    def until(word: bytes) -> None:
        nonlocal said
        while word not in said:
            said += os.read(terminal, 1000)

    until(b"listening")
    os.write(terminal, b"\x03")
    until(b"heard SIGINT")
    os.kill(process, signal.SIGTERM)
    until(b"heard SIGTERM")
    _, status = os.waitpid(process, 0)
    os.close(terminal)
    assert os.waitstatus_to_exitcode(status) == 9
    assert said.count(b"heard SIGINT") == 1


def test_the_command_has_the_signals_that_it_would_have_without_us(tmp_path: Path) -> None:
    script = "import signal; print(signal.pthread_sigmask(signal.SIG_BLOCK, []))"
    done = run("record", *ANY, "-q", "-o", tmp_path / "run.bin", "--", sys.executable, "-c", script)
    assert done.stdout == "set()\n"
    broken = run(
        "record", *ANY, "-q", "-o", tmp_path / "run.bin", "--", "sh", "-c", "kill -PIPE $$"
    )
    assert broken.returncode == 128 + signal.SIGPIPE


def test_a_duration_ends_the_command(tmp_path: Path) -> None:
    done = run(
        "record", *ANY, "-q", "-o", tmp_path / "run.bin", "--duration", "300ms", "--", "sleep", "60"
    )
    assert done.returncode == 128 + signal.SIGTERM
    assert not fm.read_trace(tmp_path / "run.bin")["recovered"]


def test_it_records_as_long_as_a_process_lives(tmp_path: Path) -> None:
    path = tmp_path / "run.bin"
    with subprocess.Popen(["cat"], stdin=subprocess.PIPE) as lives:
        recorder = begun(path, "record", *ANY, "-o", path, "--pid", lives.pid)
        assert recorder.poll() is None
        assert lives.stdin is not None
        lives.stdin.close()
        _, errors = recorder.communicate(timeout=PATIENCE)
        assert recorder.returncode == 0, errors
    assert not fm.read_trace(path)["recovered"]
    gone = run("record", *ANY, "-o", path, "--pid", lives.pid)
    assert (gone.returncode, gone.stderr) == (
        1,
        f"fastnvmetrics: process {lives.pid}: No such process\n",
    )


def test_wrong_usage_is_refused_before_anything_is_recorded(tmp_path: Path) -> None:
    path = tmp_path / "run.bin"
    for wrong in (
        *(("--duration", text) for text in ("nan", "-1", "0", "inf", "soon", "1e3", "5x", "")),
        ("--pid", "1", "--", "true"),
        ("--pid", "9" * 20),
        ("--fast-hz", "0"),
        ("--fast-hz", "20001"),
        ("--realtime", "100"),
        ("--note", "no-value"),
        ("--note", f"{'k' * 65}=v"),
        ("--note", f"k={'v' * 4097}"),
        ("--no-such-option",),
    ):
        done = run("record", *ANY, "-o", path, *wrong)
        assert done.returncode == 2, wrong
        assert not path.exists()


def test_without_a_name_a_trace_is_called_after_the_date(tmp_path: Path) -> None:
    done = run("record", *ANY, "--duration", "100ms", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    [name] = os.listdir(tmp_path)
    assert name.startswith(time.strftime("fastnvmetrics-%Y"))
    assert name in done.stderr


def test_joules_of_a_command_are_those_that_the_board_drew(tmp_path: Path) -> None:
    path = tmp_path / "run.bin"
    work = "import time; end = time.monotonic() + 2\nwhile time.monotonic() < end: time.sleep(0.01)"
    with Simulator(tmp_path / "root", board="agx_orin") as simulator:
        done = run("record", "--root", simulator.root, "-o", path, "--", sys.executable, "-c", work)
        assert done.returncode == 0, done.stderr
        stat = run("report", path, "--phase", "command", "--json")
        start_ns = fm.read_trace(path)["start_monotonic_ns"]
        whole = fm.summarize(path).whole
        said = re.search(r"([\d.]+) ± [\d.]+ J, ", done.stderr)
        assert said and float(said[1]) == pytest.approx(whole.energy_j, abs=0.01)
        [phase] = fm.summarize(path)["command"].instances
        assert phase.duration_s >= 2
        for rail in phase.rails:
            assert rail.energy_j is not None and rail.energy_uncertainty_j is not None
            truth = drawn(simulator.truth, rail.label, start_ns, phase.begin_s, phase.end_s)
            # 95 % of intervals hold the truth; twice as wide, all but one in ten thousand.
            assert abs(rail.energy_j - truth) <= 2 * rail.energy_uncertainty_j
            assert f'"energy_j": {rail.energy_j}' in stat.stdout


@pytest.mark.parametrize("closed", ["2>&-", ">&- 2>&-", "<&- >&- 2>&-"])
def test_closed_standard_streams_are_no_place_for_a_trace(closed: str, tmp_path: Path) -> None:
    path = tmp_path / "run.bin"
    record = shlex.join(line("record", *ANY, "-o", path, "--", "sh", "-c", "sleep 0.1; exit 4"))
    assert subprocess.run(["sh", "-c", f"{record} {closed}"], timeout=PATIENCE).returncode == 4
    assert fm.read_trace(path)["metadata"]["annotations"]["exit_code"] == "4"
    record = shlex.join(line("record", *ANY, "-o", path, "--duration", "0.1"))
    assert subprocess.run(["sh", "-c", f"{record} {closed}"], timeout=PATIENCE).returncode == 0
