"""What a shared link opens: the turns of its job, and the recording if it says so. Reading only.

These routes take a link and no API key, and no other route takes a link.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, replace
from typing import Annotated

import anyio.to_thread
from fastapi import APIRouter, Depends, Query, Request
from fastapi.responses import FileResponse, Response
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from structlog.contextvars import bind_contextvars

from parley_api.http.audit_trail import ACTOR
from parley_api.http.errors import (
    AudioNotShared,
    AuditUnavailable,
    ExpiredLink,
    PeaksNotKept,
    RateLimited,
    RecordingRemoved,
    Unauthenticated,
    UnknownLink,
    UnknownOption,
)
from parley_api.http.openapi import LINK_SCHEME, PEAKS, RECORDING, SHARED, Responses, open_problems
from parley_api.routes.context import Deps, NoQuery
from parley_api.routes.recordings import INVALID_RANGES, recording_of, stored_peaks
from parley_api.runtime.shares import Share
from parley_api.runtime.tenant_limits import Rate
from parley_api.schemas import SharedJobAnswer, TurnsAnswer
from parley_api.schemas.paths import path_of
from parley_api.schemas.queries import SharedTurnsQuery
from parley_api.use_cases.identities import identities_of
from parley_api.use_cases.results import require_result, result_of
from parley_api.use_cases.transcripts import has_words, words_of
from parley_api.use_cases.writing import to_json
from parley_core.errors import JobNotFound, JobPurged, JobStoreUnavailable, ObjectStoreUnavailable, ParleyError
from parley_core.job import Job, JobState

UNKNOWN_LINK_SECONDS = 0.5  # a connection that tries links gets two a second

router = APIRouter(prefix=SHARED, tags=["shares"])
bearer = HTTPBearer(auto_error=False, scheme_name=LINK_SCHEME, description="The text of a link behind `#`.")


@dataclass(frozen=True, slots=True)
class Opened:
    """A link that is valid now, and its job, which has succeeded."""

    share: Share
    job: Job


async def opened_link(
    request: Request,
    deps: Deps,
    credentials: Annotated[HTTPAuthorizationCredentials | None, Depends(bearer)],
) -> Opened:
    """Return what the request's link opens.

    Raises:
        Unauthenticated: no link. UnknownLink, ExpiredLink: one that opens nothing.
        RateLimited: the link was used as often as a tenant may call. Each link has a rate of its own, so that no reader
            of a link can use up the rate of the tenant.
        ObjectStoreUnavailable: the link cannot be looked up.
    """
    if credentials is None or not credentials.credentials:
        raise Unauthenticated("Send the link: `Authorization: Bearer ps_...`.")
    try:
        share = await deps.blocking.objects(deps.shares.find, credentials.credentials)
        job = await deps.blocking.look_up(deps.store.get, share.job_id)
        if job.state is not JobState.SUCCEEDED:
            raise UnknownLink("This link opens nothing: its recording has no turns.")
    except (UnknownLink, JobNotFound, JobPurged) as error:
        deps.http_metrics.refuse("unknown_link")
        await asyncio.sleep(UNKNOWN_LINK_SECONDS)
        raise UnknownLink(error.detail) from None
    bind_contextvars(tenant=job.tenant, job_id=job.id, trace_id=job.trace_id, share_id=share.id)
    await deps.limits.take(f"{job.tenant}/{share.id}", Rate.REQUESTS, request.scope)
    request.scope[ACTOR] = {"tenant": job.tenant, "share": share.id}
    return Opened(share, job)


Link = Annotated[Opened, Depends(opened_link)]


def _problems(*errors: type[ParleyError]) -> Responses:
    """Return the problem responses of a call that needs a link."""
    always = (Unauthenticated, UnknownLink, ExpiredLink, UnknownOption, RateLimited, AuditUnavailable)
    return open_problems(*errors, *always, JobStoreUnavailable, ObjectStoreUnavailable)


@router.get("", summary="Read what a link shows", responses=_problems())
async def shared_job(query: NoQuery, link: Link) -> SharedJobAnswer:
    """Return what the page of a link needs."""
    recording, result = link.job.recording, require_result(link.job)
    paths = {name: path_of(f"{router.prefix}/{name}") for name in ("turns", "peaks", "audio")}
    return SharedJobAnswer.model_validate(
        {
            "created_at": link.job.created_at,
            "expires_at": link.share.expires_at,
            "recording": {"seconds": recording.seconds, "media_type": recording.media_type},
            "speakers": result.speakers,
            "links": paths if link.share.audio and not link.job.recording_removed else paths | {"audio": None},
        }
    )


@router.get("/turns", summary="Read the turns by link", response_model=TurnsAnswer, responses=_problems(JobPurged))
async def shared_turns(query: Annotated[SharedTurnsQuery, Query()], deps: Deps, link: Link) -> Response:
    """Return who spoke when: the newest version, with names and text, without ids of voiceprints."""
    result = await result_of(deps, link.job)
    known = await identities_of(deps, link.job, result)
    identities = known and tuple(replace(one, similarity=None, voiceprint_id=None) for one in known)
    words = await words_of(deps, link.job, result) if query.text else None
    has_text = None if query.text else await has_words(deps, link.job)
    content = await anyio.to_thread.run_sync(to_json, result, identities, False, words, has_text)
    return Response(content, media_type="application/json")


@router.get(
    "/peaks",
    summary="Read the peaks of the waveform by link",
    response_class=Response,
    responses={**PEAKS, **_problems(PeaksNotKept)},
)
async def shared_peaks(query: NoQuery, deps: Deps, link: Link) -> Response:
    """Return the lowest and highest sample of each part of the waveform."""
    return await stored_peaks(deps, link.job)


@router.get(
    "/audio",
    summary="Read the recording by link",
    response_class=FileResponse,
    responses={**RECORDING, **_problems(AudioNotShared, RecordingRemoved, JobPurged), **INVALID_RANGES},
)
async def shared_audio(query: NoQuery, deps: Deps, link: Link) -> Response:
    """Return the recording, whole or in ranges, if the link plays it."""
    if not link.share.audio:
        raise AudioNotShared("This link shows the turns and does not play the recording.")
    return await recording_of(deps, link.job, named=False)
