"""The transcript of a job: stored as it was recognised, joined with the speakers whenever it is read.

So a transcript may come before, during or after the work of the engine, and a retry is joined with its own result.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from parley_api.corrected_result import CorrectedResult
from parley_api.http.errors import TranscriptNotFound
from parley_api.runtime.dependencies import Dependencies
from parley_api.schemas.queries import TranscriptFormat
from parley_api.transcripts.attribution import attribute
from parley_api.transcripts.evidence import as_shown, evidence_of_turns
from parley_api.transcripts.reading import read_transcript, require_within
from parley_api.transcripts.utterances import SpokenWord, spoken
from parley_api.transcripts.words import Transcript
from parley_api.use_cases.results import engine_result, require_result
from parley_core.errors import JobPurged
from parley_core.frame_evidence import FrameEvidence
from parley_core.job import Job
from parley_core.ports import RecordingStore
from parley_core.recording import evidence_key, transcript_key


async def store_transcript(deps: Dependencies, job: Job, body: bytes, name: TranscriptFormat | None) -> Transcript:
    """Store a transcript in place of an earlier one, and return it.

    Raises:
        InvalidTranscript: it cannot be read, or belongs to another recording. An earlier one stays.
        JobPurged: the job was deleted meanwhile. Nothing stays.
        ObjectStoreUnavailable, JobStoreUnavailable: try again.
    """
    key = transcript_key(job.id)

    transcript = await deps.blocking.probe(read_transcript, body, name)
    require_within(transcript, job.recording.seconds)
    await deps.blocking.objects(deps.recordings.put, key, transcript.to_json())
    try:
        await deps.blocking.store(deps.store.get, job.id)
    except JobPurged:
        await deps.blocking.objects(deps.recordings.delete, key)
        raise
    return transcript


async def words_of(deps: Dependencies, job: Job, result: CorrectedResult) -> tuple[SpokenWord, ...] | None:
    """Return the words of a job's transcript with their speakers; None if the job has none.

    Args:
        result: of the job. Where people have corrected its turns, the words follow them.

    Raises:
        ObjectStoreUnavailable: it cannot be read.
    """
    key = require_result(job).key
    return await deps.blocking.objects(_words, deps.recordings, job.id, key, result)


async def required_words_of(deps: Dependencies, job: Job, result: CorrectedResult) -> tuple[SpokenWord, ...]:
    """Return what `words_of` returns. Raises TranscriptNotFound if the job has no transcript."""
    words = await words_of(deps, job, result)
    if words is None:
        raise TranscriptNotFound("This job has no transcript. Send it with `POST` to this path.")
    return words


def _words(recordings: RecordingStore, job_id: str, key: str, result: CorrectedResult) -> tuple[SpokenWord, ...] | None:
    try:
        transcript = Transcript.from_json(recordings.read(transcript_key(job_id)))
    except KeyError:
        return None
    return spoken(transcript.words, attribute(transcript.words, *_evidence(recordings, key, result)))


def _evidence(
    recordings: RecordingStore, key: str, result: CorrectedResult
) -> tuple[FrameEvidence, NDArray[np.bool_] | None]:
    """Return the engine's evidence, as corrected, and where; the turns stand for it where the engine has none."""
    shown = result.document
    try:
        evidence = FrameEvidence.from_bytes(recordings.read(evidence_key(key)))
    except KeyError:
        return evidence_of_turns(shown.turns, shown.speakers, shown.recording.seconds), None
    engine = engine_result(recordings, key) if result.version else shown
    return as_shown(evidence, engine.turns, shown.turns, shown.speakers)
