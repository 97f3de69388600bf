"""Parley's Python client: submit recordings of conversations and learn who spoke when."""

from parley._transport import RetryPolicy
from parley.cli.timeline import render_turns
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
from parley.voiceprints import SpeakerIdentity, Voiceprint

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
    "QueueStatus",
    "Recording",
    "ResultSummary",
    "RetryPolicy",
    "SpeakerIdentity",
    "Turn",
    "Turns",
    "UnexpectedAnswer",
    "Voiceprint",
    "WaitTimedOut",
    "render_turns",
]
