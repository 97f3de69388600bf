"""Enrols a speaker of a job as a voiceprint."""

from __future__ import annotations

from parley_api.http.errors import ConsentRequired, SpeakerWithoutEmbedding, UnknownSpeaker
from parley_api.runtime.dependencies import Dependencies
from parley_api.schemas import EnrolRequest
from parley_api.use_cases.identities import require_speaker_embeddings
from parley_api.use_cases.job_lookup import find
from parley_api.use_cases.results import result_of
from parley_core.job_id import new_id
from parley_core.logs import get_logger
from parley_core.voiceprints import NewVoiceprint, Role, Voiceprint

log = get_logger(__name__)


async def enrol(deps: Dependencies, tenant: str, asked: EnrolRequest) -> Voiceprint:
    """Enrol a speaker of one of the tenant's jobs; return the voiceprint.

    Raises:
        ConsentRequired: the request has no consent, and the server requires it.
        JobNotFound, JobPurged: the tenant has no such job.
        SpeakerEmbeddingsNotKept: the job was submitted without `speaker_embeddings`.
        TurnsNotYet, NoTurns: the job has no result.
        UnknownSpeaker, SpeakerWithoutEmbedding: the result has no such label, or no embedding for it.
        VoiceprintNameTaken, TooManyVoiceprints, JobStoreFull: the store refuses the voiceprint.
    """
    if asked.consent is None and deps.settings.voiceprint_consent_required:
        raise ConsentRequired("Send the person's `consent`: `given_by`, `given_at`, `purpose` and `until`.")
    job = await find(deps, tenant, asked.job_id)
    require_speaker_embeddings(job)
    result = (await result_of(deps, job)).document
    if asked.speaker not in result.speakers:
        labels = ", ".join(result.speakers) or "none"
        raise UnknownSpeaker(f"The job has no such speaker. Its speakers: {labels}.")
    if asked.speaker not in result.speaker_embeddings:
        raise SpeakerWithoutEmbedding(
            f"The job has no speaker embedding of {asked.speaker}, who says too little alone, or whose embedding was "
            "removed with a voiceprint. Enrol from another recording."
        )
    new = NewVoiceprint(
        id=new_id(),
        tenant=tenant,
        name=asked.name,
        role=None if asked.role is None else Role(asked.role),
        model=result.embedding_model,
        vector=result.speaker_embeddings[asked.speaker],
        consent=None if asked.consent is None else asked.consent.value(),
    )
    voiceprint = await deps.blocking.store(deps.voiceprints.enrol, new)
    log.info("voiceprint enrolled", voiceprint_id=voiceprint.id, job_id=job.id)
    return voiceprint
