"""Every subcommand that takes a trace, on files that are none."""

from __future__ import annotations

import os
import resource
from pathlib import Path

import pytest

import trace_builder
from command import killed_trace, run

FAILED, NO_TRACE, UNFINISHED = 1, 3, 4

SUBCOMMANDS = [
    ("report", "TRACE"),
    ("info", "TRACE"),
    ("compare", "TRACE", "GOOD"),
    ("compare", "GOOD", "TRACE"),
    ("plot", "TRACE", "-o", "OUTPUT.svg"),
    ("plot", "TRACE", "-o", "OUTPUT.html"),
    ("export", "TRACE", "-o", "OUTPUT.csv"),
    ("export", "TRACE", "--to", "parquet", "-o", "OUTPUT"),
    ("export", "TRACE", "--to", "perfetto", "-o", "OUTPUT"),
]


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[Path, int]]:
    """Files by what is wrong with them, with the exit code that says so."""
    directory = tmp_path_factory.mktemp("files")
    whole = trace_builder.trace(100, 10, 2)
    contents = {
        "empty": b"",
        "foreign": b"no trace" * 200,
        "truncated": whole[:-1],
        "cut in the header": whole[:500],
        "another version": trace_builder.header(version=2),
        "good": whole,
    }
    found = {}
    for name, content in contents.items():
        path = directory / f"{name}.bin"
        path.write_bytes(content)
        found[name] = (path, NO_TRACE)
    found["missing"] = (directory / "missing.bin", FAILED)
    found["unfinished"] = (killed_trace(directory / "unfinished.bin"), UNFINISHED)
    if os.geteuid() != 0:
        locked = directory / "locked.bin"
        locked.write_bytes(whole)
        locked.chmod(0)
        found["locked"] = (locked, FAILED)
    return found


NEEDS = {
    "OUTPUT.svg": "matplotlib",
    "OUTPUT.html": "plotly",
    "parquet": "pyarrow",
    "perfetto": "perfetto",
}


def skip_without_its_library(subcommand: tuple[str, ...]) -> None:
    for word in subcommand:
        if word in NEEDS:
            pytest.importorskip(NEEDS[word])


def outputs(directory: Path) -> dict[str, Path]:
    return {
        f"OUTPUT{suffix}": directory / f"output{suffix}" for suffix in ("", ".svg", ".html", ".csv")
    }


@pytest.mark.parametrize("subcommand", SUBCOMMANDS, ids=" ".join)
def test_a_file_that_is_no_trace_is_said_in_one_line(
    subcommand: tuple[str, ...], files: dict[str, tuple[Path, int]], tmp_path: Path
) -> None:
    skip_without_its_library(subcommand)
    good, _ = files["good"]
    for name, (path, code) in files.items():
        if name == "good":
            continue
        names = {"TRACE": path, "GOOD": good, **outputs(tmp_path)}
        done = run(*(names.get(word, word) for word in subcommand))
        assert (done.returncode, done.stdout) == (code, ""), (name, done.stderr)
        assert done.stderr.count("\n") == 1
        assert str(path) in done.stderr
        assert "Traceback" not in done.stderr
        if name == "unfinished":
            assert f"fastnvmetrics recover {path}" in done.stderr
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize("subcommand", SUBCOMMANDS, ids=" ".join)
def test_a_directory_is_refused(
    subcommand: tuple[str, ...], files: dict[str, tuple[Path, int]], tmp_path: Path
) -> None:
    skip_without_its_library(subcommand)
    names = {"TRACE": tmp_path, "GOOD": files["good"][0], **outputs(tmp_path)}
    done = run(*(names.get(word, word) for word in subcommand))
    assert done.returncode == 2
    assert str(tmp_path) in done.stderr


def test_recover_says_in_one_line_what_it_cannot_read(files: dict[str, tuple[Path, int]]) -> None:
    for name in ("missing", "empty", "foreign", "truncated", "another version"):
        path, code = files[name]
        done = run("recover", path)
        assert (done.returncode, done.stderr.count("\n")) == (code, 1), name
        assert str(path) in done.stderr


@pytest.mark.parametrize(
    "subcommand",
    [
        ("plot", "TRACE", "-o", "OUTPUT.svg"),
        ("plot", "TRACE", "-o", "OUTPUT.html"),
        ("export", "TRACE", "-o", "OUTPUT.csv"),
        ("export", "TRACE", "--to", "parquet", "-o", "OUTPUT"),
    ],
    ids=" ".join,
)
def test_what_the_disk_does_not_take_is_said_of_the_output(
    subcommand: tuple[str, ...], files: dict[str, tuple[Path, int]], tmp_path: Path
) -> None:
    skip_without_its_library(subcommand)
    names = {"TRACE": files["good"][0], **outputs(tmp_path)}

    def small_disk() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (100, 100))

    done = run(*(names.get(word, word) for word in subcommand), preexec_fn=small_disk)
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (FAILED, "", 1), done.stderr
    assert str(tmp_path / "output") in done.stderr
    assert "File too large" in done.stderr
    assert os.listdir(tmp_path) == []
