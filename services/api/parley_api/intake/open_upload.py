"""An upload that has arrived in parts, as the recording of a submit."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import anyio

from parley_api.http.errors import UploadIncomplete
from parley_api.runtime.dependencies import Dependencies
from parley_api.runtime.uploads import OpenUpload
from parley_core.errors import ObjectStoreUnavailable, RecordingError


@asynccontextmanager
async def taken(
    deps: Dependencies, tenant: str, upload_id: str
) -> AsyncIterator[tuple[OpenUpload, AsyncIterator[bytes]]]:
    """Give an upload and its bytes. It is removed once a job has them, or when they are no recording.

    Raises:
        UploadNotFound, UploadExpired: the tenant has no such upload, or no longer.
        UploadIncomplete: bytes are missing.
    """
    upload = await deps.blocking.objects(deps.open_uploads.find, tenant, upload_id)
    parts = await deps.blocking.objects(deps.open_uploads.parts, upload)
    if parts.end != upload.length:
        raise UploadIncomplete(parts.end, upload.length)

    async def chunks() -> AsyncIterator[bytes]:
        for start in parts.starts:
            yield await deps.blocking.objects(deps.open_uploads.read, upload, start)

    try:
        yield upload, chunks()
    except RecordingError:
        await remove(deps, upload)
        raise
    await remove(deps, upload)


async def remove(deps: Dependencies, upload: OpenUpload) -> None:
    """Remove an upload that nobody needs. If the object store does not answer, the keeper does it later."""
    with anyio.CancelScope(shield=True), suppress(ObjectStoreUnavailable):
        await deps.blocking.objects(deps.open_uploads.remove, upload)
