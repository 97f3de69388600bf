"""Table of all problems: what each code means, which status it has, and what to do.

docs/reference/errors.md is made from this table.
"""

from __future__ import annotations

from collections.abc import Mapping

from parley_api.http import errors as api
from parley_api.http.kind import Kind
from parley_api.http.result_kinds import RESULT_KINDS
from parley_api.http.upload_kinds import UPLOAD_KINDS
from parley_core import errors as core

CLIENT_CLOSED_REQUEST = 499  # no caller is left to read it; it only shows in the log and in metrics


NOT_FOUND, METHOD_NOT_ALLOWED, INTERNAL_ERROR = "not_found", "method_not_allowed", "internal_error"
INVALID_RANGE, CLIENT_CLOSED = "invalid_range", "client_closed_request"

KINDS: Mapping[str, Kind] = {
    # The request
    api.InvalidOption.code: Kind(
        422,
        "Invalid value",
        "An option, a parameter or a member of the body has a value that is not allowed.",
        "Correct the values that `errors` names.",
    ),
    api.UnknownOption.code: Kind(
        422,
        "Unknown option",
        "The call has no option, parameter or member of this name.",
        "Check the spelling of the names in `errors` or `detail`.",
    ),
    core.InvalidRequest.code: Kind(
        422,
        "Invalid request",
        "A header or a cursor is wrong.",
        "Correct what `detail` names.",
    ),
    api.AudioMissing.code: Kind(
        422,
        "Recording missing",
        "The form has no part `audio`.",
        "Send the recording in the part `audio`: `curl -F audio=@visit.wav`.",
    ),
    api.MalformedBody.code: Kind(
        422,
        "Malformed form",
        "The multipart form is damaged, cut off, or has too many parts.",
        "Send the request again, with a library that writes multipart forms.",
    ),
    api.SessionIdMissing.code: Kind(
        422,
        "Session id missing",
        "A call of the consult workflow has no header `X-Session-ID`.",
        "Send the id of the consult's session in the header.",
    ),
    api.UnsupportedBody.code: Kind(
        415,
        "Unsupported media type",
        "The call does not take a body of this `Content-Type`.",
        "Send `multipart/form-data`, `audio/*` or JSON with a link to submit, `application/json` to enrol, JSON or "
        "text as a transcript.",
    ),
    api.BodyTooLarge.code: Kind(
        413,
        "Body too large",
        "The body is longer than the call allows: 16 KiB of JSON, or 32 MiB of a transcript.",
        "Send only the members that the call describes, or a transcript without what Parley does not read.",
    ),
    api.BodyStalled.code: Kind(
        408,
        "Upload stalled",
        "No byte of the body arrived for 30 seconds, or less than 1 kB a second.",
        "Send the request again.",
        retry_after=5,
    ),
    api.TooManyUploads.code: Kind(
        429,
        "Too many uploads",
        "Your tenant, or this server, receives as many recordings at a time as it may.",
        "Send the request again; wait for earlier uploads.",
        retry_after=5,
    ),
    api.TooManyWaits.code: Kind(
        429,
        "Too many waits",
        "Your tenant has as many calls open that wait for a job as it may.",
        "Wait for fewer jobs at a time, or use a callback URL.",
        retry_after=5,
    ),
    api.RateLimited.code: Kind(
        429,
        "Rate limited",
        "Your tenant has made as many calls in a minute as it may. `limit` names the rate.",
        "Send the request again after `Retry-After`. The headers `RateLimit` and `RateLimit-Policy` say what is left.",
        retry_after=1,
    ),
    api.QuotaExceeded.code: Kind(
        429,
        "Quota exceeded",
        "Your tenant has as many jobs, hours of audio or bytes of recordings as it may. `limit` names which.",
        "Send the request again after `Retry-After`, or delete what you no longer need.",
        retry_after=10,
    ),
    api.LinkNotAllowed.code: Kind(
        403,
        "Link not allowed",
        "Your tenant may not have recordings fetched from this host or bucket.",
        "Send the recording itself, or ask the operator to add the host or bucket.",
    ),
    api.LinkUnreachable.code: Kind(
        424,
        "Link unreachable",
        "The host of the link does not answer in time, or says that it cannot answer now.",
        "Send the request again after `Retry-After`.",
        retry_after=30,
    ),
    api.LinkUnusable.code: Kind(
        422,
        "Link unusable",
        "The host of the link answers with something else than the recording.",
        "Do what `detail` says. A signed link may have expired: make a new one.",
    ),
    api.LinkChanged.code: Kind(
        422,
        "Recording changed",
        "The recording has another `sha256` or `ETag` than the request says.",
        "Look which recording you mean, and send its digest.",
    ),
    api.AmbiguousLength.code: Kind(
        400,
        "Ambiguous length",
        "The request has both `Content-Length` and `Transfer-Encoding`. The connection is closed.",
        "Send one of the two. If a proxy adds the other, mend the proxy.",
    ),
    api.NotAcceptable.code: Kind(
        406,
        "Not acceptable",
        "`Accept` allows none of the formats of the turns.",
        "Use one of the formats in `detail`, or `?format=`.",
    ),
    INVALID_RANGE: Kind(
        416,
        "Invalid range",
        "`Range` asks for bytes that the recording does not have. The status is 400 if it cannot be parsed.",
        "Ask for a range within the recording; `Content-Range` says how long it is.",
    ),
    core.IdempotencyKeyReused.code: Kind(
        422,
        "Idempotency key reused",
        "An earlier request used this `Idempotency-Key` for another recording or other options.",
        "Use a new key for a new submit.",
    ),
    core.IdempotencyKeyInUse.code: Kind(
        409,
        "Idempotency key in use",
        "A request with this `Idempotency-Key` is still in progress.",
        "Send the request again after `Retry-After`: it returns the same job.",
        retry_after=2,
    ),
    **UPLOAD_KINDS,
    # The recording
    core.EmptyRecording.code: Kind(
        422,
        "Empty recording",
        "The recording has no bytes or no audio.",
        "Check the file, and send it again.",
    ),
    core.NotAudio.code: Kind(
        415,
        "Not an audio file",
        "The bytes are not a recording in a format that Parley reads.",
        "Send one of the formats in `detail`.",
    ),
    core.RecordingTooLarge.code: Kind(
        413,
        "Recording too large",
        "The recording has more bytes than the server accepts.",
        "Compress the recording, for example to FLAC or Opus, or cut it into parts.",
    ),
    core.RecordingTooLong.code: Kind(
        422,
        "Recording too long",
        "The recording is longer than the server accepts.",
        "Cut it into parts.",
    ),
    core.UnreadableRecording.code: Kind(
        422,
        "Unreadable recording",
        "The recording is damaged, cut off, or uses a codec that Parley does not read.",
        "Convert it to WAV or FLAC and send that.",
    ),
    core.DecodingInterrupted.code: Kind(
        503,
        "Decoding interrupted",
        "The process that measured the recording was stopped.",
        "Send the request again.",
        retry_after=5,
    ),
    # Jobs
    core.JobNotFound.code: Kind(
        404,
        "Job not found",
        "Your tenant has no job with this id.",
        "Check the id and the API key.",
    ),
    core.JobPurged.code: Kind(
        410,
        "Job purged",
        "The job was deleted: its recording, result and record are gone.",
        "Submit the recording again if you need its turns.",
    ),
    core.JobNotFinished.code: Kind(
        409,
        "Job not finished",
        "The call needs a job that has ended.",
        "Wait for the end of the job (`?wait=` or its events), or cancel it before you delete it.",
    ),
    core.JobNotSucceeded.code: Kind(
        409,
        "Job not succeeded",
        "The job failed or was cancelled, so it has no turns; `error` has the reason.",
        "Retry the job, or submit the recording again.",
    ),
    core.JobAlreadyTerminal.code: Kind(
        409,
        "Job already ended",
        "The job has ended, so it cannot be cancelled.",
        "Nothing: the job no longer runs.",
    ),
    core.JobNotRetryable.code: Kind(
        409,
        "Job not retryable",
        "Only a failed or cancelled job whose recording is kept can be retried.",
        "Wait until the job has ended, or submit the recording again.",
    ),
    core.DeliveryNotFound.code: Kind(
        404,
        "Delivery not found",
        "Your tenant has no delivery with this id; deliveries go when their job is deleted.",
        "Check the id and the API key.",
    ),
    **RESULT_KINDS,
    # Access
    api.Unauthenticated.code: Kind(
        401,
        "Unauthenticated",
        "The request has no API key.",
        "Send `Authorization: Bearer <key>`.",
    ),
    api.UnknownKey.code: Kind(
        401,
        "Unknown key",
        "The server does not know the API key, or it was revoked.",
        "Check the key, or have a new one made.",
    ),
    api.ExpiredKey.code: Kind(
        401,
        "Expired key",
        "The time of the API key is over.",
        "Have a new key made: `parley keys create`.",
    ),
    api.ScopeMissing.code: Kind(
        403,
        "Scope missing",
        "The API key may not make this call; `detail` names the scope that it lacks.",
        "Use a key with this scope.",
    ),
    api.KeyNotFound.code: Kind(
        404,
        "Key not found",
        "Your tenant has no API key with this id. Keys of the operator's file are not listed.",
        "Check the id: `parley keys` lists them.",
    ),
    api.TooManyKeys.code: Kind(
        409,
        "Too many keys",
        "Your tenant has as many API keys as the server allows.",
        "Revoke keys that nobody uses.",
    ),
    api.KeysOff.code: Kind(
        409,
        "Keys off",
        "The server has no API keys and serves its own machine only.",
        "Operators: set `PARLEY_API_KEYS_FILE`.",
    ),
    api.UnknownHost.code: Kind(
        421,
        "Unknown host",
        "A server without API keys answers only requests of its own machine.",
        "Use the address 127.0.0.1 or localhost, or configure API keys.",
    ),
    NOT_FOUND: Kind(
        404,
        "Not found",
        "The API has no such path.",
        "Check the path: /docs lists all calls.",
    ),
    METHOD_NOT_ALLOWED: Kind(
        405,
        "Method not allowed",
        "The path does not have this method.",
        "Use one of the methods in `Allow`.",
    ),
    # The server
    core.QueueFull.code: Kind(
        429,
        "Queue full",
        "The queue holds as many unfinished jobs as it may.",
        "Send the request again after `Retry-After`.",
        retry_after=10,  # about as long as a few jobs need to leave the queue
    ),
    core.JobStoreFull.code: Kind(
        503,
        "Job store full",
        "Redis is near or over its memory limit.",
        "Send the request again after `Retry-After`. Operators: raise `maxmemory`, or delete old jobs.",
        retry_after=30,  # memory is freed when jobs are purged, which takes a while
    ),
    core.JobStoreUnavailable.code: Kind(
        503,
        "Job store unavailable",
        "Redis does not answer.",
        "Send the request again after `Retry-After`.",
        retry_after=5,
    ),
    core.RecordUnreadable.code: Kind(
        500,
        "Record unreadable",
        "This version of Parley cannot read the record of the job.",
        "Operators: the log names the job. Check whether an older version runs on newer records.",
    ),
    core.JobStoreUnusable.code: Kind(
        503,
        "Job store unusable",
        "Redis runs in a way that Parley cannot use, for example as a cluster.",
        "Operators: change what `detail` names.",
        retry_after=60,  # an operator has to change Redis or the settings first
    ),
    core.ObjectStoreUnavailable.code: Kind(
        503,
        "Object store unavailable",
        "The object store does not answer, so recordings and results cannot be read or written.",
        "Send the request again after `Retry-After`.",
        retry_after=5,
    ),
    api.AuditUnavailable.code: Kind(
        503,
        "Audit log unavailable",
        "The server must note each access and cannot. A change that got this answer may have been made.",
        "Try again later. Operators: see ParleyAuditNotWritable in the runbook.",
        retry_after=5,
    ),
    api.NotReady.code: Kind(
        503,
        "Not ready",
        "A component that Parley needs is down; `missing` names it.",
        "Operators: see the reason in `missing`.",
        retry_after=5,
    ),
    INTERNAL_ERROR: Kind(
        500,
        "Internal error",
        "An unexpected error. Its cause is in the server's log only.",
        "Report it with the value of the response header `X-Request-ID`.",
    ),
    CLIENT_CLOSED: Kind(
        CLIENT_CLOSED_REQUEST,
        "Client closed request",
        "The caller closed the connection during the upload. Only logs and metrics show this code.",
        "Send the request again.",
    ),
}
