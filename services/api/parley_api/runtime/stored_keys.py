"""API keys that tenants make for themselves: a small document each, in the object store.

    keys/<id>.json    the hash of the key, its tenant, scopes and expiry
    keys/<id>.used    written when the key is used; its time is the time of the last use, to ten minutes

The object store holds them rather than Redis, since a Redis that was lost must lock nobody out.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import re
import secrets
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from parley_api.http.errors import KeyNotFound, TooManyKeys
from parley_api.runtime.keys import ApiKey, Scope
from parley_core.errors import ObjectStoreUnavailable
from parley_core.logs import get_logger
from parley_core.ports import RecordingStore

log = get_logger(__name__)

FRESH_SECONDS = 5.0  # a revoked key works no longer than this in other processes
USE_NOTED_SECONDS = 600.0
CACHED = 10_000  # ids, known or not: strangers must not fill the memory
MOST_KEYS = 100  # per tenant
FOLDER = "keys"
KEY = re.compile(r"pk_(?P<id>[0-9a-f]{12})_[A-Za-z0-9_-]{43}")
KEY_ID = re.compile(r"[0-9a-f]{12}")


@dataclass(frozen=True, slots=True)
class StoredKey:
    """A key as its document describes it; `last_used_at` is None where it was not used, or not asked for."""

    id: str
    name: str
    key: ApiKey
    created_at: datetime
    last_used_at: datetime | None = None


class StoredKeys:
    """Keys in an object store. Calls block."""

    def __init__(self, objects: RecordingStore) -> None:
        self._objects = objects
        self._known: dict[str, tuple[float, StoredKey | None]] = {}
        self._noted: dict[str, float] = {}

    def create(
        self, tenant: str, name: str, scopes: frozenset[Scope], expires_at: datetime | None
    ) -> tuple[StoredKey, str]:
        """Make a key; return it and its text, which nobody can read again.

        Raises:
            TooManyKeys: the tenant has as many as it may.
            ObjectStoreUnavailable: none was made.
        """
        if len(self.of_tenant(tenant)) >= MOST_KEYS:
            raise TooManyKeys(f"Your tenant has {MOST_KEYS} API keys. Revoke those that nobody uses.")
        key_id, now = secrets.token_hex(6), datetime.now(UTC)
        text = f"pk_{key_id}_{secrets.token_urlsafe(32)}"
        key = ApiKey(tenant, hashlib.sha256(text.encode()).hexdigest(), scopes, expires_at, key_id, now)
        stored = StoredKey(key_id, name, key, now)
        self._objects.put(f"{FOLDER}/{key_id}.json", _to_json(stored))
        return stored, text

    def find(self, text: str) -> ApiKey | None:
        """Return the key, None for an unknown one.

        Raises:
            ObjectStoreUnavailable: the key was not seen before, and cannot be looked up.
        """
        parsed = KEY.fullmatch(text)
        stored = self._look_up(parsed["id"]) if parsed else None
        presented = hashlib.sha256(text.encode()).hexdigest()
        if stored is None or not hmac.compare_digest(stored.key.sha256, presented):
            return None
        self._note_use(stored.id)
        return stored.key

    def of_tenant(self, tenant: str) -> Sequence[StoredKey]:
        """Return the tenant's keys, oldest first. Raises ObjectStoreUnavailable."""
        entries = {entry.key: entry.modified for entry in self._objects.entries(f"{FOLDER}/")}
        found = []
        for name in entries:
            stored = (
                self._read(name.removeprefix(f"{FOLDER}/").removesuffix(".json")) if name.endswith(".json") else None
            )
            if stored is not None and stored.key.tenant == tenant:
                used = entries.get(f"{FOLDER}/{stored.id}.used")
                found.append(StoredKey(stored.id, stored.name, stored.key, stored.created_at, used))
        return sorted(found, key=lambda one: one.created_at)

    def revoke(self, tenant: str, key_id: str) -> None:
        """Delete a key. Raises KeyNotFound or ObjectStoreUnavailable."""
        stored = self._read(key_id) if KEY_ID.fullmatch(key_id) else None
        if stored is None or stored.key.tenant != tenant:
            raise KeyNotFound("Your tenant has no API key with this id.")
        self._objects.delete(f"{FOLDER}/{key_id}.json")
        self._objects.delete(f"{FOLDER}/{key_id}.used")
        self._known.pop(key_id, None)

    def _look_up(self, key_id: str) -> StoredKey | None:
        seen_at, stored = self._known.get(key_id, (float("-inf"), None))
        if time.monotonic() - seen_at < FRESH_SECONDS:
            return stored
        try:
            stored = self._read(key_id)
        except ObjectStoreUnavailable:
            if stored is None:
                raise
            return stored  # seen before: an outage of the object store locks no known caller out
        if len(self._known) >= CACHED:
            self._known.clear()
        self._known[key_id] = (time.monotonic(), stored)
        return stored

    def _read(self, key_id: str) -> StoredKey | None:
        try:
            return _from_json(self._objects.read(f"{FOLDER}/{key_id}.json"))
        except KeyError:
            return None

    def _note_use(self, key_id: str) -> None:
        now = time.monotonic()
        if now - self._noted.get(key_id, float("-inf")) < USE_NOTED_SECONDS:
            return
        self._noted[key_id] = now
        try:
            self._objects.put(f"{FOLDER}/{key_id}.used", b"")
        except ObjectStoreUnavailable:
            log.warning("the use of an API key is not noted", key_id=key_id)


def _to_json(stored: StoredKey) -> bytes:
    key = stored.key
    document = {
        "format": 1,
        "id": stored.id,
        "name": stored.name,
        "tenant": key.tenant,
        "sha256": key.sha256,
        "scopes": sorted(key.scopes),
        "created_at": stored.created_at.isoformat(),
        "expires_at": key.expires_at.isoformat() if key.expires_at else None,
    }
    return json.dumps(document).encode()


def _from_json(text: bytes) -> StoredKey:
    plain = json.loads(text)
    expires = datetime.fromisoformat(plain["expires_at"]) if plain["expires_at"] else None
    known = {scope.value for scope in Scope}
    scopes = frozenset(Scope(name) for name in plain["scopes"] if name in known)
    created = datetime.fromisoformat(plain["created_at"])
    key = ApiKey(plain["tenant"], plain["sha256"], scopes, expires, plain["id"], created)
    return StoredKey(plain["id"], plain["name"], key, created)
