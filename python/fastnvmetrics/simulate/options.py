"""What to simulate."""

from __future__ import annotations

from dataclasses import dataclass

from .boards import BOARDS, SimulatedBoard

__all__ = ["SimulationOptions"]


@dataclass(frozen=True)
class SimulationOptions:
    """What to simulate.

    Parameters
    ----------
    board
        ``"agx_orin"``, ``"orin_nx"`` or ``"orin_nano"``.
    l4t
        36 (JetPack 6), 39 (JetPack 7, with the same nodes) or 35 (JetPack 5), which has other paths
        and zone names.
    offline_cores
        Cores without a line in /proc/stat; at least one core stays online.
    hwmon_first
        The number of the first power monitor; real ones differ between boots.
    emc
        False leaves the memory controller's nodes out, as for users whom debugfs is closed to.
    cv_zones_off
        True makes cv0 to cv2 say -256000, as L4T 35 does of zones that are powered down. (L4T 36
        fails with EAGAIN, which plain files cannot.)
    foreign_zone
        True registers another driver's thermal zone first, which shifts the numbers of all others.

    Raises
    ------
    ValueError
        A value is out of range; the message names it.
    """

    board: str = "agx_orin"
    l4t: int = 36
    offline_cores: tuple[int, ...] = ()
    hwmon_first: int = 3
    emc: bool = True
    cv_zones_off: bool = False
    foreign_zone: bool = False

    def __post_init__(self) -> None:
        if self.board not in BOARDS:
            raise ValueError(f"board must be one of {', '.join(BOARDS)}, not {self.board!r}")
        if self.l4t not in (35, 36, 39):
            raise ValueError(f"l4t must be 35, 36 or 39, not {self.l4t}")
        if self.hwmon_first < 0:
            raise ValueError(f"hwmon_first must not be negative, and is {self.hwmon_first}")
        cores = set(range(self.simulated.cores))
        if not set(self.offline_cores) < cores:
            raise ValueError(
                f"offline_cores must name some but not all of the {len(cores)} cores, "
                f"not {list(self.offline_cores)}"
            )

    @property
    def simulated(self) -> SimulatedBoard:
        """The board's data."""
        return BOARDS[self.board]

    def arguments(self) -> list[str]:
        """Return the options as the command line takes them."""
        arguments = [
            f"--board={self.board}",
            f"--l4t={self.l4t}",
            f"--offline-cores={','.join(map(str, self.offline_cores))}",
            f"--hwmon-first={self.hwmon_first}",
        ]
        if not self.emc:
            arguments.append("--no-emc")
        if self.cv_zones_off:
            arguments.append("--cv-zones-off")
        if self.foreign_zone:
            arguments.append("--foreign-zone")
        return arguments
