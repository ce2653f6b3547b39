"""The boards that can be simulated, as data."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["BOARDS", "SimulatedBoard", "SimulatedRail"]


@dataclass(frozen=True)
class SimulatedRail:
    """A wired channel of an INA3221; current and voltage swing in opposite senses."""

    label: str
    #: The chip's name on the I2C bus, and the channel from 1.
    chip: str
    channel: int
    #: (mV while the current is high, mV while it is low), in the sensor's steps of 8 mV.
    millivolts: tuple[int, int]
    #: (low, high), in the sensor's steps of 40 µV / shunt.
    milliamperes: tuple[int, int]
    #: A different one for each rail, so that a mix-up shows.
    period_ms: int


@dataclass(frozen=True)
class SimulatedBoard:
    """What differs between boards; what they share is in tree.py."""

    name: str
    model: str
    compatible: tuple[str, ...]
    cores: int
    mem_total_kb: int
    emc_rate_hz: int
    shunt_micro_ohm: int
    rails: tuple[SimulatedRail, ...]
    #: The rails that add up to the module's power; others are fed from one of these.
    total_rails: tuple[str, ...]
    #: Names as L4T 36 writes them, in the order of registration.
    zones: tuple[str, ...]

    @property
    def chips(self) -> tuple[str, ...]:
        """The addresses of the power monitors, each once."""
        return tuple(dict.fromkeys(rail.chip for rail in self.rails))


_SOC_ZONES = (
    "cpu-thermal",
    "gpu-thermal",
    "cv0-thermal",
    "cv1-thermal",
    "cv2-thermal",
    "soc0-thermal",
    "soc1-thermal",
    "soc2-thermal",
    "tj-thermal",
)

_P3767_RAILS = (
    SimulatedRail("VDD_IN", "1-0040", 1, (4952, 4968), (960, 3904), 400),
    SimulatedRail("VDD_CPU_GPU_CV", "1-0040", 2, (4944, 4960), (320, 1904), 600),
    SimulatedRail("VDD_SOC", "1-0040", 3, (4952, 4960), (320, 640), 1000),
)

_AGX_RAILS = (
    SimulatedRail("VDD_GPU_SOC", "1-0040", 1, (19640, 19680), (820, 1640), 400),
    SimulatedRail("VDD_CPU_CV", "1-0040", 2, (19648, 19672), (200, 800), 600),
    SimulatedRail("VIN_SYS_5V0", "1-0040", 3, (4952, 4968), (1000, 1900), 800),
    SimulatedRail("VDDQ_VDD2_1V8AO", "1-0041", 2, (4952, 4960), (340, 680), 1000),
)

_ALL = (
    SimulatedBoard(
        name="agx_orin",
        model="NVIDIA Jetson AGX Orin Developer Kit",
        compatible=("nvidia,p3737-0000+p3701-0005", "nvidia,p3701-0005", "nvidia,tegra234"),
        cores=12,
        mem_total_kb=64_335_492,
        emc_rate_hz=3_199_000_000,
        shunt_micro_ohm=2000,
        rails=_AGX_RAILS,
        total_rails=("VDD_GPU_SOC", "VDD_CPU_CV", "VIN_SYS_5V0"),
        zones=(*_SOC_ZONES, "tboard-thermal", "tdiode-thermal"),
    ),
    SimulatedBoard(
        name="orin_nx",
        model="NVIDIA Jetson Orin NX Engineering Reference Developer Kit",
        compatible=("nvidia,p3768-0000+p3767-0000", "nvidia,p3767-0000", "nvidia,tegra234"),
        cores=8,
        mem_total_kb=15_962_612,
        emc_rate_hz=3_199_000_000,
        shunt_micro_ohm=5000,
        rails=_P3767_RAILS,
        total_rails=("VDD_IN",),
        zones=(*_SOC_ZONES, "tboard-thermal"),
    ),
    SimulatedBoard(
        name="orin_nano",
        model="NVIDIA Jetson Orin Nano Engineering Reference Developer Kit Super",
        compatible=(
            "nvidia,p3768-0000+p3767-0005-super",
            "nvidia,p3767-0005",
            "nvidia,tegra234",
        ),
        cores=6,
        mem_total_kb=7_802_428,
        emc_rate_hz=2_133_000_000,
        shunt_micro_ohm=5000,
        rails=_P3767_RAILS,
        total_rails=("VDD_IN",),
        zones=(*_SOC_ZONES, "tboard-thermal"),
    ),
)

BOARDS = {board.name: board for board in _ALL}
