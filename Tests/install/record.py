"""The same in Python: records a tree of known values, reads the trace back and compares.

    record.py TRACE      with FASTNVMETRICS_ROOT
"""

import sys
import time

import fastnvmetrics as fm

with fm.NVMetrics(sys.argv[1], board=fm.get_board_config("generic_linux"), stats=True) as nv:
    nv.sync()
    time.sleep(0.1)

trace = fm.read_trace(sys.argv[1])
assert len(trace["ram_used_kb"]) >= 10, len(trace["ram_used_kb"])
assert (trace["ram_used_kb"] == 12000000).all(), trace["ram_used_kb"]
assert (trace["ram_available_kb"] == 20000000).all(), trace["ram_available_kb"]
print(f"Python: fastnvmetrics {fm.__version__}, as expected, from {fm.__file__}")
