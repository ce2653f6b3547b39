"""``python -m fastnvmetrics.simulate`` is the command ``fastnvmetrics simulate``."""

import sys

from fastnvmetrics.cli import main

sys.exit(main(["simulate", *sys.argv[1:]]))
