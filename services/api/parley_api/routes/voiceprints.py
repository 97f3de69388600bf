"""Voiceprints: enrol, list, read, delete."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated

from fastapi import APIRouter, Depends, Path, Request, Response

from parley_api.http.errors import (
    BodyStalled,
    BodyTooLarge,
    ConsentRequired,
    SpeakerEmbeddingsNotKept,
    SpeakerWithoutEmbedding,
    UnknownSpeaker,
    UnsupportedBody,
)
from parley_api.http.ids import require_id
from parley_api.http.openapi import ENROL_CALL, problems
from parley_api.intake.json_body import read_json
from parley_api.routes.context import Deps, NoQuery, Tenant, needs
from parley_api.runtime.keys import Scope
from parley_api.schemas import EnrolRequest, VoiceprintAnswer, VoiceprintReceiptAnswer, VoiceprintsAnswer
from parley_api.schemas.examples import VOICEPRINT_ID
from parley_api.use_cases.enrolment import enrol
from parley_core import errors
from parley_core.logs import get_logger
from parley_core.storage.ended_voiceprints import EndedVoiceprints

router = APIRouter(prefix="/v1/voiceprints", tags=["voiceprints"])

log = get_logger(__name__)


async def id_of_path(
    voiceprint_id: Annotated[str, Path(description="Id of the voiceprint.", examples=[VOICEPRINT_ID])],
) -> str:
    """Return the id as Parley writes it. Raises VoiceprintNotFound for text that is no id."""
    return require_id(voiceprint_id, errors.VoiceprintNotFound, "voiceprint")


VoiceprintId = Annotated[str, Depends(id_of_path)]


@router.post(
    "",
    status_code=201,
    summary="Enrol a voiceprint",
    openapi_extra=ENROL_CALL,
    responses=problems(
        ConsentRequired,
        errors.JobNotFound,
        errors.JobPurged,
        errors.JobNotFinished,
        errors.JobNotSucceeded,
        SpeakerEmbeddingsNotKept,
        UnknownSpeaker,
        SpeakerWithoutEmbedding,
        errors.VoiceprintNameTaken,
        errors.TooManyVoiceprints,
        BodyTooLarge,
        BodyStalled,
        UnsupportedBody,
        errors.JobStoreFull,
        errors.ObjectStoreUnavailable,
    ),
    dependencies=needs(Scope.VOICEPRINTS),
)
async def enrol_voiceprint(
    request: Request, response: Response, query: NoQuery, deps: Deps, tenant: Tenant
) -> VoiceprintAnswer:
    """Enrol a speaker of one of your jobs. The person is named in every job that keeps speaker embeddings."""
    voiceprint = await enrol(deps, tenant, await read_json(request, EnrolRequest))
    response.headers["Location"] = f"/v1/voiceprints/{voiceprint.id}"
    return VoiceprintAnswer.of(voiceprint)


@router.get("", summary="List voiceprints", responses=problems(), dependencies=needs(Scope.VOICEPRINTS))
async def list_voiceprints(query: NoQuery, deps: Deps, tenant: Tenant) -> VoiceprintsAnswer:
    """Return all your voiceprints, in order of enrolment."""
    voiceprints = await deps.blocking.store(deps.voiceprints.all, tenant)
    return VoiceprintsAnswer(voiceprints=[VoiceprintAnswer.of(voiceprint) for voiceprint in voiceprints])


@router.get(
    "/{voiceprint_id}",
    summary="Read a voiceprint",
    responses=problems(errors.VoiceprintNotFound),
    dependencies=needs(Scope.VOICEPRINTS),
)
async def get_voiceprint(voiceprint_id: VoiceprintId, query: NoQuery, deps: Deps, tenant: Tenant) -> VoiceprintAnswer:
    """Return one of your voiceprints."""
    return VoiceprintAnswer.of(await deps.blocking.store(deps.voiceprints.get, tenant, voiceprint_id))


@router.delete(
    "/{voiceprint_id}",
    summary="Delete a voiceprint",
    responses=problems(errors.VoiceprintNotFound, errors.ObjectStoreUnavailable),
    dependencies=needs(Scope.VOICEPRINTS),
)
async def delete_voiceprint(
    voiceprint_id: VoiceprintId, query: NoQuery, deps: Deps, tenant: Tenant
) -> VoiceprintReceiptAnswer:
    """Delete a voiceprint. From now on no response names the person, those for earlier jobs included.

    The speaker embeddings of the person, and the name in corrections, go from the results that the voiceprint named:
    within seconds, or as soon as the keeper and the stores are up.
    """
    voiceprint = await deps.blocking.store(deps.voiceprints.get, tenant, voiceprint_id)
    await deps.blocking.objects(EndedVoiceprints(deps.recordings).begin, voiceprint)
    await deps.blocking.store(deps.voiceprints.remove, tenant, voiceprint_id)
    log.info("voiceprint deleted", voiceprint_id=voiceprint_id)
    return VoiceprintReceiptAnswer(
        voiceprint_id=voiceprint_id, deleted_at=datetime.now(UTC), removed=["name", "role", "vector"]
    )
