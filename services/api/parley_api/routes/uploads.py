"""Resumable uploads by the tus protocol 1.0: begin, append, ask for the offset, remove."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Path, Query, Request, Response
from starlette.requests import ClientDisconnect

from parley_api.http import tus
from parley_api.http.errors import (
    BodyStalled,
    QuotaExceeded,
    TooManyParts,
    TooManyUploads,
    UnsupportedBody,
    UnsupportedTus,
    UploadExpired,
    UploadNotFound,
    UploadOffsetConflict,
    UploadTooLong,
)
from parley_api.http.openapi import Responses, problems
from parley_api.intake.open_upload import remove
from parley_api.routes.context import Deps, NoQuery, Tenant, needs
from parley_api.runtime.keys import Scope
from parley_api.runtime.uploads import OpenUpload
from parley_api.schemas.examples import UPLOAD_ID
from parley_api.schemas.uploads import UploadAnswer, UploadPageAnswer, UploadsQuery
from parley_api.use_cases import uploads
from parley_core import errors

router = APIRouter(prefix="/v1/uploads", tags=["uploads"], dependencies=needs(Scope.SUBMIT))

MISSING = (UnsupportedTus, UploadNotFound, UploadExpired)
RECEIVING = (
    UnsupportedBody,
    UploadOffsetConflict,
    UploadTooLong,
    TooManyParts,
    TooManyUploads,
    BodyStalled,
    errors.NotAudio,
)


def sent(description: str, status: int, *headers: str) -> Responses:
    """Return the response of a call, by the names of its headers."""
    described = {name: tus.SENT[name] for name in ("Tus-Resumable", *headers)}
    return {status: {"description": description, "headers": described}}


async def upload_of_path(
    upload_id: Annotated[str, Path(description="Id of the upload.", examples=[UPLOAD_ID])],
    request: Request,
    deps: Deps,
    tenant: Tenant,
) -> OpenUpload:
    """Return the tenant's upload. Raises UnsupportedTus, UploadNotFound or UploadExpired."""
    tus.require_version(request.headers)
    return await deps.blocking.objects(deps.open_uploads.find, tenant, upload_id)


FoundUpload = Annotated[OpenUpload, Depends(upload_of_path)]


def answer(upload: OpenUpload, offset: int, status: int, **headers: str) -> Response:
    """Return a response without a body, with the headers of the protocol."""
    members = {
        "Tus-Resumable": tus.VERSION,
        "Upload-Offset": str(offset),
        "Upload-Expires": tus.http_date(upload.expires_at),
    }
    return Response(status_code=status, headers=members | headers)


@router.options(
    "",
    status_code=204,
    response_class=Response,
    summary="Read what the server speaks of tus",
    responses={**sent("The version, the extensions and the limit.", 204), **problems()},
)
async def describe_uploads(query: NoQuery, deps: Deps) -> Response:
    """Return the version of the protocol, its extensions, and the largest recording."""
    headers = {
        "Tus-Resumable": tus.VERSION,
        "Tus-Version": tus.VERSION,
        "Tus-Extension": tus.EXTENSIONS,
        "Tus-Max-Size": str(deps.settings.max_recording_bytes),
    }
    return Response(status_code=204, headers=headers)


@router.get("", summary="List resumable uploads", responses=problems())
async def list_uploads(query: Annotated[UploadsQuery, Query()], deps: Deps, tenant: Tenant) -> UploadPageAnswer:
    """Return your uploads that no submit has taken yet, newest first."""
    found, following = await deps.blocking.objects(deps.open_uploads.page, tenant, query.limit, query.cursor)
    uploads = [
        UploadAnswer(
            id=upload.id,
            file_name=upload.file_name,
            length=upload.length,
            offset=offset,
            begun_at=upload.begun_at,
            expires_at=upload.expires_at,
        )
        for upload, offset in found
    ]
    return UploadPageAnswer(uploads=uploads, next_cursor=following)


@router.post(
    "",
    status_code=201,
    response_class=Response,
    summary="Begin a resumable upload",
    openapi_extra={
        "parameters": [tus.RESUMABLE, tus.LENGTH, tus.METADATA],
        "requestBody": tus.PART_BODY | {"required": False},
    },
    responses={
        201: {
            "description": "The upload has begun.",
            "headers": {"Location": {"description": "Path of the upload.", "schema": {"type": "string"}}, **tus.SENT},
        },
        **problems(UnsupportedTus, *RECEIVING, errors.EmptyRecording, errors.RecordingTooLarge, QuotaExceeded),
    },
)
async def begin_upload(request: Request, query: NoQuery, deps: Deps, tenant: Tenant) -> Response:
    """Begin an upload. Bytes in the body are its first ones.

    Once it is complete, submit it: `POST /v1/jobs` with JSON `{"upload": "<id>"}`.
    """
    tus.require_version(request.headers)
    announced = request.headers.get("content-type")
    if announced is not None:
        tus.require_bytes(request.headers)
    upload = await uploads.begin(deps, tenant, request)
    offset = 0
    if announced is not None:
        try:
            offset = await uploads.receive(deps, upload, 0, request)
        except (errors.ParleyError, ClientDisconnect):  # nobody has learned its address
            await remove(deps, upload)
            raise
    return answer(upload, offset, 201, Location=f"/v1/uploads/{upload.id}")


@router.head(
    "/{upload_id}",
    response_class=Response,
    summary="Ask how much of an upload has arrived",
    openapi_extra={"parameters": [tus.RESUMABLE]},
    responses={
        200: {
            "description": "The offset.",
            "headers": {
                **tus.SENT,
                "Upload-Length": {"description": "Bytes of the whole recording.", "schema": tus.COUNT},
                "Upload-Metadata": {"description": "As it was sent.", "schema": {"type": "string"}},
            },
        },
        **problems(*MISSING),
    },
)
async def get_upload_offset(query: NoQuery, deps: Deps, upload: FoundUpload) -> Response:
    """Return how many bytes the server has. Go on from there."""
    parts = await deps.blocking.objects(deps.open_uploads.parts, upload)
    metadata = {"Upload-Metadata": upload.metadata} if upload.metadata else {}
    return answer(upload, parts.end, 200, **{"Upload-Length": str(upload.length)} | metadata)


@router.patch(
    "/{upload_id}",
    status_code=204,
    response_class=Response,
    summary="Send bytes of an upload",
    openapi_extra={"parameters": [tus.RESUMABLE, tus.OFFSET], "requestBody": tus.PART_BODY | {"required": True}},
    responses={
        **sent("The bytes are stored.", 204, "Upload-Offset", "Upload-Expires"),
        **problems(*MISSING, *RECEIVING),
    },
)
async def append_to_upload(request: Request, query: NoQuery, deps: Deps, upload: FoundUpload) -> Response:
    """Store bytes behind those that have arrived. If the connection ends early, what has arrived is kept."""
    tus.require_bytes(request.headers)
    offset = tus.number_in(request.headers, "upload-offset")
    return answer(upload, await uploads.receive(deps, upload, offset, request), 204)


@router.delete(
    "/{upload_id}",
    status_code=204,
    response_class=Response,
    summary="Remove an upload",
    openapi_extra={"parameters": [tus.RESUMABLE]},
    responses={**sent("The upload is gone.", 204), **problems(*MISSING)},
)
async def delete_upload(query: NoQuery, deps: Deps, upload: FoundUpload) -> Response:
    """Remove an upload, with all bytes that have arrived. A job that has taken it keeps its recording."""
    await deps.blocking.objects(deps.open_uploads.remove, upload)
    return Response(status_code=204, headers={"Tus-Resumable": tus.VERSION})
