"""A flight recorder: `record --keep-last`, and `dump`."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

import fastnvmetrics as fm
from command import line
from fastnvmetrics.continuous import dump
from fastnvmetrics.continuous.flight_directory import FlightDirectory

OPTIONS = ("--board", "generic_linux", "--keep-last", "1s")


class Recorder:
    """A flight recorder with segments of half a second, for the length of a block."""

    def __init__(self, output: Path, *arguments: str, options: tuple[str, ...] = OPTIONS) -> None:
        self.output = output
        self.directory = Path(f"{output}.fnvm-flight")
        self.process = subprocess.Popen(
            [
                sys.executable,
                "-m",
                "fastnvmetrics",
                "record",
                *options,
                "-o",
                str(output),
                *arguments,
            ],
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, "RUNTIME_DIRECTORY": str(output.parent)},
        )

    def wait_for(self, condition: Callable[[], object]) -> None:
        deadline = time.monotonic() + 60
        while not condition():
            if self.process.poll() is not None:
                assert self.process.stderr is not None
                pytest.fail(self.process.stderr.read())
            assert time.monotonic() < deadline
            time.sleep(0.02)

    def wait_for_segment(self, number: int) -> None:
        self.wait_for(lambda: (self.directory / f"segment-{number:08}.bin").exists())

    def segments(self) -> list[str]:
        return sorted(name for name in os.listdir(self.directory) if name.endswith(".bin"))

    def end(self, number: int = signal.SIGINT) -> str:
        self.process.send_signal(number)
        _, errors = self.process.communicate(timeout=60)
        return str(errors)

    def __enter__(self) -> Recorder:
        return self

    def __exit__(self, *reason: object) -> None:
        self.process.kill()
        self.process.communicate(timeout=30)


def run_dump(*arguments: object, runtime: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "fastnvmetrics", "dump", *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=60,
        env={**os.environ, "RUNTIME_DIRECTORY": str(runtime)},
    )


def absolute(path: Path | str, tier: str = "medium") -> npt.NDArray[np.int64]:
    """The times of the samples in ns of CLOCK_MONOTONIC."""
    trace = fm.read_trace(path)
    seconds: npt.NDArray[np.float64] = trace[f"{tier}_time_s"]  # type: ignore[literal-required]
    return np.rint(seconds * 1e9).astype(np.int64) + trace["start_monotonic_ns"]


def test_dumps_have_the_last_stretch_and_recording_loses_nothing(tmp_path: Path) -> None:
    with Recorder(tmp_path / "flight.bin") as recorder:
        recorder.wait_for_segment(5)
        # The span, the segment that is recorded, and one that is half needed.
        recorder.wait_for(lambda: len(recorder.segments()) <= 4)
        first = run_dump(recorder.output, runtime=tmp_path)
        assert (first.returncode, first.stderr) == (0, "")
        second = run_dump("--json", runtime=tmp_path)  # the only one that is running
        assert second.returncode == 0, second.stderr
        recorder.process.send_signal(signal.SIGUSR1)
        recorder.wait_for(lambda: len(list(tmp_path.glob("flight-*.bin"))) == 3)
        errors = recorder.end()
    assert recorder.process.returncode == 0, errors
    dumps = sorted(tmp_path.glob("flight-*.bin"), key=lambda path: absolute(path)[-1])
    assert str(dumps[0]) == first.stdout.strip()
    assert str(dumps[1]) == json.loads(second.stdout)["path"]
    assert errors.count("dumped") == 3
    seen: set[int] = set()
    for path in (*dumps, recorder.output):
        trace = fm.read_trace(path)
        assert trace["fast_time_s"][-1] == pytest.approx(1.0, abs=0.002)
        assert trace["metadata"] and trace["stats"] and not trace["recovered"]
        times = absolute(path)
        # Ticks that were neither recorded nor counted are lost.
        missing = round((times[-1] - times[0]) / 1e7) + 1 - len(times)
        assert missing <= trace["missed_medium"]
        # What two dumps have both is the same to a nanosecond.
        known = times[times <= max(seen, default=0)]
        assert np.isin(known[:, None] + np.arange(-2, 3), list(seen)).any(axis=1).all()
        seen |= set(times.tolist())
    assert sorted(os.listdir(tmp_path)) == sorted(["flight.bin", *(path.name for path in dumps)])


def test_the_end_of_the_command_leaves_its_last_stretch(tmp_path: Path) -> None:
    child = "import time; time.sleep(1.6); raise SystemExit(3)"
    with Recorder(tmp_path / "flight.bin", "--", sys.executable, "-c", child) as recorder:
        _, errors = recorder.process.communicate(timeout=60)
    assert recorder.process.returncode == 3, errors
    trace = fm.read_trace(recorder.output)
    [phase] = trace["phases"]
    assert (phase["name"], phase["begin_ns"], bool(phase["was_ended"])) == ("command", 0, True)
    assert trace["fast_time_s"][-1] == pytest.approx(1.0, abs=0.01)
    assert os.listdir(tmp_path) == ["flight.bin"]


def test_after_a_crash_dump_makes_a_trace_of_what_is_left_and_a_restart_keeps_it(
    tmp_path: Path,
) -> None:
    with Recorder(tmp_path / "flight.bin") as recorder:
        recorder.wait_for_segment(2)
        size = recorder.directory / "segment-00000002.bin"
        recorder.wait_for(lambda: size.stat().st_size > 20_000)
        recorder.process.kill()
        recorder.process.wait(timeout=30)
        assert (recorder.directory / "socket").exists(), "it was left"
    left = run_dump(recorder.output, runtime=tmp_path)
    assert left.returncode == 0, left.stderr
    assert "no recorder is running" in left.stderr
    assert "segment-00000002.bin: its recorder was killed; recovered" in left.stderr
    crashed = left.stdout.strip()
    assert fm.read_trace(crashed)["recovered"]
    assert len(fm.read_trace(crashed)["fast_time_s"]) > 300

    options = ("--board", "generic_linux", "--keep-last", "60s")
    with Recorder(tmp_path / "flight.bin", options=options) as recorder:
        recorder.wait_for_segment(3)
        recorder.wait_for(
            lambda: (recorder.directory / "segment-00000003.bin").stat().st_size > 20_000
        )
        errors = recorder.end(signal.SIGTERM)
    assert recorder.process.returncode == 0
    assert "2 segments of the recorder before are kept" in errors
    joined = absolute(recorder.output, "fast")
    before = absolute(crashed, "fast")
    assert set(np.round(before / 1000).tolist()) <= set(np.round(joined / 1000).tolist())


def test_segments_of_another_boot_or_other_settings_are_set_aside_once(tmp_path: Path) -> None:
    output = tmp_path / "flight.bin"
    for boot, options in (("another", OPTIONS), (None, (*OPTIONS, "--medium-hz", "50"))):
        with Recorder(output) as recorder:
            recorder.wait_for_segment(2)
            recorder.process.kill()
            recorder.process.wait(timeout=30)
        facts = recorder.directory / "flight.json"
        if boot is not None:
            facts.write_text(json.dumps({**json.loads(facts.read_text()), "boot_id": boot}))
        with Recorder(output, options=options) as recorder:
            recorder.wait_for_segment(3)
            errors = recorder.end()
        assert recorder.process.returncode == 0, errors
        assert "flight-before.bin: 2 segments" in errors
        assert fm.read_trace(tmp_path / "flight-before.bin")["medium_hz"] == 100
        assert sorted(os.listdir(tmp_path)) == ["flight-before.bin", "flight.bin"]


def test_a_damaged_segment_is_set_aside(tmp_path: Path) -> None:
    (tmp_path / "flight.bin.fnvm-flight").mkdir()
    for number in (1, 2):
        (tmp_path / f"flight.bin.fnvm-flight/segment-{number:08}.bin").write_bytes(
            b"no trace" * 100
        )
    for name in ("segment-00000002.bin.fnvm-slow", "segment-00000007.bin.fnvm-new"):
        (tmp_path / "flight.bin.fnvm-flight" / name).write_bytes(b"left")
    directory = FlightDirectory(str(tmp_path / "flight.bin"))
    said = directory.begin(10.0)
    assert len(said) == 2 and all("damaged" in sentence for sentence in said)
    assert directory.segments() == []
    assert directory.next_segment().endswith("segment-00000003.bin")
    assert sorted(os.listdir(directory.path)) == ["damaged.bin", "flight.json"]
    directory.close()


def test_a_path_may_be_longer_than_an_address_can(tmp_path: Path) -> None:
    deep = tmp_path.joinpath(*(["d" * 60] * 4))
    deep.mkdir(parents=True)
    with Recorder(deep / "flight.bin") as recorder:
        recorder.wait_for(lambda: (recorder.directory / "socket").exists())
        recorder.wait_for_segment(1)
        done = run_dump(deep / "flight.bin", runtime=deep)
        assert done.returncode == 0, done.stderr
        assert fm.read_trace(done.stdout.strip())["fast_time_s"][-1] < 30


def test_there_is_one_recorder_to_a_path(tmp_path: Path) -> None:
    with Recorder(tmp_path / "flight.bin") as recorder:
        recorder.wait_for_segment(1)
        with Recorder(tmp_path / "flight.bin") as other:
            _, errors = other.process.communicate(timeout=60)
        assert other.process.returncode == 1
        assert errors == f"fastnvmetrics: {recorder.directory}: a flight recorder is running here\n"
        assert recorder.process.poll() is None


def test_dump_says_in_one_line_what_is_in_its_way(tmp_path: Path) -> None:
    done = run_dump(tmp_path / "none.bin", runtime=tmp_path)
    assert done.returncode == 1
    assert "there is no flight recorder" in done.stderr and done.stderr.count("\n") == 1
    done = run_dump(runtime=tmp_path)
    assert done.returncode == 1
    assert "name what it records to" in done.stderr and done.stderr.count("\n") == 1
    empty = tmp_path / "empty.bin.fnvm-flight"
    empty.mkdir()
    done = run_dump(tmp_path / "empty.bin", runtime=tmp_path)
    assert done.returncode == 1
    assert "no segments" in done.stderr and done.stderr.count("\n") == 1


def test_a_socket_that_says_nonsense_does_no_harm(tmp_path: Path) -> None:
    directory = tmp_path / "x.bin.fnvm-flight"
    directory.mkdir()
    listening = socket.socket(socket.AF_UNIX)
    listening.bind(str(directory / "socket"))
    listening.listen()
    asking = subprocess.Popen(
        [sys.executable, "-m", "fastnvmetrics", "dump", str(tmp_path / "x.bin")],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    peer, _ = listening.accept()
    peer.sendall(b"nonsense\n")
    _, errors = asking.communicate(timeout=60)
    peer.close()
    listening.close()
    assert asking.returncode == 1
    assert errors.count("\n") == 1 and "Traceback" not in errors


def test_who_asks_and_leaves_does_no_harm(tmp_path: Path) -> None:
    with Recorder(tmp_path / "flight.bin") as recorder:
        recorder.wait_for_segment(1)
        for words in (b"", b"dump\n", b"x" * 64):
            with socket.socket(socket.AF_UNIX) as peer:
                peer.connect(str(recorder.directory / "socket"))
                peer.sendall(words)
        made = dump(recorder.output)
        assert made.notices == []
        assert fm.read_trace(made.path)["fast_time_s"][-1] > 0
        assert recorder.end().count("Traceback") == 0
    assert recorder.process.returncode == 0


def test_a_recorder_that_cannot_start_leaves_nothing(tmp_path: Path) -> None:
    done = subprocess.run(
        line("record", "--keep-last", "10s", "--board", "no_such_board", "-o", tmp_path / "f.bin"),
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    assert os.listdir(tmp_path) == []
