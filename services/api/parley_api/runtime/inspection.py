"""The AudioInspector on parley_audio: containers told by their bytes, packets counted in a limited process."""

from __future__ import annotations

from pathlib import Path

import parley_audio
from parley_api.runtime.probe import Measured
from parley_core.settings import Settings


class IsolatedInspector:
    """Looks into recordings in a process of its own."""

    def __init__(self, settings: Settings) -> None:
        self._limits = parley_audio.DecodeLimits.from_settings(settings)

    def sniff(self, head: bytes) -> None:
        parley_audio.sniff(head)

    def measure(self, path: Path) -> Measured:
        probe = parley_audio.probe(path, self._limits)
        return Measured(probe.media_type, probe.seconds, probe.channels)

    def warm(self) -> None:
        parley_audio.warm()
