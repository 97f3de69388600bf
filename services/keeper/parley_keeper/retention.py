"""Jobs whose retention is over are removed, with all that belongs to them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

from parley_core.durable_job_store import DurableJobStore
from parley_core.errors import JobStoreUnusable, RetryableError
from parley_core.job import Job
from parley_core.logs import get_logger
from parley_core.storage.manifests import CLOCKS_APART
from parley_keeper.loop import NoteProgress

BATCH = 500  # jobs that one call claims: few enough to be removed before the claim lapses
AT_ONCE = 2  # batches: while one waits for a store, the other goes on
RECORDINGS_AT_ONCE = 8  # each waits for the object store most of the time

log = get_logger(__name__)


def purge_expired(
    store: DurableJobStore, note_progress: NoteProgress, now: Callable[[], datetime] = lambda: datetime.now(UTC)
) -> int:
    """Remove jobs until none is due; return how many were removed.

    Several keepers share the work by claims. One job that cannot be removed delays no other.

    Args:
        now: clock of this keeper. No single clock decides what is removed for good.

    Raises:
        JobStoreUnusable: the clock of Redis, by which jobs are due, is another one than the keeper's.
        JobStoreUnavailable, ObjectStoreUnavailable: the rest is due again once the claims have lapsed.
    """
    _require_one_clock(store, now())
    with ThreadPoolExecutor(AT_ONCE, "purge") as threads:
        return sum(threads.map(lambda _: _purge_due(store, note_progress), range(AT_ONCE)))


def remove_recordings(
    store: DurableJobStore, note_progress: NoteProgress, now: Callable[[], datetime] = lambda: datetime.now(UTC)
) -> int:
    """Remove recordings that go before their results, until none is due; return how many were removed.

    Arguments and errors are those of `purge_expired`.
    """
    _require_one_clock(store, now())
    removed = 0
    with ThreadPoolExecutor(RECORDINGS_AT_ONCE, "recordings") as threads:
        while due := store.claim_recordings(BATCH):
            for done in threads.map(lambda job: _remove_recording(store, job, now()), due):
                note_progress()
                removed += done
    return removed


def _require_one_clock(store: DurableJobStore, now: datetime) -> None:
    apart = store.index.history().now - now
    if abs(apart) > CLOCKS_APART:
        hours = apart / timedelta(hours=1)
        raise JobStoreUnusable(f"The clock of Redis is {hours:+.1f} h from the keeper's; nothing is purged meanwhile.")


def _purge_due(store: DurableJobStore, note_progress: NoteProgress) -> int:
    removed = 0
    while expired := store.claim_expired(BATCH):
        removed += _remove(store, expired, note_progress)
    return removed


def _remove(store: DurableJobStore, jobs: Sequence[Job], note_progress: NoteProgress) -> int:
    """Remove jobs together, or one by one where that fails: one of them must not stop everybody's retention."""
    try:
        removed = store.remove_expired(jobs, note_progress)
    except RetryableError:
        raise
    except Exception as error:  # noqa: BLE001 - whatever a damaged job brings
        if len(jobs) > 1:
            return sum(_remove(store, [job], note_progress) for job in jobs)
        log.error("job cannot be purged", job_id=jobs[0].id, error=type(error).__name__)
        return 0
    for job in removed:
        log.info("job purged", job_id=job.id, tenant=job.tenant, trace_id=job.trace_id)
    return len(removed)


def _remove_recording(store: DurableJobStore, job: Job, now: datetime) -> bool:
    try:
        removed = store.remove_recording(job.id, now)
    except RetryableError:
        raise
    except Exception as error:  # noqa: BLE001 - one unreadable job must not stop everybody's retention
        log.error("recording cannot be removed", job_id=job.id, error=type(error).__name__)
        return False
    if removed:
        log.info("recording removed", job_id=job.id, tenant=job.tenant, trace_id=job.trace_id)
    return removed
