"""The directory that a simulation owns."""

from __future__ import annotations

import fcntl
import json
import os
import shutil
from types import TracebackType

from .truth import TRUTH_JSON, TRUTH_LOG

__all__ = ["RefusedDirectory", "SimulationDirectory"]

_TREES = ("proc", "sys", "etc", "run", "var")
_MARK = "fastnvmetrics_simulation"


class RefusedDirectory(Exception):
    """The directory may hold something of value, or a running simulation; the text says which."""


class SimulationDirectory:
    """A new, empty or formerly simulated directory, emptied and locked for as long as it is open.

    Raises
    ------
    RefusedDirectory
        It holds anything else, or a simulation that is running.
    OSError
        It cannot be made, read or emptied.
    """

    def __init__(self, path: str) -> None:
        self.path = path
        os.makedirs(path, exist_ok=True)
        # The lock is on the directory itself: it outlives every file and vanishes with the process.
        self._descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            self._lock()
            self._empty()
            # From here on a simulation that dies early can be built anew.
            self.write_facts({})
        except BaseException:
            os.close(self._descriptor)
            raise

    def __enter__(self) -> SimulationDirectory:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        os.close(self._descriptor)

    def write_facts(self, facts: dict[str, object]) -> None:
        """Write truth.json, whole or not at all, with the mark of a simulation."""
        path = os.path.join(self.path, TRUTH_JSON)
        with open(f"{path}.new", "w", encoding="utf-8") as file:
            json.dump({_MARK: 1, **facts}, file, indent=1)
            file.write("\n")
        os.replace(f"{path}.new", path)

    def _lock(self) -> None:
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise RefusedDirectory(f"{self.path}: a simulation is running there") from None

    def _empty(self) -> None:
        if os.listdir(self.path) and not self._is_marked():
            raise RefusedDirectory(
                f"{self.path} is neither empty nor a former simulation: choose another directory"
            )
        for name in _TREES:
            if os.path.isdir(os.path.join(self.path, name)):
                shutil.rmtree(os.path.join(self.path, name))
        for name in (TRUTH_LOG, TRUTH_JSON):
            if os.path.exists(os.path.join(self.path, name)):
                os.unlink(os.path.join(self.path, name))

    def _is_marked(self) -> bool:
        try:
            with open(os.path.join(self.path, TRUTH_JSON), encoding="utf-8") as file:
                facts = json.load(file)
        except (OSError, ValueError):
            return False
        return isinstance(facts, dict) and facts.get(_MARK) == 1
