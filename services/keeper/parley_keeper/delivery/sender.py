"""Makes the deliveries that are due. Every end is delivered at least once, whatever dies on the way."""

from __future__ import annotations

import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

from structlog.contextvars import bound_contextvars

from parley_core.deliveries import DeliveryState, DueDelivery, delivery_id, read_secrets, seconds_until_next
from parley_core.durable_job_store import DurableJobStore
from parley_core.errors import JobNotFound, JobPurged
from parley_core.job import Job, JobEnd
from parley_core.logs import get_logger
from parley_core.redis.deliveries import RedisDeliveries
from parley_core.targets import AddressGuard
from parley_keeper.delivery.http import TOTAL_SECONDS, post
from parley_keeper.delivery.message import body_of, headers_of
from parley_keeper.loop import NoteProgress

AT_ONCE = 16  # attempts at a time: they wait for their receivers
BATCH = 32  # deliveries that one call claims
CLAIM_SECONDS = 3 * TOTAL_SECONDS  # a batch takes two attempts' time at most
GONE = "410"  # the receiver wants no more: no further attempt, as the specification says
NO_SECRET = "no_secret"  # noqa: S105 - an outcome

log = get_logger(__name__)


def after(outcome: str, attempts: int) -> tuple[DeliveryState, float]:
    """Return what becomes of a delivery after so many attempts, by the outcome of the last, and a pause in seconds."""
    if outcome.startswith("2") and outcome.isdigit():
        return DeliveryState.DELIVERED, 0.0
    pause = seconds_until_next(attempts)
    if outcome == GONE or pause is None:
        return DeliveryState.FAILED, 0.0
    return DeliveryState.PENDING, pause


class Sender:
    """Sends what the outbox holds.

    Args:
        secrets_file: read at every round, so that a rotation needs no restart; None where there is none.
        guard: decides which addresses may be connected to.
    """

    def __init__(
        self, store: DurableJobStore, deliveries: RedisDeliveries, secrets_file: Path | None, guard: AddressGuard
    ) -> None:
        self._store, self._deliveries = store, deliveries
        self._secrets_file, self._guard = secrets_file, guard

    def run_once(self, note_progress: NoteProgress) -> int:
        """Make the deliveries that are due; return how many attempts were made.

        Raises:
            JobStoreUnavailable or ObjectStoreUnavailable: the rest is due again once the claims have lapsed.
            UnsafeSettings: the file of secrets cannot be read.
        """
        made = 0
        with ThreadPoolExecutor(AT_ONCE, "deliver") as threads:
            while due := self._deliveries.claim_due(BATCH, CLAIM_SECONDS):
                secrets = read_secrets(self._secrets_file) if self._secrets_file else {}
                for _ in threads.map(partial(self._deliver, secrets), due):
                    note_progress()
                made += len(due)
        return made

    def _deliver(self, secrets: Mapping[str, tuple[str, ...]], due: DueDelivery) -> None:
        manifests = self._store.manifests
        if manifests.is_delivered(due.job_id, due.run):  # by a keeper that died before it could note it
            self._deliveries.note(due, "delivered_before", DeliveryState.DELIVERED)
            return
        try:
            job = self._store.get(due.job_id)
            end = manifests.find_end(due.job_id, due.run)
        except (JobNotFound, JobPurged):
            return  # deleted by its caller meanwhile, with its deliveries
        with bound_contextvars(tenant=job.tenant, trace_id=job.trace_id):
            self._deliver_end(secrets.get(job.tenant, ()), due, job, end)

    def _deliver_end(self, own: tuple[str, ...], due: DueDelivery, job: Job, end: JobEnd | None) -> None:
        identity, start = delivery_id(due.job_id, due.run), time.monotonic()
        if end is None or job.options.callback_url is None or not own:
            outcome = NO_SECRET
        else:
            body = body_of(job, end)
            outcome = post(job.options.callback_url, body, headers_of(identity, body, own), self._guard)
        self._note(due, outcome, time.monotonic() - start)

    def _note(self, due: DueDelivery, outcome: str, took: float) -> None:
        attempt = due.attempts + 1
        state, pause = after(outcome, attempt)
        if state is DeliveryState.DELIVERED:
            self._store.manifests.mark_delivered(due.job_id, due.run)
        self._deliveries.note(due, outcome, state, pause, took)
        if state is DeliveryState.DELIVERED:
            log.info("delivered", job_id=due.job_id, run=due.run, attempt=attempt)
        elif state is DeliveryState.FAILED:
            log.warning("delivery given up", job_id=due.job_id, run=due.run, attempt=attempt, outcome=outcome)
        else:
            log.info("not delivered", job_id=due.job_id, run=due.run, attempt=attempt, outcome=outcome, again_in=pause)
