"""docs/cli.md is what the help says."""

from __future__ import annotations

import runpy
from pathlib import Path

REPOSITORY = Path(__file__).parents[2]


def test_the_page_is_that_of_the_help() -> None:
    made = runpy.run_path(str(REPOSITORY / "scripts/lib/cli_manual.py"))["manual"]()
    assert (REPOSITORY / "docs/cli.md").read_text() == made, (
        "make it anew: python scripts/lib/cli_manual.py > docs/cli.md"
    )


def test_examples_begin_at_the_margin() -> None:
    page = (REPOSITORY / "docs/cli.md").read_text()
    assert "\n  fastnvmetrics" not in page
