"""How Parley talks to Redis: every call has a deadline, follows the primary, and fails by class."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import Any, cast

from redis import Redis
from redis.asyncio import Redis as AsyncRedis
from redis.asyncio import Sentinel as AsyncSentinel
from redis.backoff import ConstantBackoff
from redis.exceptions import (
    AskError,
    AuthenticationError,
    BusyLoadingError,
    ClusterCrossSlotError,
    ClusterDownError,
    MasterDownError,
    NoPermissionError,
    OutOfMemoryError,
    ReadOnlyError,
    RedisError,
    TryAgainError,
)
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import TimeoutError as RedisTimeoutError
from redis.retry import Retry
from redis.sentinel import Sentinel, SentinelManagedConnection, SentinelManagedSSLConnection

from parley_core.errors import JobStoreFull, JobStoreUnavailable, JobStoreUnusable, ParleyError, RetryableError
from parley_core.redis.address import sentinel_address

RIGHTS_CHANGE_SECONDS = 120.0  # an upgrade has replaced Redis, or those who call it, after that
RIGHTS_CHANGE = "The rights of Parley's user in Redis are being changed."
HEALTH_CHECK_SECONDS = 25  # a connection idle for longer is pinged before use: half-open sockets look fine until then
SENTINEL_SECONDS = 1.0  # a Sentinel that takes longer is passed over for the next one

PRIMARY_ELSEWHERE = (ReadOnlyError, BusyLoadingError, MasterDownError, TryAgainError)
CLUSTER = (ClusterDownError, ClusterCrossSlotError, AskError)  # MovedError is an AskError

# Replies that redis-py has no class for, or that a script wraps into its own error: by their text.
NO_REPLICAS = ("NOREPLICAS",)
CLUSTER_TEXTS = ("non local key in a cluster node", "do not hash to the same slot")
RIGHTS_TEXTS = ("NOPERM", "ACL failure in script", "can't run this command or subcommand")
OLD_SERVER_TEXTS = ("unexpected symbol near '#'", "Unknown flag", "Unexpected engine", "unknown command")

NO_TLS_TEXTS = ("WRONG_VERSION_NUMBER", "RECORD_LAYER_FAILURE")  # of OpenSSL, as is what follows
UNVERIFIED_TEXTS = ("CERTIFICATE_VERIFY_FAILED",)
HOST_TEXTS = ("Hostname mismatch", "IP address mismatch")
EXPIRED_TEXTS = ("certificate has expired",)

OLDEST_VERSION = (7, 2)  # the first that knows CLIENT SETINFO, which the chart's access list names; Valkey says 7.2.4
RUNS_AS_CLUSTER = "Redis runs in cluster mode, which Parley cannot use; give it one server or a service of Sentinels."


class RightsChangeError(RedisError):
    """A call that was allowed before is refused: an upgrade or a rollback replaces the access list."""


class Client(Redis):
    """A client that follows the primary.

    A reply that only a server in another role would not give drops every idle connection, and the call is made once
    more on a fresh one: behind one name or one Sentinel service, that connection leads to the new primary.

    A call without a reply drops every idle connection, too: where the network has lost one connection it has lost the
    others, and each would take its own timeout to be found.

    Rights that were there and are gone count as away for a while: an upgrade or a rollback replaces the access list
    some seconds before the processes that it is made for.
    """

    _scripts_ran = False
    _refused_since = _refused_last = -RIGHTS_CHANGE_SECONDS

    def execute_command(self, *args: Any, **options: Any) -> Any:
        try:
            reply = super().execute_command(*args, **options)  # type: ignore[no-untyped-call]
        except RedisTimeoutError:
            self.connection_pool.disconnect(inuse_connections=False)
            raise
        except RedisError as error:
            if self._scripts_ran and _lacks_rights(error) and self.rights_may_change():
                raise RightsChangeError(str(error)) from error
            if not (isinstance(error, PRIMARY_ELSEWHERE) or _says(error, NO_REPLICAS)):
                raise
            self.connection_pool.disconnect(inuse_connections=False)
            return super().execute_command(*args, **options)  # type: ignore[no-untyped-call]
        self._scripts_ran = self._scripts_ran or args[0] == "EVALSHA"
        return reply

    def rights_may_change(self) -> bool:
        """Note that rights are gone; return whether that began a short time ago, as in an upgrade or a rollback."""
        now = time.monotonic()
        if now - self._refused_last > RIGHTS_CHANGE_SECONDS:
            self._refused_since = now
        self._refused_last = now
        return now - self._refused_since < RIGHTS_CHANGE_SECONDS


class SentinelConnection(SentinelManagedConnection):
    """A connection to the primary of a service, without two faults of redis-py 8.1.

    It closes when a reply was not read: left open, the late reply of one call answers the next
    (https://github.com/redis/redis-py/pull/4292). It asks the Sentinels at every reconnect: else it goes back to the
    old primary (https://github.com/redis/redis-py/issues/3874).
    """

    def connect_check_health(self, *arguments: Any, **options: Any) -> None:
        if not self._sock:
            self.host, self.port = self.connection_pool.get_master_address()
        super().connect_check_health(*arguments, **options)

    def read_response(self, *arguments: Any, **options: Any) -> Any:
        return super().read_response(*arguments, **{"disconnect_on_error": True} | options)


class SecureSentinelConnection(SentinelConnection, SentinelManagedSSLConnection):
    """The same over TLS."""


def _lacks_rights(error: RedisError) -> bool:
    return isinstance(error, NoPermissionError) or _says(error, RIGHTS_TEXTS)


def _says(error: RedisError, texts: tuple[str, ...]) -> bool:
    return any(text in str(error) for text in texts)


def connection_options(url: str, timeout: float) -> dict[str, Any]:
    """Return redis-py options. One second try: every transition may be repeated, and a stale connection is common."""
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


def connect(url: str, timeout: float) -> Client:
    """Return a client for `redis://`, `rediss://`, `unix://` or a service of Sentinels; it connects at its first call.

    Raises:
        UnsafeSettings: for an address of Sentinels that lacks a part.
    """
    options = connection_options(url, timeout)
    address = sentinel_address(url)
    if address is None:
        return cast(Client, Client.from_url(url, **options))
    sentinels: Any = cast(Any, Sentinel)(address.sentinels, sentinel_kwargs=sentinel_options(url, timeout))
    primary: Client = sentinels.master_for(
        address.service,
        redis_class=Client,
        connection_class=SecureSentinelConnection if address.tls else SentinelConnection,
        db=address.database,
        **address.login,
        **address.verification,
        **options,
    )
    return primary


def connect_async(url: str, timeout: float) -> AsyncRedis:
    """Return a client for an event loop; see `connect`."""
    options = connection_options(url, timeout)
    del options["retry"]  # its users connect again by themselves
    address = sentinel_address(url)
    if address is None:
        client: AsyncRedis = AsyncRedis.from_url(url, **options)
        return client
    sentinels: Any = cast(Any, AsyncSentinel)(list(address.sentinels), sentinel_kwargs=sentinel_options(url, timeout))
    if address.tls:
        options |= {"ssl": True, **address.verification}
    primary: AsyncRedis = sentinels.master_for(address.service, db=address.database, **address.login, **options)
    return primary


def sentinel_options(url: str, timeout: float) -> dict[str, Any]:
    """Return redis-py options of the Sentinels of an address, none for that of a server."""
    address = sentinel_address(url)
    if address is None:
        return {}
    seconds = min(timeout, SENTINEL_SECONDS)
    tls = {"ssl": True, **address.verification} if address.tls else {}
    return {"socket_timeout": seconds, "socket_connect_timeout": seconds, **address.sentinel_login, **tls}


def require_trusted_sentinels(url: str, timeout: float) -> None:
    """Raise JobStoreUnusable for Sentinels whose certificates cannot be trusted: redis-py says that no one answers."""
    address = sentinel_address(url)
    for host, port in address.sentinels if address and address.tls else ():
        with suppress(RetryableError), translated_errors():
            Redis(host, port, **sentinel_options(url, timeout)).ping()


@contextmanager
def translated_errors() -> Iterator[None]:
    """Turn whatever Redis raises into an error of ours."""
    try:
        yield
    except RedisError as error:
        raise translated(error) from error


def translated(error: RedisError) -> ParleyError:
    """Return the error of ours: full, away for now, or unusable until somebody changes it."""
    if isinstance(error, OutOfMemoryError) or "OOM" in str(error):
        return JobStoreFull("Redis has reached its memory limit; raise maxmemory or purge old jobs.")
    if isinstance(error, ReadOnlyError):
        return JobStoreUnavailable("Redis is a replica and takes no writes (READONLY).")
    if _says(error, NO_REPLICAS):
        return JobStoreUnavailable("Redis has too few replicas to take writes (NOREPLICAS).")
    if isinstance(error, PRIMARY_ELSEWHERE):
        return JobStoreUnavailable(f"Redis is not ready ({type(error).__name__}).")
    if isinstance(error, AuthenticationError):
        return JobStoreUnusable("Redis refuses the user or the password of PARLEY_REDIS_URL.")
    if isinstance(error, RightsChangeError):
        return JobStoreUnavailable(RIGHTS_CHANGE)
    if _lacks_rights(error):
        return JobStoreUnusable(f"The user of PARLEY_REDIS_URL lacks rights: {error}")
    if _says(error, UNVERIFIED_TEXTS):
        return JobStoreUnusable(f"The certificate of Redis cannot be trusted: {_distrust(error)}.")
    if _says(error, NO_TLS_TEXTS):
        return JobStoreUnavailable("Redis speaks no TLS at the address of PARLEY_REDIS_URL.")
    if isinstance(error, CLUSTER) or _says(error, CLUSTER_TEXTS):
        return JobStoreUnusable(RUNS_AS_CLUSTER)
    if _says(error, OLD_SERVER_TEXTS):
        return JobStoreUnusable(f"Redis does not know what Parley needs; use Redis 7.2, Valkey 7.2 or newer: {error}")
    return JobStoreUnavailable(f"Redis does not answer as it should ({type(error).__name__}).")


def _distrust(error: RedisError) -> str:
    if _says(error, HOST_TEXTS):
        return "it does not name the host of PARLEY_REDIS_URL"
    if _says(error, EXPIRED_TEXTS):
        return "it has expired"
    return "no known authority has signed it; PARLEY_CA_FILE names a file with the certificate of the authority"


def require_usable_server(info: Mapping[str, Any]) -> None:
    """Raise JobStoreUnusable for a cluster, or too old a version, by what INFO says."""
    if info.get("cluster_enabled"):
        raise JobStoreUnusable(RUNS_AS_CLUSTER)
    version = tuple(int(part) for part in re.findall(r"\d+", str(info["redis_version"]))[:2])
    if version < OLDEST_VERSION:
        raise JobStoreUnusable(f"Redis {info['redis_version']} is too old; use Redis 7.2, Valkey 7.2 or newer.")
