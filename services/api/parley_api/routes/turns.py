"""What a job leads to and comes from: its turns, its events while they happen, its recording."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Sequence
from typing import Annotated

import anyio.to_thread
from fastapi import APIRouter, Header, Query, Request
from fastapi.responses import FileResponse, Response, StreamingResponse
from pydantic import BaseModel, ConfigDict, Field

from parley_api.http.errors import InvalidOption
from parley_api.http.openapi import EVENTS, RECORDING, TURNS, problems
from parley_api.http.recording_response import RecordingResponse
from parley_api.routes.auth import Tenant
from parley_api.routes.jobs import Nothing
from parley_api.runtime.dependencies import Dependencies, Deps
from parley_api.schemas import EventAnswer, TurnsAnswer
from parley_api.use_cases.identities import identities_of, require_speaker_embeddings
from parley_api.use_cases.job_lookup import find
from parley_api.use_cases.results import result_of
from parley_api.use_cases.turn_formats import JSON, choose, to_json
from parley_core.errors import JobPurged, JobStoreUnavailable
from parley_core.job import JobEvent
from parley_core.turns import to_rttm

router = APIRouter(prefix="/v1/jobs/{job_id}", tags=["jobs"])

EVENT_ID = re.compile(r"\d{1,20}(-\d{1,20})?")
KEEP_ALIVE_SECONDS = 15.0  # proxies cut a stream that is silent for longer


class TurnsQuery(BaseModel):
    model_config = ConfigDict(extra="forbid")
    format: str | None = Field(None, description="`json` or `rttm`; goes before `Accept`.")
    embeddings: bool = Field(False, description="Add the vector of each speaker's voice, in JSON.")


@router.get("/turns", response_model=TurnsAnswer, responses={**TURNS, **problems(404, 406, 409, 410)})
async def get_turns(
    job_id: str, request: Request, query: Annotated[TurnsQuery, Query()], deps: Deps, tenant: Tenant
) -> Response:
    """Return who spoke when, with names and roles where the job kept voices or knows its channels."""
    turns_format, media_type = choose(query.format, request.headers.get("accept", ""))
    if query.embeddings and turns_format != JSON:
        raise InvalidOption("`embeddings` go with the format `json` only.")
    job = await find(deps, tenant, job_id)
    result = await result_of(deps, job)
    if query.embeddings:
        require_speaker_embeddings(job)
    if turns_format == JSON:
        identities = await identities_of(deps, job, result)
        content = await anyio.to_thread.run_sync(to_json, result, identities, query.embeddings)
    else:
        content = to_rttm(result.turns, job.id).encode()
    return Response(content, media_type=media_type, headers={"Vary": "Accept"})


@router.get("/events", response_class=StreamingResponse, responses={**EVENTS, **problems(404, 410)})
async def events(
    job_id: str,
    query: Nothing,
    deps: Deps,
    tenant: Tenant,
    last_event_id: Annotated[str, Header(description="Goes on after this event.")] = "0",
) -> StreamingResponse:
    """Stream the changes of a job: state, phase and progress, until it has ended."""
    if not EVENT_ID.fullmatch(last_event_id):
        raise InvalidOption("`Last-Event-ID` must be the id of an event of this stream.")
    job = await find(deps, tenant, job_id)
    return StreamingResponse(
        _stream(deps, job.id, last_event_id),
        media_type="text/event-stream",
        headers={"X-Accel-Buffering": "no"},
    )


async def _stream(deps: Dependencies, job_id: str, after: str) -> AsyncIterator[str]:
    """Yield events until the terminal one. A retry by hand after it is another stream's: resume with its id."""
    loop = asyncio.get_running_loop()
    spoke = loop.time()
    with deps.changes.watch(job_id) as watch:
        while not deps.changes.closed:
            for event in await _events_after(deps, job_id, after):
                after, spoke = event.id, loop.time()
                yield _written(event)
                if event.state.terminal:
                    return
            if loop.time() - spoke >= KEEP_ALIVE_SECONDS:
                spoke = loop.time()
                yield ": still here\n\n"
            await watch.changed(KEEP_ALIVE_SECONDS)


async def _events_after(deps: Dependencies, job_id: str, after: str) -> Sequence[JobEvent]:
    try:
        return await deps.calls.store(deps.store.events, job_id, after)
    except JobStoreUnavailable:
        return ()  # the stream stays open, and goes on where it was when the store is back


def _written(event: JobEvent) -> str:
    return f"id: {event.id}\nevent: change\ndata: {EventAnswer.of(event).model_dump_json()}\n\n"


@router.get("/audio", response_class=FileResponse, responses={**RECORDING, **problems(404, 410)})
async def audio(job_id: str, query: Nothing, deps: Deps, tenant: Tenant) -> Response:
    """Return the recording as it came, whole or in ranges."""
    response = RecordingResponse(deps, await find(deps, tenant, job_id))
    try:
        await response.lend()
    except KeyError:
        raise JobPurged("The recording is gone: the job is being deleted.") from None
    return response
