"""`fastnvmetrics serve`, asked as Prometheus asks it."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner

import command
from fastnvmetrics.cli.app import commands
from fastnvmetrics.simulate import Simulator

pytest.importorskip("prometheus_client")

from prometheus_client.parser import text_string_to_metric_families  # noqa: E402

Values = dict[tuple[str, str], float]


class Serve:
    """A server that runs for the length of a block."""

    def __init__(
        self, root: str, runtime: Path, *options: str, listen: str = "127.0.0.1:0"
    ) -> None:
        runtime.mkdir(exist_ok=True)
        self.runtime = runtime
        self.process = subprocess.Popen(
            [
                sys.executable,
                "-m",
                "fastnvmetrics",
                "serve",
                "--root",
                root,
                "--listen",
                listen,
                *options,
            ],
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, "RUNTIME_DIRECTORY": str(runtime)},
        )
        assert self.process.stderr is not None
        line = self.process.stderr.readline()
        found = re.fullmatch(r"fastnvmetrics: metrics at (http://(.*)/metrics)\n", line)
        assert found is not None, line + self.process.stderr.read()
        self.url, self.address = found[1], found[2]

    def text(self, query: str = "", accept: str = "text/plain") -> str:
        request = urllib.request.Request(self.url + query, headers={"Accept": accept})
        with urllib.request.urlopen(request, timeout=30) as answer:
            text: str = answer.read().decode()
        return text

    def values(self, query: str = "") -> Values:
        """By name and the value of the only label, if there is one."""
        return {
            (sample.name, next(iter(sample.labels.values()), "")): sample.value
            for family in text_string_to_metric_families(self.text(query))  # type: ignore[no-untyped-call]
            for sample in family.samples
            if sample.name != "fastnvmetrics_info"
        }

    def wait_for_seconds(self, seconds: float, query: str = "?scraper=wait") -> None:
        """Wait until that much of the recording has been seen."""
        deadline = time.monotonic() + 60
        while seconds > 0:
            assert time.monotonic() < deadline
            time.sleep(0.05)
            seconds -= self.values(query).get(("fastnvmetrics_window_seconds", ""), 0.0)

    def __enter__(self) -> Serve:
        return self

    def __exit__(self, *reason: object) -> None:
        self.process.kill()
        self.process.communicate(timeout=30)


@pytest.fixture(scope="module")
def board(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Simulator]:
    with Simulator(tmp_path_factory.mktemp("board") / "root", board="agx_orin") as simulator:
        yield simulator


@pytest.fixture(scope="module")
def serve(board: Simulator, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Serve]:
    with Serve(board.root, tmp_path_factory.mktemp("run")) as server:
        server.wait_for_seconds(2.2)
        yield server


def test_least_and_most_are_the_boards(serve: Serve, board: Simulator) -> None:
    values = serve.values("?scraper=truth")
    truth = board.truth
    gpu = truth.changes("gpu_load")[:, 0] / 1000
    assert values["fastnvmetrics_gpu_utilization_min_ratio", ""] == pytest.approx(min(gpu))
    assert values["fastnvmetrics_gpu_utilization_max_ratio", ""] == pytest.approx(max(gpu))
    assert min(gpu) < values["fastnvmetrics_gpu_utilization_ratio", ""] < max(gpu)
    for rail in truth.facts["power_rails"]:
        amperes = truth.changes(f"current_ma/{rail}")[:, 0] / 1000
        assert values["fastnvmetrics_rail_current_max_amperes", rail] == pytest.approx(max(amperes))
        power = values["fastnvmetrics_rail_power_watts", rail]
        assert values["fastnvmetrics_rail_power_min_watts", rail] < power
        assert power < values["fastnvmetrics_rail_power_max_watts", rail]
    for core, duty in enumerate(truth.duty_percent / 100):
        mean = values["fastnvmetrics_cpu_core_utilization_ratio", str(core)]
        assert mean == pytest.approx(duty, abs=0.05)
    assert values["fastnvmetrics_memory_used_bytes", ""] + values[
        "fastnvmetrics_memory_available_bytes", ""
    ] == pytest.approx(truth.facts["mem_total_kb"] * 1024, rel=1e-6)
    for zone in truth.facts["thermal_zones"]:
        assert 20 < values["fastnvmetrics_temperature_celsius", zone] < 100
    assert values["fastnvmetrics_recording", ""] == 1


def test_joules_grow_with_the_power(serve: Serve) -> None:
    serve.values("?scraper=other")
    before = serve.values("?scraper=joules")
    serve.wait_for_seconds(1.0, "?scraper=other")
    after = serve.values("?scraper=joules")
    names = [key for key in before if "joules_total" in key[0]]
    assert len(names) == 5
    seconds = after["fastnvmetrics_window_seconds", ""]
    for name, rail in names:
        power = after[
            ("fastnvmetrics_rail_power_watts", rail)
            if rail
            else ("fastnvmetrics_module_power_watts", "")
        ]
        joules = after[name, rail] - before[name, rail]
        # The two tiers reach the files up to 0.15 s apart.
        assert joules / power == pytest.approx(seconds, abs=0.5)
    assert (
        after["fastnvmetrics_samples_total", "fast"] > before["fastnvmetrics_samples_total", "fast"]
    )


def test_each_scraper_has_a_window_of_its_own(serve: Serve) -> None:
    first = serve.values("?scraper=a")["fastnvmetrics_window_seconds", ""]
    assert first > 2, "since the start"
    serve.values("?scraper=b2")
    serve.wait_for_seconds(0.6, "?scraper=b2")
    other = serve.values("?scraper=b")["fastnvmetrics_window_seconds", ""]
    mine = serve.values("?scraper=a")["fastnvmetrics_window_seconds", ""]
    assert mine < other
    assert first + mine >= other, "from the start to when it was asked last"


def test_the_first_of_too_many_scrapers_is_forgotten(serve: Serve) -> None:
    serve.values("?scraper=kept")
    for number in range(16):
        serve.values(f"?scraper=many{number}")
    window = serve.values("?scraper=kept")["fastnvmetrics_window_seconds", ""]
    assert window > 2, "since the start again"


def test_a_window_without_samples_has_no_values(serve: Serve) -> None:
    for _ in range(100):  # two questions within the 75 ms between two writes
        serve.values("?scraper=quick")
        values = serve.values("?scraper=quick")
        if ("fastnvmetrics_rail_power_watts", "VDD_CPU_CV") not in values:
            assert ("fastnvmetrics_rail_energy_joules_total", "VDD_CPU_CV") in values
            return
    pytest.fail("each window had samples")


def test_openmetrics_gzip_and_names_are_those_of_the_official_client(serve: Serve) -> None:
    from prometheus_client.openmetrics.parser import text_string_to_metric_families as parsed

    text = serve.text(accept="application/openmetrics-text; version=1.0.0")
    families = {family.name: family for family in parsed(text)}  # type: ignore[no-untyped-call]
    assert families["fastnvmetrics_module_energy_joules"].type == "counter"
    info = families["fastnvmetrics"].samples[0].labels
    assert info["board"] == "agx_orin"
    assert "AGX Orin" in info["model"]
    assert info["version"]
    only = serve.values("?scraper=named&name[]=fastnvmetrics_recording")
    assert list(only) == [("fastnvmetrics_recording", "")]
    request = urllib.request.Request(serve.url, headers={"Accept-Encoding": "gzip"})
    with urllib.request.urlopen(request, timeout=30) as answer:
        assert answer.headers["Content-Encoding"] == "gzip"


def test_what_is_not_there_is_said(serve: Serve) -> None:
    base = serve.url.removesuffix("/metrics")
    with urllib.request.urlopen(base, timeout=30) as answer:
        assert b"/metrics" in answer.read()
    for path, method, code in (("/secret", "GET", 404), ("/metrics", "POST", 405)):
        request = urllib.request.Request(base + path, method=method)
        with pytest.raises(urllib.error.HTTPError) as error:
            urllib.request.urlopen(request, timeout=30)
        assert error.value.code == code
        error.value.close()


def test_clients_that_say_nothing_keep_nobody_waiting(serve: Serve) -> None:
    host, port = serve.address.rsplit(":", 1)
    silent = [socket.create_connection((host, int(port)), timeout=30) for _ in range(20)]
    assert serve.values("?scraper=busy")
    for connection in silent:
        connection.close()


def test_a_port_in_use_is_one_line_and_exit_code_1(
    serve: Serve, board: Simulator, tmp_path: Path
) -> None:
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "fastnvmetrics",
            "serve",
            "--root",
            board.root,
            "--listen",
            serve.address,
        ],
        capture_output=True,
        text=True,
        timeout=60,
        env={**os.environ, "RUNTIME_DIRECTORY": str(tmp_path)},
    )
    assert done.returncode == 1
    assert done.stderr == f"fastnvmetrics: {serve.address}: Address already in use\n"
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize("host", ["a..b", "a" * 300])
def test_a_name_that_no_host_can_have_is_one_line(host: str, tmp_path: Path) -> None:
    done = command.run(
        "serve",
        "--board",
        "generic_linux",
        "--listen",
        f"{host}:9777",
        env={**os.environ, "RUNTIME_DIRECTORY": str(tmp_path)},
    )
    assert done.returncode == 1
    assert done.stderr == f"fastnvmetrics: {host}:9777: not the name of a host\n"
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize("address", ["x", "127.0.0.1", "127.0.0.1:99999", "::1:80", "[::1]", ""])
def test_an_address_that_is_none_is_wrong_usage(address: str) -> None:
    assert CliRunner().invoke(commands, ["serve", "--listen", address]).exit_code == 2


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_it_ends_cleanly_and_leaves_nothing(board: Simulator, tmp_path: Path, number: int) -> None:
    listen = "127.0.0.1:0"
    if number == signal.SIGINT and socket.has_ipv6:
        with socket.socket(socket.AF_INET6) as probe:
            try:
                probe.bind(("::1", 0))
                listen = "[::1]:0"
            except OSError:
                pass  # a machine without IPv6
    with Serve(board.root, tmp_path, listen=listen) as server:
        assert server.values()
        assert len(os.listdir(tmp_path)) == 1
        server.process.send_signal(number)
        _, errors = server.process.communicate(timeout=60)
        assert (server.process.returncode, errors) == (0, "")
    assert os.listdir(tmp_path) == []


def test_what_a_killed_server_left_is_removed_by_the_next(board: Simulator, tmp_path: Path) -> None:
    with Serve(board.root, tmp_path) as server:
        left = os.listdir(tmp_path)
        server.process.kill()
        server.process.wait(timeout=30)
    with Serve(board.root, tmp_path) as server:
        assert len(os.listdir(tmp_path)) == 1
        assert os.listdir(tmp_path) != left
