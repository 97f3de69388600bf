"""`python -m parley_worker.liveness`: exits 0 while the worker of PARLEY_LIVENESS_FILE is well, else 1.

A probe runs every few seconds on a busy machine, so it imports next to nothing: 20 ms. Asking through the broker
(`celery inspect ping`) costs seconds of processor time and gets busy workers restarted.
"""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

STALE_SECONDS = 90.0  # above the silence that pulse.py allows the event loop, so that one slow turn is no restart


def is_alive(file: Path, stale_seconds: float = STALE_SECONDS) -> bool:
    """Say whether the file was touched lately."""
    try:
        return time.time() - file.stat().st_mtime < stale_seconds
    except FileNotFoundError:
        return False


def main() -> int:
    """Return the exit code."""
    file = os.environ.get("PARLEY_LIVENESS_FILE")
    if not file:
        print("PARLEY_LIVENESS_FILE is not set: nothing to look at.", file=sys.stderr)  # noqa: T201  # a command
        return 1
    return 0 if is_alive(Path(file)) else 1


if __name__ == "__main__":
    sys.exit(main())
