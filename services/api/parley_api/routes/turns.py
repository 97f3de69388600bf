"""The turns of a job that has succeeded."""

from __future__ import annotations

from typing import Annotated

import anyio.to_thread
from fastapi import APIRouter, Query, Request
from fastapi.responses import Response

from parley_api.formats import BY_NAME, Format, negotiated
from parley_api.formats.documentation import contents
from parley_api.http.errors import InvalidOption, NotAcceptable, SpeakerEmbeddingsNotKept, VersionNotFound
from parley_api.http.openapi import VERSION_HEADER, VERSION_HEADERS, problems
from parley_api.routes.context import Caller, Deps, FoundJob, needs, require_scope
from parley_api.runtime.keys import Scope
from parley_api.schemas import TurnsAnswer
from parley_api.schemas.queries import TurnsQuery
from parley_api.use_cases.identities import identities_of, require_speaker_embeddings
from parley_api.use_cases.results import result_of
from parley_api.use_cases.transcripts import has_words, words_of
from parley_api.use_cases.writing import content_disposition, conversation_of, to_json
from parley_core import errors

router = APIRouter(prefix="/v1/jobs/{job_id}", tags=["jobs"])


@router.get(
    "/turns",
    summary="Read the turns",
    response_model=TurnsAnswer,
    responses={
        200: {"content": contents(), "headers": VERSION_HEADERS},
        **problems(
            errors.JobNotFound,
            errors.JobPurged,
            errors.JobNotFinished,
            errors.JobNotSucceeded,
            VersionNotFound,
            SpeakerEmbeddingsNotKept,
            NotAcceptable,
            errors.ObjectStoreUnavailable,
        ),
    },
    dependencies=needs(Scope.READ),
)
async def get_turns(
    request: Request, query: Annotated[TurnsQuery, Query()], deps: Deps, job: FoundJob, caller: Caller
) -> Response:
    """Return who spoke when, with names and roles where the job kept speaker embeddings or knows its channels.

    The turns are those of the newest version, with all corrections. If the job has a transcript, each turn has its
    text, and the other formats have an entry for each utterance instead of each turn. The formats for other programs
    have a file name, that of the recording.
    """
    by_accept = query.format is None
    chosen = negotiated(", ".join(request.headers.getlist("accept"))) if by_accept else BY_NAME[query.format or ""]
    _require_allowed(query, chosen)
    if query.embeddings:
        require_scope(caller, Scope.EXPORT)
    result = await result_of(deps, job, query.version)
    if query.embeddings:
        require_speaker_embeddings(job)
    named = query.speakers == "names" if query.speakers else chosen.names
    identities = await identities_of(deps, job, result) if named else None
    words = await words_of(deps, job, result) if query.text else None
    headers = {"Vary": "Accept", VERSION_HEADER: str(result.version)}
    if chosen.write is None:
        has_text = None if query.text else await has_words(deps, job)
        content = await anyio.to_thread.run_sync(to_json, result, identities, query.embeddings, words, has_text)
    else:
        conversation = conversation_of(job, result, words, identities or ())
        content = (await anyio.to_thread.run_sync(chosen.write, conversation)).encode()
        headers["Content-Disposition"] = content_disposition(job, chosen, result.version)
    media_type = chosen.media_type if by_accept else chosen.sent_as or chosen.media_type
    return Response(content, media_type=media_type, headers=headers)


def _require_allowed(query: TurnsQuery, chosen: Format) -> None:
    """Raise InvalidOption for an option that the format does not have."""
    if query.embeddings and chosen.write is not None:
        raise InvalidOption("`embeddings` requires the format `json`.")
    if not query.text and chosen.write is not None:
        raise InvalidOption("`text` requires the format `json`.")
    if query.speakers and chosen.write is None:
        raise InvalidOption("`speakers` does not go with the format `json`: it has labels and names.")
