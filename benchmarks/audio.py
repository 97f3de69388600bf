"""Recordings for benchmarks: labelled ones as they are, and long ones made by repeating them."""

from __future__ import annotations

import io
import os
from pathlib import Path

import numpy as np
import soundfile
from numpy.typing import NDArray

RATE = 16_000
SHIPPED = Path(__file__).parents[1] / "services" / "client" / "parley" / "sample"


def conversations() -> Path:
    """Folder of `NAME.flac` with `NAME.rttm`: PARLEY_BENCH_AUDIO, or the sample that ships with Parley."""
    return Path(os.environ.get("PARLEY_BENCH_AUDIO", SHIPPED))


def labelled(folder: Path) -> list[Path]:
    """Return each `NAME.flac` that has its `NAME.rttm`, in order of their names."""
    return sorted(path for path in folder.glob("*.flac") if path.with_suffix(".rttm").is_file())


def sound_in(path: Path) -> NDArray[np.float32]:
    """Return the samples of a recording, shape (samples,) where it is mono."""
    return np.asarray(soundfile.read(path, dtype="float32")[0])


def tiled(seconds: float) -> NDArray[np.float32]:
    """Return the conversations one after the other, over and over, cut to a length."""
    parts = [sound_in(path) for path in sorted(conversations().glob("*.flac"))]
    whole = np.concatenate(parts)
    return np.resize(whole, int(seconds * RATE)).astype(np.float32)


def flac(seconds: float) -> bytes:
    """Return so many seconds of conversation as FLAC."""
    buffer = io.BytesIO()
    soundfile.write(buffer, tiled(seconds), RATE, format="FLAC")
    return buffer.getvalue()
