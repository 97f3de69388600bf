"""The consult workflow: a job whose reference is the caller's session id."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Request, Response
from pydantic import TypeAdapter, ValidationError

from parley_api.http.errors import InvalidOption, SessionIdMissing
from parley_api.http.openapi import ACCEPTED, IDEMPOTENCY_KEY, SESSION, SESSION_CALL, problems, submit_call
from parley_api.routes.context import Deps, FoundJob, NoQuery, Tenant, needs
from parley_api.routes.jobs import SUBMIT_ERRORS
from parley_api.runtime.keys import Scope
from parley_api.schemas import ConsultAccepted, ConsultAnswer, ConsultOptions, Reference
from parley_api.schemas.base import MAX_REFERENCE
from parley_api.use_cases import submit as submitting
from parley_api.use_cases.identities import identities_of
from parley_api.use_cases.results import result_of
from parley_core.errors import JobNotFound, JobPurged, ObjectStoreUnavailable
from parley_core.job import JobState

PATH = "/api/workflows/aurity/consult"
router = APIRouter(prefix=PATH, tags=["consult"])
SESSION_ID: TypeAdapter[str] = TypeAdapter(Reference)


async def session_id(request: Request) -> str:
    """Return the caller's `X-Session-ID`. Raises SessionIdMissing or InvalidOption."""
    values = request.headers.getlist("x-session-id")
    if not values:
        raise SessionIdMissing("Send the consult's session: header `X-Session-ID`.")
    if len(values) > 1:
        raise InvalidOption("`X-Session-ID` is given twice.")
    try:
        return SESSION_ID.validate_python(values[0])
    except ValidationError:
        raise InvalidOption(f"`X-Session-ID` must be 1 to {MAX_REFERENCE} printable characters.") from None


SessionId = Annotated[str, Depends(session_id)]


@router.post(
    "",
    status_code=202,
    summary="Submit a consult",
    response_model=ConsultAccepted,
    openapi_extra=submit_call(ConsultOptions, SESSION, IDEMPOTENCY_KEY),
    responses={**ACCEPTED, **problems(*SUBMIT_ERRORS, SessionIdMissing)},
    dependencies=needs(Scope.SUBMIT),
)
async def submit_consult(
    request: Request, response: Response, deps: Deps, tenant: Tenant, session: SessionId
) -> object:
    """Accept a consult's recording. After 202 its job is not lost: it reaches a terminal state."""
    submitted = await submitting.submit(deps, tenant, request, session)
    response.headers["Location"] = f"{PATH}/{submitted.job.id}"
    if submitted.replayed:
        response.headers["Idempotency-Replayed"] = "true"
    return ConsultAccepted(job_id=submitted.job.id, session_id=session, status=submitted.job.state)


@router.get(
    "/{job_id}",
    summary="Read a consult",
    openapi_extra=SESSION_CALL,
    responses=problems(JobNotFound, JobPurged, ObjectStoreUnavailable, SessionIdMissing),
    dependencies=needs(Scope.READ),
)
async def get_consult(query: NoQuery, tenant: Tenant, session: SessionId, deps: Deps, job: FoundJob) -> ConsultAnswer:
    """Return the state of a consult's job and, after success, its turns and the identities of its speakers."""
    if job.options.reference != session:
        raise JobNotFound("There is no job with this id in this session.")
    if job.state is not JobState.SUCCEEDED:
        return ConsultAnswer.of(job)
    result = await result_of(deps, job)
    return ConsultAnswer.of(job, result.document, await identities_of(deps, job, result))
