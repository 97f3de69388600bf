"""What the keeper removes: jobs whose retention is over, and objects that belong to no job."""

from __future__ import annotations

import time
from collections.abc import Callable

from parley_core.errors import JobNotFinished, JobNotFound, JobPurged
from parley_core.job import Job
from parley_core.logs import get_logger
from parley_core.ports import Journal, MaintenanceStore, RecordingStore
from parley_core.recording import job_id_of, result_folder

BATCH = 100  # jobs per round
ORPHAN_SECONDS = 3600.0  # from the first sight of an orphan to its end: no request takes so long from object to record
PLAUSIBLE_ORPHANS = 50  # more than that, and most of what is there: then the records are missing, not the jobs

log = get_logger(__name__)


def purge_expired(store: MaintenanceStore, recordings: RecordingStore) -> int:
    """Remove recording, results and record of jobs whose retention is over; return how many.

    The record goes last: broken off, the purge is done again.
    """
    expired = store.expired(BATCH)
    for job in expired:
        _purge(job, store, recordings)
    return len(expired)


def _purge(job: Job, store: MaintenanceStore, recordings: RecordingStore) -> None:
    try:
        store.condemn(job.id)
        for key in [job.recording.key, *recordings.keys(result_folder(job.id))]:
            recordings.delete(key)
        store.purge(job.id)
    except (JobNotFound, JobPurged, JobNotFinished):  # another keeper was first, or it has been tried again
        return
    log.info("job purged", job_id=job.id)


class OrphanCollector:
    """Removes objects that no record and no journal entry knows, once it has seen them so for an hour.

    Such objects are left by processes killed between two steps. A store that has lost its records must not cost the
    recordings too, so a sweep that would remove most of what there is removes nothing.
    """

    def __init__(
        self,
        store: MaintenanceStore,
        recordings: RecordingStore,
        journal: Journal,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self._store, self._recordings, self._journal, self._now = store, recordings, journal, now
        self._first_seen: dict[str, float] = {}

    def collect(self) -> int:
        """Look at every recording and result once; return how many were removed."""
        keys = [*self._recordings.keys("recordings"), *self._recordings.keys("results")]
        orphans = [key for key in keys if self._is_orphan(key)]
        if len(orphans) > PLAUSIBLE_ORPHANS and 2 * len(orphans) > len(keys):
            log.error("most objects have no record: has Redis lost its data? Nothing is removed", objects=len(orphans))
            return 0
        self._journal.forget_keys()
        self._first_seen = {key: self._first_seen.get(key, self._now()) for key in orphans}
        return sum(self._remove(key) for key, seen in self._first_seen.items() if self._now() - seen >= ORPHAN_SECONDS)

    def _is_orphan(self, key: str) -> bool:
        job_id = job_id_of(key)
        try:
            job = self._store.get(job_id)
        except (JobNotFound, JobPurged):
            return self._journal.find(job_id) is None
        if key.startswith("recordings/"):
            return key != job.recording.key
        return job.state.terminal and (job.result is None or key != job.result.key)

    def _remove(self, key: str) -> bool:
        if not self._is_orphan(key):
            return False
        self._recordings.delete(key)
        log.info("object of no job removed", key=key)
        return True
