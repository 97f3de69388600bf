"""A job as the object store has it."""

from __future__ import annotations

from dataclasses import replace

from parley_core.errors import (
    JobNotFound,
    JobPurged,
    JobStoreUnavailable,
    ObjectStoreUnavailable,
    RecordUnreadable,
)
from parley_core.job import Job
from parley_core.storage.job_documents import as_accepted, as_ended
from parley_core.storage.manifests import Manifests


def stored_job(manifests: Manifests, job_id: str, error: JobNotFound | JobStoreUnavailable) -> Job:
    """Return a job as the object store has it.

    Args:
        error: what Redis has answered. It is raised where the object store does not know better.

    Raises:
        JobPurged: it is gone.
        JobStoreUnavailable: the object store does not answer either.
        RecordUnreadable: its manifest is damaged.
    """
    try:
        trace = manifests.trace(job_id)
        if trace.purged:
            raise JobPurged from None
        found = manifests.find(job_id)  # also when not listed: some stores list what they took with a delay
        end = manifests.find_end(job_id, trace.run) if trace.ended else None
        unrecorded = manifests.is_unrecorded(job_id)
    except ObjectStoreUnavailable:
        # "Not found" would be a guess: an accepted job may be in the object store that cannot be read.
        raise JobStoreUnavailable("Neither the job store nor the object store answers.") from error
    except ValueError:
        raise RecordUnreadable("The manifest of this job cannot be read.") from error
    if found is None:
        raise error
    job = replace(as_accepted(found[0], trace.run), recording_removed=trace.recording_removed)
    if end is not None:
        return as_ended(job, end)
    if isinstance(error, JobStoreUnavailable) and not unrecorded:
        raise error  # it may be running: only Redis knows
    return job
