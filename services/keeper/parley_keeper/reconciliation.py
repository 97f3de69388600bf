"""Bringing Redis back to what the object store holds, after a failover, a restore or a loss of its volume."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta

from prometheus_client.core import CounterMetricFamily, Metric

from parley_core.durable_job_store import DurableJobStore
from parley_core.errors import JobNotFound, JobPurged, ParleyError, RetryableError
from parley_core.job import History, JobTrace
from parley_core.job_id import UNDATED
from parley_core.logs import get_logger
from parley_core.storage.manifests import BEGINNING, CLOCKS_APART, HistoryMarker
from parley_keeper.loop import NoteProgress
from parley_keeper.words_requests import RequestedWords

SLACK = timedelta(minutes=5)  # clocks differ, and a note of completeness may have been on its way
MARKER_EVERY = timedelta(seconds=10)  # how often the object store's marker is read and written

log = get_logger(__name__)


@dataclass(slots=True)
class Found:
    """What a reconciliation has dealt with."""

    looked_at: int = 0
    restored: int = 0
    corrected: int = 0
    unreadable: int = 0
    words_requests: int = 0


def lost_since(history: History, marker: HistoryMarker | None) -> datetime | None:
    """Return since when Redis may lack writes; None when it lacks none.

    A data set that no keeper has compared, or another one than the object store's marker names, may lack everything,
    and so may one that has evicted keys.
    """
    if history.evicted:
        return BEGINNING
    if marker is not None and marker.id != history.id:
        return BEGINNING
    if not history.same_server or lacks_writes(history, marker):
        return history.complete_until
    return None


def lacks_writes(history: History, marker: HistoryMarker | None) -> bool:
    """Return whether writes are lost for certain: a keeper has seen another data set, or a longer history of it."""
    return marker is not None and (marker.id != history.id or marker.ticks > history.ticks)


def earliest_day(start: datetime) -> str:
    """Return the first day whose objects may have been written since a time."""
    return (max(start, BEGINNING + CLOCKS_APART) - CLOCKS_APART).date().isoformat()


class Reconciler:
    """Watches the history of Redis, and restores what it has lost.

    Args:
        before_restoring: tells an emptied Redis that traces are sent; else the ends that come back have none.
        words: restores requests for words; None restores none.
    """

    def __init__(
        self,
        store: DurableJobStore,
        before_restoring: Callable[[], None] | None = None,
        words: RequestedWords | None = None,
    ) -> None:
        self._store, self._before_restoring, self._words = store, before_restoring, words
        self._marked_at = BEGINNING
        self.reconciliations = 0
        self.found = Found()

    def run_once(self, note_progress: NoteProgress) -> int:
        """Reconcile if Redis has lost writes; return how many jobs were restored or corrected."""
        now = datetime.now(UTC)
        history = self._store.index.history()
        lost = lost_since(history, None)
        if history.evicted:
            log.error("Redis has evicted keys; set maxmemory-policy to noeviction", evictions=history.evictions)
        compares = lost is not None or now - self._marked_at >= MARKER_EVERY
        marker = self._store.manifests.marker() if compares else None
        if compares:
            lost = lost_since(history, marker)
        since = history.look_again_since if lost is None else lost
        lacks = history.evicted or lacks_writes(history, marker)
        changed = 0 if since is None else self._reconcile_and_log(since, lacks, note_progress)
        ticks = self._store.index.confirm_history(history, look_again=lost is not None)
        if ticks is None:
            log.warning("Redis has lost writes meanwhile; the next round compares again")
        elif compares:
            self._store.manifests.mark(HistoryMarker(history.id, ticks))
            self._marked_at = now
        return changed

    def _reconcile_and_log(self, since: datetime, lacks: bool, note_progress: NoteProgress) -> int:
        if self._before_restoring:
            self._before_restoring()
        found = self.reconcile(since, note_progress)
        counts = {"since": since.isoformat(), **asdict(found)}
        if lacks or found.restored or found.corrected:
            self.reconciliations += 1
            log.warning("Redis has lost writes; reconciled", **counts)
        else:  # a restart, a failover or a new installation
            log.info("Redis was compared with the object store; it lacks no job", **counts)
        return found.restored + found.corrected

    def metrics(self) -> Iterable[Metric]:
        """What this keeper has reconciled since it started."""
        yield CounterMetricFamily(
            "parley_keeper_reconciliations",
            "Times that Redis was found to lack writes and was brought back to what the object store holds.",
            value=self.reconciliations,
        )

    def reconcile(self, since: datetime, note_progress: NoteProgress) -> Found:
        """Compare the record with every job accepted, retried, ended or purged since then.

        Memory does not grow with the number of jobs. May be broken off and repeated.

        Raises JobStoreUnavailable or ObjectStoreUnavailable.
        """
        found = self.found = Found()
        start = since - SLACK if since > BEGINNING else BEGINNING
        for trace in self._traces(start):
            note_progress()
            found.looked_at += 1
            try:
                self._follow(trace, found)
            except RetryableError:
                raise
            except (ValueError, ParleyError) as error:  # damaged, or somebody was faster: it delays no other
                found.unreadable += 1
                log.error("job cannot be reconciled", job_id=trace.job_id, error=type(error).__name__)
        if self._words is not None:
            found.words_requests = self._words.restore(earliest_day(start), note_progress)
        return found

    def _traces(self, start: datetime) -> Iterator[JobTrace]:
        manifests = self._store.manifests
        earliest = earliest_day(start)
        for day in manifests.days():
            if day == UNDATED or day >= earliest:
                yield from manifests.traces(day, start)
        if start > BEGINNING:  # older jobs: those that changed since, and those that Redis believes unfinished
            for day in manifests.change_days():
                if day >= earliest:
                    yield from (manifests.trace(job_id) for job_id in manifests.changed_on(day))
            for job_id in self._store.index.unfinished_ids():
                yield manifests.trace(job_id)

    def _follow(self, trace: JobTrace, found: Found) -> None:
        try:
            job = self._store.index.get(trace.job_id)
        except JobPurged:
            return
        except JobNotFound:
            found.restored += self._restore(trace)
            return
        found.corrected += self._store.follow(job, trace)

    def _restore(self, listed: JobTrace) -> bool:
        """Write the record of a job that Redis does not have. The listing may be older than the job's end."""
        trace = self._store.manifests.trace(listed.job_id)
        if trace.purged or not trace.accepted:
            return False
        return self._store.restore(trace)
