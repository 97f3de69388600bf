"""The record as callers use it: Redis answers fast, the object store holds what was promised.

Every promise and every end is in the object store before Redis shows it:

- a job is accepted once its manifest is there; Redis may record it later,
- a run of a job has one end, created conditionally, whatever Redis forgets,
- a purged job leaves a tombstone, so nothing brings it back.

Where the two disagree, the object store is right, and Redis is made to follow.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime

from parley_core.errors import (
    AttemptEnded,
    IdempotencyKeyReused,
    JobAlreadyTerminal,
    JobCancelled,
    JobNotFound,
    JobNotRetryable,
    JobPurged,
    JobStoreUnavailable,
    LeaseLost,
    ObjectStoreUnavailable,
    ParleyError,
    WorkerLost,
)
from parley_core.indexed_job_store import IndexedJobStore
from parley_core.job import (
    RECORDING_REMOVED,
    Created,
    Failure,
    GiveUp,
    IdempotencyKey,
    Job,
    JobEnd,
    JobState,
    JobTrace,
    Lease,
    NewJob,
    ResultSummary,
    RetryIn,
)
from parley_core.job_id import accepted_at
from parley_core.logs import get_logger
from parley_core.ports import JobIndex, RecordingStore
from parley_core.recording import checkpoint_folder, is_transcript, result_folder, result_key
from parley_core.redis import RedisJobStore
from parley_core.settings import Settings
from parley_core.storage.job_documents import as_accepted, end_of
from parley_core.storage.manifests import Manifests
from parley_core.storage.objects import object_store
from parley_core.storage.stored_job import stored_job

log = get_logger(__name__)


class DurableJobStore(IndexedJobStore):
    """JobStore on a Redis and an object store."""

    def __init__(self, index: JobIndex, objects: RecordingStore, lease_seconds: float = 30.0) -> None:
        super().__init__(index)
        self.manifests = Manifests(objects)
        self._objects, self._lease_seconds = objects, lease_seconds

    @classmethod
    def from_settings(cls, settings: Settings, objects: RecordingStore | None = None) -> DurableJobStore:
        """Return a store that connects at its first call."""
        objects = objects or object_store(settings)
        return cls(RedisJobStore.from_settings(settings), objects, settings.lease_seconds)

    # Submitting

    def create(
        self,
        new: NewJob,
        idempotency: IdempotencyKey | None = None,
        accepted_at: datetime | None = None,
        turns: int = 0,
    ) -> Created:
        """See JobRecorder.create. With Redis down the job is accepted all the same, and recorded later.

        Only the call that wrote the manifest removes it when Redis refuses the job. A manifest that another call wrote
        is that call's promise.

        Raises also ObjectStoreUnavailable: the manifest may have been written. The same id again is safe.
        """
        accepted = self.manifests.accept(new, idempotency)
        try:
            created = self.index.create(accepted, idempotency, accepted_at, turns)
        except JobStoreUnavailable:
            self.manifests.mark_unrecorded(new.id)
            log.warning("accepted without a record: the job store does not answer", job_id=new.id)
            return Created(as_accepted(accepted), replayed=False, recorded=False)
        except ParleyError:
            if accepted is new:
                self.manifests.forget(new.id)
            raise
        if created.job.id != new.id and accepted is new:
            self.manifests.forget(new.id)
        return created

    def record(self, job_id: str) -> Job | None:
        """Record an accepted job that Redis does not have, as the object store has it; None when nothing was accepted.

        Raises:
            ValueError: its manifest cannot be read.
            JobStoreFull: no room yet.
            JobPurged: it is gone.
        """
        trace = self.manifests.trace(job_id)
        if trace.purged:
            raise JobPurged
        found = self.manifests.find(job_id)
        if found is None:
            return None
        new, idempotency = found
        moment = accepted_at(job_id)
        if trace.run or trace.ended:
            self.restore(trace)
            return self.index.get(job_id)
        try:
            created = self.index.create(new, idempotency, moment).job
        except IdempotencyKeyReused:  # the key has served another job since
            created = self.index.create(new, None, moment).job
        return created if created.id == new.id else self.index.create(new, None, moment).job

    def find_accepted(self, job_id: str) -> Job | None:
        """Return an accepted job, and make sure that it gets its record; None when nothing was accepted.

        Raises JobPurged or ObjectStoreUnavailable.
        """
        try:
            return self._recorded(job_id)
        except JobNotFound:
            return None
        except JobStoreUnavailable:
            found = self.manifests.find(job_id)
            if found is None:
                return None
            self.manifests.mark_unrecorded(job_id)
            return as_accepted(found[0])

    # An attempt

    def start_attempt(self, job_id: str, worker: str, lease_seconds: float) -> tuple[Job, Lease] | None:
        """See AttemptStore.start_attempt. No ended run and no purged job starts. Raises also ObjectStoreUnavailable."""
        trace = self.manifests.trace(job_id)
        if trace.purged or trace.ended:
            with suppress(JobNotFound, JobPurged):
                self.follow(self.index.get(job_id), trace)
            if end := self.manifests.find_end(job_id, trace.run):
                self.index.apply_end(job_id, trace.run, end)  # that read may have been a demoted primary's
            if end or trace.purged:
                return None
        return self.index.start_attempt(job_id, worker, lease_seconds)

    def succeed(self, lease: Lease, result: ResultSummary) -> Job:
        """See AttemptStore.succeed. Raises also ObjectStoreUnavailable: the commit may be asked for again.

        The lease is renewed first, so that nobody takes the job away between the two stores. Once the end is stored the
        commit stands, whatever Redis has forgotten: whoever is refused here removes his result.
        """
        try:
            job = self._held(lease)
            self.index.renew(lease, self._lease_seconds, job.phase, job.progress)
            winner = self.manifests.end(job.id, job.run, end_of(job, JobState.SUCCEEDED, None, result))
            if winner.result is None or winner.result.key != result.key:
                self._follow(job, winner)
            return self.index.succeed(lease, result)
        except AttemptEnded:
            end = self.manifests.find_end(lease.job_id, self.manifests.trace(lease.job_id).run)
            own = result_key(lease.job_id, lease.nonce)
            if end is None or end.result is None or end.result.key != own:
                return self.index.succeed(lease, result)  # refuses and counts, or knows this commit already
        return self._show_commit(lease.job_id)

    def fail_attempt(self, lease: Lease, failure: Failure, then: RetryIn | GiveUp) -> Job:
        """See AttemptEnder.fail_attempt. The end of the job is in the object store first."""
        if isinstance(then, RetryIn):
            if failure.code == WorkerLost.code:
                self._show_lost_commit(lease)
            return self.index.fail_attempt(lease, failure, then)
        job = self._held(lease)
        if job.state.terminal:
            return self.index.fail_attempt(lease, failure, then)
        winner = self.manifests.end(job.id, job.run, end_of(job, JobState.FAILED, failure, None))
        if winner.state is not JobState.FAILED:
            self._follow(job, winner)
        try:
            return self.index.fail_attempt(lease, failure, then)
        except AttemptEnded:
            self.index.apply_end(job.id, job.run, winner)
            return self.index.get(job.id)

    def give_back(self, lease: Lease) -> None:
        self.index.give_back(lease)

    def count_ignored_checkpoint(self) -> None:
        self.index.count_ignored_checkpoint()

    # By hand

    def cancel(self, job_id: str) -> Job:
        """See SubmitStore.cancel. Raises also ObjectStoreUnavailable: the job goes on."""
        job = self._recorded(job_id)
        if job.state.terminal:
            return self.index.cancel(job_id)
        failure = Failure("job_cancelled", "Cancelled while it ran.") if job.state is JobState.RUNNING else None
        end = replace(end_of(job, JobState.CANCELLED, failure, None), error=None)
        winner = self.manifests.end(job_id, job.run, end)
        if winner.state is not JobState.CANCELLED:
            self.index.apply_end(job_id, job.run, winner)
            raise JobAlreadyTerminal("The job has ended already; there is nothing to cancel.")
        return self.index.cancel(job_id)

    def retry(self, job_id: str) -> Job:
        """See SubmitStore.retry. Raises also ObjectStoreUnavailable: nothing was begun."""
        job = self._recorded(job_id)
        if job.state in (JobState.FAILED, JobState.CANCELLED):
            if self.manifests.trace(job_id).purged:
                raise JobPurged("This job is being deleted.")
            if not self.manifests.begin_run(job_id, job.run + 1):
                raise JobNotRetryable(RECORDING_REMOVED)
        return self.index.retry(job_id, job.run)

    def condemn(self, job_id: str) -> None:
        """See JobRecorder.condemn. A tombstone is left: from now on nothing may bring the job back.

        Raises also ObjectStoreUnavailable.
        """
        try:
            self.index.condemn(job_id)
        except JobNotFound:  # not recorded yet
            self._recorded(job_id)
            self.index.condemn(job_id)
        self.manifests.condemn(job_id)

    def remove(self, job: Job) -> tuple[str, ...]:
        """Remove an ended job by hand, for good; return what was removed: recording, result, transcript, record.

        The tombstone comes first, so that nothing brings the job back, and the record goes last, so that a removal that
        was broken off is done again.

        Raises:
            JobNotFinished: it has not ended.
            JobPurged, JobNotFound: it is gone already.
            ObjectStoreUnavailable, JobStoreUnavailable: try again.
        """
        self.condemn(job.id)
        removed = self._remove_objects([job], lambda: None)
        self.purge(job.id)
        result = ("result",) if any(key.endswith(".json") for key in removed) else ()
        transcript = ("transcript",) if any(map(is_transcript, removed)) else ()
        recording = () if job.recording_removed else ("recording",)
        return (*recording, *result, *transcript, "record")

    def remove_recording(self, job_id: str, now: datetime) -> bool:
        """Remove the recording of an ended job, and keep the rest; return whether it is gone.

        Raises ValueError for a manifest that cannot be read, ObjectStoreUnavailable or JobStoreUnavailable.
        """
        recording = self.manifests.condemn_recording(job_id, now)
        if recording is None:
            return False
        self._objects.delete(recording.key)
        self.index.note_recording_removed(job_id)
        return True

    def remove_expired(self, jobs: Sequence[Job], note_progress: Callable[[], None]) -> list[Job]:
        """Remove ended jobs whose retention is over; return those that this call removed.

        The order is that of `remove`. Each step is made for all jobs before the next one begins, so that they share
        flushes and round trips. A job that is gone already, or was retried, is passed over.

        Args:
            note_progress: called after each object.

        Raises ObjectStoreUnavailable or JobStoreUnavailable: try again.
        """
        condemned = set(self.index.condemn_each([job.id for job in jobs]))
        jobs = [job for job in jobs if job.id in condemned]
        ids = [job.id for job in jobs]
        self.manifests.condemn_each(ids, note_progress)
        self._remove_objects(jobs, note_progress)
        self.manifests.forget_each(ids, note_progress)
        purged = set(self.index.purge_each(ids))
        return [job for job in jobs if job.id in purged]

    def _remove_objects(self, jobs: Sequence[Job], note_progress: Callable[[], None]) -> Sequence[str]:
        """Remove recordings, results and checkpoints; return their keys."""
        folders = [folder(job.id) for folder in (result_folder, checkpoint_folder) for job in jobs]
        keys = [*(job.recording.key for job in jobs), *self._objects.keys_each(folders, note_progress)]
        self._objects.delete_each(keys, note_progress)
        return keys

    def purge(self, job_id: str) -> None:
        """See JobRecorder.purge. The manifest goes before the record."""
        self.manifests.forget(job_id)
        self.index.purge(job_id)

    # Looking

    def get(self, job_id: str) -> Job:
        """Return the job as recorded, or as the object store has it where Redis does not.

        Raises:
            JobNotFound, JobPurged: nobody has it.
            JobStoreUnavailable: Redis does not answer, and the object store does not have it or does not answer.
            RecordUnreadable: its manifest is damaged.
        """
        try:
            return self.index.get(job_id)
        except (JobNotFound, JobStoreUnavailable) as error:
            return stored_job(self.manifests, job_id, error)

    # Where the two disagree

    def restore(self, trace: JobTrace) -> bool:
        """Write the record of an accepted job that Redis does not have; say whether this call wrote it.

        Raises ObjectStoreUnavailable, or ValueError for a manifest that cannot be read.
        """
        found = self.manifests.find(trace.job_id)
        if found is None:
            return False
        end = self.manifests.find_end(trace.job_id, trace.run) if trace.ended else None
        return self.index.restore(found[0], accepted_at(trace.job_id), trace.run, end)

    def follow(self, job: Job, trace: JobTrace) -> bool:
        """Make a job's record follow the object store; say whether it had to. Raises ObjectStoreUnavailable."""
        if trace.purged:
            self._drop(job)
            return True
        corrected = False
        while job.run < trace.run and (job.state.terminal or self._end_run(job)):
            job = self.index.retry(job.id, job.run)
            corrected = True
        if trace.ended and not job.state.terminal:
            corrected |= self._end_run(job)
        return corrected

    def _recorded(self, job_id: str) -> Job:
        try:
            return self.index.get(job_id)
        except JobNotFound as error:
            job = self.record(job_id)
            if job is None:
                raise error from None
            return job

    def _show_lost_commit(self, lease: Lease) -> None:
        """Show the end of a silent attempt's run, if there is one: Redis has lost it. Raises LeaseLost then.

        While the object store is away nobody knows, and nobody can start another attempt.
        """
        job = self._held(lease)
        with suppress(ObjectStoreUnavailable):
            if self.follow(job, self.manifests.trace(job.id)):
                raise LeaseLost("The job has ended; Redis has lost its end.")

    def _show_commit(self, job_id: str) -> Job:
        """Show an end that Redis does not have: it has lost the attempt between the two stores."""
        job = self._recorded(job_id)
        self._end_run(job)
        return self.index.get(job_id)

    def _held(self, lease: Lease) -> Job:
        """Return the job of a lease. Raises LeaseLost when there is none, or when another attempt has been started."""
        try:
            job = self.index.get(lease.job_id)
        except (JobNotFound, JobPurged):
            raise LeaseLost("The job is gone.") from None
        if job.nonce != lease.nonce:
            raise LeaseLost("Another attempt owns the job, or it has ended.")
        return job

    def _follow(self, job: Job, winner: JobEnd) -> None:
        """Show an end that somebody else wrote, and tell this attempt that it is over."""
        self.index.apply_end(job.id, job.run, winner)
        if winner.state is JobState.CANCELLED:
            raise JobCancelled("The job was cancelled.")
        raise LeaseLost("The job has ended.")

    def _end_run(self, job: Job) -> bool:
        end = self.manifests.find_end(job.id, job.run)
        if end is not None:
            self.index.apply_end(job.id, job.run, end)
        return end is not None

    def _drop(self, job: Job) -> None:
        """Forget the record of a job that was purged: a Redis that lost writes has brought it back."""
        self.index.apply_end(job.id, job.run, JobEnd(JobState.CANCELLED, datetime.now(UTC), token=job.token))
        with suppress(JobNotFound, JobPurged):
            self.index.purge(job.id)
