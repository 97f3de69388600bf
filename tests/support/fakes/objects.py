"""RecordingStore in memory."""

from __future__ import annotations

import tempfile
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

from parley_core.errors import ObjectStoreUnavailable
from parley_core.ports import ObjectEntry


class MemoryRecordingStore:
    """Keeps objects in a dict.

    Attributes:
        available: False acts like a store that is down.
        listed_after: seconds until a listing has what was stored, as in a store of eventual consistency.
    """

    def __init__(self, now: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self._now = now
        self.objects: dict[str, bytes] = {}
        self.modified: dict[str, datetime] = {}
        self.available = True
        self.listed_after = 0.0

    def _require_available(self) -> None:
        if not self.available:
            raise ObjectStoreUnavailable("The object store did not do what it was asked (down).")

    async def save(self, key: str, chunks: AsyncIterator[bytes]) -> None:
        data = b"".join([chunk async for chunk in chunks])
        self.put(key, data)

    def put(self, key: str, data: bytes) -> None:
        self._require_available()
        self.objects[key] = data
        self.modified[key] = self._now()

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

    def put_each(self, keys: Sequence[str], data: bytes, note_progress: Callable[[], None]) -> None:
        for key in keys:
            self.put(key, data)
            note_progress()

    def delete_each(self, keys: Sequence[str], note_progress: Callable[[], None]) -> None:
        for key in keys:
            self.delete(key)
            note_progress()

    def keys_each(self, prefixes: Sequence[str], note_progress: Callable[[], None]) -> Sequence[str]:
        found = []
        for prefix in prefixes:
            found += self.keys(prefix)
            note_progress()
        return found

    def delete(self, key: str) -> None:
        self._require_available()
        self.objects.pop(key, None)
        self.modified.pop(key, None)

    def entries(self, prefix: str, after: str = "") -> Iterator[ObjectEntry]:
        for key in (key for key in self.keys(prefix) if key > after):
            yield ObjectEntry(key, self.modified[key], len(self.objects[key]))

    def remove_staged(self, older_than_seconds: float) -> int:
        return 0

    def folders(self, prefix: str) -> Sequence[str]:
        below = prefix.rstrip("/") + "/"
        names = {key.removeprefix(below).partition("/") for key in self.keys(prefix)}
        return sorted({below + name for name, slash, _ in names if slash})

    def keys(self, prefix: str) -> Sequence[str]:
        self._require_available()
        newest = self._now() - timedelta(seconds=self.listed_after)
        below = [key for key in list(self.objects) if key.startswith(prefix.rstrip("/") + "/")]
        return sorted(key for key in below if self.modified.get(key, newest) <= newest)

    def check(self) -> None:
        self._require_available()
