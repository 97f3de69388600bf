"""Hands requests for words to workers, and ends those that no worker survives."""

from __future__ import annotations

from dataclasses import dataclass

from parley_core.durable_job_store import DurableJobStore
from parley_core.errors import ParleyError, RetryableError, WorkerLost
from parley_core.job import MAX_ATTEMPTS
from parley_core.logs import get_logger
from parley_core.ports import JobQueue, RecordingStore
from parley_core.recording import result_folder, words_key
from parley_core.redis.words_requests import RedisWordsRequests
from parley_core.transcript import Transcription
from parley_keeper.loop import NoteProgress

log = get_logger(__name__)


@dataclass(frozen=True, slots=True)
class RequestedWords:
    """Requests for words that a Redis has lost."""

    requests: RedisWordsRequests
    store: DurableJobStore
    objects: RecordingStore

    def restore(self, earliest: str, note_progress: NoteProgress) -> int:
        """Make the requests again that were noted from a day on, that Redis does not know and that have no words.

        Returns how many. Raises JobStoreUnavailable or ObjectStoreUnavailable.
        """
        restored = 0
        for job_id, asked_at in self.store.manifests.words_requests(earliest):
            note_progress()
            try:
                result = self.store.index.get(job_id).result
                if result is None or words_key(result.key) not in self.objects.keys(f"{result_folder(job_id)}/"):
                    restored += self.requests.request(job_id, asked_at, lost=True)
            except RetryableError:
                raise
            except (ValueError, ParleyError) as error:  # the job or its recording is gone
                log.info("request for words not restored", job_id=job_id, reason=type(error).__name__)
        return restored


def publish_requests(requests: RedisWordsRequests, queue: JobQueue, note_progress: NoteProgress) -> int:
    """Publish the requests that no worker has; return how many. One whose workers were lost often is given up."""
    due = requests.claim_due()
    for one in due:
        job_id = one.dispatch.job_id
        if one.lost_worker:
            log.warning("worker lost with a transcription", job_id=job_id, worker=one.lost_worker)
        if one.attempts < MAX_ATTEMPTS:
            queue.publish(one.dispatch)
        else:
            lost = WorkerLost(f"Worker {one.lost_worker} has not renewed its lease in time.")
            requests.answer(job_id, "", Transcription(error_code=lost.code, error_detail=lost.detail))
        note_progress()
    return len(due)
