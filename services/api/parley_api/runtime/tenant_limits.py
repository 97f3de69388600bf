"""How much of the service one tenant may use, so that it never takes from the others what is theirs.

Rates are counted in Redis, for all processes of the API together. A Redis that does not answer limits nobody: the API
accepts jobs without it, and a limit protects neighbours, not the promise of a job.
"""

from __future__ import annotations

import math
import time
from collections.abc import MutableMapping
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any

from limits import RateLimitItem, RateLimitItemPerDay, RateLimitItemPerMinute
from limits.aio.storage import MemoryStorage, RedisStorage, Storage
from limits.aio.strategies import SlidingWindowCounterRateLimiter
from redis.exceptions import RedisError

from parley_api.http.errors import QuotaExceeded, RateLimited
from parley_api.http.rate_headers import Allowance, note
from parley_api.runtime.blocking_calls import BlockingCalls
from parley_core.errors import JobStoreUnavailable
from parley_core.logs import get_logger
from parley_core.ports import SubmitStore
from parley_core.redis.connection import connect_async
from parley_core.settings import Settings

log = get_logger(__name__)

ANSWER_SECONDS = 0.5  # for Redis; a request waits no longer to be counted
PAUSE_SECONDS = 1.0  # after a failure of Redis, in which nothing is counted
UNFINISHED_RETRY_SECONDS = 10  # about as long as a few jobs need to leave a queue
STORED_RETRY_SECONDS = 600  # recordings leave by deletion and by retention
SECONDS_PER_HOUR = 3600
NOT_COUNTED = {"weight", "link_hosts", "link_buckets", "retain_audio_seconds"}  # what a tenant has, but no limit


class Rate(StrEnum):
    """What is counted over time, by its name in the header `RateLimit`."""

    REQUESTS = "requests"
    SUBMITS = "submits"
    AUDIO = "audio"  # seconds


@dataclass(frozen=True, slots=True)
class Quota:
    """What one tenant may use; 0 is without a limit."""

    requests_per_minute: int
    submits_per_minute: int
    unfinished_jobs: int
    audio_hours_per_day: float
    stored_bytes: int
    open_uploads: int


class TenantLimits:
    """The limits of all tenants. Without a storage, rates are counted in memory."""

    def __init__(
        self, settings: Settings, store: SubmitStore, blocking: BlockingCalls, storage: Storage | None = None
    ) -> None:
        self._default = Quota(
            settings.tenant_requests_per_minute,
            settings.tenant_submits_per_minute,
            settings.tenant_unfinished_jobs,
            settings.tenant_audio_hours_per_day,
            settings.tenant_stored_bytes,
            settings.tenant_open_uploads,
        )
        self._quotas = {
            tenant: replace(self._default, **given.model_dump(exclude_none=True, exclude=NOT_COUNTED))
            for tenant, given in settings.tenants.items()
        }
        self._limiter = SlidingWindowCounterRateLimiter(storage or MemoryStorage())
        self._store, self._blocking = store, blocking
        self._paused_until = 0.0

    def of(self, tenant: str) -> Quota:
        """Return what the tenant may use."""
        return self._quotas.get(tenant, self._default)

    async def take(self, tenant: str, rate: Rate, scope: MutableMapping[str, Any]) -> None:
        """Count a call, and leave what remains in the scope of the request.

        Raises:
            RateLimited: the tenant has used its rate up.
        """
        item = self._item(tenant, rate)
        if item is None:
            return
        try:
            taken = await self._limiter.hit(item, rate, tenant)
            allowance = await self._allowance(item, rate, tenant)
        except (RedisError, OSError, TimeoutError) as error:
            self._pause(error)
            return
        note(scope, allowance)
        if not taken:
            seconds = max(1, allowance.reset)
            raise RateLimited(
                f"Your tenant may make {allowance.quota} {rate} per minute. Go on in {seconds} s.", rate, seconds
            )

    async def require_room(self, tenant: str, arriving_bytes: int = 0) -> None:
        """Require that the tenant may have another job and store another recording.

        Args:
            arriving_bytes: of its open uploads.

        Raises:
            QuotaExceeded: it has as many unfinished jobs, or as many bytes of recordings, as it may.
        """
        quota = self.of(tenant)
        if not (quota.unfinished_jobs or quota.stored_bytes):
            return
        try:
            load = await self._blocking.store(self._store.tenant_load, tenant)
        except JobStoreUnavailable:
            return
        if quota.unfinished_jobs and load.unfinished_jobs >= quota.unfinished_jobs:
            raise QuotaExceeded(
                f"Your tenant has {load.unfinished_jobs} unfinished jobs and may have {quota.unfinished_jobs}.",
                "unfinished_jobs",
                UNFINISHED_RETRY_SECONDS,
            )
        stored_bytes = load.stored_bytes + arriving_bytes
        if quota.stored_bytes and stored_bytes >= quota.stored_bytes:
            raise QuotaExceeded(
                f"Your tenant stores {stored_bytes} bytes of recordings and may store {quota.stored_bytes}. "
                "Delete jobs whose recordings you no longer need.",
                "stored_bytes",
                STORED_RETRY_SECONDS,
            )

    async def require_audio(self, tenant: str, seconds: float, scope: MutableMapping[str, Any]) -> None:
        """Require that the tenant may submit so many seconds of audio today, without counting them.

        Raises:
            QuotaExceeded: they are more than what is left of the day's hours.
        """
        item = self._item(tenant, Rate.AUDIO)
        if item is None:
            return
        try:
            allowance = await self._allowance(item, Rate.AUDIO, tenant)
        except (RedisError, OSError, TimeoutError) as error:
            self._pause(error)
            return
        note(scope, allowance)
        if math.ceil(seconds) > allowance.remaining:
            raise QuotaExceeded(
                f"Your tenant may submit {item.amount / SECONDS_PER_HOUR:g} hours of audio in 24 hours. "
                f"{allowance.remaining} s are left, and this recording has {math.ceil(seconds)} s.",
                "audio_hours_per_day",
                max(1, allowance.reset),
            )

    async def count_audio(self, tenant: str, seconds: float) -> None:
        """Count the audio of an accepted job."""
        item = self._item(tenant, Rate.AUDIO)
        if item is None:
            return
        try:
            await self._limiter.hit(item, Rate.AUDIO, tenant, cost=math.ceil(seconds))
        except (RedisError, OSError, TimeoutError) as error:
            self._pause(error)

    async def _allowance(self, item: RateLimitItem, rate: Rate, tenant: str) -> Allowance:
        stats = await self._limiter.get_window_stats(item, rate, tenant)
        reset = max(0, math.ceil(stats.reset_time - time.time()))
        return Allowance(rate, item.amount, item.get_expiry(), max(0, stats.remaining), reset)

    def _item(self, tenant: str, rate: Rate) -> RateLimitItem | None:
        """Return the tenant's limit of a rate; None without one, and while Redis does not answer."""
        if time.monotonic() < self._paused_until:
            return None
        quota = self.of(tenant)
        if rate is Rate.AUDIO:
            amount = round(quota.audio_hours_per_day * SECONDS_PER_HOUR)
            return RateLimitItemPerDay(amount) if amount else None
        amount = quota.requests_per_minute if rate is Rate.REQUESTS else quota.submits_per_minute
        return RateLimitItemPerMinute(amount) if amount else None

    def _pause(self, error: Exception) -> None:
        self._paused_until = time.monotonic() + PAUSE_SECONDS
        log.warning("rates of tenants are not counted", error=type(error).__name__)


def redis_storage(settings: Settings) -> Storage:
    """Return the storage that all processes of the API share; it connects at its first call."""
    client = connect_async(settings.redis_url.get_secret_value(), min(settings.redis_timeout_seconds, ANSWER_SECONDS))
    options: dict[str, object] = {"connection_pool": client.connection_pool}
    return RedisStorage("async+redis://", implementation="redispy", key_prefix="parley:limits", **options)  # type: ignore[arg-type]
