"""Recordings and results as objects: in a folder, or in S3, GCS or Azure by URL.

What "stored" promises: on a folder the bytes and their names are flushed to the disk before the call returns
(obstore's rename alone survives a killed process, not a power cut); elsewhere the store's own acknowledgement, and the
answer of its flusher where it has one.

How long a store is waited for: a call is tried again until WAIT_SECONDS have passed. A try ends after ANSWER_SECONDS of
silence, or after PART_SECONDS where it carries a part of a recording. A store that does not know the user is waited
for, too: its users change in an upgrade. Only a recording that is streamed is not sent again.
"""

from __future__ import annotations

import asyncio
import os
import re
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from datetime import timedelta
from pathlib import Path
from types import MappingProxyType
from typing import Any, TypeVar
from urllib.parse import unquote, urlsplit
from urllib.request import ProxyHandler, Request, build_opener
from uuid import uuid4

import obstore
from obstore.exceptions import (
    AlreadyExistsError,
    BaseError,
    GenericError,
    NotFoundError,
    UnknownConfigurationKeyError,
)
from obstore.store import LocalStore, from_url
from pydantic import SecretStr

from parley_core.errors import ObjectStoreUnavailable, UnsafeSettings
from parley_core.logs import get_logger
from parley_core.ports import ObjectEntry
from parley_core.settings import Settings
from parley_core.storage.disk import flush_file_system, fsync, scratch_file, unlink

CHUNK_BYTES = 5 * 1024 * 1024  # S3's smallest multipart part; also what one upload holds in memory
SMALL_BYTES = 256 * 1024  # up to here, a put is an ordinary call
WAIT_SECONDS = 15.0  # a restarting store refuses connections, or drops them silently, for some seconds
ANSWER_SECONDS = 5.0  # of one try: a connection to a node that is gone answers nothing, and a new one does
PART_SECONDS = 120.0  # of one try with a part of a recording: 44 kB/s
FIRST_PAUSE, LONGEST_PAUSE = 0.1, 1.0  # seconds between tries
REMOTE_RETRY: Any = {
    "max_retries": 100,  # the time decides
    "retry_timeout": timedelta(seconds=WAIT_SECONDS),
    "backoff": {
        "init_backoff": timedelta(seconds=FIRST_PAUSE),
        "max_backoff": timedelta(seconds=LONGEST_PAUSE),
        "base": 2,
    },
}
FLUSHERS = build_opener(ProxyHandler({}))  # inside the cluster, past any proxy
CALLS_AT_ONCE = 16  # of a store that is reached by the network, where many objects are dealt with
FLUSHED_AT_ONCE = 20  # from here on, one flush of the file system of a folder is cheaper than those of single files
LISTED_AT_ONCE = 1000  # objects per page of a listing: what S3 gives at most
# The code of a 404 that says nothing of the object: the bucket is missing, or the server does not know the user, as
# versitygw says while its users change. Taken for an object that is not there, it would hide every accepted job.
MISSING_STORE = re.compile(r"<Code>\w*(Bucket|Container|Account|User|AccessKey)\w*</Code>")
UNKNOWN_USER = re.compile(r"<Code>\w*(User|AccessKey)\w*</Code>")
STAGED = re.compile(r"#\d+$")
LOGGED_CHARACTERS = 1000  # of what obstore says: method, address, tries, and the innermost cause

T = TypeVar("T")

log = get_logger(__name__)


@contextmanager
def _translated_errors() -> Iterator[None]:
    try:
        yield
    except (BaseError, OSError) as error:
        if isinstance(error, NotFoundError | FileNotFoundError) and not MISSING_STORE.search(str(error)):
            raise KeyError("there is no such object") from error
        kind = type(error).__name__
        log.warning("object store unavailable", error=kind, cause=safe_cause(error))
        raise ObjectStoreUnavailable(f"The object store did not do what it was asked ({kind}).") from error


def safe_cause(error: Exception) -> str:
    """Return what obstore says went wrong, on one line and without queries: some stores sign their addresses there."""
    said = re.sub(r"\?[^\s\"',)]+", "?...", " ".join(str(error).split()))
    said, _, source = said.partition(" Debug source: ")
    _, _, innermost = source.rpartition("inner: ")
    return f"{said} {innermost}".strip()[:LOGGED_CHARACTERS]


class ObjectStore:
    """RecordingStore on obstore."""

    def __init__(self, url: str, secrets: Mapping[str, SecretStr] = MappingProxyType({}), flush_url: str = "") -> None:
        """Open `file:///folder`, `s3://bucket/prefix`, `gs://...` or `az://...`; only a folder is touched now.

        Args:
            secrets: options that are not in the environment, by the name of their variable.
            flush_url: called after each put; see PARLEY_OBJECTS_FLUSH_URL.
        """
        self._secrets: Any = {name.lower(): secret.get_secret_value() for name, secret in secrets.items()}
        # Given options replace what obstore reads from the environment, and a server inside a cluster may speak HTTP.
        self._plain = self._secrets.pop("aws_allow_http", os.environ.get("AWS_ALLOW_HTTP", "")).lower() == "true"
        self._flush_url = flush_url
        self._folder = Path(unquote(urlsplit(url).path)) if urlsplit(url).scheme == "file" else None
        with _translated_errors():
            self._transfers: Any = self._open(url, PART_SECONDS, REMOTE_RETRY)
            self._store: Any = self._open(url, ANSWER_SECONDS, REMOTE_RETRY)
            self._once: Any = self._open(url, ANSWER_SECONDS, {"max_retries": 0})

    def _open(self, url: str, answer_seconds: float, retry: Any) -> Any:
        if self._folder is not None:
            return LocalStore(self._folder, mkdir=True)
        timeouts: Any = {
            "connect_timeout": timedelta(seconds=ANSWER_SECONDS),
            "read_timeout": timedelta(seconds=answer_seconds),
            "timeout": timedelta(seconds=PART_SECONDS),
        }
        client = timeouts | {"allow_http": self._plain}
        try:
            return from_url(url, config=self._secrets or None, client_options=client, retry_config=retry)
        except UnknownConfigurationKeyError as error:
            what = str(error).partition("\n")[0]
            raise UnsafeSettings(
                f"A file in PARLEY_OBJECTS_SECRETS_FOLDER is no option of the store: {what}"
            ) from error

    @classmethod
    def from_settings(cls, settings: Settings) -> ObjectStore:
        return cls(settings.objects_url, settings.objects_secrets, settings.objects_flush_url)

    async def save(self, key: str, chunks: AsyncIterator[bytes]) -> None:
        source = _Remembering(chunks)
        try:
            with _translated_errors():
                await obstore.put_async(self._transfers, key, source, chunk_size=CHUNK_BYTES, max_concurrency=2)
        except (ObjectStoreUnavailable, KeyError):
            if source.error is not None:
                raise source.error from None  # the stream's own error, not the store's word for it
            raise
        await asyncio.to_thread(self._flush, key)

    def put(self, key: str, data: bytes) -> None:
        store = self._store if len(data) <= SMALL_BYTES else self._transfers
        with _translated_errors():
            self._known(lambda: obstore.put(store, key, data))
        self._flush(key)

    def _known(self, call: Callable[[], T]) -> T:
        """Make a call that obstore repeats where no answer comes, and repeat it while the user is unknown."""
        return call() if self._folder is not None else _patiently(call, _is_of_unknown_user)

    def put_each(self, keys: Sequence[str], data: bytes, note_progress: Callable[[], None]) -> None:
        def put(key: str) -> None:
            with _translated_errors():
                self._known(lambda: obstore.put(self._store, key, data))

        self._each(put, keys, note_progress)
        if self._folder is None and keys:
            self._flush(keys[-1])
        elif self._folder is not None and (sys.platform != "linux" or len(keys) < FLUSHED_AT_ONCE):
            self._each(self._flush, keys, note_progress)
        elif self._folder is not None:
            with _translated_errors():
                flush_file_system(self._folder)

    def _each(self, call: Callable[[str], T], keys: Sequence[str], note_progress: Callable[[], None]) -> list[T]:
        """Make a call for each key and return the answers: in a folder in turn, elsewhere several at once."""
        answers = []
        with ThreadPoolExecutor(CALLS_AT_ONCE, "objects") as threads:  # starts none for a folder
            for answer in map(call, keys) if self._folder is not None else threads.map(call, keys):
                note_progress()
                answers.append(answer)
        return answers

    def create(self, key: str, data: bytes) -> bool:
        """Store a small object unless there is one of this name; say whether this call made it.

        obstore does not repeat a conditional put whose answer is missing. After such a try an object of the same bytes
        is this call's own. What another call stored is flushed too, since the caller may rely on it.
        """
        with _translated_errors():
            created = self._create_once(key, data) if self._folder is not None else self._create_patiently(key, data)
        self._flush(key)
        return created

    def _create_once(self, key: str, data: bytes) -> bool:
        try:
            obstore.put(self._once, key, data, mode="create", use_multipart=False)
        except AlreadyExistsError:
            return False
        return True

    def _create_patiently(self, key: str, data: bytes) -> bool:
        unanswered = False

        def create() -> bool:
            nonlocal unanswered
            try:
                return self._create_once(key, data) or (unanswered and self.read(key) == data)
            except GenericError:
                unanswered = True
                raise

        return _patiently(create)

    def _flush(self, key: str) -> None:
        if self._folder is not None:
            self._flush_path(self._folder, self._folder / key)
        elif self._flush_url:
            request = Request(self._flush_url, method="POST")  # noqa: S310  # an address of the settings
            with _translated_errors():
                _patiently(lambda: FLUSHERS.open(request, timeout=WAIT_SECONDS).close())

    def _flush_path(self, root: Path, path: Path) -> None:
        with _translated_errors():
            fsync(path)
            for folder in path.parents:
                fsync(folder)
                if folder == root:
                    break

    def read(self, key: str) -> bytes:
        with _translated_errors():
            return bytes(self._known(lambda: obstore.get(self._store, key)).bytes())

    @contextmanager
    def fetch(self, key: str) -> Iterator[Path]:
        if self._folder is not None:
            with _translated_errors():
                (self._folder / key).stat()
            yield self._folder / key
            return
        with scratch_file() as (file, path):
            self._download(key, file)
            yield path

    def _download(self, key: str, file: Any) -> None:
        with _translated_errors():
            found = self._known(lambda: obstore.get(self._transfers, key))
            for chunk in found.stream(min_chunk_size=CHUNK_BYTES):
                file.write(chunk)
            file.flush()

    def sign(self, key: str, seconds: float) -> str:
        """Return a URL that gives an object without further rights for a while. Only stores outside have such URLs.

        Raises:
            ValueError: no object can have this key.
            ObjectStoreUnavailable: the rights of this process could not be found out.
        """
        with _translated_errors():
            return str(obstore.sign(self._store, "GET", key, timedelta(seconds=seconds)))

    def delete(self, key: str) -> None:
        with suppress(KeyError), _translated_errors():  # gone is gone
            if self._folder is not None:
                unlink(self._folder, self._folder / key)
            else:
                obstore.delete(self._store, key)

    def delete_each(self, keys: Sequence[str], note_progress: Callable[[], None]) -> None:
        """See RecordingStore.delete_each. One request takes up to a thousand keys, where the store can."""
        if self._folder is None and len(keys) > 1:
            try:
                obstore.delete(self._store, list(keys))
            except (BaseError, FileNotFoundError) as error:  # one that is gone already, or no such request here
                log.info("objects are deleted one by one", cause=safe_cause(error))
            else:
                note_progress()
                return
        self._each(self.delete, keys, note_progress)

    def keys(self, prefix: str) -> Sequence[str]:
        return [entry.key for entry in self.entries(prefix)]

    def keys_each(self, prefixes: Sequence[str], note_progress: Callable[[], None]) -> Sequence[str]:
        return [key for keys in self._each(self.keys, prefixes, note_progress) for key in keys]

    def entries(self, prefix: str, after: str = "") -> Iterator[ObjectEntry]:
        with _translated_errors():
            for batch in obstore.list(self._store, prefix, offset=after or None, chunk_size=LISTED_AT_ONCE):
                for entry in batch:
                    yield ObjectEntry(str(entry["path"]), entry["last_modified"], entry["size"])

    def folders(self, prefix: str) -> Sequence[str]:
        with _translated_errors():
            return [str(folder) for folder in obstore.list_with_delimiter(self._store, prefix)["common_prefixes"]]

    def remove_staged(self, older_than_seconds: float) -> int:
        if self._folder is None:
            return 0
        before, removed = time.time() - older_than_seconds, 0
        for path in self._folder.rglob("*#*"):  # obstore writes NAME#1 and renames it; its listings hide such names
            with suppress(FileNotFoundError):
                if STAGED.search(path.name) and path.stat().st_mtime < before:
                    path.unlink()
                    removed += 1
        return removed

    def check(self) -> None:
        name = f"checks/{uuid4().hex}"
        self.put(name, b"ok")
        try:
            if self.read(name) != b"ok":
                raise ObjectStoreUnavailable("The object store gave back other bytes than were written.")
        finally:
            self.delete(name)


def _is_of_unknown_user(error: Exception) -> bool:
    return bool(UNKNOWN_USER.search(str(error)))


def _may_pass(error: Exception) -> bool:
    return isinstance(error, GenericError | OSError) or _is_of_unknown_user(error)


def _patiently(call: Callable[[], T], may_pass: Callable[[Exception], bool] = _may_pass) -> T:
    """Repeat a call while its error may pass, until WAIT_SECONDS have gone by. Raises its last error."""
    deadline, pause = time.monotonic() + WAIT_SECONDS, FIRST_PAUSE
    while True:
        try:
            return call()
        except (BaseError, OSError) as error:
            if time.monotonic() + pause > deadline or not may_pass(error):
                raise
        time.sleep(pause)
        pause = min(LONGEST_PAUSE, 2 * pause)


class _Remembering:
    """An async stream that keeps the error it ended with."""

    def __init__(self, chunks: AsyncIterator[bytes]) -> None:
        self._chunks = chunks
        self.error: BaseException | None = None

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self

    async def __anext__(self) -> bytes:
        try:
            return await anext(self._chunks)
        except StopAsyncIteration:
            raise
        except BaseException as error:
            self.error = error
            raise
