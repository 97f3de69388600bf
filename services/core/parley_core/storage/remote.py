"""Recordings and results as objects in S3, GCS or Azure.

What "stored" promises: the store's own acknowledgement, and the answer of its flusher where it has one.

How long a store is waited for: a call is tried again until WAIT_SECONDS have passed. A try ends after ANSWER_SECONDS of
silence, or after PART_SECONDS where it carries a part of a recording. A store that does not know the user is waited
for, too: its users change in an upgrade. Only a recording that is streamed is not sent again.
"""

from __future__ import annotations

import asyncio
import os
import re
import time
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from datetime import timedelta
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import Any, TypeVar

import obstore
from obstore.exceptions import (
    AlreadyExistsError,
    BaseError,
    GenericError,
    NotFoundError,
    UnknownConfigurationKeyError,
)
from obstore.store import from_url
from pydantic import SecretStr

from parley_core.errors import ObjectStoreUnavailable, UnsafeSettings
from parley_core.logs import get_logger
from parley_core.ports import ObjectEntry
from parley_core.storage.checking import check
from parley_core.storage.disk import scratch_file
from parley_core.storage.flusher import Flusher

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
CALLS_AT_ONCE = 16  # where many objects are dealt with
LISTED_AT_ONCE = 1000  # objects per page of a listing: what S3 gives at most
# The code of a 404 that says nothing of the object: the bucket is missing, or the server does not know the user, as
# versitygw says while its users change. Taken for an object that is not there, it would hide every accepted job.
MISSING_STORE = re.compile(r"<Code>\w*(Bucket|Container|Account|User|AccessKey)\w*</Code>")
UNKNOWN_USER = re.compile(r"<Code>\w*(User|AccessKey)\w*</Code>")
UNVERIFIED_TEXTS = ("InvalidCertificate(", "CERTIFICATE_VERIFY_FAILED")  # of rustls, of OpenSSL
UNVERIFIED = "The certificate of the object store cannot be trusted; PARLEY_CA_FILE names authorities."
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
        if any(text in str(error) for text in UNVERIFIED_TEXTS):
            raise ObjectStoreUnavailable(UNVERIFIED) from error
        raise ObjectStoreUnavailable(f"The object store did not do what it was asked ({kind}).") from error


def safe_cause(error: Exception) -> str:
    """Return what obstore says went wrong, on one line and without queries: some stores sign their addresses there."""
    said = re.sub(r"\?[^\s\"',)]+", "?...", " ".join(str(error).split()))
    said, _, source = said.partition(" Debug source: ")
    _, _, innermost = source.rpartition("inner: ")
    return f"{said} {innermost}".strip()[:LOGGED_CHARACTERS]


class RemoteStore:
    """RecordingStore in S3, GCS or Azure."""

    def __init__(
        self,
        url: str,
        secrets: Mapping[str, SecretStr] = MappingProxyType({}),
        flush_url: str = "",
        authorities: Path | None = None,
    ) -> None:
        """Open `s3://bucket/prefix`, `gs://...` or `az://...`, without a call. Raises UnsafeSettings.

        Args:
            secrets: options that are not in the environment, by the name of their variable.
            flush_url: called after each put; see PARLEY_OBJECTS_FLUSH_URL.
            authorities: file with certificates that are trusted beside those of the system.
        """
        self._secrets: Any = {name.lower(): secret.get_secret_value() for name, secret in secrets.items()}
        # Given options replace what obstore reads from the environment, and a server inside a cluster may speak HTTP.
        self._plain = self._secrets.pop("aws_allow_http", os.environ.get("AWS_ALLOW_HTTP", "")).lower() == "true"
        self._flusher = Flusher(flush_url, authorities) if flush_url else None
        self._authorities = authorities
        with _translated_errors():
            self._transfers: Any = self._open(url, PART_SECONDS, REMOTE_RETRY)
            self._store: Any = self._open(url, ANSWER_SECONDS, REMOTE_RETRY)
            self._once: Any = self._open(url, ANSWER_SECONDS, {"max_retries": 0})
            self._transfers_once: Any = self._open(url, PART_SECONDS, {"max_retries": 0})

    def _open(self, url: str, answer_seconds: float, retry: Any) -> Any:
        timeouts: Any = {
            "connect_timeout": timedelta(seconds=ANSWER_SECONDS),
            "read_timeout": timedelta(seconds=answer_seconds),
            "timeout": timedelta(seconds=PART_SECONDS),
        }
        client = timeouts | {"allow_http": self._plain}
        if self._authorities:
            client["root_certificate"] = self._authorities.read_bytes()
        try:
            return from_url(url, config=self._secrets or None, client_options=client, retry_config=retry)
        except UnknownConfigurationKeyError as error:
            what = str(error).partition("\n")[0]
            raise UnsafeSettings(
                f"A file in PARLEY_OBJECTS_SECRETS_FOLDER is no option of the store: {what}"
            ) from error

    async def save(self, key: str, chunks: AsyncIterator[bytes]) -> None:
        source = _Remembering(chunks)
        try:
            with _translated_errors():
                await obstore.put_async(self._transfers, key, source, chunk_size=CHUNK_BYTES, max_concurrency=2)
        except (ObjectStoreUnavailable, KeyError):
            if source.error is not None:
                raise source.error from None  # the stream's own error, not the store's word for it
            raise
        await asyncio.to_thread(self._flush)

    def put(self, key: str, data: bytes) -> None:
        store = self._store if len(data) <= SMALL_BYTES else self._transfers
        with _translated_errors():
            self._known(lambda: obstore.put(store, key, data))
        self._flush()

    def _known(self, call: Callable[[], T]) -> T:
        """Make a call that obstore repeats where no answer comes, and repeat it while the user is unknown."""
        return _patiently(call, _is_of_unknown_user)

    def put_each(self, keys: Sequence[str], data: bytes, note_progress: Callable[[], None]) -> None:
        def put(key: str) -> None:
            with _translated_errors():
                self._known(lambda: obstore.put(self._store, key, data))

        self._each(put, keys, note_progress)
        if keys:
            self._flush()

    def _each(self, call: Callable[[str], T], keys: Sequence[str], note_progress: Callable[[], None]) -> list[T]:
        """Make a call for each key, several at once, and return the answers."""
        answers = []
        with ThreadPoolExecutor(CALLS_AT_ONCE, "objects") as threads:
            for answer in threads.map(call, keys):
                note_progress()
                answers.append(answer)
        return answers

    def create(self, key: str, data: bytes) -> bool:
        """Store a small object unless there is one of this name; say whether this call made it.

        obstore does not repeat a conditional put whose answer is missing. After such a try an object of the same bytes
        is this call's own. What another call stored is flushed too, since the caller may rely on it.
        """
        with _translated_errors():
            created = self._create_patiently(key, data)
        self._flush()
        return created

    def _create_once(self, key: str, data: bytes) -> bool:
        try:
            store = self._once if len(data) <= SMALL_BYTES else self._transfers_once
            obstore.put(store, key, data, mode="create", use_multipart=False)
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

    def _flush(self) -> None:
        if self._flusher:
            with _translated_errors():
                _patiently(partial(self._flusher.flush, WAIT_SECONDS))

    def read(self, key: str) -> bytes:
        with _translated_errors():
            return bytes(self._known(lambda: obstore.get(self._store, key)).bytes())

    @contextmanager
    def fetch(self, key: str) -> Iterator[Path]:
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
            obstore.delete(self._store, key)

    def delete_each(self, keys: Sequence[str], note_progress: Callable[[], None]) -> None:
        """See RecordingStore.delete_each. One request takes up to a thousand keys, where the store can."""
        if len(keys) > 1:
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
        return 0  # a lifecycle rule of the bucket does this

    def check(self) -> None:
        check(self)


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
