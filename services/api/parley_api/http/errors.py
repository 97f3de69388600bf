"""Errors that only HTTP knows. They continue the tree of parley_core.errors.

PermanentError
├── InvalidRequest
│   ├── InvalidOption              an option or parameter has a wrong value
│   ├── UnknownOption              an option that Parley does not have
│   ├── AudioMissing               a form without a recording in the part `audio`
│   ├── MalformedBody              the form is damaged or cut off
│   ├── AmbiguousLength            a request with two statements of its length
│   ├── SessionIdMissing           the consult workflow without `X-Session-ID`
│   ├── UnknownSpeaker             no speaker of the job has this label
│   ├── InvalidTranscript          a transcript that cannot be read, or of another recording
│   ├── SpeakerWithoutEmbedding    this speaker says too little alone for an embedding
│   └── InvalidCorrection          a correction that does not fit its version of the result
├── LinkNotAllowed                 a link to a host or bucket that the tenant may not name
├── LinkUnusable                   the host of a link answers with something else than the recording
├── LinkChanged                    the recording behind a link is not the one that the caller means
├── UnsupportedTus                 a request that follows no version of the tus protocol that is spoken here
├── UploadNotFound                 the tenant has no resumable upload with this id
├── UploadExpired                  the time of the resumable upload is over
├── UploadOffsetConflict           the resumable upload ends elsewhere
├── UploadTooLong                  more bytes than the resumable upload lacks
├── TooManyParts                   the resumable upload has as many parts as it may
├── UploadIncomplete               a submit of a resumable upload that lacks bytes
├── CorrectionConflict             another correction was made in the meantime
├── TooManyCorrections             the result has as many corrections as it may
├── VersionNotFound                the result has no such version
├── UnsupportedBody                a body of a media type that the call does not take
├── BodyTooLarge                   a JSON body over the limit
├── SpeakerEmbeddingsNotKept       the job was submitted without `speaker_embeddings=true`
├── RecordingRemoved               the recording went before the result
├── PeaksNotKept                   the job ended before workers kept the peaks of waveforms
├── TranscriptNotFound             the job has no transcript
├── NotAcceptable                  `Accept` allows no format of the turns
├── Unauthenticated                no API key
│   ├── UnknownKey                 an API key that the server does not know, or no longer
│   ├── ExpiredKey                 an API key whose time is over
│   ├── UnknownLink                a shared link that opens nothing, or no longer
│   └── ExpiredLink                a shared link whose time is over
├── AudioNotShared                 the shared link does not play the recording
├── ShareNotFound                  the job has no shared link with this id
├── TooManyShares                  the job has as many shared links as it may
├── SharingOff                     the server makes no shared links
├── ScopeMissing                   the key may not do this
├── KeyNotFound                    the tenant has no API key with this id
├── TooManyKeys                    the tenant has as many API keys as it may
├── KeysOff                        the server has no keys
├── UnknownHost                    without keys, only requests of this machine are served
├── JobNotFinished
│   └── TurnsNotYet                with the job's state
└── JobNotSucceeded
    └── NoTurns                    with the job's state and error
RetryableError
├── BodyStalled                    the body stopped arriving, or arrives too slowly
├── LinkUnreachable                the host of a link does not answer now
├── TooManyUploads                 no slot for another upload
├── TenantLimited                  a limit of the tenant
│   ├── RateLimited                too many calls in a minute
│   └── QuotaExceeded              as many jobs, hours or bytes as the tenant may have
├── AuditUnavailable               the audit log is required and cannot be written
└── NotReady                       a component that Parley needs is down

The table in problems.py has status, meaning and remedy of every code.
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


class AmbiguousLength(InvalidRequest):
    code = "ambiguous_length"


class SessionIdMissing(InvalidRequest):
    code = "session_id_missing"


class UnknownSpeaker(InvalidRequest):
    code = "unknown_speaker"


class ConsentRequired(InvalidRequest):
    code = "consent_required"


class InvalidTranscript(InvalidRequest):
    code = "invalid_transcript"


class SpeakerWithoutEmbedding(InvalidRequest):
    code = "speaker_without_embedding"


class InvalidCorrection(InvalidRequest):
    code = "invalid_correction"


class LinkNotAllowed(PermanentError):
    code = "link_not_allowed"


class LinkUnusable(PermanentError):
    code = "link_unusable"


class LinkChanged(PermanentError):
    code = "link_changed"


class LinkUnreachable(RetryableError):
    code = "link_unreachable"


class BatchNotFound(PermanentError):
    code = "batch_not_found"


class UnsupportedTus(PermanentError):
    code = "unsupported_tus_version"


class UploadNotFound(PermanentError):
    code = "upload_not_found"


class UploadExpired(PermanentError):
    code = "upload_expired"


class UploadOffsetConflict(PermanentError):
    """`offset` is the number of bytes that the server has, as far as it knows."""

    code = "upload_offset_conflict"

    def __init__(self, offset: int) -> None:
        super().__init__(f"The upload has {offset} bytes, or another request writes to it. Ask for its offset.")
        self.members = {"offset": offset}


class UploadTooLong(PermanentError):
    code = "upload_too_long"


class TooManyParts(PermanentError):
    code = "too_many_parts"


class UploadIncomplete(PermanentError):
    """`offset` is the number of bytes that the server has."""

    code = "upload_incomplete"

    def __init__(self, offset: int, length: int) -> None:
        super().__init__(f"The upload has {offset} of {length} bytes. Send the rest first.")
        self.members = {"offset": offset}


class CorrectionConflict(PermanentError):
    """`version` is the newest version of the result."""

    code = "correction_conflict"

    def __init__(self, version: int) -> None:
        super().__init__(f"Another correction was made in the meantime. The newest version is {version}.")
        self.members = {"version": version}


class TooManyCorrections(PermanentError):
    code = "too_many_corrections"


class VersionNotFound(PermanentError):
    code = "version_not_found"


class SpeakerEmbeddingsNotKept(PermanentError):
    code = "speaker_embeddings_not_kept"


class RecordingRemoved(PermanentError):
    code = "recording_removed"


class PeaksNotKept(PermanentError):
    code = "peaks_not_kept"


class UnsupportedBody(PermanentError):
    code = "unsupported_media_type"


class TranscriptNotFound(PermanentError):
    code = "transcript_not_found"


class NotAcceptable(PermanentError):
    code = "not_acceptable"


class Unauthenticated(PermanentError):
    code = "unauthenticated"


class UnknownKey(Unauthenticated):
    code = "unknown_key"


class ExpiredKey(Unauthenticated):
    code = "expired_key"


class UnknownLink(Unauthenticated):
    code = "unknown_link"


class ExpiredLink(Unauthenticated):
    code = "expired_link"


class AudioNotShared(PermanentError):
    code = "audio_not_shared"


class ShareNotFound(PermanentError):
    code = "share_not_found"


class TooManyShares(PermanentError):
    code = "too_many_shares"


class SharingOff(PermanentError):
    code = "sharing_off"


class ScopeMissing(PermanentError):
    code = "scope_missing"


class KeyNotFound(PermanentError):
    code = "key_not_found"


class TooManyKeys(PermanentError):
    code = "too_many_keys"


class KeysOff(PermanentError):
    code = "keys_off"


class UnknownHost(PermanentError):
    code = "unknown_host"


class BodyTooLarge(PermanentError):
    code = "body_too_large"


class BodyStalled(RetryableError):
    code = "body_stalled"


class TooManyUploads(RetryableError):
    code = "too_many_uploads"


class TooManyWaits(RetryableError):
    code = "too_many_waits"


class TenantLimited(RetryableError):
    """A limit of the tenant.

    Attributes:
        retry_after: seconds after which the same call can succeed.
    """

    def __init__(self, detail: str, limit: str, retry_after: int) -> None:
        super().__init__(detail)
        self.members = {"limit": limit}
        self.retry_after = retry_after


class RateLimited(TenantLimited):
    code = "rate_limited"


class QuotaExceeded(TenantLimited):
    code = "quota_exceeded"


class AuditUnavailable(RetryableError):
    code = "audit_unavailable"

    def __init__(self) -> None:
        super().__init__("The audit log cannot be written, and this server serves nothing without it.")


class NotReady(RetryableError):
    """`missing` names the components that are down."""

    code = "not_ready"

    def __init__(self, missing: dict[str, str]) -> None:
        super().__init__("Down: " + "; ".join(f"{name} ({why})" for name, why in missing.items()) + ".")
        self.members = {"missing": missing}


class TurnsNotYet(JobNotFinished):
    """The turns of an unfinished job."""

    def __init__(self, job: Job) -> None:
        super().__init__(f"The job is {job.state}. Its turns exist once it has succeeded.")
        self.members = {"state": job.state}


class NoTurns(JobNotSucceeded):
    """The turns of a failed or cancelled job, with the reason."""

    def __init__(self, job: Job) -> None:
        error = {"code": job.error.code, "detail": job.error.detail} if job.error else None
        super().__init__(f"The job {job.state}: {job.error.detail}" if job.error else f"The job was {job.state}.")
        self.members = {"state": job.state, "error": error}
