"""Speech through real codecs: what an encoder of PyAV's FFmpeg writes, decoded again."""

from __future__ import annotations

import io
from dataclasses import dataclass

import av
import numpy as np
from numpy.typing import NDArray
from scipy.signal import butter, resample_poly, sosfilt

Waveform = NDArray[np.float32]

RATE = 16_000
TELEPHONE_BAND = (300, 3400)  # hertz
INT16 = 32_767


@dataclass(frozen=True, slots=True)
class Codec:
    """An encoder and its setting.

    Attributes:
        encoder: FFmpeg's name of it.
        container: FFmpeg's name of a format that holds its stream.
        rate: sampling rate of its input, hertz.
        bit_rate: bits per second; None for what follows from the rate.
        band: of the telephone line before it, hertz; None for no filter.
    """

    encoder: str
    container: str
    rate: int
    bit_rate: int | None = None
    band: tuple[int, int] | None = None

    def transmit(self, waveform: Waveform) -> Waveform:
        """Return a waveform, 16 kHz, after this codec, with the same length. The codec's delay is taken out."""
        sent = sosfilt(butter(4, self.band, "bandpass", fs=RATE, output="sos"), waveform) if self.band else waveform
        received = self._decoded(self._encoded(resampled(sent, RATE, self.rate)))
        delay = lag(waveform, received)
        aligned = received[delay:] if delay >= 0 else np.pad(received, (-delay, 0))
        return np.pad(aligned, (0, max(0, len(waveform) - len(aligned))))[: len(waveform)]

    def _encoded(self, waveform: Waveform) -> io.BytesIO:
        file = io.BytesIO()
        with av.open(file, "w", self.container) as container:
            stream = container.add_stream(self.encoder, self.rate, layout="mono")
            if self.bit_rate:
                stream.bit_rate = self.bit_rate
            samples = np.rint(waveform.clip(-1, 1) * INT16).astype(np.int16)
            frame = av.AudioFrame.from_ndarray(samples[None], "s16", "mono")
            frame.sample_rate = self.rate
            frame.pts = 0
            container.mux(stream.encode(frame))
            container.mux(stream.encode(None))
        file.seek(0)
        return file

    def _decoded(self, file: io.BytesIO) -> Waveform:
        resampler = av.AudioResampler("flt", "mono", RATE)
        with av.open(file, "r", self.container) as container:
            frames = [part for frame in container.decode(audio=0) for part in resampler.resample(frame)]
        frames += resampler.resample(None)
        return np.concatenate([frame.to_ndarray()[0] for frame in frames]).astype(np.float32)


def resampled(waveform: Waveform, source: int, target: int) -> Waveform:
    """Return a waveform at another sampling rate, both in hertz."""
    return np.asarray(resample_poly(waveform, target // np.gcd(source, target), source // np.gcd(source, target)))


def lag(first: Waveform, second: Waveform) -> int:
    """Return by how many samples, at most 0.1 s, the envelope of the second waveform is later than the first one's."""
    length = min(len(first), len(second), 20 * RATE)
    spectra = [np.fft.rfft(np.abs(one[:length]) - np.abs(one[:length]).mean(), 2 * length) for one in (first, second)]
    correlation = np.fft.irfft(spectra[1] * spectra[0].conj())
    reach = RATE // 10
    near = np.concatenate([correlation[-reach:], correlation[: reach + 1]])
    return int(near.argmax()) - reach


MU_LAW = Codec("pcm_mulaw", "wav", 8000, band=TELEPHONE_BAND)
AMR_NARROW_BAND = Codec("libopencore_amrnb", "amr", 8000, 7950, TELEPHONE_BAND)
OPUS_LOW = Codec("libopus", "ogg", 16_000, 8000)
G723_1 = Codec("g723_1", "g723_1", 8000, 6300, TELEPHONE_BAND)
