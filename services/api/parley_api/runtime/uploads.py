"""Recordings that arrive in parts, over as many connections as it takes, until a submit takes them.

    uploads/<tenant>/<upload id>/info.json    name of the file; created first, and removed first
    uploads/<tenant>/<upload id>/<offset>     the bytes from this offset on

Every process of the API takes every part, and one that dies loses nothing that it has acknowledged. A part begins where
another one ends and is created conditionally, so that of two writers at one offset one wins.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from parley_api.http.errors import TooManyParts, UploadExpired, UploadNotFound, UploadOffsetConflict
from parley_core.job_id import new_id
from parley_core.ports import RecordingStore
from parley_core.recording import UUID_LENGTH, upload_begun_at, upload_folder

UPLOAD_ID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}-[1-9][0-9]{0,14}")
INFO = "info.json"
DIGITS = 15  # of an offset, so that names sort by it
MOST_PARTS = 10_000  # of an upload: each costs a call whenever the upload is read


@dataclass(frozen=True, slots=True)
class OpenUpload:
    """An upload that no submit has taken yet.

    Attributes:
        length: bytes of the whole recording.
        file_name: as the caller gave it; None without one.
        expires_at: when it is removed.
        metadata: `Upload-Metadata` as the caller sent it; empty without one.
    """

    tenant: str
    id: str
    length: int
    file_name: str | None
    expires_at: datetime
    metadata: str = ""

    @property
    def begun_at(self) -> datetime:
        """When it was begun."""
        return upload_begun_at(self.id)


@dataclass(frozen=True, slots=True)
class Parts:
    """The offsets at which the parts of an upload begin, and where the last one ends."""

    starts: tuple[int, ...]
    end: int


class Uploads:
    """Uploads in an object store. Calls block; each raises ObjectStoreUnavailable."""

    def __init__(self, objects: RecordingStore, seconds: int) -> None:
        self._objects, self._life = objects, timedelta(seconds=seconds)

    def create(self, tenant: str, length: int, file_name: str | None, metadata: str = "") -> OpenUpload:
        """Begin an upload."""
        upload_id = f"{new_id()}-{length}"
        upload = OpenUpload(tenant, upload_id, length, file_name, upload_begun_at(upload_id) + self._life, metadata)
        info = {"format": 1, "file_name": file_name, "metadata": metadata}
        self._objects.put(f"{_folder(upload)}/{INFO}", json.dumps(info).encode())
        return upload

    def find(self, tenant: str, upload_id: str) -> OpenUpload:
        """Return an upload of a tenant. Raises UploadNotFound or UploadExpired."""
        missing = UploadNotFound("Your tenant has no upload with this id. It was taken by a submit, or removed.")
        if not UPLOAD_ID.fullmatch(upload_id):
            raise missing
        try:
            info = json.loads(self._objects.read(f"{upload_folder(tenant)}/{upload_id}/{INFO}"))
        except KeyError:
            raise missing from None
        expires_at = upload_begun_at(upload_id) + self._life
        if expires_at <= datetime.now(UTC):
            raise UploadExpired("The time of this upload is over. Begin a new one.")
        metadata = info.get("metadata", "")
        return OpenUpload(tenant, upload_id, _length_of(upload_id), info["file_name"], expires_at, metadata)

    def lengths_of(self, tenant: str) -> Mapping[str, int]:
        """Return the lengths of the tenant's uploads that have not expired, by their ids, the oldest first.

        Costs one listing of their names.
        """
        names = sorted(folder.rpartition("/")[2] for folder in self._objects.folders(upload_folder(tenant)))
        now = datetime.now(UTC)
        found = [name for name in names if UPLOAD_ID.fullmatch(name) and upload_begun_at(name) + self._life > now]
        return {name: _length_of(name) for name in found}

    def page(self, tenant: str, limit: int, before: str | None) -> tuple[Sequence[tuple[OpenUpload, int]], str | None]:
        """Return uploads of a tenant with what has arrived, the newest first, and where the next page begins.

        Args:
            limit: largest number of uploads.
            before: only uploads with smaller ids; None for all.
        """
        ids = [one for one in reversed(list(self.lengths_of(tenant))) if before is None or one < before]
        found = []
        for upload_id in ids[:limit]:
            with suppress(UploadNotFound, UploadExpired):  # taken or removed meanwhile
                upload = self.find(tenant, upload_id)
                found.append((upload, self.parts(upload).end))
        return found, ids[limit - 1] if len(ids) > limit else None

    def parts(self, upload: OpenUpload) -> Parts:
        """Return what has arrived: parts without a gap."""
        starts, end = [], 0
        for entry in sorted(self._objects.entries(f"{_folder(upload)}/"), key=lambda entry: entry.key):
            name = entry.key.rpartition("/")[2]
            if name == _name(end):
                starts.append(end)
                end += entry.bytes
        return Parts(tuple(starts), end)

    def append(self, upload: OpenUpload, parts: Parts, data: bytes) -> Parts:
        """Store bytes behind the others; return all parts then.

        Raises:
            UploadOffsetConflict: another request has stored bytes there.
            TooManyParts: the upload has as many parts as it may.
        """
        if len(parts.starts) >= MOST_PARTS:
            raise TooManyParts(f"The upload has arrived in {MOST_PARTS} parts. Begin a new one, with larger parts.")
        if not self._objects.create(f"{_folder(upload)}/{_name(parts.end)}", data):
            raise UploadOffsetConflict(parts.end)
        return Parts((*parts.starts, parts.end), parts.end + len(data))

    def read(self, upload: OpenUpload, start: int) -> bytes:
        """Return the part that begins at an offset. Raises UploadNotFound if the upload was removed meanwhile."""
        try:
            return self._objects.read(f"{_folder(upload)}/{_name(start)}")
        except KeyError:
            raise UploadNotFound("The upload was removed meanwhile.") from None

    def exists(self, upload: OpenUpload) -> bool:
        """Return whether nobody has removed the upload."""
        try:
            self._objects.read(f"{_folder(upload)}/{INFO}")
        except KeyError:
            return False
        return True

    def remove(self, upload: OpenUpload) -> None:
        """Remove an upload. Nobody finds it from the first step on; the keeper removes what a broken call leaves."""
        self._objects.delete(f"{_folder(upload)}/{INFO}")
        self._objects.delete_each(self._objects.keys(f"{_folder(upload)}/"), lambda: None)


def _length_of(upload_id: str) -> int:
    return int(upload_id[UUID_LENGTH + 1 :])


def _folder(upload: OpenUpload) -> str:
    return f"{upload_folder(upload.tenant)}/{upload.id}"


def _name(offset: int) -> str:
    return f"{offset:0{DIGITS}}"
