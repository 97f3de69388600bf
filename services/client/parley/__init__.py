"""Parley's Python client: submit recordings of conversations and get their speaker turns."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from parley._retry import RetryPolicy
from parley.batches import Batch, BatchItem, BatchSummary
from parley.corrections import Candidate, Correction, Question, Questions, Redecided
from parley.errors import (
    BatchUnfinished,
    ParleyApiError,
    ParleyClientError,
    ParleyConnectionError,
    ParleyUnavailable,
    UnexpectedResponse,
    WaitTimedOut,
)
from parley.models import Attempt, Eta, Failure, Job, QueueStatus, Recording, ResultSummary
from parley.options import SubmitOptions
from parley.results import (
    AudioQuality,
    AudioWarning,
    SpeakerCount,
    SpeakerIdentity,
    SpeakerPurity,
    SpokenWord,
    Transcript,
    Turn,
    Turns,
)
from parley.tenant import ApiKey, Consent, Delivery, Share, Usage, UsageOfDay, Voiceprint

if TYPE_CHECKING:
    from parley.async_client import AsyncParley
    from parley.client import Parley

__version__ = "0.1.0"

__all__ = [
    "ApiKey",
    "AsyncParley",
    "Attempt",
    "AudioQuality",
    "AudioWarning",
    "Batch",
    "BatchItem",
    "BatchSummary",
    "BatchUnfinished",
    "Candidate",
    "Consent",
    "Correction",
    "Delivery",
    "Eta",
    "Failure",
    "Job",
    "Parley",
    "ParleyApiError",
    "ParleyClientError",
    "ParleyConnectionError",
    "ParleyUnavailable",
    "Question",
    "Questions",
    "QueueStatus",
    "Recording",
    "Redecided",
    "ResultSummary",
    "RetryPolicy",
    "Share",
    "SpeakerCount",
    "SpeakerIdentity",
    "SpeakerPurity",
    "SpokenWord",
    "SubmitOptions",
    "Transcript",
    "Turn",
    "Turns",
    "UnexpectedResponse",
    "Usage",
    "UsageOfDay",
    "Voiceprint",
    "WaitTimedOut",
]


CLIENTS = {"AsyncParley": "parley.async_client", "Parley": "parley.client"}


def __getattr__(name: str) -> Any:
    """Import a client at its first use: httpx costs `parley --help` more than everything else together."""
    if name not in CLIENTS:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(CLIENTS[name]), name)
