"""Enrolled voices: enrol, list, look, delete."""

from __future__ import annotations

from datetime import UTC, datetime

from fastapi import APIRouter, Request, Response

from parley_api.http.ids import require_id
from parley_api.http.openapi import ENROL_BODY, problems
from parley_api.intake.json_body import read_json
from parley_api.routes.context import Deps, NoQuery, Tenant
from parley_api.schemas import EnrolRequest, VoiceprintAnswer, VoiceprintReceiptAnswer, VoiceprintsAnswer
from parley_api.use_cases.enrolment import enrol
from parley_core.errors import VoiceprintNotFound
from parley_core.logs import get_logger

router = APIRouter(prefix="/v1/voiceprints", tags=["voiceprints"])

log = get_logger(__name__)


@router.post("", status_code=201, openapi_extra=ENROL_BODY, responses=problems(404, 408, 409, 410, 413, 415))
async def create(request: Request, response: Response, query: NoQuery, deps: Deps, tenant: Tenant) -> VoiceprintAnswer:
    """Enrol a speaker of one of your jobs: from now on the voice has a name in every job that keeps voices."""
    voiceprint = await enrol(deps, tenant, await read_json(request, EnrolRequest))
    response.headers["Location"] = f"/v1/voiceprints/{voiceprint.id}"
    return VoiceprintAnswer.of(voiceprint)


@router.get("", responses=problems())
async def list_voiceprints(query: NoQuery, deps: Deps, tenant: Tenant) -> VoiceprintsAnswer:
    """Return all your voices, in order of enrolment."""
    voiceprints = await deps.blocking.store(deps.voiceprints.all, tenant)
    return VoiceprintsAnswer(voiceprints=[VoiceprintAnswer.of(voiceprint) for voiceprint in voiceprints])


@router.get("/{voiceprint_id}", responses=problems(404))
async def get_voiceprint(voiceprint_id: str, query: NoQuery, deps: Deps, tenant: Tenant) -> VoiceprintAnswer:
    """Return one of your voices."""
    return VoiceprintAnswer.of(
        await deps.blocking.store(
            deps.voiceprints.get, tenant, require_id(voiceprint_id, VoiceprintNotFound, "voiceprint")
        )
    )


@router.delete("/{voiceprint_id}", responses=problems(404))
async def delete(voiceprint_id: str, query: NoQuery, deps: Deps, tenant: Tenant) -> VoiceprintReceiptAnswer:
    """Forget a voice, at once and for good; no answer names it any more, also not of earlier jobs."""
    known = require_id(voiceprint_id, VoiceprintNotFound, "voiceprint")
    await deps.blocking.store(deps.voiceprints.remove, tenant, known)
    log.info("voice deleted", voiceprint_id=known)
    return VoiceprintReceiptAnswer(
        voiceprint_id=known, deleted_at=datetime.now(UTC), removed=["name", "role", "vector"]
    )
