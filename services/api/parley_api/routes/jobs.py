"""Jobs: submit, read, wait, list, cancel, retry, delete."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated

from fastapi import APIRouter, Query, Request, Response

from parley_api.http.errors import (
    AudioMissing,
    BodyStalled,
    BodyTooLarge,
    InvalidTranscript,
    LinkChanged,
    LinkNotAllowed,
    LinkUnreachable,
    LinkUnusable,
    MalformedBody,
    QuotaExceeded,
    TooManyUploads,
    TooManyWaits,
    UnsupportedBody,
    UploadExpired,
    UploadIncomplete,
    UploadNotFound,
)
from parley_api.http.openapi import ACCEPTED, IDEMPOTENCY_KEY, problems, submit_call
from parley_api.routes.context import Deps, FoundJob, NoQuery, Tenant, needs
from parley_api.runtime.keys import Scope
from parley_api.schemas import JobAnswer, JobPageAnswer, ReceiptAnswer, RecordingAnswer, SubmitOptions
from parley_api.schemas.queries import ListQuery, WaitQuery
from parley_api.use_cases import submit as submitting
from parley_api.use_cases.watching import next_state, wait_slot
from parley_core import errors
from parley_core.job import JobQuery

router = APIRouter(prefix="/v1/jobs", tags=["jobs"])

MISSING = (errors.JobNotFound, errors.JobPurged)
SUBMIT_ERRORS = (
    AudioMissing,
    MalformedBody,
    TooManyUploads,
    QuotaExceeded,
    errors.EmptyRecording,
    errors.UnreadableRecording,
    errors.RecordingTooLong,
    errors.IdempotencyKeyReused,
    errors.InvalidRequest,
    InvalidTranscript,
    BodyStalled,
    BodyTooLarge,
    errors.IdempotencyKeyInUse,
    errors.JobPurged,
    errors.RecordingTooLarge,
    UnsupportedBody,
    errors.NotAudio,
    errors.QueueFull,
    errors.JobStoreFull,
    errors.ObjectStoreUnavailable,
    errors.DecodingInterrupted,
)
"""Errors of a submit, besides those of every call and those of recordings that are named."""
NAMING_ERRORS = (
    LinkNotAllowed,
    LinkUnusable,
    LinkChanged,
    LinkUnreachable,
    UploadNotFound,
    UploadExpired,
    UploadIncomplete,
)
"""Errors of a submit that names its recording."""


@router.post(
    "",
    status_code=202,
    summary="Submit a recording",
    response_model=JobAnswer,
    openapi_extra=submit_call(SubmitOptions, IDEMPOTENCY_KEY),
    responses={**ACCEPTED, **problems(*SUBMIT_ERRORS, *NAMING_ERRORS)},
    dependencies=needs(Scope.SUBMIT),
)
async def submit_job(request: Request, response: Response, deps: Deps, tenant: Tenant) -> JobAnswer:
    """Accept a recording and return its job. After 202 the job is not lost: it reaches a terminal state."""
    submitted = await submitting.submit(deps, tenant, request)
    response.headers["Location"] = f"/v1/jobs/{submitted.job.id}"
    if submitted.replayed:
        response.headers["Idempotency-Replayed"] = "true"
    return JobAnswer.of(submitted.job)


@router.get("", summary="List jobs", responses=problems(errors.InvalidRequest), dependencies=needs(Scope.READ))
async def list_jobs(query: Annotated[ListQuery, Query()], deps: Deps, tenant: Tenant) -> JobPageAnswer:
    """Return your jobs, newest first."""
    wanted = JobQuery(
        tenant=tenant,
        state=query.state,
        reference=query.reference,
        queue=query.queue,
        id_prefix=query.id,
        limit=query.limit,
        cursor=query.cursor,
    )
    page = await deps.blocking.store(deps.store.page, wanted)
    return JobPageAnswer.of(page)


@router.get(
    "/{job_id}",
    summary="Read a job, or wait for its next state",
    responses=problems(*MISSING, TooManyWaits),
    dependencies=needs(Scope.READ),
)
async def get_job(query: Annotated[WaitQuery, Query()], deps: Deps, job: FoundJob) -> JobAnswer:
    """Return a job. With `wait`, return it at the next change of its state or after that many seconds."""
    if query.wait > 0 and not job.state.terminal:
        async with wait_slot(deps, job.tenant):
            job = await next_state(deps, job, query.wait)
    return JobAnswer.of(job)


@router.post(
    "/{job_id}/cancel",
    status_code=202,
    summary="Cancel a job",
    responses=problems(*MISSING, errors.JobAlreadyTerminal, errors.ObjectStoreUnavailable),
    dependencies=needs(Scope.SUBMIT),
)
async def cancel_job(query: NoQuery, deps: Deps, job: FoundJob) -> JobAnswer:
    """Cancel a job. It is terminal at once; its worker stops within seconds."""
    return JobAnswer.of(await deps.blocking.objects(deps.store.cancel, job.id))


@router.post(
    "/{job_id}/retry",
    status_code=202,
    summary="Retry a job",
    responses=problems(*MISSING, errors.JobNotRetryable, errors.ObjectStoreUnavailable),
    dependencies=needs(Scope.SUBMIT),
)
async def retry_job(query: NoQuery, deps: Deps, job: FoundJob) -> JobAnswer:
    """Run a failed or cancelled job again, with the options it was submitted with."""
    return JobAnswer.of(await submitting.publish(deps, await deps.blocking.objects(deps.store.retry, job.id)))


@router.delete(
    "/{job_id}",
    summary="Delete a job",
    responses=problems(*MISSING, errors.JobNotFinished, errors.ObjectStoreUnavailable),
    dependencies=needs(Scope.DELETE),
)
async def delete_job(query: NoQuery, deps: Deps, job: FoundJob) -> ReceiptAnswer:
    """Delete an ended job's recording, result and record; return a receipt."""
    removed = list(await deps.blocking.objects(deps.store.remove, job))
    receipt = {
        "job_id": job.id,
        "deleted_at": datetime.now(UTC),
        "recording": RecordingAnswer.of(job, kept=False),
        "removed": removed,
    }
    return ReceiptAnswer.model_validate(receipt)
