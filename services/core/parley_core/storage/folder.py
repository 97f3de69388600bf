"""Recordings and results as files of a folder, flushed to the disk before a call returns.

A file is written under another name in `.staged`, and then gets its own name: a reader sees a whole file, and what a
killed process left is in one place. Only then file and names are flushed, so that one commit of the file system takes
all of them; flushed before it has its name, a put takes twice as long. After a power cut a name may stand for a file
that is not whole, but of no call that returned.
"""

from __future__ import annotations

import asyncio
import os
import re
import sys
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from functools import partial
from itertools import groupby
from pathlib import Path
from time import time
from typing import TypeVar
from uuid import uuid4

from parley_core.errors import ObjectStoreUnavailable
from parley_core.logs import get_logger
from parley_core.ports import ObjectEntry
from parley_core.storage.checking import check
from parley_core.storage.disk import flush_file_system, fsync, remove_empty

STAGED = ".staged"
STAGED_BEFORE = re.compile(r"#\d+$")  # what versions before 0.4.0 left of an upload whose process was killed
WRITE_BYTES = 1024 * 1024  # of a stream, in one call of a thread
FLUSHED_AT_ONCE = 20  # from here on, one flush of the file system is cheaper than those of single files
PLACE_TRIES = 100  # a delete may remove the folder that a put has just made

T = TypeVar("T")

log = get_logger(__name__)


@contextmanager
def _translated_errors() -> Iterator[None]:
    try:
        yield
    except FileNotFoundError as error:
        raise KeyError("there is no such object") from error
    except OSError as error:
        kind = type(error).__name__
        log.warning("object store unavailable", error=kind, cause=str(error))
        raise ObjectStoreUnavailable(f"The object store did not do what it was asked ({kind}).") from error


class FolderStore:
    """RecordingStore in a folder."""

    def __init__(self, folder: Path) -> None:
        """Open a folder, and make it where there is none. Raises ObjectStoreUnavailable."""
        self._folder = folder
        self._named = set[Path]()  # folders that no delete removes, whose names are on the disk
        with _translated_errors():
            (folder / STAGED).mkdir(parents=True, exist_ok=True)

    async def save(self, key: str, chunks: AsyncIterator[bytes]) -> None:
        path = self._path(key)
        with self._staged() as (staged, file):
            waiting = bytearray()
            async for chunk in chunks:
                waiting += chunk
                if len(waiting) >= WRITE_BYTES:
                    await _in_thread(partial(_write, file, waiting))
                    waiting.clear()
            await _in_thread(partial(self._finish, file, waiting, staged, path))

    def put(self, key: str, data: bytes) -> None:
        path = self._path(key)
        with self._staged() as (staged, file):
            self._finish(file, data, staged, path)

    def _path(self, key: str) -> Path:
        """Return the file of a key. Raises ValueError where no object can have this key."""
        if not {"", ".", ".."}.isdisjoint(key.split("/")) or "\0" in key:
            raise ValueError("no object can have this key")
        return self._folder / key

    @contextmanager
    def _staged(self) -> Iterator[tuple[Path, int]]:
        """Give a new file without a key: its path, and its descriptor. What is left of it at the end is removed."""
        path = self._folder / STAGED / uuid4().hex
        with _translated_errors():
            file = _place(lambda: os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o666), path)
        try:
            yield path, file
        finally:
            os.close(file)
            with suppress(FileNotFoundError):  # it has its key
                path.unlink()

    @_translated_errors()
    def _finish(self, file: int, rest: bytes | bytearray, staged: Path, path: Path) -> None:
        _write(file, rest)
        _place(lambda: staged.replace(path), path)
        os.fsync(file)
        self._flush_folders(path)

    def _flush_folders(self, path: Path) -> None:
        """Flush the names that lead to a file. One that another call has removed meanwhile needs no flush.

        A delete removes the folder of its file, and none above. So the name of a folder above, and that of a folder
        right below the root, is flushed by the first call of this process alone.
        """
        for folder in path.parents:
            with suppress(FileNotFoundError):
                fsync(folder)
            if folder == self._folder or folder in self._named:
                break
        for folder in path.parents:
            if folder.parent == self._folder or (folder != path.parent and folder.parent.parent == self._folder):
                self._named.add(folder)

    def put_each(self, keys: Sequence[str], data: bytes, note_progress: Callable[[], None]) -> None:
        together = sys.platform == "linux" and len(keys) >= FLUSHED_AT_ONCE
        for key in keys:
            if together:
                self._put_unflushed(key, data)
            else:
                self.put(key, data)
            note_progress()
        if together:
            with _translated_errors():
                flush_file_system(self._folder)

    @_translated_errors()
    def _put_unflushed(self, key: str, data: bytes) -> None:
        path = self._path(key)
        if not data:  # whole from the beginning: it needs no other name first
            os.close(_place(lambda: os.open(path, os.O_CREAT | os.O_TRUNC | os.O_WRONLY, 0o666), path))
            return
        with self._staged() as (staged, file):
            _write(file, data)
            _place(lambda: staged.replace(path), path)

    @_translated_errors()
    def create(self, key: str, data: bytes) -> bool:
        """See RecordingStore.create. What another call stored is flushed too, since the caller may rely on it."""
        path, created = self._path(key), True
        with self._staged() as (staged, file):
            _write(file, data)
            try:
                _place(lambda: path.hardlink_to(staged), path)
            except FileExistsError:
                created = False
            with suppress(FileNotFoundError):
                fsync(path)
        self._flush_folders(path)
        return created

    def read(self, key: str) -> bytes:
        with _translated_errors():
            return self._path(key).read_bytes()

    @contextmanager
    def fetch(self, key: str) -> Iterator[Path]:
        path = self._path(key)
        with _translated_errors():
            path.stat()
        yield path

    def delete(self, key: str) -> None:
        self.delete_each([key], lambda: None)

    @_translated_errors()
    def delete_each(self, keys: Sequence[str], note_progress: Callable[[], None]) -> None:
        """See RecordingStore.delete_each. Keys of one folder that follow one another share the look at their folder."""
        for folder, found in groupby(keys, lambda key: key.rpartition("/")[0]):
            for key in found:
                with suppress(FileNotFoundError):  # gone is gone
                    self._path(key).unlink()
                note_progress()
            if "/" in folder:
                remove_empty(self._folder / folder)

    def keys(self, prefix: str) -> Sequence[str]:
        with _translated_errors():
            return list(_keys(str(self._folder), prefix.rstrip("/")))

    def keys_each(self, prefixes: Sequence[str], note_progress: Callable[[], None]) -> Sequence[str]:
        found = list[str]()
        for prefix in prefixes:
            found += self.keys(prefix)
            note_progress()
        return found

    def entries(self, prefix: str, after: str = "") -> Iterator[ObjectEntry]:
        with suppress(KeyError), _translated_errors():  # a folder that is gone has no objects
            yield from _entries(self._folder, prefix.rstrip("/"), after)

    def folders(self, prefix: str) -> Sequence[str]:
        prefix = prefix.rstrip("/")
        with suppress(KeyError), _translated_errors(), os.scandir(self._folder / prefix) as found:
            return [f"{prefix}/{entry.name}" for entry in found if entry.is_dir()]
        return []

    def remove_staged(self, older_than_seconds: float) -> int:
        before, removed = time() - older_than_seconds, 0
        with _translated_errors(), os.scandir(self._folder / STAGED) as found:
            for entry in found:
                with suppress(FileNotFoundError):
                    if entry.stat().st_mtime < before:
                        Path(entry.path).unlink()
                        removed += 1
        return removed

    def check(self) -> None:
        check(self)


def _keys(root: str, folder: str) -> Iterator[str]:
    """Yield the keys below a folder. Unlike `_entries`, this asks for no size and no time, which takes half as long."""
    try:
        found = os.scandir(f"{root}/{folder}")
    except FileNotFoundError:  # a folder that is gone has no objects
        return
    with found:
        for entry in found:
            key = f"{folder}/{entry.name}"
            if entry.is_dir():
                yield from _keys(root, key)
            elif not STAGED_BEFORE.search(key):
                yield key


def _entries(root: Path, folder: str, after: str) -> Iterator[ObjectEntry]:
    """Yield the files below a folder, without folders whose names all come before `after`."""
    with os.scandir(root / folder) as found:
        for entry in found:
            key = f"{folder}/{entry.name}"
            with suppress(FileNotFoundError):  # gone meanwhile
                if not entry.is_dir():
                    if key > after and not STAGED_BEFORE.search(key):
                        status = entry.stat()
                        modified = datetime.fromtimestamp(status.st_mtime, UTC)
                        yield ObjectEntry(key, modified, status.st_size)
                elif f"{key}/" > after or after.startswith(f"{key}/"):
                    yield from _entries(root, key, after)


def _place(name: Callable[[], T], path: Path) -> T:
    """Give a file its name, and make the folders that it needs. Raises OSError."""
    for _ in range(PLACE_TRIES):
        try:
            return name()
        except FileNotFoundError:
            with suppress(FileNotFoundError):
                path.parent.mkdir(parents=True, exist_ok=True)
    raise OSError(f"the folder of an object was removed {PLACE_TRIES} times")


@_translated_errors()
def _write(file: int, data: bytes | bytearray) -> None:
    rest = memoryview(data)
    while rest:
        rest = rest[os.write(file, rest) :]


async def _in_thread(call: Callable[[], T]) -> T:
    """Make a call in a thread, to its end also where the caller is cancelled: it uses a file that the caller closes."""
    running = asyncio.ensure_future(asyncio.to_thread(call))
    try:
        return await asyncio.shield(running)
    except asyncio.CancelledError:
        await asyncio.wait([running])
        raise
