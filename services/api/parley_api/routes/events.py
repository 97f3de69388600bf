"""The events of a job while they happen."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from typing import Annotated

from fastapi import APIRouter, Depends, Header
from fastapi.sse import EventSourceResponse, ServerSentEvent

from parley_api.http.errors import InvalidOption, TooManyWaits
from parley_api.http.openapi import EVENTS, problems
from parley_api.routes.context import Deps, FoundJob, NoQuery, needs
from parley_api.runtime.keys import Scope
from parley_api.schemas import EventAnswer
from parley_api.use_cases.watching import events_of, wait_slot
from parley_core.errors import JobNotFound, JobPurged

router = APIRouter(prefix="/v1/jobs/{job_id}", tags=["jobs"])

EVENT_ID = re.compile(r"\d{1,20}(-\d{1,20})?")


async def resume_after(
    last_event_id: Annotated[
        str, Header(description="Id of the last event received; the stream continues after it.")
    ] = "0",
) -> str:
    """Return the id after which the stream begins. Raises InvalidOption."""
    if not EVENT_ID.fullmatch(last_event_id):
        raise InvalidOption("`Last-Event-ID` must be the id of an event of this stream.")
    return last_event_id


async def held_slot(deps: Deps, job: FoundJob) -> AsyncIterator[None]:
    """Hold a slot while the stream lasts. Raises TooManyWaits."""
    async with wait_slot(deps, job.tenant):
        yield


@router.get(
    "/events",
    summary="Follow a job's events",
    response_class=EventSourceResponse,
    responses={**EVENTS, **problems(JobNotFound, JobPurged, TooManyWaits)},
    dependencies=[*needs(Scope.READ), Depends(held_slot)],
)
async def events(
    query: NoQuery, deps: Deps, job: FoundJob, after: Annotated[str, Depends(resume_after)]
) -> AsyncIterator[ServerSentEvent]:
    """Stream the changes of a job's state, phase and progress until the job has ended."""
    async for event in events_of(deps, job.id, after):
        yield ServerSentEvent(data=EventAnswer.of(event), event="change", id=event.id)
