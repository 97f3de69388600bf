"""The console: its page, its files, and the picture of a timeline."""

from __future__ import annotations

import re
from typing import Annotated

import anyio.to_thread
from fastapi import APIRouter, FastAPI, Query
from fastapi.responses import HTMLResponse, Response
from fastapi.staticfiles import StaticFiles
from starlette.types import Scope

from parley_api.http.errors import VersionNotFound
from parley_api.http.openapi import VERSION_HEADER, picture, problems
from parley_api.routes.context import Deps, FoundJob, needs
from parley_api.runtime.dependencies import Dependencies
from parley_api.runtime.keys import Scope as KeyScope
from parley_api.schemas.paths import ROOT_PATH
from parley_api.schemas.queries import VersionQuery
from parley_api.use_cases.identities import identities_of
from parley_api.use_cases.results import result_of
from parley_console import CONTENT_SECURITY_POLICY, FILES, PAGE
from parley_console.image import png_of
from parley_console.picture import timeline_svg
from parley_core import errors
from parley_core.job import Job

SVG, PNG = "image/svg+xml", "image/png"
ABSOLUTE = re.compile(r'(?<=(?:href|.src)=)"/')
PICTURE_POLICY = "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'"

router = APIRouter(tags=["jobs"])


@router.get("/", include_in_schema=False)
@router.get("/health", include_in_schema=False)
@router.get("/shared", include_in_schema=False)
@router.get("/v1/jobs/{job_id}/timeline", include_in_schema=False)
async def page() -> HTMLResponse:
    """Return the page. It holds no data: its script asks for them, with the key that the user enters."""
    headers = {"Content-Security-Policy": CONTENT_SECURITY_POLICY, "Cache-Control": "no-cache"}
    return HTMLResponse(ABSOLUTE.sub(f'"{ROOT_PATH.get()}/', PAGE.read_text()), headers=headers)


PICTURE_PROBLEMS = problems(
    errors.JobNotFound,
    errors.JobPurged,
    errors.JobNotFinished,
    errors.JobNotSucceeded,
    VersionNotFound,
    errors.ObjectStoreUnavailable,
)


@router.get(
    "/v1/jobs/{job_id}/timeline.svg",
    summary="Read the timeline as a picture",
    response_class=Response,
    responses={**picture(SVG), **PICTURE_PROBLEMS},
    dependencies=needs(KeyScope.READ),
)
async def svg(query: Annotated[VersionQuery, Query()], deps: Deps, job: FoundJob) -> Response:
    """Return who spoke when as SVG: a lane per speaker, overlaps, marks for review, totals."""
    drawn, version = await _drawn(deps, job, query.version)
    return Response(
        drawn, media_type=SVG, headers={"Content-Security-Policy": PICTURE_POLICY, VERSION_HEADER: str(version)}
    )


@router.get(
    "/v1/jobs/{job_id}/timeline.png",
    summary="Read the timeline as an image",
    response_class=Response,
    responses={**picture(PNG), **PICTURE_PROBLEMS},
    dependencies=needs(KeyScope.READ),
)
async def png(query: Annotated[VersionQuery, Query()], deps: Deps, job: FoundJob) -> Response:
    """Return the picture of the timeline as PNG, 2400 pixels wide; less for more than a hundred speakers."""
    drawn, version = await _drawn(deps, job, query.version)
    image = await anyio.to_thread.run_sync(png_of, drawn)
    return Response(image, media_type=PNG, headers={VERSION_HEADER: str(version)})


async def _drawn(deps: Dependencies, job: Job, version: int | None) -> tuple[str, int]:
    """Return the picture of a job's timeline as SVG, and the version of the result that it shows."""
    result = await result_of(deps, job, version)
    identities = await identities_of(deps, job, result) or ()
    names = {one.speaker: one.name for one in identities if one.name is not None}
    return await anyio.to_thread.run_sync(timeline_svg, result.document, names), result.version


class Files(StaticFiles):
    """The console's files. Browsers ask each time whether theirs are still the same."""

    async def get_response(self, path: str, scope: Scope) -> Response:
        response = await super().get_response(path, scope)
        response.headers["Cache-Control"] = "no-cache"
        response.headers["Content-Security-Policy"] = CONTENT_SECURITY_POLICY  # of the service worker
        response.headers["Service-Worker-Allowed"] = f"{ROOT_PATH.get()}/"
        return response


def install(app: FastAPI) -> None:
    """Serve the page, its files and the picture."""
    app.include_router(router)
    app.mount("/console", Files(directory=FILES))
