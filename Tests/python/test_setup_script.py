"""scripts/setup_fastnvmetrics.sh on fixture trees: what it opens, to whom, and how it is undone."""

from __future__ import annotations

import grp
import os
import shutil
import stat
import subprocess
from pathlib import Path

import pytest

SCRIPTS = Path(__file__).resolve().parents[2] / "scripts"
SCRIPT = SCRIPTS / "setup_fastnvmetrics.sh"
INSTALLED = "usr/local/sbin/setup_fastnvmetrics.sh"
UNIT = "etc/systemd/system/fastnvmetrics-setup.service"
WANTS = "etc/systemd/system/multi-user.target.wants/fastnvmetrics-setup.service"
DEBUG = "sys/kernel/debug"
CHIP = "sys/devices/platform/c240000.i2c/i2c-1/1-0040/hwmon/hwmon3"
INPUTS = [f"{CHIP}/{kind}{channel}_input" for channel in (1, 2, 3) for kind in ("in", "curr")]

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="changing groups and modes needs root")


def existing_group() -> str:
    """A group of this machine: as root not root's own, so that a change shows."""
    if os.geteuid() != 0:
        return grp.getgrgid(os.getegid()).gr_name
    return next(g.gr_name for g in grp.getgrall() if g.gr_gid != 0)


GROUP = existing_group()
GID = grp.getgrnam(GROUP).gr_gid


def make(root: Path, path: str, content: str = "1\n", mode: int = 0o444) -> None:
    file = root / path
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(content)
    file.chmod(mode)


def link(root: Path, path: str, target: str) -> None:
    (root / path).parent.mkdir(parents=True, exist_ok=True)
    (root / path).symlink_to(target)


def board(root: Path, l4t: int) -> Path:
    """A board with the modes of its kernel: debugfs closed, INA3221 inputs root's under L4T 35."""
    previous = os.umask(0o022)
    try:
        if l4t == 36:
            make(root, f"{DEBUG}/cactmon/mc_all")
            make(root, f"{DEBUG}/cactmon/sample_period_usec")
        else:
            make(root, "sys/kernel/actmon_avg_activity/mc_all")
        make(root, f"{DEBUG}/bpmp/debug/clk/emc/rate", mode=0o600)
        make(root, f"{DEBUG}/bpmp/debug/clk/emc/state", mode=0o600)
        make(root, f"{DEBUG}/clk/emc/clk_rate")
        make(root, f"{DEBUG}/secret", mode=0o400)
        closed = 0o400 if l4t == 35 else 0o444
        for channel in (1, 2, 3):
            make(root, f"{CHIP}/in{channel}_label", f"RAIL_{channel}\n")
        for path in INPUTS:
            make(root, path, mode=closed)
        for other in ("in4_input", "in7_input", "curr4_input"):
            make(root, f"{CHIP}/{other}", mode=closed)
        make(root, f"{CHIP}/name", "ina3221\n")
        make(root, f"{CHIP}/update_interval", "7\n", mode=0o644)
        make(root, "sys/devices/virtual/hwmon/hwmon0/name", "pwmfan\n")
        make(root, "sys/devices/virtual/hwmon/hwmon0/in1_input", mode=0o400)
        link(root, "sys/class/hwmon/hwmon0", "../../devices/virtual/hwmon/hwmon0")
        link(root, "sys/class/hwmon/hwmon3", f"../../../{CHIP}")
        (root / DEBUG).chmod(0o700)
    finally:
        os.umask(previous)
    return root


def snapshot(root: Path) -> dict[str, tuple[int, int, int]]:
    """Mode, owner and group of everything there but /run, where the script keeps notes."""
    found = {}
    for directory, directories, files in os.walk(root):
        for name in directories + files:
            path = os.path.join(directory, name)
            status = os.lstat(path)
            relative = os.path.relpath(path, root)
            if relative.split("/")[0] != "run":
                found[relative] = (stat.S_IMODE(status.st_mode), status.st_uid, status.st_gid)
    return found


def setup(
    root: Path, *arguments: str, group: str = GROUP, script: Path = SCRIPT, user: int | None = None
) -> subprocess.CompletedProcess[str]:
    given = [] if {"--revert", "--uninstall"} & set(arguments) else ["--group", group]
    identity = {} if user is None else {"user": user, "group": user, "extra_groups": []}
    return subprocess.run(
        [str(script), *given, *arguments],
        env={**os.environ, "FASTNVMETRICS_ROOT": str(root)},
        capture_output=True,
        text=True,
        timeout=60,
        cwd="/",
        **identity,  # type: ignore[call-overload]
    )


def changes(
    before: dict[str, tuple[int, int, int]], after: dict[str, tuple[int, int, int]]
) -> dict[str, str]:
    """What differs, as "old mode -> new mode"; the group of each is the one that was asked for."""
    assert before.keys() == after.keys()
    changed = {path for path in before if before[path] != after[path]}
    for path in changed:
        assert after[path][1:] == (before[path][1], GID)
    return {path: f"{before[path][0]:o} -> {after[path][0]:o}" for path in changed}


@as_root
def test_only_what_is_closed_on_the_way_to_the_emc_nodes_is_opened(tmp_path: Path) -> None:
    before = snapshot(board(tmp_path, 36))
    done = setup(tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert changes(before, snapshot(tmp_path)) == {
        DEBUG: "700 -> 710",
        f"{DEBUG}/bpmp/debug/clk/emc/rate": "600 -> 640",
    }
    assert "warning" in done.stdout


@as_root
def test_every_closed_directory_gets_search_permission_and_no_more(tmp_path: Path) -> None:
    board(tmp_path, 36)
    way = [f"{DEBUG}/bpmp", f"{DEBUG}/bpmp/debug", f"{DEBUG}/bpmp/debug/clk"]
    for directory in way:
        (tmp_path / directory).chmod(0o750)
    before = snapshot(tmp_path)
    assert setup(tmp_path).returncode == 0
    assert changes(before, snapshot(tmp_path)) == {
        DEBUG: "700 -> 710",
        f"{DEBUG}/bpmp/debug/clk/emc/rate": "600 -> 640",
        **dict.fromkeys(way, "750 -> 710"),
    }


@as_root
def test_l4t_35_inputs_are_opened_and_nothing_else_of_the_chip(tmp_path: Path) -> None:
    before = snapshot(board(tmp_path, 35))
    done = setup(tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert changes(before, snapshot(tmp_path)) == {
        DEBUG: "700 -> 710",
        f"{DEBUG}/bpmp/debug/clk/emc/rate": "600 -> 640",
        **dict.fromkeys(INPUTS, "400 -> 440"),
    }


@as_root
@pytest.mark.parametrize(
    ("name", "text"), [("in2_label", "NC\n"), ("in2_label", None), ("in2_enable", "0\n")]
)
def test_channels_that_are_no_rails_stay_closed(tmp_path: Path, name: str, text: str | None) -> None:
    board(tmp_path, 35)
    if text is None:
        (tmp_path / CHIP / name).unlink()
    else:
        (tmp_path / CHIP / name).write_text(text)
    done = setup(tmp_path, "--dry-run", group="fnvm_test_group")
    opened = [path for path in INPUTS if f"chmod g=r -- {tmp_path}/{path}" in done.stdout]
    assert opened == [path for path in INPUTS if "2_input" not in path]


def test_chips_are_found_by_the_driver_where_the_class_is_missing(tmp_path: Path) -> None:
    board(tmp_path, 35)
    shutil.rmtree(tmp_path / "sys/class")
    link(tmp_path, "sys/bus/i2c/drivers/ina3221/1-0040", "/" + str(Path(CHIP).parents[1]))
    before = snapshot(tmp_path)
    assert setup(tmp_path).returncode == 0
    assert set(INPUTS) < changes(before, snapshot(tmp_path)).keys()


@as_root
@pytest.mark.parametrize("l4t", [35, 36])
def test_nothing_becomes_readable_for_the_world_or_writable(tmp_path: Path, l4t: int) -> None:
    before = snapshot(board(tmp_path, l4t))
    assert setup(tmp_path).returncode == 0
    for path, (mode, _, _) in snapshot(tmp_path).items():
        assert mode & 0o007 == before[path][0] & 0o007, path
        assert mode & 0o222 & ~before[path][0] == 0, path


@as_root
def test_a_second_run_has_nothing_to_do(tmp_path: Path) -> None:
    board(tmp_path, 35)
    assert "nothing to do" not in setup(tmp_path).stdout
    before = snapshot(tmp_path)
    again = setup(tmp_path)
    assert (again.returncode, again.stderr) == (0, "")
    assert again.stdout.endswith("nothing to do\n")
    assert snapshot(tmp_path) == before


@as_root
@pytest.mark.parametrize("runs", [1, 2])
def test_revert_restores_what_was_there(tmp_path: Path, runs: int) -> None:
    before = snapshot(board(tmp_path, 35))
    for _ in range(runs):
        setup(tmp_path)
    done = setup(tmp_path, "--revert")
    assert (done.returncode, done.stderr) == (0, "")
    assert snapshot(tmp_path) == before
    assert not any((tmp_path / "run").iterdir())
    assert setup(tmp_path, "--revert").stdout == "nothing to do\n"


@as_root
def test_revert_goes_back_past_a_change_of_the_group(tmp_path: Path) -> None:
    before = snapshot(board(tmp_path, 35))
    second = next(g.gr_name for g in grp.getgrall() if g.gr_gid not in (0, GID))
    assert setup(tmp_path, group=second).returncode == 0
    assert setup(tmp_path).returncode == 0
    assert snapshot(tmp_path)[INPUTS[0]] == (0o440, 0, GID)
    assert setup(tmp_path, "--revert").returncode == 0
    assert snapshot(tmp_path) == before


@as_root
def test_revert_leaves_what_somebody_else_changed_since(tmp_path: Path) -> None:
    board(tmp_path, 35)
    setup(tmp_path)
    (tmp_path / INPUTS[0]).chmod(0o444)
    done = setup(tmp_path, "--revert")
    assert done.returncode == 0
    assert snapshot(tmp_path)[INPUTS[0]] == (0o444, 0, GID)
    assert snapshot(tmp_path)[INPUTS[1]] == (0o400, 0, 0)


@as_root
def test_a_node_that_another_group_may_read_is_left_to_it(tmp_path: Path) -> None:
    board(tmp_path, 35)
    other = next(g.gr_gid for g in grp.getgrall() if g.gr_gid not in (0, GID))
    os.chown(tmp_path / INPUTS[0], 0, other)
    (tmp_path / INPUTS[0]).chmod(0o440)
    done = setup(tmp_path)
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1 and INPUTS[0] in done.stderr
    assert snapshot(tmp_path)[INPUTS[0]] == (0o440, 0, other)
    assert snapshot(tmp_path)[INPUTS[1]] == (0o440, 0, GID)


@as_root
def test_install_lasts_and_uninstall_leaves_no_trace(tmp_path: Path) -> None:
    before = snapshot(board(tmp_path, 35))
    done = setup(tmp_path, "--install")
    assert (done.returncode, done.stderr) == (0, "")
    assert (tmp_path / INSTALLED).read_bytes() == SCRIPT.read_bytes()
    assert stat.S_IMODE((tmp_path / INSTALLED).stat().st_mode) == 0o755
    unit = (tmp_path / UNIT).read_text().splitlines()
    assert [line for line in unit if line.startswith("Exec")] == [
        f"ExecStart=/{INSTALLED} --group {GROUP}"
    ]
    for line in ("Type=oneshot", "RemainAfterExit=yes", "After=sys-kernel-debug.mount"):
        assert line in unit
    assert (tmp_path / WANTS).resolve() == (tmp_path / UNIT).resolve()
    assert snapshot(tmp_path)[INPUTS[0]] == (0o440, 0, GID)

    # The copy installs itself again: it has no template but the unit.
    for script in (SCRIPT, tmp_path / INSTALLED):
        again = setup(tmp_path, "--install", script=script)
        assert (again.returncode, again.stderr) == (0, "")
        assert again.stdout.endswith("nothing to do\n")

    done = setup(tmp_path, "--uninstall", script=tmp_path / INSTALLED)
    assert (done.returncode, done.stderr) == (0, "")
    after = snapshot(tmp_path)
    assert {path: after[path] for path in before} == before
    assert all((tmp_path / path).is_dir() for path in after.keys() - before.keys())


@as_root
def test_uninstall_knows_where_install_put_the_script(tmp_path: Path) -> None:
    board(tmp_path, 36)
    assert setup(tmp_path, "--install", "--prefix", "/opt/tools").returncode == 0
    assert (tmp_path / "opt/tools/sbin/setup_fastnvmetrics.sh").is_file()
    assert setup(tmp_path, "--uninstall").returncode == 0
    assert not list((tmp_path / "opt/tools/sbin").iterdir())


@as_root
@pytest.mark.skipif(shutil.which("groupadd") is None, reason="no groupadd")
def test_groups_and_users_are_those_of_the_tree(tmp_path: Path) -> None:
    board(tmp_path, 36)
    make(tmp_path, "etc/passwd", "jetson:x:4321:4321::/:/bin/sh\n", mode=0o644)
    done = setup(tmp_path, "--user", "jetson", group="fnvm_test_group")
    assert (done.returncode, done.stderr) == (0, "")
    assert "log in again" in done.stdout
    name, _, gid, members = (tmp_path / "etc/group").read_text().rstrip("\n").split(":")
    assert (name, members) == ("fnvm_test_group", "jetson")
    assert (tmp_path / DEBUG).stat().st_gid == int(gid)
    assert not [g for g in grp.getgrall() if g.gr_name == "fnvm_test_group"]
    again = setup(tmp_path, "--user", "jetson", group="fnvm_test_group")
    assert again.stdout.endswith("nothing to do\n")

    unknown = setup(tmp_path, "--user", "nobody_of_that_name", group="fnvm_test_group")
    assert (unknown.returncode, unknown.stdout) == (1, "")


@as_root
def test_links_that_lead_out_of_the_root_are_refused(tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    make(outside, "secret", mode=0o400)
    make(outside, "hwmon/name", "ina3221\n")
    make(outside, "hwmon/in1_input", mode=0o400)
    root = board(tmp_path / "root", 36)
    make(root, "etc/shadow", mode=0o400)
    nodes = [
        f"{DEBUG}/cactmon/mc_all",
        f"{DEBUG}/clk/emc/clk_rate",
        f"{DEBUG}/bpmp/debug/clk/emc/rate",
    ]
    for node in nodes:
        (root / node).unlink()
    link(root, nodes[0], "../../../../../outside/secret")
    link(root, nodes[1], str(outside / "secret"))
    link(root, nodes[2], "/etc/shadow")
    link(root, "sys/class/hwmon/hwmon9", "../../../../outside/hwmon")
    before = snapshot(tmp_path)
    done = setup(root)
    assert done.returncode == 1
    assert nodes[0] in done.stderr and nodes[2] in done.stderr and "hwmon9" in done.stderr
    # An absolute link starts at the root again, where nothing is.
    assert f"absent   {root}/{nodes[1]}" in done.stdout
    assert {p: v for p, v in snapshot(tmp_path).items() if "root/run" not in p} == before


@as_root
def test_nothing_of_ours_is_written_through_a_link_out_of_the_root(tmp_path: Path) -> None:
    root = board(tmp_path / "root", 36)
    (tmp_path / "outside").mkdir()
    link(root, "etc", "../outside")
    link(root, "usr", str(tmp_path / "outside"))
    assert setup(root, "--install").returncode == 1
    assert not list((tmp_path / "outside").iterdir())


@as_root
def test_odd_names_are_only_names(tmp_path: Path) -> None:
    root = board(tmp_path / "a root; $(touch x) *", 36)
    odd = "sys/devices/i2c/1 0'$(touch y)` \\*"
    make(root, f"{odd}/name", "ina3221\n")
    make(root, f"{odd}/in1_label", "RAIL\n")
    make(root, f"{odd}/in1_input", mode=0o400)
    link(root, "sys/class/hwmon/hwmon 7 *", f"../../../{odd}")
    before = snapshot(root)
    done = setup(root)
    assert (done.returncode, done.stderr) == (0, "")
    assert snapshot(root)[f"{odd}/in1_input"] == (0o440, 0, GID)
    assert setup(root, "--revert").returncode == 0
    assert snapshot(root) == before


@as_root
def test_without_root_it_says_so_in_one_line(tmp_path: Path) -> None:
    if subprocess.run([str(SCRIPT), "--help"], user=65534, capture_output=True).returncode:
        pytest.skip("the source tree is closed to other users")
    done = setup(tmp_path, user=65534)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.count("\n") == 1
    assert "root" in done.stderr and "--dry-run" in done.stderr


@pytest.mark.skipif(os.geteuid() == 0, reason="runs as root")
def test_a_normal_user_is_told_to_use_sudo(tmp_path: Path) -> None:
    done = setup(tmp_path)
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (1, "", 1)


@pytest.mark.parametrize("l4t", [35, 36])
@pytest.mark.parametrize("action", [(), ("--install",)])
def test_a_dry_run_prints_commands_and_changes_nothing(
    tmp_path: Path, l4t: int, action: tuple[str, ...]
) -> None:
    before = snapshot(board(tmp_path, l4t))
    done = setup(tmp_path, "--dry-run", *action, group="fnvm_test_group")
    assert (done.returncode, done.stderr) == (0, "")
    assert snapshot(tmp_path) == before
    assert not (tmp_path / "run").exists()
    commands = [line for line in done.stdout.splitlines() if not line.startswith("#")]
    assert f"chgrp -h fnvm_test_group -- {tmp_path}/{DEBUG}" in commands
    assert f"chmod g=x -- {tmp_path}/{DEBUG}" in commands
    for path in INPUTS:
        assert (f"chmod g=r -- {tmp_path}/{path}" in commands) == (l4t == 35)
    assert any(INSTALLED in line for line in commands) == bool(action)


@as_root
def test_the_commands_of_a_dry_run_do_what_a_run_does(tmp_path: Path) -> None:
    dry, wet = board(tmp_path / "dry", 35), board(tmp_path / "wet", 35)
    script = setup(dry, "--dry-run").stdout
    subprocess.run(["bash", "-eu", "-c", script], check=True)
    assert setup(wet).returncode == 0
    assert snapshot(dry) == snapshot(wet)


def test_absent_nodes_are_reported_and_no_failure(tmp_path: Path) -> None:
    (tmp_path / "sys").mkdir()
    done = setup(tmp_path, "--dry-run")
    assert (done.returncode, done.stderr) == (0, "")
    for node in ("cactmon/mc_all", "bpmp/debug/clk/emc/rate", "clk/emc/clk_rate"):
        assert f"absent   {tmp_path}/{DEBUG}/{node}" in done.stdout
    assert "no hwmon device is called ina3221" in done.stdout
    assert done.stdout.endswith("nothing to do\n")


def test_directories_stay_closed_where_no_node_is_behind_them(tmp_path: Path) -> None:
    board(tmp_path, 36)
    for name in ("cactmon", "bpmp", "clk"):
        shutil.rmtree(tmp_path / DEBUG / name)
    assert setup(tmp_path, "--dry-run").stdout.endswith("nothing to do\n")


@pytest.mark.parametrize(
    "wrong",
    [
        ["--no-such-option"],
        ["--group"],
        ["--group", "a:b"],
        ["--group="],
        ["--user", "-x"],
        ["--install", "--revert"],
        ["--revert", "--user", "me"],
        ["--prefix", "/usr"],
        ["--install", "--prefix", "relative"],
        ["--install", "--prefix", "/a b"],
        ["--install", "--prefix", "/opt/../etc"],
    ],
    ids=" ".join,
)
def test_wrong_usage_is_one_line_and_has_its_own_exit_code(
    tmp_path: Path, wrong: list[str]
) -> None:
    done = subprocess.run([str(SCRIPT), *wrong], capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (2, "", 1)


def test_a_root_that_is_no_directory_is_one_line(tmp_path: Path) -> None:
    done = setup(tmp_path / "missing", "--dry-run")
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (1, "", 1)


def test_help_tells_what_else_the_group_can_reach() -> None:
    done = subprocess.run([str(SCRIPT), "--help"], capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stderr) == (0, "")
    assert "WARNING" in done.stdout and "debugfs" in done.stdout


@pytest.mark.skipif(shutil.which("shellcheck") is None, reason="no shellcheck")
def test_shellcheck_has_nothing_to_say() -> None:
    subprocess.run(["shellcheck", str(SCRIPT)], check=True, timeout=60)
