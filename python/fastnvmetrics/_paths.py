"""What counts as a path."""

from __future__ import annotations

import os
from typing import Union

__all__ = ["PathLike"]

# A Union, since `str | "os.PathLike[str]"` is evaluated here and fails.
PathLike = Union[str, bytes, "os.PathLike[str]", "os.PathLike[bytes]"]
