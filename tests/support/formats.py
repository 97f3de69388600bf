"""One tone in every container that Parley reads, made by FFmpeg's and libsndfile's encoders.

tone.awb is the tone by libvo-amrwbenc 0.1.3, which FFmpeg's builds leave out: three seconds in 12.65 kbit/s frames.
"""

from __future__ import annotations

from collections.abc import Callable
from io import BytesIO
from pathlib import Path

import av
import numpy as np
import soundfile
from numpy.typing import NDArray

HERTZ, LEVEL = 440.0, 0.25
AMR_WB = Path(__file__).parent / "tone.awb"
AMR_WB_FRAME_BYTES, AMR_FRAMES_PER_SECOND = 33, 50


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


def by_ffmpeg(
    form: str, codec: str, rate: int, channels: int = 1, options: dict[str, str] | None = None
) -> Callable[[float], bytes]:
    return lambda seconds: encoded(tone(seconds, rate, channels), form, codec, rate, options)


def encoded(
    samples: NDArray[np.float32], form: str, codec: str, rate: int, options: dict[str, str] | None = None
) -> bytes:
    """Return samples, shape (samples, channels), as FFmpeg's encoder and muxer write them."""
    buffer, layout = BytesIO(), {1: "mono", 2: "stereo"}[samples.shape[1]]
    with av.open(buffer, "w", format=form) as container:
        stream = container.add_stream(codec, rate=rate, layout=layout, options=options)
        frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(samples.T), "fltp", layout)
        frame.sample_rate = rate
        for part in av.AudioResampler(stream.format, layout, rate, stream.frame_size or None).resample(frame):
            container.mux(stream.encode(part))
        container.mux(stream.encode(None))
    return buffer.getvalue()


def two_tracks(form: str, seconds: float, rate: int = 48_000) -> bytes:
    """Return a file with the tone on its first audio track, and silence on its second."""
    buffer = BytesIO()
    with av.open(buffer, "w", format=form) as container:
        streams = [container.add_stream("aac", rate=rate, layout="mono") for _ in range(2)]
        for stream, level in zip(streams, (1, 0), strict=True):
            frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(tone(seconds, rate).T * level), "fltp", "mono")
            frame.sample_rate = rate
            for part in av.AudioResampler(stream.format, "mono", rate, stream.frame_size).resample(frame):
                container.mux(stream.encode(part))
            container.mux(stream.encode(None))
    return buffer.getvalue()


def amr_wideband(seconds: float) -> bytes:
    """Return the first seconds of tone.awb; its frames do not depend on later ones."""
    head = len(b"#!AMR-WB\n")
    return AMR_WB.read_bytes()[: head + AMR_WB_FRAME_BYTES * round(seconds * AMR_FRAMES_PER_SECOND)]


FORMATS: dict[str, tuple[str, Callable[[float], bytes]]] = {
    "wav 8 bit": ("audio/wav", by_sndfile("WAV", "PCM_U8")),
    "wav 16 bit": ("audio/wav", by_sndfile("WAV", "PCM_16")),
    "wav 24 bit, 44.1 kHz": ("audio/wav", by_sndfile("WAV", "PCM_24", 44_100)),
    "wav float": ("audio/wav", by_sndfile("WAV", "FLOAT", 48_000)),
    "wav mu-law, 8 kHz": ("audio/wav", by_sndfile("WAV", "ULAW", 8_000)),
    "wav extensible": ("audio/wav", by_sndfile("WAVEX", "PCM_16")),
    "rf64": ("audio/wav", by_sndfile("RF64", "PCM_16")),
    "aiff": ("audio/aiff", by_sndfile("AIFF", "PCM_16")),
    "aiff 8 bit": ("audio/aiff", by_sndfile("AIFF", "PCM_S8")),
    "aiff 24 bit, 44.1 kHz": ("audio/aiff", by_sndfile("AIFF", "PCM_24", 44_100)),
    "aiff-c float": ("audio/aiff", by_sndfile("AIFF", "FLOAT", 48_000)),
    "aiff-c ima": ("audio/aiff", by_sndfile("AIFF", "IMA_ADPCM")),
    "aiff by ffmpeg": ("audio/aiff", by_ffmpeg("aiff", "pcm_s16be", 44_100)),
    "caf": ("audio/x-caf", by_sndfile("CAF", "PCM_16")),
    "caf float": ("audio/x-caf", by_sndfile("CAF", "FLOAT", 48_000)),
    "caf alac": ("audio/x-caf", by_sndfile("CAF", "ALAC_16", 44_100)),
    "caf by ffmpeg": ("audio/x-caf", by_ffmpeg("caf", "pcm_s16le", 44_100)),
    "amr": ("audio/amr", by_ffmpeg("amr", "libopencore_amrnb", 8_000)),
    "amr wideband": ("audio/amr", amr_wideband),
    "amr in 3gp": ("audio/mp4", by_ffmpeg("3gp", "libopencore_amrnb", 8_000)),
    "wma": ("audio/x-ms-wma", by_ffmpeg("asf", "wmav2", 44_100, options={"b": "64000"})),
    "wma 1, 16 kHz": ("audio/x-ms-wma", by_ffmpeg("asf", "wmav1", 16_000, options={"b": "32000"})),
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
