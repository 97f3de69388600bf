"""A speaker of a job becomes an enrolled voice."""

from __future__ import annotations

from parley_api.http.errors import SpeakerWithoutEmbedding, UnknownSpeaker
from parley_api.runtime.dependencies import Dependencies
from parley_api.schemas import EnrolRequest
from parley_api.use_cases.identities import require_speaker_embeddings
from parley_api.use_cases.job_lookup import find
from parley_api.use_cases.results import result_of
from parley_core.job_id import new_id
from parley_core.logs import get_logger
from parley_core.result_document import ResultDocument
from parley_core.voiceprints import Embedding, NewVoiceprint, Voiceprint

log = get_logger(__name__)


async def enrol(deps: Dependencies, tenant: str, asked: EnrolRequest) -> Voiceprint:
    """Enrol a speaker of one of the tenant's jobs.

    Raises:
        JobNotFound, JobPurged: as `find` does.
        SpeakerEmbeddingsNotKept, TurnsNotYet, NoTurns: the job has no voices, not yet, or never will.
        UnknownSpeaker, SpeakerWithoutEmbedding: by the label.
        VoiceprintNameTaken, TooManyVoiceprints, JobStoreFull: as VoiceprintStore.enrol does.
    """
    job = await find(deps, tenant, asked.job_id)
    require_speaker_embeddings(job)
    result = await result_of(deps, job)
    vector = _vector_of(result, asked.speaker)
    new = NewVoiceprint(new_id(), tenant, asked.name, asked.role, result.embedding_model, vector)
    voice = await deps.blocking.store(deps.voiceprints.enrol, new)
    log.info("voice enrolled", voiceprint_id=voice.id, job_id=job.id)
    return voice


def _vector_of(result: ResultDocument, speaker: str) -> Embedding:
    if speaker not in result.speakers:
        raise UnknownSpeaker(f"The job has no such speaker; it has: {', '.join(result.speakers) or 'none'}.")
    if speaker not in result.speaker_embeddings:
        raise SpeakerWithoutEmbedding(f"{speaker} says too little alone for a voice. Enrol from a longer recording.")
    return result.speaker_embeddings[speaker]
