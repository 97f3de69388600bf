"""The recording of a job, whole or in ranges, and the peaks of its waveform."""

from __future__ import annotations

from contextlib import ExitStack

from fastapi import APIRouter
from fastapi.responses import FileResponse, Response
from starlette.datastructures import Headers
from starlette.types import Message, Receive, Scope, Send

from parley_api.http.errors import PeaksNotKept, RecordingRemoved
from parley_api.http.openapi import PEAKS, RECORDING, Responses, problem_response, problems
from parley_api.http.problem_kinds import INVALID_RANGE
from parley_api.http.problems import problem
from parley_api.routes.context import Deps, FoundJob, NoQuery, needs
from parley_api.runtime.dependencies import Dependencies
from parley_api.runtime.keys import Scope as KeyScope
from parley_api.use_cases.results import require_result
from parley_core.errors import JobNotFinished, JobNotFound, JobNotSucceeded, JobPurged, ObjectStoreUnavailable
from parley_core.job import Job
from parley_core.recording import peaks_key

router = APIRouter(prefix="/v1/jobs/{job_id}", tags=["jobs"])


INVALID_RANGES: Responses = {status: problem_response(status, [INVALID_RANGE]) for status in (400, 416)}


class RecordingResponse(FileResponse):
    """A stored recording. The local file is released when the response ends, however it ends."""

    def __init__(self, deps: Dependencies, job: Job, file_name: str) -> None:
        self._deps = deps
        self._key = job.recording.key
        self._fetched = ExitStack()
        recording = job.recording
        headers = {"ETag": f'"{recording.sha256}"'}
        super().__init__("", media_type=recording.media_type, headers=headers, filename=file_name)

    async def open(self) -> None:
        """Fetch the file. Raises KeyError if the recording is gone."""
        fetched = self._deps.recordings.fetch(self._key)
        self.path = await self._deps.blocking.objects(self._fetched.enter_context, fetched)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await super().__call__(scope, receive, _RangeProblems(scope, receive, send))
        finally:
            self._fetched.close()


class _RangeProblems:
    """Sends a problem where starlette answers a wrong `Range` in plain text."""

    def __init__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self._scope = scope
        self._receive = receive
        self._send = send
        self._refused = False

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start" and message["status"] in (400, 416):
            self._refused = True
            size = Headers(raw=message["headers"]).get("content-range")
            headers = {"Content-Range": size} if size else None
            detail = "`Range` asks for bytes that the recording does not have."
            answer = problem(INVALID_RANGE, detail, headers, message["status"])
            await answer(self._scope, self._receive, self._send)
        elif not self._refused:
            await self._send(message)


@router.get(
    "/audio",
    summary="Read the recording",
    response_class=FileResponse,
    responses={
        **RECORDING,
        **problems(JobNotFound, JobPurged, RecordingRemoved, ObjectStoreUnavailable),
        **INVALID_RANGES,
    },
    dependencies=needs(KeyScope.READ),
)
async def audio(query: NoQuery, deps: Deps, job: FoundJob) -> Response:
    """Return the recording as it was sent, whole or in ranges."""
    return await recording_of(deps, job)


async def recording_of(deps: Dependencies, job: Job, named: bool = True) -> RecordingResponse:
    """Return the response with a job's recording. Raises RecordingRemoved or JobPurged.

    Args:
        named: under the file name that the caller gave.
    """
    response = RecordingResponse(deps, job, (named and job.recording.file_name) or job.id)
    try:
        await response.open()
    except KeyError:
        if job.options.retain_audio_seconds is not None:
            raise RecordingRemoved("The recording is no longer kept. The turns are.") from None
        raise JobPurged("The recording is gone: the job is being deleted.") from None
    return response


@router.get(
    "/peaks",
    summary="Read the peaks of the waveform",
    response_class=Response,
    responses={
        **PEAKS,
        **problems(JobNotFound, JobPurged, JobNotFinished, JobNotSucceeded, PeaksNotKept, ObjectStoreUnavailable),
    },
    dependencies=needs(KeyScope.READ),
)
async def peaks(query: NoQuery, deps: Deps, job: FoundJob) -> Response:
    """Return the lowest and highest sample of each part of the waveform, to draw it without the recording."""
    return await stored_peaks(deps, job)


async def stored_peaks(deps: Dependencies, job: Job) -> Response:
    """Return the response with a job's peaks. Raises PeaksNotKept."""
    key = peaks_key(require_result(job).key)
    try:
        stored = await deps.blocking.objects(deps.recordings.read, key)
    except KeyError:
        raise PeaksNotKept("This job has no peaks: an earlier version of the worker computed it.") from None
    return Response(stored, media_type="application/octet-stream")
