"""The calls for batches, of both clients."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from urllib.parse import quote
from uuid import uuid4

from parley._calls import PAGE_SIZE, Call, place_of, sent_options
from parley._httpx import httpx
from parley._responses import parse
from parley._transport import AsyncTransport, Transport
from parley.batches import Batch, BatchSummary
from parley.errors import BatchUnfinished
from parley.models import Document
from parley.options import SubmitOptions

PATH = "/v1/batches"
READ_SECONDS = 3600.0  # the server fetches 100 recordings, four at a time
FIRST_PAUSE, LONGEST_PAUSE = 0.5, 10.0  # seconds between two looks at a batch


def submit(
    recordings: Sequence[str | Document],
    options: SubmitOptions,
    reference: str | None,
    callback_url: str | None,
    idempotency_key: str | None,
) -> Call[Batch]:
    """Submit recordings that are named. One idempotency key for all tries makes the call repeatable."""
    shared = {name: value for name, value in sent_options(options).items() if value is not None}
    jobs = [{place_of(one): one} if isinstance(one, str) else dict(one) for one in recordings]
    delivery = {} if callback_url is None else {"callback_url": callback_url}
    body: Document = {"jobs": jobs, "options": shared, "reference": reference, **delivery}
    headers = {"Idempotency-Key": idempotency_key or str(uuid4())}
    return Call("POST", PATH, _read, headers=headers, json=body, read_seconds=READ_SECONDS)


def get(batch_id: str) -> Call[Batch]:
    """Get a batch."""
    return Call("GET", _path(batch_id), _read)


def cancel(batch_id: str) -> Call[Batch]:
    """Cancel the jobs of a batch. Those that have ended stay as they are."""
    return Call("POST", f"{_path(batch_id)}/cancel", _read)


def page(cursor: str | None) -> Call[tuple[list[BatchSummary], str | None]]:
    """Get one page of batches, and where the next one begins."""

    def build(document: Document) -> tuple[list[BatchSummary], str | None]:
        return [BatchSummary.from_document(one) for one in document["batches"]], document["next_cursor"]

    params = {"limit": PAGE_SIZE, "cursor": cursor}
    return Call("GET", PATH, lambda response: parse(response, build), params=params)


def _read(response: httpx.Response) -> Batch:
    return parse(response, Batch.from_document)


def _path(batch_id: str) -> str:
    return f"{PATH}/{quote(batch_id, safe='')}"


class _Pauses:
    """The seconds between looks at a batch, longer each time."""

    def __init__(self, timeout: float | None) -> None:
        self._timeout, self._started, self._pause = timeout, time.monotonic(), FIRST_PAUSE

    def next(self, batch: Batch) -> float:
        """Return the seconds until the next look. Raises BatchUnfinished if there is none."""
        pause, self._pause = self._pause, min(2 * self._pause, LONGEST_PAUSE)
        if self._timeout is None:
            return pause
        left = self._timeout - (time.monotonic() - self._started)
        if left <= 0:
            raise BatchUnfinished(batch, self._timeout)
        return min(pause, left)


class BatchMethods:
    """What Parley does with batches."""

    _transport: Transport

    def submit_batch(
        self,
        recordings: Sequence[str | Document],
        *,
        options: SubmitOptions | None = None,
        reference: str | None = None,
        callback_url: str | None = None,
        idempotency_key: str | None = None,
    ) -> Batch:
        """Submit up to 100 recordings by one request, and return the batch: some may be refused, see `items`.

        Args:
            recordings: each a link, such as `https://pacs.example/visit.wav` or `s3://calls/visit.wav`; or a document
                with `url`, `object` or `upload`, and options of its own.
            options: of all recordings, where one has none of its own.
            reference: your own name for the batch.
            callback_url: where the server delivers the end of the batch.
            idempotency_key: your own key, to get the same batch again from another process; by default a random one.

        Raises:
            TypeError: a text is no link.
        """
        return self._transport.send(submit(recordings, options or {}, reference, callback_url, idempotency_key))

    def batch(self, batch_id: str) -> Batch:
        """Return a batch with the states of its jobs."""
        return self._transport.send(get(batch_id))

    def batches(self) -> Iterator[BatchSummary]:
        """Yield your batches, newest first. Pages are requested as they are needed."""
        cursor: str | None = None
        while True:
            found, cursor = self._transport.send(page(cursor))
            yield from found
            if cursor is None:
                return

    def wait_batch(self, batch_id: str, *, timeout: float | None = None) -> Batch:
        """Return a batch as soon as all of its jobs have ended.

        Raises:
            BatchUnfinished: some have not after `timeout` seconds.
        """
        pauses, batch = _Pauses(timeout), self.batch(batch_id)
        while not batch.done:
            time.sleep(pauses.next(batch))
            batch = self.batch(batch_id)
        return batch

    def cancel_batch(self, batch_id: str) -> Batch:
        """Cancel those jobs of a batch that have not ended, and return it."""
        return self._transport.send(cancel(batch_id))


class AsyncBatchMethods:
    """What AsyncParley does with batches."""

    _transport: AsyncTransport

    async def submit_batch(
        self,
        recordings: Sequence[str | Document],
        *,
        options: SubmitOptions | None = None,
        reference: str | None = None,
        callback_url: str | None = None,
        idempotency_key: str | None = None,
    ) -> Batch:
        """Submit up to 100 recordings by one request, and return the batch; see Parley.submit_batch."""
        return await self._transport.send(submit(recordings, options or {}, reference, callback_url, idempotency_key))

    async def batch(self, batch_id: str) -> Batch:
        """Return a batch with the states of its jobs."""
        return await self._transport.send(get(batch_id))

    async def batches(self) -> AsyncIterator[BatchSummary]:
        """Yield your batches, newest first. Pages are requested as they are needed."""
        cursor: str | None = None
        while True:
            found, cursor = await self._transport.send(page(cursor))
            for one in found:
                yield one
            if cursor is None:
                return

    async def wait_batch(
        self,
        batch_id: str,
        *,
        timeout: float | None = None,  # noqa: ASYNC109 - as in Parley.wait_batch
    ) -> Batch:
        """Return a batch as soon as all of its jobs have ended. Raises BatchUnfinished after `timeout` seconds."""
        pauses, batch = _Pauses(timeout), await self.batch(batch_id)
        while not batch.done:
            await asyncio.sleep(pauses.next(batch))
            batch = await self.batch(batch_id)
        return batch

    async def cancel_batch(self, batch_id: str) -> Batch:
        """Cancel those jobs of a batch that have not ended, and return it."""
        return await self._transport.send(cancel(batch_id))
