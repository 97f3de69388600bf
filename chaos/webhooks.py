"""Compares what a receiver of webhooks got with the ends that the record has."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any

from redis.exceptions import RedisError
from standardwebhooks import Webhook

from chaos.parts import until
from chaos.system import System
from parley_core.deliveries import delivery_id
from parley_core.job import Job
from tests.support.receivers import SECRET, Received

DELIVERED_SECONDS = 180.0  # a keeper that dies leaves its deliveries claimed for a minute


@dataclass(frozen=True, slots=True)
class DeliveryCounts:
    """Ends of all jobs, and their deliveries.

    Attributes:
        ends: number of ends that the record counts.
        missing: ends that were not delivered.
        again: deliveries of an end that had been delivered before.
    """

    ends: int
    missing: int
    again: int

    def as_json(self) -> dict[str, int]:
        return asdict(self)


@dataclass(frozen=True, slots=True)
class DeliveryCheck:
    """What the receiver got, and descriptions of what it should not have got, or not so."""

    counts: DeliveryCounts
    differences: tuple[str, ...]


def check_deliveries(system: System, jobs: Sequence[Job]) -> DeliveryCheck:
    """Wait until no delivery is due, then compare those that arrived with these jobs, which have ended."""
    until(lambda: _pending(system) == 0, DELIVERED_SECONDS, 0.25)
    bodies: dict[str, list[bytes]] = defaultdict(list)
    received = list(system.receiver.received)
    for one in received:
        bodies[one.headers["webhook-id"]].append(one.body)
    delivered = [one.headers["webhook-id"] for one in received if one.status < 300]
    expected = {delivery_id(job.id, run) for job in jobs for run in range(job.run + 1)}
    missing = expected - set(delivered)
    counts = DeliveryCounts(len(expected), len(missing), len(delivered) - len(set(delivered)))
    found = (
        *(f"{identity} was not delivered" for identity in sorted(missing)),
        *(f"{identity} is of no job" for identity in sorted(bodies.keys() - expected)),
        *(f"{identity} has several bodies" for identity, sent in bodies.items() if len(set(sent)) > 1),
        *_badly_signed(received),
    )
    return DeliveryCheck(counts, found)


def _pending(system: System) -> int | None:
    """Return the number of deliveries that are due, None while Redis does not answer."""
    with suppress(RedisError):
        return system.deliveries_waiting()
    return None


def _badly_signed(received: Sequence[Received]) -> Iterator[str]:
    for one in received:
        identity = one.headers["webhook-id"]
        sent = datetime.fromtimestamp(int(one.headers["webhook-timestamp"]), UTC)
        if Webhook(SECRET).sign(identity, sent, one.body.decode()) not in one.headers["webhook-signature"].split():
            yield f"{identity} is not signed"


def stated(counts: dict[str, Any] | None) -> str:
    """Return counts of a row as the table shows them: ends that were delivered of all ends."""
    if not counts:
        return "-"
    text = f"{counts['ends'] - counts['missing']} of {counts['ends']}"
    return f"{text}, {counts['again']} again" if counts["again"] else text
