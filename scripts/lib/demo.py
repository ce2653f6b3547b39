"""Records from the board, or from a simulated one and from this machine, and prints tables."""

import sys
import tempfile
import time
from pathlib import Path

import numpy as np

import fastnvmetrics as fm
from fastnvmetrics.simulate import Simulator


def record(board: fm.BoardConfig, path: Path, seconds: float) -> fm.TraceData:
    with fm.NVMetrics(path, board=board) as nv:
        time.sleep(seconds / 2)
        nv.sync()
        time.sleep(seconds / 2)
    return fm.read_trace(path)


def row(name: str, values: "np.ndarray", unit: str, digits: int = 1) -> None:
    """One line with minimum, mean and maximum; a value that was never there says so."""
    known = values[~np.isnan(values)]
    if known.size == 0:
        print(f"  {name:<18} {'not available':>34}")
        return
    cells = (f"{v:>10.{digits}f}" for v in (known.min(), known.mean(), known.max()))
    print(f"  {name:<18} {' '.join(cells)}  {unit}")


def show(title: str, trace: fm.TraceData) -> None:
    print(f"\n{title}")
    print(f"  {'tier':<10} {'rate':>8} {'samples':>9} {'missed':>8}")
    for tier, samples in (
        ("fast", trace["fast_time_s"]),
        ("medium", trace["medium_time_s"]),
        ("slow", trace["slow_time_s"]),
    ):
        missed = trace[f"missed_{tier}"]  # type: ignore[literal-required]
        rate = trace[f"{tier}_hz"]  # type: ignore[literal-required]
        print(f"  {tier:<10} {rate:>5} Hz {len(samples):>9} {missed:>8}")

    print(f"\n  {'':<18} {'min':>10} {'mean':>10} {'max':>10}")
    gpu = trace["gpu_load"] / 10 if trace["gpu_available"] else np.array([np.nan])
    row("GPU", gpu, "%")
    row("CPU, all cores", trace["cpu_aggregate"], "%")
    for core in range(trace["num_cpu_cores"]):
        row(f"CPU {core}", trace["cpu_util"][:, core], "%")
    row("EMC", trace["emc_util"] if trace["emc_available"] else np.array([np.nan]), "%")
    row("RAM used", trace["ram_used_kb"] / 1024, "MiB", 0)
    for rail, name in enumerate(trace["power_rail_names"]):
        row(name, trace["power_mw"][:, rail] / 1000, "W", 2)
    total = fm.total_power_rails(trace["board_name"], trace["power_rail_names"])
    if total:
        row("total power", trace["power_mw"][:, total].sum(axis=1) / 1000, "W", 2)
    for zone, name in enumerate(trace["thermal_zone_names"]):
        row(name, trace["temp_c"][:, zone], "°C")
    if trace["read_errors"] or trace["dropped_samples"]:
        print(f"  {trace['read_errors']} reads failed, {trace['dropped_samples']} samples were dropped")


def main() -> None:
    seconds = float(sys.argv[1]) if len(sys.argv) > 1 else 3.0
    with tempfile.TemporaryDirectory(prefix="fastnvmetrics-demo-") as name:
        directory = Path(name)
        try:
            board = fm.detect_board()
        except RuntimeError:
            board = None
        if board is not None:
            show(f"This board ({board.board_name})", record(board, directory / "board.bin", seconds))
            return
        with Simulator(directory / "agx", board="agx_orin") as simulated:
            board = fm.detect_board(root=simulated.root)
            trace = record(board, directory / "simulated.bin", seconds)
        show("A simulated Jetson AGX Orin (known values, not a measurement)", trace)
        board = fm.get_board_config("generic_linux")
        show("This machine (generic_linux)", record(board, directory / "machine.bin", seconds))


if __name__ == "__main__":
    main()
