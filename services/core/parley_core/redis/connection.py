"""How Parley talks to Redis: every call has a deadline, every failure a class."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from redis import Redis
from redis.backoff import ConstantBackoff
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import OutOfMemoryError, RedisError
from redis.retry import Retry

from parley_core.errors import JobStoreFull, JobStoreUnavailable

HEALTH_CHECK_SECONDS = 25  # a connection idle for longer is pinged before use: half-open sockets look fine until then


def connection_options(url: str, timeout: float) -> dict[str, Any]:
    """Return redis-py options. One second try only: every move may be repeated, and a stale connection is common."""
    options: dict[str, Any] = {
        "decode_responses": True,
        "socket_timeout": timeout,
        "socket_connect_timeout": timeout,
        "health_check_interval": HEALTH_CHECK_SECONDS,
        "retry": Retry(ConstantBackoff(0.05), 1, supported_errors=(RedisConnectionError,)),
    }
    if not url.startswith("unix:"):
        options["socket_keepalive"] = True
    return options


def connect(url: str, timeout: float) -> Redis:
    """Return a client for `redis://`, `rediss://` or `unix://`; it connects at its first call."""
    client: Redis = Redis.from_url(url, **connection_options(url, timeout))
    return client


@contextmanager
def translated_errors() -> Iterator[None]:
    """Turn whatever Redis raises into an error of ours."""
    try:
        yield
    except OutOfMemoryError as error:
        raise JobStoreFull("Redis has reached its memory limit; raise maxmemory or purge old jobs.") from error
    except RedisError as error:
        if "OOM" in str(error):
            raise JobStoreFull("Redis has reached its memory limit; raise maxmemory or purge old jobs.") from error
        raise JobStoreUnavailable(f"Redis does not answer as it should ({type(error).__name__}).") from error
