"""The result of a job."""

from __future__ import annotations

from parley_api.http.errors import NoTurns, TurnsNotYet
from parley_api.runtime.dependencies import Dependencies
from parley_core.errors import JobPurged
from parley_core.job import Job, JobState, ResultSummary
from parley_core.ports import RecordingStore
from parley_core.result_document import ResultDocument


def require_result(job: Job) -> ResultSummary:
    """Return what the record keeps of a job's result.

    Raises:
        TurnsNotYet: the job has not ended.
        NoTurns: the job failed or was cancelled.
    """
    if not job.state.terminal:
        raise TurnsNotYet(job)
    if job.state is not JobState.SUCCEEDED or job.result is None:
        raise NoTurns(job)
    return job.result


async def result_of(deps: Dependencies, job: Job) -> ResultDocument:
    """Return the result of a job. Raises what `require_result` raises, and JobPurged while it is being deleted."""
    return await deps.blocking.objects(_read, deps.recordings, require_result(job).key)


def _read(recordings: RecordingStore, key: str) -> ResultDocument:
    try:
        stored = recordings.read(key)
    except KeyError:
        raise JobPurged("The result is gone: the job is being deleted.") from None
    return ResultDocument.from_json(stored)
