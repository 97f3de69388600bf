"""A request's body into a draft and its options: a form, or the recording itself with options in the query."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable

from fastapi import Request

from parley_api.http.errors import AudioMissing, BodyStalled, InvalidOption, UnsupportedBody
from parley_api.intake import options as option_rules
from parley_api.intake.multipart import MultipartBody, Part
from parley_api.intake.options import MAX_OPTION_BYTES, OPTIONS
from parley_api.intake.upload import Draft
from parley_core.job import JobOptions

FORM = "multipart/form-data"
RAW_MAIN_TYPES = ("audio/", "video/")  # a phone calls its recording a video
RAW_TYPE = "application/octet-stream"
STALLED_SECONDS = 60.0  # without a byte: a caller that sleeps must not hold an upload open for ever
FORM_OVERHEAD_BYTES = 64 * 1024  # what a form may add to the recording: boundaries, headers, options

Admit = Callable[[JobOptions], Awaitable[None]]
"""Asked before a byte of the recording is stored; raises QueueFull."""


class Body:
    """One submit's body, read once. `allowed` names the options that may come with it."""

    def __init__(self, request: Request, max_speakers: int, allowed: Iterable[str] = OPTIONS) -> None:
        self._request, self._max_speakers, self._allowed = request, max_speakers, tuple(allowed)
        self._options: dict[str, str] = {}
        self._content_type = request.headers.get("content-type", "")
        self._kind = self._content_type.partition(";")[0].strip().lower()

    async def receive(self, draft: Draft, admit: Admit) -> JobOptions:
        """Store the recording and return the options.

        Raises:
            InvalidRequest: by its subclasses, as early as it is known.
            RecordingError: by its subclasses; see Draft.store.
            UnsupportedBody: neither a form nor a recording.
        """
        option_rules.take(self._options, self._request.query_params.multi_items(), self._allowed)
        self._refuse_long(self._options.values())
        if self._kind == FORM:
            draft.require_size(self._announced() - FORM_OVERHEAD_BYTES)
            await self._receive_form(draft, admit)
        elif self._kind == RAW_TYPE or self._kind.startswith(RAW_MAIN_TYPES):
            draft.require_size(self._announced())
            await self._store(draft, self._chunks(), admit)
        else:
            raise UnsupportedBody(f"Send {FORM} with an `audio` part, or the recording itself as audio/*.")
        return self._parsed()

    def _announced(self) -> int:
        length = self._request.headers.get("content-length", "0")
        return int(length) if length.isdecimal() else 0

    def _chunks(self) -> AsyncIterator[bytes]:
        return arriving(self._request.stream())

    def _parsed(self) -> JobOptions:
        return option_rules.parse(self._options, self._max_speakers)

    def _refuse_long(self, values: Iterable[str]) -> None:
        if any(len(value) > MAX_OPTION_BYTES for value in values):
            raise InvalidOption(f"An option is at most {MAX_OPTION_BYTES} bytes long.")

    async def _store(self, draft: Draft, chunks: AsyncIterator[bytes], admit: Admit) -> None:
        await admit(self._parsed())
        await draft.store(chunks)

    async def _receive_form(self, draft: Draft, admit: Admit) -> None:
        async for part in MultipartBody(self._chunks(), self._content_type).parts():
            if part.name != "audio":
                option_rules.take(self._options, [(part.name, await _text(part))], self._allowed)
            elif draft.stored:
                raise InvalidOption("There is more than one `audio` part; send one recording per job.")
            else:
                await self._store(draft, part.chunks, admit)
        if not draft.stored:
            raise AudioMissing("The form has no `audio` part.")


async def _text(part: Part) -> str:
    value = b""
    async for chunk in part.chunks:
        value += chunk
        if len(value) > MAX_OPTION_BYTES:
            raise InvalidOption(f"An option is at most {MAX_OPTION_BYTES} bytes long.")
    try:
        return value.decode()
    except UnicodeDecodeError:
        raise InvalidOption("An option is not UTF-8 text.") from None


async def arriving(chunks: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """Yield what comes, as long as it comes. Raises BodyStalled."""
    while True:
        try:
            async with asyncio.timeout(STALLED_SECONDS):
                chunk = await anext(chunks, None)
        except TimeoutError:
            raise BodyStalled(f"Nothing came for {STALLED_SECONDS:.0f} s. Send the recording again.") from None
        if chunk is None:
            return
        if chunk:
            yield chunk
