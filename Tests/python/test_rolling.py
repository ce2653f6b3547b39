"""What `serve` is made of, at moments that take minutes to come by themselves."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

import fastnvmetrics as fm

pytest.importorskip("prometheus_client")

from fastnvmetrics.serving import exporter as exporter_module  # noqa: E402
from fastnvmetrics.continuous.rolling import RollingRecording  # noqa: E402
from fastnvmetrics.serving.exporter import Exporter  # noqa: E402


def exported(families: list[object]) -> dict[str, float]:
    return {
        sample.name: sample.value
        for family in families
        for sample in family.samples  # type: ignore[attr-defined]
    }


def test_the_disk_holds_two_traces_at_most_and_counters_go_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    board = fm.get_board_config("generic_linux")
    exporter: Exporter
    rolling = RollingRecording(
        str(tmp_path),
        lambda path: fm.NVMetrics(path, board=board),
        lambda path: exporter.go_on(path),
    )
    nv = rolling.recorder
    with nv:
        exporter = Exporter(
            rolling.path, lambda: nv.counts, lambda: nv.stats["cpu_s"], {"board": "x"}
        )
        seen = 0.0
        for _ in range(3):
            rolling._due = time.monotonic()
            before = rolling.path
            rolling.rotate_if_due()
            assert rolling.path != before
            assert [name for name in os.listdir(tmp_path) if name.endswith(".bin")] == [
                os.path.basename(rolling.path)
            ]
            values = exported(exporter.scrape("me"))
            assert values["fastnvmetrics_samples_total"] >= seen
            seen = values["fastnvmetrics_samples_total"]
        rolling.rotate_if_due()
    exporter.update()
    fast = next(
        family for family in exporter.scrape("me") if family.name == "fastnvmetrics_samples"
    ).samples[0]
    assert fast.labels == {"tier": "fast"}
    assert fast.value == nv.counts["fast_samples"]

    # The recording has stopped: what was true is told no longer.
    monkeypatch.setattr(exporter_module, "SILENT_AFTER", 0.0)
    values = exported(exporter.scrape("other"))
    assert values["fastnvmetrics_recording"] == 0
    assert "fastnvmetrics_cpu_utilization_ratio" not in values
    assert "fastnvmetrics_memory_used_bytes" not in values
    exporter.close()


def test_a_scraper_that_was_away_for_long_is_forgotten(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a.bin"
    with fm.NVMetrics(path, board=fm.get_board_config("generic_linux")) as nv:
        while nv.sample_count < 300:
            time.sleep(0.01)
    exporter = Exporter(str(path), lambda: nv.counts, lambda: 0.0, {})
    assert exported(exporter.scrape("me"))["fastnvmetrics_window_seconds"] > 0.2
    assert exported(exporter.scrape("me"))["fastnvmetrics_window_seconds"] == 0
    monkeypatch.setattr(exporter_module, "FORGOTTEN_AFTER", 0.0)
    assert exported(exporter.scrape("me"))["fastnvmetrics_window_seconds"] > 0.2
    exporter.close()


def test_a_rotation_that_fails_is_tried_again(tmp_path: Path) -> None:
    board = fm.get_board_config("generic_linux")
    rolling = RollingRecording(
        str(tmp_path), lambda path: fm.NVMetrics(path, board=board), lambda path: None
    )
    with rolling.recorder:
        rolling._due = time.monotonic()
        (tmp_path / "00000002.bin").mkdir()
        with pytest.raises(OSError):
            rolling.rotate_if_due()
        assert rolling.path.endswith("00000001.bin")
        assert not rolling.rotate_if_due(), "not at once"
        rolling._not_before = 0.0
        assert rolling.rotate_if_due()
        assert rolling.path.endswith("00000003.bin")
