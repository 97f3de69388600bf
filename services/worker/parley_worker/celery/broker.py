"""The broker connection of a worker's main process: it survives a Redis that is full or down.

Kombu keeps a copy in Redis of every message in progress. A full Redis refuses the copy, and the error ends the worker.
An acknowledgement is a transaction, which a full Redis refuses as a whole, and the error ends the worker too. Parley
can do without the copy: the job record brings a lost message back.

Between two attempts to connect Celery waits longer and longer, up to 30 s, and jobs would wait as long after an outage.
"""

# kombu has types for little of its transport
# mypy: allow-untyped-calls

from __future__ import annotations

from contextlib import suppress
from typing import Any

from celery.worker.consumer import Consumer
from celery.worker.state import maybe_shutdown
from kombu.transport import redis, virtual
from kombu.utils.encoding import bytes_to_str
from kombu.utils.json import loads
from redis import Redis
from redis.exceptions import OutOfMemoryError

from parley_core import celery_transport
from parley_core.celery_transport import use_transport
from parley_core.logs import get_logger
from parley_worker.celery.messages import is_copy_of_job, is_job

RECONNECT_SECONDS = 1.0
COUNTER = ("parley:stats", "messages_dropped")  # of the record

log = get_logger(__name__)


def install() -> None:
    """Use these transports for every broker in this process."""
    use_transport(f"{__name__}:Transport", f"{__name__}:SentinelTransport")


class QoS(redis.QoS):
    """Keeps the messages in progress, without copies in Redis while Redis is full."""

    def append(self, message: Any, delivery_tag: str) -> None:
        try:
            super().append(message, delivery_tag)
        except OutOfMemoryError:
            log.warning("Redis is full: message in progress without a copy")
            virtual.QoS.append(self, message, delivery_tag)

    def ack(self, delivery_tag: str) -> None:
        try:
            super().ack(delivery_tag)
        except OutOfMemoryError:
            with self.channel.conn_or_acquire() as client:  # a full Redis refuses transactions, but no single removals
                client.zrem(self.unacked_index_key, delivery_tag)
                client.hdel(self.unacked_key, delivery_tag)
            virtual.QoS.ack(self, delivery_tag)

    def restore_by_tag(self, tag: str, client: Any = None, leftmost: bool = False) -> None:
        """Publish a message again from its copy, without WATCH.

        redis-py repeats a watched transaction without a pause for as long as the server is not the primary. A message
        that two workers publish again at the same time is a duplicate, which the job record sorts out.
        """
        with self.channel.conn_or_acquire(client) as client, client.pipeline() as pipe:
            copy = client.hget(self.unacked_key, tag)
            self._remove_from_indices(tag, pipe)
            if copy and is_copy_of_job(copy):
                message, exchange, routing_key = loads(bytes_to_str(copy))
                self.channel._do_restore_message(message, exchange, routing_key, pipe, leftmost)
            pipe.execute()

    def reject(self, delivery_tag: str, requeue: bool = False) -> None:
        """Put a message back to the front of its queue. Kombu's default puts it behind all others."""
        if requeue:
            self.restore_by_tag(delivery_tag, leftmost=False)
        self.ack(delivery_tag)

    def restore_visible(self, *arguments: Any, **options: Any) -> None:
        try:
            super().restore_visible(*arguments, **options)
        except OutOfMemoryError:
            log.warning("Redis is full: old messages are not delivered again")


class CheckingClient(Redis):
    """A client of Redis that takes only messages of Parley from queues. Others are dropped and counted."""

    def parse_response(self, connection: Any, command_name: Any, **options: Any) -> Any:
        answer = super().parse_response(connection, command_name, **options)
        if command_name != "BRPOP" or not answer or is_job(answer[1]):
            return answer
        log.warning("a message that is no job of Parley was dropped", queue=bytes_to_str(answer[0]))
        with suppress(OutOfMemoryError):
            self.hincrby(*COUNTER, 1)
        return None  # kombu takes it for an empty queue, and asks again


class Channel(celery_transport.Channel):
    """Binds queues if Redis has room. Consuming needs no binding, and publishers bind too."""

    QoS = QoS

    def _get_client(self) -> type[Redis]:
        return CheckingClient

    def maybe_refresh_binding_expiry(self) -> None:
        with suppress(OutOfMemoryError):  # these bindings serve Flower's inspect calls; kombu tries again by itself
            super().maybe_refresh_binding_expiry()

    def close(self) -> None:
        """Close at the first call, whatever the state of the connection.

        Kombu reads pending replies before it closes. If that read fails, the channel stays open, and Celery closes it
        again, now without a transport. With a message in progress this ends the worker.
        """
        try:
            super().close()
        except self.connection_errors:
            super().close()  # no pending replies are left

    def _queue_bind(self, *arguments: Any) -> None:
        try:
            super()._queue_bind(*arguments)
        except OutOfMemoryError:
            log.warning("Redis is full: consuming from an unbound queue")


class SentinelChannel(Channel, celery_transport.SentinelChannel):
    """The same for a service of Sentinels."""


class Transport(celery_transport.Transport):
    """The transport of the worker's main process."""

    Channel = Channel


class SentinelTransport(celery_transport.SentinelTransport):
    """The transport of the worker's main process to a service of Sentinels."""

    Channel = SentinelChannel


class PromptConsumer(Consumer):  # type: ignore[misc]  # celery ships no types
    """Celery's consumer, which also connects within a second of the end of a long outage of Redis."""

    def ensure_connected(self, conn: Any) -> Any:
        logged = False

        def log_once(error: Exception, _: float) -> None:
            nonlocal logged
            if not logged:
                log.warning("Redis does not answer the worker", error=type(error).__name__)
            logged = True

        pauses = {"interval_start": RECONNECT_SECONDS, "interval_step": 0, "interval_max": RECONNECT_SECONDS}
        connected = conn.ensure_connection(log_once, callback=maybe_shutdown, **pauses)
        self.first_connection_attempt = False
        return connected
