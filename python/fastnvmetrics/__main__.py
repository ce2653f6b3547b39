"""``python -m fastnvmetrics`` is the command ``fastnvmetrics``."""

import sys

from fastnvmetrics.cli import main

sys.exit(main())
