"""The ledger of accepted jobs. A line is on the disk before the client counts the job."""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Entry:
    """One 202: the key of the client, the id of the job, and the time in seconds since 1970."""

    key: str
    job_id: str
    at: float


class Ledger:
    """An append-only file, safe for threads."""

    def __init__(self, path: Path) -> None:
        self._descriptor = os.open(path, os.O_CREAT | os.O_APPEND | os.O_WRONLY, 0o600)
        self._path, self._lock, self._count = path, threading.Lock(), 0

    def write(self, entry: Entry) -> None:
        """Write one entry to the disk."""
        os.write(self._descriptor, f"{json.dumps(asdict(entry))}\n".encode())
        os.fdatasync(self._descriptor)
        with self._lock:
            self._count += 1

    def __len__(self) -> int:
        return self._count

    def __iter__(self) -> Iterator[Entry]:
        for line in self._path.read_text().splitlines():
            yield Entry(**json.loads(line))

    def job_ids(self) -> list[str]:
        """Return every accepted id once, in order."""
        return list(dict.fromkeys(entry.job_id for entry in self))

    def ids_by_key(self) -> dict[str, set[str]]:
        """Return the accepted ids by idempotency key. Each key must have one."""
        found: dict[str, set[str]] = {}
        for entry in self:
            found.setdefault(entry.key, set()).add(entry.job_id)
        return found

    def close(self) -> None:
        os.close(self._descriptor)
