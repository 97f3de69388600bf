"""The ports of Parley: what each caller asks of the stores and of the queue.

Each port has a real implementation and an in-memory one (tests/support/fakes), and one contract suite runs on both.
All methods are synchronous unless marked async: an event loop calls them in a thread.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from typing import Protocol

from parley_core.batches import JobOutline
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
    ResultSummary,
    RetryIn,
)
from parley_core.status import QueueStatus, Stats, StoreHealth, Usage
from parley_core.tenants import TenantLoad


class JobReader(Protocol):
    """Reads the record.

    Every method raises JobStoreUnavailable when the store does not answer in time, and JobStoreUnusable when it runs in
    a way that Parley cannot use.
    """

    def get(self, job_id: str) -> Job:
        """Return the job. Raises JobNotFound, JobPurged or RecordUnreadable."""
        ...

    def page(self, query: JobQuery) -> JobPage:
        """Return a page of jobs, without those whose record cannot be read. Raises InvalidRequest for a bad cursor."""
        ...

    def events(self, job_id: str, after: str = "0") -> Sequence[JobEvent]:
        """Return the events after the given id, oldest first. Of a job that has ended only the end is kept.

        An id that is higher than that of the last event counts as "0": the record has been restored.
        """
        ...

    def queues(self) -> Sequence[QueueStatus]:
        """Return the state of each queue."""
        ...

    def stats(self) -> Stats:
        """Return the counters."""
        ...

    def tenant_load(self, tenant: str) -> TenantLoad:
        """Return what the record holds of a tenant."""
        ...

    def usage(self, tenant: str, first: date, last: date) -> Sequence[Usage]:
        """Return what a tenant has used from the first to the last UTC day; days without an end are left out."""
        ...

    def health(self) -> StoreHealth:
        """Prove that the store takes writes, and return its state.

        Raises:
            JobStoreUnavailable: it does not answer, or takes no writes at present.
            JobStoreUnusable: a cluster, missing rights, a wrong password or an old version.
        """
        ...


class TurnTaker(Protocol):
    """Hands out jobs in the fair order of the tenants. Few messages are on their way at a time."""

    def take_turns(self, limit: int, accepted: str | None = None) -> Sequence[Dispatch]:
        """Return jobs to publish now, each claimed for some seconds. The job `accepted` counts as queued then."""
        ...

    def mark_queued(self, dispatch: Dispatch) -> None:
        """Note that the id was handed to Celery. No effect when the job has started since, which its token shows."""
        ...


class JobRecorder(TurnTaker, Protocol):
    """Transitions of submits and of the keeper."""

    def create(
        self,
        new: NewJob,
        idempotency: IdempotencyKey | None = None,
        accepted_at: datetime | None = None,
        turns: int = 0,
    ) -> Created:
        """Record a job as accepted. It waits for its turn from then on.

        With an id that is recorded, or an idempotency key that made a job with the same digest, it returns that job.

        Args:
            accepted_at: for a job that was accepted earlier without a record. The job keeps its place in its queue, and
                a full queue takes it. A time in the future counts as now.
            turns: take so many turns in the same step, as `take_turns` with this job does.

        Raises:
            JobPurged: the job with this id was purged.
            IdempotencyKeyReused: the key was used for other content.
            QueueFull: the queue holds its limit of unfinished jobs.
            JobStoreFull: Redis has no memory left.
        """
        ...

    def condemn(self, job_id: str) -> None:
        """Mark an ended job before its objects are removed. It cannot be retried, and its retention is over.

        Raises JobNotFound, JobPurged or JobNotFinished.
        """
        ...

    def purge(self, job_id: str) -> None:
        """Remove the record of an ended job. For an hour its id raises JobPurged. Raises what `condemn` raises."""
        ...


class AttemptEnder(Protocol):
    """Ends attempts: workers end their own, the keeper those of lost workers."""

    def fail_attempt(self, lease: Lease, failure: Failure, then: RetryIn | GiveUp) -> Job:
        """End the attempt with an error. With GiveUp the job fails, else it waits for its next attempt.

        Ending the same attempt again returns the job.

        Raises:
            LeaseLost: another attempt owns the job, the job has ended, or the error is WorkerLost and the lease has
                been renewed since it lapsed.
            JobCancelled: the job was cancelled.
        """
        ...


class SubmitStore(JobReader, JobRecorder, Protocol):
    """The part of the record that the API uses."""

    def reserve_key(self, tenant: str, key: str, holder: str, seconds: float) -> str | None:
        """Reserve an idempotency key for `holder` for some seconds. The same holder may extend its reservation.

        Returns the id of the job that the key has made, None if it has made none. Raises IdempotencyKeyInUse.
        """
        ...

    def release_key(self, tenant: str, key: str, holder: str) -> None:
        """Remove a reservation that made no job."""
        ...

    def cancel(self, job_id: str) -> Job:
        """Cancel the job. The state is terminal when the call returns; a worker learns of it at its next renewal.

        Raises JobNotFound, JobPurged or JobAlreadyTerminal.
        """
        ...

    def retry(self, job_id: str) -> Job:
        """Queue a failed or cancelled job again, due at once, with a new list of attempts.

        Raises JobNotFound, JobPurged (also for a condemned job) or JobNotRetryable.
        """
        ...


class StopRecorder(Protocol):
    """Counts how long attempts of cancelled jobs go on."""

    def note_stopped(self, job_id: str, nonce: str) -> None:
        """Say that the attempt of a cancelled job has stopped. No effect for another attempt, or once more."""
        ...


class AttemptStore(TurnTaker, AttemptEnder, StopRecorder, Protocol):
    """The part of the record that a worker uses."""

    def start_attempt(self, job_id: str, worker: str, lease_seconds: float) -> tuple[Job, Lease] | None:
        """Start an attempt, which is counted before work begins.

        Returns None when the job does not wait for a worker: after a duplicate message, a cancel or a purge, or before
        the time of its retry.
        """
        ...

    def renew(self, lease: Lease, lease_seconds: float, phase: Phase | None, progress: float) -> None:
        """Extend the lease and write phase and progress. Less progress than before leaves the progress as it is.

        Raises:
            LeaseLost: a newer attempt owns the job, or the job has ended.
            JobCancelled: the job was cancelled.
        """
        ...

    def succeed(self, lease: Lease, result: ResultSummary) -> Job:
        """Commit the result. Committing the same result again returns the job, so the call can be repeated.

        Raises LeaseLost or JobCancelled, and then nothing has changed.
        """
        ...

    def give_back(self, lease: Lease) -> None:
        """End the attempt without counting it; the job is due at once. Raises LeaseLost or JobCancelled.

        Giving back again with the same lease changes nothing.
        """
        ...

    def count_ignored_checkpoint(self) -> None:
        """Count a part of a checkpoint that could not be used."""
        ...

    def register_worker(self, worker: str, queue: Queue, capacity: int, lasts_seconds: float) -> None:
        """Register a worker for a queue for some seconds. 0 removes the registration."""
        ...


class MaintenanceStore(JobReader, JobRecorder, AttemptEnder, Protocol):
    """The part of the record that the keeper uses."""

    def claim_due(self, limit: int) -> Sequence[Dispatch]:
        """Return jobs to publish now. Each is claimed for some seconds, so that several keepers share the work."""
        ...

    def republish_lost(self, waiting: dict[Queue, int], grace_seconds: float) -> Sequence[str]:
        """Make queued jobs due again whose message is lost; return their ids.

        Args:
            waiting: number of messages in Celery's list of each queue.
            grace_seconds: time that a published job has to start before its message can count as lost.
        """
        ...

    def lapsed_leases(self, limit: int) -> Sequence[LapsedLease]:
        """Return leases that have lapsed. None before workers have had a whole lease to renew on this server."""
        ...

    def claim_expired(self, limit: int) -> Sequence[Job]:
        """Return ended jobs whose retention is over. Each is claimed for a minute."""
        ...

    def claim_recordings(self, limit: int) -> Sequence[Job]:
        """Return ended jobs whose recording is to go before the rest. Each is claimed for a minute."""

    def measure_service(self, start_seconds: float, longest_seconds: float) -> None:
        """Count the time since the last call for each queue: with unfinished jobs, and of it with workers.

        Args:
            start_seconds: a queue without workers counts as served until its oldest job is older.
            longest_seconds: of one call; what is longer was an outage of all keepers, and is not known.
        """
        ...

    def running_by_worker(self) -> dict[str, int]:
        """Return the number of running jobs by worker."""
        ...


class JobStore(SubmitStore, AttemptStore, MaintenanceStore, Protocol):
    """The durable record of jobs: all of the above in one store.

    Each transition is atomic: record, indexes, event and counters change together. All times are those of the store's
    clock, so the clocks of other processes do not matter.
    """


class JobIndex(JobStore, Protocol):
    """A job store that can be made to follow the object store."""

    def restore(self, new: NewJob, created_at: datetime, run: int, end: JobEnd | None) -> bool: ...
    def apply_end(self, job_id: str, run: int, end: JobEnd) -> None: ...
    def unfinished_ids(self) -> Iterator[str]: ...
    def history(self) -> History: ...
    def confirm_history(self, seen: History, look_again: bool) -> int | None: ...
    def note_recording_removed(self, job_id: str) -> None: ...

    def outlines(self, job_ids: Sequence[str]) -> Mapping[str, JobOutline]: ...

    def condemn_each(self, job_ids: Sequence[str]) -> Sequence[str]:
        """Condemn the jobs of these that have ended; return their ids."""
        ...

    def purge_each(self, job_ids: Sequence[str]) -> Sequence[str]:
        """Purge the jobs of these that have ended; return the ids of those that had a record."""
        ...

    def retry(self, job_id: str, run: int | None = None) -> Job:
        """See SubmitStore.retry. With `run` only if this is the job's run: of two callers, one begins the next."""
        ...


class JobQueue(Protocol):
    """Carries job ids to workers. It may lose and repeat them: the record brings back the one and refuses the other."""

    def publish(self, dispatch: Dispatch) -> None:
        """Hand a job to the workers. Raises JobStoreUnavailable when the broker does not take it in time."""
        ...

    def waiting(self) -> dict[Queue, int]:
        """Return the number of messages by queue that no worker has taken yet."""
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
        """Store a stream under a new key, durable on return. If the stream raises, nothing is stored."""
        ...

    def put(self, key: str, data: bytes) -> None:
        """Store a small object, durable on return."""
        ...

    def read(self, key: str) -> bytes:
        """Return a small object. Raises KeyError when there is none."""
        ...

    def fetch(self, key: str) -> AbstractContextManager[Path]:
        """Provide the object as a local file while the context lasts. Raises KeyError when there is none."""
        ...

    def put_each(self, keys: Sequence[str], data: bytes, note_progress: Callable[[], None]) -> None:
        """Store the same small object under many keys, all durable on return. They share a flush.

        Args:
            note_progress: called after each object; the same for the two calls below.
        """
        ...

    def delete(self, key: str) -> None:
        """Remove the object. No error when there is none."""
        ...

    def delete_each(self, keys: Sequence[str], note_progress: Callable[[], None]) -> None:
        """Remove many objects. No error for one that there is not."""
        ...

    def create(self, key: str, data: bytes) -> bool:
        """Store an object of a few megabytes at most, unless one of this name exists; return whether this call did."""
        ...

    def keys(self, prefix: str) -> Sequence[str]:
        """Return the names of the objects below a folder (`recordings/`)."""
        ...

    def keys_each(self, prefixes: Sequence[str], note_progress: Callable[[], None]) -> Sequence[str]:
        """Return the names of the objects below many folders."""
        ...

    def entries(self, prefix: str, after: str = "") -> Iterator[ObjectEntry]:
        """Yield the objects below a folder, read page by page: memory does not grow with their number.

        Args:
            after: only names that come after this one, in the order of text.
        """
        ...

    def remove_staged(self, older_than_seconds: float) -> int:
        """Remove what killed uploads have left; return the number. On S3, GCS and Azure a rule of the bucket does."""
        ...

    def folders(self, prefix: str) -> Sequence[str]:
        """Return the names of the folders directly below a folder."""
        ...

    def check(self) -> None:
        """Prove that objects can be written and read."""
        ...
