"""What an attempt needs, in memory, with lease renewals fast enough for tests."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from parley_audio import DecodedRecording
from parley_core.job import Job, JobOptions, SpeakerBounds
from parley_core.settings import Settings
from parley_core.turns import Diarization, EngineInfo
from parley_worker.dependencies import Dependencies
from parley_worker.engines.port import Engine, Report
from parley_worker.engines.scripted import ScriptedEngine
from tests.support.fakes import MemoryJobStore, MemoryRecordingStore, new_job

SECOND = np.zeros(16_000, dtype=np.float32)


def decode_second(path: Path) -> DecodedRecording:
    assert path.read_bytes() == b"sound"
    return DecodedRecording(SECOND)


class AttemptFixture:
    """Ports, dependencies and one accepted job."""

    def __init__(self) -> None:
        self.store, self.recordings = MemoryJobStore(), MemoryRecordingStore()
        settings = Settings(lease_seconds=0.2, lease_renewal_seconds=0.01)
        self.deps = Dependencies(
            self.store, self.recordings, decode_second, lambda: ScriptedEngine(0.0), settings, "host/abc/1"
        )
        self.job_id = self.submit()

    def submit(self, options: JobOptions | None = None) -> str:
        new = new_job(seconds=1.0, options=options)
        self.recordings.objects[new.recording.key] = b"sound"
        self.store.create(new)
        return new.id

    def with_engine(self, engine: Engine) -> Dependencies:
        return replace(self.deps, engine=lambda: engine)

    def job(self) -> Job:
        return self.store.get(self.job_id)

    def results(self) -> list[str]:
        """Result keys of the attempts that left something: the result, its peaks or both."""
        return sorted({f"{key.rpartition('.')[0]}.json" for key in self.recordings.keys("results/")})


class CallingEngine:
    """Calls a function of the test in the middle of its work and finds no turns."""

    info = EngineInfo("calling", "1")

    def __init__(self, middle: Callable[[Report], None]) -> None:
        self._middle = middle

    def diarize(self, waveform: NDArray[np.float32], speakers: SpeakerBounds, report: Report) -> Diarization:
        self._middle(report)
        return Diarization((), (), ())
