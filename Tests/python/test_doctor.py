"""The doctor: every node of a board, and why one is missing."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

import fastnvmetrics as fm

NOBODY = 65534


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A simulated AGX Orin that stands still."""
    root = tmp_path / "root"
    subprocess.run(
        [sys.executable, "-m", "fastnvmetrics.simulate", root, "--board", "agx_orin", "--static"],
        check=True,
        stdout=subprocess.DEVNULL,
    )
    return root


def examine(root: Path, board: str | None = None) -> dict[str, fm.NodeReport]:
    return {node.name: node for node in fm.doctor(board, root=root)}


def as_nobody(examination: Callable[[], dict[str, fm.NodeReport]]) -> dict[str, fm.NodeReport]:
    """What a process without privileges finds: root may read everything."""
    if os.geteuid() != 0:
        return examination()
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            os.setgroups([])
            os.setresgid(NOBODY, NOBODY, NOBODY)
            os.setresuid(NOBODY, NOBODY, NOBODY)
            found = {name: vars(node) for name, node in examination().items()}
            os.write(writer, json.dumps(found).encode())
        finally:
            os._exit(0)
    os.close(writer)
    with os.fdopen(reader) as pipe:
        text = pipe.read()
    os.waitpid(child, 0)
    return {name: fm.NodeReport(**node) for name, node in json.loads(text).items()}


def open_to_everyone(root: Path) -> None:
    """pytest's own directories are closed to others."""
    for parent in (root, *root.parents):
        if parent.owner() == root.owner() and parent != Path("/"):
            parent.chmod(parent.stat().st_mode | 0o755)


def test_a_whole_board_is_good_throughout(tree: Path) -> None:
    nodes = fm.doctor(root=tree)
    assert nodes[0].kind == "board"
    assert nodes[0].name == "agx_orin"
    assert "p3701-0005" in nodes[0].advice
    kinds = [node.kind for node in nodes]
    assert kinds == sorted(kinds, key=("board", "gpu", "cpu", "memory", "emc", "rail", "zone").index)
    assert all(node.is_readable for node in nodes if node.name != "cpuidle")
    assert len([node for node in nodes if node.kind == "rail"]) == 4
    assert len([node for node in nodes if node.kind == "zone"]) == 11


def test_values_are_those_of_the_board(tree: Path) -> None:
    nodes = examine(tree)

    def number(node: str) -> int:
        return int(Path(nodes[node].path).read_text())

    assert (nodes["load"].value, nodes["load"].unit) == (number("load"), "per mille")
    assert (nodes["mc_all"].value, nodes["mc_all"].unit) == (number("mc_all"), "kHz active")
    current = Path(nodes["VDD_CPU_CV"].path)
    voltage = current.with_name(current.name.replace("curr", "in"))
    assert nodes["VDD_CPU_CV"].value == int(current.read_text()) * int(voltage.read_text()) // 1000
    assert nodes["VDD_CPU_CV"].refresh_ms == 7
    assert nodes["stat"].value == 12
    assert nodes["tj-thermal"].value == number("tj-thermal")
    assert all(node.read_us > 0 for node in nodes.values() if node.state == "good" and node.kind != "board")


def test_what_is_absent_is_named_with_what_follows(tree: Path) -> None:
    nodes = examine(tree)
    for name in ("load", "mc_all"):
        Path(nodes[name].path).unlink()
    Path(nodes["VIN_SYS_5V0"].path).with_name("in3_label").unlink()
    Path(nodes["tdiode-thermal"].path).with_name("type").write_text("wifi\n")
    nodes = examine(tree)
    for name in ("load", "mc_all", "VIN_SYS_5V0", "tdiode-thermal"):
        assert nodes[name].state == "absent", name
        assert nodes[name].advice, name
        assert not nodes[name].is_readable
    assert "-1" in nodes["mc_all"].advice


def test_what_may_not_be_read_says_what_to_run(tree: Path) -> None:
    open_to_everyone(tree)
    rail = Path(examine(tree)["VDD_GPU_SOC"].path)
    rail.chmod(0o000)
    (tree / "sys/kernel/debug").chmod(0o000)
    try:
        nodes = as_nobody(lambda: examine(tree))
    finally:
        (tree / "sys/kernel/debug").chmod(0o755)
    for name in ("mc_all", "rate", "VDD_GPU_SOC"):
        assert nodes[name].state == "forbidden", name
        assert "setup_fastnvmetrics.sh" in nodes[name].advice, name
    assert nodes["VDD_CPU_CV"].state == "good"


def test_a_node_without_a_number_is_failing(tree: Path) -> None:
    Path(examine(tree)["load"].path).write_text("no number\n")
    assert examine(tree)["load"].state == "failing"


def test_a_zone_of_minus_256_degrees_is_powered_down(tree: Path) -> None:
    Path(examine(tree)["cv0-thermal"].path).write_text("-256000\n")
    node = examine(tree)["cv0-thermal"]
    assert node.state == "powered down"
    assert node.is_readable


def test_a_suspended_gpu_is_powered_down(tree: Path) -> None:
    (Path(examine(tree)["load"].path).parent / "power/runtime_status").write_text("suspended\n")
    assert examine(tree)["load"].state == "powered down"


def test_a_machine_that_is_no_board_is_examined_for_what_it_has() -> None:
    nodes = {node.name: node for node in fm.doctor("generic_linux", root="/")}
    assert nodes["stat"].value == os.sysconf("SC_NPROCESSORS_CONF")
    assert nodes["meminfo"].value > 0
    assert "load" not in nodes or nodes["load"].kind == "gpu"


def test_counters_that_stand_still_are_said_not_to_count(tree: Path) -> None:
    counters = Path(examine(tree)["load"].path).with_name("counters")
    counters.write_text("10 20\n")
    assert "does not count" in examine(tree)["counters"].advice


@pytest.mark.parametrize("board", ["agx_orin", "orin_nx", "orin_nano"])
@pytest.mark.parametrize("l4t", [35, 36, 39])
def test_every_board_is_whole_under_every_release(tmp_path: Path, board: str, l4t: int) -> None:
    root = tmp_path / "root"
    command = [sys.executable, "-m", "fastnvmetrics.simulate", root, "--board", board, "--static"]
    subprocess.run([*command, "--l4t", str(l4t)], check=True, stdout=subprocess.DEVNULL)
    nodes = fm.doctor(root=root)
    assert nodes[0].name == board
    assert [node for node in nodes if not node.is_readable and node.name != "cpuidle"] == []
    found, nominal = fm.detect_board(root=root), fm.get_board_config(board, root=root)
    assert [rail.label for rail in found.power_rails] == [rail.label for rail in nominal.power_rails]
    assert [zone.name for zone in found.thermal_zones] == [zone.name for zone in nominal.thermal_zones]


def test_a_board_that_is_not_supported_is_named_with_its_strings(tree: Path) -> None:
    (tree / "proc/device-tree").resolve().joinpath("compatible").write_bytes(
        b"nvidia,p3834-0008\0nvidia,tegra264\0"
    )
    with pytest.raises(RuntimeError, match=r"Thor.*p3834-0008, nvidia,tegra264.*generic_linux"):
        fm.detect_board(root=tree)


def test_an_unknown_board_is_refused() -> None:
    with pytest.raises(fm.FastNVMetricsError, match="Unknown board: toaster"):
        fm.doctor("toaster")


def test_the_command_prints_a_table_or_json(tree: Path) -> None:
    command = [sys.executable, "-m", "fastnvmetrics", "doctor", "--root", str(tree)]
    table = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert (table.returncode, table.stderr) == (0, "")
    assert "VDDQ_VDD2_1V8AO" in table.stdout
    nodes = json.loads(subprocess.run([*command, "--json"], capture_output=True, timeout=60).stdout)
    assert [node["name"] for node in nodes] == [node.name for node in fm.doctor(root=tree)]

    Path(examine(tree)["load"].path).unlink()
    assert subprocess.run(command, capture_output=True, timeout=60).returncode == 1


def test_detection_leaves_out_what_may_not_be_read(tree: Path) -> None:
    open_to_everyone(tree)
    before = fm.detect_board(root=tree)
    os.chmod(before.power_rails[0].current_path, 0o000)
    os.chmod(before.thermal_zones[1].temp_path, 0o000)
    os.chmod(before.gpu_load_path, 0o000)
    (tree / "sys/kernel/debug").chmod(0o000)

    def seen() -> dict[str, fm.NodeReport]:
        board = fm.detect_board(root=tree)
        rails = [rail.label for rail in board.power_rails]
        zones = [zone.name for zone in board.thermal_zones]
        paths = [board.gpu_load_path, board.emc_actmon_path, board.emc_clk_rate_path]
        advice = json.dumps([rails, zones, [str(path) for path in paths]])
        return {"board": fm.NodeReport("board", "", "", "good", 0, 0, "", 0.0, 0.0, advice)}

    try:
        rails, zones, paths = json.loads(as_nobody(seen)["board"].advice)
    finally:
        (tree / "sys/kernel/debug").chmod(0o755)
    assert rails == [rail.label for rail in before.power_rails[1:]]
    assert zones == [zone.name for i, zone in enumerate(before.thermal_zones) if i != 1]
    assert paths == ["", "", ""]


@pytest.mark.parametrize("release", ["# R39 (release), REVISION: 2.0, X: y", "nonsense", ""])
def test_a_release_nobody_has_heard_of_disables_nothing(tree: Path, release: str) -> None:
    before = fm.detect_board(root=tree)
    (tree / "etc/nv_tegra_release").write_text(release)
    assert fm.detect_board(root=tree) == before
    assert all(node.is_readable for node in fm.doctor(root=tree) if node.name != "cpuidle")


# ---- Which rails make the total


@pytest.mark.parametrize("board", ["agx_orin", "orin_nx", "orin_nano"])
def test_the_rails_of_the_total_are_the_same_in_every_language(board: str) -> None:
    labels = [rail.label for rail in fm.get_board_config(board).power_rails]
    total = [labels[rail] for rail in fm.total_power_rails(board, labels)]
    expected = ["VDD_GPU_SOC", "VDD_CPU_CV", "VIN_SYS_5V0"] if board == "agx_orin" else ["VDD_IN"]
    assert total == expected


def test_the_total_of_an_unknown_or_incomplete_board_is_unknown() -> None:
    assert fm.total_power_rails("toaster", ["VDD_IN"]) == []
    assert fm.total_power_rails("agx_orin", ["VDD_GPU_SOC", "VDD_CPU_CV"]) == []
