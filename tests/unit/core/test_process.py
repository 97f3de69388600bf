"""What a process does to itself at its start."""

from __future__ import annotations

import subprocess
import sys

CODE = """
import gc
from parley_core.process import importing

def collecting():
    return gc.isenabled(), gc.get_freeze_count() > 0

states = [collecting()]
try:
    with importing():
        states.append(collecting())
        import no_such_module
except ImportError:
    states.append(collecting())
print(states)
"""


def test_imports_run_without_garbage_collections_and_stay_out_of_later_ones() -> None:
    done = subprocess.run([sys.executable, "-c", CODE], check=True, capture_output=True, text=True)
    assert done.stdout == "[(True, False), (False, False), (True, True)]\n"
