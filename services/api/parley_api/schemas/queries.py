"""Query parameters, call by call."""

from __future__ import annotations

import re
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from parley_api.schemas.base import DIGITS_ONLY, Flag, Reference, sentence
from parley_api.schemas.examples import JOB_ID
from parley_core.job import JobState, Queue

MAX_WAIT = 60.0  # seconds; proxies cut idle requests not long after
ID_PREFIX = re.compile(r"^[0-9a-fA-F]{4}[0-9a-fA-F-]{0,32}$")

FormatName = Literal["json", "txt", "md", "vtt", "srt", "csv", "rttm", "textgrid", "eaf", "audacity", "diarized_json"]

TranscriptFormat = Literal[
    "openai", "whisper_cpp", "vosk", "deepgram", "assemblyai", "google", "aws", "azure", "words", "srt", "vtt"
]


def _id_prefix(text: str) -> str:
    if not ID_PREFIX.fullmatch(text):
        raise sentence("`id` must be the beginning of a job id: at least 4 hexadecimal digits.")
    return text.lower()


IdPrefix = Annotated[str, Field(json_schema_extra={"pattern": ID_PREFIX.pattern}), AfterValidator(_id_prefix)]
PageLength = Annotated[int, Field(ge=1, le=200), DIGITS_ONLY]


class NoParameters(BaseModel):
    """The call takes no query parameters; unknown ones are refused."""

    model_config = ConfigDict(extra="forbid")


class WaitQuery(NoParameters):
    """How a job is read."""

    wait: float = Field(
        0.0, ge=0, le=MAX_WAIT, description="Seconds to wait for the next change of state.", examples=[30]
    )


class ListQuery(NoParameters):
    """Which jobs are listed."""

    state: JobState | None = Field(None, description="Only jobs in this state.", examples=["failed"])
    reference: Reference | None = Field(None, description="Only jobs with this reference.", examples=["consult-4711"])
    queue: Queue | None = Field(None, description="Only jobs of this queue.", examples=["interactive"])
    id: IdPrefix | None = Field(
        None,
        description="Only jobs whose id begins like this. An id begins with the time of its submit: the first 13 "
        "characters stand for one millisecond.",
        examples=[JOB_ID[:13]],
    )
    limit: PageLength = Field(50, description="Largest number of jobs in the page.", examples=[50])
    cursor: str | None = Field(None, max_length=200, description="`next_cursor` of the page before.")


class VersionQuery(NoParameters):
    """Which version of a result is read."""

    version: Annotated[int, Field(ge=0, le=1_000_000), DIGITS_ONLY] | None = Field(
        None, description="Version: 0 is the result of the engine. The default is the newest one.", examples=[0]
    )


class SharedTurnsQuery(NoParameters):
    """How turns are read by link."""

    text: Flag = Field(
        True, description="Whether turns have their text, if the job has a transcript.", examples=[False]
    )


class TurnsQuery(VersionQuery):
    """How turns are read."""

    format: FormatName | None = Field(
        None, description="Format of the turns. Takes precedence over `Accept`.", examples=["srt"]
    )
    speakers: Literal["names", "labels"] | None = Field(
        None,
        description="Whether known speakers are written by name or by label. The default is `labels` in `rttm`, "
        "and `names` in all other formats. Not with `json`, which has both.",
        examples=["labels"],
    )
    embeddings: Flag = Field(
        False, description="Add the speaker embeddings; `json` only. Needs the scope `export`.", examples=[True]
    )
    text: Flag = Field(
        True,
        description="Whether turns have their text, if the job has a transcript. Without it, hours of talk are read in "
        "half the time; `json` only.",
        examples=[False],
    )


class TranscriptQuery(NoParameters):
    """How a transcript is read."""

    format: TranscriptFormat | None = Field(
        None, description="Format of the transcript. Without it, the format is recognised.", examples=["openai"]
    )
