"""A simulated AGX Orin whose reads take as long as on a real one."""

from __future__ import annotations

import contextlib
import json
import os
import statistics
import subprocess
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fastnvmetrics.simulate import Simulator
from report import REPOSITORY

#: What a read costs on an AGX Orin with JetPack 6.0, in µs. The clock of the memory controller is
#: assumed to cost what a thermal zone does: both ask the same firmware. RAM, the GPU's
#: `runtime_status` and `mc_all` cost less than a read through FUSE can, and are plain files.
COST_US = {"load": 322, "stat": 24, "rail": 554, "zone": 80, "clock": 80}
RAM_COST_US = 3

#: How often the hardware has a new value, in µs.
LOAD_REFRESH_US = 16_700
EMC_REFRESH_US = 20_000
RAIL_REFRESH_US = 7_000

#: A sensor's values differ by steps of this at least.
RAIL_STEP_MA = 20

_LOAD = "sys/devices/platform/bus@0/17000000.gpu/load"
_STATUS = "sys/devices/platform/bus@0/17000000.gpu/power/runtime_status"
_MC_ALL = "sys/kernel/debug/cactmon/mc_all"
_CLOCK = "sys/kernel/debug/bpmp/debug/clk/emc/rate"


class Unavailable(Exception):
    """There can be no such file system here; the text says why."""


@dataclass(frozen=True)
class _Node:
    """What the file system is told of a node, and where it is in the tree."""

    path: str
    name: str
    cost_us: int
    chip: int = -1
    refresh_us: int = 0
    step: int = 0


class SlowBoard:
    """A board that is mounted; see `slow_board`."""

    def __init__(self, simulator: Simulator, root: Path, nodes: list[_Node]) -> None:
        self._simulator = simulator
        self._control = root / "slow/control"
        self._nodes = nodes
        #: For `detect_board`.
        self.root = str(root)
        self.round_trip_us = self._calibrate()

    @property
    def truth(self) -> Any:
        """What the tree behind it held, and when."""
        return self._simulator.truth

    def tell(self, command: str, number: int) -> None:
        """Give a command to the file system: see slow_board.c."""
        descriptor = os.open(self._control, os.O_WRONLY)
        try:
            os.write(descriptor, f"{command} {number}\n".encode())
        finally:
            os.close(descriptor)

    def said(self) -> dict[str, Any]:
        """`now_ns`, `asleep_ns`, `hang_began_ns`, and `reads` by node."""
        descriptor = os.open(self._control, os.O_RDONLY)
        try:
            found: dict[str, Any] = json.loads(os.read(descriptor, 1 << 16))
        finally:
            os.close(descriptor)
        return found

    def cost_s(self, reads: dict[str, int]) -> float:
        """What so many reads of each node cost the devices themselves."""
        costs = {node.name: node.cost_us for node in self._nodes}
        return sum(count * costs[name] for name, count in reads.items()) / 1e6

    def _calibrate(self) -> float:
        """Have the file system take off what its reads cost anyway; return a round trip in µs."""
        zone = next(node for node in self._nodes if node.name.startswith("thermal"))

        def read_us() -> float:
            spent = []
            descriptor = os.open(self._control.parent / zone.name, os.O_RDONLY)
            for _ in range(300):
                begin = time.perf_counter_ns()
                os.pread(descriptor, 64, 0)
                spent.append((time.perf_counter_ns() - begin) / 1000)
            os.close(descriptor)
            return statistics.median(spent)

        self.tell("free", 1)
        round_trip = read_us()
        self.tell("free", 0)
        lateness = max(read_us() - round_trip - zone.cost_us, 0.0)
        self.tell("overhead", round(round_trip * 1000))
        self.tell("lateness", round(lateness * 1000))
        return round_trip


@contextlib.contextmanager
def slow_board() -> Iterator[SlowBoard]:
    """Mount one.

    Its root is a tree of links: to the plain files of the simulation, and to a file system for the
    nodes that are slow.

    Raises
    ------
    Unavailable
        There is no libfuse3, or this user may not mount.
    """
    program = _compile()
    with tempfile.TemporaryDirectory(prefix="fastnvmetrics-slow-") as directory:
        tree, root = Path(directory, "tree"), Path(directory, "board")
        with Simulator(tree) as simulator:
            nodes = _nodes(tree)
            _link(tree, root, {node.path: node.name for node in nodes})
            mountpoint = root / "slow"
            mountpoint.mkdir()
            with _mounted(program, tree, root, nodes):
                yield SlowBoard(simulator, root, nodes)


@contextlib.contextmanager
def _mounted(program: Path, tree: Path, root: Path, nodes: list[_Node]) -> Iterator[None]:
    lines = [
        f"{node.name} {node.cost_us * 1000} {node.chip} {node.refresh_us * 1000} {node.step} "
        f"{tree / node.path}\n"
        for node in nodes
    ]
    process = subprocess.Popen(
        [str(program), str(root / "slow"), str(root / _STATUS), str(root / _MC_ALL)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,  # Ctrl-C is for the benchmark, which then ends it.
    )
    assert process.stdin and process.stdout and process.stderr
    try:
        process.stdin.write("".join(lines) + "\n")
        process.stdin.flush()
        if process.stdout.readline() != "ready\n":
            reason = process.stderr.read().strip().replace("\n", "; ")
            raise Unavailable(f"no FUSE file system can be mounted here ({reason})")
        yield
    finally:
        process.stdin.close()
        process.wait()


def _compile() -> Path:
    output = REPOSITORY / "build/bench"
    output.mkdir(parents=True, exist_ok=True)
    program = output / "slow_board"
    try:
        flags = subprocess.run(
            ["pkg-config", "--cflags", "--libs", "fuse3"],
            capture_output=True,
            text=True,
            check=True,
        ).stdout.split()
    except (OSError, subprocess.CalledProcessError):
        raise Unavailable(
            "libfuse3 is not there: install libfuse3-dev, fuse3 and pkg-config"
        ) from None
    source = REPOSITORY / "scripts/bench.d/slow_board.c"
    command = ["cc", "-std=gnu11", "-O2", "-Wall", "-Wextra", str(source), "-o", str(program)]
    subprocess.run([*command, *flags, "-pthread"], check=True)
    return program


def _nodes(tree: Path) -> list[_Node]:
    nodes = [
        _Node(_LOAD, "load", COST_US["load"], refresh_us=LOAD_REFRESH_US, step=1),
        _Node("proc/stat", "stat", COST_US["stat"]),
        _Node(_CLOCK, "emc_rate", COST_US["clock"]),
        # Nobody reads it there: the file system writes it into a plain file.
        _Node(_MC_ALL, "mc_all", 0, refresh_us=EMC_REFRESH_US, step=4000),
    ]
    for path in sorted(tree.glob("sys/devices/virtual/thermal/thermal_zone*/temp")):
        nodes.append(_Node(str(path.relative_to(tree)), path.parent.name, COST_US["zone"]))
    chips = sorted(tree.glob("sys/devices/platform/bus@0/*.i2c/i2c-1/*"))
    for number, chip in enumerate(chips):
        for path in sorted(chip.glob("hwmon/hwmon*/*_input")):
            if not path.read_text():
                continue  # A channel that is not wired: nobody reads it.
            is_current = path.name.startswith("curr")
            nodes.append(
                _Node(
                    str(path.relative_to(tree)),
                    f"{chip.name}-{path.name}",
                    COST_US["rail"],
                    number,
                    # Regulated: what there is of noise is below the step of 8 mV.
                    RAIL_REFRESH_US if is_current else 0,
                    RAIL_STEP_MA if is_current else 0,
                )
            )
    return nodes


def _link(tree: Path, root: Path, slow: dict[str, str]) -> None:
    """Make a tree of links to another, and of relative ones into the file system below it."""
    own = {_STATUS, _MC_ALL}
    for directory, names, files in os.walk(tree):
        place = root / Path(directory).relative_to(tree)
        place.mkdir(parents=True, exist_ok=True)
        for name in [*names, *files]:
            path, link = Path(directory, name), place / name
            inside = str(path.relative_to(tree))
            if path.is_symlink():
                link.symlink_to(os.readlink(path))
            elif inside in own:
                link.write_bytes(path.read_bytes())
            elif inside in slow:
                link.symlink_to(os.path.relpath(root / "slow" / slow[inside], place))
            elif path.is_file():
                os.link(path, link)
