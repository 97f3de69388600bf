"""The options of a submit, declared once: values, rules and documentation, for forms and for queries.

All values arrive as text. The sentences for callers come from `http/validation.py` and from `sentence` below.
"""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Annotated, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationInfo, field_validator, model_validator
from pydantic_core import PydanticKnownError

from parley_api.schemas.base import DIGITS_ONLY, MAX_CHANNELS, Flag, Reference, sentence
from parley_core.job import JobOptions, Queue, SpeakerBounds
from parley_core.targets import MAX_URL
from parley_core.voiceprints import Role

MAX_RETAIN_SECONDS = 10 * 366 * 86400  # ten years, the longest that laws require medical records to be kept
MAX_FILE_NAME = 255  # characters
ROLES = "|".join(Role)
CHANNELS = re.compile(f"^({ROLES})(,({ROLES})){{1,{MAX_CHANNELS - 1}}}$")


def clean_file_name(text: str) -> str:
    """Return a file name without folders and control characters, cut to `MAX_FILE_NAME` characters."""
    name = text.replace("\\", "/").rpartition("/")[2]
    printable = "".join(character for character in name if character.isprintable())
    return printable.strip()[:MAX_FILE_NAME]


SpeakerCount = Annotated[int, Field(ge=1), DIGITS_ONLY]
RetainSeconds = Annotated[int, Field(ge=0, le=MAX_RETAIN_SECONDS), DIGITS_ONLY]
CallbackUrl = Annotated[str, Field(min_length=1, max_length=MAX_URL)]
FileName = Annotated[str, BeforeValidator(clean_file_name)]


class ConsultOptions(BaseModel):
    """Options of a consult, whose session id is the reference.

    Validation takes limits from the context: `{"max_speakers": 50, "retain_seconds": 604800}`,
    `retain_audio_seconds`, and `transcribe`: whether the server has a recogniser.
    """

    model_config = ConfigDict(extra="forbid")

    num_speakers: SpeakerCount | None = Field(
        None,
        description="Number of speakers, if it is known. Not together with `min_speakers` or `max_speakers`.",
        examples=[2],
    )
    min_speakers: SpeakerCount | None = Field(None, description="Smallest possible number of speakers.", examples=[2])
    max_speakers: SpeakerCount | None = Field(None, description="Largest possible number of speakers.", examples=[4])
    queue: Queue = Field(
        Queue.INTERACTIVE,
        description="`interactive` where a person waits for the result, `batch` otherwise. Each has its own workers.",
        examples=["interactive"],
    )
    retain_seconds: RetainSeconds | None = Field(
        None,
        description="How long recording, result and record are kept after the job has ended. By default, and at most, "
        "as long as the server is configured to keep them.",
        examples=[604800],
    )
    retain_audio_seconds: RetainSeconds | None = Field(
        None,
        description="How long the recording alone is kept after the job has ended; 0 removes it at the end. By default "
        "and at most as long as the server is configured to keep it. A job without its recording cannot be retried.",
        examples=[0],
    )
    speaker_embeddings: Flag = Field(
        False,
        description="Keep a speaker embedding of each speaker in the result (biometric data). Needed to enrol a "
        "voiceprint and to identify speakers.",
        examples=[True],
    )
    transcribe: Flag = Field(
        False,
        description="Have the server's recogniser write down the words, so that the turns have text. If it fails, the "
        "job succeeds without words, and `result.transcription.error` says why.",
        examples=[True],
    )
    callback_url: CallbackUrl | None = Field(
        None,
        description="Where to deliver the end of the job: a POST by the Standard Webhooks specification. An `https` or "
        "`http` URL with a public address.",
        examples=["https://records.example/parley"],
    )
    channels: str | None = Field(
        None,
        json_schema_extra={"pattern": CHANNELS.pattern},
        description="Role of the speaker of each channel, in order: `clinician,patient` for a clinician on the left "
        "channel and a patient on the right.",
        examples=["clinician,patient"],
    )
    file_name: FileName | None = Field(
        None,
        description="Name of the recording's file, shown with the job. By default the file name of the `audio` part or "
        f"of `Content-Disposition`. Folders are removed; the name is cut to {MAX_FILE_NAME} characters.",
        examples=["visit-4711.wav"],
    )

    @field_validator("transcribe")
    @classmethod
    def _has_recogniser(cls, transcribe: bool, info: ValidationInfo) -> bool:
        if transcribe and info.context and not info.context["transcribe"]:
            raise sentence("`transcribe` needs a recogniser, and this server has none. Send a `transcript` instead.")
        return transcribe

    @field_validator("channels")
    @classmethod
    def _roles(cls, text: str | None) -> str | None:
        if text is not None and not CHANNELS.fullmatch(text):
            raise sentence(
                f"`channels` must name a role for each channel, 2 to {MAX_CHANNELS} of {', '.join(Role)}, separated by "
                "commas: `clinician,patient` for a clinician on the left and a patient on the right."
            )
        return text

    @field_validator("num_speakers", "min_speakers", "max_speakers", "retain_seconds", "retain_audio_seconds")
    @classmethod
    def _within_limit(cls, number: int | None, info: ValidationInfo) -> int | None:
        limit = str(info.field_name) if str(info.field_name).startswith("retain") else "max_speakers"
        most = info.context[limit] if info.context else None
        if number is not None and most is not None and number > most:
            raise PydanticKnownError("less_than_equal", {"le": most})
        return number

    @model_validator(mode="after")
    def _speakers_fit(self) -> Self:
        if self.num_speakers is not None and (self.min_speakers is not None or self.max_speakers is not None):
            raise sentence("Give `num_speakers`, or `min_speakers` and `max_speakers`, not both.")
        if self.min_speakers is not None and self.max_speakers is not None and self.min_speakers > self.max_speakers:
            raise sentence(
                f"`min_speakers` ({self.min_speakers}) is greater than `max_speakers` ({self.max_speakers})."
            )
        return self

    def job_options(self) -> JobOptions:
        """Return the options as the record keeps them; the caller of this method adds the reference of a consult."""
        low, high = self.min_speakers, self.max_speakers
        if self.num_speakers is not None:
            low = high = self.num_speakers
        return JobOptions(
            speakers=SpeakerBounds(low, high),
            queue=self.queue,
            retain_seconds=self.retain_seconds,
            retain_audio_seconds=self.retain_audio_seconds,
            speaker_embeddings=self.speaker_embeddings,
            callback_url=self.callback_url,
            transcribe=self.transcribe,
            channels=tuple(Role(name) for name in self.channels.split(",")) if self.channels else (),
        )


class SubmitOptions(ConsultOptions):
    """Options of a submit."""

    reference: Reference | None = Field(
        None,
        description="Your own name for the conversation, to find the job by. Printable characters.",
        examples=["consult-4711"],
    )

    def job_options(self) -> JobOptions:
        """Return the options as the record keeps them."""
        return replace(super().job_options(), reference=self.reference)
