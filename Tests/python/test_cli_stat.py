"""fastnvmetrics stat: what a command costs."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

import fastnvmetrics as fm
from command import PATIENCE, line, run
from drawn import drawn
from fastnvmetrics.simulate import Simulator

ANY = ("--board", "generic_linux")


def test_it_gives_the_joules_that_the_board_drew_in_each_run(tmp_path: Path) -> None:
    path = tmp_path / "kept.bin"
    with Simulator(tmp_path / "root", board="orin_nx") as simulator:
        done = run(
            "stat",
            "--root",
            simulator.root,
            "--repeat",
            3,
            "-o",
            path,
            "--json",
            "--",
            "sleep",
            "0.7",
        )
        assert done.returncode == 0, done.stderr
        found = json.loads(done.stdout)
        assert (found["board"], found["runs"], found["exit_codes"]) == ("orin_nx", 3, [0, 0, 0])
        start_ns = fm.read_trace(path)["start_monotonic_ns"]
        phases = fm.summarize(path)["command"].instances
        assert len(phases) == 3
        for rail in ("VDD_IN", "VDD_CPU_GPU_CV", "VDD_SOC"):
            truth = [
                drawn(simulator.truth, rail, start_ns, phase.begin_s, phase.end_s)
                for phase in phases
            ]
            figure = found["quantities"][f"energy_j of {rail}"]
            assert figure["count"] == 3
            assert figure["mean"] == pytest.approx(sum(truth) / 3, abs=2 * figure["uncertainty"])
    # VDD_IN is what the module draws.
    assert found["quantities"]["energy_j"] == found["quantities"]["energy_j of VDD_IN"]
    assert found["quantities"]["duration_s"]["mean"] >= 0.7


def test_above_an_idle_board_that_draws_the_same_a_command_takes_nothing(tmp_path: Path) -> None:
    with Simulator(tmp_path / "root", board="orin_nx") as simulator:
        done = run(
            "stat", "--root", simulator.root, "--baseline", "2s", "--json", "--", "sleep", "2"
        )
    found = json.loads(done.stdout)["quantities"]
    idle, above = found["idle_power_w"], found["energy_above_idle_j"]
    assert above["mean"] == pytest.approx(
        found["energy_j"]["mean"] - idle["mean"] * found["duration_s"]["mean"]
    )
    # The simulated board draws what it draws, whatever runs: 2 s are several of its periods.
    assert abs(above["mean"]) < 0.3 * found["energy_j"]["mean"]
    assert above["uncertainty"] > found["energy_j"]["uncertainty"]


def test_the_table_is_on_standard_error_and_the_output_of_the_command_where_it_belongs() -> None:
    done = run("stat", *ANY, "--repeat", 2, "--", sys.executable, "-c", "print('out')")
    assert (done.returncode, done.stdout) == (0, "out\nout\n")
    rows = {row.split("  ")[0]: row for row in done.stderr.splitlines()}
    assert {
        "elapsed",
        "CPU time, user",
        "CPU, mean of the cores",
        "RAM peak of the board",
    } <= rows.keys()
    assert "2 runs" in done.stderr
    assert "The trace has no power rails" in done.stderr
    assert "\x1b" not in done.stderr


def test_json_has_standard_output_for_itself() -> None:
    done = run("stat", *ANY, "--json", "--", sys.executable, "-c", "print('out')")
    assert json.loads(done.stdout)["runs"] == 1
    assert done.stderr.splitlines()[0] == "out"


def test_cpu_time_is_that_of_the_command() -> None:
    work = "import time\nwhile time.process_time() < 0.5: pass"
    done = run("stat", *ANY, "--json", "--", sys.executable, "-c", work)
    found = json.loads(done.stdout)["quantities"]
    spent = found["user_s"]["mean"] + found["system_s"]["mean"]
    assert 0.5 <= spent < found["duration_s"]["mean"] + 0.1


def test_commands_that_end_at_once_are_noticed() -> None:
    done = run("stat", *ANY, "--repeat", 100, "--json", "--", "true")
    assert json.loads(done.stdout)["runs"] == 100


def test_a_run_that_fails_ends_the_repeats(tmp_path: Path) -> None:
    counter = tmp_path / "count"
    script = (
        f"import pathlib; p = pathlib.Path({str(counter)!r}); n = len(p.read_text()) if p.exists() else 0; "
        "p.write_text('x' * (n + 1)); exit(7 if n == 2 else 0)"
    )
    done = run("stat", *ANY, "--repeat", 5, "--warmup", 1, "--", sys.executable, "-c", script)
    assert done.returncode == 7
    assert counter.read_text() == "xxx"
    assert "run 2 ended with exit code 7" in done.stderr


def test_a_warmup_that_fails_measures_nothing() -> None:
    done = run("stat", *ANY, "--warmup", 1, "--", "false")
    assert done.returncode == 1
    assert "nothing was measured" in done.stderr


def test_ctrl_c_ends_the_repeats_with_a_table() -> None:
    script = "print('running', flush=True); import time; time.sleep(60)"
    process = subprocess.Popen(
        line("stat", *ANY, "--repeat", 5, "--", sys.executable, "-c", script),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "running\n"
    process.send_signal(signal.SIGTERM)
    _, errors = process.communicate(timeout=PATIENCE)
    assert process.returncode == 128 + signal.SIGTERM
    assert "elapsed" in errors


@pytest.mark.parametrize("before", [("--baseline", "60s"), ("--warmup", "3")])
def test_a_signal_before_the_first_run_measures_nothing(
    before: tuple[str, str], tmp_path: Path
) -> None:
    ran, trace = tmp_path / "ran", tmp_path / "kept.bin"
    script = f"echo >> {ran}; trap 'exit 0' TERM; while :; do sleep 0.05; done"
    process = subprocess.Popen(
        line("stat", *ANY, *before, "-o", trace, "--", "sh", "-c", script),
        stderr=subprocess.PIPE,
        text=True,
    )
    first = trace if before[0] == "--baseline" else ran
    while not first.exists():
        time.sleep(0.01)
    time.sleep(0.3)
    process.send_signal(signal.SIGTERM)
    _, errors = process.communicate(timeout=PATIENCE)
    assert process.returncode == 128 + signal.SIGTERM
    assert "nothing was measured" in errors
    assert (ran.read_text() if ran.exists() else "") == ("" if first is trace else "\n")


def test_a_signal_ends_the_repeats_of_a_command_that_makes_nothing_of_it(tmp_path: Path) -> None:
    ran = tmp_path / "ran"
    script = f"echo >> {ran}; trap '' TERM; sleep 1"
    process = subprocess.Popen(
        line("stat", *ANY, "--repeat", 20, "--", "sh", "-c", script),
        stderr=subprocess.PIPE,
        text=True,
    )
    while not ran.exists():
        time.sleep(0.01)
    time.sleep(0.3)
    process.send_signal(signal.SIGTERM)
    _, errors = process.communicate(timeout=PATIENCE)
    assert process.returncode == 128 + signal.SIGTERM
    assert ran.read_text() == "\n"
    assert "ended by a signal after 1 of 20 runs" in errors


def test_what_cannot_be_run_or_recorded_has_an_exit_code_of_its_own(tmp_path: Path) -> None:
    assert run("stat", *ANY, "--", "no-such-command").returncode == 127
    assert run("stat", *ANY, "--", tmp_path).returncode == 126
    assert run("stat", *ANY).returncode == 2
    failed = run("stat", *ANY, "-o", tmp_path / "missing" / "run.bin", "--", "true")
    assert (failed.returncode, failed.stderr.count("\n")) == (125, 1)
