"""Who the speakers of a result are, found out anew at every reading: a deleted voice is gone from all answers at once.

What a result keeps for this (vectors of voices, roles by channel) leaves here only as names and roles, unless somebody
asks for the vectors themselves.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict

from parley_api.deps import Deps
from parley_api.errors import VoicesNotKept
from parley_api.results import Document
from parley_core.job import Job
from parley_core.ports import VoiceStore
from parley_core.voices import Role, identify, people


def require_voices(job: Job) -> None:
    """Raise VoicesNotKept unless the job was told to keep them."""
    if not job.options.voices:
        raise VoicesNotKept("This job kept no voices. Submit the recording again with `voices=true`.")


async def with_people(deps: Deps, job: Job, result: Document, embeddings: bool = False) -> Document:
    """Return a result object as callers see it: with `people` where voices or channels were asked for.

    Args:
        embeddings: add the vectors too.

    Raises:
        VoicesNotKept: `embeddings` of a job that kept none.
        JobStoreUnavailable: nobody can say who is enrolled.
    """
    if embeddings:
        require_voices(job)
    if not job.options.voices and not job.options.channels:
        return result
    threshold = deps.settings.voice_threshold
    return await deps.calls.store(_named, deps.voices, threshold, job, result, embeddings)


def _named(voices: VoiceStore, threshold: float, job: Job, result: Document, embeddings: bool) -> Document:
    document = dict(result)
    vectors, model = document.pop("voices", {}), document.pop("voice_model", "")
    enrolled = voices.all(job.tenant) if vectors else ()
    matches = identify(vectors, model, enrolled, threshold)
    found = people(document["speakers"], matches, _roles(document.pop("roles", {})))
    document["people"] = [asdict(person) for person in found]
    if embeddings:
        document |= {"voices": vectors, "voice_model": model}
    return document


def _roles(plain: Mapping[str, str]) -> dict[str, Role]:
    return {speaker: Role(role) for speaker, role in plain.items()}
