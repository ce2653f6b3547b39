"""A simulated AGX Orin whose loads follow a script: its rails and zones follow the loads."""

from __future__ import annotations

import os
import random
import tempfile
import threading
import time
from dataclasses import dataclass, field

from fastnvmetrics.simulate.options import SimulationOptions
from fastnvmetrics.simulate.simulation import run
from fastnvmetrics.simulate.tree import STAT_PATH, SignalWord, build
from fastnvmetrics.simulate.words import WordFile, counter_word

__all__ = ["Loads", "ScriptedBoard"]

_UPDATE_S = 0.004
_TICK_S = 0.01


@dataclass
class Loads:
    """What the program asks of the board, which the workload sets: shares of 1."""

    gpu: float = 0.02
    emc: float = 0.04
    cores: dict[int, float] = field(default_factory=dict)
    ram_gib: float = 6.2


class ScriptedBoard:
    """Keeps the tree at `root` at what the loads come to, in a thread, until it is closed."""

    def __init__(self, root: str) -> None:
        options = SimulationOptions(board="agx_orin")
        self.board = options.simulated
        run(root, options, lambda: None, None)
        self.loads = Loads()
        self._files = {name: _Word(root, place) for name, place in _places(root, options)}
        self._stat = WordFile(os.path.join(root, STAT_PATH))
        self._busy = {core: 0.0 for core in range(self.board.cores)}
        self._counted = {core: [12_345, 67_890] for core in range(self.board.cores)}
        self._random = random.Random(7)
        self._gpu, self._emc, self._heat = 0.02, 0.04, 0.0
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> ScriptedBoard:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopped.set()
        self._thread.join()

    def _run(self) -> None:
        begun = time.monotonic()
        tick = 0
        while not self._stopped.wait(_UPDATE_S):
            now = time.monotonic() - begun
            while tick * _TICK_S < now:
                tick += 1
                self._count_cores()
            self._update()

    def _count_cores(self) -> None:
        """Advance /proc/stat by a tick: of each core either what is busy or what is idle."""
        words = []
        for core, counts in self._counted.items():
            load = self.loads.cores.get(core, 0.015 + 0.01 * (core % 3))
            self._busy[core] += min(max(load + self._random.gauss(0, 0.04), 0.0), 1.0)
            is_busy = self._busy[core] >= 1
            if is_busy:
                self._busy[core] -= 1
            counts[0 if is_busy else 1] += 1
            words.append(counts)
        every = [[sum(counts[at] for counts in words) for at in (0, 1)], *words]
        for line, (user, idle) in enumerate(every):
            self._stat.store(line * 6 + 1, counter_word(user))
            self._stat.store(line * 6 + 3, counter_word(idle))

    def _update(self) -> None:
        loads, noise = self.loads, self._random.gauss
        self._gpu += 0.35 * (loads.gpu - self._gpu)
        self._emc += 0.3 * (loads.emc - self._emc)
        cpu = sum(loads.cores.values()) / self.board.cores
        gpu = min(max(self._gpu * (1 + noise(0, 0.015)), 0.005), 0.995)
        emc = min(max(self._emc * (1 + noise(0, 0.02)), 0.01), 0.98)
        self._set("gpu_load", round(1000 * gpu))
        self._set("emc_mc_all_khz", round(emc * self.board.emc_rate_hz / 1000))
        self._set(
            "ram_available_kb",
            round(self.board.mem_total_kb - loads.ram_gib * (1 << 20) + noise(0, 2000)),
        )
        watts = {
            "VDD_GPU_SOC": 5.2 + 24 * gpu + 4 * emc,
            "VDD_CPU_CV": 1.6 + 19 * cpu,
            "VIN_SYS_5V0": 4.6 + 3.5 * emc + 1.5 * cpu,
            "VDDQ_VDD2_1V8AO": 0.9 + 2.6 * emc,
        }
        for rail in self.board.rails:
            volts = 19.66 if rail.millivolts[0] > 10_000 else 4.96
            amperes = watts[rail.label] * (1 + noise(0, 0.012)) / volts
            step = 40_000 / self.board.shunt_micro_ohm  # mA
            self._set(f"current_ma/{rail.label}", round(round(1000 * amperes / step) * step))
            self._set(f"voltage_mv/{rail.label}", round(1000 * volts / 8) * 8)
        self._heat += _UPDATE_S / 6 * ((sum(watts.values()) - 12) / 40 - self._heat)
        for number, zone in enumerate(self.board.zones):
            own = {
                "gpu-thermal": 13.0,
                "tj-thermal": 14.0,
                "cpu-thermal": 10.0,
                "tboard-thermal": 2.0,
            }.get(zone, 8.0)
            self._set(
                f"temp_millic/{zone}", round(1000 * (42 + 0.6 * (number % 5) + own * self._heat))
            )

    def _set(self, signal: str, value: int) -> None:
        self._files[signal].set(value)


class _Word:
    def __init__(self, root: str, place: SignalWord) -> None:
        self._file, self._place = WordFile(os.path.join(root, place.path)), place

    def set(self, value: int) -> None:
        self._file.store(self._place.index, self._place.text(value))


def _places(root: str, options: SimulationOptions) -> list[tuple[str, SignalWord]]:
    """Return where each signal of a tree that is there already lives."""

    with tempfile.TemporaryDirectory() as other:
        return [(place.signal, place) for place in build(other, options)]
