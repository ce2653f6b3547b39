"""The simulated board: complete, alive, never half-written, and true to its log."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fastnvmetrics.simulate import SimulationOptions, Simulator, Truth, load_truth
from fastnvmetrics.simulate.boards import BOARDS
from fastnvmetrics.simulate.procstat import TICK_NS, ProcStat
from fastnvmetrics.simulate.signals import signals
from fastnvmetrics.simulate.tree import STAT_PATH, SignalWord, build
from fastnvmetrics.simulate.waves import Constant, Scaled, Square, Staircase, Total
from fastnvmetrics.simulate.words import WordFile, counter_word, value_word

MS = 1_000_000

Command = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def command() -> Command:
    """Run ``python -m fastnvmetrics.simulate`` to its end."""

    def run(*arguments: Any) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "fastnvmetrics.simulate", *map(str, arguments)],
            env=environment(),
            capture_output=True,
            text=True,
            timeout=120,
        )

    return run


def environment() -> dict[str, str]:
    """The tests' own search path for the processes they start."""
    return {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}


def text(root: Path, path: str) -> str:
    return (root / path).read_text().rstrip("\n")


def number(root: Path, path: str) -> int:
    return int((root / path).read_text())


# ---- Waves


def test_a_square_wave_is_high_for_half_of_its_period() -> None:
    wave = Square(50, 900, period_ms=400, offset_ms=100)
    values = [wave.at(elapsed * MS) for elapsed in (0, 99, 100, 299, 300, 499, 500)]
    assert values == [900, 900, 50, 50, 900, 900, 50]


def test_a_staircase_goes_up_and_comes_back() -> None:
    wave = Staircase(10, 5, steps=3, hold_ms=2)
    values = [wave.at(elapsed * MS) for elapsed in range(0, 16, 2)]
    assert values == [10, 15, 20, 25, 20, 15, 10, 15]
    assert wave.at(2 * MS - 1) == 10


def test_waves_are_combined() -> None:
    wave = Square(1, 7, period_ms=2)
    assert [Scaled(wave, 5, 2).at(0), Scaled(wave, 5, 2).at(MS)] == [17, 2]
    assert Total((wave, Constant(100))).at(MS) == 101


# ---- Words


def test_every_word_has_eight_bytes() -> None:
    assert value_word(430) == b"430    \n" and value_word(-256000) == b"-256000\n"
    assert counter_word(12) == b"      12"
    assert counter_word(123_456_789) == b"23456789"
    with pytest.raises(ValueError):
        value_word(10_000_000)


def test_a_stored_word_is_seen_by_a_reader_that_has_the_file_open(tmp_path: Path) -> None:
    path = tmp_path / "words"
    path.write_bytes(b"1234567\n" * 2 + b"tail")
    words = WordFile(str(path))
    with path.open("rb", buffering=0) as reader:
        words.store(1, b"new    \n")
        assert os.pread(reader.fileno(), 64, 0) == b"1234567\nnew    \ntail"
    words.close()
    assert path.read_bytes() == b"1234567\nnew    \ntail"


HAMMER = """
import sys
from fastnvmetrics.simulate.words import WordFile
words = WordFile(sys.argv[1])
print("ready", flush=True)
while True:
    for word in (b"1111111\\n", b"2222222\\n", b"-256000\\n", b"3      \\n"):
        words.store(0, word)
        words.store(9, word)
"""


def test_no_reader_sees_a_torn_word_while_it_is_hammered(tmp_path: Path) -> None:
    path = tmp_path / "hammered"
    path.write_bytes(b"1111111\n" * 10)
    whole = {b"1111111\n", b"2222222\n", b"-256000\n", b"3      \n"}
    seen = set()
    with subprocess.Popen(
        [sys.executable, "-c", HAMMER, str(path)], env=environment(), stdout=subprocess.PIPE
    ) as writer:
        try:
            assert writer.stdout is not None and writer.stdout.readline() == b"ready\n"
            with path.open("rb", buffering=0) as file:
                for _ in range(300_000):
                    content = os.pread(file.fileno(), 128, 0)
                    seen.add(content[:8])
                    seen.add(content[72:])
        finally:
            writer.kill()
    assert seen <= whole
    assert len(seen) > 1, "the writer was at work"


# ---- /proc/stat


def cpu_lines(content: bytes) -> dict[str, list[int]]:
    lines = [line.split() for line in content.decode().splitlines() if line.startswith("cpu")]
    return {fields[0]: [int(field) for field in fields[1:]] for fields in lines}


def test_every_counter_of_proc_stat_is_an_aligned_word() -> None:
    stat = ProcStat({core: 10 * core for core in range(11)})
    content = stat.text(0)
    for index, word in stat.words(0):
        assert content[8 * index : 8 * index + 8] == word
    later = bytearray(content)
    for index, word in stat.words(123_456 * TICK_NS):
        later[8 * index : 8 * index + 8] = word
    assert bytes(later) == stat.text(123_456 * TICK_NS)


def test_time_in_proc_stat_is_the_time_that_passed_and_duties_hold() -> None:
    duties = {0: 0, 1: 25, 3: 50, 4: 100}
    stat = ProcStat(duties)
    first = cpu_lines(stat.text(0))
    assert list(first) == ["cpu", "cpu0", "cpu1", "cpu3", "cpu4"]
    previous = first
    for ticks in range(1, 500):
        now = cpu_lines(stat.text(ticks * TICK_NS + 17))
        for core, duty in duties.items():
            user, nice, system, idle, *rest = np.subtract(now[f"cpu{core}"], first[f"cpu{core}"])
            assert user + idle == ticks and user == ticks * duty // 100
            assert not any([nice, system, *rest]) and len(rest) == 6
            step = np.subtract(now[f"cpu{core}"], previous[f"cpu{core}"])
            assert sorted(step) == [0] * 9 + [1], "one counter a tick"
        assert now["cpu"] == [sum(column) for column in zip(*list(now.values())[1:])]
        previous = now


# ---- The tree


@pytest.mark.parametrize("l4t", [35, 36, 39])
@pytest.mark.parametrize("board", list(BOARDS))
def test_every_signal_is_an_aligned_word_with_its_first_value(
    tmp_path: Path, board: str, l4t: int
) -> None:
    options = SimulationOptions(board=board, l4t=l4t)
    words = build(str(tmp_path), options)
    waves = signals(options)
    assert {word.signal for word in words} == set(waves)
    for word in words:
        content = (tmp_path / word.path).read_bytes()
        if word.path != "proc/meminfo":
            assert len(content) == 8 and word.index == 0, word
        value = waves[word.signal].at(0)
        assert content[8 * word.index : 8 * word.index + 8] == word.text(value)
        assert int(word.text(value)) == value
        # Every other value must fit as well.
        for elapsed in range(0, 20_000, 10):
            assert len(word.text(waves[word.signal].at(elapsed * MS))) == 8


def rails_by_label(root: Path) -> dict[str, tuple[str, int]]:
    """What a profiler finds through the class directory: label → (chip, channel)."""
    found = {}
    for hwmon in sorted((root / "sys/class/hwmon").iterdir()):
        assert text(hwmon, "name") == "ina3221"
        chip = (hwmon / "device").resolve().name
        for channel in (1, 2, 3):
            label = hwmon / f"in{channel}_label"
            if label.exists() and label.read_text() != "NC\n":
                found[label.read_text().strip()] = (chip, channel)
    return found


def test_the_agx_tree_is_that_of_the_board(tmp_path: Path) -> None:
    build(str(tmp_path), SimulationOptions(board="agx_orin"))
    root = tmp_path
    compatible = (root / "proc/device-tree/compatible").read_bytes().split(b"\0")
    assert b"nvidia,p3701-0005" in compatible and compatible[-1] == b""
    assert text(root, "etc/nv_tegra_release").startswith("# R36 (release), REVISION: 4.3,")
    assert text(root, "sys/devices/system/cpu/possible") == "0-11"
    assert text(root, "sys/devices/system/cpu/online") == "0-11"

    gpu = root / "sys/class/devfreq/17000000.gpu/device"
    assert text(gpu, "of_node/name") == "gpu\0" and number(gpu, "load") == 900
    assert text(gpu, "power/runtime_status") == "active"
    assert gpu.resolve() == root / "sys/devices/platform/bus@0/17000000.gpu"

    debug = root / "sys/kernel/debug"
    rate = number(debug, "bpmp/debug/clk/emc/rate")
    assert rate == number(debug, "clk/emc/clk_rate") == 3_199_000_000
    assert number(debug, "cactmon/mc_all") * 1000 * 100 / rate == pytest.approx(60)

    assert rails_by_label(root) == {
        "VDD_GPU_SOC": ("1-0040", 1),
        "VDD_CPU_CV": ("1-0040", 2),
        "VIN_SYS_5V0": ("1-0040", 3),
        "VDDQ_VDD2_1V8AO": ("1-0041", 2),
    }
    chip = root / "sys/bus/i2c/drivers/ina3221/1-0040"
    assert chip.resolve() == root / "sys/devices/platform/bus@0/c240000.i2c/i2c-1/1-0040"
    monitor = chip / "hwmon/hwmon3"
    assert monitor.resolve() == (root / "sys/class/hwmon/hwmon3").resolve()
    assert number(monitor, "update_interval") == 7 and number(monitor, "samples") == 1
    assert number(monitor, "shunt1_resistor") == 2000
    assert text(monitor, "in7_label") == "sum of shunt voltages"
    currents = [number(monitor, f"curr{channel}_input") for channel in (1, 2, 3)]
    shunts = [number(monitor, f"in{channel}_input") for channel in (4, 5, 6)]
    assert number(monitor, "curr4_input") == sum(currents)
    assert shunts == [current * 2 for current in currents]
    assert number(monitor, "in7_input") == sum(shunts)
    second = root / "sys/class/hwmon/hwmon4"
    for channel in (1, 3):
        assert number(second, f"in{channel}_enable") == 0
        assert not (second / f"in{channel}_label").exists()
        assert (second / f"in{channel}_input").read_bytes() == b""

    types = [text(root, f"sys/class/thermal/thermal_zone{k}/type") for k in range(11)]
    assert types == list(BOARDS["agx_orin"].zones)
    assert number(root, "sys/class/thermal/thermal_zone0/temp") == 42_000
    assert not (root / "sys/class/thermal/thermal_zone11").exists()


@pytest.mark.parametrize(("board", "module"), [("orin_nx", b"0000"), ("orin_nano", b"0005")])
def test_the_smaller_boards_have_their_own_rails(tmp_path: Path, board: str, module: bytes) -> None:
    build(str(tmp_path), SimulationOptions(board=board))
    assert list(rails_by_label(tmp_path).items()) == [
        ("VDD_IN", ("1-0040", 1)),
        ("VDD_CPU_GPU_CV", ("1-0040", 2)),
        ("VDD_SOC", ("1-0040", 3)),
    ]
    compatible = (tmp_path / "proc/device-tree/compatible").read_bytes().split(b"\0")
    assert b"nvidia,p3767-" + module in compatible
    assert number(tmp_path, "sys/class/hwmon/hwmon3/shunt1_resistor") == 5000
    assert number(tmp_path, "sys/class/thermal/thermal_zone9/temp") == 46_500


def test_l4t_35_has_other_paths_and_names(tmp_path: Path) -> None:
    build(str(tmp_path), SimulationOptions(l4t=35, cv_zones_off=True))
    types = [text(tmp_path, f"sys/class/thermal/thermal_zone{k}/type") for k in range(11)]
    assert types == [
        "CPU-therm",
        "GPU-therm",
        "CV0-therm",
        "CV1-therm",
        "CV2-therm",
        "SOC0-therm",
        "SOC1-therm",
        "SOC2-therm",
        "tj-therm",
        "Tboard_tegra",
        "Tdiode_tegra",
    ]
    assert (tmp_path / "sys/class/thermal/thermal_zone3/temp").read_bytes() == b"-256000\n"
    gpu = tmp_path / "sys/devices/platform/17000000.ga10b"
    assert text(gpu, "of_node/name") == "ga10b\0" and number(gpu, "load") == 900
    assert number(tmp_path, "sys/devices/platform/gpu.0/load") == 900
    assert (tmp_path / "sys/kernel/actmon_avg_activity/mc_all").exists()
    assert not (tmp_path / "sys/kernel/debug/cactmon").exists()
    assert text(tmp_path, "sys/class/hwmon/hwmon4/in1_label") == "NC"
    assert text(tmp_path, "etc/nv_tegra_release").startswith("# R35 ")


def test_options_change_the_tree(tmp_path: Path) -> None:
    options = SimulationOptions(
        board="orin_nx", offline_cores=(2, 5), hwmon_first=7, emc=False, foreign_zone=True
    )
    build(str(tmp_path), options)
    assert text(tmp_path, "sys/devices/system/cpu/possible") == "0-7"
    assert text(tmp_path, "sys/devices/system/cpu/online") == "0-1,3-4,6-7"
    assert text(tmp_path, "sys/devices/system/cpu/offline") == "2,5"
    stat = cpu_lines((tmp_path / STAT_PATH).read_bytes())
    assert list(stat) == ["cpu", "cpu0", "cpu1", "cpu3", "cpu4", "cpu6", "cpu7"]
    assert (tmp_path / "sys/class/hwmon/hwmon7").exists()
    assert not (tmp_path / "sys/kernel").exists()
    assert text(tmp_path, "sys/class/thermal/thermal_zone0/type") == "iwlwifi_1"
    assert text(tmp_path, "sys/class/thermal/thermal_zone1/type") == "cpu-thermal"


def test_every_link_is_relative_and_leads_into_the_tree(tmp_path: Path) -> None:
    build(str(tmp_path), SimulationOptions())
    links = [path for path in tmp_path.rglob("*") if path.is_symlink()]
    assert links
    for link in links:
        assert not os.path.isabs(os.readlink(link))
        assert link.resolve(strict=True).is_relative_to(tmp_path)


@pytest.mark.parametrize(
    "wrong",
    [
        {"board": "xavier"},
        {"l4t": 34},
        {"hwmon_first": -1},
        {"offline_cores": (12,)},
        {"offline_cores": tuple(range(12))},
    ],
)
def test_options_out_of_range_are_refused(tmp_path: Path, wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=next(iter(wrong))):
        Simulator(tmp_path, **wrong)


# ---- Truth


def truth_of(*changes: tuple[int, int, int], until: int = 10_000) -> Truth:
    rows = {"signal": np.array(changes, dtype=np.int64)}
    return Truth({"epoch_monotonic_ns": 1000}, rows, until)


def test_truth_knows_the_value_before_during_and_after_a_store() -> None:
    truth = truth_of((5, 1000, 1000), (6, 2000, 2010), (7, 3000, 3010))

    def at(instant: int, before: int = 0, after: int = 0) -> set[int]:
        return truth.value_at("signal", instant, before, after)

    assert at(1000) == at(1999) == {5}
    assert at(2000) == at(2005) == at(2010) == {5, 6}
    assert at(2011) == at(2999) == {6}
    assert at(3011) == {7}
    assert at(2100, before=90) == {5, 6} and at(2100, before=89) == {6}
    assert at(1900, after=100) == {5, 6} and at(1900, after=99) == {5}
    assert at(2500, before=600, after=600) == {5, 6, 7}


def test_truth_takes_arrays() -> None:
    truth = truth_of((5, 1000, 1000), (6, 2000, 2010))
    instants = np.array([1500.0, 2004.6, 2500.0])
    assert truth.value_at("signal", instants, 0, 0).tolist() == [[5, 5], [5, 6], [6, 6]]
    seen = np.array([5, 5, 5], dtype=np.uint16)
    assert truth.admits("signal", instants, seen, 0, 0).tolist() == [True, True, False]
    assert truth.value_at("signal", np.array([]), 0, 0).shape == (0, 1)


def test_truth_does_not_guess_what_it_cannot_know() -> None:
    truth = truth_of((5, 1000, 1000), until=2000)
    assert truth.value_at("signal", 2000, 0, 0) == {5}
    for instant in (999, 2001):
        with pytest.raises(ValueError):
            truth.value_at("signal", instant, 0, 0)
    with pytest.raises(ValueError):
        truth.value_at("signal", 1900, 0, 101)
    with pytest.raises(KeyError):
        truth.value_at("other", 1500, 0, 0)


# ---- A board that runs


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Simulator]:
    directory = tmp_path_factory.mktemp("board") / "root"
    with Simulator(directory, offline_cores=(3,)) as simulator:
        yield simulator


def sampled_words(simulator: Simulator) -> list[SignalWord]:
    """Where the signals are, as told by a second tree that is built the same way."""
    scratch = f"{simulator.root}.twin"
    return build(scratch, simulator.options)


def test_every_value_read_while_it_runs_is_the_logged_one(running: Simulator) -> None:
    words = sampled_words(running)
    descriptors = [os.open(os.path.join(running.root, word.path), os.O_RDONLY) for word in words]
    reads: list[list[tuple[int, int, int]]] = [[] for _ in words]
    begin = time.monotonic_ns()
    while time.monotonic_ns() - begin < 1_500 * MS:
        for word, descriptor, seen in zip(words, descriptors, reads):
            before = time.monotonic_ns()
            content = os.pread(descriptor, 4096, 0)
            after = time.monotonic_ns()
            value = int(content[8 * word.index : 8 * word.index + 8])
            seen.append((before, after, value))
    for descriptor in descriptors:
        os.close(descriptor)
    truth = running.truth
    waves = signals(running.options)
    for word, seen in zip(words, reads):
        # When each read was is known exactly: no other margin is needed.
        before_ns, after_ns, value = np.array(seen, dtype=np.int64).T
        admitted = truth.admits(word.signal, before_ns, value, 0, after_ns - before_ns)
        assert admitted.all(), word.signal
        values = {waves[word.signal].at(elapsed * MS) for elapsed in range(0, 20_000, 10)}
        assert set(value.tolist()) <= values
    assert {value for _, _, value in reads[[w.signal for w in words].index("gpu_load")]} == {
        50,
        900,
    }


def test_changes_come_when_the_waves_say(running: Simulator) -> None:
    """Logged values are the wave's at the moment of the store: late ones are late, never wrong."""
    truth = running.truth
    for name, wave in signals(running.options).items():
        rows = truth.changes(name)
        assert (np.diff(rows[:, 0]) != 0).all() and (rows[:, 2] >= rows[:, 1]).all()
        assert (rows[1:, 1] >= rows[:-1, 2]).all()
        possible = {wave.at(elapsed * MS) for elapsed in range(0, 20_000, 10)}
        assert set(rows[:, 0].tolist()) <= possible
        assert rows[0, 0] == wave.at(0)


def test_running_proc_stat_counts_time_and_keeps_the_duties(running: Simulator) -> None:
    with open(os.path.join(running.root, STAT_PATH), "rb", buffering=0) as file:
        epoch = running.truth.epoch_ns
        expected = running.truth.duty_percent
        base = cpu_lines(ProcStat({core: 0 for core in range(12)}).text(0))["cpu0"]
        previous: dict[str, list[int]] = {}
        begin = time.monotonic_ns()
        while time.monotonic_ns() - begin < 1_000 * MS:
            content = os.pread(file.fileno(), 8192, 0)
            latest_tick = (time.monotonic_ns() - epoch) // TICK_NS
            lines = cpu_lines(content)
            assert "cpu3" not in lines and len(lines) == 12
            assert all(len(counters) == 10 for counters in lines.values())
            for name, counters in lines.items():
                assert np.greater_equal(counters, previous.get(name, counters)).all(), "monotonic"
                if name == "cpu":
                    continue
                busy, _, _, idle, *_ = np.subtract(counters, base)
                assert busy + idle <= latest_tick
                # Of t ticks, floor(t · duty / 100) are busy; user and idle are two stores.
                duty = expected[int(name[3:])]
                assert abs(busy - (busy + idle) * duty / 100) <= 1 + (latest_tick - busy - idle)
            previous = lines
    assert np.isnan(expected[3]) and expected[11] == 25


def test_truth_of_a_running_board_reaches_the_present(running: Simulator) -> None:
    asked = time.monotonic_ns()
    assert running.truth.until_ns >= asked
    assert running.truth.value_at("gpu_load", asked, 0, 0) <= {50, 900}


def test_memory_that_is_used_is_known_to_the_kilobyte(running: Simulator) -> None:
    lines = text(Path(running.root), "proc/meminfo").splitlines()
    assert all(len(line) == 27 for line in lines)
    fields = {line.split(":")[0]: int(line.split()[1]) for line in lines}
    assert fields["MemTotal"] == running.truth.facts["mem_total_kb"]
    assert fields["MemAvailable"] in running.truth.changes("ram_available_kb")[:, 0]


# ---- The end, and refusals


def test_a_board_that_ended_stays_as_it_was_and_is_known_for_ever(tmp_path: Path) -> None:
    simulator = Simulator(tmp_path / "board", board="orin_nano")
    with simulator:
        with pytest.raises(RuntimeError, match="running already"):
            simulator.start()
    simulator.stop()
    truth = simulator.truth
    for word in sampled_words(simulator):
        content = (Path(simulator.root) / word.path).read_bytes()
        held = int(content[8 * word.index : 8 * word.index + 8])
        assert truth.value_at(word.signal, 2**62) == {held}
    with simulator:
        assert simulator.truth.epoch_ns > truth.epoch_ns, "it begins anew"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_it_cleanly(tmp_path: Path, number: signal.Signals) -> None:
    with subprocess.Popen(
        [sys.executable, "-m", "fastnvmetrics.simulate", str(tmp_path / "board")],
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline().startswith(f"ready: {tmp_path}/board ")
        process.send_signal(number)
        rest, errors = process.communicate(timeout=60)
    assert (process.returncode, rest, errors) == (0, "", "")
    assert (tmp_path / "board/truth.log").read_text().endswith("end\n")


def test_a_duration_ends_it(tmp_path: Path, command: Command) -> None:
    done = command(tmp_path / "board", "--board", "orin_nx", "--duration", "0.3")
    assert done.returncode == 0 and done.stdout.startswith("ready: ") and not done.stderr
    truth = load_truth(tmp_path / "board")
    assert truth.facts["board"] == "orin_nx" and truth.facts["power_rails"][0] == "VDD_IN"
    assert len(truth.changes("gpu_load")) >= 2


def test_a_static_tree_holds_its_first_values_for_ever(tmp_path: Path, command: Command) -> None:
    done = command(tmp_path, "--static", "--no-emc", "--offline-cores", "1,2")
    assert done.returncode == 0 and done.stdout.count("\n") == 1
    truth = load_truth(tmp_path)
    assert truth.value_at("gpu_load", 2**62) == {900}
    assert truth.facts["emc_rate_hz"] == 0 and "emc_mc_all_khz" not in truth.signals
    assert truth.facts["offline_cores"] == [1, 2] and truth.facts["duty_percent"][1] is None


def test_a_directory_with_something_else_in_it_is_refused(tmp_path: Path, command: Command) -> None:
    precious = tmp_path / "sys" / "precious"
    precious.parent.mkdir()
    precious.write_text("kept")
    (tmp_path / "truth.json").write_text(json.dumps({"another": "program's"}))
    done = command(tmp_path, "--static")
    assert done.returncode == 2 and done.stdout == ""
    assert done.stderr.count("\n") == 1 and "neither empty nor a former simulation" in done.stderr
    assert precious.read_text() == "kept"
    with pytest.raises(RuntimeError, match="neither empty"):
        Simulator(tmp_path).start()


def test_a_former_simulation_is_replaced_and_other_files_are_kept(
    tmp_path: Path, command: Command
) -> None:
    assert command(tmp_path, "--static", "--board", "agx_orin").returncode == 0
    (tmp_path / "notes.txt").write_text("mine")
    assert command(tmp_path, "--static", "--board", "orin_nano").returncode == 0
    assert list(rails_by_label(tmp_path)) == ["VDD_IN", "VDD_CPU_GPU_CV", "VDD_SOC"]
    assert (tmp_path / "notes.txt").read_text() == "mine"


def test_a_directory_where_a_simulation_runs_is_refused(
    running: Simulator, command: Command
) -> None:
    done = command(running.root, "--static")
    assert done.returncode == 2 and "a simulation is running there" in done.stderr
    assert done.stderr.count("\n") == 1


def test_a_directory_that_cannot_be_made_is_one_line(tmp_path: Path, command: Command) -> None:
    (tmp_path / "file").write_text("")
    done = command(tmp_path / "file" / "below", "--static")
    assert done.returncode == 1 and done.stderr.count("\n") == 1 and "below" in done.stderr


def test_a_simulation_does_not_outlive_the_process_that_started_it(tmp_path: Path) -> None:
    script = (
        "import os, sys\n"
        "from fastnvmetrics.simulate import Simulator\n"
        "Simulator(sys.argv[1]).start()\n"
        "os._exit(0)\n"
    )
    subprocess.run(
        [sys.executable, "-c", script, str(tmp_path / "board")], env=environment(), check=True
    )
    log = tmp_path / "board/truth.log"
    give_up = time.monotonic() + 60
    while not log.read_text().endswith("end\n"):
        assert time.monotonic() < give_up, "it runs on"
        time.sleep(0.02)
