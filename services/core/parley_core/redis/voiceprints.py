"""The voiceprint store on Redis or Valkey: one hash per tenant, `parley:voiceprints:<tenant>`.

`parley:voiceprint_expiry` lists those of all tenants by the end of their consent.
"""

from __future__ import annotations

import json
from array import array
from base64 import b64decode, b64encode
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from redis import Redis

from parley_core.errors import TooManyVoiceprints, VoiceprintNameTaken, VoiceprintNotFound
from parley_core.redis.connection import connect, translated_errors
from parley_core.redis.record import dump, moment, present
from parley_core.redis.scripts import Scripts
from parley_core.settings import Settings
from parley_core.voiceprints import Consent, NewVoiceprint, Role, Voiceprint, name_key

FIELD = "voice:"
EXPIRY = "parley:voiceprint_expiry"


class RedisVoiceprintStore:
    """VoiceprintStore on Redis or Valkey. Threads may share it."""

    def __init__(self, client: Redis, limit: int) -> None:
        self._client: Any = client
        self._run, self._limit = Scripts(client).run, limit

    @classmethod
    def from_settings(cls, settings: Settings) -> RedisVoiceprintStore:
        """Return a store that connects at its first call."""
        client = connect(settings.redis_url.get_secret_value(), settings.redis_timeout_seconds)
        return cls(client, settings.voiceprints_per_tenant)

    def enrol(self, new: NewVoiceprint) -> Voiceprint:
        until = "" if new.consent is None else str(round(new.consent.until.timestamp() * 1000))
        name, document = name_key(new.name), voiceprint_to_text(new)
        outcome, *kept = self._run(
            "enrol_voiceprint", _key(new.tenant), new.id, name, document, self._limit, new.tenant, until
        )
        if outcome == "taken":
            raise VoiceprintNameTaken("A voiceprint of this name is enrolled already. Delete that one first.")
        if outcome == "full":
            raise TooManyVoiceprints(f"{self._limit} voiceprints are enrolled, the limit here. Delete one first.")
        return _voiceprint(new.tenant, new.id, kept[0])

    def get(self, tenant: str, voiceprint_id: str) -> Voiceprint:
        found = self._find(tenant, voiceprint_id)
        if found is None or found.has_ended(datetime.now(UTC)):
            raise VoiceprintNotFound("There is no voiceprint with this id.")
        return found

    def all(self, tenant: str) -> Sequence[Voiceprint]:
        with translated_errors():
            fields: dict[str, str] = self._client.hgetall(_key(tenant))
        voices = [
            _voiceprint(tenant, name.removeprefix(FIELD), kept)
            for name, kept in fields.items()
            if name.startswith(FIELD)
        ]
        now = datetime.now(UTC)
        current = [voice for voice in voices if not voice.has_ended(now)]
        return sorted(current, key=lambda voice: (voice.enrolled_at, voice.id))

    def remove(self, tenant: str, voiceprint_id: str) -> None:
        found = self._find(tenant, voiceprint_id)
        arguments = (_key(tenant), voiceprint_id, "" if found is None else name_key(found.name), tenant)
        if found is None or self._run("delete_voiceprint", *arguments) == "missing":
            raise VoiceprintNotFound("There is no voiceprint with this id.")

    def expired(self, limit: int) -> Sequence[Voiceprint]:
        now = round(datetime.now(UTC).timestamp() * 1000)
        with translated_errors():
            members = self._client.zrange(EXPIRY, "-inf", now, byscore=True, offset=0, num=limit)
        found = (self._find(*member.split(" ", 1)) for member in members)
        return [voice for voice in found if voice is not None]

    def _find(self, tenant: str, voiceprint_id: str) -> Voiceprint | None:
        with translated_errors():
            kept = self._client.hget(_key(tenant), FIELD + voiceprint_id)
        return None if kept is None else _voiceprint(tenant, voiceprint_id, kept)


def _key(tenant: str) -> str:
    return f"parley:voiceprints:{tenant}"


def voiceprint_to_text(new: NewVoiceprint) -> str:
    """Return the stored document, without id and tenant.

    The embedding is float32 in base64: a quarter of the memory that decimals take.
    """
    packed = b64encode(array("f", new.vector).tobytes()).decode()
    document: dict[str, object] = {"name": new.name, "role": new.role, "model": new.model, "vector": packed}
    if new.consent is not None:
        document["consent"] = {
            "given_by": new.consent.given_by,
            "given_at": new.consent.given_at.isoformat(),
            "purpose": new.consent.purpose,
            "until": new.consent.until.isoformat(),
        }
    return dump(document)


def _voiceprint(tenant: str, voiceprint_id: str, kept: str) -> Voiceprint:
    enrolled_at, _, document = kept.partition(" ")
    return voiceprint_from_text(tenant, voiceprint_id, present(moment(enrolled_at)), document)


def voiceprint_from_text(tenant: str, voiceprint_id: str, enrolled_at: datetime, text: str) -> Voiceprint:
    """Return the voiceprint whose document `voiceprint_to_text` wrote."""
    plain = json.loads(text)
    consent = plain.get("consent")
    return Voiceprint(
        id=voiceprint_id,
        tenant=tenant,
        name=plain["name"],
        role=Role(plain["role"]) if plain["role"] else None,
        model=plain["model"],
        vector=tuple(array("f", b64decode(plain["vector"]))),
        consent=None
        if consent is None
        else Consent(
            given_by=consent["given_by"],
            given_at=datetime.fromisoformat(consent["given_at"]),
            purpose=consent["purpose"],
            until=datetime.fromisoformat(consent["until"]),
        ),
        enrolled_at=enrolled_at,
    )
