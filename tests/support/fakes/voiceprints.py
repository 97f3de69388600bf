"""VoiceprintStore in memory."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import fields
from datetime import UTC, datetime

from parley_core.errors import JobStoreUnavailable, TooManyVoiceprints, VoiceprintNameTaken, VoiceprintNotFound
from parley_core.voiceprints import NewVoiceprint, Voiceprint, name_key


class MemoryVoiceprintStore:
    """VoiceprintStore on a dict. `available = False`: it is down."""

    def __init__(
        self, voiceprints_per_tenant: int = 1_000, now: Callable[[], datetime] = lambda: datetime.now(UTC)
    ) -> None:
        self._now = now
        self._limit, self._lock = voiceprints_per_tenant, threading.Lock()
        self._voices: dict[str, Voiceprint] = {}
        self.available = True

    def enrol(self, new: NewVoiceprint) -> Voiceprint:
        with self._lock:
            if new.id in self._voices:
                return self.get(new.tenant, new.id)
            self._require_available()
            own = [voice for voice in self._voices.values() if voice.tenant == new.tenant]
            if any(name_key(voice.name) == name_key(new.name) for voice in own):
                raise VoiceprintNameTaken("A voiceprint of this name is enrolled already. Delete that one first.")
            if len(own) >= self._limit:
                raise TooManyVoiceprints(f"{self._limit} voices are enrolled, the limit here; delete one first.")
            told = {field.name: getattr(new, field.name) for field in fields(new)}
            self._voices[new.id] = Voiceprint(**told, enrolled_at=datetime.now(UTC))
            return self._voices[new.id]

    def get(self, tenant: str, voiceprint_id: str) -> Voiceprint:
        self._require_available()
        voice = self._voices.get(voiceprint_id)
        if voice is None or voice.tenant != tenant or voice.has_ended(self._now()):
            raise VoiceprintNotFound("There is no voiceprint with this id.")
        return voice

    def all(self, tenant: str) -> Sequence[Voiceprint]:
        self._require_available()
        now = self._now()
        return [voice for voice in self._voices.values() if voice.tenant == tenant and not voice.has_ended(now)]

    def remove(self, tenant: str, voiceprint_id: str) -> None:
        self._require_available()
        with self._lock:
            voice = self._voices.get(voiceprint_id)
            if voice is None or voice.tenant != tenant:
                raise VoiceprintNotFound("There is no voiceprint with this id.")
            del self._voices[voiceprint_id]

    def expired(self, limit: int) -> Sequence[Voiceprint]:
        self._require_available()
        now = self._now()
        ended = [(voice.consent.until, voice) for voice in self._voices.values() if voice.consent]
        return [voice for until, voice in sorted(ended, key=lambda one: one[0]) if until <= now][:limit]

    def _require_available(self) -> None:
        if not self.available:
            raise JobStoreUnavailable("The voice store does not answer (down).")
