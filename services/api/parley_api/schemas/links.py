"""The body of a submit that names its recording instead of sending it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from parley_api.schemas.base import sentence
from parley_api.schemas.examples import UPLOAD_ID

SHOWN_NAME = 64  # characters of a name that are repeated to the caller
MAX_LINK = 8000  # characters: signed addresses with a session's token have 2,000


def _quoted(etag: str) -> str:
    return etag if etag.endswith('"') else f'"{etag}"'


Etag = Annotated[str, Field(max_length=1000, pattern='^((W/)?"[!#-~]*"|[!#-~]+)$'), AfterValidator(_quoted)]


class LinkBody(BaseModel):
    """Where the recording is: a link, or an upload. All further members are options of the submit."""

    model_config = ConfigDict(extra="allow")

    url: str | None = Field(
        None,
        min_length=1,
        max_length=MAX_LINK,
        description="Where the server fetches the recording: an `https` URL of a host that the operator allows. "
        "Redirects are not followed.",
        examples=["https://pacs.clinic.example/calls/visit-4711.wav"],
    )
    object: str | None = Field(
        None,
        min_length=1,
        max_length=MAX_LINK,
        description="Instead of `url`: an object in a bucket that the operator allows, `s3://bucket/key`.",
        examples=["s3://calls/2026/visit-4711.wav"],
    )
    upload: str | None = Field(
        None,
        min_length=1,
        max_length=60,
        description="Instead of `url`: id of a resumable upload that is complete, the last part of its `Location`.",
        examples=[UPLOAD_ID],
    )
    sha256: str | None = Field(
        None,
        pattern="^[0-9a-fA-F]{64}$",
        description="SHA-256 of the recording, as hex digits. Another recording is refused.",
    )
    etag: Etag | None = Field(
        None,
        description="`ETag` that the host gives the recording. A recording with another one is refused.",
    )

    @model_validator(mode="after")
    def _whole(self) -> Self:
        if sum(place is not None for place in (self.url, self.object, self.upload)) != 1:
            raise sentence("Give one of `url`, `object` and `upload`.")
        if self.upload is not None and self.etag is not None:
            raise sentence("`etag` is for links, not for an `upload`.")
        for name, value in (self.model_extra or {}).items():
            if not isinstance(value, str | int | None):
                raise sentence(f"`{name[:SHOWN_NAME]}` must be text, a whole number, true or false.")
        return self


def options_in(body: LinkBody) -> Iterator[tuple[str, str]]:
    """Yield the options of a body as text, as forms and queries have them. Those that are null are left out."""
    for name, value in (body.model_extra or {}).items():
        if value is not None:
            yield name, str(value).lower() if isinstance(value, bool) else str(value)
