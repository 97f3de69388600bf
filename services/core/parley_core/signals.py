"""Signals that arrive before a program has set its handlers.

The kernel drops a SIGTERM to process 1 of a container that has no handler for it, and imports take seconds on a busy
node. Every `__main__` calls this before it imports anything else.
"""

from __future__ import annotations

import os
import signal
from types import FrameType


def end_at_sigterm() -> None:
    """Let SIGTERM end this process at once, until the program sets a handler of its own."""
    signal.signal(signal.SIGTERM, _end)


def _end(number: int, _: FrameType | None) -> None:
    os._exit(128 + number)
