"""The engine's evidence for the speakers of words, and the voices of turns, are stored with the result."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from parley_core.frame_evidence import FrameEvidence
from parley_core.job import SpeakerBounds
from parley_core.recording import evidence_key, result_key, voices_key
from parley_core.turn_voices import TurnVoices
from parley_core.turns import Diarization, EngineInfo
from parley_worker.attempt.attempt import run_attempt
from parley_worker.engines.port import Report
from tests.support.attempts import AttemptFixture

FOUND = FrameEvidence(("SPEAKER_00",), 0.025, 0.05, b"\x00\xff" * 10)
VOICES = TurnVoices(2, b"\x7f\x00", b"\x0a")


class Hearing:
    """An engine with evidence."""

    info = EngineInfo("hearing", "1")

    def diarize(self, waveform: NDArray[np.float32], speakers: SpeakerBounds, report: Report) -> Diarization:
        return replace(Diarization((), (), ()), evidence=FOUND, voices=VOICES)


def test_an_attempt_stores_evidence_and_voices_beside_its_result(fixture: AttemptFixture) -> None:
    run_attempt(fixture.job_id, fixture.with_engine(Hearing()))
    key = evidence_key(result_key(fixture.job_id, fixture.job().nonce))
    assert FrameEvidence.from_bytes(fixture.recordings.read(key)) == FOUND
    voices = voices_key(result_key(fixture.job_id, fixture.job().nonce))
    assert TurnVoices.from_bytes(fixture.recordings.read(voices)) == VOICES


def test_an_engine_without_evidence_stores_none(fixture: AttemptFixture) -> None:
    run_attempt(fixture.job_id, fixture.deps)
    assert not [key for key in fixture.recordings.objects if key.endswith((".evidence", ".voices"))]
