"""Celery carries job ids to workers. The record brings back what Celery loses, and refuses what it repeats.

Every setting here was chosen against a measured way of losing or doubling work; the reasons stand beside them.
"""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qs, quote, urlsplit

from celery import Celery
from kombu.exceptions import OperationalError
from redis import Redis
from redis.exceptions import RedisError

from parley_core.celery_transport import use_transport
from parley_core.errors import JobStoreUnavailable
from parley_core.job import Dispatch, Queue
from parley_core.redis.address import sentinel_address
from parley_core.redis.connection import connect, sentinel_options, translated_errors
from parley_core.settings import Settings

TASK = "parley.diarize"  # the one task; its one argument is a job id


def broker_url(redis_url: str) -> str:
    """Return kombu's spelling of PARLEY_REDIS_URL: it differs for Unix sockets and for Sentinels."""
    address = sentinel_address(redis_url)
    if address:
        login = f"{quote(address.user or '', '')}:{quote(address.password or '', '')}@"
        hosts = (f"sentinel://{login}{host}:{port}/{address.database}" for host, port in address.sentinels)
        return ";".join(hosts)
    if not redis_url.startswith("unix:"):
        return redis_url
    parts = urlsplit(redis_url)
    login = f"{parts.netloc.rpartition('@')[0]}@" if "@" in parts.netloc else ""
    database = parse_qs(parts.query).get("db", ["0"])[0]
    return f"redis+socket://{login}{parts.path}?virtual_host={database}"


def create_app(settings: Settings) -> Celery:
    """Return the Celery application that publishers, workers and Flower share; it connects at its first use."""
    use_transport("parley_core.celery_transport:Transport", "parley_core.celery_transport:SentinelTransport")
    app = Celery("parley", broker=broker_url(settings.redis_url.get_secret_value()), set_as_current=False)
    app.conf.update(_configuration(settings))
    return app


def _configuration(settings: Settings) -> dict[str, Any]:
    url = settings.redis_url.get_secret_value()
    address = sentinel_address(url)
    transport = {
        "visibility_timeout": settings.visibility_timeout,  # longer than any attempt, or Celery delivers it twice
        "unacked_restore_throttle": 1,  # the keeper publishes lost messages sooner
        "socket_timeout": settings.redis_timeout_seconds,  # kombu's default is none: a publish could hang
        "socket_connect_timeout": 5,
        "health_check_interval": 25,
        **({} if url.startswith("unix:") else {"socket_keepalive": True}),
        **({"master_name": address.service, "sentinel_kwargs": sentinel_options(url, 5)} if address else {}),
    }
    return {
        "broker_transport_options": transport,
        **({"broker_use_ssl": address.verification} if address and address.tls else {}),
        "broker_connection_retry_on_startup": True,
        "broker_connection_max_retries": None,  # a worker waits for Redis without a limit
        "broker_connection_timeout": 5,
        "visibility_timeout": settings.visibility_timeout,
        "accept_content": ["json"],
        "task_serializer": "json",
        "task_ignore_result": True,  # the record is the result; nothing to write when Redis is full
        "task_default_queue": Queue.INTERACTIVE,
        "task_create_missing_queues": True,
        "task_acks_late": True,
        "task_reject_on_worker_lost": False,  # it would repeat without end; attempts are counted instead
        "task_publish_retry": False,  # the keeper publishes what the API could not
        "worker_cancel_long_running_tasks_on_connection_loss": False,  # it loses running jobs at a Redis restart
        "worker_prefetch_multiplier": 1,
        "worker_disable_prefetch": True,  # an idle worker must find what a busy one cannot start
        "worker_proc_alive_timeout": 60,  # a child that starts slowly must not be killed
        "worker_max_tasks_per_child": 100,
        "worker_send_task_events": True,  # Flower
        "task_soft_time_limit": 540,  # each message brings its own, by the length of its recording
        "task_time_limit": 600,
        "worker_hijack_root_logger": False,  # logs.py owns the root logger
    }


class CeleryJobQueue:
    """JobQueue on Celery and Redis."""

    def __init__(self, app: Celery, client: Redis) -> None:
        self._app = app
        self._client: Any = client

    @classmethod
    def from_settings(cls, settings: Settings) -> CeleryJobQueue:
        """Return a queue that connects at its first call."""
        url = settings.redis_url.get_secret_value()
        return cls(create_app(settings), connect(url, settings.redis_timeout_seconds))

    def publish(self, dispatch: Dispatch) -> None:
        limits = dispatch.limits
        try:
            self._app.send_task(
                TASK,
                args=[dispatch.job_id],
                queue=dispatch.queue,
                soft_time_limit=limits.soft,
                time_limit=limits.hard,
                retry=False,
            )
        except (OperationalError, RedisError, OSError) as error:
            raise JobStoreUnavailable(f"The broker did not take the job ({type(error).__name__}).") from error

    def waiting(self) -> dict[Queue, int]:
        with translated_errors():
            return {queue: int(self._client.llen(queue)) for queue in Queue}
