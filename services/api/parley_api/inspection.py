"""The AudioInspector on parley_core.audio: containers told by their bytes, packets counted in a limited process."""

from __future__ import annotations

from pathlib import Path

from parley_api.audio import Measured
from parley_core import audio
from parley_core.settings import Settings


class IsolatedInspector:
    """Looks into recordings in a process of its own."""

    def __init__(self, settings: Settings) -> None:
        self._limits = audio.DecodeLimits.from_settings(settings)

    def sniff(self, head: bytes) -> None:
        audio.sniff(head)

    def measure(self, path: Path) -> Measured:
        probe = audio.probe(path, self._limits)
        return Measured(probe.media_type, probe.seconds, probe.channels)

    def warm(self) -> None:
        audio.warm()
