"""JobStore in memory: the same transitions as the Lua scripts, on dicts under one lock."""

from __future__ import annotations

import secrets
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from datetime import UTC, datetime

from parley_core.batches import JobOutline
from parley_core.errors import (
    IdempotencyKeyInUse,
    IdempotencyKeyReused,
    InvalidRequest,
    JobAlreadyTerminal,
    JobCancelled,
    JobNotFinished,
    JobNotFound,
    JobNotRetryable,
    JobPurged,
    JobStoreUnavailable,
    LeaseLost,
    QueueFull,
    WorkerLost,
)
from parley_core.forecast import Estimate
from parley_core.job import (
    RECORDING_REMOVED,
    Attempt,
    Created,
    Dispatch,
    Failure,
    GiveUp,
    IdempotencyKey,
    Job,
    JobEvent,
    JobPage,
    JobQuery,
    JobState,
    LapsedLease,
    Lease,
    NewJob,
    Phase,
    Queue,
    ResultSummary,
    RetryIn,
    dispatch_of,
)
from parley_core.redis import transitions
from parley_core.status import QueueStatus, Stats, StoreHealth
from tests.support.fakes.metrics import MemoryMetrics
from tests.support.fakes.order import WAITING, MemoryOrder
from tests.support.fakes.restoration import Entry, MemoryRestoration

ID_LENGTH = 36


class MemoryJobStore(MemoryOrder, MemoryMetrics, MemoryRestoration):
    """JobStore on dicts. `now` is its clock; `available = False` acts like a store that is down.

    It learns no estimates: `estimates` has those of unfinished jobs by their ids.
    """

    def __init__(
        self, now: Callable[[], float] = time.time, retain_seconds: float = 7 * 86400, queue_limit: int = 10_000
    ) -> None:
        super().__init__()
        self._now, self._retain, self._queue_limit = now, retain_seconds, queue_limit
        self._lock = threading.RLock()
        self._entries: dict[str, Entry] = {}
        self._purged: set[str] = set()
        self._keys: dict[tuple[str, str], tuple[str, str]] = {}
        self._held: dict[tuple[str, str], tuple[str, float]] = {}
        self._started: Counter[Queue] = Counter()
        self._counters: Counter[str] = Counter()
        self._removing: dict[str, float] = {}
        self._workers: dict[tuple[Queue, str], tuple[int, float]] = {}
        self.available = True
        self.estimates: dict[str, Estimate] = {}

    @contextmanager
    def _transition(self) -> Iterator[float]:
        if not self.available:
            raise JobStoreUnavailable("Redis does not answer as it should (down).")
        with self._lock:
            yield self._now()

    def _entry(self, job_id: str) -> Entry:
        if job_id in self._purged:
            raise JobPurged
        if job_id not in self._entries:
            raise JobNotFound("There is no job with this id.")
        return self._entries[job_id]

    def _change(self, entry: Entry, **changes: object) -> None:
        kept = [] if entry.job.state.terminal else entry.events
        job = entry.job = replace(entry.job, **changes)  # type: ignore[arg-type]
        entry.events_so_far += 1
        at = job.finished_at or _moment(self._now())
        event = JobEvent(str(entry.events_so_far), job.state, job.phase, job.progress, at)
        entry.events = [event] if job.state.terminal else [*kept, event]

    # Submitting

    def create(
        self,
        new: NewJob,
        idempotency: IdempotencyKey | None = None,
        accepted_at: datetime | None = None,
        turns: int = 0,
    ) -> Created:
        with self._transition() as now:
            known = self._known(new, idempotency)
            if known is not None:
                return Created(self.get(known), replayed=True)
            if new.id in self._purged:
                raise JobPurged
            if accepted_at is None and len(self._unfinished(new.options.queue)) >= self._queue_limit:
                raise QueueFull(f"The queue {new.options.queue} holds its limit of unfinished jobs.")
            began = min(now, accepted_at.timestamp()) if accepted_at else now
            created_at = _moment(began)
            job = Job(
                new.id,
                new.tenant,
                JobState.ACCEPTED,
                new.options,
                new.recording,
                new.limits,
                created_at,
                traceparent=new.traceparent,
            )
            entry = self._entries[new.id] = Entry(job, len(self._entries), accepted_at=began, due=now + 5)
            self._line_up(entry)
            self._change(entry)
            self._list(job)
            self._count("jobs_accepted", job)
            if idempotency:
                self._keys[new.tenant, idempotency.key] = (new.id, idempotency.digest)
            dispatches = tuple(self.take_turns(turns, new.id)) if turns else ()
            return Created(self.get(new.id), replayed=False, dispatches=dispatches)

    def _known(self, new: NewJob, idempotency: IdempotencyKey | None) -> str | None:
        made = self._keys.get((new.tenant, idempotency.key)) if idempotency else None
        if made and idempotency and made[1] != idempotency.digest:
            raise IdempotencyKeyReused("This Idempotency-Key was used for another recording or other options.")
        return made[0] if made else new.id if new.id in self._entries else None

    def reserve_key(self, tenant: str, key: str, holder: str, seconds: float) -> str | None:
        with self._transition() as now:
            if (tenant, key) in self._keys:
                return self._keys[tenant, key][0]
            held = self._held.get((tenant, key))
            if held and held[0] != holder and held[1] > now:
                raise IdempotencyKeyInUse("The first request with this Idempotency-Key is still on its way.")
            self._held[tenant, key] = (holder, now + seconds)
            return None

    def release_key(self, tenant: str, key: str, holder: str) -> None:
        with self._transition():
            if self._held.get((tenant, key), ("",))[0] == holder:
                del self._held[tenant, key]

    def mark_queued(self, dispatch: Dispatch) -> None:
        with self._transition() as now:
            entry = self._entries.get(dispatch.job_id)
            if entry and entry.job.state in WAITING and entry.job.token == dispatch.token:
                entry.due, entry.published_at, entry.turn = None, now, True
                self._leave_line(entry)
                if entry.job.state is JobState.ACCEPTED:
                    self._change(entry, state=JobState.QUEUED)

    # An attempt

    def start_attempt(self, job_id: str, worker: str, lease_seconds: float) -> tuple[Job, Lease] | None:
        with self._transition() as now:
            entry = self._entries.get(job_id)
            if entry is None or entry.job.state not in WAITING or entry.not_before > now:
                return None
            job, queue = entry.job, entry.job.options.queue
            attempt = Attempt(len(job.attempts) + 1, worker, _moment(now))
            self._started[queue] = max(self._started[queue], int((entry.published_at or 0) * 1000))
            entry.due, entry.lease_until, entry.published_at = None, now + lease_seconds, None
            entry.turn = True
            self._leave_line(entry)
            self._change(
                entry,
                state=JobState.RUNNING,
                token=job.token + 1,
                nonce=secrets.token_hex(8),
                attempts=(*job.attempts, attempt),
                started_at=job.started_at or _moment(now),
                phase=Phase.DECODING,
                progress=0.0,
            )
            if job.started_at is None:
                self._observe("wait_seconds", job, now - entry.accepted_at)
            self._count("attempts_started", job)
            return entry.job, Lease(job_id, entry.job.token, entry.job.nonce)

    def _held_entry(self, lease: Lease) -> Entry:
        entry = self._entries.get(lease.job_id)
        if entry and entry.job.nonce == lease.nonce and entry.job.state is JobState.RUNNING:
            return entry
        if entry and entry.job.nonce == lease.nonce and entry.job.state is JobState.CANCELLED:
            raise JobCancelled("The job was cancelled.")
        raise LeaseLost("Another attempt owns the job, or it has ended.")

    def renew(self, lease: Lease, lease_seconds: float, phase: Phase | None, progress: float) -> None:
        with self._transition() as now:
            entry = self._held_entry(lease)
            entry.lease_until = now + lease_seconds
            progress = max(progress, entry.job.progress)
            if (entry.job.phase, entry.job.progress) != (phase, progress):
                self._change(entry, phase=phase, progress=progress)

    def succeed(self, lease: Lease, result: ResultSummary) -> Job:
        with self._transition() as now:
            entry = self._entries.get(lease.job_id)
            if entry and entry.job.nonce == lease.nonce and entry.job.result == result:
                return entry.job
            try:
                entry = self._held_entry(lease)
            except (LeaseLost, JobCancelled):
                if entry:
                    self._count("commits_refused", entry.job)
                raise
            attempts = _ended(entry.job.attempts, now, None)
            self._finish(entry, now, JobState.SUCCEEDED, attempts=attempts, result=result, progress=1.0)
            self._count("jobs_succeeded", entry.job)
            return entry.job

    def fail_attempt(self, lease: Lease, failure: Failure, then: RetryIn | GiveUp) -> Job:
        with self._transition() as now:
            known = self._entries.get(lease.job_id)
            if known and known.job.nonce == lease.nonce and known.job.state in (JobState.QUEUED, JobState.FAILED):
                return known.job
            entry = self._held_entry(lease)
            if failure.code == WorkerLost.code and entry.lease_until > now:
                raise LeaseLost("Its worker is back.")
            attempts = _ended(entry.job.attempts, now, failure)
            self._count("attempts_failed", entry.job, code=failure.code)
            if isinstance(then, GiveUp):
                self._finish(entry, now, JobState.FAILED, attempts=attempts, error=failure)
                self._count("jobs_failed", entry.job, code=failure.code)
            else:
                entry.due = entry.not_before = now + then.seconds
                self._change(entry, state=JobState.QUEUED, attempts=attempts, phase=None, progress=0.0)
            return entry.job

    def give_back(self, lease: Lease) -> None:
        with self._transition() as now:
            known = self._entries.get(lease.job_id)
            if known and known.job.nonce == lease.nonce and known.job.state is JobState.QUEUED:
                return
            entry = self._held_entry(lease)
            entry.due = now
            attempts = entry.job.attempts[:-1]
            self._change(entry, state=JobState.QUEUED, attempts=attempts, phase=None, progress=0.0)
            self._count("attempts_given_back", entry.job)

    def count_ignored_checkpoint(self) -> None:
        self._counters["checkpoints_ignored"] += 1

    def _finish(self, entry: Entry, now: float, state: JobState, **changes: object) -> None:
        retain = entry.job.options.retain_seconds
        entry.due, entry.published_at, entry.turn = None, None, False
        self._leave_line(entry)
        entry.expires = now + (self._retain if retain is None else retain)
        retain_audio = entry.job.options.retain_audio_seconds
        entry.audio_expires = None if retain_audio is None else now + retain_audio
        self._change(entry, state=state, finished_at=_moment(now), phase=None, **changes)
        self._observe_end(entry, now)

    # By hand

    def cancel(self, job_id: str) -> Job:
        with self._transition() as now:
            entry = self._entry(job_id)
            if entry.job.state.terminal:
                raise JobAlreadyTerminal("The job has ended already; there is nothing to cancel.")
            attempts = entry.job.attempts
            if entry.job.state is JobState.RUNNING:
                attempts = _ended(attempts, now, Failure("job_cancelled", "Cancelled while it ran."))
            self._finish(entry, now, JobState.CANCELLED, attempts=attempts)
            self._count("jobs_cancelled", entry.job)
            return entry.job

    def retry(self, job_id: str, run: int | None = None) -> Job:
        with self._transition() as now:
            entry = self._entry(job_id)
            if entry.job.state not in (JobState.FAILED, JobState.CANCELLED) or run not in (None, entry.job.run):
                raise JobNotRetryable("Only a failed or cancelled job can be tried again.")
            if entry.condemned:
                raise JobPurged("This job is being purged.")
            if entry.job.recording_removed:
                raise JobNotRetryable(RECORDING_REMOVED)
            entry.audio_expires = None
            entry.due, entry.accepted_at, entry.not_before, entry.expires = now, now, 0.0, None
            entry.turn = False
            self._line_up(entry)
            changes = {"nonce": "", "attempts": (), "error": None, "started_at": None, "finished_at": None}
            self._change(entry, state=JobState.QUEUED, run=entry.job.run + 1, progress=0.0, **changes)
            self._count("jobs_retried", entry.job)
            self._count_tenant("tenant_unfinished", entry.job)
            for name in (job_id, f"{job_id}:audio"):
                self._removing.pop(name, None)
            self._stopped.discard(job_id)
            return self.get(job_id)

    def condemn(self, job_id: str) -> None:
        with self._transition() as now:
            entry = self._entry(job_id)
            if not entry.job.state.terminal:
                raise JobNotFinished("The job has not ended; cancel it first.")
            entry.condemned, entry.expires = True, now + transitions.PURGE_CLAIM_MS / 1000
            self._removing.setdefault(job_id, now)

    def purge(self, job_id: str) -> None:
        with self._transition():
            entry = self._entry(job_id)
            if not entry.job.state.terminal:
                raise JobNotFinished("The job has not ended; cancel it first.")
            self._count("jobs_purged", entry.job)
            if not entry.job.recording_removed:
                self._count("stored_recording_bytes", entry.job, -entry.job.recording.bytes)
            for name in (job_id, f"{job_id}:audio"):
                self._removing.pop(name, None)
            del self._entries[job_id]
            self._purged.add(job_id)

    def condemn_each(self, job_ids: Sequence[str]) -> Sequence[str]:
        return self._each(self.condemn, job_ids)

    def purge_each(self, job_ids: Sequence[str]) -> Sequence[str]:
        return self._each(self.purge, job_ids)

    def _each(self, transition: Callable[[str], None], job_ids: Sequence[str]) -> list[str]:
        done = []
        for job_id in job_ids:
            with suppress(JobNotFinished, JobNotFound, JobPurged):
                transition(job_id)
                done.append(job_id)
        return done

    # The keeper's

    def claim_due(self, limit: int) -> Sequence[Dispatch]:
        with self._transition() as now:
            due = [e for e in self._entries.values() if e.due is not None and e.due <= now][:limit]
            for entry in due:
                entry.due = now + (10 if entry.turn else 600)
                if not entry.turn:
                    self._line_up(entry)
            claimed = [dispatch_of(entry.job) for entry in due if entry.turn]
            return claimed + [one for queue in Queue for one in self._turns(queue, limit, now)]

    def republish_lost(self, waiting: dict[Queue, int], grace_seconds: float) -> Sequence[str]:
        with self._transition() as now:
            found = [e for e in self._entries.values() if self._forgotten(e, waiting, now, grace_seconds)]
            for entry in found:
                entry.due, entry.published_at = now, None
                self._count("messages_lost", entry.job)
            return [entry.job.id for entry in found]

    def _forgotten(self, entry: Entry, waiting: dict[Queue, int], now: float, grace: float) -> bool:
        queue = entry.job.options.queue
        if entry.published_at is None or queue not in waiting:
            return False
        horizon = now - grace
        if waiting[queue] > 0:
            horizon = min(horizon, self._started[queue] / 1000 - grace)
        return entry.published_at <= horizon

    def lapsed_leases(self, limit: int) -> Sequence[LapsedLease]:
        with self._transition() as now:
            lapsed = [e.job for e in self._running() if e.lease_until <= now][:limit]
            return [
                LapsedLease(Lease(job.id, job.token, job.nonce), job.attempts[-1].number, job.attempts[-1].worker)
                for job in lapsed
            ]

    def claim_expired(self, limit: int) -> Sequence[Job]:
        with self._transition() as now:
            due = [e for e in self._entries.values() if e.expires is not None and e.expires <= now][:limit]
            for entry in due:
                self._removing.setdefault(entry.job.id, entry.expires or now)
                entry.expires = now + transitions.PURGE_CLAIM_MS / 1000
            return [entry.job for entry in due]

    def claim_recordings(self, limit: int) -> Sequence[Job]:
        with self._transition() as now:
            due = [e for e in self._entries.values() if e.audio_expires is not None and e.audio_expires <= now][:limit]
            for entry in due:
                self._removing.setdefault(f"{entry.job.id}:audio", entry.audio_expires or now)
                entry.audio_expires = now + transitions.PURGE_CLAIM_MS / 1000
            return [entry.job for entry in due]

    # Looking

    def get(self, job_id: str) -> Job:
        with self._transition():
            job = self._entry(job_id).job
            if not job.state.terminal:
                job = replace(job, estimate=self.estimates.get(job_id))
            if job.state not in WAITING:
                return job
            return replace(job, position=self._position(self._entries[job_id]))

    def page(self, query: JobQuery) -> JobPage:
        with self._transition():
            if query.cursor is not None and len(query.cursor) != ID_LENGTH:
                raise InvalidRequest("`cursor` must be the `next_cursor` of an earlier page.")
            matching = [job_id for job_id, entry in self._entries.items() if _matches(entry.job, query)]
            newest = sorted((one for one in matching if query.cursor is None or one < query.cursor), reverse=True)
            page, more = newest[: query.limit], len(newest) > query.limit
            return JobPage(tuple(self.get(job_id) for job_id in page), page[-1] if more else None)

    def outlines(self, job_ids: Sequence[str]) -> Mapping[str, JobOutline]:
        with self._transition():
            jobs = [self._entries[job_id].job for job_id in job_ids if job_id in self._entries]
            return {job.id: JobOutline(job.state, job.options.reference) for job in jobs}

    def events(self, job_id: str, after: str = "0") -> Sequence[JobEvent]:
        with self._transition():
            entry = self._entries.get(job_id)
            seen = int(after.partition("-")[0])
            if entry is None:
                return []
            seen = seen if seen <= entry.events_so_far else 0
            found = [event for event in entry.events if int(event.id) > seen]
            if found and not entry.job.state.terminal:
                found[-1] = replace(found[-1], estimate=self.estimates.get(job_id))
            return found

    def register_worker(self, worker: str, queue: Queue, capacity: int, lasts_seconds: float) -> None:
        with self._transition() as now:
            self._workers[queue, worker] = (capacity, now + lasts_seconds)

    def running_by_worker(self) -> dict[str, int]:
        with self._transition():
            return dict(Counter(e.job.attempts[-1].worker for e in self._running()))

    def queues(self) -> Sequence[QueueStatus]:
        with self._transition() as now:
            return [self._queue_status(queue, now) for queue in Queue]

    def _queue_status(self, queue: Queue, now: float) -> QueueStatus:
        unfinished = self._unfinished(queue)
        running = sum(e.job.state is JobState.RUNNING for e in unfinished)
        age = now - unfinished[0].accepted_at if unfinished else None
        there = [size for (served, _), (size, until) in self._workers.items() if served == queue and until > now]
        return QueueStatus(queue, len(unfinished), running, age, len(there), sum(there))

    def stats(self) -> Stats:
        with self._transition():
            return Stats(dict(self._counters))

    def health(self) -> StoreHealth:
        with self._transition() as now:
            due = [e.due for e in self._entries.values() if e.due is not None]
            lag = max(0.0, now - min(due)) if due else 0.0
            dates = [date for e in self._entries.values() for date in (e.expires, e.audio_expires)]
            expired = [*self._removing.values(), *(date for date in dates if date is not None)]
            late = max((0.0, *(now - since for since in expired)))
            return StoreHealth(0, 0, "noeviction", True, len(due), lag, len(self._running()), late)

    def _running(self) -> list[Entry]:
        return [e for e in self._entries.values() if e.job.state is JobState.RUNNING]

    def _unfinished(self, queue: Queue) -> list[Entry]:
        entries = [e for e in self._entries.values() if e.job.options.queue == queue and not e.job.state.terminal]
        return sorted(entries, key=lambda e: (e.accepted_at, e.sequence))


def _moment(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)


def _ended(attempts: tuple[Attempt, ...], now: float, error: Failure | None) -> tuple[Attempt, ...]:
    return (*attempts[:-1], replace(attempts[-1], ended_at=_moment(now), error=error))


def _matches(job: Job, query: JobQuery) -> bool:
    return (
        job.tenant == query.tenant
        and query.state in (None, job.state)
        and query.queue in (None, job.options.queue)
        and query.reference in (None, job.options.reference)
        and job.id.startswith(query.id_prefix or "")
    )
