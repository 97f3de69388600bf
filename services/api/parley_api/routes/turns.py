"""The turns of a job that has succeeded."""

from __future__ import annotations

from typing import Annotated

import anyio.to_thread
from fastapi import APIRouter, Query, Request
from fastapi.responses import Response

from parley_api.http.errors import InvalidOption, NotAcceptable, SpeakerEmbeddingsNotKept
from parley_api.http.openapi import TURNS, problems
from parley_api.routes.context import Deps, FoundJob
from parley_api.schemas import TurnsAnswer
from parley_api.schemas.queries import TurnsQuery
from parley_api.use_cases.identities import identities_of, require_speaker_embeddings
from parley_api.use_cases.results import result_of
from parley_api.use_cases.turn_formats import JSON, choose, to_json
from parley_core import errors
from parley_core.turns import to_rttm

router = APIRouter(prefix="/v1/jobs/{job_id}", tags=["jobs"])


@router.get(
    "/turns",
    summary="Read the turns",
    response_model=TurnsAnswer,
    responses={
        **TURNS,
        **problems(
            errors.JobNotFound,
            errors.JobPurged,
            errors.JobNotFinished,
            errors.JobNotSucceeded,
            SpeakerEmbeddingsNotKept,
            NotAcceptable,
            errors.ObjectStoreUnavailable,
        ),
    },
)
async def get_turns(request: Request, query: Annotated[TurnsQuery, Query()], deps: Deps, job: FoundJob) -> Response:
    """Return who spoke when, with names and roles where the job kept speaker embeddings or knows its channels."""
    turns_format, media_type = choose(query.format, ", ".join(request.headers.getlist("accept")))
    if query.embeddings and turns_format != JSON:
        raise InvalidOption("`embeddings` requires the format `json`.")
    result = await result_of(deps, job)
    if query.embeddings:
        require_speaker_embeddings(job)
    if turns_format == JSON:
        identities = await identities_of(deps, job, result)
        content = await anyio.to_thread.run_sync(to_json, result, identities, query.embeddings)
    else:
        content = to_rttm(result.turns, job.id).encode()
    return Response(content, media_type=media_type, headers={"Vary": "Accept"})
