"""Waiting for a job to change, by thousands of requests, without a thread or a connection for each.

Every move of the record publishes the job's id. One subscriber per process wakes those who wait for it; a second
look every so often makes up for what a broken connection did not deliver.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from typing import Any

from redis.asyncio import Redis
from redis.exceptions import RedisError

from parley_core.logs import get_logger
from parley_core.redis.connection import HEALTH_CHECK_SECONDS

log = get_logger(__name__)

CHANNEL = "parley:changed"
LOOK_AGAIN_SECONDS = 2.0  # the safety net under the subscription
RECONNECT_SECONDS = 1.0
LISTEN_SECONDS = 5.0  # then the connection is checked


class JobNotifications:
    """Wakes those who wait for a job. Without a subscription (in-memory ports) they look again and again."""

    def __init__(self, look_again_seconds: float = 0.05) -> None:
        self._look_again_seconds = look_again_seconds
        self._waiting: defaultdict[str, set[asyncio.Event]] = defaultdict(set)
        self.closed = False

    @contextmanager
    def watch(self, job_id: str) -> Iterator[Watch]:
        """Notice every change of the job from now on."""
        event = asyncio.Event()
        self._waiting[job_id].add(event)
        try:
            yield Watch(event, self._look_again_seconds)
        finally:
            self._waiting[job_id].discard(event)
            if not self._waiting[job_id]:
                del self._waiting[job_id]

    def wake(self, job_id: str) -> None:
        """Tell those who wait for this job to look."""
        for event in self._waiting.get(job_id, ()):
            event.set()

    def close(self) -> None:
        """Let nobody wait any more: the process is about to stop, and whoever waits can ask its successor."""
        self.closed = True
        for job_id in list(self._waiting):
            self.wake(job_id)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Listen for as long as the context lasts."""
        yield


class Watch:
    """One request's wait."""

    def __init__(self, event: asyncio.Event, look_again_seconds: float) -> None:
        self._event, self._look_again_seconds = event, look_again_seconds

    async def changed(self, at_most: float) -> None:
        """Return when it is time to look at the job again: it changed, or so many seconds have passed, or a few."""
        with suppress(TimeoutError):
            async with asyncio.timeout(min(at_most, self._look_again_seconds)):
                await self._event.wait()
        self._event.clear()


class RedisJobNotifications(JobNotifications):
    """JobNotifications as Redis publishes them."""

    def __init__(self, url: str, timeout: float) -> None:
        super().__init__(LOOK_AGAIN_SECONDS)
        self._url, self._timeout = url, timeout

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        listener = asyncio.create_task(self._listen_for_ever())
        try:
            yield
        finally:
            listener.cancel()
            with suppress(asyncio.CancelledError):
                await listener

    async def _listen_for_ever(self) -> None:
        while True:
            try:
                await self._listen()
            except (RedisError, OSError) as error:
                log.warning("not told of changes; looking every few seconds", error=type(error).__name__)
            await asyncio.sleep(RECONNECT_SECONDS)

    async def _listen(self) -> None:
        client: Any = Redis.from_url(
            self._url,
            decode_responses=True,
            socket_timeout=self._timeout,
            socket_connect_timeout=self._timeout,
            health_check_interval=HEALTH_CHECK_SECONDS,
        )
        async with client, client.pubsub(ignore_subscribe_messages=True) as subscription:
            await subscription.subscribe(CHANNEL)
            while True:
                message = await subscription.get_message(timeout=LISTEN_SECONDS)
                if message is not None:
                    self.wake(message["data"])
