"""Holds the traces that came back from a virtual board against what its scenario set.

    report.py DIRECTORY      NAME.bin, NAME.bin.set, NAME.bin.said (guest/scenario.sh, guest/recorder.c); checks

Prints a line for each value that was set and each check, and how many hold; the exit status is 0 where all do. A line
of NAME.bin.set is "PHASE EXPECTATION...", where expectations hold from `settle` (0.15 s) after the phase's begin:

    settle=S               for the expectations after it
    FIELD=V~T~NOTE         every sample is within T of V; V can be nan; NOTE is what was set, where that is another thing
    mean:FIELD=V~T         the mean of the whole phase is; V can be `stat`: what /proc/stat counted
    back:FIELD=S           a value that is no NaN comes within S seconds
    took:gone|back=S       before it began, S seconds at most went by until rails and a core were gone, or all was there
    errors=N negatives=N   how many were counted; `some`: at least one
    source=load|counters|none   where GPU load comes from at the end
    own:SOURCE=0|1         whether threads of their own read it
    reads:SOURCE=LOW..HIGH how often a second it was read
    figures                says how often each source was read and what that took
    has:NAME               of PHASE `trace`: the trace has that, such as metadata

Sources: those of fnvm_source_stats, and `rails` and `zones` for all of them.
Fields: gpu emc aggregate cpuN, RAIL.mv RAIL.ma RAIL.mw, and zones by name.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np

import fastnvmetrics as fm


class Row(NamedTuple):
    phase: str
    node: str
    was_set: str
    read: str
    holds: bool | None  # None: only said


class Column(NamedTuple):
    times: np.ndarray
    values: np.ndarray


class Recording:
    """A trace, what was set meanwhile, and what the recorder saw that no trace says."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.trace = fm.read_trace(path)
        self.said: dict[tuple[str, str], str] = {}
        self.notices: list[str] = []
        for line in _lines(path.with_name(path.name + ".said")):
            phase, what, value = line.split(" ", 2)
            if what == "notice":
                self.notices.append(value)
            self.said[phase, what] = value
        self.expected = [line.split() for line in _lines(path.with_name(path.name + ".set"))]

    def column(self, field: str) -> Column:
        trace = self.trace
        fast = {"gpu": "gpu_load", "emc": "emc_util", "aggregate": "cpu_aggregate"}
        if field in fast:
            return Column(trace["fast_time_s"], trace[fast[field]])
        if core := re.fullmatch(r"cpu(\d+)", field):
            return Column(trace["fast_time_s"], trace["cpu_util"][:, int(core[1])])
        rail, dot, unit = field.rpartition(".")
        if dot:
            name = {"mv": "voltage_mv", "ma": "current_ma", "mw": "power_mw"}[unit]
            return Column(trace["medium_time_s"], trace[name][:, trace["power_rail_names"].index(rail)])
        return Column(trace["slow_time_s"], trace["temp_c"][:, trace["thermal_zone_names"].index(field)])

    def stretch(self, phase: str) -> tuple[float, float]:
        phases = self.trace["phases"]
        found = phases[phases["name"] == phase]
        if len(found) != 1:
            raise LookupError(f"the trace has {len(found)} phases of this name")
        return float(found["begin_ns"][0]) / 1e9, float(found["end_ns"][0]) / 1e9

    def sources(self, phase: str, what: str, source: str) -> list[float]:
        """The figures of a source of samples, or of all of a tier."""
        pattern = {"rails": r"1\..*", "zones": r"2\..*"}.get(source, r"\d\." + re.escape(source))
        wanted = re.compile(re.escape(what) + r"\." + pattern)
        return [float(v) for (p, w), v in self.said.items() if p == phase and wanted.fullmatch(w)]


def _lines(path: Path) -> list[str]:
    return path.read_text().splitlines() if path.exists() else []


def _span(values: np.ndarray) -> str:
    known = values[~np.isnan(values)]
    missing = len(values) - len(known)
    parts = []
    if len(known):
        low, high = known.min(), known.max()
        parts.append(f"{low:.6g}" if low == high else f"{low:.6g}..{high:.6g}")
    if missing:
        parts.append("nan" if missing == len(values) else f"{missing} nan")
    return f"{', '.join(parts) or 'nothing'} ({len(values)})"


def _held(recording: Recording, phase: str) -> Iterator[Row]:
    """What holds of a recording as a whole."""
    trace = recording.trace
    for tier in ("fast", "medium", "slow"):
        rise = np.diff(trace[f"{tier}_time_s"])
        yield Row(phase, f"{tier} times", "rise", f"{len(rise) + 1} samples", bool(len(rise) and (rise > 0).all()))
    if ("trace", "errors") in recording.said:
        counted = int(recording.said["trace", "errors"])
        yield Row(phase, "read errors", str(counted), str(trace["read_errors"]), trace["read_errors"] == counted)
        stopping = recording.said["trace", "stopping"]
        yield Row(phase, "stopping", "within 2 s", f"{stopping} s", float(stopping) < 2)
    else:
        yield Row(phase, "recovered", "True", str(trace["recovered"]), bool(trace["recovered"]))
    for notice in recording.notices:
        yield Row(phase, "notice", "", notice, None)


def _count(recording: Recording, phase: str, what: str, wanted: str) -> Row:
    found = recording.said[phase, what]
    return Row(phase, what, wanted, found, int(found) > 0 if wanted == "some" else found == wanted)


def _samples(recording: Recording, phase: str, field: str, value: str, tolerance: float, settle: float) -> Row:
    begin, end = recording.stretch(phase)
    times, values = recording.column(field)
    values = values[(times >= begin + settle) & (times <= end)].astype(float)
    if value == "nan":
        good = np.isnan(values)
    else:
        good = np.abs(values - float(value)) <= tolerance
    said = value if not tolerance else f"{value} +-{tolerance:g}"
    return Row(phase, field, said, _span(values), bool(len(values) and good.all()))


def _mean(recording: Recording, phase: str, field: str, value: str, tolerance: float) -> Row:
    begin, end = recording.stretch(phase)
    if value == "stat":
        start = recording.trace["start_monotonic_ns"] / 1e9
        begin, end = (float(recording.said[phase, f"stat.{edge}"]) - start for edge in ("begin", "end"))
    times, values = recording.column(field)
    # A sample says what was since the one before.
    weights = np.diff(times, prepend=0.0)
    counts = (times >= begin) & (times <= end) & ~np.isnan(values)
    mean = float(np.average(values[counts], weights=weights[counts])) if counts.any() else float("nan")
    wanted = float(recording.said[phase, f"stat.{field}"] if value == "stat" else value)
    witness = f"{wanted:.1f} by /proc/stat" if value == "stat" else value
    return Row(phase, f"mean {field}", f"{witness} +-{tolerance:g}", f"{mean:.2f}", abs(mean - wanted) <= tolerance)


def _back(recording: Recording, phase: str, field: str, limit: float) -> Row:
    begin, _ = recording.stretch(phase)
    times, values = recording.column(field)
    known = times[(times >= begin) & ~np.isnan(values)]
    after = float(known[0]) - begin if len(known) else float("inf")
    return Row(phase, f"{field} is back", f"within {limit:g} s", f"after {after:.3f} s", after <= limit)


def _figures(recording: Recording, phase: str) -> Iterator[Row]:
    for (where, what), busy in recording.said.items():
        if where == phase and what.startswith("busy."):
            reads = recording.said[phase, "reads" + what[4:]]
            yield Row(phase, what[7:], "", f"{reads} reads/s, {busy} ms/s in them", None)


def _rows(recording: Recording, phase: str, expectations: list[str]) -> Iterator[Row]:
    settle = 0.15
    for text in expectations:
        left, _, right = text.partition("=")
        kind, _, field = left.rpartition(":")
        value, tolerance, note = (right.split("~") + ["", ""])[:3]
        try:
            if left == "settle":
                settle = float(right)
            elif left in ("errors", "negatives"):
                yield _count(recording, phase, left, right)
            elif left == "source":
                found = recording.said[phase, "source"]
                yield Row(phase, "GPU's source", right, found, found == right)
            elif kind == "took":
                seconds = recording.said[phase, field]
                yield Row(phase, f"rails, cores: {field}", f"within {right} s", f"after {seconds} s", float(seconds) <= float(right))
            elif left == "figures":
                yield from _figures(recording, phase)
            elif kind == "has":
                has = recording.trace[field] is not None
                yield Row(phase, field, "there", "there" if has else "not there", has)
            elif kind in ("own", "reads"):
                low, _, high = right.partition("..")
                found = recording.sources(phase, kind, field)
                good = bool(found) and float(low) <= min(found) and max(found) <= float(high or low)
                yield Row(phase, f"{kind} {field}", right, _span(np.array(found)), good)
            elif kind == "mean":
                yield _mean(recording, phase, field, value, float(tolerance or 0))
            elif kind == "back":
                yield _back(recording, phase, field, float(right))
            else:
                row = _samples(recording, phase, field, value, float(tolerance or 0), settle)
                yield row._replace(was_set=f"{note}: {row.was_set}") if note else row
        except (LookupError, ValueError) as error:
            yield Row(phase, left, right, f"{type(error).__name__}: {error}", False)


def main(directory: Path) -> int:
    verdicts: list[bool] = []
    for path in sorted(directory.glob("*.bin")):
        recording = Recording(path)
        rows = [row for phase, *texts in recording.expected for row in _rows(recording, phase, texts)]
        rows += _held(recording, "trace")
        print(f"\n{path.name}: {recording.trace['board_name']}")
        print(f"{'phase':29} {'node':23} {'set':24} {'read':28} verdict")
        for row in rows:
            verdict = "" if row.holds is None else "ok" if row.holds else "FAIL"
            print(f"{row.phase:29} {row.node:23} {row.was_set:24} {row.read:28} {verdict}")
        verdicts += [row.holds for row in rows if row.holds is not None]
        if path.stem == "board":
            print(f"\n{fm.summarize(path)}")
    checks = [line.startswith("ok") for line in _lines(directory / "checks") if line.startswith(("ok", "FAIL"))]
    good, failed = sum(verdicts), len(verdicts) - sum(verdicts)
    print(f"\nset and read: {good} ok, {failed} failed; on the board: {sum(checks)} ok, {len(checks) - sum(checks)} failed")
    return 0 if (verdicts or checks) and all(verdicts) and all(checks) else 1


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
