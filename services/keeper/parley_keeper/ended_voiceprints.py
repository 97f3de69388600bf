"""Takes voiceprints that were deleted, or whose consent has ended, out of Redis and of the results that they named."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from parley_core.durable_job_store import DurableJobStore
from parley_core.errors import VoiceprintNotFound
from parley_core.job import Job, JobQuery, JobState
from parley_core.logs import get_logger
from parley_core.ports import RecordingStore
from parley_core.storage.ended_voiceprints import EndedVoiceprints
from parley_core.voiceprints import Voiceprint, VoiceprintStore, cosine_similarity, identify, name_key
from parley_keeper.loop import NoteProgress
from parley_keeper.reconciliation import lost_since

BATCH = 100  # voiceprints or jobs per call
SECOND_PASS = timedelta(seconds=60)  # after the first: a correction on its way may have carried the name once more
TOMBSTONES_EVERY = timedelta(seconds=30)  # how soon a restored Redis loses a voiceprint that it has brought back
SAME = 0.9999  # cosine similarity of a speaker embedding and the voiceprint that was enrolled from it

log = get_logger(__name__)


class VoiceprintCollector:
    """Ends voiceprints.

    Args:
        threshold: cosine similarity from which a voiceprint names a speaker, as the API has it.
    """

    def __init__(
        self, store: DurableJobStore, objects: RecordingStore, voiceprints: VoiceprintStore, threshold: float
    ) -> None:
        self._store, self._objects, self._voiceprints = store, objects, voiceprints
        self._ended, self._threshold = EndedVoiceprints(objects), threshold
        self._passed: dict[str, tuple[datetime, set[str]]] = {}  # by voiceprint: end of the first pass, its results
        self._tombstones_at = datetime.min.replace(tzinfo=UTC)

    def run_once(self, note_progress: NoteProgress) -> int:
        """End what is to end; return how many results were changed.

        Raises JobStoreUnavailable or ObjectStoreUnavailable: the rest follows in the next round.
        """
        for expired in self._voiceprints.expired(BATCH):
            self._ended.begin(expired)
            self._forget(expired.tenant, expired.id)
            log.info("voiceprint ended with its consent", voiceprint_id=expired.id)
        if datetime.now(UTC) - self._tombstones_at >= TOMBSTONES_EVERY:
            self._tombstones_at = datetime.now(UTC)
            for tenant, voiceprint_id in self._ended.finished():
                self._forget(tenant, voiceprint_id)
                note_progress()
        return sum(self._end(voiceprint, note_progress) for voiceprint in self._ended.pending())

    def _forget(self, tenant: str, voiceprint_id: str) -> None:
        with suppress(VoiceprintNotFound):
            self._voiceprints.remove(tenant, voiceprint_id)

    def _end(self, voiceprint: Voiceprint, note_progress: NoteProgress) -> int:
        """Make the pass over results that is due; return how many were changed."""
        self._forget(voiceprint.tenant, voiceprint.id)
        passed_at, named = self._passed.get(voiceprint.id, (None, set()))
        if passed_at is not None and datetime.now(UTC) - passed_at < SECOND_PASS:
            return 0
        history = self._store.index.history()
        if history.look_again_since or lost_since(history, self._store.manifests.marker()):
            return 0  # a job that Redis does not list yet would be passed over
        others, before = self._voiceprints.all(voiceprint.tenant), len(named)
        for job in self._jobs(voiceprint.tenant):
            note_progress()
            if self._take_out(voiceprint, others, job, named):
                named.add(job.id)
        if passed_at is None:
            self._passed[voiceprint.id] = (datetime.now(UTC), named)
        else:
            self._ended.finish(voiceprint)
            del self._passed[voiceprint.id]
        log.info("voiceprint taken out of results", voiceprint_id=voiceprint.id, results=len(named))
        return len(named) - before

    def _jobs(self, tenant: str) -> Iterator[Job]:
        """Yield the tenant's jobs whose results keep speaker embeddings."""
        query = JobQuery(tenant, state=JobState.SUCCEEDED, limit=BATCH)
        while True:
            page = self._store.page(query)
            yield from (job for job in page.jobs if job.options.speaker_embeddings and job.result is not None)
            if page.next_cursor is None:
                return
            query = replace(query, cursor=page.next_cursor)

    def _take_out(self, voiceprint: Voiceprint, others: Sequence[Voiceprint], job: Job, named: set[str]) -> bool:
        """Take the voiceprint out of a result and its corrections; return whether it named anybody there.

        The embeddings go last: they tell in a pass that was broken off that the voiceprint named somebody here.
        """
        assert job.result is not None, "only such jobs are looked at"
        try:
            document = json.loads(self._objects.read(job.result.key))
        except KeyError:  # it was purged meanwhile
            return False
        labels = _labels_of(voiceprint, others, document, self._threshold)
        if not labels and job.id not in named:
            return False
        for entry in self._objects.entries(f"{job.result.key.removesuffix('.json')}.corrections/"):
            self._take_name_out(voiceprint, job, entry.key)
        if labels:
            for label in labels:
                del document["speaker_embeddings"][label]
            self._replace(job, job.result.key, document)
        return True

    def _take_name_out(self, voiceprint: Voiceprint, job: Job, key: str) -> None:
        with suppress(KeyError):
            stored = json.loads(self._objects.read(key))
            operations = [operation for one in stored["corrections"] for operation in one["operations"]]
            given = [one for one in operations if one.get("operation") == "rename_speaker" and one.get("name")]
            same = [one for one in given if name_key(one["name"]) == name_key(voiceprint.name)]
            for operation in same:
                operation["name"] = None
            if same:
                self._replace(job, key, stored)

    def _replace(self, job: Job, key: str, document: dict[str, Any]) -> None:
        """Write an object again, unless its job is purged meanwhile: then nothing of it may come back."""
        self._objects.put(key, json.dumps(document, separators=(",", ":"), ensure_ascii=False).encode())
        if self._store.manifests.trace(job.id).purged:
            self._objects.delete(key)


def _labels_of(
    voiceprint: Voiceprint, others: Sequence[Voiceprint], document: dict[str, Any], threshold: float
) -> list[str]:
    """Return the speakers whom the voiceprint named among all others, and the one from whom it was enrolled."""
    embeddings, model = document.get("speaker_embeddings") or {}, document.get("embedding_model", "")
    if model != voiceprint.model:
        return []
    matches = identify(embeddings, model, [*others, voiceprint], threshold)
    return [
        label
        for label, embedding in embeddings.items()
        if (label in matches and matches[label].voiceprint.id == voiceprint.id)
        or cosine_similarity(embedding, voiceprint.vector) >= SAME
    ]
