"""Questions about a result, of which the first changes most."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, Field

from parley_api.schemas import examples
from parley_api.schemas.base import Answer, with_example


class Candidate(BaseModel):
    """A speaker who may be right."""

    speaker: str = Field(description="Label of the speaker.")
    example: str | None = Field(description="`id` of a turn by which to know the speaker; null if there is no other.")


class Question(BaseModel):
    """A question to a person who can listen."""

    kind: Literal["speaker_of_turn", "same_person"] = Field(
        description="`speaker_of_turn` asks who speaks in `turn`: answer with `confirm_turns`, `reassign_turns` or "
        "`split_speaker`. `same_person` asks whether `speaker` is the one candidate: answer with `merge_speakers`, or "
        "with `confirm_turns` for `turn` and the example."
    )
    turn: str = Field(description="`id` of the turn to listen to.")
    speaker: str = Field(description="Its label at present.")
    candidates: list[Candidate] = Field(description="Who may be right, the most probable one first.")
    seconds: float = Field(description="Length of the turns that an answer is expected to change, in seconds.")


@with_example(examples.QUESTIONS)
class QuestionsAnswer(Answer):
    """Questions about a result."""

    job_id: str = Field(description="Id of the job.")
    version: int = Field(description="Version of the result that they are about.")
    by_voice: bool = Field(
        description="False if the result has no voices of turns, or no turns: then there are no questions."
    )
    questions: list[Question] = Field(description="The most useful one first.")
