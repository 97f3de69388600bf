"""Shared links: what callers send and get, and what a link shows."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field

from parley_api.schemas import examples
from parley_api.schemas.base import Answer, Moment, Seconds, with_example

SHORTEST_SHARE = 60  # seconds
LONGEST_SHARE = 366 * 86_400  # whatever the deployment's limit


@with_example(examples.NEW_SHARE)
class ShareRequest(BaseModel):
    """A link to make."""

    model_config = ConfigDict(extra="forbid")

    seconds: int = Field(
        ge=SHORTEST_SHARE,
        le=LONGEST_SHARE,
        strict=True,
        description="How long the link works. It ends earlier when the job is deleted.",
    )
    audio: bool = Field(False, strict=True, description="Whether the link plays the recording too.")


@with_example(examples.SHARE)
class ShareAnswer(Answer):
    """A link without its secret."""

    id: str = Field(description="Id of the link, to revoke it.")
    audio: bool = Field(description="Whether it plays the recording.")
    created_at: Moment = Field(description="When it was made.")
    expires_at: Moment = Field(description="From then on it opens nothing.")


@with_example(examples.CREATED_SHARE)
class CreatedShareAnswer(ShareAnswer):
    """A link that was just made."""

    link: str = Field(
        description="Path of the page and, behind `#`, the secret, which browsers do not send. It cannot be read again."
    )


@with_example(examples.SHARES)
class SharesAnswer(Answer):
    """The links of a job."""

    shares: list[ShareAnswer] = Field(description="Oldest first; those whose time is over are among them.")


@with_example(examples.SHARE_RECEIPT)
class ShareReceiptAnswer(Answer):
    """A receipt for a revoked link."""

    share_id: str = Field(description="Id of the link.")
    revoked_at: Moment = Field(description="When it was revoked. It opens nothing from then on.")


class SharedRecordingAnswer(Answer):
    """The recording, without its name."""

    seconds: Seconds = Field(description="Its length in seconds.")
    media_type: str = Field(description="Its media type.")


class SharedLinksAnswer(Answer):
    """Paths of what the link shows. They need the same link."""

    turns: str = Field(description="The turns.")
    peaks: str = Field(description="The peaks of the waveform.")
    audio: str | None = Field(description="The recording; null where the link does not play it.")


@with_example(examples.SHARED_JOB)
class SharedJobAnswer(Answer):
    """What a link says about its job: no names of files, references, callers or workers."""

    created_at: Moment = Field(description="When the recording was submitted.")
    expires_at: Moment = Field(description="From then on the link opens nothing.")
    recording: SharedRecordingAnswer = Field(description="The recording.")
    speakers: int = Field(description="Number of speakers that the engine has found.")
    links: SharedLinksAnswer = Field(description="Paths of what the link shows.")
