"""Kaldi's log-mel features, the input of the embedding model: 80 bands, frames of 25 ms every 10 ms.

The values are those of `compute-fbank-feats` with a Hamming window and without dither, on samples scaled to 16 bits.
Source: https://kaldi-asr.org/doc/feat.html
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from parley_worker.engines.onnx.grid import SAMPLE_RATE

BANDS = 80
FRAME = 400  # samples: 25 ms
HOP = 160  # samples: 10 ms
CHUNK = 200  # frames that are computed at a time: they stay in the processor's cache, which nearly halves the time

_FFT = 512
_LOWEST_HZ = 20.0
_HIGHEST_HZ = SAMPLE_RATE / 2
_PREEMPHASIS = 0.97
_FLOOR = np.finfo(np.float32).eps  # as in Kaldi: keeps the logarithm of silence finite
_INT16 = np.float32(1 << 15)


def feature_count(samples: int) -> int:
    """Return how many whole frames fit into a number of samples."""
    return max(0, (samples - FRAME) // HOP + 1)


def log_mel(waveform: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return log-mel features.

    Args:
        waveform: shape (samples,), 16 kHz, -1 to 1.

    Returns:
        Natural logarithm of the power per band, shape (feature_count(samples), 80).
    """
    features = np.empty((feature_count(len(waveform)), BANDS), np.float32)
    for first in range(0, len(features), CHUNK):
        part = features[first : first + CHUNK]
        samples = waveform[first * HOP : (first + len(part) - 1) * HOP + FRAME] * _INT16
        frames = np.lib.stride_tricks.sliding_window_view(samples, FRAME)[::HOP]
        np.log(np.maximum(_mel_power(frames), _FLOOR), out=part)
    return features


def mel_power(frames: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the power per band, of which `log_mel` returns the logarithm.

    Args:
        frames: samples, -1 to 1, shape (frames, 400).

    Returns:
        Shape (frames, 80).
    """
    return _mel_power(frames) * _INT16**2


def _mel_power(frames: NDArray[np.float32]) -> NDArray[np.float32]:
    spectrum = np.fft.rfft(_preemphasized(frames) * _HAMMING, _FFT)
    return np.asarray((spectrum.real**2 + spectrum.imag**2) @ _MEL, np.float32)


def _preemphasized(frames: NDArray[np.float32]) -> NDArray[np.float32]:
    """Subtract the mean of each frame, then 0.97 of the preceding sample (of the first sample itself at the start)."""
    centred: NDArray[np.float32] = frames - frames.mean(axis=1, keepdims=True)
    emphasized = centred.copy()
    emphasized[:, 1:] -= _PREEMPHASIS * centred[:, :-1]
    emphasized[:, 0] -= _PREEMPHASIS * centred[:, 0]
    return emphasized


def _mel(hertz: ArrayLike) -> NDArray[np.float64]:
    return np.asarray(1127.0 * np.log1p(np.asarray(hertz) / 700.0))


def _mel_filters() -> NDArray[np.float32]:
    """Return triangular filters on the mel scale, shape (257, 80)."""
    left, centre, right = _EDGES[:-2], _EDGES[1:-1], _EDGES[2:]
    bin_mel = _mel(np.arange(_FFT // 2 + 1) * (SAMPLE_RATE / _FFT))[:, None]
    rising = (bin_mel - left) / (centre - left)
    falling = (right - bin_mel) / (right - centre)
    return np.maximum(0.0, np.minimum(rising, falling)).astype(np.float32)


_HAMMING = np.hamming(FRAME).astype(np.float32)
_EDGES = np.linspace(_mel(_LOWEST_HZ), _mel(_HIGHEST_HZ), BANDS + 2)  # of the bands, mel
_MEL = _mel_filters()
UPPER_HZ = 700.0 * np.expm1(_EDGES[2:] / 1127.0)  # end of each band
