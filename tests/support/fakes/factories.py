"""Values for tests, valid unless told otherwise."""

from __future__ import annotations

import secrets
from datetime import datetime

from parley_core.job import DEFAULT_TENANT, JobOptions, NewJob, TimeLimits
from parley_core.job_id import first_id_of, new_id
from parley_core.recording import Recording, recording_key


def id_of(moment: datetime) -> str:
    """Return an id that a process makes whose clock shows this moment."""
    return f"{first_id_of(moment)}-7000-8000-{secrets.token_hex(6)}"


def new_job(
    job_id: str | None = None,
    tenant: str = DEFAULT_TENANT,
    options: JobOptions | None = None,
    seconds: float = 60.0,
) -> NewJob:
    """Return a job about to be recorded."""
    job_id = job_id or new_id()
    recording = Recording(recording_key(job_id), sha256="0" * 64, bytes=1_000, seconds=seconds, media_type="audio/flac")
    return NewJob(job_id, tenant, recording, options or JobOptions(), TimeLimits(soft=540.0, hard=600.0))
