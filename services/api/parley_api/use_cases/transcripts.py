"""The transcript of a job: stored as it was recognised, joined with the speakers whenever it is read.

So a transcript may come before, during or after the work of the engine, and a retry is joined with its own result.
"""

from __future__ import annotations

import time

from parley_api.corrected_result import CorrectedResult
from parley_api.http.errors import InvalidOption, TranscriptNotFound
from parley_api.runtime.dependencies import Dependencies
from parley_api.schemas.queries import TranscriptFormat
from parley_api.transcripts.reading import read_transcript, require_within
from parley_api.transcripts.utterances import SpokenWord
from parley_api.use_cases.results import require_result
from parley_core.errors import JobPurged
from parley_core.job import Job
from parley_core.ports import RecordingStore
from parley_core.recording import result_folder, transcript_key, words_key
from parley_core.transcript import Transcript


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
        await deps.blocking.look_up(deps.store.get, job.id)
    except JobPurged:
        await deps.blocking.objects(deps.recordings.delete, key)
        raise
    return transcript


async def request_words(deps: Dependencies, job: Job) -> Job:
    """Ask the recogniser of the deployment for the words of a job, and return the job. Asking twice is asking once.

    Raises:
        InvalidOption: there is no recogniser.
        JobNotFinished, JobNotSucceeded: there is no result.
        JobNotRetryable: the recording is gone.
        JobPurged: the job was deleted meanwhile.
        JobStoreUnavailable, ObjectStoreUnavailable: try again.
    """
    if not deps.settings.asr_url:
        raise InvalidOption("This server has no recogniser. Send the transcript instead.")
    found = require_result(job).transcription
    if found is not None and found.error_code is None and job.words_request is None:
        return job
    asked_at = round(time.time() * 1000)
    await deps.blocking.objects(deps.store.manifests.note_words_request, job.id, asked_at)
    await deps.blocking.store(deps.words_requests.request, job.id, asked_at)
    return await deps.blocking.look_up(deps.store.get, job.id)


async def words_of(deps: Dependencies, job: Job, result: CorrectedResult) -> tuple[SpokenWord, ...] | None:
    """Return the words of a job's transcript with their speakers; None if the job has none.

    Args:
        result: of the job. Where people have corrected its turns, the words follow them.

    Raises:
        ObjectStoreUnavailable: it cannot be read.
    """
    return await deps.blocking.objects(_spoken_words, deps.recordings, job.id, require_result(job).key, result)


async def has_words(deps: Dependencies, job: Job) -> bool:
    """Return whether a job has a transcript, without reading it. Raises ObjectStoreUnavailable."""
    own, recognised = transcript_key(job.id), words_key(require_result(job).key)
    keys = await deps.blocking.objects(deps.recordings.keys, f"{result_folder(job.id)}/")
    return own in keys or recognised in keys


def _spoken_words(
    recordings: RecordingStore, job_id: str, key: str, result: CorrectedResult
) -> tuple[SpokenWord, ...] | None:
    from parley_api.use_cases.spoken_words import spoken_words  # loads NumPy, a tenth of the processor time of a start

    return spoken_words(recordings, job_id, key, result)


async def required_words_of(deps: Dependencies, job: Job, result: CorrectedResult) -> tuple[SpokenWord, ...]:
    """Return what `words_of` returns. Raises TranscriptNotFound if the job has no transcript."""
    words = await words_of(deps, job, result)
    if words is None:
        raise TranscriptNotFound("This job has no transcript. Send it with `POST` to this path.")
    return words
