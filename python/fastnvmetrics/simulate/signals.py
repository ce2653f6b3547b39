"""Which signals a board has, and how each behaves.

A signal is named for its unit, and where there are several of a kind, for the column of the trace
that it ends up in: ``voltage_mv/VDD_IN``, ``temp_millic/cpu-thermal``.
"""

from __future__ import annotations

from .options import SimulationOptions
from .waves import Constant, Scaled, Square, Staircase, Total, Wave

__all__ = ["POWERED_DOWN_MILLIC", "duty_percent", "signals"]

#: What L4T 35 reports of a thermal zone that is powered down.
POWERED_DOWN_MILLIC = -256_000


def duty_percent(core: int) -> int:
    """Return how busy a core is: 0, 10, 20, … 100, and 25 for those after the eleventh."""
    return 10 * core if core <= 10 else 25


def signals(options: SimulationOptions) -> dict[str, Wave]:
    """Return every signal that is stored in a word of its own. /proc/stat is not among them."""
    board = options.simulated
    found: dict[str, Wave] = {
        # Never 0: a GPU that is idle for a second may be left asleep by the engine.
        "gpu_load": Square(50, 900, period_ms=400),
        "ram_available_kb": Staircase(board.mem_total_kb * 3 // 4, -65_536, steps=8, hold_ms=200),
    }
    if options.emc:
        full_khz = board.emc_rate_hz // 1000
        found["emc_mc_all_khz"] = Square(full_khz // 10, full_khz * 6 // 10, period_ms=600)
    for chip in board.chips:
        currents: list[Wave] = []
        shunts: list[Wave] = []
        for rail in board.rails:
            if rail.chip != chip:
                continue
            current = Square(*rail.milliamperes, period_ms=rail.period_ms)
            shunt = Scaled(current, board.shunt_micro_ohm, 1000)
            # Low voltage while the current is high, as across a real supply's resistance.
            low, high = rail.millivolts
            found[f"voltage_mv/{rail.label}"] = Square(high, low, period_ms=rail.period_ms)
            found[f"current_ma/{rail.label}"] = current
            found[f"shunt_uv/{rail.label}"] = shunt
            currents.append(current)
            shunts.append(shunt)
        found[f"current_sum_ma/{chip}"] = Total(tuple(currents))
        found[f"shunt_sum_uv/{chip}"] = Total(tuple(shunts))
    for index, zone in enumerate(board.zones):
        wave: Wave = Staircase(42_000 + 500 * index, 500, steps=8, hold_ms=1000)
        if options.cv_zones_off and zone.startswith("cv"):
            wave = Constant(POWERED_DOWN_MILLIC)
        found[f"temp_millic/{zone}"] = wave
    return found
