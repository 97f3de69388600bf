"""What reading one recording may cost."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:  # the decoding process reads this file and needs no settings
    from parley_core.settings import Settings

SAMPLE_RATE = 16_000  # what every engine of Parley takes
BYTES_PER_SAMPLE = 4  # float32
LEVEL_SAMPLES = SAMPLE_RATE // 50  # 20 ms: shorter than a syllable, long enough for a period of any voice

SECONDS_TO_START = 10.0  # allowance that does not grow with the recording
AUDIO_SECONDS_PER_CPU_SECOND = 100  # the slowest decoder (Opus, stereo) does 600 on one core here, mixed twice 300
PROBE_SECONDS_TO_START = 2.0
AUDIO_SECONDS_PER_PROBE_SECOND = 1200  # the most packets that are allowed, at 10 ms each, are counted at 2000 here
WALL_SECONDS_TO_START = 10.0  # a fork server that is started by the call imports the decoders first
WALL_SECONDS_PER_CPU_SECOND = 3  # a machine with three times as much to do as it has processors


def wall_seconds_for(cpu_seconds: float) -> float:
    """Return the time on the clock that corresponds to a processor time."""
    return WALL_SECONDS_TO_START + WALL_SECONDS_PER_CPU_SECOND * cpu_seconds


@dataclass(frozen=True, slots=True)
class DecodeLimits:
    """Bounds on reading one recording; the defaults are those of a four-hour limit.

    Attributes:
        max_seconds: longest recording, in seconds of audio.
        cpu_seconds: processor time of a decoding process.
        memory_bytes: what decoding may take on top of the decoder's own code; the waveform does not count.
        wall_seconds: time on the clock; then the decoding process is killed.
    """

    max_seconds: float = 4 * 3600
    cpu_seconds: float = SECONDS_TO_START + 4 * 3600 / AUDIO_SECONDS_PER_CPU_SECOND
    memory_bytes: int = 256 * 1024**2  # measured: 60 MB for four hours of any format
    wall_seconds: float = wall_seconds_for(SECONDS_TO_START + 4 * 3600 / AUDIO_SECONDS_PER_CPU_SECOND)

    @classmethod
    def from_settings(cls, settings: Settings) -> Self:
        """Return the bounds that follow from the longest recording that this deployment takes."""
        return cls.for_seconds(settings.max_recording_seconds)

    @classmethod
    def for_seconds(cls, max_seconds: float) -> Self:
        """Return bounds for recordings of at most this length: time grows with it, memory does not."""
        return cls(max_seconds)._with_cpu_seconds(SECONDS_TO_START + max_seconds / AUDIO_SECONDS_PER_CPU_SECOND)

    def for_probe(self) -> Self:
        """Return the bounds of a probe, which counts packets where decoding decodes them: a caller waits for it."""
        cpu_seconds = PROBE_SECONDS_TO_START + self.max_seconds / AUDIO_SECONDS_PER_PROBE_SECOND
        return self._with_cpu_seconds(min(self.cpu_seconds, cpu_seconds))

    def _with_cpu_seconds(self, cpu_seconds: float) -> Self:
        return replace(self, cpu_seconds=cpu_seconds, wall_seconds=wall_seconds_for(cpu_seconds))

    @property
    def max_samples(self) -> int:
        """Samples of a waveform of `max_seconds`."""
        return int(self.max_seconds * SAMPLE_RATE)
