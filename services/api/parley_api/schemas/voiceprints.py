"""Enrolled voices: what callers send and get; never the vector."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from parley_api.schemas.base import Answer, Moment
from parley_core.voiceprints import Role, Voiceprint

MAX_NAME = 200  # characters


def _sound_name(name: str) -> str:
    if not name.isprintable() or name != name.strip():
        raise ValueError("a name is printable and has no blanks around it")
    return name


Name = Annotated[str, Field(min_length=1, max_length=MAX_NAME), AfterValidator(_sound_name)]


class EnrolRequest(BaseModel):
    """A speaker of a job that was submitted with `speaker_embeddings=true`, and who that is."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "example": {
                "name": "Dr. Weber",
                "role": "clinician",
                "job_id": "0198c0de-7a3b-7c11-9d2e-3f6f5a1b2c3d",
                "speaker": "SPEAKER_00",
            }
        },
    )

    name: Name = Field(description="Unique among your voices; case does not count.")
    role: Literal[Role.CLINICIAN, Role.PATIENT] | None = None
    job_id: str = Field(max_length=64)
    speaker: str = Field(max_length=64)


class VoiceprintAnswer(Answer):
    """An enrolled voice. It stays until it is deleted, also when its job is purged."""

    id: str
    name: str
    role: Role | None
    enrolled_at: Moment
    model: str = Field(description="What made the vector; it is compared with vectors of the same model only.")

    @classmethod
    def of(cls, voice: Voiceprint) -> Self:
        return cls.model_validate(voice)


class VoiceprintsAnswer(Answer):
    voiceprints: list[VoiceprintAnswer] = Field(description="In order of enrolment.")


class VoiceprintReceiptAnswer(Answer):
    """What a deletion removed, and when."""

    voiceprint_id: str
    deleted_at: Moment
    removed: list[str] = Field(description="What is gone: `name`, `role`, `vector`.")
