"""The outbox of deliveries, on Redis: filled by the transitions that end a job, emptied by the keeper."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from redis import Redis

from parley_core.deliveries import Delivery, DeliveryState, DueDelivery
from parley_core.errors import DeliveryNotFound
from parley_core.redis.connection import connect, translated_errors
from parley_core.redis.record import moment, present
from parley_core.redis.scripts import Scripts
from parley_core.settings import Settings

FIELDS = ("state", "attempts", "outcome", "at")
OUTBOX = "parley:outbox"
SEARCHED = 2000  # deliveries that a search by state looks through: as many as one call may cost


class RedisDeliveries:
    """Deliveries of all jobs. Every method raises JobStoreUnavailable when Redis does not answer in time."""

    def __init__(self, client: Redis) -> None:
        self._client: Any = client
        self._run = Scripts(client).run

    @classmethod
    def from_settings(cls, settings: Settings) -> RedisDeliveries:
        """Return a store that connects at its first call."""
        return cls(connect(settings.redis_url.get_secret_value(), settings.redis_timeout_seconds))

    def claim_due(self, limit: int, seconds: float) -> Sequence[DueDelivery]:
        """Return deliveries to make now, each claimed for so many seconds."""
        found = self._run("claim_deliveries", limit, int(seconds * 1000))
        return [DueDelivery(job_id, int(run), int(attempts)) for job_id, run, attempts in found]

    def claim_batch(self, batch_id: str, seconds: float) -> bool:
        """Claim the delivery of a batch for so many seconds; return whether no other keeper has it."""
        with translated_errors():
            return bool(self._client.set(f"parley:batch:{batch_id}", "claimed", nx=True, px=int(seconds * 1000)))

    def release_batch(self, batch_id: str) -> None:
        """Give a claim back."""
        with translated_errors():
            self._client.delete(f"parley:batch:{batch_id}")

    def count(self, state: DeliveryState) -> None:
        """Count an attempt that no transition notes."""
        self._run(
            "count", f"delivery_attempts|result={'delivered' if state is DeliveryState.DELIVERED else 'refused'}", 1
        )
        if state is DeliveryState.FAILED:
            self._run("count", "deliveries_given_up", 1)

    def note(
        self,
        due: DueDelivery,
        outcome: str,
        state: DeliveryState,
        delay_seconds: float = 0.0,
        took_seconds: float = 0.0,
    ) -> None:
        """Note how an attempt went; no effect where the job is gone.

        Args:
            outcome: status of the response, or a code.
            state: PENDING plans the next attempt after `delay_seconds`.
            took_seconds: length of the attempt, for its trace.
        """
        self._run(
            "note_delivery", due.job_id, due.run, outcome, state, int(delay_seconds * 1000), int(took_seconds * 1000)
        )

    def resend(self, job_id: str, run: int) -> None:
        """Deliver once more, now. Raises DeliveryNotFound."""
        if self._run("resend_delivery", job_id, run) == "missing":
            raise DeliveryNotFound("There is no delivery with this id.")

    def newest(self, tenant: str, limit: int, state: DeliveryState | None = None) -> Sequence[Delivery]:
        """Return the tenant's deliveries, those of the newest ends first.

        Args:
            state: only those in this state, of the newest `SEARCHED`.
        """
        with translated_errors():
            members = self._client.zrevrange(_key(tenant), 0, SEARCHED - 1 if state else limit - 1)
            found = self._read(tenant, members)
        return [delivery for delivery in found if state in (None, delivery.state)][:limit]

    def of_job(self, tenant: str, job_id: str, runs: int) -> Sequence[Delivery]:
        """Return the deliveries of a job that was retried so many times, newest first."""
        with translated_errors():
            return self._read(tenant, [f"{job_id}:{run}" for run in range(runs, -1, -1)])

    def _read(self, tenant: str, members: Sequence[str]) -> list[Delivery]:
        pipeline = self._client.pipeline(transaction=False)
        for member in members:
            job_id, run = member.rsplit(":", 1)
            fields = [f"delivery:{run}:{name}" for name in FIELDS]
            pipeline.hmget(f"parley:job:{job_id}", "callback_url", *fields)
            pipeline.zscore(_key(tenant), member)
            pipeline.zscore(OUTBOX, member)
        replies = iter(pipeline.execute())
        found = [_delivery(member, next(replies), next(replies), next(replies)) for member in members]
        return [delivery for delivery in found if delivery is not None]


def _key(tenant: str) -> str:
    return f"parley:deliveries:{tenant}"


def _delivery(member: str, fields: Sequence[str | None], ended: float | None, due: float | None) -> Delivery | None:
    url, state, attempts, outcome, last = fields
    if url is None or state is None or ended is None:
        return None
    job_id, run = member.rsplit(":", 1)
    pending = state == DeliveryState.PENDING and due is not None
    return Delivery(
        job_id=job_id,
        run=int(run),
        url=url,
        state=DeliveryState(state),
        attempts=int(attempts or 0),
        ended_at=present(moment(str(int(ended)))),
        outcome=outcome,
        last_attempt_at=moment(last),
        next_attempt_at=moment(str(int(due))) if pending and due else None,
    )
