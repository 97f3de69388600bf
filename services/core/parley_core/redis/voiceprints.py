"""The voiceprint store on Redis or Valkey: one hash per tenant, `parley:voiceprints:<tenant>`."""

from __future__ import annotations

import json
from array import array
from base64 import b64decode, b64encode
from collections.abc import Sequence
from typing import Any

from redis import Redis

from parley_core.errors import TooManyVoiceprints, VoiceprintNameTaken, VoiceprintNotFound
from parley_core.redis.connection import connect, translated_errors
from parley_core.redis.record import dump, moment, present
from parley_core.redis.scripts import Scripts
from parley_core.settings import Settings
from parley_core.voiceprints import NewVoiceprint, Role, Voiceprint, name_key

FIELD = "voice:"


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
        outcome, *kept = self._run(
            "enrol_voiceprint", _key(new.tenant), new.id, name_key(new.name), _document(new), self._limit
        )
        if outcome == "taken":
            raise VoiceprintNameTaken("A voiceprint of this name is enrolled already. Delete that one first.")
        if outcome == "full":
            raise TooManyVoiceprints(f"{self._limit} voiceprints are enrolled, the limit here. Delete one first.")
        return _voiceprint(new.tenant, new.id, kept[0])

    def get(self, tenant: str, voiceprint_id: str) -> Voiceprint:
        with translated_errors():
            kept = self._client.hget(_key(tenant), FIELD + voiceprint_id)
        if kept is None:
            raise VoiceprintNotFound("There is no voiceprint with this id.")
        return _voiceprint(tenant, voiceprint_id, kept)

    def all(self, tenant: str) -> Sequence[Voiceprint]:
        with translated_errors():
            fields: dict[str, str] = self._client.hgetall(_key(tenant))
        voices = [
            _voiceprint(tenant, name.removeprefix(FIELD), kept)
            for name, kept in fields.items()
            if name.startswith(FIELD)
        ]
        return sorted(voices, key=lambda voice: (voice.enrolled_at, voice.id))

    def remove(self, tenant: str, voiceprint_id: str) -> None:
        name = name_key(self.get(tenant, voiceprint_id).name)
        if self._run("delete_voiceprint", _key(tenant), voiceprint_id, name) == "missing":
            raise VoiceprintNotFound("There is no voiceprint with this id.")


def _key(tenant: str) -> str:
    return f"parley:voiceprints:{tenant}"


def _document(new: NewVoiceprint) -> str:
    """Return the stored document. The embedding is float32 in base64: a quarter of the memory that decimals take."""
    packed = b64encode(array("f", new.vector).tobytes()).decode()
    return dump({"name": new.name, "role": new.role, "model": new.model, "vector": packed})


def _voiceprint(tenant: str, voiceprint_id: str, kept: str) -> Voiceprint:
    enrolled_at, _, document = kept.partition(" ")
    plain = json.loads(document)
    return Voiceprint(
        id=voiceprint_id,
        tenant=tenant,
        name=plain["name"],
        role=Role(plain["role"]) if plain["role"] else None,
        model=plain["model"],
        vector=tuple(array("f", b64decode(plain["vector"]))),
        enrolled_at=present(moment(enrolled_at)),
    )
