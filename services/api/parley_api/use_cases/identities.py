"""Who the speakers of a result are.

Every answer works this out again, so a deleted voiceprint disappears from all answers at once.
"""

from __future__ import annotations

from dataclasses import replace

from parley_api.corrected_result import CorrectedResult
from parley_api.http.errors import SpeakerEmbeddingsNotKept
from parley_api.runtime.dependencies import Dependencies
from parley_api.speaker_identification import SpeakerIdentity, identities
from parley_core.job import Job
from parley_core.result_document import ResultDocument
from parley_core.voiceprints import VoiceprintStore, identify


def require_speaker_embeddings(job: Job) -> None:
    """Raise SpeakerEmbeddingsNotKept unless the job keeps speaker embeddings."""
    if not job.options.speaker_embeddings:
        raise SpeakerEmbeddingsNotKept(
            "This job kept no speaker embeddings. Submit the recording again with `speaker_embeddings=true`."
        )


async def identities_of(deps: Dependencies, job: Job, result: CorrectedResult) -> tuple[SpeakerIdentity, ...] | None:
    """Return who the speakers are. Names and roles that people gave take precedence.

    None if nobody gave any, and the job neither keeps speaker embeddings nor names its channels.

    Raises:
        JobStoreUnavailable: the voiceprints cannot be read.
    """
    if job.options.speaker_embeddings or job.options.channels:
        threshold = deps.settings.speaker_identification_threshold
        found = await deps.blocking.store(_identities, deps.voiceprints, threshold, job.tenant, result.document)
    elif result.names or result.roles:
        found = tuple(SpeakerIdentity(label) for label in result.document.speakers)
    else:
        return None
    return tuple(_as_corrected(identity, result) for identity in found)


def _as_corrected(identity: SpeakerIdentity, result: CorrectedResult) -> SpeakerIdentity:
    role = result.roles.get(identity.speaker, identity.role)
    name = result.names.get(identity.speaker)
    if name is None or name == identity.name:
        return replace(identity, role=role)
    return SpeakerIdentity(identity.speaker, name, role=role)


def _identities(
    voiceprints: VoiceprintStore, threshold: float, tenant: str, result: ResultDocument
) -> tuple[SpeakerIdentity, ...]:
    enrolled = voiceprints.all(tenant) if result.speaker_embeddings else ()
    matches = identify(result.speaker_embeddings, result.embedding_model, enrolled, threshold)
    return identities(result.speakers, matches, result.roles)
