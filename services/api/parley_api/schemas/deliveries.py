"""Deliveries: the ends of jobs, sent to their callers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Self

from pydantic import Field

from parley_api.schemas import examples
from parley_api.schemas.base import DIGITS_ONLY, Answer, Moment, with_example
from parley_api.schemas.jobs import ErrorAnswer
from parley_api.schemas.queries import NoParameters
from parley_core.deliveries import Delivery, DeliveryState
from parley_core.job import JobState, Queue


class DeliveriesQuery(NoParameters):
    """Which deliveries are listed."""

    state: DeliveryState | None = Field(None, description="Only deliveries in this state.", examples=["failed"])
    job_id: str | None = Field(
        None, max_length=64, description="Only deliveries of this job.", examples=[examples.JOB_ID]
    )
    limit: Annotated[int, Field(ge=1, le=200), DIGITS_ONLY] = Field(
        50, description="Largest number of deliveries.", examples=[50]
    )


class JobEnd(Answer):
    """How a job ended."""

    id: str = Field(description="Id of the job.")
    state: JobState = Field(description="`succeeded`, `failed` or `cancelled`.")
    queue: Queue = Field(description="The queue it was submitted to.")
    reference: str | None = Field(description="Your own name for the conversation.")
    error: ErrorAnswer | None = Field(description="Why it failed; null in every other state.")


@with_example(examples.MESSAGE)
class JobEndMessage(Answer):
    """The body of a delivery. Verify its headers before you read it: https://www.standardwebhooks.com."""

    type: str = Field(description="`job.succeeded`, `job.failed` or `job.cancelled`.")
    timestamp: Moment = Field(description="When the job ended.")
    data: JobEnd = Field(description="The job.")


@with_example(examples.DELIVERY)
class DeliveryAnswer(Answer):
    """The delivery of one end of a job, or of the end of a batch."""

    id: str = Field(description="Its `webhook-id`: the same for every attempt.")
    job_id: str | None = Field(description="Id of the job; null for a batch.")
    batch_id: str | None = Field(description="Id of the batch; null for a job.")
    url: str = Field(description="The `callback_url` of the job or batch.")
    state: DeliveryState = Field(
        description="`pending`: to be attempted. `delivered`: answered with 2xx. `failed`: given up."
    )
    attempts: int = Field(description="Number of attempts so far; a resend begins at 0 again.")
    outcome: str | None = Field(
        description="Of the last attempt: the status of the response, or `timeout`, `connection_error`, `tls_error`, "
        "`protocol_error`, `name_not_resolved`, `address_not_allowed`, `no_secret`. Null before the first attempt."
    )
    ended_at: Moment = Field(description="When the job ended, or the last job of the batch.")
    last_attempt_at: Moment | None = Field(description="When the last attempt was made.")
    next_attempt_at: Moment | None = Field(description="When the next attempt is due; null unless it is `pending`.")

    @classmethod
    def of(cls, delivery: Delivery) -> Self:
        """Return the response for a delivery."""
        return cls.model_validate(delivery)


@with_example(examples.DELIVERIES)
class DeliveriesAnswer(Answer):
    """Deliveries of your jobs and batches."""

    deliveries: list[DeliveryAnswer] = Field(description="The deliveries, those of the newest ends first.")

    @classmethod
    def of(cls, deliveries: Sequence[Delivery]) -> Self:
        """Return the response for deliveries."""
        return cls(deliveries=[DeliveryAnswer.of(one) for one in deliveries])
