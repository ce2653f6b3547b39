"""fastnvmetrics export: files, exit codes, pipes, memory."""

from __future__ import annotations

import contextlib
import csv
import io
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any, NamedTuple

import pytest

import trace_builder as build
from export_scene import write_trace
from fastnvmetrics import trace_format as layout
from fastnvmetrics.cli import main

NAMES = ("csv", "parquet", "arrow", "json", "perfetto")


class Done(NamedTuple):
    """What a command did."""

    returncode: int
    stdout: str
    stderr: str


def run(*arguments: object) -> Done:
    """Run it in this process, which takes milliseconds; a traceback would be an exception here."""
    out, err = io.TextIOWrapper(io.BytesIO(), "utf-8"), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        code = main(["export", *map(str, arguments)])
    out.flush()
    buffer: Any = out.buffer
    return Done(code, buffer.getvalue().decode(), err.getvalue())


@pytest.fixture
def trace(tmp_path: Path) -> Path:
    return write_trace(tmp_path / "run.bin")


def test_a_file_comes_beside_the_trace_unless_told_otherwise(trace: Path) -> None:
    for arguments, made in (
        (("--to", "csv"), "run.csv"),
        (("--to", "json", "-o", trace.with_name("other")), "other"),
        (("-o", trace.with_name("t.csv.gz"), "--tier", "slow"), "t.csv.gz"),
        (("--to", "csv", "-o", f"{trace.with_name('new')}/"), "new/run.csv"),
    ):
        done = run(trace, *arguments)
        assert (done.returncode, done.stdout) == (0, ""), done.stderr
        assert done.stderr.count("\n") == 1 and made in done.stderr
        assert (trace.parent / made).stat().st_size > 0
    refused = run(trace, "--to", "csv")
    assert (
        refused.returncode == 1 and "--force" in refused.stderr and refused.stderr.count("\n") == 1
    )
    assert run(trace, "--to", "csv", "--force").returncode == 0


def test_options_choose_rows(trace: Path) -> None:
    done = run(
        trace,
        "--to",
        "csv",
        "-o",
        "-",
        "--tier",
        "medium",
        "--phase",
        "decode",
        "--from",
        "1s",
        "--until",
        "1200ms",
    )
    rows = list(csv.DictReader(done.stdout.splitlines()))
    assert [row["phase"] for row in rows] == ["decode"] * len(rows)
    assert [float(row["time_s"]) for row in rows] == pytest.approx(
        [1.005 + n / 100 for n in range(20)]
    )


def test_standard_output_takes_what_streams(trace: Path) -> None:
    assert (
        len(json.loads(run(trace, "--to", "json", "-o", "-").stdout)["tables"]["fast"]["rows"])
        == 2000
    )
    refused = run(trace, "--to", "parquet", "-o", "-")
    assert refused.returncode == 2 and "pipe" in refused.stderr


def test_a_reader_that_has_enough_is_no_error(trace: Path) -> None:
    command = f"{sys.executable} -m fastnvmetrics export {trace} --to csv -o - | head -n 1"
    done = subprocess.run(
        ["bash", "-o", "pipefail", "-c", command], capture_output=True, text=True, timeout=60
    )
    assert done.stdout.startswith('"time","time_s"') and "Traceback" not in done.stderr


def test_wrong_usage_says_what_is_right(trace: Path) -> None:
    for arguments, message in (
        ((trace,), "--to"),
        ((trace, "--to", "xlsx"), "xlsx"),
        ((trace, trace, "--to", "parquet"), "-o DIR"),
        ((trace, trace, "-o", trace.with_name("a.csv")), "-o DIR/"),
        ((trace, trace, "--to", "csv"), "one by one"),
        ((trace, "--to", "perfetto", "--tier", "fast"), "--tier"),
        ((trace, "--to", "csv", "--changes-only"), "--changes-only"),
        ((trace, "--to", "csv", "--device", "x"), "--device is for datasets"),
        ((trace, "--to", "parquet", "-o", trace.parent, "--tier", "fast"), "--tier is for files"),
    ):
        done = run(*arguments)
        assert done.returncode == 2 and message in done.stderr, done.stderr
        assert "Traceback" not in done.stderr


def bad_files(directory: Path) -> dict[Path, int]:
    whole = build.trace(fast=100, medium=10, slow=1)
    contents = {
        "foreign": (b"no trace" * 200, 3),
        "truncated": (whole[:-50], 3),
        "short": (whole[:100], 3),
        "empty": (b"", 3),
        "unfinished": (build.header(flags=layout.FLAG_VALID) + bytes(980), 4),
    }
    files = {directory / "missing": 1, directory: 2}
    for name, (content, code) in contents.items():
        (directory / name).write_bytes(content)
        files[directory / name] = code
    return files


def test_a_bad_file_is_one_line_and_its_exit_code(tmp_path: Path) -> None:
    pytest.importorskip("pyarrow")
    pytest.importorskip("perfetto")
    directory = tmp_path / "bad"
    directory.mkdir()
    for number, (path, code) in enumerate(bad_files(directory).items()):
        name = NAMES[number % len(NAMES)]
        done = run(path, "--to", name, "-o", tmp_path / "out")
        assert done.returncode == code, done.stderr
        assert done.stdout == "" and "Traceback" not in done.stderr
        assert code == 2 or done.stderr.count("\n") == 1
    assert os.listdir(tmp_path) == ["bad"]


def test_one_bad_file_does_not_keep_the_others_from_being_written(tmp_path: Path) -> None:
    pytest.importorskip("pyarrow")
    bad = tmp_path / "bad"
    bad.write_bytes(b"no trace" * 200)
    for name in ("a.bin", "b.bin"):
        write_trace(tmp_path / name)
    done = run(
        tmp_path / "a.bin", bad, tmp_path / "b.bin", "--to", "parquet", "-o", tmp_path / "ds"
    )
    assert done.returncode == 3 and "Bad magic" in done.stderr and done.stderr.count("\n") == 3
    # One trace, twice: its name is no part of what it is.
    assert len(list((tmp_path / "ds/runs").rglob("*.parquet"))) == 1


def test_a_damaged_chunk_is_said_and_costs_only_itself(tmp_path: Path) -> None:
    trace = write_trace(tmp_path / "run.bin")
    content = bytearray(trace.read_bytes())
    content[-1] ^= 1  # the end of META
    trace.write_bytes(content)
    done = run(trace, "--to", "csv")
    assert done.returncode == 0 and "fastnvmetrics: Corrupt chunk" in done.stderr
    assert done.stderr.count("\n") == 2  # this, and where it was written to


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="no full device")
def test_a_full_disk_is_one_line(trace: Path) -> None:
    for name in ("csv", "json", "perfetto", "parquet", "arrow"):
        if name in ("parquet", "arrow"):
            pytest.importorskip("pyarrow")
        if name == "perfetto":
            pytest.importorskip("perfetto")
        done = run(trace, "--to", name, "-o", "/dev/full")
        assert done.returncode == 1 and done.stderr.count("\n") == 1
        assert "/dev/full: No space left" in done.stderr, (name, done.stderr)


MEMORY = """
import sys
from fastnvmetrics.export import export_trace, export_dataset
from fastnvmetrics.export import _arrow, _table_rows, _wide
_arrow.GROUP_ROWS = _table_rows.GROUP_ROWS = 1 << 14
_wide.WideTable.blocks.__defaults__ = (1 << 13,)
for path in sys.argv[2:]:
    if sys.argv[1] == "dataset":
        from fastnvmetrics.export import _figures
        _figures.figures_of.__defaults__ = (1 << 14,)
        export_dataset(path, path + ".ds")
    else:
        export_trace(path, path + "." + sys.argv[1], sys.argv[1])
    # Not ru_maxrss, which begins with what the parent had.
    print(next(line.split()[1] for line in open("/proc/self/status") if line.startswith("VmHWM")))
"""


@pytest.mark.parametrize("name", ["csv", "json", "parquet", "arrow", "perfetto", "dataset"])
def test_memory_does_not_grow_with_the_trace(tmp_path: Path, name: str) -> None:
    if name in ("parquet", "arrow", "dataset"):
        pytest.importorskip("pyarrow")
    elif name == "perfetto":
        pytest.importorskip("perfetto")
    base, paths = 1 << 16, []
    for count in (base, 4 * base):
        paths.append(
            write_trace(
                tmp_path / f"{count}.bin",
                count,
                count // 10,
                count // 100,
                num_cpu_cores=12,
                board_name=b"orin_nx",
            )
        )
    done = subprocess.run(
        [sys.executable, "-c", MEMORY, name, *map(str, paths)],
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    small, large = (int(line) * 1024 for line in done.stdout.split())
    # What was held of them would be as much as they are in the trace, at least.
    assert large - small < 0.85 * 3 * base * layout.FAST_SAMPLE.itemsize, (small, large)
