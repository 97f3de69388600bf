"""Delivers the end of a batch: one webhook when the last of its jobs has ended.

What is to be delivered is an object, so that a Redis that was lost takes none along. A claim in Redis keeps two keepers
from sending the same at once.
"""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from parley_core.batches import (
    OPEN,
    Batch,
    OpenBatch,
    batch_delivery_key,
    batch_delivery_to_json,
    batch_from_json,
    batch_key,
    open_batch_from_json,
    open_batch_to_json,
)
from parley_core.deliveries import Delivery, DeliveryState, delivery_id, read_secrets
from parley_core.durable_job_store import DurableJobStore
from parley_core.errors import JobNotFound, JobPurged
from parley_core.job import Job
from parley_core.job_id import made_at
from parley_core.logs import get_logger
from parley_core.ports import RecordingStore
from parley_core.redis.deliveries import RedisDeliveries
from parley_core.storage.manifests import CLOCKS_APART, IDEMPOTENCY_LIFE
from parley_core.targets import AddressGuard
from parley_keeper.delivery.http import post
from parley_keeper.delivery.message import headers_of
from parley_keeper.delivery.sender import AT_ONCE, CLAIM_SECONDS, NO_SECRET, after
from parley_keeper.loop import NoteProgress

log = get_logger(__name__)


class BatchSender:
    """Delivers the ends of batches, each at least once.

    Args:
        secrets_file: read at every round, so that a rotation needs no restart; None where there is none.
        guard: decides which addresses may be connected to.
    """

    def __init__(
        self,
        store: DurableJobStore,
        objects: RecordingStore,
        deliveries: RedisDeliveries,
        secrets_file: Path | None,
        guard: AddressGuard,
    ) -> None:
        self._store, self._objects, self._deliveries = store, objects, deliveries
        self._secrets_file, self._guard = secrets_file, guard

    def run_once(self, note_progress: NoteProgress) -> int:
        """Look at each batch that waits for its end; return how many attempts were made.

        Raises:
            JobStoreUnavailable or ObjectStoreUnavailable: the next round goes on.
            UnsafeSettings: the file of secrets cannot be read.
        """
        made, keys = 0, self._objects.keys(f"{OPEN}/")
        if not keys:
            return 0
        secrets = read_secrets(self._secrets_file) if self._secrets_file else {}
        with ThreadPoolExecutor(AT_ONCE, "deliver batches") as threads:
            for attempted in threads.map(lambda key: self._look_at(key, secrets), keys):
                note_progress()
                made += attempted
        return made

    def _look_at(self, key: str, secrets: Mapping[str, tuple[str, ...]]) -> bool:
        waiting = self._read(key)
        if waiting is None or waiting.next_at > time.time():
            return False
        try:
            batch = batch_from_json(self._objects.read(batch_key(waiting.tenant, waiting.id)))
        except (KeyError, ValueError):  # its request has not ended, or never will; or the batch is damaged
            if made_at(waiting.id) + IDEMPOTENCY_LIFE + CLOCKS_APART < datetime.now(UTC):
                self._objects.delete(key)
            return False
        outlines = self._store.index.outlines(batch.job_ids)
        ended = all(outline.state.terminal for outline in outlines.values())
        if not ended or not self._deliveries.claim_batch(waiting.id, CLAIM_SECONDS):
            return False
        try:
            jobs = self._jobs(batch.job_ids)  # also those that Redis has lost
            if not all(job.state.terminal for job in jobs) or self._read(key) != waiting:  # another keeper was faster
                return False
            self._deliver(waiting, batch, jobs, secrets.get(waiting.tenant, ()))
        finally:
            self._deliveries.release_batch(waiting.id)
        return True

    def _read(self, key: str) -> OpenBatch | None:
        with suppress(KeyError):
            try:
                waiting = open_batch_from_json(self._objects.read(key))
                made_at(waiting.id)
            except ValueError:
                log.error("the delivery of a batch cannot be read", key=key)
            else:
                return waiting
        return None

    def _jobs(self, job_ids: Sequence[str]) -> list[Job]:
        """Return those of the jobs that are left, also if Redis has lost them."""
        found = []
        for job_id in job_ids:
            with suppress(JobNotFound, JobPurged):
                found.append(self._store.get(job_id))
        return found

    def _deliver(self, waiting: OpenBatch, batch: Batch, jobs: Sequence[Job], own: tuple[str, ...]) -> None:
        outcome = NO_SECRET
        if own:
            body = body_of(batch, jobs)
            outcome = post(waiting.callback_url, body, headers_of(delivery_id(waiting.id, 0), body, own), self._guard)
        attempts = waiting.attempts + 1
        state, pause = after(outcome, attempts)
        self._deliveries.count(state)
        if self._read(waiting.key) != waiting:  # it was planned again meanwhile
            return
        self._note(waiting, ended_at(batch, jobs), outcome, state, pause)
        if state is DeliveryState.PENDING:
            later = replace(waiting, attempts=attempts, next_at=time.time() + pause)
            self._objects.put(waiting.key, open_batch_to_json(later))
        else:
            self._objects.delete(waiting.key)
        log.info("end of a batch", batch_id=waiting.id, attempt=attempts, outcome=outcome, state=state)

    def _note(self, waiting: OpenBatch, ended: datetime, outcome: str, state: DeliveryState, pause: float) -> None:
        """Store how the delivery goes, for those who list deliveries."""
        now = datetime.now(UTC)
        delivery = Delivery(
            job_id=None,
            run=0,
            url=waiting.callback_url,
            state=state,
            attempts=waiting.attempts + 1,
            ended_at=ended,
            outcome=outcome,
            last_attempt_at=now,
            next_attempt_at=now + timedelta(seconds=pause) if state is DeliveryState.PENDING else None,
            batch_id=waiting.id,
        )
        self._objects.put(batch_delivery_key(waiting.tenant, waiting.id), batch_delivery_to_json(delivery))


def ended_at(batch: Batch, jobs: Sequence[Job]) -> datetime:
    """Return when the last job of a batch ended; when it was made, if no job is left."""
    return max((job.finished_at for job in jobs if job.finished_at), default=made_at(batch.id))


def body_of(batch: Batch, jobs: Sequence[Job]) -> bytes:
    """Return the body: the number of items by state. Jobs that are gone are `purged`, as in the answer of the API."""
    counts = Counter(str(job.state) for job in jobs)
    counts["purged"] = len(batch.job_ids) - len(jobs)
    counts["refused"] = len(batch.items) - len(batch.job_ids)
    ended = ended_at(batch, jobs)
    document = {
        "type": "batch.ended",
        "timestamp": ended.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        "data": {"id": batch.id, "reference": batch.reference, "counts": +counts},
    }
    return json.dumps(document, separators=(",", ":")).encode()
