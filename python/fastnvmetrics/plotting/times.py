"""Times on the axis of a long trace."""

from __future__ import annotations

import math

__all__ = ["clock"]

_STEPS = (60, 120, 300, 600, 900, 1800, 3600, 7200, 10800, 21600, 43200, 86400)


class clock:
    """Hours, minutes and seconds since the start."""

    @staticmethod
    def ticks(begin_s: float, end_s: float, most: int) -> list[float]:
        """Return round times in a stretch, at most so many."""
        length = end_s - begin_s
        step = next((float(step) for step in _STEPS if length / step <= most), 0.0)
        if length < 60 * 3:
            power = 10 ** math.floor(math.log10(length / most))
            step = next(
                power * factor for factor in (1, 2, 5, 10) if length / (power * factor) <= most
            )
        if not step:
            step = 86400.0 * math.ceil(length / 86400 / most)
        first = math.ceil(begin_s / step)
        return [step * at for at in range(first, math.floor(end_s / step) + 1)]

    @staticmethod
    def text(seconds: float) -> str:
        """Return ``1:02:03``, with as many decimals as there are."""
        whole = math.floor(seconds + 1e-9)
        rest = f"{seconds - whole:.6f}".rstrip("0").lstrip("0") if seconds - whole > 1e-7 else ""
        return f"{whole // 3600}:{whole // 60 % 60:02}:{whole % 60:02}{rest.rstrip('.')}"
