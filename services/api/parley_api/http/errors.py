"""Errors that only HTTP knows; the tree of parley_core.errors goes on here.

PermanentError
├── InvalidRequest
│   ├── InvalidOption          an option's value is wrong
│   ├── UnknownOption          an option that Parley does not have
│   ├── AudioMissing           a form without an `audio` part
│   ├── MalformedBody          the form is damaged or cut off
│   ├── SessionIdMissing       the consult workflow without `X-Session-ID`
│   ├── UnknownSpeaker         no speaker of the job has this label
│   └── SpeakerWithoutEmbedding    this one says too little alone for a voice
├── UnsupportedBody            a body of another media type than this call takes
├── BodyTooLarge               a JSON body that is longer than any honest one
├── SpeakerEmbeddingsNotKept              the job was not submitted with `speaker_embeddings=true`
├── NotAcceptable              no format of the turns that the caller takes
├── Unauthenticated            no API key, or none that is known
├── UnknownHost                without keys, only this machine's own names are served
├── JobNotFinished
│   └── TurnsNotYet            with the job's state
└── JobNotSucceeded
    └── NoTurns                with the job's state and error
RetryableError
└── NotReady                   a part that Parley needs is missing
"""

from __future__ import annotations

from parley_core.errors import InvalidRequest, JobNotFinished, JobNotSucceeded, PermanentError, RetryableError
from parley_core.job import Job


class InvalidOption(InvalidRequest):
    code = "invalid_option"


class UnknownOption(InvalidRequest):
    code = "unknown_option"


class AudioMissing(InvalidRequest):
    code = "audio_missing"


class MalformedBody(InvalidRequest):
    code = "malformed_body"


class SessionIdMissing(InvalidRequest):
    code = "session_id_missing"


class UnknownSpeaker(InvalidRequest):
    code = "unknown_speaker"


class SpeakerWithoutEmbedding(InvalidRequest):
    code = "speaker_without_embedding"


class SpeakerEmbeddingsNotKept(PermanentError):
    code = "speaker_embeddings_not_kept"


class UnsupportedBody(PermanentError):
    code = "unsupported_media_type"


class NotAcceptable(PermanentError):
    code = "not_acceptable"


class Unauthenticated(PermanentError):
    code = "unauthenticated"


class UnknownHost(PermanentError):
    code = "unknown_host"


class BodyTooLarge(PermanentError):
    code = "body_too_large"


class BodyStalled(RetryableError):
    code = "body_stalled"


class NotReady(RetryableError):
    """`missing` names the parts."""

    code = "not_ready"

    def __init__(self, missing: dict[str, str]) -> None:
        super().__init__("Missing: " + "; ".join(f"{part} ({why})" for part, why in missing.items()))
        self.members = {"missing": missing}


class TurnsNotYet(JobNotFinished):
    """The turns of an unfinished job."""

    def __init__(self, job: Job) -> None:
        super().__init__(f"The job is {job.state}; its turns are there once it has succeeded.")
        self.members = {"state": job.state}


class NoTurns(JobNotSucceeded):
    """The turns of a failed or cancelled job, with the reason."""

    def __init__(self, job: Job) -> None:
        super().__init__(f"The job {job.state}: {job.error.detail}" if job.error else f"The job was {job.state}.")
        error = {"code": job.error.code, "detail": job.error.detail} if job.error else None
        self.members = {"state": job.state, "error": error}
