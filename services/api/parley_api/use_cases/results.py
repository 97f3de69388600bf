"""The result of a job."""

from __future__ import annotations

from parley_api.corrected_result import CorrectedResult
from parley_api.corrections.draft import corrected
from parley_api.corrections.history import History
from parley_api.corrections.log import CorrectionLog
from parley_api.http.errors import NoTurns, TurnsNotYet, VersionNotFound
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


async def result_of(deps: Dependencies, job: Job, version: int | None = None) -> CorrectedResult:
    """Return the result of a job with its corrections.

    Args:
        version: number of corrections that are made; None for all, 0 for the result of the engine.

    Raises:
        TurnsNotYet, NoTurns: the job has no result.
        VersionNotFound: there are fewer corrections.
        JobPurged: the job is being deleted.
    """
    return await deps.blocking.objects(_read, deps.recordings, require_result(job).key, version)


def engine_result(recordings: RecordingStore, key: str) -> ResultDocument:
    """Return a result as the engine made it. Blocks. Raises JobPurged while the job is being deleted."""
    try:
        stored = recordings.read(key)
    except KeyError:
        raise JobPurged("The result is gone: the job is being deleted.") from None
    return ResultDocument.from_json(stored)


def _read(recordings: RecordingStore, key: str, version: int | None) -> CorrectedResult:
    document = engine_result(recordings, key)
    corrections = CorrectionLog(recordings, key).read() if version != 0 else ()
    if version is not None and version > len(corrections):
        raise VersionNotFound(f"The newest version is {len(corrections)}.")
    corrections = corrections[:version]
    return corrected(document, len(corrections), History.of(corrections).counting)
