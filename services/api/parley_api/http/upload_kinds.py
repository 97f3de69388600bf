"""Table of the problems of resumable uploads and of batches."""

from __future__ import annotations

from collections.abc import Mapping

from parley_api.http import errors as api
from parley_api.http.kind import Kind

UPLOAD_KINDS: Mapping[str, Kind] = {
    api.BatchNotFound.code: Kind(
        404,
        "Batch not found",
        "Your tenant has no batch with this id. A batch is removed when the last of its jobs is gone.",
        "Check the id.",
    ),
    api.UnsupportedTus.code: Kind(
        412,
        "Unsupported version of tus",
        "The request does not follow the version of the tus protocol that the server speaks.",
        "Send the header `Tus-Resumable: 1.0.0`.",
    ),
    api.UploadNotFound.code: Kind(
        404,
        "Upload not found",
        "Your tenant has no resumable upload with this id: a submit has taken it, or it was removed.",
        "Look whether the job exists. Else begin a new upload.",
    ),
    api.UploadExpired.code: Kind(
        410,
        "Upload expired",
        "The resumable upload was not submitted in time.",
        "Begin a new upload.",
    ),
    api.UploadOffsetConflict.code: Kind(
        409,
        "Offset conflict",
        "`Upload-Offset` is not where the upload ends, or another request writes to it.",
        "Ask for the offset (`HEAD`), and go on from there.",
    ),
    api.UploadTooLong.code: Kind(
        413,
        "Upload too long",
        "The body has more bytes than the upload lacks.",
        "Begin a new upload with the length of the whole recording.",
    ),
    api.TooManyParts.code: Kind(
        413,
        "Too many parts",
        "The upload has arrived in as many parts as it may.",
        "Begin a new upload, and send more bytes in each request.",
    ),
    api.UploadIncomplete.code: Kind(
        409,
        "Upload incomplete",
        "The submit names a resumable upload that lacks bytes; `offset` says how many it has.",
        "Send the rest, then submit again.",
    ),
}
