"""Whether the server is well, check by check."""

from __future__ import annotations

from enum import StrEnum

from pydantic import Field

from parley_api.schemas import examples
from parley_api.schemas.base import Answer, with_example


class Health(StrEnum):
    """How a part is."""

    GOOD = "good"
    WARN = "warn"
    BAD = "bad"


class CheckAnswer(Answer):
    """One check."""

    name: str = Field(description="What was checked, for programs.")
    state: Health = Field(description="`good`, `warn`: it works and may not for long, `bad`: it does not work.")
    text: str = Field(description="What was found, in a sentence.")
    advice: str | None = Field(None, description="What to do about it; null if it is well.")
    alert: str | None = Field(None, description="Alert that Prometheus raises for it; null without one.")
    detail: str | None = Field(None, description="The reason, for keys with the scope `admin` only.")


@with_example(examples.HEALTH)
class HealthAnswer(Answer):
    """Whether the server is well."""

    state: Health = Field(description="The worst of the checks.")
    version: str = Field(description="Version of the server.")
    checks: list[CheckAnswer] = Field(description="The checks, stores first.")
    flower_url: str | None = Field(None, description="Address of Flower, the page of the workers' tasks; null without.")
