"""The console: its page, its files, and the picture of a timeline."""

from __future__ import annotations

from typing import Annotated

import anyio.to_thread
from fastapi import APIRouter, FastAPI, Query
from fastapi.responses import FileResponse, Response
from fastapi.staticfiles import StaticFiles
from starlette.types import Scope

from parley_api.http.errors import VersionNotFound
from parley_api.http.openapi import PICTURE, VERSION_HEADER, problems
from parley_api.routes.context import Deps, FoundJob, needs
from parley_api.runtime.keys import Scope as KeyScope
from parley_api.schemas.queries import VersionQuery
from parley_api.use_cases.identities import identities_of
from parley_api.use_cases.results import result_of
from parley_console import CONTENT_SECURITY_POLICY, FILES, PAGE
from parley_console.picture import timeline_svg
from parley_core import errors

SVG = "image/svg+xml"
PICTURE_POLICY = "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'"

router = APIRouter(tags=["jobs"])


@router.get("/", include_in_schema=False)
@router.get("/shared", include_in_schema=False)
@router.get("/v1/jobs/{job_id}/timeline", include_in_schema=False)
async def page() -> FileResponse:
    """Return the page. It holds no data: its script asks for them, with the key that the user enters."""
    headers = {"Content-Security-Policy": CONTENT_SECURITY_POLICY, "Cache-Control": "no-cache"}
    return FileResponse(PAGE, headers=headers)


@router.get(
    "/v1/jobs/{job_id}/timeline.svg",
    summary="Read the timeline as a picture",
    response_class=Response,
    responses={
        **PICTURE,
        **problems(
            errors.JobNotFound,
            errors.JobPurged,
            errors.JobNotFinished,
            errors.JobNotSucceeded,
            VersionNotFound,
            errors.ObjectStoreUnavailable,
        ),
    },
    dependencies=needs(KeyScope.READ),
)
async def svg(query: Annotated[VersionQuery, Query()], deps: Deps, job: FoundJob) -> Response:
    """Return who spoke when as SVG: a lane per speaker, overlaps, marks for review, totals."""
    result = await result_of(deps, job, query.version)
    identities = await identities_of(deps, job, result) or ()
    names = {one.speaker: one.name for one in identities if one.name is not None}
    picture = await anyio.to_thread.run_sync(timeline_svg, result.document, names)
    return Response(
        picture,
        media_type=SVG,
        headers={"Content-Security-Policy": PICTURE_POLICY, VERSION_HEADER: str(result.version)},
    )


class Files(StaticFiles):
    """The console's files. Browsers ask each time whether theirs are still the same."""

    async def get_response(self, path: str, scope: Scope) -> Response:
        response = await super().get_response(path, scope)
        response.headers["Cache-Control"] = "no-cache"
        response.headers["Content-Security-Policy"] = CONTENT_SECURITY_POLICY  # of the service worker
        response.headers["Service-Worker-Allowed"] = "/"
        return response


def install(app: FastAPI) -> None:
    """Serve the page, its files and the picture."""
    app.include_router(router)
    app.mount("/console", Files(directory=FILES))
