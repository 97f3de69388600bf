"""Every setting of Parley, from the environment (`PARLEY_...`), with the reason beside each value.

Refused at start when unsafe: a process that would lose jobs or patient data must not come up.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import Literal, Self

from pydantic import Field, PrivateAttr, SecretStr, ValidationError, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict, SettingsError

from parley_core.errors import RecordingTooLong, UnsafeSettings
from parley_core.job import TimeLimits
from parley_core.secret_files import redis_address, secrets_of
from parley_core.targets import AddressGuard
from parley_core.tenants import TenantQuota
from parley_core.validation import wrong_settings

SOFT_LIMIT_FLOOR = 540.0  # seconds: 9 minutes, also for the shortest recording
HARD_AFTER_SOFT = 60.0  # seconds between the soft and the hard limit, to clean up
ORIGIN = re.compile(r"https?://([a-z0-9.-]+|\[[0-9a-f:.]+\])(:[0-9]{1,5})?")
RECOGNISER = re.compile(r"https?://([A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])(:[0-9]{1,5})?(/[A-Za-z0-9._~/-]*)?")


class Settings(BaseSettings):
    """One object, shared by API, keeper, worker and the tools of one machine."""

    model_config = SettingsConfigDict(env_prefix="PARLEY_", extra="ignore", use_attribute_docstrings=True)

    # Addresses

    redis_url: SecretStr = SecretStr("redis://127.0.0.1:6379/0")
    """Redis 7.2, Valkey or newer: `redis://`, `rediss://`, `unix:///path?db=0`, or a service that Sentinels watch:
    `redis+sentinel://[[USER]:PASSWORD@]HOST[:PORT][,HOST[:PORT]...]/SERVICE[/DB]`, with `?sentinel_password=` (and
    `sentinel_user`) where the Sentinels have a password; `rediss+sentinel://` where all of them speak TLS. No cluster
    mode. Secret, since it may hold the password."""

    redis_password_file: Path | None = None
    """File with the password of Redis, read once at the start. It keeps the password out of the environment."""

    sentinel_password_file: Path | None = None
    """File with the password of the Sentinels, read once at the start."""

    redis_timeout_seconds: float = Field(5.0, gt=0)
    """Longest wait for one answer of Redis. Without it, a call could hang."""

    ca_file: Path | None = None
    """File with authorities (PEM) that are trusted for Redis and the object store beside the public ones."""

    objects_url: str = "file:///var/lib/parley/objects"
    """Object store: `s3://bucket/prefix`, `gs://...`, `az://...`, or a folder as `file:///...`."""

    objects_flush_url: str = ""
    """Address that is called after each put and answers when the store's disk is flushed, for a store that acknowledges
    what a power cut may take. The chart sets it for its embedded store."""

    objects_secrets_folder: Path | None = None
    """Folder with a file for each secret of the object store, named like its variable: `AWS_ACCESS_KEY_ID`,
    `AWS_SECRET_ACCESS_KEY`, `GOOGLE_SERVICE_ACCOUNT_KEY`, `AZURE_STORAGE_ACCOUNT_KEY`. Read once at the start."""

    host: str = "127.0.0.1"
    """Address on which the API and the keeper's probe listen. Any other than loopback requires API keys."""

    port: int = Field(7001, ge=0, le=65535)
    """Port of the API."""

    root_path: str = Field("", pattern=r"^(/[A-Za-z0-9_~-][A-Za-z0-9._~-]*)*$")
    """Path under which a proxy serves API and console, such as `/parley`; the proxy may strip it or keep it."""

    flower_url: str = Field("", pattern=r"^(https?://[A-Za-z0-9.:\[\]_~/-]+)?$")
    """Address of Flower for browsers, such as `https://flower.clinic.example`. The console links to it."""

    metrics_port: int = Field(0, ge=0, le=65535)
    """Port of the API's `/metrics`, which need no key. 0: on the API's port, and with API keys nowhere."""

    tls_certificate_file: Path | None = None
    """File with a certificate and its chain (PEM). All ports of API, keeper and worker then speak HTTPS alone."""

    tls_key_file: Path | None = None
    """File with the key of PARLEY_TLS_CERTIFICATE_FILE."""

    log_format: Literal["json", "text"] = "json"
    """Log lines as JSON or as text for people: `json` or `text`. `make run` shows JSON as text."""

    # Access

    api_keys_file: Path | None = None
    """File with a line `tenant:sha256-of-key` per API key, optionally with `:scope,scope` and `:expiry`. Without it the
    API serves this machine only."""

    token_issuers_file: Path | None = None
    """File with the issuers of signed tokens, as JSON: see the page on API keys. It needs PARLEY_API_KEYS_FILE."""

    certificates_folder: Path | None = None
    """Folder with a folder for each certificate of the API, with a `tls.crt`. `/metrics` says when each expires."""

    cors_origins: str = ""
    """Origins, separated by commas, whose pages may call the API: `https://clinic.example`. Needs API keys."""

    longest_share_seconds: int = Field(30 * 86400, ge=0)
    """Longest life in seconds of a link that shows a job without an API key; 0 makes none, and closes all."""

    audit_folder: Path | None = None
    """Folder of the API's audit log, with a file a day and process. By default it goes to standard output."""

    audit_retain_days: int = Field(365, ge=1)
    """Days after which files in PARLEY_AUDIT_FOLDER are removed."""

    audit_required: bool = False
    """Refuse calls with 503 while the audit log cannot be written. By default they are served."""

    # Connections of the API

    max_connections: int = Field(1000, ge=1)
    """Largest number of connections of one API process. In a full process, the connection that has waited longest for
    the head of a request is closed for a new one."""

    request_head_seconds: float = Field(15.0, gt=0)
    """Seconds in which the head of a request must arrive."""

    max_uploads: int = Field(64, ge=2)
    """Largest number of recordings that one API process receives at a time, each with up to 5 MB of memory."""

    upload_seconds: int = Field(86_400, ge=60)
    """How long a resumable upload is kept after its beginning, unless a submit takes it."""

    # Limits on a tenant. A server without API keys has one tenant, which has no limits.

    tenant_requests_per_minute: int = Field(1_200, ge=0)
    """Largest number of requests per tenant and minute, enough to poll 20 jobs a second; 0 is without a limit."""

    tenant_submits_per_minute: int = Field(600, ge=0)
    """Largest number of submits per tenant and minute; 0 is without a limit."""

    tenant_unfinished_jobs: int = Field(2_500, ge=0)
    """Largest number of unfinished jobs per tenant; 0 is without a limit. A quarter of PARLEY_QUEUE_LIMIT, so that one
    tenant fills no queue."""

    tenant_audio_hours_per_day: float = Field(0, ge=0)
    """Hours of audio that a tenant may submit in 24 hours; 0 is without a limit."""

    tenant_stored_bytes: int = Field(0, ge=0)
    """Largest number of bytes of recordings that a tenant may store; 0 is without a limit."""

    tenant_open_uploads: int = Field(32, ge=0)
    """Largest number of resumable uploads of a tenant that no submit has taken yet; 0 is without a limit."""

    tenant_uploads: int = Field(32, ge=1)
    """Largest number of recordings that one API process receives from a tenant at a time; never more than half of
    PARLEY_MAX_UPLOADS."""

    tenant_waits: int = Field(250, ge=1)
    """Largest number of calls that wait for a job (`?wait=` and event streams) that one API process holds open for a
    tenant; never more than half of PARLEY_MAX_CONNECTIONS."""

    tenants: dict[str, TenantQuota] = {}
    """Limits of single tenants, as JSON: `{"radiology": {"submits_per_minute": 60}}`. The members have the names of
    these settings without `tenant_`, and `weight`, the share of the workers (1)."""

    # Limits on a recording

    max_recording_bytes: int = Field(2 * 1024**3, gt=0)
    """Longest recording in bytes; 2 GiB are four hours of CD-quality stereo WAV."""

    max_recording_seconds: float = Field(4 * 3600, gt=0)
    """Longest recording in seconds."""

    sandbox_required: bool = False
    """Refuse to start API and workers where the kernel cannot confine decoders (Landlock and seccomp)."""

    max_speakers: int = Field(50, ge=1)
    """Largest number of speakers that a caller may ask for. The engine does not tell more apart."""

    # The job guarantee

    lease_seconds: float = Field(30, gt=0)
    """How long a dead worker goes unnoticed. At least three renewals."""

    lease_renewal_seconds: float = Field(1.0, gt=0)
    """How often a worker renews its lease. It learns of a cancel by the same call."""

    cancel_grace_seconds: float = Field(2.0, ge=0)
    """How long a cancelled attempt may continue before its process is killed."""

    attempt_seconds_per_audio_second: float = Field(0.5, gt=0)
    """Seconds of work that an attempt gets per second of audio: six times the engine's cost on one core."""

    longest_attempt_seconds: float = Field(7800, ge=SOFT_LIMIT_FLOOR + HARD_AFTER_SOFT)
    """Longest attempt in seconds; the default fits four hours of audio."""

    queue_limit: int = Field(10_000, ge=1)
    """Largest number of unfinished jobs per queue. Each takes about 1.5 kB of Redis."""

    admission_memory_share: float = Field(0.8, gt=0, le=1)
    """Share of Redis's maxmemory above which submits are refused. Accepted jobs need the rest to finish."""

    retain_seconds: int = Field(7 * 86400, ge=0)
    """How long recording, result and record are kept after a job has ended, unless the caller asks for less."""

    longest_retain_seconds: int | None = Field(None, ge=0)
    """Longest time that a caller may ask for; by default PARLEY_RETAIN_SECONDS, which then nobody can exceed."""

    retain_audio_seconds: int | None = Field(None, ge=0)
    """How long a recording is kept after its job has ended, where it goes before the result; 0 is at the end. The
    shortest of job, tenant and this one counts, for jobs submitted from then on. By default as long as the result."""

    # Voiceprints

    voiceprints_per_tenant: int = Field(1_000, ge=1)
    """Largest number of voiceprints per tenant. Each takes 2 kB of Redis, and naming speakers compares all of them."""

    voiceprint_consent_required: bool = True
    """Refuse to enrol a voiceprint without the person's consent: who gave it, when, for which purpose, until when."""

    speaker_identification_threshold: float = Field(0.45, ge=-1, le=1)
    """Cosine similarity from which a speaker is named; docs/speaker-identification.md has the measurements."""

    # Deliveries

    webhook_secrets_file: Path | None = None
    """File with a line `tenant:whsec_...` per secret, up to two per tenant, newest first. Without it no delivery is
    made, and submits with a `callback_url` are refused."""

    webhook_networks: str = ""
    """Networks in CIDR notation, separated by commas, to which deliveries may go though they are not public."""

    # Links: recordings that the API fetches for a caller

    tenant_link_hosts: str = ""
    """Hosts, separated by commas, from which a tenant may have recordings fetched: `https://pacs.clinic.example`,
    `https://*.recordings.example`, `http://recorder:8080`. Empty: submits with a `url` are refused."""

    tenant_link_buckets: str = ""
    """Buckets, separated by commas, from which a tenant may have recordings fetched: `s3://calls/2026`, `gs://...`,
    `az://...`. Not the bucket of PARLEY_OBJECTS_URL. Empty: submits with an `object` are refused."""

    link_networks: str = ""
    """Networks in CIDR notation, separated by commas, in which the hosts of links may be though they are not public."""

    link_secrets_folder: Path | None = None
    """Folder with the secrets that read the buckets of links, like PARLEY_OBJECTS_SECRETS_FOLDER; by default the
    secrets of the object store are used."""

    link_seconds: float = Field(300.0, gt=0)
    """Longest time in which a recording is fetched. The caller waits for as long."""

    # Recogniser: a server of the deployment that writes down what is said

    asr_url: str = ""
    """Base URL of a recogniser with the API of OpenAI, such as `https://whisper.clinic.example/v1`. Workers send it the
    recordings of jobs with `transcribe`. Empty: such jobs are refused."""

    asr_model: str = "whisper-1"
    """Model that the recogniser is asked for."""

    asr_language: str = Field("", pattern=r"^([a-z]{2,3}(-[A-Za-z0-9]{2,8})*)?$")
    """Language that the recogniser is told, such as `fr`. By default it finds out itself."""

    asr_token_file: Path | None = None
    """File with the recogniser's token, which is sent as `Authorization: Bearer`. Read anew for each request."""

    asr_ca_file: Path | None = None
    """File with the certificates that may have signed the recogniser's, as PEM. By default those of the system."""

    asr_piece_seconds: float = Field(600.0, ge=10)
    """Longest part of a recording in one request. Longer ones are cut where it is quiet; 600 s are a WAV of 19 MB."""

    asr_seconds_per_audio_second: float = Field(0.25, gt=0)
    """Seconds that the recogniser gets per second of audio, and a minute more. Then the job ends without words."""

    asr_wait_seconds: float = Field(300.0, ge=0)
    """Longest wait for the words once the turns are there. Then the job ends, and its words follow later."""

    # Keeper

    keeper_port: int = Field(0, ge=0, le=65535)
    """Port of the keeper's `/healthz` and `/metrics`; 0 opens none."""

    # Worker

    engine: str = "onnx"
    """Engine: `onnx`, `onnx-fast`, `onnx-careful`, `onnx-exact`, `pyannote`, or your own as `module:factory`."""

    pyannote_pipeline: Path | None = None
    """Folder with a pipeline's `config.yaml`, for the engine `pyannote`."""

    concurrency: int = Field(2, ge=1)
    """Number of jobs that a worker runs at a time."""

    engine_threads: int = Field(1, ge=1)
    """Threads of one attempt; the 8-bit models use one. Under a CPU quota, several threads are slower than one."""

    child_memory_bytes: int = Field(1024**3, gt=0)
    """Memory of a worker process after which it is replaced at the end of its job."""

    worker_metrics_port: int = Field(0, ge=0, le=65535)
    """Port of the worker's own `/metrics`; 0 opens none."""

    liveness_file: Path | None = None
    """File that keeper and worker touch while they are well, for a probe that costs nothing."""

    queues: str = "interactive,batch"
    """Queues that a worker serves, separated by commas, most urgent first."""

    _objects_secrets: Mapping[str, SecretStr] = PrivateAttr(default_factory=dict)
    _link_secrets: Mapping[str, SecretStr] = PrivateAttr(default_factory=dict)

    @classmethod
    def from_environment(cls) -> Self:
        """Return the settings of this process. Raises UnsafeSettings with a sentence per wrong variable."""
        try:
            return cls()
        except SettingsError as error:
            raise UnsafeSettings("PARLEY_TENANTS must be a JSON object.") from error  # the one setting that is parsed
        except ValidationError as error:
            raise UnsafeSettings(" ".join(wrong_settings(error))) from error

    @model_validator(mode="after")
    def _read_secrets(self) -> Self:
        files = (self.redis_password_file, self.sentinel_password_file, self.ca_file)
        self.redis_url = SecretStr(redis_address(self.redis_url.get_secret_value(), *files))
        if self.objects_secrets_folder:
            self._objects_secrets = secrets_of(self.objects_secrets_folder, "PARLEY_OBJECTS_SECRETS_FOLDER")
        self._link_secrets = self._objects_secrets
        if self.link_secrets_folder:
            self._link_secrets = secrets_of(self.link_secrets_folder, "PARLEY_LINK_SECRETS_FOLDER")
        return self

    @model_validator(mode="after")
    def _refuse_unsafe(self) -> Self:
        networks = {"PARLEY_WEBHOOK_NETWORKS": self.webhook_networks, "PARLEY_LINK_NETWORKS": self.link_networks}
        for name, value in networks.items():
            try:
                AddressGuard(value)
            except ValueError as error:
                raise ValueError(f"{name}: {error}") from error
        if self.asr_url and not RECOGNISER.fullmatch(self.asr_url):
            raise ValueError("PARLEY_ASR_URL is like `https://whisper.example/v1`, without user, query and fragment")
        if not all(map(ORIGIN.fullmatch, self.allowed_origins)):
            raise ValueError("PARLEY_CORS_ORIGINS has origins like `https://clinic.example`: lower case, no path")
        if bool(self.tls_certificate_file) != bool(self.tls_key_file):
            raise ValueError("PARLEY_TLS_CERTIFICATE_FILE and PARLEY_TLS_KEY_FILE need each other")
        if self.lease_seconds < 3 * self.lease_renewal_seconds:
            raise ValueError("PARLEY_LEASE_SECONDS must be at least three times PARLEY_LEASE_RENEWAL_SECONDS")
        return self

    @property
    def allowed_origins(self) -> list[str]:
        """The origins whose pages may call the API."""
        return [origin.strip() for origin in self.cors_origins.split(",") if origin.strip()]

    @cached_property
    def visibility_timeout(self) -> int:
        """Seconds until Celery hands out an unacknowledged message again: longer than any attempt may take."""
        return int(self.longest_attempt_seconds + 600)

    @property
    def objects_secrets(self) -> Mapping[str, SecretStr]:
        """Options of the object store that are not in the environment, by the name of their variable."""
        return self._objects_secrets

    @property
    def link_secrets(self) -> Mapping[str, SecretStr]:
        """Options of the buckets of links that are not in the environment, by the name of their variable."""
        return self._link_secrets

    @property
    def retention_limit(self) -> int:
        """Longest time in seconds that a caller may have recording, result and record kept."""
        return self.retain_seconds if self.longest_retain_seconds is None else self.longest_retain_seconds

    def audio_retention(self, tenant: str) -> int | None:
        """Return how long a tenant's recordings are kept at most; None is as long as their results."""
        quota = self.tenants.get(tenant)
        given = (self.retain_audio_seconds, quota.retain_audio_seconds if quota else None)
        return min((seconds for seconds in given if seconds is not None), default=None)

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
