"""Impulse responses of rectangular rooms.

Early reflections by the image-source method (Allen and Berkley, 1979), then noise that decays at the same rate: beyond
some 50 ms, reflections are too dense to be told apart.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product

import numpy as np
from numpy.typing import NDArray

Waveform = NDArray[np.float32]
Point = NDArray[np.float64]  # metres, shape (3,)

RATE = 16_000
SPEED = 343.0  # of sound, metres per second
EARLY = 0.05  # seconds of single reflections after the direct sound
SABINE = 0.161  # seconds per metre: RT60 = 0.161 * volume / absorbing area


@dataclass(frozen=True, slots=True)
class Room:
    """A room with equal walls.

    Attributes:
        size: metres, shape (3,).
        seconds: reverberation time RT60.
    """

    size: Point
    seconds: float

    @classmethod
    def random(cls, generator: np.random.Generator, seconds: tuple[float, float]) -> Room:
        """Return a consulting or meeting room with a reverberation time in a range."""
        return cls(generator.uniform((3.5, 3.0, 2.5), (8.0, 6.0, 3.2)), generator.uniform(*seconds))

    @property
    def reflection(self) -> float:
        """Share of the pressure that a wall reflects, by Sabine's formula."""
        width, length, height = self.size
        area = 2 * (width * length + width * height + length * height)
        absorption = min(0.99, SABINE * width * length * height / (self.seconds * area))
        return float(np.sqrt(1 - absorption))

    def place(self, generator: np.random.Generator) -> Point:
        """Return a random point at least half a metre from each wall."""
        return np.asarray(generator.uniform(0.5, self.size - 0.5))

    def place_near(self, microphone: Point, distances: tuple[float, float], generator: np.random.Generator) -> Point:
        """Return a random point whose distance from the microphone is in a range, metres."""
        while True:
            point = self.place(generator)
            if distances[0] <= np.linalg.norm(point - microphone) <= distances[1]:
                return point

    def response(self, source: Point, microphone: Point, generator: np.random.Generator) -> Waveform:
        """Return the impulse response from a source to a microphone, of energy 1.

        Its first sample is the direct sound.
        """
        distances, orders = self._images(source, microphone)
        direct = distances.min()
        response = np.zeros(int(self.seconds * RATE), np.float64)
        delays = np.rint((distances - direct) / SPEED * RATE).astype(int)
        early = delays < EARLY * RATE
        np.add.at(response, delays[early], self.reflection ** orders[early] * direct / distances[early])
        response += self._tail(response, generator)
        return np.asarray(response / np.linalg.norm(response), np.float32)

    def _images(self, source: Point, microphone: Point) -> tuple[Point, Point]:
        """Return distance and number of reflections of each image of the source, both of shape (images,)."""
        reach = [int(np.ceil((EARLY * SPEED + np.linalg.norm(self.size)) / side / 2)) for side in self.size]
        cells = np.array(list(product(*(range(-n, n + 1) for n in reach))))
        distances, orders = [], []
        for mirrored in product((0, 1), repeat=3):
            flip = np.array(mirrored)
            images = (1 - 2 * flip) * source + 2 * cells * self.size
            distances.append(np.linalg.norm(images - microphone, axis=1))
            orders.append((np.abs(cells - flip) + np.abs(cells)).sum(axis=1))
        return np.concatenate(distances), np.concatenate(orders)

    def _tail(self, early: Point, generator: np.random.Generator) -> Point:
        """Return decaying noise that continues the early reflections at their level."""
        start = int(EARLY * RATE)
        decay = 10 ** (-3 * np.arange(len(early)) / (self.seconds * RATE))
        last = early[start // 2 : start]
        level = np.sqrt(np.mean(last**2) / np.mean(decay[start // 2 : start] ** 2))
        tail = level * decay * generator.normal(0, 1, len(early))
        tail[:start] = 0
        return np.asarray(tail)
