"""Finds the gaps between the timestamps of a recording: players play them as silence.

Runs in the confined process only. Browsers leave gaps where nobody speaks (Opus DTX), where packets are lost and where
a recording is paused.
"""

from __future__ import annotations

from typing import Any, Self

from parley_audio.container import Container

TIMED_CONTAINERS = frozenset({Container.WEBM, Container.MATROSKA, Container.OGG, Container.MP4})
"""Those whose timestamps a recorder writes. In the others FFmpeg counts samples or bytes."""

TOLERANCE = 0.02  # seconds: sound ones of all codecs are 0.7 ms off at most, by the milliseconds of Matroska
LONGEST_GAP = 600.0  # seconds: more is a broken clock
STEP_BACK = 1.0  # seconds: more is a clock that starts anew, as where recordings are chained or concatenated


class Clock:
    """Holds the sound of one pass against its timestamps.

    Silence is due when the sound lags behind by more than `TOLERANCE`, and makes up for all of it: small errors do not
    add up. Sound that is ahead waits for its timestamps, and is never dropped.
    """

    def __init__(self, runs: bool, lead: float) -> None:
        """Start before the first packet.

        Args:
            runs: whether timestamps count.
            lead: seconds by which another stream, such as video, begins earlier.
        """
        self._runs = runs
        self._lead = lead
        self._origin: float | None = None
        self._last = 0.0
        self.position = 0.0
        """Seconds of sound and silence so far."""

    @classmethod
    def of(cls, kind: Container, opened: Any, stream: Any) -> Self:
        """Return the clock of a stream in an open container."""
        starts = (opened.start_time, stream.start_time)
        if kind not in TIMED_CONTAINERS or None in starts:
            return cls(kind in TIMED_CONTAINERS, 0.0)
        return cls(True, float(starts[1] * stream.time_base) - starts[0] / 1e6)

    def silence_before(self, time: float | None) -> float:
        """Return the seconds of silence that are due before sound of this time, and count them."""
        if time is None or not self._runs:
            return 0.0
        if self._origin is None:
            self._origin = time - self.position - self._lead
        elif time < self._last - STEP_BACK:
            self._origin = time - self.position
        self._last = time
        lag = time - self._origin - self.position
        if lag > LONGEST_GAP:
            self._origin += lag
        if not TOLERANCE < lag <= LONGEST_GAP:
            return 0.0
        self.position += lag
        return lag

    def advance(self, seconds: float) -> None:
        """Count sound."""
        self.position += seconds
