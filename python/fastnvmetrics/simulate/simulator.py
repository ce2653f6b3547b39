"""A simulated board for the length of a `with` block."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from types import TracebackType

from .options import SimulationOptions
from .truth import Truth, load_truth

__all__ = ["Simulator"]

_PACKAGE_PARENT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

# Far beyond what ending takes: only a simulation that hangs meets it.
_PATIENCE_S = 30.0


class Simulator:
    """A simulated board, kept alive by a process of its own while the `with` block runs.

    In another process neither the interpreter lock nor the load of the program under test delays
    it.

    Parameters
    ----------
    directory
        Where the tree goes: new, empty, or a former simulation.
    board, l4t, offline_cores, hwmon_first, emc, cv_zones_off, foreign_zone
        As in `SimulationOptions`.

    Raises
    ------
    ValueError
        An option is out of range.

    Examples
    --------
    >>> with Simulator("/tmp/orin", board="orin_nano") as simulator:  # doctest: +SKIP
    ...     board = fastnvmetrics.detect_board(root=simulator.root)
    """

    def __init__(
        self,
        directory: str | os.PathLike[str],
        board: str = "agx_orin",
        l4t: int = 36,
        offline_cores: tuple[int, ...] = (),
        hwmon_first: int = 3,
        emc: bool = True,
        cv_zones_off: bool = False,
        foreign_zone: bool = False,
    ) -> None:
        self._root = os.path.abspath(os.fspath(directory))
        self.options = SimulationOptions(
            board=board,
            l4t=l4t,
            offline_cores=tuple(offline_cores),
            hwmon_first=hwmon_first,
            emc=emc,
            cv_zones_off=cv_zones_off,
            foreign_zone=foreign_zone,
        )
        self._process: subprocess.Popen[str] | None = None

    @property
    def root(self) -> str:
        """The root directory, for `root` arguments and FASTNVMETRICS_ROOT."""
        return self._root

    @property
    def truth(self) -> Truth:
        """What the board said, up to now at least.

        While the simulation runs this waits for its log, up to a tenth of a second.
        """
        asked = time.monotonic_ns()
        while True:
            truth = load_truth(self._root)
            if truth.until_ns >= asked or self._process is None or self._process.poll() is not None:
                return truth
            time.sleep(0.01)

    def start(self) -> None:
        """Build the tree and return once a reader may start.

        Raises
        ------
        RuntimeError
            It could not be built, or is running already; the message says why.
        """
        if self._process is not None:
            raise RuntimeError(f"{self._root}: this simulation is running already")
        command = [sys.executable, "-m", "fastnvmetrics.simulate", self._root, "--follow-parent"]
        environment = dict(os.environ)
        # Where the package was found, also when it is not installed.
        search = [_PACKAGE_PARENT, *filter(None, [environment.get("PYTHONPATH")])]
        environment["PYTHONPATH"] = os.pathsep.join(search)
        process = subprocess.Popen(
            command + self.options.arguments(),
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,  # Ctrl-C is for the test, which then ends the simulation
        )
        assert process.stdout is not None
        if not process.stdout.readline().startswith("ready:"):
            _, errors = process.communicate()
            raise RuntimeError(f"no simulation: {errors.strip() or 'its process ended'}")
        self._process = process

    def stop(self) -> None:
        """End the simulation; the tree stays as it is. Without effect where none is running.

        Raises
        ------
        RuntimeError
            It had failed before; the message says why.
        """
        process, self._process = self._process, None
        if process is None:
            return
        process.terminate()
        try:
            _, errors = process.communicate(timeout=_PATIENCE_S)
        except subprocess.TimeoutExpired:
            process.kill()
            _, errors = process.communicate()
        if process.returncode != 0:
            raise RuntimeError(f"the simulation failed: {errors.strip() or process.returncode}")

    def __enter__(self) -> Simulator:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        try:
            self.stop()
        except RuntimeError:
            if error is None:  # the block's own failure says more
                raise
