"""Who the speakers of a result are, found out anew at every reading: a deleted voice is gone from all answers at once.

What a result keeps for this (vectors of voices, roles by channel) leaves here only as names and roles, unless somebody
asks for the vectors themselves.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict

from parley_api.http.errors import SpeakerEmbeddingsNotKept
from parley_api.runtime.dependencies import Dependencies
from parley_api.use_cases.results import Document
from parley_core.job import Job
from parley_core.ports import VoiceprintStore
from parley_core.voiceprints import Role, identify, people


def require_speaker_embeddings(job: Job) -> None:
    """Raise SpeakerEmbeddingsNotKept unless the job was told to keep them."""
    if not job.options.speaker_embeddings:
        raise SpeakerEmbeddingsNotKept(
            "This job kept no voices. Submit the recording again with `speaker_embeddings=true`."
        )


async def with_identities(deps: Dependencies, job: Job, result: Document, embeddings: bool = False) -> Document:
    """Return a result object as callers see it: with `people` where voices or channels were asked for.

    Args:
        embeddings: add the vectors too.

    Raises:
        SpeakerEmbeddingsNotKept: `embeddings` of a job that kept none.
        JobStoreUnavailable: nobody can say who is enrolled.
    """
    if embeddings:
        require_speaker_embeddings(job)
    if not job.options.speaker_embeddings and not job.options.channels:
        return result
    threshold = deps.settings.speaker_identification_threshold
    return await deps.calls.store(_named, deps.voiceprints, threshold, job, result, embeddings)


def _named(voices: VoiceprintStore, threshold: float, job: Job, result: Document, embeddings: bool) -> Document:
    document = dict(result)
    vectors, model = document.pop("speaker_embeddings", {}), document.pop("embedding_model", "")
    enrolled = voices.all(job.tenant) if vectors else ()
    matches = identify(vectors, model, enrolled, threshold)
    found = people(document["speakers"], matches, _roles(document.pop("roles", {})))
    document["identities"] = [asdict(person) for person in found]
    if embeddings:
        document |= {"speaker_embeddings": vectors, "embedding_model": model}
    return document


def _roles(plain: Mapping[str, str]) -> dict[str, Role]:
    return {speaker: Role(role) for speaker, role in plain.items()}
