"""Jobs: submit, look, wait, list, cancel, retry, delete."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import Annotated

from fastapi import APIRouter, Query, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from parley_api.http.openapi import SUBMIT_BODY, problems
from parley_api.intake.body import Body
from parley_api.routes.auth import Tenant
from parley_api.runtime.dependencies import Dependencies, Deps
from parley_api.schemas import JobAnswer, JobPageAnswer, ReceiptAnswer, RecordingAnswer
from parley_api.use_cases.job_lookup import find
from parley_api.use_cases.submit import Submission, Submitted, published, require_key
from parley_core.job import Job, JobQuery, JobState, Queue
from parley_core.recording import result_folder

router = APIRouter(prefix="/v1/jobs", tags=["jobs"])

MAX_WAIT = 60.0  # seconds; proxies cut idle requests not long after


class WaitQuery(BaseModel):
    model_config = ConfigDict(extra="forbid")
    wait: float = Field(0.0, ge=0, le=MAX_WAIT, description="Seconds to wait for the next change of state.")


class ListQuery(BaseModel):
    model_config = ConfigDict(extra="forbid")
    state: JobState | None = None
    reference: str | None = Field(None, max_length=200)
    queue: Queue | None = None
    limit: int = Field(50, ge=1, le=200)
    cursor: str | None = Field(None, max_length=200, description="`next_cursor` of the page before.")


class NoQuery(BaseModel):
    model_config = ConfigDict(extra="forbid")


Nothing = Annotated[NoQuery, Query()]


@router.post(
    "", status_code=202, response_model=JobAnswer, openapi_extra=SUBMIT_BODY, responses=problems(409, 413, 415, 429)
)
async def submit(request: Request, response: Response, deps: Deps, tenant: Tenant) -> JobAnswer:
    """Take a recording in and answer its job. With 202 it is accepted for good: it will reach a terminal state."""
    key = require_key(request.headers.getlist("idempotency-key"))
    submitted = await Submission(deps, tenant, key).run(Body(request, deps.settings.max_speakers))
    describe(response, submitted)
    return JobAnswer.of(submitted.job)


def describe(response: Response, submitted: Submitted) -> None:
    """Say in the headers where the job is, and whether an earlier request had made it."""
    response.headers["Location"] = f"/v1/jobs/{submitted.job.id}"
    if submitted.replayed:
        response.headers["Idempotency-Replayed"] = "true"


@router.get("", responses=problems())
async def list_jobs(query: Annotated[ListQuery, Query()], deps: Deps, tenant: Tenant) -> JobPageAnswer:
    """Return your jobs, newest first."""
    page = await deps.calls.store(deps.store.page, JobQuery(tenant=tenant, **query.model_dump()))
    return JobPageAnswer.of(page)


@router.get("/{job_id}", responses=problems(404, 410))
async def get_job(job_id: str, query: Annotated[WaitQuery, Query()], deps: Deps, tenant: Tenant) -> JobAnswer:
    """Return a job; with `wait`, at its next change of state or after so many seconds."""
    job = await find(deps, tenant, job_id)
    if query.wait > 0 and not job.state.terminal:
        job = await _wait_for_change(deps, tenant, job, query.wait)
    return JobAnswer.of(job)


async def _wait_for_change(deps: Dependencies, tenant: str, seen: Job, seconds: float) -> Job:
    loop = asyncio.get_running_loop()
    until = loop.time() + seconds
    with deps.changes.watch(seen.id) as watch:
        job = await find(deps, tenant, seen.id)  # it may have changed before we watched
        while job.state is seen.state and not deps.changes.closed and (left := until - loop.time()) > 0:
            await watch.changed(left)
            job = await find(deps, tenant, seen.id)
    return job


@router.post("/{job_id}/cancel", status_code=202, responses=problems(404, 409, 410))
async def cancel(job_id: str, query: Nothing, deps: Deps, tenant: Tenant) -> JobAnswer:
    """Make a job cancelled, at once and for good; its worker stops within seconds."""
    job = await find(deps, tenant, job_id)
    return JobAnswer.of(await deps.calls.store(deps.store.cancel, job.id))


@router.post("/{job_id}/retry", status_code=202, responses=problems(404, 409, 410))
async def retry(job_id: str, query: Nothing, deps: Deps, tenant: Tenant) -> JobAnswer:
    """Run a failed or cancelled job again, with the options it was submitted with."""
    job = await find(deps, tenant, job_id)
    return JobAnswer.of(await published(deps, await deps.calls.store(deps.store.retry, job.id)))


@router.delete("/{job_id}", responses=problems(404, 409, 410))
async def delete(job_id: str, query: Nothing, deps: Deps, tenant: Tenant) -> ReceiptAnswer:
    """Remove an ended job's recording, result and record, and say so in a receipt."""
    job = await find(deps, tenant, job_id)
    removed = await _remove(deps, job)
    recording = RecordingAnswer.of(job.recording)
    return ReceiptAnswer(job_id=job.id, deleted_at=datetime.now(UTC), recording=recording, removed=removed)


async def _remove(deps: Dependencies, job: Job) -> list[str]:
    """Objects first: a record whose objects are half gone can be deleted again, the reverse would be forgotten."""
    await deps.calls.store(deps.store.condemn, job.id)
    await deps.calls.objects(deps.recordings.delete, job.recording.key)
    results = await deps.calls.objects(deps.recordings.keys, f"{result_folder(job.id)}/")
    for key in results:
        await deps.calls.objects(deps.recordings.delete, key)
    await deps.calls.store(deps.store.purge, job.id)
    return ["recording", "result", "record"] if results else ["recording", "record"]
