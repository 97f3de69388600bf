"""Removes resumable uploads that nobody has submitted in time."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from parley_core.logs import get_logger
from parley_core.ports import RecordingStore
from parley_core.recording import UPLOADS, upload_begun_at
from parley_core.storage.manifests import CLOCKS_APART
from parley_keeper.loop import NoteProgress

log = get_logger(__name__)


class UploadCollector:
    """Removes the uploads whose time is over, by their names. Objects of other names are kept.

    No single clock decides: the id has the time of the API, and the newest part that of the object store.

    Args:
        seconds: life of an upload.
    """

    def __init__(
        self, objects: RecordingStore, seconds: float, now: Callable[[], datetime] = lambda: datetime.now(UTC)
    ) -> None:
        self._objects, self._life, self._now = objects, timedelta(seconds=seconds), now

    def collect(self, note_progress: NoteProgress) -> int:
        """Look at every upload once; return how many were removed. Raises ObjectStoreUnavailable."""
        removed = 0
        for tenant in self._objects.folders(UPLOADS):
            for folder in self._objects.folders(tenant):
                note_progress()
                if self._has_expired(folder.rpartition("/")[2]):
                    removed += self._remove(folder, note_progress)
        return removed

    def _has_expired(self, upload_id: str) -> bool:
        try:
            return upload_begun_at(upload_id) + self._life + CLOCKS_APART < self._now()
        except ValueError:
            return False

    def _remove(self, folder: str, note_progress: NoteProgress) -> bool:
        entries = list(self._objects.entries(f"{folder}/"))
        if not entries or any(entry.modified + CLOCKS_APART > self._now() for entry in entries):
            return False
        self._objects.delete_each([entry.key for entry in entries], note_progress)
        log.info("abandoned upload removed", upload_id=folder.rpartition("/")[2])
        return True
