"""Many traces as one dataset, read by DuckDB, polars and pyarrow as it stands."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import fastnvmetrics as fm
from export_scene import META, REALTIME_NS, write_trace
from fastnvmetrics.export import _figures, export_dataset
from fastnvmetrics.export._source import Source

pytest.importorskip("pyarrow")
TABLES = {"fast", "rails", "zones", "marks", "phases", "runs"}
DAY_NS = 86_400 * 10**9


def fleet(directory: Path, count: int = 50) -> list[Path]:
    """Traces of two boards on five devices and ten days."""
    traces = []
    for number in range(count):
        nano = number % 2
        meta: dict[str, Any] = {**META, "board": {**META["board"], "host": f"bench {number % 5}/µ"}}
        if nano:
            meta["rails"] = [{"label": "VDD_IN", "in_total": True}]
        path = write_trace(
            directory / f"run{number:02}.bin",
            300,
            100,
            10,
            meta=meta,
            late=False,
            start_realtime_ns=REALTIME_NS + number // 5 * DAY_NS + number,
            board_name=b"orin_nano" if nano else b"agx_orin",
            num_cpu_cores=6 if nano else 12,
            num_power_rails=1 if nano else 2,
            power_rail_names=[b"VDD_IN"] if nano else [b"RAIL_A", b"RAIL_B"],
        )
        traces.append(path)
    return traces


def files(directory: Path) -> list[str]:
    return sorted(
        os.path.relpath(os.path.join(where, name), directory)
        for where, _, names in os.walk(directory)
        for name in names
    )


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[Path], list[str]]:
    directory = tmp_path_factory.mktemp("fleet")
    traces = fleet(directory)
    return directory / "ds", traces, export_dataset(traces, directory / "ds")


def test_duckdb_queries_fifty_traces_in_one_statement(
    dataset: tuple[Path, list[Path], list[str]],
) -> None:
    duckdb = pytest.importorskip("duckdb")
    directory, traces, runs = dataset
    assert len(set(runs)) == 50
    rows = duckdb.sql(
        f"""
        SELECT device, board, count(DISTINCT run), sum(power_mw) FILTER (in_total)
        FROM '{directory}/rails/**/*.parquet'
        JOIN '{directory}/runs/**/*.parquet' USING (run, device, date)
        WHERE date >= DATE '2024-05-07' GROUP BY ALL ORDER BY ALL
        """
    ).fetchall()
    told: dict[tuple[str, str], list[float]] = {}
    for number, path in enumerate(traces):
        if number < 5:  # the first day
            continue
        data = fm.read_trace(path)
        key = (f"bench {number % 5}/µ", data["board_name"])
        told.setdefault(key, []).append(float(data["power_mw"][:, 0].astype(np.float64).sum()))
    assert [row[:3] for row in rows] == [
        (*key, len(values)) for key, values in sorted(told.items())
    ]
    np.testing.assert_allclose([row[3] for row in rows], [sum(told[key]) for key in sorted(told)])
    ((count,),) = duckdb.sql(f"SELECT count(*) FROM '{directory}/fast/**/*.parquet'").fetchall()
    assert count == 50 * 300
    ((cores,),) = duckdb.sql(
        f"SELECT max(len(cpu_util)) FROM '{directory}/fast/**/*.parquet' WHERE device = 'bench 1/µ'"
    ).fetchall()
    assert cores == 12


def test_polars_and_pyarrow_read_it_as_it_stands(
    dataset: tuple[Path, list[Path], list[str]],
) -> None:
    polars = pytest.importorskip("polars")
    import pyarrow.dataset

    directory, traces, runs = dataset
    found = pyarrow.dataset.dataset(directory / "zones", partitioning="hive").to_table()
    assert found.num_rows == 50 * 10 * 3
    assert set(found["device"].to_pylist()) == {f"bench {n}/µ" for n in range(5)}
    assert set(found["run"].to_pylist()) == set(runs)
    frame = polars.scan_parquet(directory / "runs", hive_partitioning=True).sort("begin").collect()
    assert frame["source"].to_list() == [path.name for path in traces]
    assert frame["device"].to_list()[7] == "bench 2/µ" and str(frame["date"][7]) == "2024-05-07"
    assert frame["run"].to_list() == runs


def test_every_board_has_the_same_columns(dataset: tuple[Path, list[Path], list[str]]) -> None:
    import pyarrow.parquet

    directory = dataset[0]
    assert {path.name for path in directory.iterdir()} == TABLES
    for table in TABLES:
        schemas = [
            pyarrow.parquet.read_schema(path) for path in (directory / table).rglob("*.parquet")
        ]
        assert len(schemas) == 50
        assert all(schema.equals(schemas[0]) for schema in schemas)


def test_figures_are_those_of_a_summary(tmp_path: Path) -> None:
    import pyarrow.parquet

    path = write_trace(tmp_path / "run.bin", board_name=b"orin_nx")
    (run,) = export_dataset(path, tmp_path / "ds")
    where = "device=bench-1/date=2024-05-06"
    summary = fm.summarize(path)
    (row,) = (
        pyarrow.parquet.ParquetFile(tmp_path / f"ds/runs/{where}/{run}.parquet").read().to_pylist()
    )
    whole = summary.whole
    assert row["energy_j"] == pytest.approx(whole.energy_j) and row["energy_j"] > 0
    assert row["energy_uncertainty_j"] == pytest.approx(whole.energy_uncertainty_j)
    assert row["gpu_percent"] == pytest.approx(whole.gpu_percent.mean)  # type: ignore[union-attr]
    assert row["ram_peak_kb"] == whole.ram_peak_kb
    assert (row["command"], row["exit_code"], row["host"]) == ("python train.py", 3, "bench-1")
    assert (row["rails"], row["cores"]) == (["RAIL_A", "RAIL_B"], 2)
    phases = (
        pyarrow.parquet.ParquetFile(tmp_path / f"ds/phases/{where}/{run}.parquet")
        .read()
        .to_pylist()
    )
    assert [phase["phase"] for phase in phases] == ["request", "decode"]
    for phase in phases:
        known = summary[phase["phase"]].instances[0]
        assert phase["energy_j"] == pytest.approx(known.energy_j)
        assert phase["mean_power_w"] == pytest.approx(known.mean_power_w)
        assert phase["energy_uncertainty_j"] == pytest.approx(known.energy_uncertainty_j)
        assert (phase["begin_s"], phase["end_s"]) == (known.begin_s, known.end_s)
    marks = (
        pyarrow.parquet.ParquetFile(tmp_path / f"ds/marks/{where}/{run}.parquet").read().to_pylist()
    )
    assert [(mark["sync_id"], mark["label"], mark["time_s"]) for mark in marks] == [
        (1, 'loaded, "really"', 0.3995),
        (2, None, 0.9),
    ]


def test_figures_found_piece_by_piece_are_those_of_the_whole(tmp_path: Path) -> None:
    path = write_trace(tmp_path / "run.bin", 60_000, 6_000, 600, board_name=b"orin_nx")
    with Source(path) as source:
        phases = source.phase_list()
        whole, found = _figures.figures_of(source, phases)
        whole_by_pieces, found_by_pieces = _figures.figures_of(source, phases, most=15_000)
        _, in_halves = _figures.figures_of(source, phases, most=600)
    assert whole.energy_j is not None and whole.energy_j > 100
    for one, other in [
        (whole, whole_by_pieces),
        *zip(found, found_by_pieces),
        *zip(found, in_halves),
    ]:
        assert other.energy_j == pytest.approx(one.energy_j, rel=2e-3)
        assert other.cpu_percent == pytest.approx(one.cpu_percent, rel=1e-6)
        assert other.ram_peak_kb == one.ram_peak_kb and other.temp_max_c == one.temp_max_c
        assert other.energy_uncertainty_j is not None and one.energy_uncertainty_j is not None
        assert (
            0.5 * one.energy_uncertainty_j
            < other.energy_uncertainty_j
            < 3 * one.energy_uncertainty_j
        )


def test_a_trace_that_is_exported_again_replaces_itself(tmp_path: Path) -> None:
    path = write_trace(tmp_path / "run.bin")
    directory = tmp_path / "ds"
    (run,) = export_dataset(path, directory)
    before = files(directory)
    assert len(before) == len(TABLES)
    assert export_dataset([path, path], directory) == [run, run]
    assert files(directory) == before
    moved = tmp_path / "elsewhere.bin"
    path.rename(moved)
    # Under another name of its device, it is gone from where it was.
    assert export_dataset(moved, directory, device="lab=3") == [run]
    assert files(directory) == [name.replace("device=bench-1", "device=lab%3D3") for name in before]


def test_a_failure_leaves_the_dataset_as_it_was(tmp_path: Path) -> None:
    path, directory = write_trace(tmp_path / "run.bin"), tmp_path / "ds"
    export_dataset(path, directory)
    before = {name: (directory / name).read_bytes() for name in files(directory)}

    def fail(number: int, share: float) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        export_dataset(path, directory, progress=fail)
    assert {name: (directory / name).read_bytes() for name in files(directory)} == before


def test_a_trace_of_the_reference_has_no_date(tmp_path: Path) -> None:
    duckdb, polars = pytest.importorskip("duckdb"), pytest.importorskip("polars")
    pytest.importorskip("pandas")
    import pyarrow.dataset

    golden = Path(__file__).resolve().parent.parent / "golden" / "agx_orin_v1.bin"
    directory = tmp_path / "ds"
    export_dataset([golden, write_trace(tmp_path / "run.bin")], directory)
    rows = duckdb.sql(
        f"SELECT device, date, time FROM '{directory}/fast/**/*.parquet' "
        "WHERE device = 'agx_orin' LIMIT 1"
    ).fetchall()
    assert rows == [("agx_orin", None, None)]
    table = pyarrow.dataset.dataset(directory / "runs", partitioning="hive").to_table()
    assert table["date"].null_count == 1 and table.to_pandas()["date"].isna().sum() == 1
    frame = polars.scan_parquet(directory / "runs", hive_partitioning=True).collect()
    assert frame["date"].null_count() == 1


def test_a_board_without_rails_zones_and_cores_has_tables_too(tmp_path: Path) -> None:
    import pyarrow.dataset

    path = write_trace(
        tmp_path / "t.bin",
        5,
        5,
        5,
        events=(),
        marks=[],
        meta=None,
        num_power_rails=0,
        num_thermal_zones=0,
        num_cpu_cores=0,
    )
    export_dataset(path, tmp_path / "ds")
    counts = {
        table: pyarrow.dataset.dataset(tmp_path / "ds" / table, partitioning="hive").count_rows()
        for table in TABLES
    }
    assert counts == {"fast": 5, "rails": 0, "zones": 0, "marks": 0, "phases": 0, "runs": 1}
    assert (tmp_path / "ds/runs/device=built").is_dir()
