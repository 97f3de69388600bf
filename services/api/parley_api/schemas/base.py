"""What the models share: types of fields, and the base of all responses."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Annotated, Any, Literal, TypeVar

from pydantic import AfterValidator, AwareDatetime, BaseModel, BeforeValidator, ConfigDict, Field, PlainSerializer
from pydantic_core import PydanticCustomError, PydanticKnownError

MAX_CHANNELS = 8  # that a caller can assign; as many as a conference table has microphones
MAX_REFERENCE = 200  # characters

Model = TypeVar("Model", bound=BaseModel)

WHOLE_NUMBER = re.compile(r"-?[0-9]+")
TRUE_OR_FALSE = re.compile("true|false", re.IGNORECASE)
NO_CONTROL_CHARACTERS = r"^[^\x00-\x1f\x7f-\x9f]*$"  # for the schema; the exact rule is `str.isprintable`


SENTENCE, UNKNOWN = "sentence", "unknown"
"""Kinds of our own validation errors: a wrong value, and an option that does not exist."""


def sentence(text: str, kind: str = SENTENCE) -> PydanticCustomError:
    """Return a validation error whose message reaches the caller as it is: a sentence that names the field."""
    return PydanticCustomError(kind, text)


def _written_as(pattern: re.Pattern[str], kind: Literal["int_parsing", "bool_parsing"]) -> BeforeValidator:
    """Return a validator that takes text only as the pattern has it; other values pass."""

    def check(value: object) -> object:
        if isinstance(value, str) and not pattern.fullmatch(value):
            raise PydanticKnownError(kind)
        return value

    return BeforeValidator(check)


def printable(field: str, stripped: bool) -> AfterValidator:
    """Return a validator for text that people read in one line.

    Args:
        field: name of the member, for the error.
        stripped: whether spaces at its ends are refused.
    """

    def check(text: str) -> str:
        if not text.isprintable() or (stripped and text != text.strip()):
            ends = ", without spaces at its ends" if stripped else ""
            raise sentence(f"`{field}` must consist of printable characters{ends}.")
        return text

    return AfterValidator(check)


def _only_text(value: object) -> object:
    if not isinstance(value, str):  # a number would count as seconds since 1970
        raise sentence("A time must be text as in RFC 3339, such as `2027-01-31T09:00:00Z`.")
    return value


def _in_utc(moment: datetime) -> datetime:
    try:
        return moment.astimezone(UTC)
    except OverflowError:
        raise sentence("A time must lie in the years 1 to 9999, in UTC.") from None


def _rfc3339(moment: datetime) -> str:
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _milliseconds(seconds: float) -> float:
    return round(seconds, 3)


DIGITS_ONLY = _written_as(WHOLE_NUMBER, "int_parsing")
"""For whole numbers from text. Without it Pydantic takes `2.0` and `1_000` too. Limits stand before it."""

Flag = Annotated[bool, _written_as(TRUE_OR_FALSE, "bool_parsing")]
"""A boolean from text: `true` or `false`, in any case, since generated Python clients write `True`.

Without the validator Pydantic takes `1` and `yes` too.
"""

Reference = Annotated[
    str,
    Field(min_length=1, max_length=MAX_REFERENCE, json_schema_extra={"pattern": NO_CONTROL_CHARACTERS}),
    printable("reference", stripped=False),
]
"""The caller's own name for a conversation."""

Moment = Annotated[AwareDatetime, PlainSerializer(_rfc3339, return_type=str, when_used="json")]
"""A time as RFC 3339 in UTC, to the millisecond."""

GivenTime = Annotated[AwareDatetime, BeforeValidator(_only_text), AfterValidator(_in_utc)]
"""A time that a caller sends: text as in RFC 3339, with its distance from UTC."""

Seconds = Annotated[float, PlainSerializer(_milliseconds, return_type=float, when_used="json")]
"""A duration or a position in a recording, to the millisecond."""


def with_example(example: dict[str, Any]) -> Callable[[type[Model]], type[Model]]:
    """Add an example to a model's JSON schema."""

    def decorate(model: type[Model]) -> type[Model]:
        model.model_config["json_schema_extra"] = {"examples": [example]}
        return model

    return decorate


class Answer(BaseModel):
    """Base of all responses. Fields are filled from the attributes of values in parley_core."""

    model_config = ConfigDict(from_attributes=True, extra="forbid")


@with_example({"status": "ok"})
class OkAnswer(Answer):
    """The check succeeded."""

    status: str = Field("ok", description="Always `ok`.")


@with_example({"status": "ok", "decoder_lacks": []})
class ReadyAnswer(OkAnswer):
    """The components that Parley needs are up."""

    decoder_lacks: list[str] = Field(
        description="Parts of the confinement of decoders that this system lacks: `Landlock`, `seccomp filters`. Empty "
        "where a decoder reaches nothing but the recording that it reads."
    )
    transcribes: bool = Field(description="Whether the server has a recogniser, for jobs with `transcribe`.")


class FieldProblem(BaseModel):
    """One value that is wrong."""

    name: str = Field(description="Name of the option, parameter or member; empty for the request as a whole.")
    detail: str = Field(description="What is wrong with it.")


@with_example(
    {
        "type": "urn:parley:problem:job_not_found",
        "title": "Job not found",
        "status": 404,
        "detail": "There is no job with this id.",
        "code": "job_not_found",
    }
)
class Problem(BaseModel):
    """An error (RFC 9457). Some codes add members, for example `errors` or `missing`."""

    type: str = Field(description="URI of the problem: `urn:parley:problem:` and the code.")
    title: str = Field(description="The problem in a few words; the same for every occurrence.")
    status: int = Field(description="The HTTP status.")
    detail: str = Field(description="What happened and what to do, in a sentence for people.")
    code: str = Field(description="Stable name of the problem, for programs.")
    errors: list[FieldProblem] | None = Field(
        None, description="With `invalid_option` and `unknown_option`: each value that is wrong."
    )
