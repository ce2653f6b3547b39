"""Builds a simulated board and keeps it alive, in this process."""

from __future__ import annotations

import os
import time
from collections.abc import Callable

from .directory import SimulationDirectory
from .options import SimulationOptions
from .procstat import TICK_NS, ProcStat
from .signals import duty_percent, signals
from .tree import STAT_PATH, SignalWord, build, duties
from .truth import TRUTH_LOG
from .truth_log import TruthLog
from .waves import Wave, description
from .words import WordFile

__all__ = ["run"]

#: Updates come at multiples of this since the start, edges of waves too.
UPDATE_NS = TICK_NS

#: The log is flushed when this has passed; the next update is less than 100 ms from the last flush
#: then.
_FLUSH_NS = 80_000_000


def run(
    path: str,
    options: SimulationOptions,
    ready: Callable[[], None],
    stopped: Callable[[int], bool] | None,
) -> None:
    """Simulate a board in the directory `path`.

    Parameters
    ----------
    path
        A directory that is new, empty, or a former simulation.
    options
        What to simulate.
    ready
        Called once the tree is complete and a reader may start.
    stopped
        Asked before each update, with the nanoseconds since the start, whether to end. None writes
        the tree and ends at once.

    Raises
    ------
    RefusedDirectory
        The directory holds something else.
    OSError
        It cannot be written.
    """
    with SimulationDirectory(path) as directory:
        waves = signals(options)
        places = build(path, options)
        with TruthLog(os.path.join(path, TRUTH_LOG)) as log:
            # Taken once the files are there: the waves begin with what they hold.
            epoch = time.monotonic_ns()
            for name, wave in waves.items():
                log.add(name, wave.at(0), epoch, epoch)
            log.flush(epoch)
            directory.write_facts(_facts(options, waves, epoch))
            if stopped is None:
                ready()
            else:
                _Updater(path, options, waves, places, log).run(epoch, ready, stopped)
            log.end()


class _Updater:
    """Stores what the waves say, as time passes."""

    def __init__(
        self,
        root: str,
        options: SimulationOptions,
        waves: dict[str, Wave],
        places: list[SignalWord],
        log: TruthLog,
    ) -> None:
        self.log = log
        self.stat = ProcStat(duties(options))
        self.stat_file = WordFile(os.path.join(root, STAT_PATH))
        self.signals = [
            (place, waves[place.signal], WordFile(os.path.join(root, place.path)))
            for place in places
        ]
        self.values = [wave.at(0) for _, wave, _ in self.signals]

    def run(self, epoch: int, ready: Callable[[], None], stopped: Callable[[int], bool]) -> None:
        flushed = epoch
        now = epoch
        ready()
        while not stopped(now - epoch):
            self.update(now - epoch)
            if now - flushed >= _FLUSH_NS:
                # Taken after the update: every change up to it is in the log.
                flushed = time.monotonic_ns()
                self.log.flush(flushed)
            # The next multiple of the period that is still ahead: delays do not add up.
            elapsed = time.monotonic_ns() - epoch
            time.sleep((UPDATE_NS - elapsed % UPDATE_NS) / 1e9)
            now = time.monotonic_ns()
        for _, _, file in self.signals:
            file.close()
        self.stat_file.close()

    def update(self, elapsed_ns: int) -> None:
        """Store what changed since the last update."""
        for index, word in self.stat.words(elapsed_ns):
            self.stat_file.store(index, word)
        for number, (place, wave, file) in enumerate(self.signals):
            value = wave.at(elapsed_ns)
            if value == self.values[number]:
                continue
            self.values[number] = value
            text = place.text(value)
            before = time.monotonic_ns()
            file.store(place.index, text)
            self.log.add(place.signal, value, before, time.monotonic_ns())


def _facts(options: SimulationOptions, waves: dict[str, Wave], epoch: int) -> dict[str, object]:
    board = options.simulated
    cores = range(board.cores)
    return {
        "board": board.name,
        "l4t": options.l4t,
        "epoch_monotonic_ns": epoch,
        "cores": board.cores,
        "offline_cores": sorted(options.offline_cores),
        "duty_percent": [
            None if core in options.offline_cores else duty_percent(core) for core in cores
        ],
        "power_rails": [rail.label for rail in board.rails],
        "total_rails": list(board.total_rails),
        "thermal_zones": list(board.zones),
        "shunt_micro_ohm": board.shunt_micro_ohm,
        "emc_rate_hz": board.emc_rate_hz if options.emc else 0,
        "mem_total_kb": board.mem_total_kb,
        "update_ns": UPDATE_NS,
        "waves": {name: description(wave) for name, wave in waves.items()},
    }
