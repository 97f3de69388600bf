"""Parley's Python client: submit recordings of conversations and learn who spoke when."""

from parley.client import Parley
from parley.errors import (
    ParleyApiError,
    ParleyClientError,
    ParleyConnectionError,
    ParleyUnavailable,
    UnexpectedAnswer,
    WaitTimedOut,
)
from parley.models import Attempt, Failure, Job, QueueStatus, Recording, ResultSummary, Turn, Turns
from parley.timeline import render_turns
from parley.transport import RetryPolicy
from parley.voices import Person, Voice

__version__ = "0.1.0"

__all__ = [
    "Attempt",
    "Failure",
    "Job",
    "Parley",
    "ParleyApiError",
    "ParleyClientError",
    "ParleyConnectionError",
    "ParleyUnavailable",
    "Person",
    "QueueStatus",
    "Recording",
    "ResultSummary",
    "RetryPolicy",
    "Turn",
    "Turns",
    "UnexpectedAnswer",
    "Voice",
    "WaitTimedOut",
    "render_turns",
]
