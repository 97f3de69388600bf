"""Batches: what callers send and get."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, field_validator

from parley_api.schemas import batch_examples as examples
from parley_api.schemas.base import DIGITS_ONLY, Answer, Moment, Problem, Reference, sentence, with_example
from parley_api.schemas.links import SHOWN_NAME, LinkBody
from parley_api.schemas.options import CallbackUrl, SubmitOptions
from parley_api.schemas.queries import NoParameters
from parley_core.batches import MAX_ITEMS


@with_example(examples.NEW_BATCH)
class BatchRequest(BaseModel):
    """Recordings to submit, each named by a link or an upload."""

    model_config = ConfigDict(extra="forbid")

    jobs: list[LinkBody] = Field(
        min_length=1, max_length=MAX_ITEMS, description="Where each recording is, and its options."
    )
    options: dict[str, Any] = Field(
        default_factory=dict, description="Options of all jobs, where a job does not give its own."
    )
    reference: Reference | None = Field(None, description="Your own name for the batch. Printable characters.")
    callback_url: CallbackUrl | None = Field(
        None,
        description="Where to deliver `batch.ended`, once all of its jobs have ended. A `callback_url` in `options` is "
        "that of each job.",
    )

    @field_validator("options")
    @classmethod
    def _are_options(cls, options: dict[str, Any]) -> dict[str, Any]:
        for name, value in options.items():
            if name not in SubmitOptions.model_fields:
                raise sentence(f"`options` has no option `{name[:SHOWN_NAME]}`.")
            if not isinstance(value, str | int | None):
                raise sentence(f"`{name}` must be text, a whole number, true or false.")
        return options

    def submits(self) -> Iterator[LinkBody]:
        """Yield what a submit of each recording would send."""
        for job in self.jobs:
            yield LinkBody.model_validate({**self.options, **job.model_dump(exclude_unset=True)})


class BatchQuery(NoParameters):
    """Which batches are listed."""

    limit: Annotated[int, Field(ge=1, le=100), DIGITS_ONLY] = Field(
        50, description="Largest number of batches in the page.", examples=[50]
    )
    cursor: str | None = Field(
        None,
        pattern="^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$",
        description="`next_cursor` of the page before.",
    )


class BatchItemAnswer(Answer):
    """One recording of a batch."""

    index: int = Field(description="Its place in `jobs` of the request, from 0.")
    reference: str | None = Field(description="As it was sent; null without one, and once the job is purged.")
    job: str | None = Field(description="Id of its job; null if it was refused.")
    state: str = Field(
        description="State of the job; `purged` once the job was deleted or its retention is over, `refused` without a "
        "job."
    )
    problem: Problem | None = Field(description="Why it was refused; null if it has a job.")


class BatchSummaryAnswer(Answer):
    """A batch in a list."""

    id: str = Field(description="Id of the batch.")
    created_at: Moment = Field(description="When it was first sent.")
    reference: str | None = Field(description="As it was sent; null without one.")
    jobs: int = Field(description="Number of its jobs.")
    refused: int = Field(description="Number of recordings that were refused.")


@with_example(examples.BATCH)
class BatchAnswer(Answer):
    """A batch and what has become of its jobs."""

    id: str = Field(description="Id of the batch.")
    created_at: Moment = Field(description="When it was first sent.")
    reference: str | None = Field(description="As it was sent; null without one.")
    done: bool = Field(description="Whether all of its jobs have ended.")
    counts: Mapping[str, int] = Field(description="Number of items by `state`, without states that none has.")
    items: list[BatchItemAnswer] = Field(description="All recordings, in the order of the request.")


@with_example({"batches": [examples.BATCH_SUMMARY], "next_cursor": None})
class BatchPageAnswer(Answer):
    """A page of batches."""

    batches: list[BatchSummaryAnswer] = Field(description="Newest first.")
    next_cursor: str | None = Field(description="Send it as `cursor` for the next page; null on the last one.")
