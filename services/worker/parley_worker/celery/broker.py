"""How a worker's main process gets along with a Redis that is full or away.

Kombu keeps a copy of every message that is being worked on. When Redis refuses that copy, the message is lost to Kombu
and its worker dies; and since acknowledging is a transaction, which a full Redis refuses whole, a worker that has
finished dies at its ack. For Parley the copy is only the second net: the job record is the first.

And Celery waits longer and longer between two tries to connect, up to 30 s; jobs would wait as long after an outage.
"""

# kombu has types for little of its transport
# mypy: allow-untyped-calls

from __future__ import annotations

from contextlib import suppress
from typing import Any

from celery.worker.consumer import Consumer
from celery.worker.state import maybe_shutdown
from kombu.transport import TRANSPORT_ALIASES, redis, virtual
from redis.exceptions import OutOfMemoryError

from parley_core.logs import get_logger

RECONNECT_SECONDS = 1.0

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

    def maybe_refresh_binding_expiry(self) -> None:
        with suppress(OutOfMemoryError):  # these bindings are for Flower's questions; kombu tries again by itself
            super().maybe_refresh_binding_expiry()

    def close(self) -> None:
        """Close at the first call, whatever the connection is like.

        Kombu reads what is still to come before it closes. When that read fails, the channel stays open, and Celery
        closes it once more, now without a transport: with a message in work that ends the worker.
        """
        try:
            super().close()
        except self.connection_errors:
            super().close()  # nothing is left to read

    def _queue_bind(self, *arguments: Any) -> None:
        try:
            super()._queue_bind(*arguments)
        except OutOfMemoryError:
            log.warning("Redis is full: consuming without binding the queue")


class Transport(redis.Transport):
    """The transport of the worker's main process."""

    Channel = Channel


class PromptConsumer(Consumer):  # type: ignore[misc]  # celery ships no types
    """Celery's consumer, but one that is back within a second of Redis, however long that was away."""

    def ensure_connected(self, conn: Any) -> Any:
        told: set[str] = set()

        def tell_once(error: Exception, _: float) -> None:
            if not told:
                log.warning("Redis does not answer the worker", error=type(error).__name__)
            told.add("outage")

        pauses = {"interval_start": RECONNECT_SECONDS, "interval_step": 0, "interval_max": RECONNECT_SECONDS}
        connected = conn.ensure_connection(tell_once, callback=maybe_shutdown, **pauses)
        self.first_connection_attempt = False
        return connected
