"""The command fastnvmetrics, run as a process."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from pathlib import Path

_RECORDER = """
import sys, time, fastnvmetrics as fm
nv = fm.NVMetrics(sys.argv[1], board=fm.get_board_config("generic_linux"))
nv.start()
nv.wait_for_warmup()
while nv.sample_count < 400:
    time.sleep(0.01)
nv.sync()
print("recording", flush=True)
time.sleep(60)
"""

#: As long as anything is given: a test that hangs fails.
PATIENCE = 120


def line(*arguments: object) -> list[str]:
    """What runs the command."""
    return [sys.executable, "-m", "fastnvmetrics", *map(str, arguments)]


def run(*arguments: object, **options: object) -> subprocess.CompletedProcess[str]:
    """Run it to its end."""
    return subprocess.run(  # type: ignore[call-overload,no-any-return]
        line(*arguments), **{"capture_output": True, "text": True, "timeout": PATIENCE, **options}
    )


def begun(path: Path, *arguments: object, **options: object) -> subprocess.Popen[str]:
    """Start it, and return when it has recorded some samples to the path."""
    process = subprocess.Popen(  # type: ignore[call-overload]
        line(*arguments), **{"stderr": subprocess.PIPE, "text": True, **options}
    )
    while not path.exists() or path.stat().st_size < 10_000:
        assert process.poll() is None, process.stderr and process.stderr.read()
        time.sleep(0.01)
    return process  # type: ignore[no-any-return]


def killed_trace(path: Path) -> Path:
    """A trace whose recorder was killed after 400 samples."""
    recorder = subprocess.Popen(
        [sys.executable, "-c", _RECORDER, str(path)], stdout=subprocess.PIPE, text=True
    )
    assert recorder.stdout is not None
    assert recorder.stdout.readline() == "recording\n"
    recorder.send_signal(signal.SIGKILL)
    recorder.wait(PATIENCE)
    recorder.stdout.close()
    return path
