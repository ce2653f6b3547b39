"""Board descriptions: made, changed, checked and translated, without native code."""

from __future__ import annotations

import copy
import dataclasses
import importlib
import os
import pickle
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from fastnvmetrics import (
    BoardConfig,
    FastNVMetricsError,
    PowerRailConfig,
    ThermalZoneConfig,
    _native,
    detect_board,
    get_board_config,
)
from fastnvmetrics.board import NativeBoard, from_native, to_native

NATIVE: NativeBoard = (
    "agx_orin",
    12,
    b"/sys/gpu/load",
    b"",
    b"/sys/emc/rate",
    [("VDD", b"/v", b"/c"), ("VIN", b"/v\xff", b"/c\xfe")],
    [("cpu-thermal", b"/t")],
    b"/root",
    True,
)


def some_board() -> BoardConfig:
    return BoardConfig(
        board_name="mine",
        num_cpu_cores=4,
        power_rails=[PowerRailConfig("VDD", "/v", "/c")],
        thermal_zones=[ThermalZoneConfig("cpu", "/t")],
    )


# ---- The description


def test_an_empty_board_has_one_core_and_nothing_to_read() -> None:
    assert to_native(BoardConfig()) == ("", 1, b"", b"", b"", [], [], b"", False)


def test_every_part_is_constructible_by_keyword() -> None:
    board = BoardConfig(
        board_name="b",
        num_cpu_cores=2,
        gpu_load_path="/g",
        emc_actmon_path="/e",
        emc_clk_rate_path="/r",
        power_rails=[PowerRailConfig(label="l", voltage_path="/v", current_path="/c")],
        thermal_zones=[ThermalZoneConfig(name="z", temp_path="/t")],
        root="/x",
    )
    rails, zones = [("l", b"/v", b"/c")], [("z", b"/t")]
    assert to_native(board) == ("b", 2, b"/g", b"/e", b"/r", rails, zones, b"/x", False)


def test_boards_do_not_share_their_lists() -> None:
    BoardConfig().power_rails.append(PowerRailConfig())
    assert BoardConfig().power_rails == []


def test_boards_are_compared_by_content() -> None:
    assert some_board() == some_board()
    changed = some_board()
    changed.power_rails[0].label = "other"
    assert changed != some_board()


@pytest.mark.parametrize(
    "copied",
    [
        BoardConfig.copy,
        copy.deepcopy,
        lambda board: pickle.loads(pickle.dumps(board)),
    ],
    ids=["copy", "deepcopy", "pickle"],
)
def test_a_copy_is_equal_and_independent(copied: Any) -> None:
    original = from_native(NATIVE)
    twin = copied(original)
    assert twin == original and to_native(twin) == NATIVE
    twin.power_rails[0].label = "changed"
    twin.thermal_zones.clear()
    twin.board_name = "changed"
    assert to_native(original) == NATIVE


def test_copy_changes_the_fields_it_is_given() -> None:
    changed = some_board().copy(board_name="theirs", power_rails=[])
    assert changed == BoardConfig("theirs", 4, thermal_zones=[ThermalZoneConfig("cpu", "/t")])
    with pytest.raises(TypeError):
        some_board().copy(cores=3)


def test_replace_and_copy_remember_where_the_board_came_from() -> None:
    detected = from_native(NATIVE)
    assert to_native(dataclasses.replace(detected, num_cpu_cores=8))[-1] is True
    assert to_native(detected.copy(num_cpu_cores=8))[-1] is True
    assert to_native(some_board().copy())[-1] is False


def test_the_origin_shows_in_neither_repr_nor_comparison() -> None:
    assert "detected" not in repr(from_native(NATIVE))
    assert from_native(NATIVE) == from_native((*NATIVE[:-1], False))


# ---- Translation


def test_a_native_board_survives_the_round_trip() -> None:
    board = from_native(NATIVE)
    assert board.power_rails[1] == PowerRailConfig("VIN", "/v\udcff", "/c\udcfe")
    assert to_native(board) == NATIVE


def test_paths_are_bytes_end_to_end() -> None:
    board = BoardConfig(gpu_load_path=b"/\xff", root=Path("/a/b"), emc_actmon_path="/\udcff/é")
    native = to_native(board)
    assert native[2] == b"/\xff" and native[7] == b"/a/b"
    assert native[3] == b"/\xff/" + os.fsencode("é")


def test_integers_of_numpy_count_cores() -> None:
    native = to_native(BoardConfig(num_cpu_cores=np.int64(12)))  # type: ignore[arg-type]
    assert native[1] == 12 and type(native[1]) is int


WRONG_TYPES = [
    ("board_name", 3),
    ("board_name", b"agx"),
    ("num_cpu_cores", "12"),
    ("num_cpu_cores", 1.0),
    ("gpu_load_path", None),
    ("emc_actmon_path", 3),
    ("emc_clk_rate_path", ["/r"]),
    ("root", None),
    ("power_rails", None),
    ("power_rails", "VDD"),
    ("power_rails[0]", [("VDD", "/v", "/c")]),
    ("power_rails[0].label", [PowerRailConfig(label=b"VDD")]),  # type: ignore[arg-type]
    ("power_rails[0].voltage_path", [PowerRailConfig(voltage_path=1)]),  # type: ignore[arg-type]
    ("power_rails[0].current_path", [PowerRailConfig(current_path=None)]),  # type: ignore[arg-type]
    ("thermal_zones", {}),
    ("thermal_zones[1]", [ThermalZoneConfig(), PowerRailConfig()]),
    ("thermal_zones[0].name", [ThermalZoneConfig(name=None)]),  # type: ignore[arg-type]
    ("thermal_zones[0].temp_path", [ThermalZoneConfig(temp_path=0)]),  # type: ignore[arg-type]
]


@pytest.mark.parametrize(("field", "value"), WRONG_TYPES)
def test_a_wrong_type_is_refused_by_name(field: str, value: Any) -> None:
    board = BoardConfig(**{field.split("[")[0]: value})
    with pytest.raises(TypeError) as caught:
        to_native(board)
    assert str(caught.value).startswith(f"{field} must be ")


def test_something_else_than_a_board_is_refused() -> None:
    for given in (None, "agx_orin", NATIVE):
        with pytest.raises(TypeError, match="board must be a BoardConfig"):
            to_native(given)  # type: ignore[arg-type]


@pytest.mark.parametrize("cores", [0, -1, 17, 2**70])
def test_cores_out_of_range_are_refused(cores: int) -> None:
    with pytest.raises(ValueError, match=f"num_cpu_cores must be 1 to 16, not {cores}"):
        to_native(BoardConfig(num_cpu_cores=cores))


def test_more_rails_and_zones_than_a_trace_holds_are_refused() -> None:
    rails, zones = [PowerRailConfig()] * 8, [ThermalZoneConfig()] * 16
    to_native(BoardConfig(power_rails=rails, thermal_zones=zones))
    with pytest.raises(ValueError, match="power_rails has 9 entries.*room for 8"):
        to_native(BoardConfig(power_rails=[*rails, PowerRailConfig()]))
    with pytest.raises(ValueError, match="thermal_zones has 17 entries.*room for 16"):
        to_native(BoardConfig(thermal_zones=[*zones, ThermalZoneConfig()]))


@pytest.mark.parametrize(
    ("field", "board"),
    [
        ("board_name", BoardConfig("a\0b")),
        ("gpu_load_path", BoardConfig(gpu_load_path="/a\0")),
        ("root", BoardConfig(root=b"\0")),
        ("power_rails[0].label", BoardConfig(power_rails=[PowerRailConfig("\0")])),
        ("thermal_zones[0].temp_path", BoardConfig(thermal_zones=[ThermalZoneConfig("", "\0")])),
    ],
)
def test_an_embedded_nul_is_refused_by_name(field: str, board: BoardConfig) -> None:
    with pytest.raises(ValueError, match="holds a NUL") as caught:
        to_native(board)
    assert str(caught.value).startswith(field)


def test_names_and_paths_that_stand_for_no_bytes_are_refused() -> None:
    with pytest.raises(ValueError, match="board_name cannot be written as UTF-8"):
        to_native(BoardConfig("\ud800"))
    with pytest.raises(ValueError, match="gpu_load_path cannot be written in file names"):
        to_native(BoardConfig(gpu_load_path="/\ud800"))


# ---- Detection, with a stand-in for the extension


class StandIn(ModuleType):
    """Answers every question with one board and remembers the questions."""

    def __init__(self) -> None:
        super().__init__("fastnvmetrics._ext")
        self.asked: list[tuple[Any, ...]] = []

    def detect_board(self, root: bytes | None) -> NativeBoard:
        self.asked.append((root,))
        return NATIVE

    def get_board_config(self, name: str, root: bytes | None) -> NativeBoard:
        self.asked.append((name, root))
        return NATIVE


@pytest.fixture
def extension(monkeypatch: pytest.MonkeyPatch) -> StandIn:
    stand_in = StandIn()
    monkeypatch.setitem(sys.modules, "fastnvmetrics._ext", stand_in)
    return stand_in


def test_the_root_reaches_the_extension_as_bytes(extension: StandIn) -> None:
    assert detect_board() == from_native(NATIVE)
    detect_board(root=Path("/r"))
    detect_board(root="/\udcff")
    detect_board(root="")
    get_board_config("orin_nx", root=b"/r")
    get_board_config("orin_nx")
    assert extension.asked == [
        (None,),
        (b"/r",),
        (b"/\xff",),
        (b"",),
        ("orin_nx", b"/r"),
        ("orin_nx", None),
    ]


def test_a_bad_argument_never_reaches_the_extension(extension: StandIn) -> None:
    with pytest.raises(TypeError, match="root must be"):
        detect_board(root=3)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="name must be str"):
        get_board_config(b"orin_nx")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="root holds a NUL"):
        get_board_config("orin_nx", root="\0")
    assert extension.asked == []


# ---- Where there is no native code


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (ModuleNotFoundError("No module named …", name="fastnvmetrics._ext"), "pip install ."),
        (ImportError("libc.so.6: version `GLIBC_2.99' not found"), "GLIBC_2.99"),
    ],
)
def test_missing_native_code_is_explained(
    monkeypatch: pytest.MonkeyPatch, error: ImportError, said: str
) -> None:
    def fail(name: str) -> ModuleType:
        raise error

    monkeypatch.setattr(importlib, "import_module", fail)
    with pytest.raises(FastNVMetricsError) as caught:
        detect_board()
    assert said in str(caught.value) and "read_trace" in str(caught.value)
    assert caught.value.status is None and caught.value.__cause__ is error


def test_another_system_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "fastnvmetrics._ext", None)
    monkeypatch.setattr(sys, "platform", "darwin")
    with pytest.raises(RuntimeError, match="needs Linux and this is darwin.*read_trace"):
        _native.load()


# ---- The exception


def test_the_exception_is_a_runtime_error_with_a_status() -> None:
    assert issubclass(FastNVMetricsError, RuntimeError)
    assert FastNVMetricsError("text").status is None
    error = FastNVMetricsError("text", status=-2)
    assert (str(error), error.status) == ("text", -2)
    twin = pickle.loads(pickle.dumps(error))
    assert (str(twin), twin.status) == ("text", -2)
