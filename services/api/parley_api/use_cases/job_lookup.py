"""Finds a job: in its record, or in the journal while it has none."""

from __future__ import annotations

from parley_api.http.ids import require_id
from parley_api.runtime.dependencies import Dependencies
from parley_core.errors import JobNotFound, JobStoreUnavailable, ObjectStoreUnavailable
from parley_core.job import Job, JobState, NewJob
from parley_core.job_id import made_at


async def find(deps: Dependencies, tenant: str, job_id: str) -> Job:
    """Return the tenant's job.

    Raises:
        JobNotFound: there is none with this id, or it is another tenant's.
        JobPurged: it was deleted.
        JobStoreUnavailable: the store is down, and the journal does not have the job.
    """
    job = await find_of_any_tenant(deps, require_id(job_id))
    if job.tenant != tenant:
        raise JobNotFound("There is no job with this id.")
    return job


async def find_of_any_tenant(deps: Dependencies, job_id: str) -> Job:
    """Return the job, whichever tenant it belongs to. Raises what `find` raises."""
    try:
        return await deps.blocking.store(deps.store.get, job_id)
    except (JobNotFound, JobStoreUnavailable) as error:
        try:
            new = await deps.blocking.objects(deps.journal.find, job_id)
        except ObjectStoreUnavailable:
            # "Not found" would be a guess: the journal that cannot be read may hold an accepted job.
            raise JobStoreUnavailable("Neither the job store nor the journal answers.") from error
        if new is None:
            raise
        return accepted(new)


def accepted(new: NewJob) -> Job:
    """Return a journalled job as its record will begin."""
    return Job(
        new.id, new.tenant, JobState.ACCEPTED, new.options, new.recording, new.limits, created_at=made_at(new.id)
    )
