"""The job store on Redis or Valkey (7 or newer).

Files: address (of a server or of a Sentinel service), connection (clients, timeouts, errors by class), scripts (one Lua
file per transition, loaded once), queries (what only reads), transitions (what changes: one script each), restoration
(records that Redis has lost).
"""

from contextlib import suppress

from parley_core.errors import RetryableError
from parley_core.redis.connection import connect, require_trusted_sentinels
from parley_core.redis.transitions import RedisJobStore
from parley_core.settings import Settings

START_SECONDS = 2.0  # a process starts also while Redis is away

__all__ = ["RedisJobStore", "connect", "require_usable_store"]


def require_usable_store(settings: Settings) -> None:
    """Raise JobStoreUnusable when Redis runs in a way that cannot heal by itself. Returns also while it is away."""
    timeout = min(START_SECONDS, settings.redis_timeout_seconds)
    require_trusted_sentinels(settings.redis_url.get_secret_value(), timeout)
    with suppress(RetryableError):
        RedisJobStore.from_settings(settings.model_copy(update={"redis_timeout_seconds": timeout})).health()
