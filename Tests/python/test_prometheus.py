"""A real Prometheus server that scrapes `fastnvmetrics serve`; skipped where there is none."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from fastnvmetrics.simulate import Simulator

pytest.importorskip("prometheus_client")

PROJECT = Path(__file__).resolve().parents[2]
FLEET = PROJECT / "Examples/fleet"

needs_prometheus = pytest.mark.skipif(
    shutil.which("prometheus") is None, reason="prometheus is not installed"
)
needs_promtool = pytest.mark.skipif(
    shutil.which("promtool") is None, reason="promtool is not installed"
)

CONFIGURATION = """
scrape_configs:
  - job_name: fastnvmetrics
    scrape_interval: 500ms
    scrape_timeout: 500ms
    params: {scraper: [test]}
    static_configs: [{targets: ["ADDRESS"]}]
"""


def metric_names(text: str) -> set[str]:
    """Every name of ours in PromQL, of a series that `serve` has."""
    return set(re.findall(r"(?<![:\w])fastnvmetrics_\w+(?![:\w])", text))


class Servers:
    """`serve` on a simulated board, and Prometheus that scrapes it twice a second."""

    def __init__(self, directory: Path, root: str) -> None:
        self.processes: list[subprocess.Popen[str]] = []
        (directory / "run").mkdir()
        serve = subprocess.Popen(
            [
                sys.executable,
                "-m",
                "fastnvmetrics",
                "serve",
                "--root",
                root,
                "--listen",
                "127.0.0.1:0",
            ],
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, "RUNTIME_DIRECTORY": str(directory / "run")},
        )
        self.processes.append(serve)
        assert serve.stderr is not None
        self.target = (
            serve.stderr.readline().removeprefix("fastnvmetrics: metrics at http://").split("/")[0]
        )
        (directory / "prometheus.yml").write_text(CONFIGURATION.replace("ADDRESS", self.target))
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        log = (directory / "log").open("w")
        prometheus = subprocess.Popen(
            [
                "prometheus",
                f"--config.file={directory}/prometheus.yml",
                f"--storage.tsdb.path={directory}/data",
                f"--web.listen-address=127.0.0.1:{self.port}",
            ],
            stdout=log,
            stderr=log,
            text=True,
        )
        log.close()
        self.processes.append(prometheus)

    def query(self, text: str) -> dict[tuple[str, ...], float]:
        """Answer a question: by the values of the labels that are no instance or job."""
        url = f"http://127.0.0.1:{self.port}/api/v1/query?" + urllib.parse.urlencode(
            {"query": text}
        )
        with urllib.request.urlopen(url, timeout=30) as answer:
            result: list[dict[str, Any]] = json.load(answer)["data"]["result"]
        return {
            tuple(
                v
                for k, v in sorted(row["metric"].items())
                if k not in ("__name__", "instance", "job")
            ): float(row["value"][1])
            for row in result
        }

    def wait_for(self, text: str) -> dict[tuple[str, ...], float]:
        """Ask until there is an answer."""
        deadline = time.monotonic() + 60
        while True:
            assert all(process.poll() is None for process in self.processes)
            try:
                found = self.query(text)
            except (urllib.error.URLError, ConnectionError):
                found = {}
            if found:
                return found
            assert time.monotonic() < deadline, text
            time.sleep(0.1)

    def close(self) -> None:
        for process in self.processes:
            process.send_signal(signal.SIGTERM)
        for process in self.processes:
            try:
                process.communicate(timeout=30)
            except subprocess.TimeoutExpired:
                process.kill()
                process.communicate()


@pytest.fixture(scope="module")
def board(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Simulator]:
    with Simulator(tmp_path_factory.mktemp("board") / "root", board="orin_nx") as simulator:
        yield simulator


@pytest.fixture(scope="module")
def servers(board: Simulator, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Servers]:
    servers = Servers(tmp_path_factory.mktemp("servers"), board.root)
    try:
        # Whole waves of the board, and more than the two seconds of a rate.
        servers.wait_for("count_over_time(fastnvmetrics_module_energy_joules_total[1m]) >= 6")
        yield servers
    finally:
        servers.close()


@needs_prometheus
def test_prometheus_sees_the_peaks_between_its_scrapes(servers: Servers, board: Simulator) -> None:
    gpu = board.truth.changes("gpu_load")[:, 0] / 1000
    [most] = servers.query("max_over_time(fastnvmetrics_gpu_utilization_max_ratio[1m])").values()
    [least] = servers.query("min_over_time(fastnvmetrics_gpu_utilization_min_ratio[1m])").values()
    assert (least, most) == pytest.approx((min(gpu), max(gpu)))
    peaks = servers.query("max_over_time(fastnvmetrics_rail_current_max_amperes[1m])")
    for rail in board.truth.facts["power_rails"]:
        amperes = board.truth.changes(f"current_ma/{rail}")[:, 0] / 1000
        assert peaks[(rail,)] == pytest.approx(max(amperes))


@needs_prometheus
def test_the_rate_of_the_joules_is_the_power(servers: Servers, board: Simulator) -> None:
    watts = servers.query("rate(fastnvmetrics_rail_energy_joules_total[2s])")
    means = servers.query("avg_over_time(fastnvmetrics_rail_power_watts[2s])")
    truth = board.truth
    for rail in truth.facts["power_rails"]:
        milliamperes = truth.changes(f"current_ma/{rail}")[:, 0]
        millivolts = truth.changes(f"voltage_mv/{rail}")[:, 0]
        least = milliamperes.min() * millivolts.min() / 1e6
        most = milliamperes.max() * millivolts.max() / 1e6
        assert least < watts[(rail,)] < most
        # Waves of about a second, over a few of them.
        assert watts[(rail,)] == pytest.approx(means[(rail,)], abs=0.5 * (most - least))
    [module] = servers.query("rate(fastnvmetrics_module_energy_joules_total[2s])").values()
    assert module == pytest.approx(watts[("VDD_IN",)], rel=0.3)
    [up] = servers.query("up").values()
    assert up == 1


@needs_prometheus
def test_every_series_of_the_dashboard_the_rules_and_the_guide_is_there(servers: Servers) -> None:
    there = {
        name
        for name in json.load(
            urllib.request.urlopen(
                f"http://127.0.0.1:{servers.port}/api/v1/label/__name__/values", timeout=30
            )
        )["data"]
        if name.startswith("fastnvmetrics_")
    }
    for path in (FLEET / "dashboard.json", FLEET / "rules.yml", PROJECT / "docs/fleet.md"):
        names = metric_names(path.read_text())
        assert names, path
        assert names <= there, path


@needs_prometheus
def test_every_question_of_the_dashboard_has_an_answer(servers: Servers) -> None:
    dashboard = json.loads((FLEET / "dashboard.json").read_text())
    asked = 0
    for panel in dashboard["panels"]:
        for target in panel["targets"]:
            question = target["expr"].replace("$instance", ".*")
            assert servers.query(question), question
            asked += 1
    assert asked >= 20


def test_the_dashboard_can_be_imported() -> None:
    dashboard = json.loads((FLEET / "dashboard.json").read_text())
    [source] = dashboard["__inputs"]
    assert (source["type"], source["pluginId"]) == ("datasource", "prometheus")
    assert len({panel["id"] for panel in dashboard["panels"]}) == len(dashboard["panels"])
    for panel in dashboard["panels"]:
        assert panel["datasource"]["uid"] == f"${{{source['name']}}}"
        assert 0 <= panel["gridPos"]["x"] and panel["gridPos"]["x"] + panel["gridPos"]["w"] <= 24


@needs_promtool
def test_promtool_accepts_configuration_and_rules() -> None:
    done = subprocess.run(
        ["promtool", "check", "config", str(FLEET / "prometheus.yml")],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr
