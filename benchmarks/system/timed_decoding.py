"""Decoding that reports its own processor time; a fork server of the benchmark imports this module."""

from __future__ import annotations

import time
from typing import Any

from parley_audio.reading.render import render


def timed_render(source: int, sink: int, **arguments: Any) -> dict[str, float]:
    """Decode, and return the processor time of this process since its fork, in seconds."""
    render(source, sink, **arguments)
    return {"seconds": time.process_time()}
