"""What the keeper does for jobs. Every task may run in many keepers at once, and may be broken off at any point."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from functools import partial
from itertools import islice

from structlog.contextvars import bound_contextvars

from parley_core.durable_job_store import DurableJobStore
from parley_core.errors import (
    AttemptEnded,
    JobPurged,
    JobStoreFull,
    JobStoreUnavailable,
    ObjectStoreUnavailable,
    ParleyError,
    WorkerLost,
)
from parley_core.job import Dispatch, Failure, JobState, LapsedLease, after_failure
from parley_core.logs import get_logger
from parley_core.ports import JobQueue, MaintenanceStore
from parley_keeper.loop import NoteProgress

BATCH = 100  # jobs that one call to the store claims: few enough to be published before the claim lapses
BATCHES = 20  # per round, so that a round ends while jobs keep coming
UNSTARTED_SECONDS = 10.0  # a worker starts what it took within milliseconds; a wrong guess costs a duplicate message

RECORDED_AT_ONCE = 16  # accepted jobs that wait for the object store most of the time

SERVICE_SECONDS = 5.0  # between two measurements of the service of queues
WORKER_START_SECONDS = 60.0  # a queue that scales from zero has no worker until a pod has started
LONGEST_OUTAGE_SECONDS = 60.0  # without any keeper; what happened in a longer one is not known

log = get_logger(__name__)


def publish_due(store: MaintenanceStore, queue: JobQueue, note_progress: NoteProgress) -> int:
    """Hand every due job to Celery; return how many."""
    published = 0
    for _ in range(BATCHES):
        claimed = store.claim_due(BATCH)
        for dispatch in claimed:
            publish(store, queue, dispatch)
        note_progress()
        published += len(claimed)
        if len(claimed) < BATCH:
            break
    return published


def publish(store: MaintenanceStore, queue: JobQueue, dispatch: Dispatch) -> None:
    """Publish one job and say so in its record."""
    queue.publish(dispatch)
    store.mark_queued(dispatch)


def republish_lost(store: MaintenanceStore, queue: JobQueue, note_progress: NoteProgress) -> int:
    """Make jobs due again whose message was lost; return how many."""
    found = store.republish_lost(queue.waiting(), UNSTARTED_SECONDS)
    if found:
        log.warning("messages were lost", jobs=len(found))
    return len(found)


def reap(store: MaintenanceStore, note_progress: NoteProgress) -> int:
    """End attempts whose lease has lapsed, so that others take their jobs; return how many."""
    reaped = 0
    for lapsed in store.lapsed_leases(BATCH):
        reaped += _reap_one(store, lapsed)
        note_progress()
    return reaped


def _reap_one(store: MaintenanceStore, lapsed: LapsedLease) -> bool:
    error = WorkerLost(f"Worker {lapsed.worker} has not renewed its lease in time.")
    then = after_failure(lapsed.attempt_number, error)
    try:
        job = store.fail_attempt(lapsed.lease, Failure(error.code, error.detail), then)
    except AttemptEnded:  # its worker is back, or another keeper was first
        return False
    with bound_contextvars(job_id=job.id, tenant=job.tenant, trace_id=job.trace_id):
        log.warning("worker lost", attempt=lapsed.attempt_number, worker=lapsed.worker, state=job.state)
    return True


def measure_service(store: MaintenanceStore, note_progress: NoteProgress) -> int:
    """Add the time since the last round to the service of each queue."""
    store.measure_service(WORKER_START_SECONDS, LONGEST_OUTAGE_SECONDS)
    return 0


def record_accepted(store: DurableJobStore, queue: JobQueue, note_progress: NoteProgress) -> int:
    """Record and publish jobs that were accepted while Redis did not answer; return how many.

    Batch by batch: memory does not grow with their number, and one that cannot be read delays no other.
    """
    store.health()  # raises while Redis is down: nothing is read in vain
    recorded = 0
    unrecorded = store.manifests.unrecorded()
    with ThreadPoolExecutor(RECORDED_AT_ONCE, "record") as threads:
        while batch := list(islice(unrecorded, BATCH)):
            for done in threads.map(partial(_record_one, store, queue), batch):
                note_progress()
                recorded += done
    return recorded


def _record_one(store: DurableJobStore, queue: JobQueue, job_id: str) -> bool:
    try:
        job = store.record(job_id)
    except (JobStoreUnavailable, JobStoreFull, ObjectStoreUnavailable):
        raise
    except JobPurged:
        job = None
    except (ParleyError, ValueError) as error:
        log.error("an accepted job cannot be recorded", job_id=job_id, error=type(error).__name__)
        return False
    store.manifests.mark_recorded(job_id)
    if job is None:
        return False
    log.info("job recorded that was accepted without Redis", job_id=job_id)
    if job.state in (JobState.ACCEPTED, JobState.QUEUED):
        for dispatch in store.take_turns(BATCH, job_id):
            publish(store, queue, dispatch)
    return True
