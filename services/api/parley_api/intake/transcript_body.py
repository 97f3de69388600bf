"""The body of a transcript: the recogniser's output itself, or a form with it in the part `transcript`."""

from __future__ import annotations

from fastapi import Request

from parley_api.http.errors import BodyTooLarge, InvalidTranscript, UnsupportedBody
from parley_api.intake.multipart import MultipartBody
from parley_api.intake.upload import FORM, RAW_TYPE, TRANSCRIPT, arriving, transcript_bytes
from parley_api.transcripts.reading import MAX_TRANSCRIPT_BYTES

MEDIA_TYPES = (
    "application/json",
    "application/x-ndjson",
    "application/x-subrip",
    "text/vtt",
    "text/srt",
    "text/plain",
    RAW_TYPE,
)


async def read_body(request: Request) -> bytes:
    """Return the transcript.

    Raises:
        UnsupportedBody: another media type.
        MalformedBody, InvalidTranscript: the form is damaged, or has no part of this name.
        BodyTooLarge: more than `MAX_TRANSCRIPT_BYTES`.
        BodyStalled: nothing arrives.
    """
    content_type = request.headers.get("content-type", "")
    media_type = content_type.partition(";")[0].strip().lower()
    length = request.headers.get("content-length", "0")
    if length.isdecimal() and int(length) > 2 * MAX_TRANSCRIPT_BYTES:
        raise BodyTooLarge(f"The transcript is longer than {MAX_TRANSCRIPT_BYTES} bytes.")
    chunks = arriving(request.stream())
    if media_type == FORM:
        async for part in MultipartBody(chunks, content_type).parts():
            if part.name == TRANSCRIPT:
                return await transcript_bytes(part.chunks)
        raise InvalidTranscript(f"The form has no part `{TRANSCRIPT}`.")
    if media_type not in MEDIA_TYPES:
        raise UnsupportedBody(
            f"Send {FORM} with a part `{TRANSCRIPT}`, or the transcript itself as {MEDIA_TYPES[0]} or text."
        )
    return await transcript_bytes(chunks)
