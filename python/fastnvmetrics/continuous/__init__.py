"""Recording all the time: rotation, the flight recorder and its dumps, traces that are followed while they are recorded.

What programs use is `dump` and `TraceFollower`; the rest is behind ``fastnvmetrics record`` and ``serve``.
"""

from .dumping import Dumped, dump
from .following import NewSamples, TraceFollower

__all__ = ["Dumped", "NewSamples", "TraceFollower", "dump"]
