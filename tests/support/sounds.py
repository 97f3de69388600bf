"""Recordings made on the spot."""

from __future__ import annotations

import io
import wave

import numpy as np


def wav(seconds: float, rate: int = 16_000) -> bytes:
    """Return a WAV of quiet noise, the same for the same length."""
    samples = np.random.default_rng(1).integers(-300, 300, int(seconds * rate), dtype=np.int16)
    with io.BytesIO() as buffer:
        with wave.open(buffer, "wb") as file:
            file.setnchannels(1)
            file.setsampwidth(2)
            file.setframerate(rate)
            file.writeframes(samples.tobytes())
        return buffer.getvalue()
