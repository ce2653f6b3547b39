"""fastnvmetrics top, driven through a terminal of its own."""

from __future__ import annotations

import fcntl
import json
import os
import pty
import re
import select
import signal
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import fastnvmetrics as fm
from fastnvmetrics.live.meter import History, Meter, Reading, read_once
from fastnvmetrics.live.view import View
from fastnvmetrics.simulate import Simulator

RUN = [sys.executable, "-m", "fastnvmetrics", "top"]
PATIENCE_S = 60.0


@pytest.fixture(scope="module")
def simulated(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with Simulator(tmp_path_factory.mktemp("top") / "root", board="agx_orin") as simulator:
        yield str(simulator.root)


class Terminal:
    """A pseudo-terminal with the command in it, and what it has written."""

    def __init__(
        self, arguments: list[str], columns: int = 100, lines: int = 40, **environment: str
    ) -> None:
        self.parent, self.child = pty.openpty()
        self.resize(columns, lines)
        self.before = termios.tcgetattr(self.child)
        inherited = {
            name: value
            for name, value in os.environ.items()
            if name not in ("COLUMNS", "LINES", "NO_COLOR")
        }
        self.process = subprocess.Popen(
            [*RUN, *arguments], stdin=self.child, stdout=self.child, stderr=self.child,
            start_new_session=True, env={**inherited, "TERM": "xterm-256color", "LC_ALL":
            "C.UTF-8", **environment},
        )  # fmt: skip
        self.written = b""

    def __enter__(self) -> Terminal:
        return self

    def __exit__(self, *_: object) -> None:
        self.process.kill()
        self.process.wait()
        os.close(self.parent)
        os.close(self.child)

    @property
    def text(self) -> str:
        return self.written.decode("utf-8", "replace")

    def resize(self, columns: int, lines: int) -> None:
        fcntl.ioctl(self.child, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))

    def press(self, keys: str) -> None:
        os.write(self.parent, keys.encode())

    def read(self, seconds: float = 0.05) -> None:
        ready, _, _ = select.select([self.parent], [], [], seconds)
        if ready:
            self.written += os.read(self.parent, 1 << 16)

    def wait_for(self, condition: Callable[[], Any]) -> None:
        deadline = time.monotonic() + PATIENCE_S
        while not condition():
            assert time.monotonic() < deadline, self.text[-3000:]
            assert self.process.poll() is None, self.text[-3000:]
            self.read()

    def wait_for_text(self, text: str) -> None:
        self.wait_for(lambda: text in self.text)

    def end(self) -> int:
        deadline = time.monotonic() + PATIENCE_S
        while self.process.poll() is None:
            assert time.monotonic() < deadline, self.text[-3000:]
            self.read()
        self.read(0)
        return int(self.process.returncode)

    def screen(self) -> str:
        """What is seen."""
        pyte = pytest.importorskip("pyte")
        lines, columns = struct.unpack(
            "HHHH", fcntl.ioctl(self.child, termios.TIOCGWINSZ, b"\0" * 8)
        )[:2]
        screen = pyte.Screen(columns, lines)
        pyte.ByteStream(screen).feed(self.written)
        return "\n".join(screen.display)


def test_it_shows_the_board_and_q_leaves_the_terminal_as_it_was(
    simulated: str, tmp_path: Path
) -> None:
    with Terminal(["--root", simulated], TMPDIR=str(tmp_path)) as terminal:
        terminal.wait_for_text("tdiode-thermal")
        terminal.wait_for(lambda: re.search(r"\d J", terminal.text))
        for text in (
            "agx_orin",
            "GPU",
            "EMC",
            "61.4 GiB",
            "VDD_GPU_SOC",
            "module",
            "cpu-thermal",
            "━",
        ):
            assert text in terminal.text, text
        assert len(os.listdir(tmp_path)) == 1
        terminal.press("q")
        assert terminal.end() == 0
        assert termios.tcgetattr(terminal.child) == terminal.before
        assert "\x1b[?1049l" in terminal.text  # the screen as it was
        assert terminal.text.rfind("\x1b[?25h") > terminal.text.rfind("\x1b[?25l")  # the cursor too
    assert os.listdir(tmp_path) == []


def test_the_values_are_those_of_the_board(simulated: str) -> None:
    pytest.importorskip("pyte")
    with Terminal(["--root", simulated]) as terminal:
        terminal.wait_for(lambda: re.search(r"\d J", terminal.text))
        terminal.wait_for(lambda: " 10  ━" in terminal.screen())
        screen = terminal.screen()
        gpu = re.search(r"^GPU +\S+ +([\d.]+) %  918 MHz", screen, re.MULTILINE)
        assert gpu is not None and gpu[1] in ("5.0", "90.0")
        emc = re.search(r"^EMC +\S+ +([\d.]+) %", screen, re.MULTILINE)
        assert emc is not None and emc[1] in ("10.0", "60.0")
        rail = re.search(r"^VDD_GPU_SOC +([\d.]+) +([\d.]+) +([\d.]+)", screen, re.MULTILINE)
        assert rail is not None
        assert rail.groups() in (("19.640", "1.640", "32.210"), ("19.680", "0.820", "16.138"))
        assert re.search(r"^module [\d.]+ W +[\d.]+ J in \d+ s", screen, re.MULTILINE)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_signals_end_it_cleanly(simulated: str, number: int) -> None:
    with Terminal(["--root", simulated]) as terminal:
        terminal.wait_for_text("VDD_GPU_SOC")
        terminal.process.send_signal(number)
        assert terminal.end() == 0
        assert termios.tcgetattr(terminal.child) == terminal.before
        assert "Traceback" not in terminal.text


def test_keys_freeze_and_reset_and_help(simulated: str) -> None:
    with Terminal(["--root", simulated]) as terminal:
        terminal.wait_for_text("VDD_GPU_SOC")
        terminal.press(" ")
        terminal.wait_for_text("frozen")
        terminal.press(" ")
        terminal.press("?")
        terminal.wait_for_text("count joules from now on")
        terminal.press("?rq")
        assert terminal.end() == 0


def test_it_follows_the_size_of_the_terminal(simulated: str) -> None:
    with Terminal(["--root", simulated], columns=30, lines=6) as terminal:
        terminal.wait_for_text("GPU")
        assert "tdiode" not in terminal.text
        for columns, lines in ((1, 1), (3, 2), (100, 40)):
            terminal.resize(columns, lines)
            terminal.process.send_signal(signal.SIGWINCH)
            terminal.read()
        terminal.wait_for_text("tdiode-thermal")
        terminal.press("q")
        assert terminal.end() == 0


def test_a_line_of_the_full_width_leaves_the_next_one_alone(simulated: str) -> None:
    pytest.importorskip("pyte")
    # Here that of RAM is as wide as the terminal, and changes every 200 ms.
    with Terminal(["--root", simulated], columns=60, lines=16) as terminal:
        terminal.wait_for(lambda: "of 61.4 GiB" in terminal.screen())
        seen: set[str] = set()

        def has_changed_often() -> bool:
            seen.add(terminal.screen().splitlines()[4])
            return len(seen) >= 4

        terminal.wait_for(has_changed_often)
        lines = terminal.screen().splitlines()
        assert lines[4].startswith("RAM") and len(lines[4].rstrip()) == 60
        assert lines[5].startswith("rail  "), lines[5]


def test_without_utf_8_and_colours_it_is_ascii(simulated: str) -> None:
    with Terminal(
        ["--root", simulated], LC_ALL="C", PYTHONCOERCECLOCALE="0", TERM="vt100"
    ) as terminal:
        terminal.wait_for_text("###")
        terminal.wait_for_text("tdiode-thermal")
        assert terminal.written.isascii()
        terminal.press("q")
        assert terminal.end() == 0


@pytest.mark.parametrize("kind", ["dumb", "no-such-terminal", ""])
def test_a_terminal_that_cannot_show_it_is_one_line(simulated: str, kind: str) -> None:
    with Terminal(["--root", simulated], TERM=kind) as terminal:
        assert terminal.end() == 1
        assert terminal.text.count("\n") == 1 and "--once" in terminal.text


def test_no_terminal_is_one_line(simulated: str) -> None:
    done = subprocess.run(
        [*RUN, "--root", simulated],
        capture_output=True,
        text=True,
        timeout=60,
        stdin=subprocess.DEVNULL,
    )
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.count("\n") == 1 and "--once" in done.stderr


def test_once_prints_a_reading(simulated: str) -> None:
    done = subprocess.run(
        [*RUN, "--root", simulated, "--once"], capture_output=True, text=True, timeout=60
    )
    assert (done.returncode, done.stderr) == (0, "")
    for text in (
        "agx_orin",
        "GPU",
        "918 MHz",
        "core 11",
        "VDD_GPU_SOC",
        "module",
        "tdiode-thermal",
        "°C",
    ):
        assert text in done.stdout
    done = subprocess.run(
        [*RUN, "--root", simulated, "--once", "--json"], capture_output=True, text=True, timeout=60
    )
    reading = json.loads(done.stdout)
    assert reading["board_name"] == "agx_orin"
    assert reading["gpu_load"] in (50, 900) and reading["gpu_mhz"] == 918
    assert len(reading["cpu_util"]) == 12 and None not in reading["cpu_util"]
    assert set(reading["power"]) == {"VDD_GPU_SOC", "VDD_CPU_CV", "VIN_SYS_5V0", "VDDQ_VDD2_1V8AO"}
    assert reading["total_power_mw"] > 0 and None not in reading["temp_c"].values()


def test_a_machine_that_is_no_board_is_told_what_to_do(root: Path) -> None:
    done = subprocess.run(
        [*RUN, "--once", "--root", str(root)], capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1 and "generic_linux" in done.stderr


def test_json_is_of_once_and_intervals_have_limits() -> None:
    for arguments in (["--json"], ["--once", "--interval", "1ms"], ["--once", "--interval", "2h"]):
        assert subprocess.run([*RUN, *arguments], capture_output=True, timeout=60).returncode == 2


def test_joules_are_the_area_below_the_power(simulated: str) -> None:
    with Meter(fm.detect_board(root=simulated), 20) as meter:
        deadline = time.monotonic() + PATIENCE_S
        reading = meter.read()
        while (reading.energy_j or 0) <= 5 and time.monotonic() < deadline:
            time.sleep(0.02)
            reading = meter.read()
        assert reading.energy_j is not None
        # From 25.0 W to 57.4 W, whatever the moment; readings begin after the warm-up.
        assert reading.energy_j <= 58 * reading.elapsed_s
        meter.reset()
        assert meter.read().energy_j == pytest.approx(0, abs=1)


def test_a_trace_that_is_long_enough_is_begun_anew_and_nothing_shows_it(
    simulated: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Meter(fm.detect_board(root=simulated), 100) as meter:

        def wait_for(condition: Callable[[Reading], bool]) -> Reading:
            deadline = time.monotonic() + PATIENCE_S
            while not condition(meter.read()):
                assert time.monotonic() < deadline
                time.sleep(0.01)
            return meter.read()

        first = wait_for(lambda reading: reading.energy_j is not None and reading.energy_j > 0)
        began = first.snapshot["start_monotonic_ns"]
        monkeypatch.setattr("fastnvmetrics.live.meter._TRACE_S", 0.0)
        assert meter.read().snapshot["total_power_mw"] is not None
        monkeypatch.undo()
        again = wait_for(lambda reading: reading.snapshot["start_monotonic_ns"] != began)
        assert again.snapshot["total_power_mw"] is not None
        assert (
            again.energy_j is not None
            and first.energy_j is not None
            and again.energy_j > first.energy_j
        )
        directory = meter._directory.name
        assert os.listdir(directory)
    assert not os.path.exists(directory)


def empty_reading(**values: Any) -> Reading:
    snapshot: Any = {
        "start_monotonic_ns": 1, "time_s": None, "gpu_load": None, "cpu_util": [None] * 2,
        "cpu_aggregate": None, "ram_used_kb": None, "ram_available_kb": None, "emc_util": None,
        "medium_time_s": None, "power": {}, "total_power_mw": None, "slow_time_s": None, "temp_c":
        {}, **values,
    }  # fmt: skip
    return Reading(snapshot, 1.0, None, None, None, History())


def test_what_is_not_known_is_no_zero() -> None:
    rows = View("built", 10).rows(empty_reading(), 80, 24)
    text = ["".join(piece for piece, _ in row) for row in rows]
    gpu = next(line for line in text if line.startswith("GPU"))
    assert "?" in gpu and "0" not in gpu


@pytest.mark.parametrize("width", [1, 5, 20, 40, 80, 200])
@pytest.mark.parametrize("height", [1, 3, 10, 60])
def test_no_line_is_wider_or_lower_than_the_terminal(width: int, height: int) -> None:
    rails = {
        f"RAIL_{at}": {"voltage_mv": 5000, "current_ma": 1, "power_mw": 5.0} for at in range(8)
    }
    zones = {f"a-zone-{at}": 91.0 if at else None for at in range(16)}
    reading = empty_reading(
        gpu_load=999, cpu_util=[99.0] * 16, power=rails, temp_c=zones, total_power_mw=40.0
    )
    for is_unicode in (True, False):
        view = View("built", 10, is_unicode)
        rows = view.rows(reading, width, height)
        assert len(rows) <= height
        assert all(sum(len(text) for text, _ in row) <= width for row in rows)
        assert is_unicode or all(text.isascii() for row in rows for text, _ in row)
        assert len(view.help_rows(width, height)) <= height


def test_one_reading_of_a_machine_without_sensors(board: fm.BoardConfig) -> None:
    reading = read_once(board, patience_s=1.0)
    assert reading.snapshot["ram_used_kb"] == 600
    assert reading.snapshot["power"] == {} and reading.energy_j is None
