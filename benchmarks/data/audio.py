"""Recordings for benchmarks: labelled ones, and long ones made by repeating them."""

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
    """Return the folder of `NAME.flac` with `NAME.rttm`: PARLEY_BENCH_AUDIO, or the sample that ships with Parley."""
    return Path(os.environ.get("PARLEY_BENCH_AUDIO", SHIPPED))


def labelled(folder: Path) -> list[Path]:
    """Return each `NAME.flac` of a folder that has a `NAME.rttm`, sorted by name."""
    return sorted(path for path in folder.glob("*.flac") if path.with_suffix(".rttm").is_file())


def read_audio(path: Path) -> NDArray[np.float32]:
    """Return the samples of a mono recording, shape (samples,)."""
    return np.asarray(soundfile.read(path, dtype="float32")[0])


def tiled(seconds: float) -> NDArray[np.float32]:
    """Return the conversations one after the other, repeated up to a length."""
    parts = [read_audio(path) for path in sorted(conversations().glob("*.flac"))]
    return np.resize(np.concatenate(parts), int(seconds * RATE)).astype(np.float32)


def flac(seconds: float) -> bytes:
    """Return a FLAC file of conversations with a length in seconds."""
    buffer = io.BytesIO()
    soundfile.write(buffer, tiled(seconds), RATE, format="FLAC")
    return buffer.getvalue()
