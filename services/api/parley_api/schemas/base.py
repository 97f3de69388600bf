"""What all answers share."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from pydantic import AwareDatetime, BaseModel, ConfigDict, PlainSerializer


def _rfc3339(moment: datetime) -> str:
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


Moment = Annotated[AwareDatetime, PlainSerializer(_rfc3339, return_type=str, when_used="json")]


MOST_CHANNELS = 8  # that a caller can name: as many as a conference table has microphones


class Answer(BaseModel):
    """Base of all answers, filled from the values of parley_core by name."""

    model_config = ConfigDict(from_attributes=True, extra="forbid")


class OkAnswer(Answer):
    status: str = "ok"


class ProblemAnswer(BaseModel):
    """RFC 9457. `code` is stable; `detail` is for people. Some codes bring members of their own."""

    type: str
    title: str
    status: int
    detail: str
    code: str
