"""The recording of one conversation, as known when it was accepted."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import datetime

from parley_core.job_id import day_of, made_at

UPLOADS = "uploads"  # folder of the recordings that arrive in parts
UUID_LENGTH = 36


@dataclass(frozen=True, slots=True)
class Recording:
    """Stored audio; immutable.

    Attributes:
        key: where the object store keeps it; Parley's own name, never the caller's.
        sha256: of the bytes as they came, hex.
        bytes: length as it came.
        seconds: measured from the packets, not taken from a header's word.
        media_type: by content, for example `audio/flac`.
        file_name: as the caller named the file, never logged; None where the caller did not.
    """

    key: str
    sha256: str
    bytes: int
    seconds: float
    media_type: str
    file_name: str | None = None


def recording_key(job_id: str, again: str | None = None) -> str:
    """Return where a job's recording is kept; `again` tells a second upload for the same job from the first."""
    name = job_id if again is None else f"{job_id}_{again}"
    return f"recordings/{day_of(job_id)}/{name}"


def upload_folder(tenant: str) -> str:
    """Return the folder of a tenant's resumable uploads: each has a folder in it, which its id names.

    An id is a UUID of version 7, a hyphen and the length in bytes, so that names tell all that limits and the removal
    of abandoned uploads need.
    """
    return f"{UPLOADS}/{tenant_folder(tenant)}"


def tenant_folder(tenant: str) -> str:
    """Return the name of a tenant's folder: a hash, since the names of tenants are not those of folders."""
    return hashlib.sha256(tenant.encode()).hexdigest()[:32]


def upload_begun_at(upload_id: str) -> datetime:
    """Return when a resumable upload was begun. Raises ValueError for a text that is no id of one."""
    return made_at(upload_id[:UUID_LENGTH])


def result_folder(job_id: str) -> str:
    """Return the folder of a job's results: one object per attempt that stored one."""
    return f"results/{day_of(job_id)}/{job_id}"


def result_key(job_id: str, nonce: str) -> str:
    """Return the key of an attempt's result. The nonce of its lease keeps attempts from overwriting each other's."""
    return f"{result_folder(job_id)}/{nonce}.json"


def peaks_key(result: str) -> str:
    """Return where the peaks of the waveform are kept: beside the result, by the key of the result."""
    return f"{result.removesuffix('.json')}.peaks"


def checkpoint_folder(job_id: str) -> str:
    """Return the folder of what an unfinished job's attempts have computed so far."""
    return f"checkpoints/{day_of(job_id)}/{job_id}"


def evidence_key(result: str) -> str:
    """Return the key of the frame evidence that belongs to the result with this key."""
    return f"{result.removesuffix('.json')}.evidence"


def voices_key(result: str) -> str:
    """Return the key of the voices of the turns of the result with this key."""
    return f"{result.removesuffix('.json')}.voices"


def words_key(result: str) -> str:
    """Return the key of the words that the recogniser found for the result with this key."""
    return f"{result.removesuffix('.json')}.words"


def transcript_key(job_id: str) -> str:
    """Return the key of a job's transcript. It lies with the results, so that it goes when they go."""
    return f"{result_folder(job_id)}/transcript"


def is_transcript(key: str) -> bool:
    """Return whether an object of a job is a transcript, whoever has made it."""
    return key.endswith(("/transcript", ".words"))


def job_id_of(key: str) -> str:
    """Return the job that a recording, a result or a checkpoint belongs to, by its key."""
    return key.split("/")[2].partition("_")[0]
