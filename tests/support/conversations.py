"""Conversations made up for the console: turns, sound and peaks of any length, the same each time."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass, replace
from io import BytesIO

import numpy as np
import soundfile
from numpy.typing import NDArray

from parley_core.durable_job_store import DurableJobStore
from parley_core.job import Job, JobOptions, Lease, dispatch_of
from parley_core.recording import Recording, peaks_key, result_key, voices_key
from parley_core.result_document import DiarizedRecording, ResultDocument
from parley_core.settings import Settings
from parley_core.storage.objects import object_store
from parley_core.turn_voices import STEPS, TurnVoices
from parley_core.turns import REVIEW_BELOW, EngineInfo, Span, Turn
from tests.support.containers import silent_flac
from tests.support.fakes import new_job

SAMPLE_RATE = 16_000
LEVELS_PER_SECOND = 50
MOST_PAIRS = 96_000
ENGINE = EngineInfo("onnx", "3", parameters={REVIEW_BELOW: 0.6})


@dataclass(frozen=True, slots=True)
class Conversation:
    """Who speaks when. `turns` may overlap."""

    seconds: float
    speakers: tuple[str, ...]
    turns: tuple[Turn, ...]
    overlaps: tuple[Span, ...]

    def levels(self) -> NDArray[np.float64]:
        """Return the loudness, 0 to 1, of each 20 ms: syllables where somebody speaks, a hum elsewhere."""
        random = np.random.default_rng(7)
        number = int(self.seconds * LEVELS_PER_SECOND)
        gain = np.full(number, 0.012)
        for turn in self.turns:
            part = slice(int(turn.start * LEVELS_PER_SECOND), int(turn.end * LEVELS_PER_SECOND))
            gain[part] = 0.35 + 0.5 * (self.speakers.index(turn.speaker) % 3) / 3
        syllables = np.repeat(random.gamma(2.0, 0.4, number // 6 + 1), 6)[:number]
        smooth = np.convolve(syllables, np.hanning(9) / np.hanning(9).sum(), mode="same")
        return np.asarray(np.clip(gain * smooth * random.uniform(0.7, 1.0, number), 0, 1))

    def sound(self) -> bytes:
        """Return noise with this loudness as FLAC. Of more than ten minutes, return silence: it is made in no time."""
        if self.seconds > 600:
            return silent_flac(self.seconds / 3600)
        gain = np.repeat(self.levels(), SAMPLE_RATE // LEVELS_PER_SECOND)
        samples = (gain * np.random.default_rng(1).normal(0, 0.3, len(gain))).astype(np.float32)
        with BytesIO() as buffer:
            soundfile.write(buffer, np.clip(samples, -1, 1), SAMPLE_RATE, format="FLAC")
            return buffer.getvalue()

    def peaks(self) -> bytes:
        """Return the peaks as a worker stores them."""
        levels = self.levels()
        width = -(-len(levels) // MOST_PAIRS)
        highs = (127 * np.maximum.reduceat(levels, np.arange(0, len(levels), width))).astype(np.int8)
        samples = width * SAMPLE_RATE // LEVELS_PER_SECOND
        return (
            struct.pack("<iIiiIi", 2, 1, SAMPLE_RATE, samples, len(highs), 1) + np.stack([-highs, highs], 1).tobytes()
        )


def conversation(seconds: float, speakers: int, seed: int = 0) -> Conversation:
    """Return a conversation in which each speaker has another share, with overlaps and uncertain turns."""
    random = np.random.default_rng(seed)
    labels = tuple(f"SPEAKER_{number:02}" for number in range(speakers))
    shares = np.geomspace(1, 0.25, speakers)
    turns: list[Turn] = []
    overlaps: list[Span] = []
    now, last = 0.6, -1
    while now < seconds - 2:
        weights = shares * (np.arange(speakers) != last) if speakers > 1 else shares
        last = len(dict.fromkeys(turn.speaker for turn in turns)) if len(turns) < speakers else -1
        last = last if last >= 0 else int(random.choice(speakers, p=weights / weights.sum()))
        end = min(seconds, now + random.gamma(1.8, 2.2) + 0.5)
        confidence = round(float(np.clip(random.beta(9, 1.1), 0.2, 0.99)), 3)
        turns.append(Turn(round(now, 3), round(end, 3), labels[last], confidence))
        overlap = random.random() < 0.12
        if overlap and end - now > 2:
            overlaps.append(Span(round(end - 0.6, 3), round(end, 3)))
        now = end - 0.6 if overlap and end - now > 2 else end + random.exponential(0.45)
    return Conversation(seconds, labels, tuple(turns), tuple(overlaps))


def voices_of(people: Sequence[int]) -> TurnVoices:
    """Return voices of turns in which these people speak."""
    random = np.random.default_rng(3)
    vectors = 0.85 * np.eye(12)[list(people)] + random.normal(0, 0.1, (len(people), 12))
    unit = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    return TurnVoices(12, np.rint(unit * STEPS).astype(np.int8).tobytes(), bytes([30] * len(people)))


def document_of(said: Conversation, job: Job) -> ResultDocument:
    """Return the result of a conversation."""
    return ResultDocument(
        job_id=job.id,
        recording=DiarizedRecording(job.recording.sha256, job.recording.seconds),
        speakers=tuple(dict.fromkeys(turn.speaker for turn in said.turns)),
        turns=said.turns,
        exclusive_turns=said.turns,
        overlaps=said.overlaps,
        engine=ENGINE,
    )


class Shelf:
    """Puts jobs into real stores, as API and worker do."""

    def __init__(self, settings: Settings) -> None:
        self.store, self.objects = DurableJobStore.from_settings(settings), object_store(settings)

    def accepted(self, said: Conversation, name: str, reference: str | None = None) -> Job:
        """Return a queued job with its recording."""
        new = new_job(seconds=said.seconds, options=JobOptions(reference=reference))
        sound = said.sound()
        recording = Recording(new.recording.key, "0" * 64, len(sound), said.seconds, "audio/flac", name)
        self.objects.put(recording.key, sound)
        job = self.store.create(replace(new, recording=recording), None).job
        self.store.mark_queued(dispatch_of(job))
        return self.store.get(job.id)

    def start(self, job: Job) -> Lease:
        """Start an attempt at a job."""
        started = self.store.start_attempt(job.id, "worker/1", 600)
        assert started is not None
        return started[1]

    def succeed(self, job: Job, lease: Lease, said: Conversation, voices: TurnVoices | None = None) -> None:
        """Store the result of an attempt with its peaks and the voices of its turns, and end the job."""
        key = result_key(job.id, lease.nonce)
        document = document_of(said, job)
        self.objects.put(peaks_key(key), said.peaks())
        if voices is not None:
            self.objects.put(voices_key(key), voices.to_bytes())
        self.objects.put(key, document.to_json())
        self.store.succeed(lease, document.summary(key, {"engine": said.seconds / 150}))

    def succeeded(
        self, said: Conversation, name: str, reference: str | None = None, voices: TurnVoices | None = None
    ) -> Job:
        """Return a job with its result, its peaks and the voices of its turns."""
        job = self.accepted(said, name, reference)
        self.succeed(job, self.start(job), said, voices)
        return self.store.get(job.id)
