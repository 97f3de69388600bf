"""A fast engine whose answer is known in advance: for fault and load tests, where jobs count and turns do not."""

from __future__ import annotations

import os
import time

import numpy as np
from numpy.typing import NDArray

from parley_core.job import Phase, SpeakerBounds
from parley_core.turns import Diarization, EngineInfo, Turn
from parley_worker.engines.port import Report

SAMPLE_RATE = 16_000
STEPS = 10  # batches; a cancel is noticed between two of them
WORKING_PHASES = (Phase.SEGMENTATION, Phase.EMBEDDING, Phase.CLUSTERING)


class ScriptedEngine:
    """Takes `seconds` of wall time, reports every tenth of it, and returns one turn over the whole recording."""

    def __init__(self, seconds: float) -> None:
        self.info = EngineInfo("scripted", "1", parameters={"seconds": seconds})
        self._seconds = seconds

    def diarize(self, waveform: NDArray[np.float32], speakers: SpeakerBounds, report: Report) -> Diarization:
        for step in range(STEPS):
            phase, fraction = divmod(step * len(WORKING_PHASES), STEPS)
            report(WORKING_PHASES[phase], fraction / STEPS)
            time.sleep(self._seconds / STEPS)
        end = round(len(waveform) / SAMPLE_RATE, 3)
        turns = (Turn(0.0, end, "SPEAKER_00"),) if end > 0 else ()
        return Diarization(turns, turns, ())


def scripted_engine(threads: int = 1) -> ScriptedEngine:
    """Factory for `PARLEY_ENGINE=parley_worker.engines.scripted:scripted_engine`.

    `PARLEY_SCRIPTED_SECONDS` sets the wall time of a job. The engine computes nothing and ignores `threads`.
    """
    return ScriptedEngine(float(os.environ.get("PARLEY_SCRIPTED_SECONDS", "0.2")))
