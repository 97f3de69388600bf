"""Receives a recording and its options: a form, or the recording itself with options in the query.

The recording is checked, hashed, counted and stored while it arrives. It is discarded unless a job owns it.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AsyncExitStack, ExitStack, asynccontextmanager
from pathlib import Path

import anyio
from fastapi import Request

from parley_api.http.errors import AudioMissing, BodyStalled, InvalidOption, UnsupportedBody
from parley_api.intake.multipart import MultipartBody, Part
from parley_api.intake.options import MAX_OPTION_BYTES, OPTIONS, parse, take
from parley_api.runtime.dependencies import Dependencies
from parley_core.errors import (
    EmptyRecording,
    JobStoreUnavailable,
    ObjectStoreUnavailable,
    ParleyError,
    RecordingTooLarge,
)
from parley_core.job import Job, JobOptions
from parley_core.logs import get_logger

log = get_logger(__name__)

FORM = "multipart/form-data"
RAW_MAIN_TYPES = ("audio/", "video/")  # a phone calls its recording a video
RAW_TYPE = "application/octet-stream"
STALLED_SECONDS = 60.0  # without a byte: an idle caller must not keep an upload open
FORM_OVERHEAD_BYTES = 64 * 1024  # what a form may add to the recording: boundaries, headers, options
COPY_BYTES = 1024 * 1024
HEAD_BYTES = 4096  # enough to recognise a container, and less than the smallest network chunk


class Upload:
    """A stored recording. It belongs to the request that sent it until a job owns it.

    Attributes:
        key: where the object store keeps it.
        sha256: of its bytes, hex.
        bytes: its length.
    """

    def __init__(self, key: str, sha256: str, size: int, deps: Dependencies) -> None:
        self.key = key
        self.sha256 = sha256
        self.bytes = size
        self.owned = False
        self._deps = deps

    async def hand_over(self, acceptance: Awaitable[Job]) -> Job:
        """Await the acceptance of a job; from then on the job owns the recording, or nothing does.

        A record without its recording is worse than a recording without a record. So the recording stays while nobody
        knows whether the job was accepted: after an error of a store, or when this request is cancelled meanwhile.

        Args:
            acceptance: returns the accepted job. An earlier request may have made it, with a recording of its own.
        """
        self.owned = True
        try:
            job = await acceptance
        except (JobStoreUnavailable, ObjectStoreUnavailable):
            raise
        except ParleyError:
            self.owned = False
            raise
        self.owned = job.recording.key == self.key
        return job

    async def move(self, key: str) -> None:
        """Store the recording under another key. Raises ObjectStoreUnavailable."""
        recordings, objects = self._deps.recordings, self._deps.blocking.objects
        fetched = ExitStack()
        path = await objects(fetched.enter_context, recordings.fetch(self.key))
        try:
            await recordings.save(key, _chunks_of(path))
        finally:
            await objects(fetched.close)
        before, self.key = self.key, key
        await objects(recordings.delete, before)

    async def discard(self) -> None:
        """Delete the recording, also while the request is being cancelled."""
        with anyio.CancelScope(shield=True):
            try:
                await self._deps.blocking.objects(self._deps.recordings.delete, self.key)
            except ObjectStoreUnavailable:
                log.warning("a recording without a job is left in the object store", key=self.key)


@asynccontextmanager
async def received(
    request: Request, key: str, deps: Dependencies, allowed: Sequence[str] = OPTIONS
) -> AsyncIterator[tuple[Upload, JobOptions]]:
    """Receive a body; discard its recording at the end unless a job owns it.

    Args:
        key: where to store the recording.
        allowed: names of the options that this call takes.

    Raises:
        InvalidRequest: by its subclasses, as early as possible.
        QueueFull: before the recording is received.
        RecordingError: by its subclasses; see `stored`.
        UnsupportedBody: the body is neither a form nor a recording.
        BodyStalled: nothing arrives.
        ObjectStoreUnavailable: the recording cannot be stored.
    """
    values: dict[str, str] = {}
    take(values, request.query_params.multi_items(), allowed)
    content_type = request.headers.get("content-type", "")
    media_type = content_type.partition(";")[0].strip().lower()
    chunks = arriving(request.stream())
    async with AsyncExitStack() as stack:

        async def store(recording: AsyncIterator[bytes]) -> Upload:
            await deps.admission.require_room(parse(values, deps.settings.max_speakers))
            return await stack.enter_async_context(stored(recording, key, deps))

        if media_type == FORM:
            _require_announced_size(request, deps, FORM_OVERHEAD_BYTES)
            parts = MultipartBody(chunks, content_type).parts()
            upload = await _receive_form(parts, values, allowed, store)
        elif media_type == RAW_TYPE or media_type.startswith(RAW_MAIN_TYPES):
            _require_announced_size(request, deps)
            upload = await store(chunks)
        else:
            raise UnsupportedBody(f"Send {FORM} with an `audio` part, or the recording itself as audio/*.")
        yield upload, parse(values, deps.settings.max_speakers)


def _require_announced_size(request: Request, deps: Dependencies, overhead: int = 0) -> None:
    length = request.headers.get("content-length", "0")
    if length.isdecimal():
        _require_size(int(length) - overhead, deps)


def _require_size(size: int, deps: Dependencies) -> None:
    limit = deps.settings.max_recording_bytes
    if size > limit:
        raise RecordingTooLarge(f"The recording is larger than {limit} bytes, the limit here.")


async def _receive_form(
    parts: AsyncIterator[Part],
    values: dict[str, str],
    allowed: Sequence[str],
    store: Callable[[AsyncIterator[bytes]], Awaitable[Upload]],
) -> Upload:
    """Add the form's fields to `values` and store its recording."""
    upload: Upload | None = None
    async for part in parts:
        if part.name != "audio":
            take(values, [(part.name, await _text_of(part))], allowed)
        elif upload is not None:
            raise InvalidOption("The form has more than one `audio` part. Send one recording per job.")
        else:
            upload = await store(part.chunks)
    if upload is None:
        raise AudioMissing("The form has no `audio` part.")
    return upload


async def _text_of(part: Part) -> str:
    value = b""
    async for chunk in part.chunks:
        value += chunk
        if len(value) > MAX_OPTION_BYTES:
            raise InvalidOption(f"An option is at most {MAX_OPTION_BYTES} bytes long.")
    try:
        return value.decode()
    except UnicodeDecodeError:
        raise InvalidOption("An option is not UTF-8 text.") from None


@asynccontextmanager
async def stored(chunks: AsyncIterator[bytes], key: str, deps: Dependencies) -> AsyncIterator[Upload]:
    """Store a recording; discard it at the end unless a job owns it.

    Raises:
        EmptyRecording, NotAudio: before anything is stored.
        RecordingTooLarge: at the first byte over the limit; nothing stays stored.
        ObjectStoreUnavailable: the recording cannot be stored.
    """
    head = b""
    while len(head) < HEAD_BYTES and (chunk := await anext(chunks, None)) is not None:
        head += chunk
    if not head:
        raise EmptyRecording("There is no recording: the body is empty.")
    deps.probe.sniff(head)
    digest = hashlib.sha256()
    size = 0

    async def measured() -> AsyncIterator[bytes]:
        nonlocal size
        async for chunk in _joined(head, chunks):
            size += len(chunk)
            _require_size(size, deps)
            digest.update(chunk)
            yield chunk

    await deps.recordings.save(key, measured())
    upload = Upload(key, digest.hexdigest(), size, deps)
    try:
        yield upload
    finally:
        if not upload.owned:
            await upload.discard()


async def _joined(head: bytes, rest: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    yield head
    async for chunk in rest:
        yield chunk


async def _chunks_of(path: Path) -> AsyncIterator[bytes]:
    async with await anyio.open_file(path, "rb") as file:
        while chunk := await file.read(COPY_BYTES):
            yield chunk


async def arriving(chunks: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """Yield chunks as they arrive. Raises BodyStalled when none arrives for `STALLED_SECONDS`."""
    while True:
        try:
            async with asyncio.timeout(STALLED_SECONDS):
                chunk = await anext(chunks, None)
        except TimeoutError:
            raise BodyStalled(f"Nothing arrived for {STALLED_SECONDS:.0f} s. Send the recording again.") from None
        if chunk is None:
            return
        if chunk:
            yield chunk
