"""Lets thousands of requests wait for changes of jobs without a thread or a connection each.

Every transition of the record publishes the job's id. One subscriber per process wakes the requests that wait for that
job. They also look again every few seconds, because a broken connection loses messages.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from typing import Any

from redis.exceptions import RedisError

from parley_core.logs import get_logger
from parley_core.redis.connection import connect_async

log = get_logger(__name__)

CHANNEL = "parley:changed"
POLL_SECONDS = 2.0  # with a subscription: the fallback for lost messages
POLL_ONLY_SECONDS = 0.05  # without one
RECONNECT_SECONDS = 1.0
SUBSCRIPTION_SECONDS = 60.0  # then again: a demoted primary keeps its subscribers and sends them nothing
LISTEN_SECONDS = 5.0  # then the connection is checked


class JobNotifications:
    """Wakes requests that wait for a job. This class has no subscription: its requests poll (in-memory ports)."""

    def __init__(self, poll_seconds: float = POLL_ONLY_SECONDS) -> None:
        self._poll_seconds = poll_seconds
        self._waiting: defaultdict[str, set[asyncio.Event]] = defaultdict(set)
        self.closed = False

    @contextmanager
    def watch(self, job_id: str) -> Iterator[Watch]:
        """Notice every change of the job from now on."""
        event = asyncio.Event()
        self._waiting[job_id].add(event)
        try:
            yield Watch(event, self._poll_seconds)
        finally:
            self._waiting[job_id].discard(event)
            if not self._waiting[job_id]:
                del self._waiting[job_id]

    def wake(self, job_id: str) -> None:
        """Wake the requests that wait for this job."""
        for event in self._waiting.get(job_id, ()):
            event.set()

    def close(self) -> None:
        """Wake all requests and set `closed`: the process is about to stop, and callers can ask its successor."""
        self.closed = True
        for job_id in list(self._waiting):
            self.wake(job_id)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Listen for as long as the context lasts."""
        yield


class Watch:
    """One request's wait."""

    def __init__(self, event: asyncio.Event, poll_seconds: float) -> None:
        self._event = event
        self._poll_seconds = poll_seconds

    async def changed(self, at_most: float) -> None:
        """Return when the job has changed, after `at_most` seconds, or when it is time to poll."""
        with suppress(TimeoutError):
            async with asyncio.timeout(min(at_most, self._poll_seconds)):
                await self._event.wait()
        self._event.clear()


class RedisJobNotifications(JobNotifications):
    """JobNotifications that Redis publishes."""

    def __init__(self, url: str, timeout: float) -> None:
        """Connect when `running` begins; `timeout` is in seconds."""
        super().__init__(POLL_SECONDS)
        self._url = url
        self._timeout = timeout

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        listener = asyncio.create_task(self._listen_until_cancelled())
        try:
            yield
        finally:
            listener.cancel()
            with suppress(asyncio.CancelledError):
                await listener

    async def _listen_until_cancelled(self) -> None:
        while True:
            try:
                await self._listen()
            except (RedisError, OSError) as error:
                log.warning("no notifications; polling instead", error=type(error).__name__)
            await asyncio.sleep(RECONNECT_SECONDS)

    async def _listen(self) -> None:
        client: Any = connect_async(self._url, self._timeout)
        async with client, client.pubsub(ignore_subscribe_messages=True) as subscription:
            await subscription.subscribe(CHANNEL)
            until = asyncio.get_running_loop().time() + SUBSCRIPTION_SECONDS
            while asyncio.get_running_loop().time() < until:
                message = await subscription.get_message(timeout=LISTEN_SECONDS)
                if message is not None:
                    self.wake(message["data"])
