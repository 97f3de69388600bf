"""A worker that has taken a message publishes the next jobs in fair order: the next message is there in time."""

from __future__ import annotations

from functools import cache

from parley_core.celery_queue import CeleryJobQueue
from parley_core.logs import get_logger
from parley_core.ports import TurnTaker
from parley_core.settings import Settings
from parley_worker.attempt.retry import STORE_ERRORS

TURNS = 8  # jobs published at a time; more than one where other workers have joined or messages were of cancelled jobs

log = get_logger(__name__)


@cache
def _queue() -> CeleryJobQueue:
    """Return the queue of this process: connections do not survive a fork."""
    return CeleryJobQueue.from_settings(Settings())


def publish_next(store: TurnTaker) -> None:
    """Publish the jobs whose turn it is. What fails here the keeper does a moment later."""
    try:
        for dispatch in store.take_turns(TURNS):
            _queue().publish(dispatch)
            store.mark_queued(dispatch)
    except STORE_ERRORS as error:
        log.warning("next jobs not published; the keeper will publish them", code=error.code)
