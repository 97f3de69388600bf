"""Hands requests for words to workers, and ends those that no worker survives."""

from __future__ import annotations

from parley_core.errors import WorkerLost
from parley_core.job import MAX_ATTEMPTS
from parley_core.logs import get_logger
from parley_core.ports import JobQueue
from parley_core.redis.words_requests import RedisWordsRequests
from parley_core.transcript import Transcription
from parley_keeper.loop import NoteProgress

log = get_logger(__name__)


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
