"""One job gives an attributed transcript: a real worker, a real engine and a real recogniser."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator
from dataclasses import replace
from importlib.resources import files
from pathlib import Path

import pytest
import soundfile

from parley_api.transcripts.attribution import attribute
from parley_core.frame_evidence import FrameEvidence
from parley_core.job import JobOptions, JobState
from parley_core.recording import checkpoint_folder, evidence_key, words_key
from parley_core.settings import Settings
from parley_core.transcript import Transcript
from tests.support.recogniser_server import Answer, Asked, PocketSphinx, RecogniserServer, words_answer
from tests.support.sounds import wav
from tests.support.waiting import HANG_SECONDS, until
from tests.support.worker import System, running_system

SECONDS = 16.0  # of the sample conversation: one person says three sentences, then another begins


@pytest.fixture
def system(settings: Settings, tmp_path: Path) -> Iterator[System]:
    with running_system(settings, tmp_path) as system:
        yield system


def submit(system: System, recording: bytes, seconds: float) -> str:
    new = system.upload()
    new = replace(new, options=JobOptions(transcribe=True), recording=replace(new.recording, seconds=seconds))
    system.objects.put(new.recording.key, recording)
    job = system.store.create(new).job
    system.publish(job)
    return job.id


def test_a_real_recogniser_gives_words_and_the_engine_their_speakers(system: System, tmp_path: Path) -> None:
    sound, rate = soundfile.read(str(files("parley") / "sample" / "conversation.flac"), dtype="int16")
    soundfile.write(tmp_path / "visit.wav", sound[: int(SECONDS * rate)], rate)
    with RecogniserServer(PocketSphinx()) as server:
        system.worker("onnx", PARLEY_ASR_URL=server.url, PARLEY_ASR_PIECE_SECONDS=10)
        job_id = submit(system, (tmp_path / "visit.wav").read_bytes(), SECONDS)
        job = system.wait_for_end(job_id)
    assert job.result is not None
    assert (job.result.transcription and job.result.transcription.error_code) is None
    words = Transcript.from_json(system.objects.read(words_key(job.result.key))).words
    evidence = FrameEvidence.from_bytes(system.objects.read(evidence_key(job.result.key)))
    said: dict[str | None, set[str]] = {}
    for word, speaker in zip(words, attribute(words, evidence).speakers, strict=True):
        said.setdefault(speaker, set()).add(word.text)
    first, second = said.values()
    assert {"february", "pleasant", "night"} <= first
    assert {"midnight", "sunrise"} <= second


def test_a_killed_worker_costs_no_piece_that_was_transcribed(system: System) -> None:
    """The child is killed while the recogniser works on the second piece of three."""
    held, let_go = threading.Event(), threading.Event()
    asked: list[float] = []

    def answer(one: Asked) -> Answer:
        asked.append(one.seconds)
        if len(asked) == 2:
            held.set()
            let_go.wait(HANG_SECONDS)
        return words_answer(("Hello.", 0.1, 0.4))

    with RecogniserServer(answer) as server:
        system.worker(PARLEY_ASR_URL=server.url, PARLEY_ASR_PIECE_SECONDS=10)
        system.keeper()
        job_id = submit(system, wav(25.0), 25.0)
        assert held.wait(HANG_SECONDS)
        until(lambda: system.objects.keys(f"{checkpoint_folder(job_id)}/"))
        os.kill(int(system.store.get(job_id).attempts[-1].worker.rpartition("/")[2]), signal.SIGKILL)
        job = system.wait_for_end(job_id)
        let_go.set()
    assert (job.state, len(job.attempts)) == (JobState.SUCCEEDED, 2)
    assert sum(asked) - asked[1] == pytest.approx(25.0)
    assert job.result is not None
    assert job.result.transcription is not None
    assert job.result.transcription.words == len(asked) - 1
