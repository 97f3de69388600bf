"""Links that open the timeline of a job for somebody without an API key: make, list, revoke."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated

from fastapi import APIRouter, Path, Request, Response

from parley_api.http.errors import (
    BodyStalled,
    BodyTooLarge,
    ShareNotFound,
    SharingOff,
    TooManyShares,
    UnsupportedBody,
)
from parley_api.http.openapi import SHARE_CALL, problems
from parley_api.intake.json_body import read_json
from parley_api.routes.context import Deps, FoundJob, NoQuery, needs
from parley_api.runtime.keys import Scope
from parley_api.schemas import CreatedShareAnswer, ShareAnswer, ShareReceiptAnswer, ShareRequest, SharesAnswer
from parley_api.schemas.examples import SHARE_ID
from parley_api.schemas.paths import path_of
from parley_api.use_cases.results import require_result
from parley_core.errors import JobNotFinished, JobNotFound, JobNotSucceeded, JobPurged, ObjectStoreUnavailable
from parley_core.logs import get_logger

router = APIRouter(prefix="/v1/jobs/{job_id}/shares", tags=["shares"], dependencies=needs(Scope.SHARE))
log = get_logger(__name__)

MISSING = (JobNotFound, JobPurged, ObjectStoreUnavailable)


@router.post(
    "",
    status_code=201,
    summary="Share the timeline by link",
    openapi_extra=SHARE_CALL,
    responses=problems(
        *MISSING,
        JobNotFinished,
        JobNotSucceeded,
        SharingOff,
        TooManyShares,
        BodyTooLarge,
        BodyStalled,
        UnsupportedBody,
    ),
)
async def create_share(
    request: Request, response: Response, query: NoQuery, deps: Deps, job: FoundJob
) -> CreatedShareAnswer:
    """Make a link. Whoever has it reads the turns, names and text of this job until it expires, and nothing else.

    The response is the only place where the link is.
    """
    asked = await read_json(request, ShareRequest)
    require_result(job)

    def is_purged() -> bool:
        return deps.store.manifests.trace(job.id).purged

    create = deps.shares.create
    share, text = await deps.blocking.objects(create, job.id, asked.seconds, asked.audio, is_purged)
    log.info("link made", share_id=share.id, audio=share.audio, expires_at=share.expires_at.isoformat())
    response.headers["Location"] = f"/v1/jobs/{job.id}/shares/{share.id}"
    return CreatedShareAnswer.model_validate(
        {**ShareAnswer.model_validate(share).model_dump(), "link": path_of(f"/shared#{text}")}
    )


@router.get("", summary="List the links", responses=problems(*MISSING))
async def list_shares(query: NoQuery, deps: Deps, job: FoundJob) -> SharesAnswer:
    """Return the links of a job, oldest first, without their secrets."""
    found = await deps.blocking.objects(deps.shares.of_job, job.id)
    return SharesAnswer(shares=[ShareAnswer.model_validate(share) for share in found])


@router.delete("/{share_id}", summary="Revoke a link", responses=problems(*MISSING, ShareNotFound))
async def revoke_share(
    share_id: Annotated[str, Path(description="Id of the link.", examples=[SHARE_ID])],
    query: NoQuery,
    deps: Deps,
    job: FoundJob,
) -> ShareReceiptAnswer:
    """Revoke a link. It opens nothing from the response on."""
    await deps.blocking.objects(deps.shares.revoke, job.id, share_id)
    log.info("link revoked", share_id=share_id)
    return ShareReceiptAnswer(share_id=share_id, revoked_at=datetime.now(UTC))
