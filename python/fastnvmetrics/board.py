"""Descriptions of a board: which files to sample, and under which names."""

from __future__ import annotations

import copy as _copy
import dataclasses
import operator
import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from . import _native
from ._paths import PathLike as PathLike
from .trace_format import MAX_CPU_CORES, MAX_POWER_RAILS, MAX_THERMAL_ZONES

__all__ = [
    "BoardConfig",
    "PowerRailConfig",
    "ThermalZoneConfig",
    "detect_board",
    "get_board_config",
    "total_power_rails",
]

#: A board as the extension takes and returns it. Names are text, paths are bytes: board_name,
#: num_cpu_cores, gpu_load_path, emc_actmon_path, emc_clk_rate_path, rails of (label, voltage_path,
#: current_path), zones of (name, temp_path), root, detected.
NativeBoard = tuple[
    str,
    int,
    bytes,
    bytes,
    bytes,
    list[tuple[str, bytes, bytes]],
    list[tuple[str, bytes]],
    bytes,
    bool,
]


@dataclass
class PowerRailConfig:
    """One power rail.

    Parameters
    ----------
    label
        Its name in the trace, of which up to 23 bytes of UTF-8 are kept.
    voltage_path
        A file with millivolts as text.
    current_path
        A file with milliamperes as text.
    """

    label: str = ""
    voltage_path: PathLike = ""
    current_path: PathLike = ""


@dataclass
class ThermalZoneConfig:
    """One thermal zone.

    Parameters
    ----------
    name
        Its name in the trace, of which up to 23 bytes of UTF-8 are kept.
    temp_path
        A file with millidegrees Celsius as text.
    """

    name: str = ""
    temp_path: PathLike = ""


@dataclass
class BoardConfig:
    """Which files to sample, and under which names.

    Every field may be changed freely; they are checked when the board is handed to `NVMetrics`. An
    empty path stands for "not available". A board from `detect_board` has such nodes looked for
    again while recording, one that you describe yourself is used as it is.

    Parameters
    ----------
    board_name
        Up to 31 bytes of UTF-8 reach the trace.
    num_cpu_cores
        1 to 16.
    gpu_load_path
        A file with the GPU's load in per mille.
    emc_actmon_path
        A file with the memory controller's active clocks in kHz (`mc_all`).
    emc_clk_rate_path
        A file with the memory controller's clock in Hz.
    power_rails
        At most 8, in the order of the trace's columns.
    thermal_zones
        At most 16, in the order of the trace's columns.
    root
        What is put before the files that the board does not name (/proc/stat, /proc/meminfo). The
        paths above are complete and opened as they are.

    Examples
    --------
    >>> board = BoardConfig(board_name="mine", num_cpu_cores=4)
    >>> board.power_rails.append(PowerRailConfig("VDD", "/tmp/mV", "/tmp/mA"))
    >>> board.copy(num_cpu_cores=8).num_cpu_cores
    8
    """

    board_name: str = ""
    num_cpu_cores: int = 1
    gpu_load_path: PathLike = ""
    emc_actmon_path: PathLike = ""
    emc_clk_rate_path: PathLike = ""
    power_rails: list[PowerRailConfig] = field(default_factory=list)
    thermal_zones: list[ThermalZoneConfig] = field(default_factory=list)
    root: PathLike = ""
    # Whether empty paths are looked for again. An init field, because dataclasses.replace() carries
    # no other; a fact about the origin and not the content, hence in neither == nor repr().
    _detected: bool = field(default=False, repr=False, compare=False, kw_only=True)

    def copy(self, **changes: Any) -> BoardConfig:
        """Return an independent copy, with the fields given by keyword changed.

        Raises
        ------
        TypeError
            There is no field of that name.
        """
        return dataclasses.replace(_copy.deepcopy(self), **changes)


#: Which rails add up to the power of the module. On AGX, VDDQ_VDD2_1V8AO (the DRAM) is fed from
#: VIN_SYS_5V0: adding it would count it twice. No rail measures the carrier board.
_TOTAL_RAILS = {
    "agx_orin": ("VDD_GPU_SOC", "VDD_CPU_CV", "VIN_SYS_5V0"),
    "orin_nx": ("VDD_IN",),
    "orin_nano": ("VDD_IN",),
}


def total_power_rails(board_name: str, rail_names: Sequence[str]) -> list[int]:
    """Return which columns add up to the power of the module, each watt counted once.

    Parameters
    ----------
    board_name, rail_names
        As in a trace: ``trace["board_name"]`` and ``trace["power_rail_names"]``.

    Returns
    -------
    list of int
        Positions in `rail_names`; empty where it is not known, because the board is not in the
        catalogue or lacks one of those rails.

    Examples
    --------
    >>> total_power_rails("orin_nx", ["VDD_IN", "VDD_CPU_GPU_CV", "VDD_SOC"])
    [0]
    """
    labels = _TOTAL_RAILS.get(board_name, ())
    names = list(rail_names)
    if not all(label in names for label in labels):
        return []
    return [names.index(label) for label in labels]


def detect_board(*, root: PathLike | None = None) -> BoardConfig:
    """Find the board this program runs on, and which of its nodes can be read.

    Parameters
    ----------
    root
        A directory put before /proc, /sys and /etc, such as a host's tree mounted in a container.
        None stands for the environment variable FASTNVMETRICS_ROOT; where that is unset or empty,
        it is the machine itself.

    Returns
    -------
    BoardConfig
        Only what can be read here; `num_cpu_cores` is the number of possible CPUs, at most 16.

    Raises
    ------
    FastNVMetricsError
        No board is recognised; the message names the compatible strings found and how to go on.
        Also where there is no native code.
    TypeError, ValueError
        `root` is no path, or holds a NUL.
    """
    return from_native(_native.load().detect_board(_root_bytes(root)))


def get_board_config(name: str, *, root: PathLike | None = None) -> BoardConfig:
    """Return the board of that name.

    Parameters
    ----------
    name
        ``"agx_orin"``, ``"orin_nx"`` or ``"orin_nano"`` with the paths they have by design, whether
        those exist or not; or ``"generic_linux"`` with what this machine has.
    root
        As for `detect_board`.

    Raises
    ------
    FastNVMetricsError
        ``Unknown board: …``. Also where there is no native code.
    TypeError, ValueError
        `name` or `root` is of another type, or holds a NUL.
    """
    checked = checked_text("name", name)
    return from_native(_native.load().get_board_config(checked, _root_bytes(root)))


def to_native(board: BoardConfig) -> NativeBoard:
    """Check a board and translate it for the extension.

    Raises
    ------
    TypeError
        A field is of the wrong type; the message names it.
    ValueError
        Cores outside 1 to 16, more than 8 rails or 16 zones, an embedded NUL, a name that cannot be
        UTF-8.
    """
    if not isinstance(board, BoardConfig):
        raise TypeError(f"board must be a BoardConfig, not {type(board).__name__}")
    rails = _items("power_rails", board.power_rails, PowerRailConfig, MAX_POWER_RAILS)
    zones = _items("thermal_zones", board.thermal_zones, ThermalZoneConfig, MAX_THERMAL_ZONES)
    return (
        checked_text("board_name", board.board_name),
        _core_count(board.num_cpu_cores),
        _path("gpu_load_path", board.gpu_load_path),
        _path("emc_actmon_path", board.emc_actmon_path),
        _path("emc_clk_rate_path", board.emc_clk_rate_path),
        [
            (
                checked_text(f"power_rails[{index}].label", rail.label),
                _path(f"power_rails[{index}].voltage_path", rail.voltage_path),
                _path(f"power_rails[{index}].current_path", rail.current_path),
            )
            for index, rail in enumerate(rails)
        ],
        [
            (
                checked_text(f"thermal_zones[{index}].name", zone.name),
                _path(f"thermal_zones[{index}].temp_path", zone.temp_path),
            )
            for index, zone in enumerate(zones)
        ],
        _path("root", board.root),
        bool(board._detected),
    )


def from_native(native: NativeBoard) -> BoardConfig:
    """Translate a board from the extension; the inverse of `to_native`."""
    name, cores, gpu_load, emc_actmon, emc_clk_rate, rails, zones, root, detected = native
    return BoardConfig(
        board_name=name,
        num_cpu_cores=cores,
        gpu_load_path=os.fsdecode(gpu_load),
        emc_actmon_path=os.fsdecode(emc_actmon),
        emc_clk_rate_path=os.fsdecode(emc_clk_rate),
        power_rails=[
            PowerRailConfig(label, os.fsdecode(voltage), os.fsdecode(current))
            for label, voltage, current in rails
        ],
        thermal_zones=[ThermalZoneConfig(zone, os.fsdecode(temp)) for zone, temp in zones],
        root=os.fsdecode(root),
        _detected=detected,
    )


def _root_bytes(root: PathLike | None) -> bytes | None:
    return None if root is None else _path("root", root)


def _core_count(value: Any) -> int:
    try:
        count = operator.index(value)  # numpy's integers are welcome
    except TypeError:
        raise TypeError(f"num_cpu_cores must be an int, not {type(value).__name__}") from None
    if not 1 <= count <= MAX_CPU_CORES:
        raise ValueError(f"num_cpu_cores must be 1 to {MAX_CPU_CORES}, not {count}")
    return count


def _items(name: str, value: Any, kind: type, limit: int) -> Any:
    if not isinstance(value, (list, tuple)):
        raise TypeError(f"{name} must be a list of {kind.__name__}, not {type(value).__name__}")
    if len(value) > limit:
        raise ValueError(f"{name} has {len(value)} entries; a trace has room for {limit}")
    for index, item in enumerate(value):
        if not isinstance(item, kind):
            raise TypeError(f"{name}[{index}] must be a {kind.__name__}, not {type(item).__name__}")
    return value


def checked_text(field_name: str, value: Any) -> str:
    """Return a text that can be written as UTF-8 and ends where it ends in C, else say what it is not."""
    if not isinstance(value, str):
        raise TypeError(f"{field_name} must be str, not {type(value).__name__}")
    if "\0" in value:
        raise ValueError(f"{field_name} holds a NUL character: {value!r}")
    try:
        value.encode()
    except UnicodeEncodeError:
        raise ValueError(f"{field_name} cannot be written as UTF-8: {value!r}") from None
    return value


def _path(field_name: str, value: Any) -> bytes:
    try:
        path = os.fsencode(value)
    except TypeError:
        raise TypeError(
            f"{field_name} must be str, bytes or os.PathLike, not {type(value).__name__}"
        ) from None
    except UnicodeEncodeError:
        # Lone surrogates other than those that os.fsdecode makes stand for no bytes at all.
        raise ValueError(f"{field_name} cannot be written in file names: {value!r}") from None
    if b"\0" in path:
        raise ValueError(f"{field_name} holds a NUL character: {path!r}")
    return path
