"""Receives a recording and its options: a form, or the recording itself with options in the query.

The recording is checked, hashed, counted and stored while it arrives. It is discarded unless a job owns it.
"""

from __future__ import annotations

import asyncio
import hashlib
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, ExitStack, asynccontextmanager
from email.message import Message
from functools import partial
from pathlib import Path
from typing import TypeVar

import anyio
from fastapi import Request

from parley_api.http.errors import (
    AudioMissing,
    BodyStalled,
    BodyTooLarge,
    InvalidOption,
    UnknownOption,
    UnsupportedBody,
)
from parley_api.http.validation import SHOWN_NAME, validated
from parley_api.intake.multipart import MultipartBody, Part
from parley_api.runtime.dependencies import Dependencies
from parley_api.schemas import ConsultOptions, clean_file_name
from parley_api.transcripts.reading import MAX_TRANSCRIPT_BYTES, read_transcript
from parley_core.errors import (
    EmptyRecording,
    JobStoreUnavailable,
    ObjectStoreUnavailable,
    ParleyError,
    RecordingTooLarge,
)
from parley_core.job import Job
from parley_core.logs import get_logger
from parley_core.recording import transcript_key
from parley_core.transcript import Transcript

log = get_logger(__name__)

FORM = "multipart/form-data"
RAW_MAIN_TYPES = ("audio/", "video/")  # a phone calls its recording a video
RAW_TYPE = "application/octet-stream"
STALLED_SECONDS = 30.0  # without a byte: an idle caller must not keep an upload open
LEAST_BYTES_PER_SECOND = 1000  # over STALLED_SECONDS of waiting; the slowest mobile networks have twice as much
FORM_OVERHEAD_BYTES = 64 * 1024  # what a form may add to the recording: boundaries, headers, options
COPY_BYTES = 1024 * 1024
HEAD_BYTES = 4096  # enough to recognise a container, and less than the smallest network chunk
MAX_OPTION_BYTES = 2048  # the longest value of any option in a form
AUDIO = "audio"  # name of the part that holds the recording
TRANSCRIPT = "transcript"  # name of the part that holds a transcript of it

Options = TypeVar("Options", bound=ConsultOptions)


class Upload:
    """A stored recording. It belongs to the request that sent it until a job owns it.

    Attributes:
        key: where the object store keeps it.
        sha256: of its bytes, hex.
        bytes: its length.
        file_name: as announced by the caller, cleaned; None without one.
        transcript: of the recording; None without one.
    """

    def __init__(self, key: str, sha256: str, size: int, file_name: str | None, deps: Dependencies) -> None:
        self.key = key
        self.sha256 = sha256
        self.bytes = size
        self.file_name = clean_file_name(file_name or "") or None
        self.transcript: Transcript | None = None
        self.owned = False
        self._deps = deps
        self._transcript_key: str | None = None

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
        if transcript_key(job.id) == self._transcript_key:
            self._transcript_key = None  # an earlier request with the same key has sent the same transcript
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

    async def keep_transcript(self, job_id: str) -> None:
        """Store the transcript, if there is one, for the job that will be accepted. Raises ObjectStoreUnavailable."""
        if self.transcript is not None:
            self._transcript_key = transcript_key(job_id)
            stored = self.transcript.to_json()
            await self._deps.blocking.objects(self._deps.recordings.put, self._transcript_key, stored)

    async def discard(self) -> None:
        """Delete recording and transcript, also while the request is being cancelled."""
        with anyio.CancelScope(shield=True):
            for key in filter(None, (self.key, self._transcript_key)):
                try:
                    await self._deps.blocking.objects(self._deps.recordings.delete, key)
                except ObjectStoreUnavailable:
                    log.warning("an object without a job is left in the object store", key=key)


@asynccontextmanager
async def received(
    request: Request, deps: Dependencies, tenant: str, model: type[Options], key: str
) -> AsyncIterator[tuple[Upload, Options]]:
    """Receive a body; discard its recording at the end unless a job owns it.

    Args:
        model: the options that this call takes.
        key: where to store the recording.

    Raises:
        InvalidRequest, RequestValidationError: the form or an option is wrong. Raised as early as possible.
        QueueFull: before the recording is received.
        RecordingError: by its subclasses; see `stored`.
        UnsupportedBody, BodyStalled: the body is neither a form nor a recording, or nothing arrives.
        ObjectStoreUnavailable: the recording cannot be stored.
    """
    values: dict[str, str] = {}
    for name, value in request.query_params.multi_items():
        add_option(values, name, value, model)
    content_type = request.headers.get("content-type", "")
    media_type = content_type.partition(";")[0].strip().lower()
    chunks = arriving(request.stream())
    async with AsyncExitStack() as stack:
        options = partial(valid_options, deps, tenant, model, values)

        async def store(recording: AsyncIterator[bytes], file_name: str | None) -> Upload:
            await deps.admission.require_room(options().queue)
            return await stack.enter_async_context(stored(recording, key, file_name, deps))

        if media_type == FORM:
            _require_announced_size(request, deps, FORM_OVERHEAD_BYTES + MAX_TRANSCRIPT_BYTES)
            parts = MultipartBody(chunks, content_type).parts()
            upload = await _receive_form(parts, values, model, store, deps)
        elif media_type == RAW_TYPE or media_type.startswith(RAW_MAIN_TYPES):
            _require_announced_size(request, deps)
            upload = await store(chunks, _announced_file_name(request))
        else:
            raise UnsupportedBody(f"Send {FORM} with an `{AUDIO}` part, or the recording itself as audio/*.")
        yield upload, options()


def valid_options(deps: Dependencies, tenant: str, model: type[Options], values: dict[str, str]) -> Options:
    """Return the options of a submit, within the limits of server and tenant. Raises what `received` raises of them."""
    audio = deps.settings.audio_retention(tenant)
    limits = {
        "max_speakers": deps.settings.max_speakers,
        "retain_seconds": deps.settings.retention_limit,
        "retain_audio_seconds": deps.settings.retention_limit if audio is None else audio,
        "transcribe": bool(deps.settings.asr_url),
    }
    found = validated(model, values, limits)
    if found.callback_url is not None:
        deps.callbacks.require(found.callback_url, tenant)
    return found


def add_option(values: dict[str, str], name: str, value: str, model: type[ConsultOptions]) -> None:
    """Note an option of a submit. Raises UnknownOption, or InvalidOption for one that is given twice."""
    _require_known(name, model)
    if name in values:
        raise InvalidOption(f"`{name}` is given twice.")
    values[name] = value


def _require_known(name: str, model: type[ConsultOptions]) -> None:
    if name not in model.model_fields:
        known = ", ".join(model.model_fields)
        raise UnknownOption(f"There is no option `{name[:SHOWN_NAME]}` here. The options are: {known}.")


def _announced_file_name(request: Request) -> str | None:
    """Return the file name in `Content-Disposition`."""
    message = Message()
    message["content-disposition"] = (
        request.headers.get("content-disposition", "").encode("latin-1").decode("utf-8", "replace")
    )
    return message.get_filename()


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
    model: type[ConsultOptions],
    store: Callable[[AsyncIterator[bytes], str | None], Awaitable[Upload]],
    deps: Dependencies,
) -> Upload:
    """Add the form's fields to `values`, store its recording and read its transcript."""
    upload: Upload | None = None
    transcript: Transcript | None = None
    async for part in parts:
        if part.name == AUDIO and upload is not None:
            raise InvalidOption(f"The form has more than one `{AUDIO}` part. Send one recording per job.")
        if part.name == AUDIO:
            upload = await store(part.chunks, part.file_name)
        elif part.name == TRANSCRIPT:
            if transcript is not None:
                raise InvalidOption(f"`{TRANSCRIPT}` is given twice.")
            transcript = await deps.blocking.probe(read_transcript, await transcript_bytes(part.chunks), None)
        elif part.file_name is not None:
            raise AudioMissing(
                f"The form has a file in the part `{part.name[:SHOWN_NAME]}`. Send the recording in the part "
                f"`{AUDIO}`, for example `-F {AUDIO}=@visit.wav` with curl."
            )
        else:
            _require_known(part.name, model)
            add_option(values, part.name, await _text_of(part), model)
    if upload is None:
        raise AudioMissing(f"The form has no `{AUDIO}` part. Send the recording in it.")
    upload.transcript = transcript
    return upload


async def transcript_bytes(chunks: AsyncIterator[bytes]) -> bytes:
    """Return the bytes of a transcript. Raises BodyTooLarge at the first byte over the limit."""
    body = bytearray()
    async for chunk in chunks:
        body += chunk
        if len(body) > MAX_TRANSCRIPT_BYTES:
            raise BodyTooLarge(f"The transcript is longer than {MAX_TRANSCRIPT_BYTES} bytes.")
    return bytes(body)


async def _text_of(part: Part) -> str:
    value = b""
    async for chunk in part.chunks:
        value += chunk
        if len(value) > MAX_OPTION_BYTES:
            raise InvalidOption(f"`{part.name}` is longer than {MAX_OPTION_BYTES} bytes.")
    try:
        return value.decode()
    except UnicodeDecodeError:
        raise InvalidOption(f"`{part.name}` is not text in UTF-8.") from None


@asynccontextmanager
async def stored(
    chunks: AsyncIterator[bytes], key: str, file_name: str | None, deps: Dependencies
) -> AsyncIterator[Upload]:
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
    upload = Upload(key, digest.hexdigest(), size, file_name, deps)
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
    """Yield chunks as they arrive. Only the time spent waiting for the caller counts.

    Raises:
        BodyStalled: nothing arrives for `STALLED_SECONDS`, or less than `LEAST_BYTES_PER_SECOND` over that time.
    """
    waited, arrived = 0.0, 0
    while True:
        began = time.monotonic()
        try:
            async with asyncio.timeout(STALLED_SECONDS):
                chunk = await anext(chunks, None)
        except TimeoutError:
            raise BodyStalled(f"Nothing arrived for {STALLED_SECONDS:.0f} s. Send the recording again.") from None
        if chunk is None:
            return
        waited += time.monotonic() - began
        arrived += len(chunk)
        if waited >= STALLED_SECONDS:
            if arrived < waited * LEAST_BYTES_PER_SECOND:
                raise BodyStalled(
                    f"Only {arrived} bytes arrived in {waited:.0f} s. Send them again over a faster connection."
                )
            waited, arrived = 0.0, 0
        if chunk:
            yield chunk
