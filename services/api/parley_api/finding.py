"""Finding a job: in its record, or in the journal while it has none."""

from __future__ import annotations

from parley_api.deps import Deps
from parley_api.ids import require_id
from parley_api.submit import accepted
from parley_core.errors import JobNotFound, JobStoreUnavailable, ObjectStoreUnavailable
from parley_core.job import Job


async def find(deps: Deps, tenant: str, job_id: str) -> Job:
    """Return the tenant's job.

    Raises:
        JobNotFound: unknown, or another tenant's.
        JobPurged: it is gone.
        JobStoreUnavailable: the store is down and the journal does not have it.
    """
    job_id = require_id(job_id)
    try:
        job = await deps.calls.store(deps.store.get, job_id)
    except (JobNotFound, JobStoreUnavailable) as error:
        job = await _journalled(deps, job_id, error)
    if job.tenant != tenant:
        raise JobNotFound("There is no job with this id.")
    return job


async def _journalled(deps: Deps, job_id: str, error: JobNotFound | JobStoreUnavailable) -> Job:
    try:
        new = await deps.calls.objects(deps.journal.find, job_id)
    except ObjectStoreUnavailable:
        # "Not found" would be a guess: an accepted job may be in the journal that cannot be read.
        raise JobStoreUnavailable("Neither the job store nor the journal answers.") from error
    if new is None:
        raise error
    return accepted(new)
