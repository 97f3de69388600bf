"""Resumable uploads that no submit has taken yet."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from parley_api.schemas import examples
from parley_api.schemas.base import DIGITS_ONLY, Answer, Moment, with_example
from parley_api.schemas.queries import NoParameters

UPLOAD = {
    "id": examples.UPLOAD_ID,
    "file_name": "visit-4711.wav",
    "length": 2552408,
    "offset": 1048576,
    "begun_at": "2025-11-25T05:00:00.000Z",
    "expires_at": "2025-11-26T05:00:00.000Z",
}


class UploadsQuery(NoParameters):
    """Which uploads are listed."""

    limit: Annotated[int, Field(ge=1, le=100), DIGITS_ONLY] = Field(
        50, description="Largest number of uploads in the page.", examples=[50]
    )
    cursor: str | None = Field(
        None,
        pattern="^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}-[0-9]{1,15}$",
        description="`next_cursor` of the page before.",
    )


class UploadAnswer(Answer):
    """An upload that has begun."""

    id: str = Field(description="Its id: `upload` of a submit, and the last part of its path.")
    file_name: str | None = Field(description="The file name that was sent with it; null without one.")
    length: int = Field(description="Bytes of the whole recording.")
    offset: int = Field(description="Bytes that have arrived.")
    begun_at: Moment = Field(description="When it was begun.")
    expires_at: Moment = Field(description="When it is removed.")


@with_example({"uploads": [UPLOAD], "next_cursor": None})
class UploadPageAnswer(Answer):
    """A page of uploads."""

    uploads: list[UploadAnswer] = Field(description="Newest first.")
    next_cursor: str | None = Field(description="Send it as `cursor` for the next page; null on the last one.")
