"""What changes the record: one Lua script per transition, one atomic change each."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Sequence
from datetime import datetime

from redis import Redis

from parley_core.errors import (
    IdempotencyKeyInUse,
    IdempotencyKeyReused,
    JobAlreadyTerminal,
    JobCancelled,
    JobNotFinished,
    JobNotFound,
    JobNotRetryable,
    JobPurged,
    JobStoreUnavailable,
    LeaseLost,
    QueueFull,
    WorkerLost,
)
from parley_core.forecast import Forecast
from parley_core.job import (
    RECORDING_REMOVED,
    Created,
    Dispatch,
    Failure,
    GiveUp,
    IdempotencyKey,
    Job,
    Lease,
    NewJob,
    Phase,
    Queue,
    ResultSummary,
    RetryIn,
)
from parley_core.redis.connection import connect, translated_errors
from parley_core.redis.queries import Queries, forecast_from
from parley_core.redis.record import engine_document, fields_of_new_job, fields_of_result, limits_from, milliseconds
from parley_core.redis.restoration import Restoration
from parley_core.redis.scripts import in_pairs
from parley_core.settings import Settings

PUBLISH_WITHIN_MS = 5_000  # how long the API may take between record and publish before the keeper steps in
PURGE_CLAIM_MS = 60_000  # how long a keeper has to remove the jobs that it claimed
CLAIM_MS = 10_000  # how long a keeper has to publish what it claimed
FORGOTTEN_AT_ONCE = 200  # jobs made due per call, so that one script never blocks Redis for long
IDEMPOTENCY_MS = 24 * 3600 * 1000
IDS_AT_ONCE = 50  # of one call: nobody else waits for more than a few milliseconds
TOMBSTONE_MS = 3600 * 1000  # a keeper with an older list has ended by then; the object store remembers for longer


def idempotency_redis_key(tenant: str, key: str) -> str:
    """Return the name under which Redis keeps a caller's key: hashed, since it is the caller's text."""
    return f"parley:idempotency:{tenant}:{hashlib.sha256(key.encode()).hexdigest()[:32]}"


class RedisJobStore(Restoration, Queries):
    """JobStore on Redis or Valkey. Threads may share it, and so may processes after a fork."""

    def __init__(self, client: Redis, settings: Settings) -> None:
        Queries.__init__(self, client, settings.lease_seconds)
        Restoration.__init__(self, client, settings.retain_seconds)
        self._settings = settings

    @classmethod
    def from_settings(cls, settings: Settings) -> RedisJobStore:
        """Return a store that connects at its first call."""
        return cls(connect(settings.redis_url.get_secret_value(), settings.redis_timeout_seconds), settings)

    def create(
        self,
        new: NewJob,
        idempotency: IdempotencyKey | None = None,
        accepted_at: datetime | None = None,
        turns: int = 0,
    ) -> Created:
        quota = self._settings.tenants.get(new.tenant)
        weight = {"weight": quota.weight} if quota and quota.weight != 1 else {}
        outcome, job_id, *made = self._run(
            "create",
            new.id,
            new.tenant,
            new.options.queue,
            self._settings.queue_limit,
            PUBLISH_WITHIN_MS,
            milliseconds(accepted_at) if accepted_at else "",
            idempotency_redis_key(new.tenant, idempotency.key) if idempotency else "",
            idempotency.digest if idempotency else "",
            IDEMPOTENCY_MS,
            turns,
            " ".join(Queue),
            *in_pairs(fields_of_new_job(new, self._settings.retain_seconds) | weight),
        )
        if outcome == "full":
            raise QueueFull(
                f"The queue {new.options.queue} holds its limit of {self._settings.queue_limit} unfinished jobs."
            )
        if outcome == "reused":
            raise IdempotencyKeyReused("This Idempotency-Key was used for another recording or other options.")
        if outcome == "purged":
            raise JobPurged
        if outcome == "replayed":
            return Created(self._changed(job_id), replayed=True)
        flat, expected, claimed = made
        job = self._job_of(job_id, flat, forecast_from(expected))
        return Created(job, replayed=False, dispatches=tuple(self._dispatches(claimed)))

    def reserve_key(self, tenant: str, key: str, holder: str, seconds: float) -> str | None:
        reply = self._run("reserve_key", idempotency_redis_key(tenant, key), holder, int(seconds * 1000))
        if reply[0] == "in_use":
            raise IdempotencyKeyInUse("The first request with this Idempotency-Key is still on its way.")
        return str(reply[1]) if reply[0] == "made" else None

    def release_key(self, tenant: str, key: str, holder: str) -> None:
        self._run("release_key", idempotency_redis_key(tenant, key), holder)

    def mark_queued(self, dispatch: Dispatch) -> None:
        self._run("mark_queued", dispatch.job_id, dispatch.token)

    def start_attempt(self, job_id: str, worker: str, lease_seconds: float) -> tuple[Job, Lease] | None:
        flat = self._run("start_attempt", job_id, worker, int(lease_seconds * 1000), secrets.token_hex(8))
        if not flat:
            return None
        job = self._job_of(job_id, flat, Forecast())
        return job, Lease(job.id, job.token, job.nonce)

    def _job_of(self, job_id: str, flat: Sequence[str], forecast: Forecast) -> Job:
        """Return a job from the fields and values of its record, as a script returns them."""
        return self._job(job_id, dict(zip(flat[::2], flat[1::2], strict=True)), forecast)

    def renew(self, lease: Lease, lease_seconds: float, phase: Phase | None, progress: float) -> None:
        arguments = (int(lease_seconds * 1000), phase or "", f"{progress:.3f}")
        _require_held(self._run("renew", lease.job_id, lease.nonce, *arguments))

    def succeed(self, lease: Lease, result: ResultSummary) -> Job:
        fields = fields_of_result(lease.job_id, lease.nonce, result)
        arguments = (*engine_document(result), fields["result"], *in_pairs(fields))
        _require_held(self._run("succeed", lease.job_id, lease.nonce, *arguments))
        return self._changed(lease.job_id)

    def fail_attempt(self, lease: Lease, failure: Failure, then: RetryIn | GiveUp) -> Job:
        retry, delay = ("retry", then.seconds) if isinstance(then, RetryIn) else ("fail", 0.0)
        reaping = int(failure.code == WorkerLost.code)
        arguments = (failure.code, failure.detail, retry, int(delay * 1000), reaping)
        _require_held(self._run("fail_attempt", lease.job_id, lease.nonce, *arguments))
        return self._changed(lease.job_id)

    def give_back(self, lease: Lease) -> None:
        _require_held(self._run("give_back", lease.job_id, lease.nonce))

    def note_stopped(self, job_id: str, nonce: str) -> None:
        self._run("note_stopped", job_id, nonce)

    def count_ignored_checkpoint(self) -> None:
        self._run("count", "checkpoints_ignored", 1)

    def cancel(self, job_id: str) -> Job:
        if self._known(self._run("cancel", job_id), job_id) == "terminal":
            raise JobAlreadyTerminal("The job has ended already; there is nothing to cancel.")
        return self._changed(job_id)

    def retry(self, job_id: str, run: int | None = None) -> Job:
        outcome = self._known(self._run("retry", job_id, "" if run is None else run), job_id)
        if outcome == "refused":
            raise JobNotRetryable("Only a failed or cancelled job can be tried again.")
        if outcome == "condemned":
            raise JobPurged("This job is being purged.")
        if outcome == "no_recording":
            raise JobNotRetryable(RECORDING_REMOVED)
        return self._changed(job_id)

    def condemn(self, job_id: str) -> None:
        if self._known(self._run("condemn", PURGE_CLAIM_MS, job_id)[0], job_id) == "refused":
            raise JobNotFinished("The job has not ended; cancel it first.")

    def purge(self, job_id: str) -> None:
        if self._known(self._run("purge", TOMBSTONE_MS, job_id)[0], job_id) == "refused":
            raise JobNotFinished("The job has not ended; cancel it first.")

    def condemn_each(self, job_ids: Sequence[str]) -> Sequence[str]:
        """Condemn the jobs that have ended; return their ids."""
        return self._changed_each("condemn", PURGE_CLAIM_MS, job_ids)

    def purge_each(self, job_ids: Sequence[str]) -> Sequence[str]:
        """Purge the jobs that have ended; return the ids of those that were there."""
        return self._changed_each("purge", TOMBSTONE_MS, job_ids)

    def _changed_each(self, transition: str, milliseconds: int, job_ids: Sequence[str]) -> list[str]:
        changed = list[str]()
        for first in range(0, len(job_ids), IDS_AT_ONCE):
            ids = job_ids[first : first + IDS_AT_ONCE]
            outcomes = self._run(transition, milliseconds, *ids)
            changed += [job_id for job_id, outcome in zip(ids, outcomes, strict=True) if outcome == "ok"]
        return changed

    def _changed(self, job_id: str) -> Job:
        """Return a job after its transition."""
        try:
            return self.get(job_id)
        except JobNotFound:
            raise JobStoreUnavailable("Redis has lost what it wrote a moment ago; another primary took over.") from None

    def _known(self, reply: str, job_id: str) -> str:
        if reply == "missing":
            self._raise_missing(job_id)
        return reply

    def register_worker(self, worker: str, queue: Queue, capacity: int, lasts_seconds: float) -> None:
        self._run("register_worker", queue, worker, capacity, int(lasts_seconds * 1000))

    def measure_service(self, start_seconds: float, longest_seconds: float) -> None:
        self._run("measure_service", int(start_seconds * 1000), int(longest_seconds * 1000), *Queue)

    def claim_due(self, limit: int) -> Sequence[Dispatch]:
        return self._dispatches(self._run("claim_due", limit, CLAIM_MS, *Queue))

    def take_turns(self, limit: int, accepted: str | None = None) -> Sequence[Dispatch]:
        return self._dispatches(self._run("take_turns", accepted or "", limit, CLAIM_MS, *Queue))

    def _dispatches(self, claimed: Sequence[tuple[str, str, str, str]]) -> list[Dispatch]:
        found = []
        for job_id, queue, limits, token in claimed:
            with self._skipped_if_unreadable(job_id):
                found.append(Dispatch(job_id, Queue(queue), limits_from(limits), int(token)))
        return found

    def claim_expired(self, limit: int) -> Sequence[Job]:
        with translated_errors():
            return self._jobs(self._run("claim_expired", limit, PURGE_CLAIM_MS))

    def claim_recordings(self, limit: int) -> Sequence[Job]:
        with translated_errors():
            return self._jobs(self._run("claim_recordings", limit, PURGE_CLAIM_MS))

    def note_recording_removed(self, job_id: str) -> None:
        self._run("note_recording_removed", job_id)

    def republish_lost(self, waiting: dict[Queue, int], grace_seconds: float) -> Sequence[str]:
        grace = int(grace_seconds * 1000)
        return [
            job_id
            for queue, messages in waiting.items()
            for job_id in self._run("republish_lost", queue, messages, grace, FORGOTTEN_AT_ONCE)
        ]


def _require_held(reply: str) -> None:
    if reply == "cancelled":
        raise JobCancelled("The job was cancelled.")
    if reply == "lost":
        raise LeaseLost("Another attempt owns the job, or it has ended.")
