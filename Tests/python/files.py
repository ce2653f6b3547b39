"""Files of a machine that does not exist."""

from __future__ import annotations

from pathlib import Path


def write(path: Path, text: str) -> str:
    """Make the file, and its directories; return its path."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return str(path)
