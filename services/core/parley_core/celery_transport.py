"""Kombu's Redis transport, with publishing connections that follow the primary.

Kombu keeps its connections as long as they answer. A demoted primary answers, but takes no message: it has to be left.
"""

# kombu has types for little of its transport
# mypy: allow-untyped-calls

from __future__ import annotations

from typing import Any

from kombu.transport import TRANSPORT_ALIASES, redis
from redis.backoff import ConstantBackoff
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import ReadOnlyError
from redis.retry import Retry

from parley_core.redis.connection import SecureSentinelConnection, SentinelConnection

# Once more on a fresh connection. A message published twice is harmless, see CeleryJobQueue.
RETRY = Retry(ConstantBackoff(0.05), 1, supported_errors=(RedisConnectionError, ReadOnlyError))


def use_transport(transport: str, sentinel_transport: str) -> None:
    """Let the addresses of brokers mean these classes (`module:Class`) in this process."""
    TRANSPORT_ALIASES.update(redis=transport, rediss=transport, sentinel=sentinel_transport)


class FollowsPrimary:
    """What a channel of kombu needs to follow the primary; the connection that waits for messages stays as it is."""

    def _connparams(self, asynchronous: bool = False) -> dict[str, Any]:
        options: dict[str, Any] = super()._connparams(asynchronous)  # type: ignore[misc]
        return options if asynchronous else options | {"retry": RETRY}


class Channel(FollowsPrimary, redis.Channel):
    """A channel to one server."""


class SentinelChannel(FollowsPrimary, redis.SentinelChannel):
    """A channel to a service of Sentinels."""

    connection_class = SentinelConnection
    connection_class_ssl: Any = SecureSentinelConnection


class Transport(redis.Transport):
    """The transport for one server."""

    Channel = Channel


class SentinelTransport(redis.SentinelTransport):
    """The transport for a service of Sentinels."""

    Channel = SentinelChannel
