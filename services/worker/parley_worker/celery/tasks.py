"""The one Celery task."""

from __future__ import annotations

import signal

from billiard.pool import SIG_SOFT_TIMEOUT
from celery import Celery

from parley_core.celery_queue import TASK
from parley_worker.attempt.attempt import run_attempt
from parley_worker.attempt.retry import SoftLimitReached
from parley_worker.dependencies import dependencies


def diarize(job_id: str) -> str:
    """Make one attempt at a job; return its outcome, which Flower shows."""
    # Billiard installs a handler of its own after every fork. This one raises an error that attempts know.
    signal.signal(SIG_SOFT_TIMEOUT, _raise_soft_limit)
    return run_attempt(job_id, dependencies()).value


def _raise_soft_limit(*_: object) -> None:
    raise SoftLimitReached


def register(app: Celery) -> None:
    """Make the task known to a Celery application."""
    app.task(name=TASK)(diarize)
