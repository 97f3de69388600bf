"""A fast engine whose answer is known beforehand: for fault and load tests, where jobs count and turns do not."""

from __future__ import annotations

import os
import time

import numpy as np
from numpy.typing import NDArray

from parley_core.engine import Report
from parley_core.job import Phase, SpeakerBounds
from parley_core.turns import Diarization, EngineInfo, Turn

STEPS = 10  # batches, between which a cancel is noticed
WORKING_PHASES = (Phase.SEGMENTATION, Phase.EMBEDDING, Phase.CLUSTERING)


class ScriptedEngine:
    """Takes `seconds` of wall time, reports every tenth of it, and returns one turn over the whole recording."""

    def __init__(self, seconds: float) -> None:
        self.info = EngineInfo("scripted", "1", parameters={"seconds": seconds})
        self._seconds = seconds

    def diarize(self, waveform: NDArray[np.float32], speakers: SpeakerBounds, report: Report) -> Diarization:
        for step in range(STEPS):
            report(WORKING_PHASES[step * len(WORKING_PHASES) // STEPS], step / STEPS)
            time.sleep(self._seconds / STEPS)
        end = round(len(waveform) / 16_000, 3)
        turns = (Turn(0.0, end, "SPEAKER_00"),) if end > 0 else ()
        return Diarization(turns, turns, ())


def scripted_engine(threads: int = 1) -> ScriptedEngine:
    """Factory for `PARLEY_ENGINE=tests.support.fakes:scripted_engine`; PARLEY_SCRIPTED_SECONDS sets its wall time.

    It computes nothing, so it has no use for `threads`, which every factory is called with.
    """
    return ScriptedEngine(float(os.environ.get("PARLEY_SCRIPTED_SECONDS", "0.2")))
