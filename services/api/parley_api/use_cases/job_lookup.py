"""Finds a job of a tenant."""

from __future__ import annotations

from parley_api.http.ids import require_id
from parley_api.runtime.dependencies import Dependencies
from parley_core.errors import JobNotFound
from parley_core.job import Job


async def find(deps: Dependencies, tenant: str, job_id: str) -> Job:
    """Return the tenant's job.

    Raises:
        JobNotFound: there is none with this id, or it is another tenant's.
        JobPurged: it was deleted.
        JobStoreUnavailable: Redis does not answer, and the object store does not know the job's state either.
    """
    job = await deps.blocking.look_up(deps.store.get, require_id(job_id))
    if job.tenant != tenant:
        raise JobNotFound("There is no job with this id.")
    return job
