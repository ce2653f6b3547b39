"""Builds the directory tree of a simulated board.

Names, links and units are those of L4T 35 and 36 (docs/adding_a_board.md). Two things differ, since
these are plain files: they can be written by their owner, and the inputs of a disabled channel,
which fail with ENODATA on a board, are empty.
"""

from __future__ import annotations

import os
from dataclasses import dataclass

from .options import SimulationOptions
from .procstat import ProcStat
from .signals import duty_percent, signals
from .words import WORD, value_word

__all__ = ["STAT_PATH", "SignalWord", "build", "duties"]

STAT_PATH = "proc/stat"

_CORES_PER_CLUSTER = 4
# The third 28-byte line of /proc/meminfo is MemAvailable; its 8 digits begin 16 bytes into the
# line.
_MEM_AVAILABLE_WORD = (2 * 28 + 16) // WORD


@dataclass(frozen=True)
class SignalWord:
    """Where a signal lives: a word of a file below the root."""

    signal: str
    path: str
    index: int = 0

    def text(self, value: int) -> bytes:
        """Return the word for a value, in the format of its file."""
        return b"%8d" % value if self.path == "proc/meminfo" else value_word(value)


def duties(options: SimulationOptions) -> dict[int, int]:
    """Return the duty in percent of each core that is online."""
    cores = range(options.simulated.cores)
    return {core: duty_percent(core) for core in cores if core not in options.offline_cores}


def build(root: str, options: SimulationOptions) -> list[SignalWord]:
    """Write the tree with every signal at its first value; return where the signals are."""
    return _Builder(root, options).build()


class _Builder:
    def __init__(self, root: str, options: SimulationOptions) -> None:
        self.root = root
        self.options = options
        self.board = options.simulated
        self.words: list[SignalWord] = []
        self.start = {name: wave.at(0) for name, wave in signals(options).items()}
        self.platform = "sys/devices/platform"
        # L4T 36 has the on-chip devices below a bus node.
        self.soc = f"{self.platform}/bus@0" if options.l4t >= 36 else self.platform

    def build(self) -> list[SignalWord]:
        self.identity()
        self.processors()
        self.memory()
        self.gpu()
        if self.options.emc:
            self.memory_controller()
        for index, chip in enumerate(self.board.chips):
            self.power_monitor(chip, self.options.hwmon_first + index)
        self.thermal_zones()
        return self.words

    # ---- What the board is

    def identity(self) -> None:
        strings = [*self.board.compatible, ""]
        self.file("proc/device-tree/compatible", "\0".join(strings))
        self.file("proc/device-tree/model", self.board.model + "\0")
        revision = {35: "4.1", 36: "4.3", 39: "2.0"}[self.options.l4t]
        self.file(
            "etc/nv_tegra_release",
            f"# R{self.options.l4t} (release), REVISION: {revision}, GCID: 1, BOARD: generic, "
            "EABI: aarch64, DATE: simulated by fastnvmetrics\n",
        )
        self.file("proc/device-tree/serial-number", "0000000000000\0")
        self.file("proc/sys/kernel/hostname", f"simulated-{self.board.name.replace('_', '-')}\n")
        kernel = {35: "5.10.216-tegra", 36: "5.15.148-tegra", 39: "6.8.12-tegra"}[self.options.l4t]
        self.file("proc/sys/kernel/osrelease", kernel + "\n")
        self.file("etc/nvpmodel.conf", "< POWER_MODEL ID=0 NAME=MAXN >\n")
        self.file("var/lib/nvpmodel/status", "pmode:0000\n")

    def processors(self) -> None:
        every = range(self.board.cores)
        online = [core for core in every if core not in self.options.offline_cores]
        directory = "sys/devices/system/cpu"
        self.file(f"{directory}/possible", f"0-{self.board.cores - 1}\n")
        self.file(f"{directory}/present", f"0-{self.board.cores - 1}\n")
        self.file(f"{directory}/online", _cpu_list(online))
        self.file(f"{directory}/offline", _cpu_list(list(self.options.offline_cores)))
        self.file(STAT_PATH, ProcStat(duties(self.options)).text(0))
        for first in every[::_CORES_PER_CLUSTER]:
            policy = f"{directory}/cpufreq/policy{first}"
            cluster = every[first : first + _CORES_PER_CLUSTER]
            self.file(f"{policy}/related_cpus", " ".join(map(str, cluster)) + "\n")
            self.file(f"{policy}/scaling_governor", "schedutil\n")
            for name, khz in (("min", 115_200), ("cur", 1_510_400), ("max", 2_201_600)):
                self.file(f"{policy}/scaling_{name}_freq", f"{khz}\n")

    def memory(self) -> None:
        total = self.board.mem_total_kb
        lines = [
            ("MemTotal:", total),
            ("MemFree:", total // 4),
            ("MemAvailable:", self.start["ram_available_kb"]),
            ("Buffers:", 65_536),
            ("Cached:", total // 8),
            ("SwapTotal:", total // 2),
            ("SwapFree:", total // 2),
        ]
        self.file("proc/meminfo", "".join(f"{name:<16}{value:8} kB\n" for name, value in lines))
        self.words.append(SignalWord("ram_available_kb", "proc/meminfo", _MEM_AVAILABLE_WORD))

    # ---- GPU and memory controller

    def gpu(self) -> None:
        name, node = (
            ("17000000.gpu", "gpu") if self.options.l4t >= 36 else ("17000000.ga10b", "ga10b")
        )
        device = f"{self.soc}/{name}"
        self.signal("gpu_load", f"{device}/load")
        self.file(f"{device}/of_node/name", f"{node}\0")
        self.file(f"{device}/power/runtime_status", "active\n")
        self.file(f"{device}/railgate_enable", "1\n")
        self.file(f"{device}/is_railgated", "no\n")
        entry = f"{device}/devfreq/{name}"
        for limit, hertz in (("min", 306_000_000), ("cur", 918_000_000), ("max", 1_300_500_000)):
            self.file(f"{entry}/{limit}_freq", f"{hertz}\n")
        self.file(f"{entry}/governor", "nvhost_podgov\n")
        self.link(f"{entry}/device", device)
        self.link(f"sys/class/devfreq/{name}", entry)
        self.link(f"{self.platform}/gpu.0", device)

    def memory_controller(self) -> None:
        debug = "sys/kernel/debug"
        if self.options.l4t >= 36:
            self.signal("emc_mc_all_khz", f"{debug}/cactmon/mc_all")
            self.file(f"{debug}/cactmon/sample_period_usec", "2000\n")
        else:
            self.signal("emc_mc_all_khz", "sys/kernel/actmon_avg_activity/mc_all")
        for path in ("bpmp/debug/clk/emc/rate", "clk/emc/clk_rate"):
            self.file(f"{debug}/{path}", f"{self.board.emc_rate_hz}\n")

    # ---- Power monitors

    def power_monitor(self, chip: str, number: int) -> None:
        device = f"{self.soc}/c240000.i2c/i2c-1/{chip}"
        hwmon = f"{device}/hwmon/hwmon{number}"
        driver = "sys/bus/i2c/drivers/ina3221"
        self.file(f"{device}/name", "ina3221\n")
        self.file(f"{hwmon}/name", "ina3221\n")
        self.file(f"{hwmon}/update_interval", "7\n")
        self.file(f"{hwmon}/samples", "1\n")
        for channel in (1, 2, 3):
            self.channel(hwmon, chip, channel)
        self.signal(f"current_sum_ma/{chip}", f"{hwmon}/curr4_input")
        self.signal(f"shunt_sum_uv/{chip}", f"{hwmon}/in7_input")
        self.file(f"{hwmon}/in7_label", "sum of shunt voltages\n")
        self.link(f"{hwmon}/device", device)
        self.link(f"{device}/driver", driver)
        self.link(f"{driver}/{chip}", device)
        self.link(f"sys/bus/i2c/devices/{chip}", device)
        self.link(f"sys/class/hwmon/hwmon{number}", hwmon)

    def channel(self, hwmon: str, chip: str, channel: int) -> None:
        wired = [rail for rail in self.board.rails if (rail.chip, rail.channel) == (chip, channel)]
        inputs = [f"{hwmon}/{name}_input" for name in _input_names(channel)]
        self.file(f"{hwmon}/shunt{channel}_resistor", f"{self.board.shunt_micro_ohm}\n")
        if wired:
            label = wired[0].label
            self.file(f"{hwmon}/in{channel}_label", f"{label}\n")
            self.file(f"{hwmon}/in{channel}_enable", "1\n")
            self.file(f"{hwmon}/curr{channel}_crit", "32760\n")
            self.file(f"{hwmon}/curr{channel}_max", "32760\n")
            for kind, path in zip(("voltage_mv", "current_ma", "shunt_uv"), inputs):
                self.signal(f"{kind}/{label}", path)
        elif self.options.l4t >= 36:
            self.file(f"{hwmon}/in{channel}_enable", "0\n")
            for path in inputs:
                self.file(path, "")
        else:
            self.file(f"{hwmon}/in{channel}_label", "NC\n")
            self.file(f"{hwmon}/in{channel}_enable", "1\n")
            for path in inputs:
                self.file(path, "0\n")

    # ---- Thermal zones

    def thermal_zones(self) -> None:
        number = 0
        if self.options.foreign_zone:
            zone = self.thermal_zone(number, "iwlwifi_1")
            self.file(f"{zone}/temp", "51000\n")
            number += 1
        for name in self.board.zones:
            zone = self.thermal_zone(number, _zone_type(name, self.options.l4t))
            self.signal(f"temp_millic/{name}", f"{zone}/temp")
            number += 1

    def thermal_zone(self, number: int, zone_type: str) -> str:
        zone = f"sys/devices/virtual/thermal/thermal_zone{number}"
        self.file(f"{zone}/type", f"{zone_type}\n")
        self.file(f"{zone}/mode", "enabled\n")
        self.link(f"sys/class/thermal/thermal_zone{number}", zone)
        return zone

    # ---- Files and links

    def signal(self, name: str, path: str) -> None:
        word = SignalWord(name, path)
        self.file(path, word.text(self.start[name]))
        self.words.append(word)

    def file(self, path: str, content: str | bytes) -> None:
        full = os.path.join(self.root, path)
        os.makedirs(os.path.dirname(full), exist_ok=True)
        with open(full, "xb") as file:
            file.write(content.encode() if isinstance(content, str) else content)

    def link(self, path: str, target: str) -> None:
        """Make a relative link, as sysfs does: the tree works wherever it is mounted."""
        full = os.path.join(self.root, path)
        os.makedirs(os.path.dirname(full), exist_ok=True)
        os.symlink(os.path.relpath(target, os.path.dirname(path)), full)


def _input_names(channel: int) -> tuple[str, str, str]:
    """Return the attributes of a channel's bus voltage, current and shunt voltage."""
    return f"in{channel}", f"curr{channel}", f"in{channel + 3}"


def _zone_type(name: str, l4t: int) -> str:
    if l4t >= 36:
        return name
    sensor = name[: -len("-thermal")]
    if sensor == "tj":
        return "tj-therm"
    if sensor.startswith("t"):
        return f"{sensor.capitalize()}_tegra"
    return f"{sensor.upper()}-therm"


def _cpu_list(cores: list[int]) -> str:
    """Return cores as the kernel writes them, ``0-2,5``, ended by a newline."""
    ranges: list[list[int]] = []
    for core in sorted(cores):
        if ranges and core == ranges[-1][-1] + 1:
            ranges[-1].append(core)
        else:
            ranges.append([core])
    return ",".join(str(r[0]) if len(r) == 1 else f"{r[0]}-{r[-1]}" for r in ranges) + "\n"
