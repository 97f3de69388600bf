"""What the API asks of audio: is this a recording, and how long is it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Measured:
    """What was found in a recording: its media type by content, its length in seconds by its packets, its channels."""

    media_type: str
    seconds: float
    channels: int


class AudioInspector(Protocol):
    """Looks into recordings that nobody has vouched for."""

    def sniff(self, head: bytes) -> None:
        """Raise NotAudio when a recording cannot begin like this."""
        ...

    def measure(self, path: Path) -> Measured:
        """Raises NotAudio, UnreadableRecording, EmptyRecording, RecordingTooLong or DecodingInterrupted."""
        ...

    def warm(self) -> None:
        """Get ready, so that the first recording does not wait for it."""
        ...
