"""A speaker of a job becomes an enrolled voice."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from parley_api.deps import Deps
from parley_api.errors import SpeakerWithoutVoice, UnknownSpeaker
from parley_api.finding import find
from parley_api.ids import new_id
from parley_api.people import require_voices
from parley_api.results import result_of
from parley_api.schemas import EnrolRequest
from parley_core.logs import get_logger
from parley_core.voices import NewVoice, Vector, Voice

log = get_logger(__name__)


async def enrol(deps: Deps, tenant: str, asked: EnrolRequest) -> Voice:
    """Enrol a speaker of one of the tenant's jobs.

    Raises:
        JobNotFound, JobPurged: as `find` does.
        VoicesNotKept, TurnsNotYet, NoTurns: the job has no voices, not yet, or never will.
        UnknownSpeaker, SpeakerWithoutVoice: by the label.
        VoiceNameTaken, TooManyVoices, JobStoreFull: as VoiceStore.enrol does.
    """
    job = await find(deps, tenant, asked.job_id)
    require_voices(job)
    document = await result_of(deps, job)
    vector = _vector_of(document, asked.speaker)
    new = NewVoice(new_id(), tenant, asked.name, asked.role, document["voice_model"], vector)
    voice = await deps.calls.store(deps.voices.enrol, new)
    log.info("voice enrolled", voice_id=voice.id, job_id=job.id)
    return voice


def _vector_of(document: Mapping[str, Any], speaker: str) -> Vector:
    speakers, vectors = document["speakers"], document["voices"]
    if speaker not in speakers:
        raise UnknownSpeaker(f"The job has no such speaker; it has: {', '.join(speakers) or 'none'}.")
    if speaker not in vectors:
        raise SpeakerWithoutVoice(f"{speaker} says too little alone for a voice. Enrol from a longer recording.")
    vector: Vector = vectors[speaker]
    return vector
