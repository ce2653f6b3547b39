"""map_trace: the same values as read_trace, in no time and no memory, and the same refusals."""

from __future__ import annotations

import copy
import gc
import os
import pickle
import random
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import trace_builder as build
from fastnvmetrics import MappedTrace, TraceData, TraceError, map_trace, read_trace
from fastnvmetrics import trace_format as layout

GOLDEN = Path(__file__).resolve().parent.parent / "golden"
GOLDEN_NAMES = ["agx_orin_v1", "orin_nx_v1", "short_v1"]

Write = Callable[[bytes], Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Put bytes into a file."""

    def write_bytes(content: bytes) -> Path:
        path = tmp_path / "trace.bin"
        path.write_bytes(content)
        return path

    return write_bytes


def assert_same_as_read(path: Path) -> None:
    expected: dict[str, Any] = dict(read_trace(path))
    with map_trace(path) as trace:
        for key, value in expected.items():
            if isinstance(value, np.ndarray):
                assert trace[key].dtype == value.dtype and trace[key].shape == value.shape, key
                np.testing.assert_array_equal(trace[key], value, err_msg=key)
            else:
                assert trace[key] == value and type(trace[key]) is type(value), key
        assert list(trace) == trace.keys() and set(trace) == set(expected)


# ---- What a good file gives


@pytest.mark.parametrize("name", GOLDEN_NAMES)
def test_golden_traces_are_mapped_as_they_are_read(name: str) -> None:
    assert_same_as_read(GOLDEN / f"{name}.bin")


@pytest.mark.parametrize(
    "content",
    [
        build.trace(),
        build.trace(fast=1),
        build.trace(marks=[(1, 0)]),
        build.trace(7, 5, 3, [(1, 2), (2, 5), (3, 5)]),
        build.trace(2, 2, 2, num_power_rails=0, num_thermal_zones=0, num_cpu_cores=0),
        build.trace(3, flags=layout.FLAG_VALID | layout.FLAG_RECOVERED, read_errors=7),
        build.trace(6, marks=[(9, 4), (2**64 - 1, 1), (5, 4), (3, 2**63)]),
        build.trace(3, marks=[(1, 1)]) + b"META" + bytes(100),
    ],
    ids=["empty", "one", "mark", "all", "bare", "recovered", "disorder", "chunks"],
)
def test_built_traces_are_mapped_as_they_are_read(write: Write, content: bytes) -> None:
    assert_same_as_read(write(content))


def test_tiers_are_records_of_the_format(write: Write) -> None:
    with map_trace(write(build.trace(7, 5, 3, [(1, 2), (2, 5)]))) as trace:
        np.testing.assert_array_equal(trace.fast, build.fast_samples(7))
        np.testing.assert_array_equal(trace.medium, build.medium_samples(5))
        np.testing.assert_array_equal(trace.slow, build.slow_samples(3))
        assert trace.sync_points.tolist() == [(1, 2), (2, 5)]
        assert trace.fast.dtype == layout.FAST_SAMPLE
        assert trace.sync_points.dtype == layout.SYNC_POINT
        assert isinstance(trace, MappedTrace)


def test_the_header_has_the_keys_that_are_no_arrays(write: Write) -> None:
    path = write(build.trace(2))
    read: dict[str, Any] = dict(read_trace(path))
    with map_trace(path) as trace:
        assert trace.header == {k: v for k, v in read.items() if not isinstance(v, np.ndarray)}


def test_columns_are_views_of_the_file(write: Write) -> None:
    path = write(build.trace(5, 5, 5, [(1, 1)]))
    with map_trace(path) as trace:
        with open(path, "r+b") as file:
            file.seek(layout.HEADER.itemsize + layout.FAST_SAMPLE.fields["gpu_load"][1])
            file.write(b"\xe7\x03")
        assert trace["gpu_load"][0] == trace.fast["gpu_load"][0] == 999
        made = ("sync_id", "phases", "sync_labels")
        for key in TraceData.__annotations__:
            if isinstance(trace[key], np.ndarray) and key not in made:
                assert not trace[key].flags.owndata, key


def test_nothing_of_the_file_can_be_written(write: Write) -> None:
    path = write(build.trace(5, 5, 5, [(1, 1)]))
    before = path.read_bytes()
    with map_trace(path) as trace:
        for array in (trace.fast, trace.medium, trace.slow, trace.sync_points, trace["cpu_util"]):
            assert not array.flags.writeable
            with pytest.raises(ValueError):
                array[0] = 0
            with pytest.raises(ValueError):
                array.flags.writeable = True
    assert path.read_bytes() == before


def test_sync_id_is_an_array_of_its_own_each_time(write: Write) -> None:
    with map_trace(write(build.trace(4, marks=[(1, 2)]))) as trace:
        first = trace.sync_id
        first[:] = 7
        assert trace.sync_id.tolist() == trace["sync_id"].tolist() == [0, 0, 1, 1]


def test_read_trace_maps_when_asked_to(write: Write) -> None:
    path = write(build.trace(fast=4))
    with read_trace(path, mmap=True) as mapped:
        assert isinstance(mapped, MappedTrace)
        assert mapped["fast_time_s"].tolist() == read_trace(path)["fast_time_s"].tolist()
    with pytest.raises(ValueError, match="cannot be aligned"):
        read_trace(path, "fast", mmap=True)  # type: ignore[call-overload]


def test_keys_are_those_of_trace_data(write: Write) -> None:
    with map_trace(write(build.trace(2))) as trace:
        assert "cpu_util" in trace and "board_name" in trace and "fast" not in trace
        assert 3 not in trace
        assert set(dict(trace)) == set(TraceData.__annotations__)
        for key in ("fast", "cpu", "sync_points"):
            with pytest.raises(KeyError, match=key):
                trace[key]


@pytest.mark.parametrize("kind", ["str", "bytes", "PathLike"])
def test_every_kind_of_path_is_accepted(write: Write, kind: str) -> None:
    path = write(build.trace(fast=4))
    given = {"str": str(path), "bytes": os.fsencode(path), "PathLike": path}[kind]
    with map_trace(given) as trace:
        assert len(trace.fast) == 4 and str(path) in repr(trace)


def test_a_file_of_more_than_4_gib_is_mapped(tmp_path: Path) -> None:
    if sys.maxsize < 2**33:
        pytest.skip("not enough addresses here")
    path = tmp_path / "long.bin"
    fast = 2**32 // layout.FAST_SAMPLE.itemsize + 1000
    size = layout.HEADER.itemsize + fast * layout.FAST_SAMPLE.itemsize
    size += 3 * layout.SLOW_SAMPLE.itemsize
    path.write_bytes(build.header(num_fast_samples=fast, num_slow_samples=3))
    try:
        os.truncate(path, size)
    except OSError as error:
        pytest.skip(f"no sparse files here: {error}")
    with map_trace(path) as trace:
        assert len(trace.fast) == fast and size > 2**32
        last = trace.fast[-1]
        assert last["time_s"] == 0 and not last["cpu_util"].any() and last["ram_used_kb"] == 0
        assert trace["temp_c"].tolist() == [[0, 0, 0]] * 3


# ---- How long it lives


def test_arrays_outlive_the_trace(write: Write) -> None:
    with map_trace(write(build.trace(5))) as trace:
        kept = trace["ram_used_kb"]
        tail = trace.fast[3:]
    assert kept.tolist() == [1000, 1001, 1002, 1003, 1004]
    assert tail["gpu_load"].tolist() == [3, 4]


def test_a_closed_trace_says_so_and_can_be_closed_again(write: Write) -> None:
    path = write(build.trace(5))
    trace = map_trace(path)
    trace.close()
    trace.close()
    for look in (
        lambda: trace.fast,
        lambda: trace.sync_points,
        lambda: trace.sync_id,
        lambda: trace["gpu_load"],
        lambda: trace["sync_id"],
    ):
        with pytest.raises(ValueError, match="the trace is closed: .*trace.bin"):
            look()
    assert "closed" in repr(trace)
    assert trace["board_name"] == "built" == trace.header["board_name"]


def test_a_failure_inside_closes_the_trace(write: Write) -> None:
    with pytest.raises(ZeroDivisionError), map_trace(write(build.trace(5))) as trace:
        raise ZeroDivisionError
    with pytest.raises(ValueError, match="closed"):
        _ = trace.fast


@pytest.mark.skipif(not os.path.exists("/proc/self/maps"), reason="no /proc here")
def test_the_file_is_unmapped_with_the_last_array(write: Write) -> None:
    path = write(build.trace(5))

    def is_mapped() -> bool:
        gc.collect()
        return str(path) in Path("/proc/self/maps").read_text()

    trace = map_trace(path)
    column = trace["gpu_load"][1:]
    assert is_mapped()
    trace.close()
    assert is_mapped() and column.tolist() == [1, 2, 3, 4]
    del column
    assert not is_mapped()

    trace = map_trace(path)
    assert is_mapped()
    trace.close()
    assert not is_mapped()

    trace = map_trace(path)
    del trace
    assert not is_mapped()


def test_a_removed_or_replaced_file_stays_as_it_was(write: Write) -> None:
    path = write(build.trace(5))
    with map_trace(path) as trace:
        other = path.with_suffix(".new")
        other.write_bytes(build.trace(9))
        os.replace(other, path)
        path.unlink()
        assert trace["gpu_load"].tolist() == [0, 1, 2, 3, 4]


def test_pickling_is_refused_with_what_to_do(write: Write) -> None:
    with map_trace(write(build.trace(5))) as trace:
        for attempt in (pickle.dumps, copy.copy, copy.deepcopy):
            with pytest.raises(TypeError, match="pass its path"):
                attempt(trace)
        column = pickle.loads(pickle.dumps(trace["gpu_load"]))
        assert column.tolist() == [0, 1, 2, 3, 4]


def test_no_descriptor_is_left_open(write: Write, tmp_path: Path) -> None:
    if not os.path.isdir("/proc/self/fd"):
        pytest.skip("no /proc here")
    good = write(build.trace(5))
    bad = tmp_path / "bad"
    bad.write_bytes(build.header(magic=1))
    gc.collect()
    before = len(os.listdir("/proc/self/fd"))
    for _ in range(5):
        map_trace(good).close()
        for path in (bad, tmp_path):
            with pytest.raises((ValueError, OSError)):
                map_trace(path)
    gc.collect()
    assert len(os.listdir("/proc/self/fd")) == before


def test_records_are_not_read_before_they_are_looked_at(tmp_path: Path) -> None:
    if not os.path.exists("/proc/self/status"):
        pytest.skip("no /proc here")
    path = tmp_path / "long.bin"
    fast = 2_000_000
    path.write_bytes(build.header(num_fast_samples=fast))
    os.truncate(path, layout.HEADER.itemsize + fast * layout.FAST_SAMPLE.itemsize)
    # In a process of its own: what others left in memory is not counted.
    script = """
import sys
from fastnvmetrics import map_trace

def resident():
    return next(int(x.split()[1]) for x in open("/proc/self/status") if x.startswith("VmRSS"))

with map_trace(sys.argv[1]):  # what is imported on first use
    pass
before = resident()
with map_trace(sys.argv[1]) as trace:
    columns = [trace[key] for key in trace if key != "sync_id"]
    print(resident() - before)
"""
    ran = subprocess.run(
        [sys.executable, "-c", script, str(path)], capture_output=True, text=True, check=True
    )
    # Of 200 MB.
    assert int(ran.stdout) < 4096


# ---- What is refused


def refusals(path: Any) -> tuple[BaseException, BaseException]:
    """What read_trace and map_trace raise."""
    with pytest.raises((ValueError, OSError, TypeError)) as read:
        read_trace(path)
    with pytest.raises((ValueError, OSError, TypeError)) as mapped:
        map_trace(path)
    return read.value, mapped.value


@pytest.mark.parametrize(
    "content",
    [
        b"",
        build.header()[:727],
        build.header(magic=0),
        build.header(version=2),
        build.header(num_cpu_cores=17),
        build.header(num_power_rails=9),
        build.header(num_thermal_zones=255),
        build.header(flags=layout.FLAG_VALID),
        build.header(num_fast_samples=1),
        build.header(num_sync_points=2**64 - 1),
        build.header(num_fast_samples=2**63, num_medium_samples=2**63),
        build.trace(4, 3, 2, [(1, 1)])[:-1],
    ],
)
def test_damaged_files_are_refused_in_the_same_words(write: Write, content: bytes) -> None:
    read, mapped = refusals(write(content))
    assert type(read) is type(mapped) and isinstance(read, TraceError)
    assert str(read) == str(mapped)


def test_what_is_no_file_is_refused_in_the_same_way(tmp_path: Path) -> None:
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    for path in (tmp_path / "missing.bin", tmp_path, fifo, None, 3):
        read, mapped = refusals(path)
        assert type(read) is type(mapped) and str(read) == str(mapped)


def test_a_file_that_shrinks_while_it_is_opened_is_truncated(
    write: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    from fastnvmetrics import mapped

    path = write(build.trace(5000))
    original = mapped.checked_counts

    def shrink(*arguments: Any) -> Any:
        counts = original(*arguments)
        os.truncate(path, 1000)
        return counts

    monkeypatch.setattr(mapped, "checked_counts", shrink)
    with pytest.raises(ValueError, match="^Truncated: the file was shortened"):
        map_trace(path)


def test_damaged_bytes_give_a_trace_or_a_refusal(write: Write) -> None:
    rng = random.Random(20250611)
    original = build.trace(6, 4, 3, [(1, 1), (2, 4)], flags=layout.FLAG_VALID | layout.FLAG_CLOSED)
    outcomes = set()
    for _ in range(1500):
        damaged = bytearray(original)
        for _ in range(rng.randint(1, 8)):
            where = rng.choice(
                [rng.randrange(len(damaged)), rng.randrange(40, 88), rng.randrange(664, 728)]
            )
            damaged[where] = rng.choice([0, 1, 0xFF, damaged[where] ^ 1 << rng.randrange(8)])
        if rng.random() < 0.2:
            del damaged[rng.randrange(len(damaged)) :]
        path = write(bytes(damaged))
        try:
            read: dict[str, Any] = dict(read_trace(path))
        except ValueError as error:
            with pytest.raises(ValueError) as caught:
                map_trace(path)
            assert str(caught.value) == str(error)
            outcomes.add("refused")
        else:
            with map_trace(path) as trace:
                for key, value in read.items():
                    np.testing.assert_array_equal(trace[key], value, err_msg=key)
            outcomes.add("mapped")
    assert outcomes == {"mapped", "refused"}
