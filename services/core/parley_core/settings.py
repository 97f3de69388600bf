"""Every setting of Parley, from the environment (`PARLEY_...`), with the reason beside each value.

Refused at start when unsafe: a process that would lose jobs or patient data must not come up.
"""

from __future__ import annotations

from functools import cached_property
from pathlib import Path
from typing import Self

from pydantic import Field, SecretStr, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from parley_core.errors import RecordingTooLong, UnsafeSettings
from parley_core.job import TimeLimits

SOFT_LIMIT_FLOOR = 540.0  # seconds: 9 minutes, also for the shortest recording
HARD_AFTER_SOFT = 60.0  # seconds an attempt has to clean up after it was told to stop
LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})


class Settings(BaseSettings):
    """One object, shared by API, keeper, worker and the tools of one machine."""

    model_config = SettingsConfigDict(env_prefix="PARLEY_", extra="ignore")

    # Addresses
    redis_url: SecretStr = SecretStr("redis://127.0.0.1:6379/0")  # also unix:///path?db=0; secret: holds the password
    objects_url: str = "file:///var/lib/parley/objects"  # s3://bucket/prefix, gs://, az:// or a folder
    host: str = "127.0.0.1"
    port: int = 7001

    # Access
    api_keys_file: Path | None = None  # lines `tenant:sha256-of-key`; without it only loopback is served

    # Limits on a recording
    max_recording_bytes: int = Field(2 * 1024**3, gt=0)  # 2 GiB: four hours of CD-quality stereo WAV
    max_recording_seconds: float = Field(4 * 3600, gt=0)
    max_speakers: int = Field(50, ge=1)  # more cannot be told apart, and the number costs memory

    # The job guarantee
    lease_seconds: float = Field(30, gt=0)  # how long a dead worker goes unnoticed
    lease_renewal_seconds: float = Field(1.0, gt=0)  # also how soon a worker learns of a cancel
    cancel_grace_seconds: float = Field(2.0, ge=0)  # then the attempt's process is killed: 5 s bound in all
    attempt_seconds_per_audio_second: float = Field(0.5, gt=0)  # six times the engine's cost on one core
    longest_attempt_seconds: float = Field(7800, ge=SOFT_LIMIT_FLOOR + HARD_AFTER_SOFT)  # 4 h of audio and a minute
    queue_limit: int = Field(10_000, ge=1)  # unfinished jobs per queue: about 2 kB of Redis each
    admission_memory_share: float = Field(0.8, gt=0, le=1)  # of maxmemory; what was accepted needs the rest to finish
    retain_seconds: int = Field(7 * 86400, ge=0)  # recording, result and record, after the job ended

    # Enrolled voices
    voiceprints_per_tenant: int = Field(
        1_000, ge=1
    )  # each costs 2 kB of Redis, and every answer with names looks at all
    speaker_identification_threshold: float = Field(
        0.45, ge=-1, le=1
    )  # cosine from which a speaker is named: docs/speaker-identification.md

    # Redis
    redis_timeout_seconds: float = Field(5.0, gt=0)  # redis-py's default is none: a call could hang for ever

    # Keeper
    keeper_port: int = Field(0, ge=0, le=65535)  # its /healthz and /metrics; 0: none

    # Worker
    engine: str = "onnx"  # also onnx-fast, onnx-careful, onnx-exact, pyannote, or module:factory of your own
    pyannote_pipeline: Path | None = None  # folder with a pipeline's config.yaml; only the pyannote engine reads it
    concurrency: int = Field(2, ge=1)
    engine_threads: int = Field(1, ge=1)  # per attempt; several threads under a CPU quota are slower than one
    child_memory_bytes: int = Field(1024**3, gt=0)  # a child that ever grew over it is replaced after its job
    liveness_file: Path | None = None  # touched while the process is well, for a probe that costs nothing
    queues: str = "interactive,batch"  # which a worker serves, comma-separated, first come first

    @model_validator(mode="after")
    def _refuse_unsafe(self) -> Self:
        if self.lease_seconds < 3 * self.lease_renewal_seconds:
            raise ValueError("PARLEY_LEASE_SECONDS must be at least three renewals (PARLEY_LEASE_RENEWAL_SECONDS)")
        return self

    @cached_property
    def visibility_timeout(self) -> int:
        """Seconds until Celery hands out an unacknowledged message again: longer than any attempt may take."""
        return int(self.longest_attempt_seconds + 600)

    def require_safe_address(self) -> None:
        """Raise UnsafeSettings when the API would serve other machines without keys."""
        if self.host not in LOOPBACK and self.api_keys_file is None:
            raise UnsafeSettings(
                f"Refusing to listen on {self.host} without authentication: set PARLEY_API_KEYS_FILE, "
                "or PARLEY_HOST=127.0.0.1 for this machine alone."
            )

    def limits_for(self, recording_seconds: float) -> TimeLimits:
        """Return how long one attempt at such a recording may take.

        Raises:
            RecordingTooLong: over the limit, or an attempt would not fit into the longest one allowed here.
        """
        if recording_seconds > self.max_recording_seconds:
            raise RecordingTooLong(
                f"The recording is longer than {self.max_recording_seconds:.0f} s, the limit here "
                "(PARLEY_MAX_RECORDING_SECONDS). Cut it into parts."
            )
        soft = max(SOFT_LIMIT_FLOOR, recording_seconds * self.attempt_seconds_per_audio_second)
        if soft + HARD_AFTER_SOFT > self.longest_attempt_seconds:
            raise RecordingTooLong(
                f"{recording_seconds:.0f} s of audio may need {soft:.0f} s of work, more than one attempt gets here "
                f"({self.longest_attempt_seconds:.0f} s, PARLEY_LONGEST_ATTEMPT_SECONDS). Cut it into parts."
            )
        return TimeLimits(soft=soft, hard=soft + HARD_AFTER_SOFT)
