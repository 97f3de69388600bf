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
    apart = store.index.history().now - now()
    if abs(apart) > CLOCKS_APART:
        hours = apart / timedelta(hours=1)
        raise JobStoreUnusable(f"The clock of Redis is {hours:+.1f} h from the keeper's; nothing is purged meanwhile.")
    with ThreadPoolExecutor(AT_ONCE, "purge") as threads:
        return sum(threads.map(lambda _: _purge_due(store, note_progress), range(AT_ONCE)))


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
