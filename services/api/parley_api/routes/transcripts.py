"""The transcript of a job: sent by the caller, answered with the speaker of each word."""

from __future__ import annotations

from typing import Annotated

import anyio.to_thread
from fastapi import APIRouter, Query, Request
from fastapi.responses import Response

from parley_api.http import errors as api
from parley_api.http.openapi import TRANSCRIPT_CALL, VERSION_HEADER, problems
from parley_api.intake.transcript_body import read_body
from parley_api.routes.context import Deps, FoundJob, NoQuery, needs
from parley_api.runtime.keys import Scope
from parley_api.schemas import JobAnswer
from parley_api.schemas.queries import TranscriptQuery, VersionQuery
from parley_api.schemas.transcripts import TranscriptAnswer, TranscriptReceiptAnswer
from parley_api.use_cases.identities import identities_of
from parley_api.use_cases.results import result_of
from parley_api.use_cases.transcripts import request_words, required_words_of, store_transcript
from parley_api.use_cases.writing import transcript_to_json
from parley_core import errors

router = APIRouter(prefix="/v1/jobs/{job_id}", tags=["jobs"])


@router.post(
    "/transcript",
    status_code=201,
    summary="Send a transcript",
    openapi_extra=TRANSCRIPT_CALL,
    responses=problems(
        errors.JobNotFound,
        errors.JobPurged,
        api.InvalidTranscript,
        api.MalformedBody,
        api.UnsupportedBody,
        api.BodyTooLarge,
        api.BodyStalled,
        errors.ObjectStoreUnavailable,
    ),
    dependencies=needs(Scope.SUBMIT),
)
async def post_transcript(
    request: Request, query: Annotated[TranscriptQuery, Query()], deps: Deps, job: FoundJob
) -> TranscriptReceiptAnswer:
    """Store what a recogniser wrote about the recording, in place of an earlier transcript. No audio is needed."""
    transcript = await store_transcript(deps, job, await read_body(request), query.format)
    return TranscriptReceiptAnswer(job_id=job.id, words=len(transcript.words), format=transcript.source)


@router.post(
    "/transcribe",
    status_code=202,
    summary="Ask for the words",
    responses=problems(
        errors.JobNotFound,
        errors.JobPurged,
        errors.JobNotFinished,
        errors.JobNotSucceeded,
        errors.JobNotRetryable,
        errors.InvalidRequest,
    ),
    dependencies=needs(Scope.SUBMIT),
)
async def transcribe_job(query: NoQuery, deps: Deps, job: FoundJob) -> JobAnswer:
    """Let the server's recogniser write down the words of a job that has succeeded, while its recording is kept.

    `result.transcription` shows how it goes. Asking again changes nothing while the words are asked for, or once they
    are there. The job stays as it is, and no delivery follows.
    """
    return JobAnswer.of(await request_words(deps, job))


@router.get(
    "/transcript",
    summary="Read who said each word",
    response_model=TranscriptAnswer,
    responses=problems(
        errors.JobNotFound,
        errors.JobPurged,
        errors.JobNotFinished,
        errors.JobNotSucceeded,
        api.TranscriptNotFound,
        api.VersionNotFound,
        errors.ObjectStoreUnavailable,
    ),
    dependencies=needs(Scope.READ),
)
async def get_transcript(query: Annotated[VersionQuery, Query()], deps: Deps, job: FoundJob) -> Response:
    """Return every word with its speaker, as corrected by people. The formats of `/turns` have the same text."""
    result = await result_of(deps, job, query.version)
    words = await required_words_of(deps, job, result)
    identities = await identities_of(deps, job, result)
    content = await anyio.to_thread.run_sync(transcript_to_json, result, words, identities)
    return Response(content, media_type="application/json", headers={VERSION_HEADER: str(result.version)})
