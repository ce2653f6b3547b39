"""The board as it is now, in a terminal: readings, their lines, and the terminal itself."""

from .meter import Meter, Reading, read_once
from .terminal import TerminalError, check_terminal, ending_signals, show

__all__ = [
    "Meter",
    "Reading",
    "TerminalError",
    "check_terminal",
    "ending_signals",
    "read_once",
    "show",
]
