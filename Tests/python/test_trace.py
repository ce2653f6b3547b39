"""read_trace: the golden traces bit for bit, and every file it must refuse."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import trace_builder as build
from fastnvmetrics import TraceData, read_trace
from fastnvmetrics import trace_format as layout

GOLDEN = Path(__file__).resolve().parent.parent / "golden"
GOLDEN_NAMES = ["agx_orin_v1", "orin_nx_v1", "short_v1"]

ADDED_COUNTS = [
    "start_monotonic_ns",
    "start_realtime_ns",
    "missed_fast",
    "missed_medium",
    "missed_slow",
    "dropped_samples",
    "read_errors",
]
ADDED_FLAGS = ["recovered", "gpu_available"]
ADDED_OBJECTS = ["metadata", "stats"]
ADDED_ARRAYS = ["phases", "sync_labels"]

REFUSALS = (
    "File too small",
    "Bad magic",
    "Unsupported version",
    "Truncated",
    "Corrupt header",
    "Unfinished trace",
)

Reader = Callable[..., TraceData]


@pytest.fixture
def read(tmp_path: Path) -> Reader:
    """Read bytes as a trace."""

    def read_bytes(content: bytes, **options: Any) -> TraceData:
        path = tmp_path / "trace.bin"
        path.write_bytes(content)
        return read_trace(path, **options)

    return read_bytes


def refusal(read: Reader, content: bytes) -> str:
    with pytest.raises(ValueError) as caught:
        read(content)
    return str(caught.value)


# ---- What a good file gives


@pytest.mark.parametrize("name", GOLDEN_NAMES)
def test_golden_traces_are_read_bit_for_bit(name: str) -> None:
    data: dict[str, Any] = dict(read_trace(GOLDEN / f"{name}.bin"))
    expected = json.loads((GOLDEN / f"{name}.json").read_text())
    for key, value in expected.items():
        if not (isinstance(value, dict) and "sha256" in value):
            assert data[key] == value and type(data[key]) is type(value), key
            continue
        array = data[key]
        assert array.dtype == np.dtype(value["dtype"]), key
        assert list(array.shape) == value["shape"], key
        assert array.flags.c_contiguous, key
        assert hashlib.sha256(array.tobytes()).hexdigest() == value["sha256"], key
        flat = array.ravel()
        assert flat[:3].tolist() == value["first"] and flat[-3:].tolist() == value["last"], key
    added = {*ADDED_COUNTS, *ADDED_FLAGS, *ADDED_OBJECTS, *ADDED_ARRAYS}
    assert set(data) == set(expected) | added
    assert set(data) == set(TraceData.__annotations__)


@pytest.mark.parametrize("name", GOLDEN_NAMES)
def test_added_keys_are_zero_in_traces_of_the_reference(name: str) -> None:
    data: dict[str, Any] = dict(read_trace(GOLDEN / f"{name}.bin"))
    for key in ADDED_COUNTS:
        assert data[key] == 0 and type(data[key]) is int, key
    for key in ADDED_FLAGS:
        assert data[key] is False, key
    for key in ADDED_OBJECTS:
        assert data[key] is None, key
    for key in ADDED_ARRAYS:
        assert data[key].shape == (0,), key


def test_added_keys_come_from_our_header(read: Reader) -> None:
    flags = layout.FLAG_VALID | layout.FLAG_RECOVERED | layout.FLAG_GPU_AVAILABLE
    fields = {key: 2**32 - 1 - n for n, key in enumerate(ADDED_COUNTS)}
    fields.update(start_monotonic_ns=2**64 - 1, start_realtime_ns=2**63)
    data: dict[str, Any] = dict(read(build.trace(fast=1, flags=flags, **fields)))
    assert {key: data[key] for key in ADDED_COUNTS} == fields
    assert data["recovered"] is True and data["gpu_available"] is True
    closed = read(build.trace(flags=layout.FLAG_VALID | layout.FLAG_CLOSED))
    assert closed["recovered"] is False and closed["gpu_available"] is False


def test_fields_of_ours_count_for_nothing_without_the_flag(read: Reader) -> None:
    flags = layout.FLAG_RECOVERED | layout.FLAG_GPU_AVAILABLE
    data = read(build.trace(flags=flags, read_errors=7, start_monotonic_ns=9))
    assert data["read_errors"] == 0 and data["start_monotonic_ns"] == 0
    assert data["recovered"] is False and data["gpu_available"] is False


def test_empty_tiers_keep_their_shape(read: Reader) -> None:
    data = read(build.trace())
    assert data["fast_time_s"].shape == data["sync_id"].shape == (0,)
    assert data["cpu_util"].shape == (0, 2)
    assert data["voltage_mv"].shape == data["power_mw"].shape == (0, 2)
    assert data["temp_c"].shape == (0, 3)
    bare = read(build.trace(fast=2, medium=2, slow=2, num_power_rails=0, num_thermal_zones=0))
    assert bare["current_ma"].shape == bare["temp_c"].shape == (2, 0)


def test_tiers_longer_than_one_block_are_read_whole(read: Reader) -> None:
    fast, medium, slow = 25_000, 21_000, 29_000
    data = read(build.trace(fast, medium, slow, marks=[(k + 1, k) for k in range(70_000)]))
    samples = build.fast_samples(fast)
    for key in ("gpu_load", "cpu_aggregate", "ram_used_kb", "ram_available_kb", "emc_util"):
        np.testing.assert_array_equal(data[key], samples[key])  # type: ignore[literal-required]
    np.testing.assert_array_equal(data["cpu_util"], samples["cpu_util"][:, :2])
    np.testing.assert_array_equal(data["power_mw"], build.medium_samples(medium)["power_mw"][:, :2])
    np.testing.assert_array_equal(data["temp_c"], build.slow_samples(slow)["temp_c"][:, :3])
    np.testing.assert_array_equal(data["sync_id"], np.arange(1, fast + 1))


def test_arrays_own_their_memory_and_may_be_written(read: Reader) -> None:
    for value in read(build.trace(5, 5, 5, [(1, 2)])).values():
        if isinstance(value, np.ndarray):
            assert value.flags.writeable and value.flags.c_contiguous


def test_bytes_after_the_sync_points_are_ignored(read: Reader) -> None:
    content = build.trace(fast=3, marks=[(1, 1)])
    assert read(content + b"META" + bytes(100))["sync_id"].tolist() == [0, 1, 1]


@pytest.mark.parametrize("kind", ["str", "bytes", "PathLike"])
def test_every_kind_of_path_is_accepted(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "t.bin"
    path.write_bytes(build.trace(fast=4))
    given = {"str": str(path), "bytes": os.fsencode(path), "PathLike": path}[kind]
    assert len(read_trace(given)["fast_time_s"]) == 4


def test_a_path_that_is_not_utf8_is_read(tmp_path: Path) -> None:
    path = os.fsencode(tmp_path) + b"/\xff\xfe.bin"
    with open(path, "wb") as file:
        file.write(build.trace(fast=4))
    assert len(read_trace(path)["fast_time_s"]) == 4
    assert len(read_trace(os.fsdecode(path))["fast_time_s"]) == 4


# ---- Names


def test_names_end_at_the_nul(read: Reader) -> None:
    data = read(build.trace(board_name=b"orin\0left over", power_rail_names=[b"A\0B", b"C\0"]))
    assert data["board_name"] == "orin"
    assert data["power_rail_names"] == ["A", "C"]


def test_names_may_fill_their_field(read: Reader) -> None:
    data = read(build.trace(board_name=b"b" * 32, thermal_zone_names=[b"z" * 24]))
    assert data["board_name"] == "b" * 32
    assert data["thermal_zone_names"][0] == "z" * 24


def test_names_that_are_not_utf8_are_replaced(read: Reader) -> None:
    data = read(build.trace(board_name=b"\xffx", power_rail_names=[b"caf\xc3", b"\xc3\xa9"]))
    assert data["board_name"] == "\ufffdx"
    assert data["power_rail_names"] == ["caf\ufffd", "é"]


# ---- Sync points


def test_sync_ids_are_carried_forward(read: Reader) -> None:
    data = read(build.trace(fast=7, marks=[(1, 2), (2, 5)]))
    assert data["sync_id"].tolist() == [0, 0, 1, 1, 1, 2, 2]


def test_the_last_mark_at_one_sample_wins(read: Reader) -> None:
    data = read(build.trace(fast=4, marks=[(1, 0), (2, 0), (3, 2), (4, 2)]))
    assert data["sync_id"].tolist() == [2, 2, 4, 4]


def test_marks_past_the_end_label_nothing(read: Reader) -> None:
    marks = [(1, 1), (2, 3), (3, 2**63), (4, 2**64 - 1)]
    assert read(build.trace(fast=3, marks=marks))["sync_id"].tolist() == [0, 1, 1]
    assert read(build.trace(fast=0, marks=marks))["sync_id"].shape == (0,)


def test_marks_out_of_order_are_put_in_order_of_their_samples(read: Reader) -> None:
    data = read(build.trace(fast=6, marks=[(9, 4), (2**64 - 1, 1), (5, 4), (3, 2)]))
    assert data["sync_id"].tolist() == [0, 2**64 - 1, 3, 3, 5, 5]


# ---- align


def test_align_carries_the_slower_tiers_onto_the_fast_one(read: Reader) -> None:
    content = bytearray(build.trace(fast=30, medium=3, slow=1))
    # The medium tier begins late, at 5 ms; the slow one at 20 ms.
    medium = build.medium_samples(3)
    medium["time_s"] += 0.005
    slow = build.slow_samples(1)
    slow["time_s"] = 0.020
    content[layout.HEADER.itemsize + 30 * 98 :] = medium.tobytes() + slow.tobytes()
    data = read(bytes(content), align="fast")
    time = data["fast_time_s"]
    row = np.searchsorted(medium["time_s"], time, side="right") - 1
    assert row.min() == -1 and row.max() == 2
    assert data["voltage_mv"].shape == data["power_mw"].shape == (30, 2)
    np.testing.assert_array_equal(data["current_ma"][row < 0], 0)
    assert np.isnan(data["power_mw"][row < 0]).all()
    np.testing.assert_array_equal(
        data["current_ma"][row >= 0], medium["current_ma"][row[row >= 0], :2]
    )
    assert np.isnan(data["temp_c"][time < 0.020]).all()
    np.testing.assert_array_equal(data["temp_c"][time >= 0.020], [[40, 40.5, 41]] * 10)
    assert data["medium_time_s"].shape == (3,) and data["slow_time_s"].shape == (1,)
    assert data["voltage_mv"].dtype == np.uint32 and data["temp_c"].dtype == np.float32
    assert data["temp_c"].flags.c_contiguous


def test_align_fills_tiers_without_samples_with_the_sentinels(read: Reader) -> None:
    data = read(build.trace(fast=3), align="fast")
    assert data["voltage_mv"].tolist() == [[0, 0]] * 3
    assert np.isnan(data["power_mw"]).all() and data["temp_c"].shape == (3, 3)


def test_align_of_another_value_is_refused_before_the_file_is_opened(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="align"):
        read_trace(tmp_path / "missing", align="slow")  # type: ignore[arg-type]


# ---- What is refused


@pytest.mark.parametrize("size", [0, 1, 727])
def test_a_file_smaller_than_a_header_is_too_small(read: Reader, size: int) -> None:
    assert refusal(read, build.header()[:size]).startswith("File too small")


@pytest.mark.parametrize(
    ("beginning", "fields"),
    [
        ("Bad magic", {"magic": 0}),
        ("Bad magic", {"magic": 0x544D564E}),
        ("Unsupported version", {"version": 0}),
        ("Unsupported version", {"version": 2}),
        ("Corrupt header", {"num_cpu_cores": 17}),
        ("Corrupt header", {"num_power_rails": 9}),
        ("Corrupt header", {"num_thermal_zones": 255}),
        ("Truncated", {"num_fast_samples": 1}),
        ("Truncated", {"num_medium_samples": 1}),
        ("Truncated", {"num_slow_samples": 1}),
        ("Truncated", {"num_sync_points": 1}),
    ],
)
def test_a_damaged_header_is_refused(read: Reader, beginning: str, fields: dict[str, int]) -> None:
    assert refusal(read, build.header(**fields)).startswith(beginning)


COUNT_FIELDS = ["num_fast_samples", "num_medium_samples", "num_slow_samples", "num_sync_points"]


@pytest.mark.parametrize("field", COUNT_FIELDS)
def test_counts_that_would_overflow_are_refused(read: Reader, field: str) -> None:
    whole = build.trace(1, 1, 1, [(1, 0)])
    for count in (2**64 - 1, 2**63, 2**62 + 1, 2**61, 2**64 // 98 + 1, 2**64 // 8, 2**32):
        damaged = build.header(**{**{name: 1 for name in COUNT_FIELDS}, field: count})
        assert refusal(read, damaged + whole[728:]).startswith("Truncated")
    all_huge = build.header(**{name: 2**63 for name in COUNT_FIELDS})
    assert refusal(read, all_huge + whole[728:]).startswith("Truncated")


@pytest.mark.parametrize(
    "content",
    [build.trace(4, 3, 2, [(1, 1), (2, 3)]), (GOLDEN / "short_v1.bin").read_bytes()],
    ids=["built", "golden"],
)
def test_every_shorter_file_is_refused(read: Reader, content: bytes) -> None:
    read(content)
    for size in range(len(content)):
        beginning = "File too small" if size < 728 else "Truncated"
        assert refusal(read, content[:size]).startswith(beginning), size


def test_an_unfinished_trace_names_the_command_that_completes_it(tmp_path: Path) -> None:
    path = tmp_path / "my run.bin"
    for flags in (layout.FLAG_VALID, layout.FLAG_VALID | layout.FLAG_GPU_AVAILABLE):
        # Counts say nothing yet while recording, and must not turn it into another refusal.
        path.write_bytes(build.header(flags=flags, num_fast_samples=2**40))
        with pytest.raises(ValueError, match="^Unfinished trace") as caught:
            read_trace(path)
        assert f"fastnvmetrics recover '{path}'" in str(caught.value)


@pytest.mark.parametrize("ended", [layout.FLAG_CLOSED, layout.FLAG_RECOVERED])
def test_a_closed_or_recovered_trace_is_read(read: Reader, ended: int) -> None:
    assert len(read(build.trace(fast=2, flags=layout.FLAG_VALID | ended))["gpu_load"]) == 2


def test_a_missing_file_is_an_os_error_with_its_name(tmp_path: Path) -> None:
    path = tmp_path / "missing.bin"
    with pytest.raises(FileNotFoundError) as caught:
        read_trace(path)
    assert caught.value.filename == str(path)


def test_a_directory_is_an_os_error_with_its_name(tmp_path: Path) -> None:
    with pytest.raises(IsADirectoryError) as caught:
        read_trace(tmp_path)
    assert caught.value.filename == str(tmp_path)


def test_a_fifo_is_refused_without_waiting_for_a_writer(tmp_path: Path) -> None:
    path = tmp_path / "fifo"
    os.mkfifo(path)
    with pytest.raises(OSError, match="not a regular file") as caught:
        read_trace(path)
    assert caught.value.filename == str(path)


@pytest.mark.skipif(not os.path.exists("/dev/zero"), reason="no /dev/zero here")
def test_a_device_is_refused() -> None:
    with pytest.raises(OSError, match="not a regular file"):
        read_trace("/dev/zero")


def test_no_path_is_a_type_error() -> None:
    for given in (None, 3, ["trace.bin"]):
        with pytest.raises(TypeError):
            read_trace(given)  # type: ignore[arg-type]


def test_no_descriptor_is_left_open(tmp_path: Path) -> None:
    if not os.path.isdir("/proc/self/fd"):
        pytest.skip("no /proc here")
    good, bad = tmp_path / "good", tmp_path / "bad"
    shutil.copy(GOLDEN / "short_v1.bin", good)
    bad.write_bytes(build.header(magic=1))
    before = len(os.listdir("/proc/self/fd"))
    for _ in range(5):
        read_trace(good)
        for path in (bad, tmp_path):
            with pytest.raises((ValueError, OSError)):
                read_trace(path)
    assert len(os.listdir("/proc/self/fd")) == before


# ---- Damage of any kind


def what_the_format_says(content: bytes) -> str | None:
    """Return how the refusal of a file begins, None for a complete trace; without numpy."""
    if len(content) < 728:
        return "File too small"
    magic, version = struct.unpack_from("<II", content)
    if magic != 0x4E564D54:
        return "Bad magic"
    if version != 1:
        return "Unsupported version"
    if content[40] > 16 or content[41] > 8 or content[42] > 16:
        return "Corrupt header"
    if content[664] & 7 == 1:
        return "Unfinished trace"
    counts = struct.unpack_from("<4Q", content, 56)
    needed = 728 + sum(n * size for n, size in zip(counts, (98, 104, 72, 16)))
    return "Truncated" if needed > len(content) else None


WHOLE = build.trace(6, 4, 3, [(1, 1), (2, 4)], flags=layout.FLAG_VALID | layout.FLAG_CLOSED)
ORIGINALS = [WHOLE, build.trace(2, flags=layout.FLAG_VALID), (GOLDEN / "short_v1.bin").read_bytes()]
# Limits of what fits into a file, into signed integers, and into the products of counts and sizes.
COUNTS = [0, 1, 2, 6, 7, 2**31, 2**32, 2**61, 2**63 - 1, 2**63, 2**64 // 98, 2**64 // 8, 2**64 - 1]
FIELDS = ["names and versions", "core, rail and zone counts", "flags", "the end", "anywhere"]


@st.composite
def damaged_traces(draw: st.DrawFn) -> bytes:
    """Draw a trace that was cut, lengthened, overwritten, or had bits flipped or parts repeated."""
    content = bytearray(draw(st.sampled_from(ORIGINALS)))
    kinds = st.sampled_from(["flip", "byte", "count", "cut", "grow", "repeat"])
    for kind in draw(st.lists(kinds, min_size=1, max_size=6)):
        end = len(content) - 1
        if end < 0:
            break
        if kind == "count":
            if end >= 87:
                count = draw(st.sampled_from(COUNTS) | st.integers(0, 2**64 - 1))
                struct.pack_into("<Q", content, 56 + 8 * draw(st.integers(0, 3)), count)
            continue
        # Half of the damage goes where it hurts.
        first, last = {
            "names and versions": (0, 39),
            "core, rail and zone counts": (40, 43),
            "flags": (664, 668),
            "the end": (max(end - 32, 0), end),
            "anywhere": (0, end),
        }[draw(st.sampled_from(FIELDS))]
        where = min(draw(st.integers(first, last)), end)
        if kind == "flip":
            content[where] ^= 1 << draw(st.integers(0, 7))
        elif kind == "byte":
            content[where] = draw(st.sampled_from([0, 1, 0x7F, 0x80, 0xFF]) | st.integers(0, 255))
        elif kind == "cut":
            del content[where:]
        elif kind == "grow":
            content += draw(st.binary(max_size=200))
        else:
            content[where:where] = content[where : where + draw(st.integers(1, 200))]
    return bytes(content)


OUTCOMES: set[str | None] = set()


@settings(
    max_examples=1200,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(content=damaged_traces(), align=st.sampled_from([None, "fast"]))
def test_damaged_bytes_are_read_or_refused_as_the_format_says(
    read: Reader, content: bytes, align: str | None
) -> None:
    expected = what_the_format_says(content)
    OUTCOMES.add(expected)
    try:
        data = read(content, align=align)
    except ValueError as error:
        assert expected is not None and str(error).startswith(expected), (expected, error)
        return
    assert expected is None
    fast, medium, slow, _ = struct.unpack_from("<4Q", content, 56)
    cores, rails, zones = content[40:43]
    assert data["fast_time_s"].tobytes() == b"".join(
        content[at : at + 8] for at in range(728, 728 + 98 * fast, 98)
    )
    assert data["cpu_util"].shape == (fast, cores)
    assert data["sync_id"].shape == (fast,)
    assert data["power_mw"].shape == (medium if align is None else fast, rails)
    assert data["temp_c"].shape == (slow if align is None else fast, zones)
    assert data["medium_time_s"].shape == (medium,) and data["slow_time_s"].shape == (slow,)
    assert len(data["power_rail_names"]) == rails and len(data["thermal_zone_names"]) == zones


def test_the_damage_reaches_every_refusal() -> None:
    if not OUTCOMES:
        pytest.skip("the test before did not run")
    assert OUTCOMES == {None, *REFUSALS}
