"""Exported tables, read back by readers that know nothing of traces."""

from __future__ import annotations

import csv
import io
import json
import os
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import fastnvmetrics as fm
from export_scene import META, REALTIME_NS, write_trace
from fastnvmetrics.export import _source, export_trace, format_of

GOLDEN = Path(__file__).resolve().parent.parent / "golden" / "agx_orin_v1.bin"
FORMATS = ("csv", "csv without pyarrow", "json", "parquet", "arrow")
TIERS = ("fast", "medium", "slow", "aligned")

Columns = dict[str, list[Any]]


@pytest.fixture(params=FORMATS)
def form(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    if request.param in ("csv", "parquet", "arrow"):
        pytest.importorskip("pyarrow")
    elif request.param == "csv without pyarrow":
        monkeypatch.setitem(sys.modules, "pyarrow", None)
        monkeypatch.setitem(sys.modules, "pyarrow.csv", None)
    return str(request.param)


@pytest.fixture
def trace(tmp_path: Path) -> Path:
    return write_trace(tmp_path / "run.bin")


def exported(trace: Path, form: str, tier: str = "aligned", **options: Any) -> Columns:
    """Return the columns of an export, None for what is not known."""
    name = form.split()[0]
    target = trace.with_suffix(f".{name}")
    export_trace(trace, target, tier=tier, overwrite=True, **options)  # type: ignore[arg-type]
    if name == "csv":
        return read_csv(target.read_text(encoding="utf-8"))
    if name == "json":
        document = json.loads(target.read_text(encoding="utf-8"), parse_constant=pytest.fail)
        table = document["tables"][tier]
        columns = zip(*table["rows"]) if table["rows"] else [()] * len(table["columns"])
        return {column["name"]: list(values) for column, values in zip(table["columns"], columns)}
    import pyarrow.feather
    import pyarrow.parquet

    read = pyarrow.parquet.read_table if name == "parquet" else pyarrow.feather.read_table
    found = {}
    table = read(target)
    for column in table.column_names:
        values = table[column]
        if column == "time":
            assert str(values.type) == "timestamp[ns, tz=UTC]"
            values = [iso(time) for time in values.to_numpy().astype(np.int64).tolist()]
            found[column] = values
        elif str(values.type) == "float":
            # As text has them: the shortest that are these 32 bits.
            found[column] = [
                None if value is None else float(str(np.float32(value)))
                for value in values.to_pylist()
            ]
        else:
            found[column] = values.to_pylist()
    return found


def iso(nanoseconds: int) -> str:
    return str(np.datetime64(nanoseconds, "ns")) + "Z"


def read_csv(text: str) -> Columns:
    head, *rows = csv.reader(io.StringIO(text, newline=""))
    texts = ("time", "sync_label", "phase")
    return {
        name: [
            None if not row[at] else row[at] if name in texts else float(row[at]) for row in rows
        ]
        for at, name in enumerate(head)
    }


def known(values: Any) -> list[Any]:
    return [None if np.isnan(value) else float(str(value)) for value in np.asarray(values)]


@pytest.mark.parametrize("tier", TIERS)
def test_a_table_has_the_columns_of_a_frame_and_nothing_for_what_is_not_known(
    form: str, trace: Path, tier: str
) -> None:
    found = exported(trace, form, tier)
    aligned = fm.read_trace(trace, align="fast")
    data = aligned if tier == "aligned" else fm.read_trace(trace)
    times = data["fast_time_s" if tier == "aligned" else f"{tier}_time_s"]  # type: ignore[literal-required]
    assert list(found)[:2] == ["time", "time_s"] and list(found)[-1] == "phase"
    assert found["time_s"] == times.tolist()
    assert found["time"] == [iso(REALTIME_NS + round(time * 1e9)) for time in times.tolist()]
    assert {len(values) for values in found.values()} == {len(times)}
    if tier in ("fast", "aligned"):
        assert found["gpu_load"] == data["gpu_load"].tolist()
        assert found["ram_available_kb"] == data["ram_available_kb"].tolist()
        assert found["emc_util"] == [None] * 5 + known(data["emc_util"][5:])
        assert found["cpu_util_1"] == known(data["cpu_util"][:, 1])
        assert found["cpu_util_1"][10] is None
        assert found["sync_id"] == data["sync_id"].tolist()
        assert found["sync_label"] == [None] * 400 + ['loaded, "really"'] * 500 + [None] * 1100
    if tier in ("medium", "aligned"):
        before = int(np.sum(times < 0.005))  # before the first medium sample
        assert found["power_mw_RAIL_B"] == known(data["power_mw"][:, 1])
        assert (
            found["voltage_mv_RAIL_A"] == [None] * before + data["voltage_mv"][before:, 0].tolist()
        )
    if tier in ("slow", "aligned"):
        assert found["temp_c_zone-c"] == known(data["temp_c"][:, 2])
    for name in ("request", "decode"):
        inside = np.array([phase == name for phase in found["phase"]])
        expected = (
            fm.in_phase(aligned, name) if tier == "aligned" else fm.in_phase(data, name, tier)
        )  # type: ignore[arg-type]
        if name == "request":
            inner = (
                fm.in_phase(aligned, "decode")
                if tier == "aligned"
                else fm.in_phase(data, "decode", tier)
            )  # type: ignore[arg-type]
            expected = expected & ~inner
        assert np.array_equal(inside, expected)


def test_columns_are_named_as_in_a_frame(trace: Path) -> None:
    pytest.importorskip("pandas")
    for tier in TIERS:
        names = list(fm.to_pandas(trace, tier))  # type: ignore[arg-type]
        found = list(exported(trace, "json", tier))
        assert [name for name in found if name not in ("time", "phase", "sync_label")] == sorted(
            names, key=found.index
        )


def test_blocks_make_no_difference(form: str, trace: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    expected = exported(trace, form)
    defaults = _source.Source.blocks

    def blocks(self: Any, tier: str, rows: Any = None, size: int = 0) -> Any:
        return defaults(self, tier, rows, 37)

    monkeypatch.setattr(_source.Source, "blocks", blocks)
    monkeypatch.setattr("fastnvmetrics.export._follower._BLOCK_ROWS", 5)
    assert exported(trace, form) == expected


def test_tiers_of_any_rates_are_carried_forward(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("fastnvmetrics.export._follower._BLOCK_ROWS", 7)
    for number, counts in enumerate([(50, 2000, 3), (2000, 1, 0), (1, 400, 400), (0, 5, 5)]):
        path = write_trace(tmp_path / f"{number}.bin", *counts, marks=[])
        found = exported(path, "json")
        data = fm.read_trace(path, align="fast")
        assert found["power_mw_RAIL_A"] == known(data["power_mw"][:, 0])
        assert found["temp_c_zone-a"] == known(data["temp_c"][:, 0])


def test_a_trace_of_the_reference_has_no_absolute_times(form: str, tmp_path: Path) -> None:
    path = tmp_path / "golden.bin"
    path.write_bytes(GOLDEN.read_bytes())
    found = exported(path, form)
    data = fm.read_trace(path, align="fast")
    assert list(found)[0] == "time_s"
    assert found["gpu_load"] == data["gpu_load"].tolist()
    assert found["power_mw_VDD_CPU_CV"] == known(data["power_mw"][:, 1])


def test_a_gpu_that_was_not_measured_is_not_known(form: str, tmp_path: Path) -> None:
    path = write_trace(tmp_path / "t.bin", 5, 0, 0, flags=3)
    assert exported(path, form, "fast")["gpu_load"] == [None] * 5


def test_an_empty_trace_is_a_table_without_rows(form: str, tmp_path: Path) -> None:
    path = write_trace(tmp_path / "t.bin", 0, 0, 0, events=(), marks=[])
    found = exported(path, form)
    assert "power_mw_RAIL_A" in found and {len(values) for values in found.values()} == {0}


def test_a_cut_leaves_rows_between_two_times_and_in_phases(form: str, trace: Path) -> None:
    whole = exported(trace, form)
    found = exported(trace, form, begin_s=0.3, end_s=0.4)
    assert found == {name: values[300:400] for name, values in whole.items()}
    found = exported(trace, form, phase="decode")
    assert found == {name: values[750:1250] for name, values in whole.items()}
    found = exported(trace, form, phase="decode", begin_s=1.2)
    assert found["time_s"] == whole["time_s"][1200:1250]
    found = exported(trace, form, "medium", begin_s=100.0)
    assert found["time_s"] == []


def test_names_that_csv_and_json_could_trip_over_survive(form: str, tmp_path: Path) -> None:
    from export_scene import BEGIN, event

    names = ["a,b", 'say "x"', "zwei\nZeilen", "µ ✓", "=1+1"]
    events = tuple(event(BEGIN, n + 1, n * 10**6, name) for n, name in enumerate(names))
    path = write_trace(tmp_path / "t.bin", 6, 0, 0, events=events, marks=[])
    assert exported(path, form, "fast")["phase"][:5] == names


def test_pandas_and_polars_read_the_tables(trace: Path) -> None:
    pandas, polars = pytest.importorskip("pandas"), pytest.importorskip("polars")
    pytest.importorskip("pyarrow")
    expected = fm.read_trace(trace, align="fast")["power_mw"][:, 0].astype(float)
    for name in ("csv", "parquet", "arrow"):
        exported(trace, name)
        path = str(trace.with_suffix(f".{name}"))
        frames = {
            "csv": (pandas.read_csv, polars.read_csv),
            "parquet": (pandas.read_parquet, polars.read_parquet),
            "arrow": (pandas.read_feather, polars.read_ipc),
        }[name]
        for read in frames:
            values = read(path)["power_mw_RAIL_A"].to_numpy().astype(float)
            np.testing.assert_allclose(values, expected, rtol=1e-7)


def test_every_format_carries_the_facts_of_the_trace(form: str, trace: Path) -> None:
    exported(trace, form)
    name = form.split()[0]
    target = trace.with_suffix(f".{name}")
    if name == "csv":
        sidecar = json.loads(Path(f"{target}-metadata.json").read_text(encoding="utf-8"))
        assert sidecar["@context"][0] == "http://www.w3.org/ns/csvw" and sidecar["url"] == "run.csv"
        columns = sidecar["tableSchema"]["columns"]
        assert [column["titles"] for column in columns] == list(
            read_csv(target.read_text(encoding="utf-8"))
        )
        told = {column["titles"]: column for column in columns}
        assert told["time"]["datatype"] == "dateTime"
        assert told["power_mw_RAIL_A"]["schema:unitText"] == "mW"
        facts = json.loads(sidecar["urn:fastnvmetrics:trace"]["@value"])
    elif name == "json":
        facts = json.loads(target.read_text(encoding="utf-8"))["trace"]
    else:
        import pyarrow.feather
        import pyarrow.parquet

        read = pyarrow.parquet.read_table if name == "parquet" else pyarrow.feather.read_table
        schema = read(target).schema
        assert schema.field("power_mw_RAIL_A").metadata[b"unit"] == b"mW"
        facts = json.loads(schema.metadata[b"fastnvmetrics"])
    assert facts["metadata"] == META
    assert (
        facts["board_name"] == "built"
        and facts["fast_samples"] == 2000
        and facts["trace"] == "run.bin"
    )
    assert [phase["name"] for phase in facts["phases"]] == ["request", "decode"]
    assert facts["sync_labels"] == [
        {"sync_id": 1, "time_ns": 399_500_000, "label": 'loaded, "really"'}
    ]


def test_json_has_each_tier_unless_told_otherwise(trace: Path) -> None:
    target = trace.with_suffix(".json")
    export_trace(trace, target)
    tables = json.loads(target.read_text(encoding="utf-8"))["tables"]
    assert {name: len(table["rows"]) for name, table in tables.items()} == {
        "fast": 2000,
        "medium": 200,
        "slow": 20,
    }


def test_row_groups_are_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    parquet = pytest.importorskip("pyarrow.parquet")
    monkeypatch.setattr("fastnvmetrics.export._arrow.GROUP_ROWS", 700)
    trace = write_trace(tmp_path / "run.bin")
    export_trace(trace, tmp_path / "run.parquet")
    written = parquet.ParquetFile(tmp_path / "run.parquet").metadata
    assert [written.row_group(n).num_rows for n in range(written.num_row_groups)] == [700, 700, 600]


def test_streams_and_zipped_files(trace: Path) -> None:
    import gzip

    stream = io.BytesIO()
    export_trace(trace, stream, "csv", tier="slow")
    target = trace.with_name("t.csv.gz")
    export_trace(trace, target, tier="slow")
    assert gzip.decompress(target.read_bytes()) == stream.getvalue()
    pyarrow = pytest.importorskip("pyarrow")
    stream = io.BytesIO()
    export_trace(trace, stream, "arrow", tier="slow")
    assert pyarrow.ipc.open_stream(stream.getvalue()).read_all().num_rows == 20


def test_a_file_is_whole_or_not_there(trace: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    target = trace.with_suffix(".csv")
    target.write_text("precious")
    with pytest.raises(FileExistsError, match="--force"):
        export_trace(trace, target)
    assert target.read_text() == "precious"

    def fails(share: float) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        export_trace(trace, target, overwrite=True, progress=fails)
    assert target.read_text() == "precious"
    assert sorted(os.listdir(trace.parent)) == ["run.bin", "run.csv"]
    export_trace(trace, target, overwrite=True)
    assert len(read_csv(target.read_text(encoding="utf-8"))["time_s"]) == 2000


def test_a_trace_is_never_written_over(trace: Path) -> None:
    link = trace.with_name("link.csv")
    os.link(trace, link)
    before = trace.read_bytes()
    for target in (trace, link):
        with pytest.raises(ValueError, match="the trace itself"):
            export_trace(trace, target, "csv", overwrite=True)
    assert trace.read_bytes() == before


def test_a_trace_that_shrinks_meanwhile_is_an_error(
    trace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("fastnvmetrics.export._json._BLOCK_ROWS", 100)

    def shrink(share: float) -> None:
        os.truncate(trace, 50_000)

    with pytest.raises(ValueError, match="shortened while it was read"):
        export_trace(trace, trace.with_suffix(".json"), progress=shrink)
    assert os.listdir(trace.parent) == ["run.bin"]


def test_arguments_are_checked(trace: Path) -> None:
    target = trace.with_suffix(".csv")
    for options, message in (
        ({"to": "xlsx"}, "must be one of csv, parquet, arrow, perfetto, json"),
        ({"tier": "middle"}, "tier must be one of"),
        ({"phase": "nap"}, "no phase 'nap'; there are: request, decode"),
        ({"begin_s": 2.0, "end_s": 1.0}, "nothing is between"),
        ({"changes_only": True}, "only a Perfetto trace"),
        ({"to": "perfetto", "tier": "fast"}, "all tiers"),
    ):
        with pytest.raises(ValueError, match=message):
            export_trace(trace, target, **options)  # type: ignore[arg-type]
    assert not target.exists()
    assert (
        format_of("a.PQ") == "parquet"
        and format_of("a.parquet.gz") is None
        and format_of("a.gz") is None
    )


@pytest.mark.parametrize(
    ("name", "module", "extra"),
    [
        ("parquet", "pyarrow", "arrow"),
        ("arrow", "pyarrow", "arrow"),
        ("perfetto", "perfetto", "perfetto"),
    ],
)
def test_a_missing_library_is_named_with_its_extra(
    trace: Path, monkeypatch: pytest.MonkeyPatch, name: str, module: str, extra: str
) -> None:
    for known_name in [module, *(one for one in sys.modules if one.startswith(module + "."))]:
        monkeypatch.setitem(sys.modules, known_name, None)
    with pytest.raises(ImportError, match=rf"pip install 'fastnvmetrics\[{extra}\]'"):
        export_trace(trace, trace.with_suffix(".out"), name)  # type: ignore[arg-type]
    assert os.listdir(trace.parent) == ["run.bin"]
