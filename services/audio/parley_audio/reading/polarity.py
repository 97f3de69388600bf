"""Notices channels whose mean cancels, and chooses a mix that keeps the speech.

Runs in the confined process only. A recorder with one microphone wired the wrong way round writes a second channel
that is the first one upside down: their mean is silence. The mean stays the mix of every recording in which it does
not cancel.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

BURST = 4  # frames in a moment, 80 ms or more: so long that a difference in arrival time does not look like inversion
CYCLE = 16  # frames from one moment to the next at the beginning, a third of a second
MOST_MOMENTS = 128  # then every second one goes and the cycle doubles: hours cost little more than minutes
ACTIVE_SHARE = 1e-3  # of a loud moment's power, 30 dB below it; what is softer is background
CANCELLED_SHARE = 0.2  # of the power that the same channels have when they are unrelated, 7 dB below it
CANCELLED_MOMENTS = 0.1  # share of the active moments from which a mix is not used


class ChannelMeter:
    """Measures how the channels of a recording correlate, from evenly spaced moments of it."""

    def __init__(self) -> None:
        self._frames = 0
        self._cycle = CYCLE
        self._format: tuple[str, int] | None = None
        self._moments: list[NDArray[np.float64]] = []
        self._comparable = True

    def add(self, frame: Any) -> None:
        """Take the next frame of the recording."""
        place = self._frames % self._cycle
        self._frames += 1
        if place >= BURST or not self._comparable:
            return
        frame_format = (frame.format.name, frame.layout.nb_channels)
        if frame_format != self._format:
            self._comparable = self._format is None and frame_format[1] > 1
            self._format = frame_format
        if self._comparable:
            self._measure(frame, new=place == 0)

    def _measure(self, frame: Any, new: bool) -> None:
        samples = _samples(frame)
        products = (samples @ samples.T).astype(np.float64)
        if not np.isfinite(products).all():
            products[:] = 0
        if not new:
            self._moments[-1] += products
            return
        if len(self._moments) == MOST_MOMENTS:
            self._moments = self._moments[::2]
            self._cycle *= 2
        self._moments.append(products)

    def weights(self) -> list[float] | None:
        """Return the weight of each channel in a mix that keeps the speech, None where the mean does."""
        if not self._moments or not self._comparable:
            return None
        products = np.stack(self._moments)
        power = np.trace(products, axis1=1, axis2=2)
        loud = np.sort(power)[int(0.95 * (len(power) - 1))]
        active = products[(power > 0) & (power >= ACTIVE_SHARE * loud)]
        channels = products.shape[1]
        mean = np.full(channels, 1 / channels)
        if not len(active) or _cancelled(active, mean) < CANCELLED_MOMENTS:
            return None
        total = active.sum(axis=0)
        loudest = int(np.argmax(np.diag(total)))
        upright = np.where(total[loudest] < 0, -mean, mean)
        if _cancelled(active, upright) < CANCELLED_MOMENTS:
            return [float(weight) for weight in upright]
        return [float(channel == loudest) for channel in range(channels)]


def _cancelled(products: NDArray[np.float64], weights: NDArray[np.float64]) -> float:
    """Return the share of moments in which channels, so weighted, cancel; products: (moments, channels, channels)."""
    mixed = np.einsum("i,mij,j->m", weights, products, weights)
    unrelated = np.einsum("i,mii->m", weights**2, products)
    return float(np.mean(mixed < CANCELLED_SHARE * unrelated))


def _samples(frame: Any) -> NDArray[np.float32]:
    """Return the samples of a frame, shape (channels, samples), zero at rest, in the scale of their format."""
    values = frame.to_ndarray()
    if not frame.format.is_planar:
        values = values.reshape(-1, frame.layout.nb_channels).T
    samples: NDArray[np.float32] = values.astype(np.float32)
    return samples - 128 if values.dtype == np.uint8 else samples
