"""Jobs whose retention is over are removed, with all that belongs to them."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

from parley_core.durable_job_store import DurableJobStore
from parley_core.errors import JobNotFinished, JobNotFound, JobPurged, JobStoreUnusable, RetryableError
from parley_core.job import Job
from parley_core.logs import get_logger
from parley_core.storage.manifests import CLOCKS_APART
from parley_keeper.loop import NoteProgress

BATCH = 200  # jobs that one call claims: few enough to be removed before the claim lapses
AT_ONCE = 8  # removals wait for the object store most of the time

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
    removed = 0
    with ThreadPoolExecutor(AT_ONCE, "purge") as threads:
        while expired := store.claim_expired(BATCH):
            for done in threads.map(lambda job: _remove(store, job), expired):
                note_progress()
                removed += done
    return removed


def _remove(store: DurableJobStore, job: Job) -> bool:
    try:
        store.remove(job, by_hand=False)
    except RetryableError:
        raise
    except (JobNotFound, JobPurged):  # another keeper was first
        return False
    except JobNotFinished:
        log.warning("job retried while it was to be purged", job_id=job.id)
        return False
    except Exception as error:  # noqa: BLE001 - one unreadable job must not stop everybody's retention
        log.error("job cannot be purged", job_id=job.id, error=type(error).__name__)
        return False
    log.info("job purged", job_id=job.id, tenant=job.tenant, trace_id=job.trace_id)
    return True
