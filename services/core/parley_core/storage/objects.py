"""Where recordings and results are: a folder, or an object store by its URL."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import unquote, urlsplit

from parley_core.ports import RecordingStore
from parley_core.settings import Settings
from parley_core.storage.folder import FolderStore
from parley_core.storage.remote import RemoteStore


def object_store(settings: Settings) -> RecordingStore:
    """Open `file:///folder`, or what RemoteStore opens. Raises UnsafeSettings, ObjectStoreUnavailable."""
    url = urlsplit(settings.objects_url)
    if url.scheme == "file":
        return FolderStore(Path(unquote(url.path)))
    return RemoteStore(settings.objects_url, settings.objects_secrets, settings.objects_flush_url, settings.ca_file)
