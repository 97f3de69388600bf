"""The one Celery task."""

from __future__ import annotations

import signal
from dataclasses import replace

from billiard.pool import SIG_SOFT_TIMEOUT
from celery import Celery
from celery.exceptions import Reject

from parley_core.celery_queue import TASK
from parley_worker.attempt.attempt import Outcome, run_attempt
from parley_worker.attempt.retry import SoftLimitReached
from parley_worker.celery import metrics
from parley_worker.celery.next_messages import publish_next
from parley_worker.celery.planned_stop import stop_requested
from parley_worker.dependencies import dependencies


def diarize(job_id: str) -> str:
    """Make one attempt at a job; return its outcome, which Flower shows.

    Raises:
        Reject: the worker stops. The message goes back to the front of its queue.
    """
    # Billiard installs a handler of its own after every fork. This one raises an error that attempts know.
    signal.signal(SIG_SOFT_TIMEOUT, _raise_soft_limit)
    of_celery = replace(
        dependencies(), stopping=stop_requested, publish_next=publish_next, note_phases=metrics.note_phases
    )
    outcome = run_attempt(job_id, of_celery)
    if outcome is Outcome.GIVEN_BACK:
        raise Reject(outcome.value, requeue=True)
    return outcome.value


def _raise_soft_limit(*_: object) -> None:
    raise SoftLimitReached


def register(app: Celery) -> None:
    """Make the task known to a Celery application."""
    app.task(name=TASK)(diarize)
