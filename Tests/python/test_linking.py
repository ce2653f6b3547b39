"""What a C or C++ program needs of this package to be built and to run."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

import fastnvmetrics as fm

PROGRAM = """
#include <fastnvmetrics/fastnvmetrics.h>
#include <stdio.h>
int main(int argc, char **argv)
{
  fnvm_board *board = NULL;
  fnvm_engine *engine = NULL;
  uint64_t id = 0;
  if (argc < 2 || fnvm_abi_version() != FNVM_ABI_VERSION ||
      fnvm_board_create("linked", 1, NULL, &board) != FNVM_OK ||
      fnvm_engine_create(argv[1], board, NULL, &engine) != FNVM_OK ||
      fnvm_engine_start(engine) != FNVM_OK ||
      fnvm_engine_phase_begin(engine, "work", &id) != FNVM_OK ||
      fnvm_engine_phase_end(engine, id) != FNVM_OK || fnvm_engine_stop(engine) != FNVM_OK) {
    fprintf(stderr, "%s\\n", fnvm_last_error_message());
    return 1;
  }
  fnvm_engine_free(engine);
  fnvm_board_free(board);
  puts(fnvm_version_string());
  return 0;
}
"""

PROGRAM_CXX = """
#include <fastnvmetrics/fastnvmetrics.hpp>
#include <iostream>
int main(int, char **argv)
{
  fastnvmetrics::BoardConfig board;
  board.board_name = "linked";
  board.num_cpu_cores = 1;
  fastnvmetrics::Engine engine(argv[1], board);
  engine.start();
  engine.stop();
  std::cout << fnvm_version_string() << std::endl;
}
"""


@pytest.mark.parametrize(
    ("compiler", "name", "content"),
    [("gcc", "program.c", PROGRAM), ("g++", "program.cpp", PROGRAM_CXX)],
    ids=["C", "C++"],
)
def test_a_program_is_built_against_the_package_and_runs(
    tmp_path: Path, compiler: str, name: str, content: str
) -> None:
    if shutil.which(compiler) is None:
        pytest.skip(f"there is no {compiler} here")
    (tmp_path / name).write_text(content)
    directory = fm.get_library_dir()
    subprocess.run(
        [compiler, "-Wall", "-Werror", "-I" + fm.get_include(), name, "-o", "program", "-L" + directory]
        + ["-l:libfastnvmetrics-py.so.0", "-Wl,-rpath," + directory],
        check=True,
        cwd=tmp_path,
    )
    environment = {key: value for key, value in os.environ.items() if key != "LD_LIBRARY_PATH"}
    done = subprocess.run(
        [tmp_path / "program", tmp_path / "run"], capture_output=True, text=True, env=environment, timeout=120
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, f"{fm.__version__}\n", "")
    trace = fm.read_trace(tmp_path / "run")
    assert trace["board_name"] == "linked"
    assert trace["phases"]["name"].tolist() == (["work"] if compiler == "gcc" else [])


def test_headers_are_those_of_this_version() -> None:
    directory = os.path.join(fm.get_include(), "fastnvmetrics")
    assert sorted(name for name in os.listdir(directory) if name.endswith((".h", ".hpp"))) == [
        "fastnvmetrics.h",
        "fastnvmetrics.hpp",
    ]
    major, minor, patch = fm.__version__.split(".")
    with open(os.path.join(directory, "fastnvmetrics.h"), encoding="utf-8") as header:
        content = header.read().split()
    for part, value in (("MAJOR", major), ("MINOR", minor), ("PATCH", patch)):
        assert content[content.index(f"FNVM_VERSION_{part}") + 1] == value


def test_a_copy_without_native_parts_says_so(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    package = tmp_path / "a" / "b"
    package.mkdir(parents=True)
    monkeypatch.setattr("fastnvmetrics.native_paths._PACKAGE", str(package))
    with pytest.raises(fm.FastNVMetricsError, match="no headers"):
        fm.get_include()
    with pytest.raises(fm.FastNVMetricsError, match="no library"):
        fm.get_library_dir()
    # One that was built elsewhere keeps its name.
    (package / "libfastnvmetrics.so.0").touch()
    assert fm.get_library_dir() == str(package)
