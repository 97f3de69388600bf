"""Enrolled voices: enrol, list, look, delete."""

from __future__ import annotations

from datetime import UTC, datetime

from fastapi import APIRouter, Request, Response

from parley_api.auth import Tenant
from parley_api.deps import DepsOf
from parley_api.enrolment import enrol
from parley_api.ids import require_id
from parley_api.json_body import read_json
from parley_api.openapi import ENROL_BODY, problems
from parley_api.routes.jobs import Nothing
from parley_api.schemas import EnrolRequest, VoiceAnswer, VoiceReceiptAnswer, VoicesAnswer
from parley_core.errors import VoiceNotFound
from parley_core.logs import get_logger

router = APIRouter(prefix="/v1/voices", tags=["voices"])

log = get_logger(__name__)


@router.post("", status_code=201, openapi_extra=ENROL_BODY, responses=problems(404, 408, 409, 410, 413, 415))
async def create(request: Request, response: Response, query: Nothing, deps: DepsOf, tenant: Tenant) -> VoiceAnswer:
    """Enrol a speaker of one of your jobs: from now on the voice has a name in every job that keeps voices."""
    voice = await enrol(deps, tenant, await read_json(request, EnrolRequest))
    response.headers["Location"] = f"/v1/voices/{voice.id}"
    return VoiceAnswer.of(voice)


@router.get("", responses=problems())
async def list_voices(query: Nothing, deps: DepsOf, tenant: Tenant) -> VoicesAnswer:
    """Return all your voices, in order of enrolment."""
    voices = await deps.calls.store(deps.voices.all, tenant)
    return VoicesAnswer(voices=[VoiceAnswer.of(voice) for voice in voices])


@router.get("/{voice_id}", responses=problems(404))
async def get_voice(voice_id: str, query: Nothing, deps: DepsOf, tenant: Tenant) -> VoiceAnswer:
    """Return one of your voices."""
    return VoiceAnswer.of(await deps.calls.store(deps.voices.get, tenant, require_id(voice_id, VoiceNotFound, "voice")))


@router.delete("/{voice_id}", responses=problems(404))
async def delete(voice_id: str, query: Nothing, deps: DepsOf, tenant: Tenant) -> VoiceReceiptAnswer:
    """Forget a voice, at once and for good; no answer names it any more, also not of earlier jobs."""
    known = require_id(voice_id, VoiceNotFound, "voice")
    await deps.calls.store(deps.voices.remove, tenant, known)
    log.info("voice deleted", voice_id=known)
    return VoiceReceiptAnswer(voice_id=known, deleted_at=datetime.now(UTC), removed=["name", "role", "vector"])
