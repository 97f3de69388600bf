"""The one Celery task."""

from __future__ import annotations

from celery import Celery

from parley_core.celery_queue import TASK
from parley_worker.attempt.attempt import run_attempt
from parley_worker.dependencies import dependencies


def diarize(job_id: str) -> str:
    """Make one attempt at a job; what came of it stands in the record, and its name in Flower."""
    return run_attempt(job_id, dependencies()).value


def register(app: Celery) -> None:
    """Make the task known to a Celery application."""
    app.task(name=TASK)(diarize)
