"""What the API asks about a recording: is it audio, how long is it, how many channels does it have?"""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

import parley_audio
from parley_audio import Probe
from parley_core.settings import Settings


class RecordingProbe(Protocol):
    """Inspects recordings from untrusted callers."""

    def sniff(self, head: bytes) -> None:
        """Raise NotAudio if no recording can begin with these bytes."""
        ...

    def measure(self, path: Path) -> Probe:
        """Return media type, length in seconds and number of channels, measured from the packets.

        Raises:
            EmptyRecording, NotAudio, RecordingTooLong, UnreadableRecording: the recording cannot be accepted.
            DecodingInterrupted: the confined process was killed; the same recording may succeed later.
        """
        ...

    def warm(self) -> None:
        """Start what the first measurement needs, so that it does not wait for it."""
        ...


class SandboxedProbe:
    """RecordingProbe that reads every recording in a confined process."""

    def __init__(self, settings: Settings) -> None:
        self._limits = parley_audio.DecodeLimits.from_settings(settings)

    def sniff(self, head: bytes) -> None:
        parley_audio.sniff(head)

    def measure(self, path: Path) -> Probe:
        return parley_audio.probe(path, self._limits)

    def warm(self) -> None:
        parley_audio.warm(parley_audio.PROBING)
