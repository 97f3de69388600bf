"""One tone in every container that Parley reads, made by FFmpeg's and libsndfile's encoders."""

from __future__ import annotations

from collections.abc import Callable
from io import BytesIO

import av
import numpy as np
import soundfile
from numpy.typing import NDArray

HERTZ, LEVEL = 440.0, 0.25


def tone(seconds: float, rate: int, channels: int = 1) -> NDArray[np.float32]:
    """Return shape (samples, channels): the tone on the first channel, silence on the others."""
    samples = np.zeros((int(seconds * rate), channels), np.float32)
    samples[:, 0] = LEVEL * np.sin(2 * np.pi * HERTZ * np.arange(len(samples)) / rate)
    return samples


def by_sndfile(form: str, subtype: str, rate: int = 16_000, channels: int = 1) -> Callable[[float], bytes]:
    def make(seconds: float) -> bytes:
        buffer = BytesIO()
        soundfile.write(buffer, tone(seconds, rate, channels), rate, format=form, subtype=subtype)
        return buffer.getvalue()

    return make


def by_ffmpeg(form: str, codec: str, rate: int, channels: int = 1) -> Callable[[float], bytes]:
    layout = {1: "mono", 2: "stereo"}[channels]

    def make(seconds: float) -> bytes:
        buffer = BytesIO()
        with av.open(buffer, "w", format=form) as container:
            stream = container.add_stream(codec, rate=rate, layout=layout)
            frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(tone(seconds, rate, channels).T), "fltp", layout)
            frame.sample_rate = rate
            for part in av.AudioResampler(stream.format, layout, rate, stream.frame_size or None).resample(frame):
                container.mux(stream.encode(part))
            container.mux(stream.encode(None))
        return buffer.getvalue()

    return make


FORMATS: dict[str, tuple[str, Callable[[float], bytes]]] = {
    "wav 8 bit": ("audio/wav", by_sndfile("WAV", "PCM_U8")),
    "wav 16 bit": ("audio/wav", by_sndfile("WAV", "PCM_16")),
    "wav 24 bit, 44.1 kHz": ("audio/wav", by_sndfile("WAV", "PCM_24", 44_100)),
    "wav float": ("audio/wav", by_sndfile("WAV", "FLOAT", 48_000)),
    "wav mu-law, 8 kHz": ("audio/wav", by_sndfile("WAV", "ULAW", 8_000)),
    "wav extensible": ("audio/wav", by_sndfile("WAVEX", "PCM_16")),
    "rf64": ("audio/wav", by_sndfile("RF64", "PCM_16")),
    "flac": ("audio/flac", by_sndfile("FLAC", "PCM_16")),
    "flac 24 bit, 96 kHz": ("audio/flac", by_sndfile("FLAC", "PCM_24", 96_000)),
    "ogg vorbis": ("audio/ogg", by_sndfile("OGG", "VORBIS", 44_100)),
    "ogg opus": ("audio/ogg", by_sndfile("OGG", "OPUS", 48_000)),
    "mp3": ("audio/mpeg", by_sndfile("MP3", "MPEG_LAYER_III", 44_100)),
    "mp3 by lame": ("audio/mpeg", by_ffmpeg("mp3", "libmp3lame", 44_100)),
    "m4a": ("audio/mp4", by_ffmpeg("ipod", "aac", 44_100)),
    "mp4": ("audio/mp4", by_ffmpeg("mp4", "aac", 48_000)),
    "aac": ("audio/aac", by_ffmpeg("adts", "aac", 44_100)),
    "webm": ("audio/webm", by_ffmpeg("webm", "libopus", 48_000)),
    "matroska": ("audio/x-matroska", by_ffmpeg("matroska", "aac", 48_000)),
}
