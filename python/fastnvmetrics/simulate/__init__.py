"""A simulated Jetson: a directory that looks like a board, with values that are known.

``python -m fastnvmetrics.simulate DIR --board agx_orin`` builds a tree with the files that the
engine samples and keeps them alive: square waves on GPU load, memory controller and rails, stepping
temperatures and RAM, and a /proc/stat in which every core has a fixed duty. FASTNVMETRICS_ROOT=DIR,
or the `root` argument, makes the engine read it.

Every change is logged with its time, so that a test can hold each sample of a trace against what
the file said at that instant:

>>> with Simulator("/tmp/orin", board="orin_nx") as board:  # doctest: +SKIP
...     record("run.bin", root=board.root)
...     truth = board.truth
>>> data = read_trace("run.bin")  # doctest: +SKIP
>>> instants = data["start_monotonic_ns"] + data["fast_time_s"] * 1e9  # doctest: +SKIP
>>> truth.admits("ram_available_kb", instants, data["ram_available_kb"]).all()  # doctest: +SKIP
"""

from .options import SimulationOptions
from .simulator import Simulator
from .truth import Truth, load_truth

__all__ = ["SimulationOptions", "Simulator", "Truth", "load_truth"]
