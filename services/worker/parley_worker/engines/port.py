"""The port of engines: a waveform in, who spoke when out."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Protocol

from parley_core.job import Phase, SpeakerBounds
from parley_core.turns import Diarization, EngineInfo

if TYPE_CHECKING:  # a process that imports this port need not load numpy
    import numpy as np
    from numpy.typing import NDArray

Report = Callable[[Phase, float], None]
"""Called by an engine between batches with the phase and the progress of this phase (0 to 1).

Whatever it raises (AttemptEnded) must pass through the engine unchanged: that is how a cancel stops the work.
"""


class Engine(Protocol):
    """Turns a waveform into turns."""

    @property
    def info(self) -> EngineInfo:
        """Name, version, weights and parameters."""
        ...

    def diarize(self, waveform: NDArray[np.float32], speakers: SpeakerBounds, report: Report) -> Diarization:
        """Return who spoke when; no turns for silence or noise, and for any length including zero.

        Args:
            waveform: shape (samples,), mono, 16 kHz, -1 to 1.
            speakers: bounds to honour wherever there is enough speech.
            report: see Report.
        """
        ...
