"""Models of the requests and responses: jobs, turns, queues, voiceprints, and what they share."""

from parley_api.schemas.base import OkAnswer, Problem, ReadyAnswer, Reference
from parley_api.schemas.corrections import CorrectionAnswer, CorrectionRequest, CorrectionsAnswer
from parley_api.schemas.deliveries import DeliveriesAnswer, DeliveryAnswer, JobEndMessage
from parley_api.schemas.jobs import (
    ErrorAnswer,
    EventAnswer,
    JobAnswer,
    JobPageAnswer,
    ReceiptAnswer,
    RecordingAnswer,
)
from parley_api.schemas.keys import CreatedKeyAnswer, KeyAnswer, KeyReceiptAnswer, KeyRequest, KeysAnswer
from parley_api.schemas.options import ConsultOptions, SubmitOptions, clean_file_name
from parley_api.schemas.questions import QuestionsAnswer
from parley_api.schemas.queues import QueueAnswer, QueuesAnswer
from parley_api.schemas.shares import (
    CreatedShareAnswer,
    ShareAnswer,
    SharedJobAnswer,
    ShareReceiptAnswer,
    ShareRequest,
    SharesAnswer,
)
from parley_api.schemas.transcripts import TranscriptAnswer, TranscriptReceiptAnswer
from parley_api.schemas.turns import ConsultAccepted, ConsultAnswer, TurnsAnswer
from parley_api.schemas.usage import UsageAnswer, UsageQuery
from parley_api.schemas.voiceprints import EnrolRequest, VoiceprintAnswer, VoiceprintReceiptAnswer, VoiceprintsAnswer

__all__ = [
    "ConsultAccepted",
    "ConsultAnswer",
    "ConsultOptions",
    "CorrectionAnswer",
    "CorrectionRequest",
    "CorrectionsAnswer",
    "CreatedKeyAnswer",
    "CreatedShareAnswer",
    "DeliveriesAnswer",
    "DeliveryAnswer",
    "EnrolRequest",
    "ErrorAnswer",
    "EventAnswer",
    "JobAnswer",
    "JobEndMessage",
    "JobPageAnswer",
    "KeyAnswer",
    "KeyReceiptAnswer",
    "KeyRequest",
    "KeysAnswer",
    "OkAnswer",
    "Problem",
    "QuestionsAnswer",
    "QueueAnswer",
    "QueuesAnswer",
    "ReadyAnswer",
    "ReceiptAnswer",
    "RecordingAnswer",
    "Reference",
    "ShareAnswer",
    "ShareReceiptAnswer",
    "ShareRequest",
    "SharedJobAnswer",
    "SharesAnswer",
    "SubmitOptions",
    "TranscriptAnswer",
    "TranscriptReceiptAnswer",
    "TurnsAnswer",
    "UsageAnswer",
    "UsageQuery",
    "VoiceprintAnswer",
    "VoiceprintReceiptAnswer",
    "VoiceprintsAnswer",
    "clean_file_name",
]
