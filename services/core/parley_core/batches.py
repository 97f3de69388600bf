"""Batches: jobs that were submitted by one request.

    batches/<tenant>/<day>/<batch id>.json    the job of each item, or why the item was refused; never changed
    batches/open/<batch id>.json              where the end of the batch is to be delivered; gone once it is
    batches/<tenant>/deliveries/<batch id>.json   how its delivery goes, from the first attempt on

A batch holds no link, and of an accepted job nothing but its id: what a job's record says goes with the job.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import NamedTuple

from parley_core.deliveries import Delivery, DeliveryState
from parley_core.job import Failure, JobState
from parley_core.job_id import day_of
from parley_core.recording import tenant_folder

BATCHES = "batches"
OPEN = f"{BATCHES}/open"
DELIVERIES = "deliveries"  # beside the folders of days
TIMES = ("ended_at", "last_attempt_at", "next_attempt_at")
MAX_ITEMS = 100


class JobOutline(NamedTuple):
    """What a batch shows of a job."""

    state: JobState
    reference: str | None


@dataclass(frozen=True, slots=True)
class BatchItem:
    """One recording of a batch.

    Attributes:
        job_id: None where it was refused.
        reference: of a recording that was refused; its job has that of an accepted one.
        refusal: why there is no job.
    """

    job_id: str | None
    reference: str | None = None
    refusal: Failure | None = None


@dataclass(frozen=True, slots=True)
class Batch:
    """Jobs that were submitted by one request; immutable.

    Attributes:
        id: UUID of version 7, whose time is that of the first request.
        reference: the caller's own name for the batch.
    """

    tenant: str
    id: str
    reference: str | None
    items: Sequence[BatchItem]

    @property
    def job_ids(self) -> list[str]:
        """Ids of the jobs, in the order of the items."""
        return [item.job_id for item in self.items if item.job_id is not None]


@dataclass(frozen=True, slots=True)
class OpenBatch:
    """A batch whose end is to be delivered.

    Attributes:
        attempts: that have failed.
        next_at: no attempt is made before; seconds since 1970.
    """

    tenant: str
    id: str
    callback_url: str
    attempts: int = 0
    next_at: float = 0.0

    @property
    def key(self) -> str:
        """Where it is kept."""
        return f"{OPEN}/{self.id}.json"


def open_batch_to_json(batch: OpenBatch) -> bytes:
    """Return it as it is stored."""
    return json.dumps({"format": 1, **asdict(batch)}, separators=(",", ":")).encode()


def open_batch_from_json(text: bytes) -> OpenBatch:
    """Return it as it was stored. Raises ValueError for a document that is damaged."""
    try:
        plain = json.loads(text)
        return OpenBatch(**{name: plain[name] for name in OpenBatch.__slots__})
    except (KeyError, TypeError) as error:
        raise ValueError("This is no batch.") from error


def batch_deliveries(tenant: str) -> str:
    """Return the folder of the deliveries of a tenant's batches."""
    return f"{batch_folder(tenant)}/{DELIVERIES}"


def batch_delivery_key(tenant: str, batch_id: str) -> str:
    """Return where the delivery of a batch is kept."""
    return f"{batch_deliveries(tenant)}/{batch_id}.json"


def batch_delivery_to_json(delivery: Delivery) -> bytes:
    """Return the delivery of a batch as it is stored."""
    plain = {"format": 1, **asdict(delivery)}
    return json.dumps(plain, separators=(",", ":"), default=datetime.isoformat).encode()


def batch_delivery_from_json(text: bytes) -> Delivery:
    """Return the delivery of a batch as it was stored. Raises ValueError for a document that is damaged."""
    try:
        plain = json.loads(text)
        known = {name: plain[name] for name in Delivery.__slots__}
        known |= {name: known[name] and datetime.fromisoformat(known[name]) for name in TIMES}
        return Delivery(**known | {"state": DeliveryState(known["state"])})
    except (KeyError, TypeError) as error:
        raise ValueError("This is no delivery.") from error


def batch_folder(tenant: str) -> str:
    """Return the folder of a tenant's batches: it has a folder for each day."""
    return f"{BATCHES}/{tenant_folder(tenant)}"


def folders_of_days(folders: Sequence[str]) -> list[str]:
    """Return those folders in a tenant's folder that hold batches: one for each day."""
    return [folder for folder in folders if not folder.endswith(f"/{DELIVERIES}")]


def batch_key(tenant: str, batch_id: str) -> str:
    """Return where a batch is kept."""
    return f"{batch_folder(tenant)}/{day_of(batch_id)}/{batch_id}.json"


def batch_to_json(batch: Batch) -> bytes:
    """Return a batch as it is stored."""
    return json.dumps({"format": 1, **asdict(batch)}, separators=(",", ":")).encode()


def batch_from_json(text: bytes) -> Batch:
    """Return a batch as it was stored. Raises ValueError for a document that is damaged."""
    try:
        plain = json.loads(text)
        items = [
            BatchItem(one["job_id"], one["reference"], Failure(**one["refusal"]) if one["refusal"] else None)
            for one in plain["items"]
        ]
        return Batch(plain["tenant"], plain["id"], plain["reference"], items)
    except (KeyError, TypeError) as error:
        raise ValueError("This is no batch.") from error
