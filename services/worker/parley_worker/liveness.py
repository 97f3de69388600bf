"""`python -m parley_worker.liveness`: exits 0 while the worker of PARLEY_LIVENESS_FILE is well, else 1.

A probe runs every few seconds on a busy machine, so this one imports next to nothing and takes 20 ms. A question
through the broker (`celery inspect ping`) costs seconds of processor time, and busy workers that answer late would be
restarted.
"""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

STALE_SECONDS = 90.0  # above LOOP_STALL_SECONDS of the liveness file, so that one slow touch causes no restart


def is_alive(file: Path, stale_seconds: float = STALE_SECONDS) -> bool:
    """Say whether the file was touched recently."""
    try:
        return time.time() - file.stat().st_mtime < stale_seconds
    except FileNotFoundError:
        return False


def main() -> int:
    """Return the exit code."""
    file = os.environ.get("PARLEY_LIVENESS_FILE")
    if not file:
        print("PARLEY_LIVENESS_FILE is not set: name the file that the worker touches.", file=sys.stderr)  # noqa: T201
        return 1
    return 0 if is_alive(Path(file)) else 1


if __name__ == "__main__":
    sys.exit(main())
