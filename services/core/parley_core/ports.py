"""The ports of Parley: what each caller asks of the stores and of the queue.

Each port has a real implementation and an in-memory one (tests/support/fakes), and one contract suite runs on both.
All methods are synchronous unless marked async: an event loop calls them in a thread.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Protocol

from parley_core.job import (
    Created,
    Dispatch,
    Failure,
    GiveUp,
    History,
    IdempotencyKey,
    Job,
    JobEnd,
    JobEvent,
    JobPage,
    JobQuery,
    LapsedLease,
    Lease,
    NewJob,
    Phase,
    Queue,
    QueueStatus,
    ResultSummary,
    RetryIn,
    Stats,
    StoreHealth,
)
from parley_core.voiceprints import NewVoiceprint, Voiceprint


class JobReader(Protocol):
    """Reads the record. Every method raises JobStoreUnavailable when the store does not answer in time."""

    def get(self, job_id: str) -> Job:
        """Raises JobNotFound or JobPurged."""
        ...

    def page(self, query: JobQuery) -> JobPage:
        """Raises InvalidRequest for a cursor that is not one of ours."""
        ...

    def events(self, job_id: str, after: str = "0") -> Sequence[JobEvent]:
        """JobNotifications after the given event id, oldest first."""
        ...

    def queues(self) -> Sequence[QueueStatus]: ...

    def stats(self) -> Stats: ...

    def health(self) -> StoreHealth: ...


class JobRecorder(Protocol):
    """Changes that both a submit and the keeper make."""

    def create(
        self, new: NewJob, idempotency: IdempotencyKey | None = None, accepted_at: datetime | None = None
    ) -> Created:
        """Record a job as accepted, due for publishing in a few seconds if the caller does not publish it first.

        The same id again, or the same idempotency key with the same digest, returns the job that is there.

        Args:
            accepted_at: for a job accepted earlier without a record. It keeps its place in the order of its queue, and
                a full queue takes it in. A time to come counts as now.

        Raises:
            JobPurged: the id is that of a purged job.
            IdempotencyKeyReused: the key was used for other content.
            QueueFull: the queue holds its limit of unfinished jobs.
            JobStoreFull: no memory left for another job.
        """
        ...

    def mark_queued(self, dispatch: Dispatch) -> None:
        """Say that the id was handed to Celery. No effect once the job was started: the token tells."""
        ...

    def condemn(self, job_id: str) -> None:
        """Mark an ended job as being purged, before its objects go: it cannot be retried, and it is expired.

        Raises JobNotFound, JobPurged or JobNotFinished.
        """
        ...

    def purge(self, job_id: str) -> None:
        """Forget an ended job; its id answers JobPurged for a while.

        Raises JobNotFound, JobPurged or JobNotFinished.
        """
        ...


class AttemptEnder(Protocol):
    """Ends attempts: a worker its own, the keeper those of lost workers."""

    def fail_attempt(self, lease: Lease, failure: Failure, then: RetryIn | GiveUp) -> Job:
        """End the attempt with an error, and the job too if `then` says so. Raises LeaseLost or JobCancelled.

        With WorkerLost's code it is a reaping, and refused (LeaseLost) when the worker has renewed meanwhile.
        """
        ...


class SubmitStore(JobReader, JobRecorder, Protocol):
    """What the API asks of the record."""

    def reserve_key(self, tenant: str, key: str, holder: str, seconds: float) -> str | None:
        """Mark an idempotency key as in use by `holder` for so long; calling again extends it.

        Returns the id of the job the key already made, else None.

        Raises:
            IdempotencyKeyInUse: another holder has it.
        """
        ...

    def release_key(self, tenant: str, key: str, holder: str) -> None:
        """Drop a reservation that led to no job."""
        ...

    def cancel(self, job_id: str) -> Job:
        """Make the job cancelled, now and for good; its worker learns of it at its next heartbeat.

        Raises JobNotFound, JobPurged or JobAlreadyTerminal.
        """
        ...

    def retry(self, job_id: str) -> Job:
        """Put a failed or cancelled job back into its queue, due at once, with a new list of attempts.

        Raises JobNotFound, JobPurged (also for a condemned job) or JobNotRetryable.
        """
        ...


class AttemptStore(AttemptEnder, Protocol):
    """What a worker asks of the record."""

    def start_attempt(self, job_id: str, worker: str, lease_seconds: float) -> tuple[Job, Lease] | None:
        """Take the job for one attempt, counted before work begins; None when it is not there to be taken.

        None covers a duplicate message, a job cancelled meanwhile, one that waits for its retry and one that is gone.
        """
        ...

    def renew(self, lease: Lease, lease_seconds: float, phase: Phase | None, progress: float) -> None:
        """Extend the lease and write phase and progress. Less progress than before leaves the progress as it is.

        Raises:
            LeaseLost: a newer attempt holds the job, or it ended.
            JobCancelled: it was cancelled.
        """
        ...

    def succeed(self, lease: Lease, result: ResultSummary) -> Job:
        """Commit. Raises LeaseLost or JobCancelled, and then nothing has changed.

        Committing the same result again with the same lease returns the job: a reply lost on the wire can be asked
        for again.
        """
        ...

    def give_back(self, lease: Lease) -> None:
        """End the attempt without counting it; the job is due at once. Raises LeaseLost or JobCancelled.

        Giving back again with the same lease changes nothing.
        """
        ...

    def register_worker(self, worker: str, queue: Queue, capacity: int, lasts_seconds: float) -> None:
        """Say that a worker serves a queue, until that many seconds are over; 0 takes it back."""
        ...


class MaintenanceStore(JobReader, JobRecorder, AttemptEnder, Protocol):
    """What the keeper asks of the record."""

    def claim_due(self, limit: int) -> Sequence[Dispatch]:
        """Jobs to publish now. Each is claimed for a few seconds, so that several keepers share the work."""
        ...

    def republish_lost(self, waiting: dict[Queue, int], grace_seconds: float) -> Sequence[str]:
        """Make queued jobs due again whose message is gone; return their ids.

        Args:
            waiting: messages in Celery's list of each queue.
            grace_seconds: how long a published job may stay unstarted before the question is asked.
        """
        ...

    def lapsed_leases(self, limit: int) -> Sequence[LapsedLease]:
        """Leases that ran out. Empty while the store has been up for less than a lease: workers must get to renew."""
        ...

    def claim_expired(self, limit: int) -> Sequence[Job]:
        """Terminal jobs whose retention is over."""
        ...

    def running_by_worker(self) -> dict[str, int]:
        """Number of leases per worker."""
        ...


class JobStore(SubmitStore, AttemptStore, MaintenanceStore, Protocol):
    """The durable record of jobs: all of the above in one store.

    Each transition is atomic: record, indexes, event and counters change together. Times are the store's own clock, so
    a process whose clock is wrong does no harm.
    """


class JobIndex(JobStore, Protocol):
    """A job store that can be made to follow the object store."""

    def restore(self, new: NewJob, created_at: datetime, run: int, end: JobEnd | None) -> bool: ...

    def apply_end(self, job_id: str, run: int, end: JobEnd) -> None: ...

    def unfinished_ids(self) -> Iterator[str]: ...

    def history(self) -> History: ...

    def confirm_history(self, server: str) -> tuple[str, int]: ...


class VoiceprintStore(Protocol):
    """Enrolled voices, each tenant's its own, until they are deleted. Atomic.

    Every method raises JobStoreUnavailable when the store does not answer in time.
    """

    def enrol(self, new: NewVoiceprint) -> Voiceprint:
        """Keep a voice; the same id again returns the voice that is there.

        Raises:
            VoiceprintNameTaken: the tenant has a voice of this name (see voices.name_key).
            TooManyVoiceprints: the tenant has as many as it may.
            JobStoreFull: no memory left for another.
        """
        ...

    def get(self, tenant: str, voiceprint_id: str) -> Voiceprint:
        """Raises VoiceprintNotFound, also for another tenant's."""
        ...

    def all(self, tenant: str) -> Sequence[Voiceprint]:
        """The tenant's voices, in order of enrolment."""
        ...

    def remove(self, tenant: str, voiceprint_id: str) -> None:
        """Forget a voice; its name is free again. Raises VoiceprintNotFound."""
        ...


class JobQueue(Protocol):
    """Carries job ids to workers. May lose and repeat; the record makes up for both."""

    def publish(self, dispatch: Dispatch) -> None:
        """Raises JobStoreUnavailable when the broker does not take it in time."""
        ...

    def waiting(self) -> dict[Queue, int]:
        """Messages that no worker has taken yet."""
        ...


@dataclass(frozen=True, slots=True)
class ObjectEntry:
    """One object of a listing: its name, when it was last written (UTC), its length in bytes."""

    key: str
    modified: datetime
    bytes: int


class RecordingStore(Protocol):
    """Recordings, results and small documents as objects.

    Every method raises ObjectStoreUnavailable when the store cannot be reached.
    """

    async def save(self, key: str, chunks: AsyncIterator[bytes]) -> None:
        """Store a stream under a fresh key, durably before it returns; if the stream raises, nothing stays."""
        ...

    def put(self, key: str, data: bytes) -> None:
        """Store a small object, durably before it returns."""
        ...

    def read(self, key: str) -> bytes:
        """Raises KeyError when there is none."""
        ...

    def fetch(self, key: str) -> AbstractContextManager[Path]:
        """Give the object as a local file for as long as the context lasts. Raises KeyError when there is none."""
        ...

    def delete(self, key: str) -> None:
        """Remove it; no error when there is none."""
        ...

    def create(self, key: str, data: bytes) -> bool:
        """Store a small object unless there is one of this name; say whether this call stored it."""
        ...

    def keys(self, prefix: str) -> Sequence[str]:
        """Names below a folder (`recordings/`)."""
        ...

    def entries(self, prefix: str) -> Iterator[ObjectEntry]:
        """Yield the objects below a folder page by page: memory does not grow with their number."""
        ...

    def remove_staged(self, older_than_seconds: float) -> int:
        """Remove what uploads left that were killed on their way; return how many.

        On S3 and its like a lifecycle rule of the bucket does this: the call removes nothing there.
        """
        ...

    def folders(self, prefix: str) -> Sequence[str]:
        """Names of the folders directly below a folder."""
        ...

    def check(self) -> None:
        """Prove that objects can be written and read."""
        ...
