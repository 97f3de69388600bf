"""What a tenant has used."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Annotated, Literal, Self

from pydantic import BeforeValidator, Field, ValidationInfo, model_validator

from parley_api.schemas import examples
from parley_api.schemas.base import Answer, Seconds, sentence, with_example
from parley_api.schemas.queries import NoParameters
from parley_core.job import Job, Queue
from parley_core.status import Usage

ISO_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
MAX_DAYS = 400  # as long as the record keeps them


def _iso_day(value: object, info: ValidationInfo) -> date:
    """Take a day as text: Pydantic takes numbers too, as seconds since 1970."""
    try:
        if not isinstance(value, str) or not ISO_DAY.fullmatch(value):
            raise ValueError
        return date.fromisoformat(value)
    except ValueError:
        raise sentence(f"`{info.field_name}` must be a day such as 2025-11-30.") from None


Day = Annotated[date, BeforeValidator(_iso_day)]


class UsageQuery(NoParameters):
    """The period, in UTC days."""

    first: Day | None = Field(
        None, description="First day. The default is the first of the month of `last`.", examples=["2025-11-01"]
    )
    last: Day | None = Field(None, description="Last day. The default is today.", examples=["2025-11-30"])

    format: Literal["json", "csv"] | None = Field(
        None, description="`csv` is FOCUS 1.2. The default follows from `Accept`.", examples=["json"]
    )

    @model_validator(mode="after")
    def _check(self) -> Self:
        first, last = self.period()
        if first > last:
            raise sentence("`first` must not be after `last`.")
        if last - first >= timedelta(days=MAX_DAYS):
            raise sentence(f"The period must not have more than {MAX_DAYS} days.")
        return self

    def period(self) -> tuple[date, date]:
        """Return the first and the last day."""
        last = self.last or datetime.now(UTC).date()
        return self.first or last.replace(day=1), last


class RunUsageAnswer(Answer):
    """What the job has used, in its present run."""

    audio_seconds: Seconds = Field(description="Length of the recording.")
    engine_seconds: Seconds = Field(description="Time of the engine in the attempt that succeeded.")
    engine_cpu_seconds: Seconds = Field(description="Processor time of the engine in that attempt.")
    transcribed_seconds: Seconds = Field(description="Length of the audio that the recogniser transcribed.")
    wait_seconds: Seconds | None = Field(
        description="Time from the submit to the first start; null after a retry by hand."
    )
    attempts: int = Field(description="Number of attempts.")

    @classmethod
    def of(cls, job: Job) -> Self:
        """Return the response for a job with a result."""
        timings = job.result.timings if job.result else {}
        found = job.result and job.result.transcription
        waited = job.started_at - job.created_at if job.started_at and not job.run else None
        return cls(
            audio_seconds=job.recording.seconds,
            engine_seconds=timings.get("engine", 0.0),
            engine_cpu_seconds=timings.get("engine_cpu", 0.0),
            transcribed_seconds=found.audio_seconds if found else 0.0,
            wait_seconds=max(0.0, waited.total_seconds()) if waited is not None else None,
            attempts=len(job.attempts),
        )


class UsedAnswer(Answer):
    """What jobs have used, by the time of their end."""

    succeeded: int = Field(0, description="Jobs that succeeded. A job that is retried by hand counts once per end.")
    failed: int = Field(0, description="Jobs that failed.")
    cancelled: int = Field(0, description="Jobs that were cancelled.")
    attempts: int = Field(0, description="Attempts of these jobs.")
    audio_seconds: Seconds = Field(0.0, description="Length of the recordings of the jobs that succeeded.")
    engine_seconds: Seconds = Field(0.0, description="Time of the engine in the attempts that succeeded.")
    engine_cpu_seconds: Seconds = Field(0.0, description="Processor time of the engine in these attempts.")
    transcribed_seconds: Seconds = Field(0.0, description="Length of the audio that the recogniser transcribed.")
    wait_seconds: Seconds = Field(0.0, description="Time that these jobs waited for their first start, in all.")


class DayUsageAnswer(UsedAnswer):
    """What jobs of a queue have used that ended on a day."""

    day: date = Field(description="UTC day of the ends.")
    queue: Queue = Field(description="Name of the queue.")


@with_example(examples.USAGE)
class UsageAnswer(Answer):
    """What your tenant has used in a period."""

    first: date = Field(description="First day of the period, in UTC.")
    last: date = Field(description="Last day of the period.")
    total: UsedAnswer = Field(description="The sum over all days and queues.")
    days: list[DayUsageAnswer] = Field(description="Each day and queue in which a job ended, in order.")

    @classmethod
    def of(cls, first: date, last: date, usages: Sequence[Usage]) -> Self:
        """Return the response for a period."""
        sums = {name: sum(getattr(usage, name) for usage in usages) for name in UsedAnswer.model_fields}
        days = [DayUsageAnswer.model_validate(usage) for usage in usages]
        return cls(first=first, last=last, total=UsedAnswer(**sums), days=days)
