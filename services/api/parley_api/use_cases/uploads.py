"""Resumable uploads: beginning one, and receiving its parts."""

from __future__ import annotations

import anyio
from fastapi import Request

from parley_api.http import tus
from parley_api.http.errors import QuotaExceeded, TooManyUploads, UploadNotFound, UploadOffsetConflict, UploadTooLong
from parley_api.intake.open_upload import remove
from parley_api.intake.upload import HEAD_BYTES, arriving
from parley_api.runtime.dependencies import Dependencies
from parley_api.runtime.tenant_slots import slot_or_refusal
from parley_api.runtime.uploads import OpenUpload, Parts
from parley_api.schemas import clean_file_name
from parley_core.errors import EmptyRecording, NotAudio, RecordingTooLarge

PART_BYTES = 4 * 1024 * 1024  # stored at a time, and held in memory; a process that is killed loses no more
SLOT_SECONDS = 10.0
QUOTA_SECONDS = 600  # until somebody submits or removes an upload


async def begin(deps: Dependencies, tenant: str, request: Request) -> OpenUpload:
    """Begin an upload as its headers describe it.

    Raises:
        InvalidOption: a header is wrong.
        EmptyRecording, RecordingTooLarge: nothing to upload, or more than a recording may have.
        QuotaExceeded: the tenant has as many open uploads, jobs or bytes as it may.
        ObjectStoreUnavailable: nothing was begun.
    """
    length = tus.number_in(request.headers, "upload-length")
    file_name = clean_file_name(tus.file_name_in(request.headers) or "") or None
    if length == 0:
        raise EmptyRecording("There is no recording: `Upload-Length` is 0.")
    limit = deps.settings.max_recording_bytes
    if length > limit:
        raise RecordingTooLarge(f"The recording is larger than {limit} bytes, the limit here.")
    most = deps.limits.of(tenant).open_uploads if deps.keys is not None else 0
    if deps.keys is not None:
        lengths = await deps.blocking.objects(deps.open_uploads.lengths_of, tenant)
        if most and len(lengths) >= most:
            raise _too_many(most)
        await deps.limits.require_room(tenant, sum(lengths.values()))
        await deps.limits.require_audio(tenant, 1.0, request.scope)
    metadata = request.headers.get("upload-metadata", "")
    upload = await deps.blocking.objects(deps.open_uploads.create, tenant, length, file_name, metadata)
    # Others may have begun at the same time, in other processes too. The last one of them sees all, and does not stay.
    if most and len(await deps.blocking.objects(deps.open_uploads.lengths_of, tenant)) > most:
        await remove(deps, upload)
        raise _too_many(most)
    return upload


def _too_many(most: int) -> QuotaExceeded:
    detail = f"Your tenant may have {most} open uploads at a time. Submit or remove some."
    return QuotaExceeded(detail, "open_uploads", QUOTA_SECONDS)


async def receive(deps: Dependencies, upload: OpenUpload, offset: int, request: Request) -> int:
    """Store the bytes of a body behind those that arrived before; return how many the upload has then.

    What has arrived is kept when the caller or the connection stops in the middle.

    Raises:
        UploadOffsetConflict: the upload ends elsewhere, or another request writes to it.
        UploadTooLong: the body has more bytes than the upload lacks.
        NotAudio: the upload does not begin like a recording. It is removed.
        TooManyUploads, TooManyParts, BodyStalled, ObjectStoreUnavailable, UploadNotFound.
    """
    refusal, count = TooManyUploads("Too many recordings are on their way at a time. Go on later."), deps.http_metrics
    async with slot_or_refusal(deps.uploads, upload.tenant, SLOT_SECONDS, refusal, count.refuse):
        parts = await deps.blocking.objects(deps.open_uploads.parts, upload)
        if offset != parts.end:
            raise UploadOffsetConflict(parts.end)
        announced = request.headers.get("content-length", "0")
        if announced.isdecimal():
            _require_fitting(upload, parts.end + int(announced))
        writer = _Writer(deps, upload, parts)
        try:
            async for chunk in arriving(request.stream()):
                await writer.add(chunk)
        finally:
            with anyio.CancelScope(shield=True):
                await writer.store()
                removed = not await deps.blocking.objects(deps.open_uploads.exists, upload)
                if removed:  # while these bytes arrived, which must not outlast it
                    await remove(deps, upload)
        if removed:
            raise UploadNotFound("The upload was removed meanwhile.")
        return writer.parts.end


class _Writer:
    """Collects what arrives, and stores it in parts."""

    def __init__(self, deps: Dependencies, upload: OpenUpload, parts: Parts) -> None:
        self._deps, self._upload, self.parts = deps, upload, parts
        self._waiting = bytearray()

    async def add(self, chunk: bytes) -> None:
        if self.parts.end + len(self._waiting) + len(chunk) > self._upload.length:
            self._waiting.clear()
            _require_fitting(self._upload, self._upload.length + 1)
        self._waiting += chunk
        if len(self._waiting) >= PART_BYTES:
            await self.store()

    async def store(self) -> None:
        """Store what waits. After an error nothing waits: another call would meet the same one."""
        data = bytes(self._waiting)
        self._waiting.clear()
        if not data:
            return
        if self.parts.end == 0 and (len(data) >= HEAD_BYTES or len(data) == self._upload.length):
            try:
                self._deps.probe.sniff(data[:HEAD_BYTES])
            except NotAudio:
                await remove(self._deps, self._upload)
                raise
        self.parts = await self._deps.blocking.objects(self._deps.open_uploads.append, self._upload, self.parts, data)


def _require_fitting(upload: OpenUpload, end: int) -> None:
    if end > upload.length:
        raise UploadTooLong(f"The upload has {upload.length} bytes in all, and this body has more than it lacks.")
