"""Recordings in containers, sound ones and such as nobody should send."""

from __future__ import annotations

import struct
from functools import cache
from io import BytesIO

import av
import numpy as np
import soundfile


def flac(seconds: float = 1.0, seed: int = 0) -> bytes:
    """Return noise as FLAC: it does not shrink."""
    samples = np.random.default_rng(seed).uniform(-0.5, 0.5, int(16_000 * seconds)).astype(np.float32)
    buffer = BytesIO()
    soundfile.write(buffer, samples, 16_000, format="FLAC")
    return buffer.getvalue()


@cache
def silent_flac(hours: float) -> bytes:
    """Return hours of silence: ten of them in a megabyte."""
    buffer, rate, block = BytesIO(), 8_000, np.zeros(8_000 * 600, dtype=np.int16)
    with soundfile.SoundFile(buffer, "w", rate, 1, format="FLAC") as file:
        for _ in range(round(hours * 6)):
            file.write(block)
    return buffer.getvalue()


def m4a(seconds: float) -> bytes:
    """Return noise as AAC in MP4; its index stands at the end, so that a cut file has none."""
    buffer, samples = BytesIO(), np.random.default_rng(0).uniform(-0.5, 0.5, (1, int(16_000 * seconds)))
    with av.open(buffer, "w", format="mp4") as container:
        stream = container.add_stream("aac", rate=16_000, layout="mono")
        frame = av.AudioFrame.from_ndarray(samples.astype(np.float32), format="fltp", layout="mono")
        frame.sample_rate = 16_000
        container.mux([*stream.encode(frame), *stream.encode(None)])
    return buffer.getvalue()


def pcm(seconds: float, rate: int = 16_000, channels: int = 1) -> bytes:
    """Return noise as WAV."""
    buffer = BytesIO()
    samples = np.random.default_rng(0).uniform(-0.5, 0.5, (int(rate * seconds), channels))
    soundfile.write(buffer, samples, rate, format="WAV", subtype="PCM_16")
    return buffer.getvalue()


def wav_that_claims(rate: int, data_bytes: int) -> bytes:
    """Return a WAV of a second whose header says something else."""
    real = pcm(1)[44:]
    form = struct.pack("<HHIIHH", 1, 1, rate, rate * 2, 2, 16)
    head = struct.pack("<4sI4s4sI", b"RIFF", min(data_bytes + 36, 0xFFFF_FFFF), b"WAVE", b"fmt ", len(form)) + form
    return head + struct.pack("<4sI", b"data", data_bytes) + real
