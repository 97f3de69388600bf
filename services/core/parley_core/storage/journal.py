"""The journal: accepted jobs that the job store could not take yet, kept beside the recordings.

Callers' idempotency keys are bound here too, for every submit that brings one: the object store is what still
answers when Redis does not.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from parley_core.errors import IdempotencyKeyReused
from parley_core.job import IdempotencyKey, NewJob
from parley_core.redis.record import dump, new_job_from_json, new_job_to_json
from parley_core.storage.objects import ObjectStore

IDEMPOTENCY_LIFE = timedelta(hours=24)


class ObjectJournal:
    """Journal beside the recordings: `journal/<job id>.json`, and `idempotency/<hash>.json` for callers' keys."""

    def __init__(self, objects: ObjectStore) -> None:
        self._objects = objects

    def add(self, new: NewJob, idempotency: IdempotencyKey | None) -> None:
        self._objects.put(_entry_key(new.id), new_job_to_json(new, idempotency).encode())

    def find(self, job_id: str) -> NewJob | None:
        try:
            return new_job_from_json(self._objects.read(_entry_key(job_id)))[0]
        except KeyError:
            return None

    def entries(self) -> Sequence[tuple[NewJob, IdempotencyKey | None]]:
        found = []
        for key in self._objects.keys("journal/"):
            try:
                found.append(new_job_from_json(self._objects.read(key)))
            except KeyError:
                continue  # another keeper imported it meanwhile
        return found

    def remove(self, job_id: str) -> None:
        self._objects.delete(_entry_key(job_id))

    def remember_key(self, tenant: str, idempotency: IdempotencyKey, job_id: str) -> str:
        name = f"idempotency/{hashlib.sha256(f'{tenant}:{idempotency.key}'.encode()).hexdigest()}.json"
        expires = (datetime.now(UTC) + IDEMPOTENCY_LIFE).isoformat()
        entry = {"job_id": job_id, "digest": idempotency.digest, "expires": expires}
        if self._objects.create(name, dump(entry).encode()):
            return job_id
        return self._known_or_replaced(name, entry)

    def _known_or_replaced(self, name: str, entry: dict[str, str]) -> str:
        known: dict[str, str] = json.loads(self._objects.read(name))
        if datetime.fromisoformat(known["expires"]) < datetime.now(UTC):
            self._objects.put(name, dump(entry).encode())
            return entry["job_id"]
        if known["digest"] != entry["digest"]:
            raise IdempotencyKeyReused("This Idempotency-Key was used for another recording or other options.")
        return known["job_id"]

    def forget_keys(self) -> None:
        oldest = datetime.now(UTC) - IDEMPOTENCY_LIFE
        for entry in self._objects.entries("idempotency/"):
            if entry.modified < oldest:
                self._objects.delete(entry.key)


def _entry_key(job_id: str) -> str:
    return f"journal/{job_id}.json"
