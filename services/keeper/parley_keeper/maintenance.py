"""What the keeper does for jobs. Every task may be done by many keepers at once, and broken off at any point."""

from __future__ import annotations

from parley_core.errors import (
    AttemptEnded,
    IdempotencyKeyReused,
    JobPurged,
    JobStoreFull,
    JobStoreUnavailable,
    ParleyError,
    WorkerLost,
)
from parley_core.job import Dispatch, Failure, IdempotencyKey, Job, LapsedLease, NewJob, after_failure, dispatch_of
from parley_core.job_id import made_at
from parley_core.logs import get_logger
from parley_core.ports import JobQueue, Journal, MaintenanceStore

BATCH = 100  # what one call to the store claims: small enough to be done before the claim lapses
BATCHES = 20  # per round, so that a round ends while a flood goes on
FORGOTTEN_SECONDS = 10.0  # a worker starts what it took within milliseconds; a wrong guess costs a duplicate message

log = get_logger(__name__)


def publish_due(store: MaintenanceStore, queue: JobQueue) -> int:
    """Hand every due job to Celery; return how many."""
    published = 0
    for _ in range(BATCHES):
        claimed = store.claim_due(BATCH)
        for dispatch in claimed:
            publish(store, queue, dispatch)
        published += len(claimed)
        if len(claimed) < BATCH:
            break
    return published


def publish(store: MaintenanceStore, queue: JobQueue, dispatch: Dispatch) -> None:
    """Publish one job and say so in its record."""
    queue.publish(dispatch)
    store.mark_queued(dispatch)


def republish_lost(store: MaintenanceStore, queue: JobQueue) -> int:
    """Make jobs due again whose message was lost; return how many."""
    found = store.republish_lost(queue.waiting(), FORGOTTEN_SECONDS)
    if found:
        log.warning("messages were lost", jobs=len(found))
    return len(found)


def reap(store: MaintenanceStore) -> int:
    """End attempts whose worker is silent, so that others take their jobs; return how many."""
    return sum(_reap_one(store, lapsed) for lapsed in store.lapsed_leases(BATCH))


def _reap_one(store: MaintenanceStore, lapsed: LapsedLease) -> bool:
    error = WorkerLost(f"Worker {lapsed.worker} was not heard of for longer than its lease.")
    then = after_failure(lapsed.attempt_number, error)
    try:
        job = store.fail_attempt(lapsed.lease, Failure(error.code, error.detail), then)
    except AttemptEnded:  # its worker is back, or another keeper was first
        return False
    log.warning("worker lost", job_id=job.id, attempt=lapsed.attempt_number, worker=lapsed.worker, state=job.state)
    return True


def import_journal(journal: Journal, store: MaintenanceStore, queue: JobQueue) -> int:
    """Record and publish what was accepted while the job store was down; return how many."""
    store.health()  # raises while the store is down: nothing is read in vain
    return sum(_import_one(journal, store, queue, new, key) for new, key in journal.entries())


def _import_one(
    journal: Journal, store: MaintenanceStore, queue: JobQueue, new: NewJob, idempotency: IdempotencyKey | None
) -> bool:
    try:
        job = _record(store, new, idempotency)
    except (JobStoreUnavailable, JobStoreFull):
        raise
    except JobPurged:
        journal.remove(new.id)
        return False
    except ParleyError as error:
        log.error("journal entry not imported", job_id=new.id, code=error.code, detail=error.detail)
        return False
    journal.remove(new.id)
    log.info("job imported from the journal", job_id=new.id)
    publish(store, queue, dispatch_of(job))
    return True


def _record(store: MaintenanceStore, new: NewJob, idempotency: IdempotencyKey | None) -> Job:
    """Create the job under the id that its caller was given, whatever happened to its idempotency key meanwhile."""
    at = made_at(new.id)
    try:
        job = store.create(new, idempotency, at).job
    except IdempotencyKeyReused:
        return store.create(new, accepted_at=at).job
    return job if job.id == new.id else store.create(new, accepted_at=at).job
