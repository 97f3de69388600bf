"""What is known of the future of a job."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Estimate:
    """Seconds until a job ends, from now on: the middle of what is expected, and an interval for 80 % of all jobs."""

    seconds: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Forecast:
    """What is known of the future of a job: its position while it waits, and its end."""

    position: int | None = None
    estimate: Estimate | None = None
