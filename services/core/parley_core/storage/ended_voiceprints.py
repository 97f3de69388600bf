"""Voiceprints that have ended, in the object store: first work for the keeper, then tombstones.

    voiceprints/ending/<id>.<tenant>   the voiceprint, while it is taken out of results
    voiceprints/ended/<id>.<tenant>    tombstone without personal data: a restored Redis does not bring it back

The object store holds them rather than Redis, since a Redis that was lost must bring no voiceprint back.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from parley_core.logs import get_logger
from parley_core.ports import RecordingStore
from parley_core.redis.voiceprints import voiceprint_from_text, voiceprint_to_text
from parley_core.voiceprints import Voiceprint

ENDING, ENDED = "voiceprints/ending", "voiceprints/ended"

log = get_logger(__name__)


class EndedVoiceprints:
    """Ended voiceprints on any object store. Every method raises ObjectStoreUnavailable."""

    def __init__(self, objects: RecordingStore) -> None:
        self._objects = objects

    def begin(self, voiceprint: Voiceprint) -> None:
        """Keep that a voiceprint has ended, so that the keeper takes it out of Redis and of results."""
        document = f"{voiceprint.enrolled_at.isoformat()} {voiceprint_to_text(voiceprint)}"
        self._objects.put(f"{ENDING}/{_name(voiceprint)}", document.encode())

    def pending(self) -> Iterator[Voiceprint]:
        """Yield the voiceprints that are not yet taken out of results."""
        for entry in self._objects.entries(f"{ENDING}/"):
            voiceprint_id, _, tenant = entry.key.rpartition("/")[2].partition(".")
            try:
                enrolled_at, _, text = self._objects.read(entry.key).decode().partition(" ")
                yield voiceprint_from_text(tenant, voiceprint_id, datetime.fromisoformat(enrolled_at), text)
            except KeyError:  # another keeper has finished it
                continue
            except (ValueError, TypeError):
                log.error("an ended voiceprint cannot be read", voiceprint_id=voiceprint_id)

    def finish(self, voiceprint: Voiceprint) -> None:
        """Leave the tombstone alone."""
        self._objects.put(f"{ENDED}/{_name(voiceprint)}", b"")
        self._objects.delete(f"{ENDING}/{_name(voiceprint)}")

    def finished(self) -> Iterator[tuple[str, str]]:
        """Yield tenant and id of each tombstone."""
        for entry in self._objects.entries(f"{ENDED}/"):
            voiceprint_id, _, tenant = entry.key.rpartition("/")[2].partition(".")
            yield tenant, voiceprint_id


def _name(voiceprint: Voiceprint) -> str:
    return f"{voiceprint.id}.{voiceprint.tenant}"
