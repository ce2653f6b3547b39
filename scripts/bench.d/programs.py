"""The C programs of the benchmark, and the boards they run on."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import fastnvmetrics as fm
from fastnvmetrics.simulate.options import SimulationOptions
from fastnvmetrics.simulate.tree import build
from report import REPOSITORY

WARM_SECONDS = 1.0
STAT_HZ = 100
MEDIUM_HZ = 100
SLOW_HZ = 10

_OUTPUT = REPOSITORY / "build/bench"
_LIBRARY = REPOSITORY / "build/lib"


@dataclass
class Machine:
    """A board with the files that the engine reads of it, as the floor is told to read them."""

    name: str
    #: For the recorder: a board's name or "detect", and its root.
    board: str
    root: str
    #: (bytes, path), read at each fast tick; the order is the engine's.
    fast: list[tuple[int, str]] = field(default_factory=list)
    #: (bytes, path), read at 100 Hz, at the medium and at the slow rate.
    stat: list[tuple[int, str]] = field(default_factory=list)
    medium: list[tuple[int, str]] = field(default_factory=list)
    slow: list[tuple[int, str]] = field(default_factory=list)

    def reads(self, fast_hz: int) -> str:
        """What the floor's standard input says."""
        groups = [
            (0, fast_hz, self.fast),
            (0, STAT_HZ, self.stat),
            (1, MEDIUM_HZ, self.medium),
            (2, SLOW_HZ, self.slow),
        ]
        return "".join(
            f"{tier} {hz} {size} {path}\n" for tier, hz, files in groups for size, path in files
        )


def this_machine() -> Machine:
    """What "generic_linux" records: the kernel's own /proc and /sys."""
    return _machine(
        "this machine's /proc and /sys", "generic_linux", "/", fm.get_board_config("generic_linux")
    )


@contextlib.contextmanager
def plain_files() -> Iterator[Machine]:
    """The tree of an AGX Orin in ordinary files, which nobody changes meanwhile."""
    with tempfile.TemporaryDirectory(prefix="fastnvmetrics-bench-") as root:
        options = SimulationOptions(board="agx_orin")
        build(root, options)
        for core in range(options.simulated.cores):
            for state in range(2):
                directory = Path(root, f"sys/devices/system/cpu/cpu{core}/cpuidle/state{state}")
                directory.mkdir(parents=True)
                (directory / "time").write_text(f"{123_456_789 + core}\n")
        yield _machine("an AGX Orin in plain files", "detect", root, fm.detect_board(root=root))


def _machine(name: str, board: str, root: str, config: fm.BoardConfig) -> Machine:
    """Sizes and order are those of Sources/FastNVMetrics/Probes."""
    machine = Machine(name, board, root)
    top = root.rstrip("/")
    cpus = _cpus(top)
    for cpu in range(cpus):
        for state in range(16):
            path = f"{top}/sys/devices/system/cpu/cpu{cpu}/cpuidle/state{state}/time"
            if not os.access(path, os.R_OK):
                break
            machine.fast.append((64, path))
    if load := os.fspath(config.gpu_load_path or ""):
        status = f"{os.path.dirname(load)}/power/runtime_status"
        if os.access(status, os.R_OK):
            machine.fast.append((16, status))
        machine.fast.append((64, load))
    machine.fast.append((512, f"{top}/proc/meminfo"))
    for path in (config.emc_actmon_path, config.emc_clk_rate_path):
        if path:
            machine.fast.append((64, os.fspath(path)))
    machine.stat.append((256 * (cpus + 2), f"{top}/proc/stat"))
    for rail in config.power_rails:
        machine.medium.append((64, os.fspath(rail.voltage_path)))
        machine.medium.append((64, os.fspath(rail.current_path)))
    for zone in config.thermal_zones:
        machine.slow.append((64, os.fspath(zone.temp_path)))
    return machine


def _cpus(top: str) -> int:
    """The number after the highest that a CPU can have."""
    possible = Path(f"{top}/sys/devices/system/cpu/possible").read_text().strip()
    return int(possible.replace("-", ",").split(",")[-1]) + 1


class Programs:
    """The programs, compiled."""

    def __init__(self) -> None:
        _OUTPUT.mkdir(parents=True, exist_ok=True)
        self._floor = _compile("floor")
        # Exported, its symbols come before those of libc in the library as well.
        self._recorder = _compile(
            "recorder",
            "-rdynamic",
            f"-L{_LIBRARY}",
            f"-Wl,-rpath,{_LIBRARY}",
            "-lfastnvmetrics",
            "-ldl",
        )

    def floor(self, machine: Machine, hz: int, seconds: float) -> dict[str, Any]:
        """Only read."""
        return _run([self._floor, hz, seconds, WARM_SECONDS], machine.reads(hz))

    def bare(self, hz: int, seconds: float) -> dict[str, Any]:
        """Only sleep."""
        return _run([self._floor, hz, seconds, WARM_SECONDS], "")

    def record(self, machine: Machine, hz: int, seconds: float, path: Path) -> dict[str, Any]:
        """Record into a trace at `path`."""
        arguments = [
            path,
            machine.board,
            machine.root,
            hz,
            MEDIUM_HZ,
            SLOW_HZ,
            seconds,
            WARM_SECONDS,
        ]
        return _run([self._recorder, *arguments], "")


def compiler_version() -> str:
    """The C compiler, for the conditions."""
    ran = subprocess.run(["cc", "--version"], capture_output=True, text=True, check=True)
    return f"floor compiled by {ran.stdout.splitlines()[0]} -O2"


def _compile(name: str, *link: str) -> Path:
    source = REPOSITORY / f"scripts/bench.d/{name}.c"
    program = _OUTPUT / name
    command = [
        "cc",
        "-std=gnu11",
        "-O2",
        "-Wall",
        "-Wextra",
        f"-I{REPOSITORY}/include",
        str(source),
    ]
    subprocess.run([*command, "-o", str(program), *link, "-pthread"], check=True)
    return program


def _run(command: list[Any], reads: str) -> dict[str, Any]:
    ran = subprocess.run(
        [str(word) for word in command], input=reads, stdout=subprocess.PIPE, text=True, check=True
    )
    result: dict[str, Any] = json.loads(ran.stdout)
    if result.get("failed_reads") or result.get("read_errors"):
        raise SystemExit(f"reads failed, so the figures mean nothing: {result}")
    return result
