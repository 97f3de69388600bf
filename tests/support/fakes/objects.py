"""RecordingStore and Journal in memory."""

from __future__ import annotations

import tempfile
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from parley_core.errors import IdempotencyKeyReused, ObjectStoreUnavailable
from parley_core.job import IdempotencyKey, NewJob
from parley_core.ports import ObjectEntry


class MemoryRecordingStore:
    """Keeps objects in a dict. `available = False` acts like a store that is down."""

    def __init__(self) -> None:
        self.objects: dict[str, bytes] = {}
        self.modified: dict[str, datetime] = {}
        self.available = True

    def _require_available(self) -> None:
        if not self.available:
            raise ObjectStoreUnavailable("The object store did not do what it was asked (down).")

    async def save(self, key: str, chunks: AsyncIterator[bytes]) -> None:
        data = b"".join([chunk async for chunk in chunks])
        self.put(key, data)

    def put(self, key: str, data: bytes) -> None:
        self._require_available()
        self.objects[key] = data
        self.modified[key] = datetime.now(UTC)

    def read(self, key: str) -> bytes:
        self._require_available()
        return self.objects[key]

    @contextmanager
    def fetch(self, key: str) -> Iterator[Path]:
        with tempfile.NamedTemporaryFile(prefix="parley-") as file:
            file.write(self.read(key))
            file.flush()
            yield Path(file.name)

    def create(self, key: str, data: bytes) -> bool:
        self._require_available()
        if key in self.objects:
            return False
        self.put(key, data)
        return True

    def delete(self, key: str) -> None:
        self._require_available()
        self.objects.pop(key, None)
        self.modified.pop(key, None)

    def entries(self, prefix: str) -> Iterator[ObjectEntry]:
        for key in self.keys(prefix):
            yield ObjectEntry(key, self.modified[key], len(self.objects[key]))

    def folders(self, prefix: str) -> Sequence[str]:
        below = prefix.rstrip("/") + "/"
        names = {key.removeprefix(below).partition("/") for key in self.keys(prefix)}
        return sorted({below + name for name, slash, _ in names if slash})

    def keys(self, prefix: str) -> Sequence[str]:
        self._require_available()
        return sorted(key for key in self.objects if key.startswith(prefix.rstrip("/") + "/"))

    def check(self) -> None:
        self._require_available()


class MemoryJournal:
    """Journal in a dict, beside a MemoryRecordingStore whose outages it shares."""

    def __init__(self, objects: MemoryRecordingStore | None = None) -> None:
        self._objects = objects or MemoryRecordingStore()
        self._entries: dict[str, tuple[NewJob, IdempotencyKey | None]] = {}
        self._keys: dict[tuple[str, str], tuple[str, str, float]] = {}

    def add(self, new: NewJob, idempotency: IdempotencyKey | None) -> None:
        self._objects.check()
        self._entries[new.id] = (new, idempotency)

    def find(self, job_id: str) -> NewJob | None:
        self._objects.check()
        entry = self._entries.get(job_id)
        return entry[0] if entry else None

    def entries(self) -> Sequence[tuple[NewJob, IdempotencyKey | None]]:
        self._objects.check()
        return list(self._entries.values())

    def remove(self, job_id: str) -> None:
        self._objects.check()
        self._entries.pop(job_id, None)

    def remember_key(self, tenant: str, idempotency: IdempotencyKey, job_id: str) -> str:
        self._objects.check()
        name, expires = (tenant, idempotency.key), time.time() + 24 * 3600
        known = self._keys.get(name)
        if known is None or known[2] < time.time():
            self._keys[name] = (job_id, idempotency.digest, expires)
            return job_id
        if known[1] != idempotency.digest:
            raise IdempotencyKeyReused("This Idempotency-Key was used for another recording or other options.")
        return known[0]

    def forget_keys(self) -> None:
        self._objects.check()
        self._keys = {name: known for name, known in self._keys.items() if known[2] >= time.time()}
