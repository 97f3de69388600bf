"""Objects that nobody owes any more, and objects that nobody knows.

Only a tombstone or a manifest whose retention is over condemns an object. Whatever else lies there is kept and
counted: a store of manifests that is incomplete must not cost recordings.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime, timedelta
from itertools import groupby

from prometheus_client.core import GaugeMetricFamily, Metric

from parley_core.durable_job_store import DurableJobStore
from parley_core.errors import JobNotFound, JobPurged, RecordUnreadable
from parley_core.job import JobTrace
from parley_core.logs import get_logger
from parley_core.ports import RecordingStore
from parley_core.recording import job_id_of
from parley_keeper.loop import NoteProgress

PREFIXES = ("recordings", "results")
SETTLED_AFTER = timedelta(days=1)  # on top of the retention: until then the purge itself is at work
# A Redis that is restored from a backup of that age is still told what was purged.
TOMBSTONES_KEPT = timedelta(days=30)
STAGED_SECONDS = 86_400.0  # no upload takes a day

log = get_logger(__name__)


class OrphanCollector:
    """Looks at the days whose retention is over: few objects are left there, however many jobs a day has."""

    def __init__(
        self,
        store: DurableJobStore,
        objects: RecordingStore,
        retain_seconds: float,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._store, self._objects, self._retain, self._now = store, objects, timedelta(seconds=retain_seconds), now
        self.kept = 0

    def collect(self, note_progress: NoteProgress) -> int:
        """Look at every settled day once; return how many objects were removed."""
        self._store.manifests.forget_keys(note_progress)
        removed = self._objects.remove_staged(STAGED_SECONDS) + self._remove_checkpoints(note_progress)
        kept = 0
        for key in self._settled():
            note_progress()
            trace = self._store.manifests.trace(job_id_of(key))
            if self._condemned(trace):
                self._objects.delete(key)
                log.info("object of a removed job deleted", key=key)
                removed += 1
            elif not trace.accepted:
                kept += 1
        self.kept = kept
        self._forget_tombstones(note_progress)  # at last: they condemn what is removed above
        return removed

    def metrics(self) -> Iterable[Metric]:
        """What the last round has found."""
        yield GaugeMetricFamily(
            "parley_keeper_orphans_kept", "Recordings and results of no known job; they are kept.", value=self.kept
        )

    def _remove_checkpoints(self, note_progress: NoteProgress) -> int:
        """Remove checkpoints of ended jobs, whatever their day: their worker was killed before it could."""
        removed = 0
        for job_id, entries in groupby(self._objects.entries("checkpoints/"), lambda entry: job_id_of(entry.key)):
            note_progress()
            trace = self._store.manifests.trace(job_id)
            if trace.ended or trace.purged:
                for entry in entries:
                    self._objects.delete(entry.key)
                    removed += 1
        return removed

    def _forget_tombstones(self, note_progress: NoteProgress) -> None:
        """Remove the tombstones of days long past: their number would grow with all jobs ever."""
        before, manifests = self._now() - TOMBSTONES_KEPT, self._store.manifests
        settled = (before - self._retain).date().isoformat()
        for day in sorted({*manifests.days(), *manifests.change_days()}):
            if day < settled:  # the folder of undated ids sorts behind all days
                manifests.forget_purged(day, before, note_progress)

    def _settled(self) -> Iterator[str]:
        before = (self._now() - self._retain - SETTLED_AFTER).date().isoformat()
        for prefix in PREFIXES:
            for folder in self._objects.folders(prefix):
                day = folder.rpartition("/")[2]
                if not day[:1].isdigit() or day < before:
                    yield from (entry.key for entry in self._objects.entries(f"{folder}/"))

    def _condemned(self, trace: JobTrace) -> bool:
        if trace.purged:
            return True
        if not (trace.accepted and trace.ended):
            return False
        try:
            found = self._store.manifests.find(trace.job_id)
        except ValueError:
            return False
        end = self._store.manifests.find_end(trace.job_id, trace.run)
        if found is None or end is None:
            return False
        retain = found[0].options.retain_seconds
        kept_for = self._retain if retain is None else timedelta(seconds=retain)
        is_over = end.finished_at + kept_for + SETTLED_AFTER < self._now()
        return is_over and self._unrecorded(trace.job_id)

    def _unrecorded(self, job_id: str) -> bool:
        """Return whether Redis has no record of a job. A recorded job is removed by the purge, with its record."""
        try:
            self._store.index.get(job_id)
        except (JobNotFound, JobPurged):
            return True
        except RecordUnreadable:
            return False
        return False
