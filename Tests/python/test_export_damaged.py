"""Damaged traces are exported or refused, and nothing else happens."""

from __future__ import annotations

import io
import random
import warnings
from pathlib import Path

import numpy as np
import pytest

import fastnvmetrics as fm
from export_scene import write_trace
from fastnvmetrics.export import export_dataset, export_trace

SIZE = 728 + 98 * 60 + 104 * 20 + 72 * 6 + 32


def installed() -> list[str]:
    names = ["csv", "json"]
    for name, module in (
        ("parquet", "pyarrow"),
        ("arrow", "pyarrow"),
        ("perfetto", "perfetto.protos.perfetto.trace.perfetto_trace_pb2"),
    ):
        try:
            __import__(module)
            names.append(name)
        except ImportError:
            pass
    return names


@pytest.mark.parametrize("seed", range(4))
def test_any_bytes_do_no_harm(tmp_path: Path, seed: int) -> None:
    choose = random.Random(seed)
    names = installed()
    path = write_trace(tmp_path / "run.bin", 60, 20, 6)
    whole = path.read_bytes()
    for _ in range(25):
        content = bytearray(whole)
        for _ in range(choose.choice([1, 2, 4, 8])):
            where = choose.choice(
                [
                    choose.randrange(8, 728),
                    choose.randrange(728, SIZE),
                    choose.randrange(SIZE, len(whole)),
                ]
            )
            width = choose.choice([1, 2, 4, 8])
            content[where : where + width] = choose.choice(
                [choose.randbytes(width), b"\xff" * width, b"\0" * width, b"\x7f" * width]
            )
        path.write_bytes(content)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            for name in names:
                try:
                    export_trace(
                        path,
                        io.BytesIO() if name != "parquet" else tmp_path / "out",
                        name,
                        overwrite=True,
                    )  # type: ignore[arg-type]
                    if name == "parquet":
                        export_dataset(path, tmp_path / "ds")
                except fm.TraceError:
                    pass


def test_times_that_cannot_be_are_summarized(tmp_path: Path) -> None:
    path = write_trace(tmp_path / "run.bin", 60, 20, 6)
    content = bytearray(path.read_bytes())
    content[728 + 98 * 30 : 736 + 98 * 30] = np.float64(1e307).tobytes()
    path.write_bytes(content)
    assert fm.summarize(path).whole.fast_samples > 0
