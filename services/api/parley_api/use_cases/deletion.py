"""Deletes a job with everything that Parley keeps about it."""

from __future__ import annotations

from parley_api.runtime.dependencies import Dependencies
from parley_core.job import Job
from parley_core.recording import result_folder


async def delete(deps: Dependencies, job: Job) -> list[str]:
    """Delete an ended job; return what is gone: `recording`, `result`, `record`.

    The objects go before the record. A record whose objects are partly gone can be deleted again; objects without a
    record could not.

    Raises:
        JobNotFinished: the job has not ended.
        JobPurged: another request was faster.
        ObjectStoreUnavailable, JobStoreUnavailable: not everything is gone; the same request continues.
    """
    await deps.blocking.store(deps.store.condemn, job.id)
    await deps.blocking.objects(deps.recordings.delete, job.recording.key)
    results = await deps.blocking.objects(deps.recordings.keys, f"{result_folder(job.id)}/")
    for key in results:
        await deps.blocking.objects(deps.recordings.delete, key)
    await deps.blocking.store(deps.store.purge, job.id)
    return ["recording", "result", "record"] if results else ["recording", "record"]
