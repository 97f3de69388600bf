"""Deliveries: the end of a job, sent to the address that its caller gave, by the Standard Webhooks specification.

https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
"""

from __future__ import annotations

import binascii
import random
import re
from base64 import b64decode
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from pathlib import Path

from parley_core.errors import UnsafeSettings
from parley_core.operator_files import lines_of

# The specification's schedule: seconds between two attempts, three days in all.
RETRY_SECONDS = (5, 300, 1800, 7200, 18_000, 36_000, 50_400, 72_000, 86_400)
MAX_JITTER = 0.1  # share of the pause, so that a receiver that was down does not get everything at once
SECRETS_PER_TENANT = 2  # the old one and the new one of a rotation

SECRET_BYTES = 24  # the specification's lower limit
LINE = re.compile(r"(?P<tenant>[A-Za-z0-9._-]{1,64}):(?P<secret>whsec_(?P<bytes>[A-Za-z0-9+/=]+))")
DELIVERY_ID = re.compile(r"msg_(?P<digits>[0-9a-f]{32})_(?P<run>[0-9]{1,6})")


class DeliveryState(StrEnum):
    """Where a delivery stands."""

    PENDING = "pending"  # to be made, or made again
    DELIVERED = "delivered"  # the receiver has answered 2xx
    FAILED = "failed"  # given up


@dataclass(frozen=True, slots=True)
class Delivery:
    """The delivery of one end of a job, or of the end of a batch.

    Attributes:
        job_id: None for a batch.
        run: number of retries of the job by hand before this end.
        attempts: made so far, since the last resend.
        outcome: of the last attempt: the status of the response, or a code; None before the first.
        next_attempt_at: None unless it is pending.
        batch_id: None for a job.
    """

    job_id: str | None
    run: int
    url: str
    state: DeliveryState
    attempts: int
    ended_at: datetime
    outcome: str | None = None
    last_attempt_at: datetime | None = None
    next_attempt_at: datetime | None = None
    batch_id: str | None = None

    @property
    def id(self) -> str:
        """Its `webhook-id`: the same for every attempt and every resend."""
        return delivery_id(self.job_id or self.batch_id or "", self.run)


@dataclass(frozen=True, slots=True)
class DueDelivery:
    """A delivery that a keeper has claimed; `attempts` were made before."""

    job_id: str
    run: int
    attempts: int


def delivery_id(job_id: str, run: int) -> str:
    """Return the `webhook-id` of the end of a run."""
    return f"msg_{job_id.replace('-', '')}_{run}"


def parse_delivery_id(text: str) -> tuple[str, int] | None:
    """Return (job id, run) of a `webhook-id`, None for any other text."""
    found = DELIVERY_ID.fullmatch(text)
    if found is None:
        return None
    digits = found["digits"]
    parts = (digits[:8], digits[8:12], digits[12:16], digits[16:20], digits[20:])
    return "-".join(parts), int(found["run"])


def seconds_until_next(attempts: int) -> float | None:
    """Return the pause after so many attempts, with jitter; None when none is left."""
    if attempts > len(RETRY_SECONDS):
        return None
    return RETRY_SECONDS[attempts - 1] * random.uniform(1, 1 + MAX_JITTER)


def read_secrets(path: Path) -> Mapping[str, tuple[str, ...]]:
    """Return the secrets of each tenant, newest first, from a file with a line `tenant:whsec_...` per secret.

    Raises:
        UnsafeSettings: the file cannot be read or parsed.
    """
    secrets: dict[str, tuple[str, ...]] = {}
    for line in lines_of(path, "The file of webhook secrets"):
        tenant, secret = _parse_line(line)
        secrets[tenant] = (*secrets.get(tenant, ()), secret)
    if any(len(own) > SECRETS_PER_TENANT for own in secrets.values()):
        raise UnsafeSettings(f"A tenant has at most {SECRETS_PER_TENANT} webhook secrets: the old one and the new one.")
    return secrets


def _parse_line(line: str) -> tuple[str, str]:
    found = LINE.fullmatch(line)
    try:
        if found and len(b64decode(found["bytes"], validate=True)) >= SECRET_BYTES:
            return found["tenant"], found["secret"]
    except binascii.Error:
        pass
    raise UnsafeSettings(
        f"Each line of the file of webhook secrets is `tenant:whsec_` and at least {SECRET_BYTES} bytes in base64."
    )
