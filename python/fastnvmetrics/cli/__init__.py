"""The command ``fastnvmetrics``: one file for each subcommand, which says what to do in words of the library.

What a subcommand does with a trace is a function of the package, for programs to call as well; here are the options,
the tables and the exit codes.
"""

from .app import main

__all__ = ["main"]
