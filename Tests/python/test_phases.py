"""Phases and labels as they are recorded: nested, decorated, interrupted, forked, killed."""

from __future__ import annotations

import asyncio
import errno
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import fastnvmetrics as fm
from fastnvmetrics.phases import PHASE, SYNC_LABEL

# ---- fixtures ------------------------------------------------------------------------------------


@pytest.fixture
def nv(tmp_path: Path, board: fm.BoardConfig) -> Iterator[fm.NVMetrics]:
    """A recorder that runs, at `tmp_path / "run"`."""
    with fm.NVMetrics(tmp_path / "run", board=board) as nv:
        yield nv


@pytest.fixture
def finish(nv: fm.NVMetrics, tmp_path: Path) -> Callable[[], fm.TraceData]:
    def stop_and_read() -> fm.TraceData:
        nv.stop()
        return fm.read_trace(tmp_path / "run")

    return stop_and_read


def names(trace: fm.TraceData) -> list[str]:
    return list(trace["phases"]["name"].tolist())


def tree(trace: fm.TraceData) -> list[tuple[int, int, int, str]]:
    """(id, parent, depth, name) of each phase."""
    phases = trace["phases"]
    return list(phases[["id", "parent", "depth", "name"]].tolist())


def run_python(script: str, *args: str | Path) -> subprocess.CompletedProcess[str]:
    """Runs a script that ends by itself: the time-out is there to name a hang, not to measure."""
    return subprocess.run(
        [sys.executable, "-W", "ignore::DeprecationWarning", "-c", script, *map(str, args)],
        capture_output=True,
        text=True,
        timeout=120,
    )


# ---- recording: the with statement ---------------------------------------------------------------


def test_phases_are_nested_as_their_blocks_are(
    nv: fm.NVMetrics, finish: Callable[[], fm.TraceData]
) -> None:
    with nv.phase("request"):
        with nv.phase("prefill"):
            pass
        with nv.phase("decode") as decode, nv.phase("token"):
            assert decode.id == 3
    with nv.phase("request"):
        pass
    trace = finish()
    assert tree(trace) == [
        (1, 0, 0, "request"),
        (2, 1, 1, "prefill"),
        (3, 1, 1, "decode"),
        (4, 3, 2, "token"),
        (5, 0, 0, "request"),
    ]
    phases = trace["phases"]
    assert phases.dtype == PHASE
    assert phases["was_ended"].all()
    assert (phases["thread"] == threading.get_native_id()).all()
    assert (phases["begin_ns"] <= phases["end_ns"]).all()
    assert phases["begin_ns"].tolist() == sorted(phases["begin_ns"].tolist())
    assert phases["end_ns"][3] <= phases["end_ns"][2] <= phases["end_ns"][0] <= phases["begin_ns"][4]


def test_times_are_those_of_the_samples(
    nv: fm.NVMetrics, finish: Callable[[], fm.TraceData]
) -> None:
    before = time.monotonic_ns()
    with nv.phase("work"):
        inside = time.monotonic_ns()
    after = time.monotonic_ns()
    trace = finish()
    begin, end = (trace["start_monotonic_ns"] + int(trace["phases"][key][0]) for key in ("begin_ns", "end_ns"))
    assert before <= begin <= inside <= end <= after


def test_phases_are_no_sync_points(nv: fm.NVMetrics, finish: Callable[[], fm.TraceData]) -> None:
    with nv.phase("work"):
        assert nv.sync() == 1
    trace = finish()
    assert nv.counts["sync_points"] == 1
    assert set(trace["sync_id"].tolist()) == {0, 1}
    assert len(trace["sync_labels"]) == 0


def test_each_thread_has_a_nesting_of_its_own(
    nv: fm.NVMetrics, finish: Callable[[], fm.TraceData]
) -> None:
    together = threading.Barrier(4)

    def work(name: str) -> None:
        with nv.phase(name):
            together.wait()
            for _ in range(50):
                with nv.phase(f"{name} inside"):
                    pass
            together.wait()

    with nv.phase("main"):
        threads = [threading.Thread(target=work, args=(f"t{n}",)) for n in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    phases = finish()["phases"]
    assert len(phases) == 1 + 4 * 51
    assert phases["id"].tolist() == list(range(1, len(phases) + 1))
    assert phases["was_ended"].all()
    outer = {row["name"]: row for row in phases if row["depth"] == 0}
    assert set(outer) == {"main", "t0", "t1", "t2", "t3"}
    for row in phases[phases["depth"] == 1]:
        parent = outer[row["name"].removesuffix(" inside")]
        assert row["parent"] == parent["id"] and row["thread"] == parent["thread"]
    assert len(set(phases["thread"].tolist())) == 5


@pytest.mark.parametrize("kind", [KeyError, KeyboardInterrupt, SystemExit, GeneratorExit])
def test_an_exception_ends_the_phase_and_goes_on(
    nv: fm.NVMetrics, finish: Callable[[], fm.TraceData], kind: type[BaseException]
) -> None:
    failure = kind("mine")
    with pytest.raises(kind) as caught:
        with nv.phase("outer"):
            with nv.phase("failing"):
                raise failure
    assert caught.value is failure
    with nv.phase("next"):
        pass
    trace = finish()
    assert tree(trace) == [(1, 0, 0, "outer"), (2, 1, 1, "failing"), (3, 0, 0, "next")]
    assert trace["phases"]["was_ended"].all()


def test_a_phase_can_be_used_again_but_not_twice_at_once(
    nv: fm.NVMetrics, finish: Callable[[], fm.TraceData]
) -> None:
    phase = nv.phase("again")
    assert (phase.name, phase.id) == ("again", 0)
    for expected in (1, 2):
        with phase:
            assert phase.id == expected
            with pytest.raises(RuntimeError, match="'again' has begun.*NVMetrics.phase"):
                phase.__enter__()
    trace = finish()
    assert names(trace) == ["again", "again"]
    assert trace["phases"]["was_ended"].all()


def test_stop_inside_a_phase_is_harmless(
    nv: fm.NVMetrics, finish: Callable[[], fm.TraceData]
) -> None:
    with nv.phase("open"):
        with nv.phase("inner"):
            trace = finish()
    assert tree(trace) == [(1, 0, 0, "open"), (2, 1, 1, "inner")]
    last = int(trace["fast_time_s"][-1] * 1e9)
    assert not trace["phases"]["was_ended"].any()
    assert trace["phases"]["end_ns"].tolist() == [last, last]


def test_a_phase_of_an_earlier_recording_ends_none_of_a_later_one(
    nv: fm.NVMetrics, finish: Callable[[], fm.TraceData]
) -> None:
    with nv.phase("before"):
        nv.stop()
        nv.start()
        after = nv.phase("after")
        after.__enter__()
        assert after.id == 2
    trace = finish()
    assert names(trace) == ["after"]
    assert not trace["phases"]["was_ended"][0]


def test_a_phase_where_nothing_is_recorded_is_refused(tmp_path: Path, board: fm.BoardConfig) -> None:
    nv = fm.NVMetrics(tmp_path / "run", board=board)
    phase = nv.phase("early")
    for _ in range(2):
        with pytest.raises(fm.FastNVMetricsError, match="not running") as caught:
            with phase:
                raise AssertionError("the body does not run")
        assert caught.value.status == -5
    with nv, phase:
        pass
    assert names(fm.read_trace(tmp_path / "run")) == ["early"]


@pytest.mark.parametrize("wrong", [None, 1, b"bytes", ["list"]])
def test_what_is_no_text_is_no_name(nv: fm.NVMetrics, wrong: Any) -> None:
    with pytest.raises(TypeError, match="name must be str"):
        nv.phase(wrong)
    if wrong is not None:
        with pytest.raises(TypeError, match="label must be str"):
            nv.sync(wrong)


@pytest.mark.parametrize("wrong", ["", "NUL\0inside", "lone \ud800"])
def test_a_text_that_cannot_be_kept_is_refused(nv: fm.NVMetrics, wrong: str) -> None:
    with pytest.raises(ValueError, match="name"):
        nv.phase(wrong)
    with pytest.raises(ValueError, match="label"):
        nv.sync(wrong)
    assert nv.sync("fine") == 1


def test_more_phases_than_can_be_open_are_refused(
    nv: fm.NVMetrics, finish: Callable[[], fm.TraceData]
) -> None:
    phases = [nv.phase(f"{n}") for n in range(4097)]
    for phase in phases[:-1]:
        phase.__enter__()
    with pytest.raises(ValueError, match="4096 phases are open"):
        phases[-1].__enter__()
    with pytest.warns(RuntimeWarning, match="the beginning of the phase 'called' could not be recorded: 4096"):
        assert nv.phase("called")(lambda: "result")() == "result"
    for phase in reversed(phases):
        phase.__exit__(None, None, None)
    depths = finish()["phases"]["depth"]
    assert depths.tolist() == list(range(4096))


class StuckDisk:
    """An engine whose marks wait for the disk in vain."""

    def __init__(self, engine: Any, *calls: str) -> None:
        self._engine = engine
        for call in calls:
            setattr(self, call, self._refuse)

    def _refuse(self, *_: object) -> Any:
        raise OSError(errno.EAGAIN, "thousands of marks wait", "run")

    def __getattr__(self, name: str) -> Any:
        return getattr(self._engine, name)


def test_an_end_that_cannot_be_recorded_is_a_warning(
    nv: fm.NVMetrics, finish: Callable[[], fm.TraceData]
) -> None:
    engine = nv._engine
    nv._engine = StuckDisk(engine, "phase_end")  # type: ignore[assignment]
    with pytest.warns(RuntimeWarning, match="the end of the phase 'work' could not") as caught:
        with nv.phase("work"):
            pass
    assert caught[0].filename == __file__
    nv._engine = StuckDisk(engine, "phase_begin")  # type: ignore[assignment]
    with pytest.raises(OSError, match="thousands"), nv.phase("refused"):
        raise AssertionError("the body does not run")
    with pytest.warns(RuntimeWarning, match="the beginning of the phase 'call'"):
        assert nv.phase("call")(lambda: 7)() == 7
    nv._engine = engine
    trace = finish()
    assert names(trace) == ["work"] and not trace["phases"]["was_ended"][0]


# ---- recording: the decorator --------------------------------------------------------------------


def test_each_call_of_a_function_is_a_phase(
    nv: fm.NVMetrics, finish: Callable[[], fm.TraceData]
) -> None:
    @nv.phase("factorial")
    def factorial(n: int, *, least: int = 1) -> int:
        """What it says."""
        return n * factorial(n - 1, least=least) if n > least else n

    @nv.phase("failing")
    def fail() -> None:
        raise KeyError("mine")

    assert factorial(3) == 6
    with pytest.raises(KeyError, match="mine"):
        fail()
    assert (factorial.__name__, factorial.__doc__) == ("factorial", "What it says.")
    trace = finish()
    assert tree(trace) == [
        (1, 0, 0, "factorial"),
        (2, 1, 1, "factorial"),
        (3, 2, 2, "factorial"),
        (4, 0, 0, "failing"),
    ]
    assert trace["phases"]["was_ended"].all()


def test_methods_are_decorated_too(nv: fm.NVMetrics, finish: Callable[[], fm.TraceData]) -> None:
    class Model:
        @nv.phase("forward")
        def forward(self, x: int) -> int:
            return x + 1

        @classmethod
        @nv.phase("load")
        def load(cls) -> type:
            return cls

    assert Model().forward(1) == 2
    assert Model.load() is Model
    assert names(finish()) == ["forward", "load"]


def test_calls_in_several_threads_are_phases_of_each(
    nv: fm.NVMetrics, finish: Callable[[], fm.TraceData]
) -> None:
    together = threading.Barrier(3)

    @nv.phase("work")
    def work() -> None:
        together.wait()

    threads = [threading.Thread(target=work) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    phases = finish()["phases"]
    assert phases["was_ended"].all() and (phases["depth"] == 0).all()
    assert len(set(phases["thread"].tolist())) == 3


@pytest.mark.parametrize("used", [False, True])
def test_a_decorated_function_just_runs_where_nothing_is_recorded(
    tmp_path: Path, board: fm.BoardConfig, used: bool
) -> None:
    nv = fm.NVMetrics(tmp_path / "run", board=board)
    work = nv.phase("work")(lambda: "result")
    if used:
        with nv:
            assert work() == "result"
    assert work() == "result"
    assert (tmp_path / "run").exists() == used
    if used:
        assert names(fm.read_trace(tmp_path / "run")) == ["work"]


def test_a_call_that_stops_the_recording_returns(
    nv: fm.NVMetrics, finish: Callable[[], fm.TraceData]
) -> None:
    assert names(nv.phase("stopping")(finish)()) == ["stopping"]


@pytest.mark.parametrize("wrong", [None, 3, "text"])
def test_what_cannot_be_called_is_not_decorated(nv: fm.NVMetrics, wrong: Any) -> None:
    with pytest.raises(TypeError, match="decorates functions"):
        nv.phase("x")(wrong)


def test_a_coroutine_is_a_phase_from_its_first_step_to_its_end(
    nv: fm.NVMetrics, finish: Callable[[], fm.TraceData]
) -> None:
    @nv.phase("answer")
    async def answer(results: list[str]) -> str:
        with nv.phase("think"):
            await asyncio.sleep(0)
            results.append("thought")
        return "42"

    @nv.phase("cancelled")
    async def wait_for_ever() -> None:
        await asyncio.Event().wait()

    async def main() -> str:
        results: list[str] = []
        waiting = answer(results)
        with nv.phase("before the first step"):
            pass
        result = await waiting
        assert results == ["thought"]
        task = asyncio.ensure_future(wait_for_ever())
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        return result

    assert asyncio.run(main()) == "42"
    trace = finish()
    assert tree(trace) == [
        (1, 0, 0, "before the first step"),
        (2, 0, 0, "answer"),
        (3, 2, 1, "think"),
        (4, 0, 0, "cancelled"),
    ]
    assert trace["phases"]["was_ended"].all()


def test_coroutines_that_take_turns_are_phases_of_their_own(
    nv: fm.NVMetrics, finish: Callable[[], fm.TraceData]
) -> None:
    @nv.phase("request")
    async def request(steps: int) -> None:
        for _ in range(steps):
            await asyncio.sleep(0)

    async def main() -> None:
        await asyncio.gather(request(1), request(3), request(2))

    asyncio.run(main())
    phases = finish()["phases"]
    assert phases["was_ended"].all()
    assert phases["name"].tolist() == ["request"] * 3
    # They began in this order and end in that of their lengths.
    assert np.argsort(phases["end_ns"]).tolist() == [0, 2, 1]


def test_a_generator_is_a_phase_from_its_first_value_to_its_end(
    nv: fm.NVMetrics, finish: Callable[[], fm.TraceData]
) -> None:
    heard: list[Any] = []

    @nv.phase("tokens")
    def tokens(n: int) -> Iterator[int]:
        for i in range(n):
            try:
                heard.append((yield i))
            except KeyError:
                heard.append("thrown")
        return "over"

    generator: Any = tokens(3)
    with nv.phase("before the first value"):
        pass
    assert next(generator) == 0
    with nv.phase("inside"):
        assert generator.send("sent") == 1
    assert generator.throw(KeyError()) == 2
    with pytest.raises(StopIteration) as caught:
        next(generator)
    assert caught.value.value == "over"
    assert heard == ["sent", "thrown", None]

    closed: Any = tokens(3)
    next(closed)
    closed.close()
    assert next(iter(tokens(1))) == 0  # dropped
    trace = finish()
    assert tree(trace) == [
        (1, 0, 0, "before the first value"),
        (2, 0, 0, "tokens"),
        (3, 2, 1, "inside"),
        (4, 0, 0, "tokens"),
        (5, 0, 0, "tokens"),
    ]
    assert trace["phases"]["was_ended"].all()


def test_an_asynchronous_generator_is_a_phase_likewise(
    nv: fm.NVMetrics, finish: Callable[[], fm.TraceData]
) -> None:
    heard: list[Any] = []

    @nv.phase("stream")
    async def stream(n: int) -> AsyncIterator[int]:
        try:
            for i in range(n):
                await asyncio.sleep(0)
                try:
                    heard.append((yield i))
                except KeyError:
                    heard.append("thrown")
        finally:
            heard.append("closed")

    async def main() -> None:
        assert [i async for i in stream(2)] == [0, 1]
        generator: Any = stream(3)
        assert await generator.__anext__() == 0
        assert await generator.asend("sent") == 1
        assert await generator.athrow(KeyError()) == 2
        with pytest.raises(ZeroDivisionError):
            await generator.athrow(ZeroDivisionError())
        closed: Any = stream(3)
        await closed.__anext__()
        await closed.aclose()

    asyncio.run(main())
    assert heard == [None, None, "closed", "sent", "thrown", "closed", "closed"]
    trace = finish()
    assert names(trace) == ["stream"] * 3
    assert trace["phases"]["was_ended"].all()


# ---- recording: labels and names -----------------------------------------------------------------


def test_labels_are_those_of_their_marks(nv: fm.NVMetrics, finish: Callable[[], fm.TraceData]) -> None:
    assert nv.sync() == 1
    assert nv.sync("prefill") == 2
    assert nv.sync(None) == 3
    assert nv.sync(label="décodage 解码 🚀") == 4
    trace = finish()
    labels = trace["sync_labels"]
    assert labels.dtype == SYNC_LABEL
    assert labels[["sync_id", "label"]].tolist() == [(2, "prefill"), (4, "décodage 解码 🚀")]
    assert labels["time_ns"].tolist() == sorted(labels["time_ns"].tolist())
    first = trace["fast_time_s"][np.searchsorted(trace["sync_id"], 4)]
    assert labels["time_ns"][1] <= first * 1e9


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("x" * 87, "x" * 87),
        ("x" * 88, "x" * 87),
        ("é" * 44, "é" * 43),
        ("🚀" * 22, "🚀" * 21),
        ("a" + "解" * 29, "a" + "解" * 28),
        ("name " * 10_000, ("name " * 18)[:87]),
        (" tab\there\n", " tab\there\n"),
    ],
)
def test_long_names_are_cut_between_characters(
    nv: fm.NVMetrics, finish: Callable[[], fm.TraceData], given: str, kept: str
) -> None:
    nv.sync(given)
    with nv.phase(given) as phase:
        assert phase.name == given
    trace = finish()
    assert names(trace) == [kept]
    assert trace["sync_labels"]["label"].tolist() == [kept]


def test_a_recording_without_phases_and_labels_has_the_size_of_the_reference(
    tmp_path: Path, board: fm.BoardConfig
) -> None:
    path = tmp_path / "run"
    nv = fm.NVMetrics(path, board=board)
    nv.phase("never begun")
    nv.phase("never called")(print)
    with nv:
        nv.sync()
        nv.snapshot()
    trace = fm.read_trace(path)
    counts = [len(trace["fast_time_s"]), len(trace["medium_time_s"]), len(trace["slow_time_s"])]
    assert path.stat().st_size == 728 + 98 * counts[0] + 104 * counts[1] + 72 * counts[2] + 16
    assert trace["phases"].shape == trace["sync_labels"].shape == (0,)
    assert (trace["phases"].dtype, trace["sync_labels"].dtype) == (PHASE, SYNC_LABEL)


@pytest.mark.parametrize("what", ["phase", "label"])
def test_facts_of_the_board_come_with_phases_and_labels(
    nv: fm.NVMetrics, finish: Callable[[], fm.TraceData], what: str
) -> None:
    if what == "label":
        nv.sync("x")
    else:
        with nv.phase("x"):
            pass
    metadata = finish()["metadata"]
    assert metadata is not None and metadata["board"]["name"] == "by_hand"


# ---- other processes -----------------------------------------------------------------------------

RECORD = """
import os, signal, sys, fastnvmetrics as fm
board = fm.BoardConfig(board_name="b", num_cpu_cores=1, root=sys.argv[2])
nv = fm.NVMetrics(sys.argv[1], board=board)
"""


def test_a_forked_child_leaves_the_phases_of_its_parent_alone(root: Path, tmp_path: Path) -> None:
    script = (
        RECORD
        + """
@nv.phase("called")
def call():
    return 7

nv.start()
refused = 0
with nv.phase("parent") as phase:
    child = os.fork()
    if child == 0:
        for use in (lambda: nv.phase("child").__enter__(), lambda: nv.sync("child"), nv.snapshot):
            try:
                use()
            except fm.FastNVMetricsError as error:
                refused += error.status == -12
        refused += call()
if child == 0:
    os._exit(refused)
_, status = os.waitpid(child, 0)
nv.stop()
print(os.waitstatus_to_exitcode(status))
"""
    )
    done = run_python(script, tmp_path / "run", root)
    assert (done.returncode, done.stdout, done.stderr) == (0, "10\n", "")
    trace = fm.read_trace(tmp_path / "run")
    assert tree(trace) == [(1, 0, 0, "parent")]
    assert trace["phases"]["was_ended"].all()
    assert len(trace["sync_labels"]) == 0


def test_recovery_keeps_the_phases_of_a_killed_recorder(root: Path, tmp_path: Path) -> None:
    script = (
        RECORD
        + """
nv.start()
nv.sync("begun")
nv.phase("outer").__enter__()
with nv.phase("inner"):
    pass
path = sys.argv[1]

def entries():
    with open(path + ".fnvm-journal", "rb") as file:
        content = file.read()
    return [content[at : at + 32] for at in range(0, len(content) - 31, 32)]

# Until all four records and a sample after them are out of this process, and vouched for.
import struct
def vouched(stream):
    return sum(struct.unpack_from("<II", entry)[1] for entry in entries() if entry[0] == stream)
while vouched(4) < 4 or vouched(3) < 1:
    pass
samples = nv.sample_count
while vouched(0) <= samples:
    pass
os.kill(os.getpid(), signal.SIGKILL)
"""
    )
    path = tmp_path / "run"
    done = run_python(script, path, root)
    assert (done.returncode, done.stderr) == (-signal.SIGKILL, "")
    assert fm.recover(path)
    trace = fm.read_trace(path)
    assert trace["recovered"] is True
    assert tree(trace) == [(1, 0, 0, "outer"), (2, 1, 1, "inner")]
    assert trace["phases"]["was_ended"].tolist() == [False, True]
    assert trace["phases"]["end_ns"][0] == int(trace["fast_time_s"][-1] * 1e9)
    assert trace["sync_labels"][["sync_id", "label"]].tolist() == [(1, "begun")]
    assert [name for name in os.listdir(tmp_path) if "fnvm" in name] == []
