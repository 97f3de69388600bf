"""The result object of a job that has one."""

from __future__ import annotations

from parley_api.deps import Deps
from parley_api.errors import NoTurns, TurnsNotYet
from parley_core.errors import JobPurged
from parley_core.job import Job, JobState


async def result_of(deps: Deps, job: Job) -> bytes:
    """Return the result object. Raises TurnsNotYet, NoTurns or JobPurged."""
    if not job.state.terminal:
        raise TurnsNotYet(job)
    if job.state is not JobState.SUCCEEDED or job.result is None:
        raise NoTurns(job)
    try:
        return await deps.calls.objects(deps.recordings.read, job.result.key)
    except KeyError:
        raise JobPurged("The result is gone: the job is being deleted.") from None
