"""Finding a job: in its record, or in the journal while it has none."""

from __future__ import annotations

from parley_api.http.ids import made_at, require_id
from parley_api.runtime.dependencies import Dependencies
from parley_core.errors import JobNotFound, JobStoreUnavailable, ObjectStoreUnavailable
from parley_core.job import Job, JobState, NewJob


async def find(deps: Dependencies, tenant: str, job_id: str) -> Job:
    """Return the tenant's job.

    Raises:
        JobNotFound: unknown, or another tenant's.
        JobPurged: it is gone.
        JobStoreUnavailable: the store is down and the journal does not have it.
    """
    job = await look_up(deps, require_id(job_id))
    if job.tenant != tenant:
        raise JobNotFound("There is no job with this id.")
    return job


async def look_up(deps: Dependencies, job_id: str) -> Job:
    """Return the job, whoever owns it. Raises as `find` does."""
    try:
        return await deps.calls.store(deps.store.get, job_id)
    except (JobNotFound, JobStoreUnavailable) as error:
        return await _journalled(deps, job_id, error)


async def _journalled(deps: Dependencies, job_id: str, error: JobNotFound | JobStoreUnavailable) -> Job:
    try:
        new = await deps.calls.objects(deps.journal.find, job_id)
    except ObjectStoreUnavailable:
        # "Not found" would be a guess: an accepted job may be in the journal that cannot be read.
        raise JobStoreUnavailable("Neither the job store nor the journal answers.") from error
    if new is None:
        raise error
    return accepted(new)


def accepted(new: NewJob) -> Job:
    """Return a journalled job as its record will begin."""
    return Job(
        new.id, new.tenant, JobState.ACCEPTED, new.options, new.recording, new.limits, created_at=made_at(new.id)
    )
