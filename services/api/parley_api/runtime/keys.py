"""API keys, kept as hashes in a file, each belonging to a tenant."""

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

KEYS_PER_TENANT = 2  # the old and the new one of a rotation
LOOK_AGAIN_SECONDS = 2.0  # a changed file counts within this time
LINE = re.compile(r"(?P<tenant>[A-Za-z0-9._-]{1,64}):(?P<hash>[0-9a-f]{64})")


class ApiKeys:
    """The keys of a file, read again when it changes. A file that cannot be read or understood changes nothing.

    Raises:
        UnsafeSettings: at the start, for such a file.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._keys, self._read_from = _read(path), _fingerprint(path)
        self._looked = time.monotonic()

    def tenant_of(self, key: str) -> str | None:
        """Return the owner of the key, None when it is not known. Takes as long for a wrong one as for a right one."""
        self._look_again()
        presented, owner = hashlib.sha256(key.encode()).hexdigest(), None
        for known, tenant in self._keys:
            if hmac.compare_digest(known, presented):
                owner = tenant
        return owner

    def _look_again(self) -> None:
        if time.monotonic() - self._looked < LOOK_AGAIN_SECONDS:
            return
        self._looked = time.monotonic()
        try:
            if (fingerprint := _fingerprint(self._path)) != self._read_from:
                self._keys, self._read_from = _read(self._path), fingerprint
                log.info("API keys read again", keys=len(self._keys))
        except UnsafeSettings as error:
            log.error("API keys not read again; the old ones stay", error=error.detail)


def _fingerprint(path: Path) -> tuple[int, int, int]:
    try:
        found = path.stat()
    except OSError as error:
        raise UnsafeSettings(f"The API keys file cannot be read ({type(error).__name__}).") from error
    return found.st_mtime_ns, found.st_size, found.st_ino


def _read(path: Path) -> tuple[tuple[str, str], ...]:
    """Return (SHA-256 of the key, tenant) of every line."""
    try:
        lines = [line.strip() for line in path.read_text().splitlines()]
    except (OSError, UnicodeDecodeError) as error:
        raise UnsafeSettings(f"The API keys file cannot be read ({type(error).__name__}).") from error
    matches = [LINE.fullmatch(line) for line in lines if line and not line.startswith("#")]
    keys = tuple((match["hash"], match["tenant"]) for match in matches if match)
    if len(keys) < len(matches) or not keys or len(dict(keys)) < len(keys):
        raise UnsafeSettings(
            "Each line of the API keys file is `tenant:sha256-of-key` in lower-case hex, each key once."
        )
    if any(count > KEYS_PER_TENANT for count in Counter(tenant for _, tenant in keys).values()):
        raise UnsafeSettings(f"A tenant has at most {KEYS_PER_TENANT} API keys: the old one and the new one.")
    return keys
