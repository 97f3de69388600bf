"""API keys: in a file of the operator, and in the object store, where tenants make their own. Only hashes are kept."""

from __future__ import annotations

import hashlib
import hmac
import re
import time
from collections import Counter
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path

from parley_core.errors import UnsafeSettings
from parley_core.logs import get_logger
from parley_core.operator_files import lines_of

log = get_logger(__name__)

KEYS_PER_TENANT = 2  # in the file: the old key and the new one of a rotation
RELOAD_SECONDS = 2.0  # a changed file takes effect within this time
LINE = re.compile(
    r"(?P<tenant>[A-Za-z0-9._-]{1,64}):(?P<hash>[0-9a-f]{64})(:(?P<scopes>[a-z,]*)(:(?P<expires>[0-9TZ:+-]+))?)?"
)


class Scope(StrEnum):
    """What a key may do, always with its own tenant's data alone."""

    SUBMIT = "submit"  # submit, cancel, retry, send deliveries again
    READ = "read"  # jobs, turns, recordings, queues, deliveries
    CORRECT = "correct"  # turns, and names of speakers
    DELETE = "delete"  # jobs
    VOICEPRINTS = "voiceprints"  # enrol, read, delete
    EXPORT = "export"  # speaker embeddings, which are biometric, with the turns of a job
    SHARE = "share"  # make, list and revoke links that show a job without a key
    ADMIN = "admin"  # make and revoke keys


ALL_SCOPES = frozenset(Scope)


@dataclass(frozen=True, slots=True)
class ApiKey:
    """A key without its secret.

    Attributes:
        sha256: of the whole key, in hex.
        expires_at: from then on it is refused; None is never.
        id: that of a key which a tenant has made. Empty for a key of the file.
        created_at: when a tenant has made it. None for a key of the file.
        subject: of a signed token: the first digits of the hash of its issuer and subject.
    """

    tenant: str
    sha256: str
    scopes: frozenset[Scope] = ALL_SCOPES
    expires_at: datetime | None = None
    id: str = ""
    created_at: datetime | None = None
    subject: str = ""

    @property
    def expired(self) -> bool:
        """Whether its time is over."""
        return self.expires_at is not None and self.expires_at <= datetime.now(UTC)


class ApiKeys:
    """The keys of a file, reloaded when it changes. A file that cannot be read or parsed changes nothing.

    Raises:
        UnsafeSettings: at the start, for a file that cannot be read or parsed.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._keys = _read(path)
        self._version = _version(path)
        self._checked = time.monotonic()

    def find(self, key: str) -> ApiKey | None:
        """Return the key, None for an unknown one. Takes the same time for every key."""
        self._reload()
        presented = hashlib.sha256(key.encode()).hexdigest()
        found = None
        for known in self._keys:
            if hmac.compare_digest(known.sha256, presented):
                found = known
        return found

    def _reload(self) -> None:
        if time.monotonic() - self._checked < RELOAD_SECONDS:
            return
        self._checked = time.monotonic()
        try:
            version = _version(self._path)
            if version != self._version:
                self._keys = _read(self._path)
                self._version = version
                log.info("API keys reloaded", keys=len(self._keys))
        except UnsafeSettings as error:
            log.error("API keys not reloaded; the old ones stay valid", error=error.detail)


def _version(path: Path) -> tuple[int, int, int]:
    """Return numbers that differ when the file has changed."""
    try:
        status = path.stat()
    except OSError as error:
        raise UnsafeSettings(f"The API keys file cannot be read ({type(error).__name__}).") from error
    return status.st_mtime_ns, status.st_size, status.st_ino


def _read(path: Path) -> tuple[ApiKey, ...]:
    """Return the key of every line."""
    keys = tuple(_parse(line) for line in lines_of(path, "The API keys file"))
    if not keys or len({key.sha256 for key in keys}) < len(keys):
        raise UnsafeSettings("The API keys file has no key, or one twice.")
    if any(count > KEYS_PER_TENANT for count in Counter(key.tenant for key in keys).values()):
        raise UnsafeSettings(
            f"A tenant has at most {KEYS_PER_TENANT} API keys in the file: the old one and the new one."
        )
    return keys


def _parse(line: str) -> ApiKey:
    found = LINE.fullmatch(line)
    try:
        if found:
            names = [name for name in (found["scopes"] or "").split(",") if name]
            scopes = frozenset(map(Scope, names)) if names else ALL_SCOPES
            expires = datetime.fromisoformat(found["expires"]) if found["expires"] else None
            if expires is None or expires.tzinfo is not None:
                return ApiKey(found["tenant"], found["hash"], scopes, expires)
    except ValueError:
        pass
    raise UnsafeSettings(
        "Each line of the API keys file is `tenant:sha256-of-key` in lower-case hex, optionally with `:scope,scope` "
        f"and `:2027-01-31T00:00:00Z`. The scopes are {', '.join(Scope)}; without any, the key has all."
    )
