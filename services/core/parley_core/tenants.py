"""What one tenant may use, and what it uses."""

from __future__ import annotations

from dataclasses import dataclass

from pydantic import BaseModel, ConfigDict, Field


class TenantQuota(BaseModel):
    """What one tenant may use, where it differs from the settings `PARLEY_TENANT_...`; 0 is without a limit.

    Attributes:
        link_hosts: see PARLEY_TENANT_LINK_HOSTS.
        link_buckets: see PARLEY_TENANT_LINK_BUCKETS.
        retain_audio_seconds: how long its recordings are kept after the end of their jobs, where that is shorter.
        weight: its share of the workers, relative to the other tenants that have jobs waiting.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    requests_per_minute: int | None = Field(None, ge=0)
    submits_per_minute: int | None = Field(None, ge=0)
    unfinished_jobs: int | None = Field(None, ge=0)
    audio_hours_per_day: float | None = Field(None, ge=0)
    stored_bytes: int | None = Field(None, ge=0)
    open_uploads: int | None = Field(None, ge=0)
    link_hosts: str | None = None
    link_buckets: str | None = None
    retain_audio_seconds: int | None = Field(None, ge=0)
    weight: float = Field(1.0, gt=0, le=1000)


@dataclass(frozen=True, slots=True)
class TenantLoad:
    """What the record holds of a tenant.

    Attributes:
        unfinished_jobs: in all queues.
        stored_bytes: of the recordings of all its jobs that have not been purged.
    """

    unfinished_jobs: int
    stored_bytes: int
