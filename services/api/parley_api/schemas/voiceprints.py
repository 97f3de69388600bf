"""Voiceprints: what callers send and get. A voiceprint's vector is never part of a response."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field

from parley_api.schemas import examples
from parley_api.schemas.base import NO_CONTROL_CHARACTERS, Answer, Moment, printable, with_example
from parley_core.voiceprints import Role, Voiceprint

MAX_NAME = 200  # characters


Name = Annotated[
    str,
    Field(min_length=1, max_length=MAX_NAME, json_schema_extra={"pattern": NO_CONTROL_CHARACTERS}),
    printable("name", stripped=True),
]


@with_example(examples.ENROL)
class EnrolRequest(BaseModel):
    """A speaker of a job that was submitted with `speaker_embeddings=true`, and who that is."""

    model_config = ConfigDict(extra="forbid")

    name: Name = Field(description="Name of the person, unique among your voiceprints. Case does not count.")
    role: Literal["clinician", "patient"] | None = Field(None, description="Role of the person; null if unknown.")
    job_id: str = Field(max_length=64, description="The job in which the person speaks.")
    speaker: str = Field(max_length=64, description="The person's label in the turns of that job.")


@with_example(examples.VOICEPRINT)
class VoiceprintAnswer(Answer):
    """An enrolled voiceprint. It stays until it is deleted, even when its job is purged."""

    id: str = Field(description="Id of the voiceprint.")
    name: str = Field(description="Name of the person.")
    role: Role | None = Field(description="Role of the person; null if unknown.")
    enrolled_at: Moment = Field(description="When it was enrolled.")
    model: str = Field(description="The embedding model. Only embeddings of the same model are compared.")

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
