"""Voiceprints: what callers send and get. A voiceprint's vector is never part of a response."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from parley_api.schemas import examples
from parley_api.schemas.base import NO_CONTROL_CHARACTERS, Answer, GivenTime, Moment, printable, sentence, with_example
from parley_core.voiceprints import Consent, Role, Voiceprint

MAX_NAME = 200  # characters
MAX_PURPOSE = 500  # characters
CLOCKS_APART = timedelta(minutes=5)  # of a caller and this server


Name = Annotated[
    str,
    Field(min_length=1, max_length=MAX_NAME, json_schema_extra={"pattern": NO_CONTROL_CHARACTERS}),
    printable("name", stripped=True),
]


def _past(given_at: datetime) -> datetime:
    if given_at > datetime.now(UTC) + CLOCKS_APART:
        raise sentence("`consent.given_at` must not lie in the future.")
    return given_at


def _future(until: datetime) -> datetime:
    if until <= datetime.now(UTC):
        raise sentence("`consent.until` must lie in the future.")
    return until


class ConsentBody(BaseModel):
    """The person's consent to the voiceprint."""

    model_config = ConfigDict(extra="forbid")

    given_by: Annotated[
        str,
        Field(min_length=1, max_length=MAX_NAME, json_schema_extra={"pattern": NO_CONTROL_CHARACTERS}),
        printable("consent.given_by", stripped=True),
    ] = Field(description="Who gave it: the person, or somebody who may speak for the person.")
    given_at: Annotated[GivenTime, AfterValidator(_past)] = Field(description="When it was given.")
    purpose: Annotated[
        str,
        Field(min_length=1, max_length=MAX_PURPOSE, json_schema_extra={"pattern": NO_CONTROL_CHARACTERS}),
        printable("consent.purpose", stripped=True),
    ] = Field(description="What the voiceprint is used for.")
    until: Annotated[GivenTime, AfterValidator(_future)] = Field(
        description="When it ends. The voiceprint ends at the same moment."
    )

    def value(self) -> Consent:
        """Return the consent."""
        return Consent(self.given_by, self.given_at, self.purpose, self.until)


@with_example(examples.ENROL)
class EnrolRequest(BaseModel):
    """A speaker of a job that was submitted with `speaker_embeddings=true`, and who that is."""

    model_config = ConfigDict(extra="forbid")

    name: Name = Field(description="Name of the person, unique among your voiceprints. Case does not count.")
    role: Literal["clinician", "patient"] | None = Field(None, description="Role of the person; null if unknown.")
    job_id: str = Field(max_length=64, description="The job in which the person speaks.")
    speaker: str = Field(max_length=64, description="The person's label in the turns of that job.")
    consent: ConsentBody | None = Field(
        None,
        description="The person's consent. Required unless the operator has turned this off "
        "(`PARLEY_VOICEPRINT_CONSENT_REQUIRED`).",
    )


class ConsentAnswer(Answer):
    """The person's consent to the voiceprint."""

    given_by: str = Field(description="Who gave it.")
    given_at: Moment = Field(description="When it was given.")
    purpose: str = Field(description="What the voiceprint is used for.")
    until: Moment = Field(description="When it ends, and the voiceprint with it.")


@with_example(examples.VOICEPRINT)
class VoiceprintAnswer(Answer):
    """An enrolled voiceprint. It stays until it is deleted or its consent ends, even when its job is purged."""

    id: str = Field(description="Id of the voiceprint.")
    name: str = Field(description="Name of the person.")
    role: Role | None = Field(description="Role of the person; null if unknown.")
    enrolled_at: Moment = Field(description="When it was enrolled.")
    model: str = Field(description="The embedding model. Only embeddings of the same model are compared.")
    consent: ConsentAnswer | None = Field(description="The person's consent; null if it was enrolled without.")

    @classmethod
    def of(cls, voiceprint: Voiceprint) -> Self:
        """Return the response for a voiceprint."""
        return cls.model_validate(voiceprint)


@with_example(examples.VOICEPRINTS)
class VoiceprintsAnswer(Answer):
    """All voiceprints of the tenant."""

    voiceprints: list[VoiceprintAnswer] = Field(description="In order of enrolment.")


@with_example(examples.VOICEPRINT_RECEIPT)
class VoiceprintReceiptAnswer(Answer):
    """A receipt for a deleted voiceprint."""

    voiceprint_id: str = Field(description="Id of the voiceprint.")
    deleted_at: Moment = Field(description="When it was deleted.")
    removed: list[str] = Field(description="What is gone: `name`, `role`, `vector`.")
