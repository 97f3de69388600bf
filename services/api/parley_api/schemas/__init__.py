"""What the API answers, as models: jobs, turns, queues, voices, and what they share."""

from parley_api.schemas.base import MOST_CHANNELS, OkAnswer, ProblemAnswer
from parley_api.schemas.jobs import (
    ErrorAnswer,
    EventAnswer,
    JobAnswer,
    JobPageAnswer,
    ReceiptAnswer,
    RecordingAnswer,
)
from parley_api.schemas.queues import QueueAnswer, QueuesAnswer
from parley_api.schemas.turns import ConsultAccepted, ConsultAnswer, TurnsAnswer
from parley_api.schemas.voiceprints import EnrolRequest, VoiceprintAnswer, VoiceprintReceiptAnswer, VoiceprintsAnswer

__all__ = [
    "MOST_CHANNELS",
    "ConsultAccepted",
    "ConsultAnswer",
    "EnrolRequest",
    "ErrorAnswer",
    "EventAnswer",
    "JobAnswer",
    "JobPageAnswer",
    "OkAnswer",
    "ProblemAnswer",
    "QueueAnswer",
    "QueuesAnswer",
    "ReceiptAnswer",
    "RecordingAnswer",
    "TurnsAnswer",
    "VoiceprintAnswer",
    "VoiceprintReceiptAnswer",
    "VoiceprintsAnswer",
]
