"""API keys, kept as hashes in a file. Each key belongs to a tenant."""

from __future__ import annotations

import hashlib
import hmac
import re
import time
from collections import Counter
from pathlib import Path

from parley_core.errors import UnsafeSettings
from parley_core.logs import get_logger

log = get_logger(__name__)

KEYS_PER_TENANT = 2  # the old key and the new one of a rotation
RELOAD_SECONDS = 2.0  # a changed file takes effect within this time
LINE = re.compile(r"(?P<tenant>[A-Za-z0-9._-]{1,64}):(?P<hash>[0-9a-f]{64})")


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

    def tenant_of(self, key: str) -> str | None:
        """Return the key's tenant, None for an unknown key. Takes the same time for every key."""
        self._reload()
        presented = hashlib.sha256(key.encode()).hexdigest()
        owner = None
        for known, tenant in self._keys:
            if hmac.compare_digest(known, presented):
                owner = tenant
        return owner

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


def _read(path: Path) -> tuple[tuple[str, str], ...]:
    """Return (SHA-256 of the key in hex, tenant) of every line."""
    try:
        lines = [line.strip() for line in path.read_text().splitlines()]
    except (OSError, UnicodeDecodeError) as error:
        raise UnsafeSettings(f"The API keys file cannot be read ({type(error).__name__}).") from error
    matches = [LINE.fullmatch(line) for line in lines if line and not line.startswith("#")]
    keys = tuple((match["hash"], match["tenant"]) for match in matches if match)
    if len(keys) < len(matches) or not keys or len(dict(keys)) < len(keys):
        raise UnsafeSettings(
            "Each line of the API keys file is `tenant:sha256-of-key` in lower-case hex, and each key appears once."
        )
    if any(count > KEYS_PER_TENANT for count in Counter(tenant for _, tenant in keys).values()):
        raise UnsafeSettings(f"A tenant has at most {KEYS_PER_TENANT} API keys: the old one and the new one.")
    return keys
