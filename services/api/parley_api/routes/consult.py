"""The consult workflow: a recording under the caller's session id; the same job underneath."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Request, Response

from parley_api.http.errors import InvalidOption, SessionIdMissing
from parley_api.http.openapi import CONSULT_BODY, SESSION_HEADER, problems
from parley_api.intake.options import reference
from parley_api.routes.context import Deps, FoundJob, NoQuery, Tenant
from parley_api.schemas import ConsultAccepted, ConsultAnswer
from parley_api.use_cases import submit as submitting
from parley_api.use_cases.identities import identities_of
from parley_api.use_cases.results import result_of
from parley_core.errors import JobNotFound
from parley_core.job import JobState

PATH = "/api/workflows/aurity/consult"
router = APIRouter(prefix=PATH, tags=["consult"])


async def session_id(request: Request) -> str:
    """Return the caller's `X-Session-ID`. Raises SessionIdMissing or InvalidOption."""
    values = request.headers.getlist("x-session-id")
    if not values:
        raise SessionIdMissing("Send the consult's session: header `X-Session-ID`.")
    if len(values) > 1:
        raise InvalidOption("`X-Session-ID` is given twice.")
    return reference(values[0], "X-Session-ID")


SessionId = Annotated[str, Depends(session_id)]


@router.post(
    "",
    status_code=202,
    response_model=ConsultAccepted,
    openapi_extra=SESSION_HEADER | CONSULT_BODY,
    responses=problems(409, 413, 415, 429),
)
async def submit(request: Request, response: Response, deps: Deps, tenant: Tenant, session: SessionId) -> object:
    """Take a consult's recording in."""
    submitted = await submitting.submit(deps, tenant, request, session)
    response.headers["Location"] = f"{PATH}/{submitted.job.id}"
    if submitted.replayed:
        response.headers["Idempotency-Replayed"] = "true"
    return ConsultAccepted(job_id=submitted.job.id, session_id=session, status=submitted.job.state)


@router.get("/{job_id}", openapi_extra=SESSION_HEADER, responses=problems(404, 410))
async def get(query: NoQuery, tenant: Tenant, session: SessionId, deps: Deps, job: FoundJob) -> ConsultAnswer:
    """Return where the consult's job stands and, once it has succeeded, its turns and who speaks in them."""
    if job.options.reference != session:
        raise JobNotFound("There is no job with this id in this session.")
    if job.state is not JobState.SUCCEEDED:
        return ConsultAnswer.of(job)
    result = await result_of(deps, job)
    return ConsultAnswer.of(job, result, await identities_of(deps, job, result))
