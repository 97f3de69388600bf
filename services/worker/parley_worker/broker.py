"""Kombu's Redis transport, made to work on when Redis has reached its memory limit.

Kombu keeps a copy of every message that is being worked on. When Redis refuses that copy, the message is lost to Kombu
and its worker dies; and since acknowledging is a transaction, which a full Redis refuses whole, a worker that has
finished dies at its ack. For Parley the copy is only the second net: the job record is the first.
"""

# kombu has types for little of its transport
# mypy: allow-untyped-calls

from __future__ import annotations

from typing import Any

from kombu.transport import TRANSPORT_ALIASES, redis, virtual
from redis.exceptions import OutOfMemoryError

from parley_core.logs import get_logger

log = get_logger(__name__)


def install() -> None:
    """Let `redis://`, `rediss://` and `redis+socket://` mean this transport in this process."""
    for scheme in ("redis", "rediss"):
        TRANSPORT_ALIASES[scheme] = f"{__name__}:Transport"


class QoS(redis.QoS):
    """Keeps what is being worked on; goes on without its copy in Redis when Redis is full."""

    def append(self, message: Any, delivery_tag: str) -> None:
        try:
            super().append(message, delivery_tag)
        except OutOfMemoryError:
            log.warning("Redis is full: working on a message without a copy of it")
            virtual.QoS.append(self, message, delivery_tag)

    def ack(self, delivery_tag: str) -> None:
        try:
            super().ack(delivery_tag)
        except OutOfMemoryError:
            self._remove_singly(delivery_tag)
            virtual.QoS.ack(self, delivery_tag)

    def _remove_singly(self, delivery_tag: str) -> None:
        """Remove the copy without a transaction: a full Redis lets single removals through."""
        with self.channel.conn_or_acquire() as client:
            client.zrem(self.unacked_index_key, delivery_tag)
            client.hdel(self.unacked_key, delivery_tag)

    def restore_visible(self, *arguments: Any, **options: Any) -> None:
        try:
            super().restore_visible(*arguments, **options)
        except OutOfMemoryError:
            log.warning("Redis is full: old messages are not looked after")


class Channel(redis.Channel):
    """Binds queues where it can; consuming needs no binding, and whoever publishes binds too."""

    QoS = QoS

    def _queue_bind(self, *arguments: Any) -> None:
        try:
            super()._queue_bind(*arguments)
        except OutOfMemoryError:
            log.warning("Redis is full: consuming without binding the queue")


class Transport(redis.Transport):
    """The transport of the worker's main process."""

    Channel = Channel
