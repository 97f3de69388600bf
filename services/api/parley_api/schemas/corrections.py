"""Corrections of a result: the operations that a person can make, and the answers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, Field, ValidationInfo, field_validator

from parley_api.schemas import examples
from parley_api.schemas.base import NO_CONTROL_CHARACTERS, Answer, Moment, printable, sentence, with_example
from parley_api.schemas.voiceprints import MAX_NAME, Name
from parley_core.voiceprints import Role

MAX_OPERATIONS = 50  # of one correction
MAX_TURNS = 500  # of one operation: as many as fit into a body
LONGEST_SECONDS = 1_000_000.0  # of a position; the recording's own length is checked later


Author = Annotated[
    str,
    Field(min_length=1, max_length=MAX_NAME, json_schema_extra={"pattern": NO_CONTROL_CHARACTERS}),
    printable("author", stripped=True),
]
Label = Annotated[str, Field(min_length=1, max_length=64, description="Label of a speaker.")]
TurnId = Annotated[str, Field(min_length=1, max_length=24, description="`id` of a turn.")]
TurnIds = Annotated[list[TurnId], Field(min_length=1, max_length=MAX_TURNS, description="`id` of each turn.")]
Position = Annotated[
    float,
    Field(
        ge=0,
        le=LONGEST_SECONDS,
        allow_inf_nan=False,
        strict=True,
        description="Seconds from the beginning of the recording.",
    ),
]


class _Operation(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class RenameSpeaker(_Operation):
    """Give a speaker a name, or take it away."""

    operation: Literal["rename_speaker"] = Field(description="What to do.")
    speaker: Label
    name: Name | None = Field(description="Name of the person; null for none.")


class SetRole(_Operation):
    """Give a speaker a role, or take it away."""

    operation: Literal["set_role"] = Field(description="What to do.")
    speaker: Label
    role: Role | None = Field(description="Role of the person; null for none.")


class MergeSpeakers(_Operation):
    """Give all turns of one speaker to another: they are the same person."""

    operation: Literal["merge_speakers"] = Field(description="What to do.")
    speaker: Label
    into: Label


class SplitSpeaker(_Operation):
    """Give turns to a new speaker: they are somebody else's."""

    operation: Literal["split_speaker"] = Field(description="What to do.")
    turns: TurnIds


class ReassignTurns(_Operation):
    """Give turns to another speaker."""

    operation: Literal["reassign_turns"] = Field(description="What to do.")
    turns: TurnIds
    speaker: Label


class ConfirmTurns(_Operation):
    """Say that the speakers of turns are right."""

    operation: Literal["confirm_turns"] = Field(description="What to do.")
    turns: TurnIds


class SplitTurn(_Operation):
    """Cut a turn in two of the same speaker."""

    operation: Literal["split_turn"] = Field(description="What to do.")
    turn: TurnId
    at: Position


class MoveTurn(_Operation):
    """Move the edges of a turn."""

    operation: Literal["move_turn"] = Field(description="What to do.")
    turn: TurnId
    start: Position
    end: Position


class AddTurn(_Operation):
    """Add a turn that is missing."""

    operation: Literal["add_turn"] = Field(description="What to do.")
    start: Position
    end: Position
    speaker: Label | None = Field(None, description="Label of the speaker; null is a new speaker.")


class RemoveTurns(_Operation):
    """Remove turns in which nobody speaks."""

    operation: Literal["remove_turns"] = Field(description="What to do.")
    turns: TurnIds


class Undo(_Operation):
    """Take back the newest correction that counts. Alone in its correction."""

    operation: Literal["undo"] = Field(description="What to do.")


class Redo(_Operation):
    """Make the correction count again that the newest `undo` took back. Alone in its correction."""

    operation: Literal["redo"] = Field(description="What to do.")


Change = (
    RenameSpeaker | SetRole | MergeSpeakers | SplitSpeaker | ReassignTurns | ConfirmTurns
    | SplitTurn | MoveTurn | AddTurn | RemoveTurns
)  # fmt: skip
"""Operations that change a result."""

Operation = Annotated[Change | Undo | Redo, Field(discriminator="operation")]


def _alone(operations: list[Operation]) -> list[Operation]:
    if len(operations) > 1 and any(isinstance(one, Undo | Redo) for one in operations):
        raise sentence("`operations` must have nothing beside an `undo` or a `redo`.")
    return operations


Operations = Annotated[
    list[Operation],
    Field(min_length=1, max_length=MAX_OPERATIONS, description="In order; all of them are made, or none."),
    AfterValidator(_alone),
]


class Redecided(BaseModel):
    """A turn that was decided again by voice."""

    turn: str = Field(description="`id` of the turn.")
    speaker: str = Field(description="Label of the speaker.")
    confidence: float = Field(description="Probability that the label is correct, 0 to 1.")


@with_example(examples.CORRECTION_REQUEST)
class CorrectionRequest(BaseModel):
    """A correction to make."""

    model_config = ConfigDict(extra="forbid")

    base_version: int = Field(
        ge=0,
        le=1_000_000,
        strict=True,
        description="Version of the turns that you saw. If there is a newer one, the answer is 409.",
    )
    author: Author = Field(description="Who makes the correction.")
    operations: Operations
    redecide: bool = Field(
        False,
        strict=True,
        description="Decide the turns that nobody has given or confirmed again by voice, in the same correction. Not "
        "with `undo` and `redo`.",
    )

    @field_validator("redecide")
    @classmethod
    def _not_with_undo(cls, redecide: bool, info: ValidationInfo) -> bool:
        if redecide and any(isinstance(one, Undo | Redo) for one in info.data.get("operations", ())):
            raise sentence("`redecide` does not go with `undo` and `redo`: they bring back what was there.")
        return redecide


class Correction(BaseModel):
    """A correction as it is stored.

    Attributes:
        version: of the result that it makes, 1 and up.
        operations: as they were sent.
        redecided: turns that followed by voice.
    """

    model_config = ConfigDict(frozen=True)

    version: int
    author: str
    created_at: AwareDatetime
    operations: tuple[Operation, ...]
    redecided: tuple[Redecided, ...] = ()


@with_example(examples.CORRECTION)
class CorrectionAnswer(Answer):
    """A correction of a result."""

    version: int = Field(description="Version of the result that the correction made.")
    author: str = Field(description="Who made it.")
    created_at: Moment = Field(description="When it was made.")
    operations: list[Operation] = Field(description="What was done.")
    redecided: list[Redecided] = Field(description="Turns that were decided again by voice.")
    counts: bool = Field(description="False if an `undo` took it back.")


@with_example(examples.CORRECTIONS)
class CorrectionsAnswer(Answer):
    """The corrections of a result."""

    job_id: str = Field(description="Id of the job.")
    version: int = Field(description="Newest version of the result; 0 is that of the engine.")
    can_undo: bool = Field(description="Whether there is a correction to take back.")
    can_redo: bool = Field(description="Whether there is a correction that was taken back last.")
    corrections: list[CorrectionAnswer] = Field(description="Oldest first.")

    @classmethod
    def of(cls, job_id: str, corrections: Sequence[Correction], counting: frozenset[int], can_redo: bool) -> Self:
        """Return the answer; `counting` are the versions of the corrections that no `undo` took back."""
        return cls(
            job_id=job_id,
            version=len(corrections),
            can_undo=bool(counting),
            can_redo=can_redo,
            corrections=[
                CorrectionAnswer.model_validate({**dict(one), "counts": one.version in counting}) for one in corrections
            ],
        )
