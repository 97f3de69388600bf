"""Recordings for benchmarks, made from labelled conversations by repeating them."""

from __future__ import annotations

import io
import os
from pathlib import Path

import numpy as np
import soundfile
from numpy.typing import NDArray

RATE = 16_000
SHIPPED = Path(__file__).parents[2] / "services" / "client" / "parley" / "sample"


def conversations() -> Path:
    """Folder of `NAME.flac` with `NAME.rttm`: PARLEY_BENCH_AUDIO, or the sample that ships with Parley."""
    return Path(os.environ.get("PARLEY_BENCH_AUDIO", SHIPPED))


def tiled(seconds: float) -> NDArray[np.float32]:
    """Return the conversations one after the other, over and over, cut to a length."""
    parts = [soundfile.read(path, dtype="float32")[0] for path in sorted(conversations().glob("*.flac"))]
    whole = np.concatenate(parts)
    return np.resize(whole, int(seconds * RATE)).astype(np.float32)


def flac(seconds: float) -> bytes:
    """Return so many seconds of conversation as FLAC."""
    buffer = io.BytesIO()
    soundfile.write(buffer, tiled(seconds), RATE, format="FLAC")
    return buffer.getvalue()
