"""The command fastnvmetrics and the subcommands that look at traces and boards."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from pathlib import Path

import pytest

import fastnvmetrics as fm
import trace_builder
from command import PATIENCE, killed_trace, line, run
from fastnvmetrics.cli.app import SECTIONS
from fastnvmetrics.simulate import Simulator

NAMES = [name for names in SECTIONS.values() for name in names]


@pytest.fixture(scope="module")
def trace(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("traces") / "run.bin"
    with fm.NVMetrics(path, board=fm.get_board_config("generic_linux"), stats=True) as nv:
        for _ in range(2):
            with nv.phase("work"):
                nv.sync()
    return path


def test_help_names_every_subcommand_and_its_exit_codes() -> None:
    done = run("--help")
    assert done.returncode == 0
    for name in (*NAMES, "Examples:", "Exit codes:", "127"):
        assert name in done.stdout


@pytest.mark.parametrize("name", NAMES)
def test_help_of_a_subcommand_teaches_by_example(name: str) -> None:
    done = run(name, "--help")
    assert done.returncode == 0
    assert f"  fastnvmetrics {name}" in done.stdout or f"$(fastnvmetrics {name}" in done.stdout
    assert run(name, "-h").stdout == done.stdout


def test_wrong_usage_has_its_own_exit_code() -> None:
    for wrong in (
        ("no-such-command",),
        ("report",),
        ("report", "--no-such-option", "x"),
        ("completion", "tcsh"),
    ):
        done = run(*wrong)
        assert done.returncode == 2, wrong
        assert "Traceback" not in done.stderr


def test_the_version_is_that_of_the_package() -> None:
    assert run("--version").stdout.split()[-1] == fm.__version__


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_prints_what_a_shell_reads(shell: str) -> None:
    done = run("completion", shell)
    assert done.returncode == 0
    assert "_FASTNVMETRICS_COMPLETE" in done.stdout


def test_completion_knows_subcommands_and_options() -> None:
    def completed(*words: str) -> list[str]:
        environment = {
            **os.environ,
            "_FASTNVMETRICS_COMPLETE": "bash_complete",
            "COMP_WORDS": " ".join(["fastnvmetrics", *words]),
            "COMP_CWORD": str(len(words)),
        }
        return [found.split(",")[1] for found in run(env=environment).stdout.split()]

    assert completed("re") == ["record", "recover", "report"]
    assert completed("record", "--dur") == ["--duration"]
    assert completed("completion", "z") == ["zsh"]


def test_report_is_the_summary(trace: Path) -> None:
    assert run("report", trace).stdout == f"{fm.summarize(trace)}\n"
    assert json.loads(run("report", trace, "--json").stdout) == json.loads(
        json.dumps(fm.summarize(trace).to_dict())
    )


def test_report_has_a_phase_in_detail(trace: Path) -> None:
    done = run("report", trace, "--phase", "work")
    assert done.returncode == 0
    assert done.stdout.count("core 0") == 2
    assert json.loads(run("report", trace, "--phase", "work", "--json").stdout)["count"] == 2
    unknown = run("report", trace, "--phase", "play")
    assert (unknown.returncode, unknown.stderr.count("\n")) == (1, 1)
    assert "there are: work" in unknown.stderr


def test_info_says_where_a_trace_comes_from(trace: Path) -> None:
    done = run("info", trace)
    assert done.returncode == 0
    data = fm.read_trace(trace)
    assert data["metadata"] is not None
    for text in (
        "generic_linux",
        data["metadata"]["board"]["kernel_release"],
        "sync points: 2, phases: 2",
        "of one core",
    ):
        assert text in done.stdout
    found = json.loads(run("info", trace, "--json").stdout)
    assert found["metadata"] == data["metadata"]
    assert found["stats"] == json.loads(json.dumps(data["stats"]))
    assert found["fast_samples"] == len(data["fast_time_s"])


def test_info_says_what_the_board_was_set_to(tmp_path: Path) -> None:
    path = tmp_path / "run.bin"
    with Simulator(tmp_path / "root", board="agx_orin") as simulator:
        done = run("record", "--root", simulator.root, "-o", path, "--note", "model=llama", "--", "true")
    assert done.returncode == 0
    rows = dict(line.split("  ", 1) for line in run("info", path).stdout.split("\n\n")[0].splitlines())
    shown = {name: value.strip() for name, value in rows.items()}
    assert shown.items() >= {
        "command": "true",
        "exit code": "0",
        "L4T": "# R36 (release), REVISION: 4.3, GCID: 1, BOARD: generic, EABI: aarch64, DATE: simulated by fastnvmetrics",
        "kernel": "5.15.148-tegra",
        "host": "simulated-agx-orin",
        "power mode": "MAXN, pmode:0000",
        "clocks locked": "no",
        "CPU governor": "schedutil",
        "GPU governor": "nvhost_podgov",
        "sensor 1-0040": "measures every 7 ms, mean of 1",
        "recorder": f"fastnvmetrics {fm.__version__}",
    }.items()  # fmt: skip
    everything = run("info", path, "--all").stdout
    assert "rails[0].shunt_uohm" in everything
    assert "annotations.model" in everything


def test_info_of_the_references_traces_says_what_is_not_known(tmp_path: Path) -> None:
    path = tmp_path / "run.bin"
    path.write_bytes(trace_builder.trace(100, 10, 2))
    done = run("info", path)
    assert done.returncode == 0
    assert "RAIL_A, RAIL_B" in done.stdout
    assert "metadata" in done.stdout


def test_compare_is_the_comparison(trace: Path, tmp_path: Path) -> None:
    other = tmp_path / "other.bin"
    other.write_bytes(trace.read_bytes())
    done = run("compare", trace, other)
    assert done.returncode == 0
    assert done.stdout.endswith(f"{fm.compare(trace, other)}\n")
    three = json.loads(run("compare", trace, other, other, "--json").stdout)
    assert [one["b"] for one in three] == [str(other)] * 2
    assert three[0]["whole"] == json.loads(json.dumps(fm.compare(trace, other).to_dict()))["whole"]
    [groups] = json.loads(run("compare", trace, trace, "--against", other, "--json").stdout)
    duration = next(
        found for found in groups["whole"]["differences"] if found["quantity"] == "duration_s"
    )
    assert (duration["a"]["count"], duration["b"]["count"]) == (2, 1)
    assert run("compare", trace).returncode == 2


def test_recover_completes_the_trace_of_a_killed_recorder(tmp_path: Path) -> None:
    path = killed_trace(tmp_path / "run.bin")
    done = run("recover", path)
    assert (done.returncode, done.stderr) == (0, "")
    found = fm.read_trace(path)
    assert found["recovered"]
    assert len(found["fast_time_s"]) >= 100
    assert sorted(os.listdir(tmp_path)) == ["run.bin"]

    before = path.read_bytes()
    again = run("recover", path, "--json")
    assert json.loads(again.stdout) == [{"path": str(path), "recovered": False}]
    assert path.read_bytes() == before


def test_recover_goes_on_after_one_that_fails(tmp_path: Path) -> None:
    path = killed_trace(tmp_path / "run.bin")
    done = run("recover", tmp_path / "missing", path)
    assert done.returncode == 1
    assert done.stdout == f"{path}: recovered\n"
    assert str(tmp_path / "missing") in done.stderr


def test_boards_lists_what_can_be_recorded_and_what_this_is(tmp_path: Path) -> None:
    with Simulator(tmp_path / "root", board="orin_nano") as simulator:
        found = json.loads(run("boards", "--root", simulator.root, "--json").stdout)
        assert run("boards", "--root", simulator.root).stdout.count("detected") == 1
    assert [board["name"] for board in found] == [
        "agx_orin",
        "orin_nx",
        "orin_nano",
        "generic_linux",
    ]
    assert [board["name"] for board in found if board["detected"]] == ["orin_nano"]
    nano = found[2]
    assert (nano["cpu_cores"], nano["module_power"], nano["gpu"], nano["emc"]) == (
        6,
        ["VDD_IN"],
        True,
        True,
    )


def test_boards_of_a_machine_that_is_none_says_why(root: Path) -> None:
    done = run("boards", "--root", root)
    assert done.returncode == 0
    assert "no supported Jetson board" in done.stdout


def test_doctor_ends_with_0_where_all_can_be_read(tmp_path: Path) -> None:
    with Simulator(tmp_path / "root", board="agx_orin") as simulator:
        done = run("doctor", "--root", simulator.root, "--json")
        assert done.returncode == 0, done.stdout
        rails = [node["name"] for node in json.loads(done.stdout) if node["kind"] == "rail"]
        (Path(simulator.root) / "sys").chmod(0o755)
    assert "VDD_GPU_SOC" in rails


def test_simulate_keeps_a_board_alive_until_it_is_ended(tmp_path: Path) -> None:
    root = tmp_path / "root"
    process = subprocess.Popen(
        line("simulate", root, "--board", "orin_nx"), stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    assert process.stdout.readline().startswith(f"ready: {root}")
    assert fm.detect_board(root=root).board_name == "orin_nx"
    process.send_signal(signal.SIGTERM)
    assert process.wait(PATIENCE) == 0
    process.stdout.close()
    assert run("simulate", root, "--static", "--board", "orin_nano").returncode == 0
    assert fm.detect_board(root=root).board_name == "orin_nano"


def test_simulate_refuses_what_it_would_destroy(tmp_path: Path) -> None:
    (tmp_path / "mine").write_text("kept")
    done = run("simulate", tmp_path, "--static")
    assert done.returncode == 2
    assert (tmp_path / "mine").read_text() == "kept"
    assert run("simulate", tmp_path / "new", "--offline-cores", "0,99").returncode == 2


def test_whoever_reads_may_have_enough(trace: Path) -> None:
    command = " ".join(line("info", trace, "--json"))
    done = subprocess.run(
        ["sh", "-c", f"{command} | head -n 1"], capture_output=True, text=True, timeout=PATIENCE
    )
    assert (done.stdout, done.stderr) == ("{\n", "")


def test_colours_are_for_terminals(trace: Path) -> None:
    assert "\x1b" not in run("boards").stdout
    screen = subprocess.run(
        ["script", "-qec", " ".join(line("boards")), "/dev/null"],
        capture_output=True,
        text=True,
        timeout=PATIENCE,
    )
    assert "\x1b[1m" in screen.stdout
    plain = subprocess.run(
        ["script", "-qec", " ".join(line("boards")), "/dev/null"],
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        env={**os.environ, "NO_COLOR": "1"},
    )
    assert "\x1b" not in plain.stdout


@pytest.mark.parametrize("arguments", [("--help",), ("--version",), ("record", "--help")])
def test_a_full_disk_is_one_line_for_the_help_too(arguments: tuple[str, ...]) -> None:
    with open("/dev/full", "w") as full:
        done = run(*arguments, capture_output=False, stdout=full, stderr=subprocess.PIPE)
    assert done.returncode == 1
    assert done.stderr.startswith("fastnvmetrics: ") and done.stderr.count("\n") == 1
