"""A recording on its way in: stored while it is hashed and counted, and gone again unless somebody keeps it."""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator
from contextlib import ExitStack, asynccontextmanager
from pathlib import Path

import anyio

from parley_api.runtime.blocking_calls import BlockingCalls
from parley_api.runtime.probe import RecordingProbe
from parley_core.errors import EmptyRecording, ObjectStoreUnavailable, RecordingTooLarge
from parley_core.logs import get_logger
from parley_core.ports import RecordingStore

log = get_logger(__name__)

COPY_BYTES = 1024 * 1024
HEAD_BYTES = 4096  # enough to tell a container by its first bytes, and less than the smallest network chunk


class Draft:
    """One recording under a key of its own.

    Attributes:
        key: where it is stored.
        sha256: of all its bytes, once stored.
        bytes: how many came.
    """

    def __init__(self, key: str, recordings: RecordingStore, audio: RecordingProbe, max_bytes: int) -> None:
        self.key, self.sha256, self.bytes = key, "", 0
        self._recordings, self._audio, self._max_bytes = recordings, audio, max_bytes
        self.stored = self.kept = False

    def require_size(self, announced: int) -> None:
        """Raise RecordingTooLarge when so many bytes are too many."""
        if announced > self._max_bytes:
            raise RecordingTooLarge(f"The recording is larger than {self._max_bytes} bytes, the limit here.")

    async def store(self, chunks: AsyncIterator[bytes]) -> None:
        """Take the recording in.

        Raises:
            EmptyRecording, NotAudio: before anything is stored.
            RecordingTooLarge: as soon as one byte is too many; nothing stays stored.
            ObjectStoreUnavailable: it could not be stored.
        """
        head = await _head(chunks)
        self._audio.sniff(head)
        await self._recordings.save(self.key, self._measured(head, chunks))
        self.stored = True

    async def _measured(self, head: bytes, rest: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
        digest = hashlib.sha256()
        async for chunk in _joined(head, rest):
            self.bytes += len(chunk)
            self.require_size(self.bytes)
            digest.update(chunk)
            yield chunk
        self.sha256 = digest.hexdigest()

    def keep(self) -> None:
        """A job owns it, or may."""
        self.kept = True

    def drop(self) -> None:
        """No job owns it after all."""
        self.kept = False


async def move(draft: Draft, key: str, recordings: RecordingStore, calls: BlockingCalls) -> None:
    """Store a draft's bytes under another key, and remove the first. Raises ObjectStoreUnavailable."""
    lent = ExitStack()
    path = await calls.objects(lent.enter_context, recordings.fetch(draft.key))
    try:
        await recordings.save(key, _read(path))
    finally:
        await calls.objects(lent.close)
    before, draft.key = draft.key, key
    await calls.objects(recordings.delete, before)


async def _read(path: Path) -> AsyncIterator[bytes]:
    async with await anyio.open_file(path, "rb") as file:
        while chunk := await file.read(COPY_BYTES):
            yield chunk


async def _head(chunks: AsyncIterator[bytes]) -> bytes:
    head = b""
    while len(head) < HEAD_BYTES and (chunk := await anext(chunks, None)) is not None:
        head += chunk
    if not head:
        raise EmptyRecording("There is no recording: the body is empty.")
    return head


async def _joined(head: bytes, rest: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    yield head
    async for chunk in rest:
        yield chunk


@asynccontextmanager
async def discarded_unless_kept(draft: Draft, recordings: RecordingStore, calls: BlockingCalls) -> AsyncIterator[Draft]:
    """Remove the recording at the end, also when the request is cancelled, unless it was kept."""
    try:
        yield draft
    finally:
        if draft.stored and not draft.kept:
            with anyio.CancelScope(shield=True):
                await _discard(draft, recordings, calls)


async def _discard(draft: Draft, recordings: RecordingStore, calls: BlockingCalls) -> None:
    try:
        await calls.objects(recordings.delete, draft.key)
    except ObjectStoreUnavailable:
        log.warning("a recording without a job is left in the object store", key=draft.key)
