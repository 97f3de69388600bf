"""Removes batches whose jobs are gone."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime

from parley_core.batches import BATCHES, DELIVERIES, batch_from_json, folders_of_days
from parley_core.durable_job_store import DurableJobStore
from parley_core.job_id import made_at
from parley_core.logs import get_logger
from parley_core.ports import RecordingStore
from parley_core.storage.manifests import CLOCKS_APART, IDEMPOTENCY_LIFE
from parley_keeper.loop import NoteProgress

log = get_logger(__name__)


class BatchCollector:
    """Removes the batches of which no job is left, in Redis or in the object store.

    A batch stays for as long as its idempotency key, so that the same request gets the same answer. Objects of other
    names are kept.
    """

    def __init__(
        self,
        store: DurableJobStore,
        objects: RecordingStore,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._store, self._objects, self._now = store, objects, now

    def collect(self, note_progress: NoteProgress) -> int:
        """Look at every batch once; return how many were removed.

        Raises ObjectStoreUnavailable or JobStoreUnavailable.
        """
        removed = 0
        for tenant in self._objects.folders(BATCHES):
            for day in folders_of_days(self._objects.folders(tenant)):
                for key in self._objects.keys(f"{day}/"):
                    note_progress()
                    removed += self._remove_if_over(key)
        return removed

    def _remove_if_over(self, key: str) -> bool:
        batch_id = key.rpartition("/")[2].removesuffix(".json")
        with suppress(ValueError, KeyError):
            if made_at(batch_id) + IDEMPOTENCY_LIFE + CLOCKS_APART < self._now() and not self._has_jobs(key):
                self._objects.delete(f"{key.rsplit('/', 2)[0]}/{DELIVERIES}/{batch_id}.json")
                self._objects.delete(key)
                log.info("batch removed: its jobs are gone", batch_id=batch_id)
                return True
        return False

    def _has_jobs(self, key: str) -> bool:
        """Return whether a job is left. Raises KeyError or ValueError if there is no batch under this key."""
        ids = batch_from_json(self._objects.read(key)).job_ids
        if self._store.index.outlines(ids):
            return True
        traces = (self._store.manifests.trace(job_id) for job_id in ids)
        return any(trace.accepted and not trace.purged for trace in traces)
