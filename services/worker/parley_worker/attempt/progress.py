"""Where an attempt stands: written by the thread that works, read by its heartbeat."""

from __future__ import annotations

import time
from collections import Counter

from parley_core.job import Phase


class Progress:
    """Phase, progress in it (0 to 1), and the seconds that each phase took."""

    def __init__(self) -> None:
        self.now: tuple[Phase, float] = (Phase.DECODING, 0.0)
        self._seconds: Counter[Phase] = Counter()
        self._since = time.monotonic()

    def move_to(self, phase: Phase, fraction: float) -> None:
        """Note a step; the time since the last one belongs to the phase before it."""
        moment = time.monotonic()
        self._seconds[self.now[0]] += moment - self._since  # type: ignore[assignment]  # a Counter of seconds
        self._since, self.now = moment, (phase, fraction)

    def timings(self) -> dict[str, float]:
        """Seconds per phase, of the one under way up to now, in milliseconds' precision."""
        self.move_to(*self.now)
        return {phase.value: round(float(seconds), 3) for phase, seconds in self._seconds.items()}
