"""What was accepted and how it ended, in the object store: the truth that Redis indexes.

    jobs/<day>/<job id>/manifest.json    what was accepted; written before the caller is answered
    jobs/<day>/<job id>/end-<run>.json   how a run ended; written before the record shows it
    jobs/<day>/<job id>/retry-<run>      a retry by hand began this run
    jobs/<day>/<job id>/delivered-<run>  the end of this run was delivered to the caller's address
    jobs/<day>/<job id>/after-<run>      what follows a run, created conditionally: a retry, or no recording any more
    jobs/<day>/<job id>/recording-removed  tombstone of the recording: it is gone, or on its way; the rest is kept
    jobs/<day>/<job id>/purged           tombstone: recording and results are gone, or on their way
    changes/<day>/<job id>.<what>        retries, purges and requests for words by the day on which they happened
    unrecorded/<job id>                  accepted while Redis did not answer; the keeper records it
    idempotency/<hash>.json              the job that a caller's key made
    history/marker.json                  the newest state of Redis that a keeper has seen

The day of a job is in its id, so every object of a job is found without a search, and every day can be listed.
Manifests, ends and retries are created conditionally: of two writers, one wins, whatever Redis has forgotten. A
damaged document was promised to nobody (a store that does not flush was cut off from power): it is replaced.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import groupby
from operator import itemgetter

from parley_core.errors import IdempotencyKeyReused
from parley_core.job import (
    IdempotencyKey,
    JobEnd,
    JobTrace,
    NewJob,
)
from parley_core.job_id import UNDATED, accepted_at, day_of, first_id_of
from parley_core.logs import get_logger
from parley_core.ports import RecordingStore
from parley_core.recording import Recording
from parley_core.redis.record import dump
from parley_core.storage.job_documents import (
    end_from_json,
    end_to_json,
    manifest_from_json,
    manifest_to_json,
    plain_object,
)

MARKER = "history/marker.json"
IDEMPOTENCY_LIFE = timedelta(hours=24)
CLOCKS_APART = timedelta(hours=1)  # at most, those of two processes: ids carry the time of one, entries that of a store
BEGINNING = datetime(1970, 1, 1, tzinfo=UTC)
RETRY = re.compile(r"retry-(\d+)")
MANIFEST, PURGED, RECORDING_REMOVED = "manifest.json", "purged", "recording-removed"
RETRIED, REMOVAL = b"retry", b"removal"
WORDS = "words-"

log = get_logger(__name__)


@dataclass(frozen=True, slots=True)
class HistoryMarker:
    """The newest state of Redis that a keeper has seen: its data set and a number that only grows."""

    id: str
    ticks: int


class Manifests:
    """Manifests, ends and tombstones on any object store. Every method raises ObjectStoreUnavailable."""

    def __init__(self, objects: RecordingStore) -> None:
        self._objects = objects

    def accept(self, new: NewJob, idempotency: IdempotencyKey | None) -> NewJob:
        """Keep what was accepted; return it, or what was accepted under this id before.

        Raises ObjectStoreUnavailable.
        """
        key = f"{_folder(new.id)}/{MANIFEST}"
        if self._objects.create(key, manifest_to_json(new, idempotency)):
            return new
        try:
            return manifest_from_json(self._objects.read(key))[0]
        except ValueError:
            log.error("damaged manifest replaced", job_id=new.id)
            self._objects.put(key, manifest_to_json(new, idempotency))
            return new

    def find(self, job_id: str) -> tuple[NewJob, IdempotencyKey | None] | None:
        """Return what was accepted, None when nothing was, or when it was purged.

        Raises:
            ValueError: the manifest cannot be read as one.
            ObjectStoreUnavailable: nobody can say.
        """
        try:
            return manifest_from_json(self._objects.read(f"{_folder(job_id)}/{MANIFEST}"))
        except KeyError:
            return None

    def trace(self, job_id: str) -> JobTrace:
        """Return what there is of a job. Costs one listing."""
        folder = f"{_folder(job_id)}/"
        return _trace(job_id, [entry.key.removeprefix(folder) for entry in self._objects.entries(folder)])

    def end(self, job_id: str, run: int, end: JobEnd) -> JobEnd:
        """Keep the end of a run; return it, or the end that the run has already. Raises ObjectStoreUnavailable."""
        key = f"{_folder(job_id)}/end-{run}.json"
        if self._objects.create(key, end_to_json(end)):
            return end
        known = self.find_end(job_id, run)
        if known is None:
            self._objects.put(key, end_to_json(end))
        return known or end

    def find_end(self, job_id: str, run: int) -> JobEnd | None:
        """Return how a run ended, None while it has not, or when its end is damaged. Raises ObjectStoreUnavailable."""
        try:
            return end_from_json(self._objects.read(f"{_folder(job_id)}/end-{run}.json"))
        except KeyError:
            return None
        except ValueError:
            log.error("damaged end: the job runs again", job_id=job_id, run=run)
            return None

    def begin_run(self, job_id: str, run: int) -> bool:
        """Keep that a retry by hand began this run; once more is no error.

        Returns:
            False when the recording is gone, or on its way.
        """
        if not self._decide_after(job_id, run - 1, RETRIED):
            return False
        self._objects.put(_change(job_id, f"retry-{run}"), b"")
        self._objects.create(f"{_folder(job_id)}/retry-{run}", b"")
        return True

    def mark_delivered(self, job_id: str, run: int) -> None:
        """Keep that the end of a run was delivered, so that a Redis that was lost brings no flood of deliveries."""
        self._objects.put(_delivered(job_id, run), b"")

    def is_delivered(self, job_id: str, run: int) -> bool:
        """Say whether the end of a run was delivered."""
        try:
            self._objects.read(_delivered(job_id, run))
        except KeyError:
            return False
        return True

    def mark_undelivered(self, job_id: str, run: int) -> None:
        """Take the mark off: the end is to be delivered once more."""
        self._objects.delete(_delivered(job_id, run))

    def condemn(self, job_id: str) -> None:
        """Leave the tombstone of a job that is purged by hand: nothing may bring it back.

        Its retention is not over, so a Redis that lost the purge would not purge it again by itself.
        """
        self._objects.put(_change(job_id, PURGED), b"")
        self._objects.put(f"{_folder(job_id)}/{PURGED}", b"")

    def condemn_each(self, job_ids: Sequence[str], note_progress: Callable[[], None]) -> None:
        """Leave the tombstones of jobs whose retention is over."""
        self._objects.put_each([f"{_folder(job_id)}/{PURGED}" for job_id in job_ids], b"", note_progress)

    def condemn_recording(self, job_id: str, now: datetime) -> Recording | None:
        """Leave the tombstone of a recording whose own retention is over: from now on no run of its job begins.

        Manifest and end decide, not the record: a Redis that is behind may not know of a retry.

        Returns:
            the recording to remove; None when it is to be kept. Raises ValueError for a manifest that cannot be read.
        """
        trace, found = self.trace(job_id), self.find(job_id)
        end = self.find_end(job_id, trace.run) if trace.ended else None
        retain = found[0].options.retain_audio_seconds if found else None
        if found is None or end is None or retain is None or trace.purged:
            return None
        if end.finished_at + timedelta(seconds=retain) > now + CLOCKS_APART:
            return None
        if not self._decide_after(job_id, trace.run, REMOVAL):
            return None
        self._objects.put(f"{_folder(job_id)}/{RECORDING_REMOVED}", b"")
        return found[0].recording

    def _decide_after(self, job_id: str, run: int, decision: bytes) -> bool:
        """Decide what follows a run, once and for all; return whether it is this."""
        key = f"{_folder(job_id)}/after-{run}"
        try:
            return self._objects.create(key, decision) or self._objects.read(key) == decision
        except KeyError:  # purged meanwhile
            return False

    def forget(self, job_id: str) -> None:
        """Remove all but the tombstone. The manifest goes last: broken off, it is done again."""
        self.forget_each([job_id], lambda: None)

    def forget_each(self, job_ids: Sequence[str], note_progress: Callable[[], None]) -> None:
        """Remove all but the tombstone of each job. The manifests go last: broken off, it is done again."""
        names = self._objects.keys_each([f"{_folder(job_id)}/" for job_id in job_ids], note_progress)
        manifests = [name for name in names if name.endswith(f"/{MANIFEST}")]
        others = [name for name in names if not name.endswith((f"/{MANIFEST}", f"/{PURGED}"))]
        self._objects.delete_each(others, note_progress)
        self._objects.delete_each(manifests, note_progress)

    def days(self) -> list[str]:
        """Days on which jobs were accepted, oldest first."""
        return sorted(folder.rpartition("/")[2] for folder in self._objects.folders("jobs"))

    def traces(self, day: str, since: datetime = BEGINNING) -> Iterator[JobTrace]:
        """Yield what there is of every job of a day that was accepted or changed since then.

        The objects of one job are listed together. Objects of other names are passed over.
        """
        folder = f"jobs/{day}/"
        after = f"{folder}{first_id_of(since - CLOCKS_APART)}" if since > BEGINNING and day != UNDATED else ""
        entries = ((entry.key.split("/"), entry.modified) for entry in self._objects.entries(folder, after))
        named = ((parts[2], parts[3], modified) for parts, modified in entries if len(parts) == 4)
        for job_id, group in groupby(named, key=itemgetter(0)):
            found = list(group)
            if accepted_at(job_id) >= since or any(modified >= since for *_, modified in found):
                yield _trace(job_id, [name for _, name, _ in found])

    def change_days(self) -> list[str]:
        """Days on which jobs were retried or purged by hand, oldest first."""
        return sorted(folder.rpartition("/")[2] for folder in self._objects.folders("changes"))

    def changed_on(self, day: str) -> Iterator[str]:
        """Yield the ids of jobs that were retried or purged on a day."""
        seen: set[str] = set()
        for job_id, _ in self._changes(day):
            if job_id not in seen:
                seen.add(job_id)
                yield job_id

    def note_words_request(self, job_id: str, asked_at: int) -> None:
        """Keep that the words of a job were asked for. The note goes with those on changes of its day.

        Args:
            asked_at: milliseconds since 1970.
        """
        self._objects.put(_change(job_id, f"{WORDS}{asked_at}"), b"")

    def words_requests(self, earliest: str) -> Iterator[tuple[str, int]]:
        """Yield the ids of jobs whose words were asked for from a day on, and when: milliseconds since 1970."""
        for day in self.change_days():
            if day >= earliest:
                for job_id, what in self._changes(day):
                    if what.startswith(WORDS):
                        yield job_id, int(what.removeprefix(WORDS))

    def _changes(self, day: str) -> Iterator[tuple[str, str]]:
        """Yield the job id of each note of a day, and what has changed."""
        for entry in self._objects.entries(f"changes/{day}/"):
            job_id, _, what = entry.key.rpartition("/")[2].partition(".")
            yield job_id, what

    def marker(self) -> HistoryMarker | None:
        """Return the newest state of Redis that was noted, None when none was."""
        try:
            plain = json.loads(self._objects.read(MARKER))
            return HistoryMarker(str(plain["id"]), int(plain["ticks"]))
        except (KeyError, ValueError, TypeError):
            return None

    def mark(self, marker: HistoryMarker) -> None:
        """Note a state of Redis."""
        self._objects.put(MARKER, dump({"id": marker.id, "ticks": marker.ticks}).encode())

    def mark_unrecorded(self, job_id: str) -> None:
        """Keep that an accepted job has no record yet. Raises ObjectStoreUnavailable."""
        self._objects.put(f"unrecorded/{job_id}", b"")

    def unrecorded(self) -> Iterator[str]:
        """Yield accepted jobs that had no record when they were accepted, oldest first within a listing."""
        for entry in self._objects.entries("unrecorded/"):
            yield entry.key.rpartition("/")[2]

    def is_unrecorded(self, job_id: str) -> bool:
        """Say whether a job was accepted without a record and has none yet."""
        try:
            self._objects.read(f"unrecorded/{job_id}")
        except KeyError:
            return False
        return True

    def mark_recorded(self, job_id: str) -> None:
        """Take the mark off; no error when there is none."""
        self._objects.delete(f"unrecorded/{job_id}")

    def bind_key(self, tenant: str, idempotency: IdempotencyKey, job_id: str, request: str | None = None) -> str:
        """Bind an idempotency key to a job id for 24 hours; return the id that it is bound to.

        Args:
            tenant: whose key it is.
            idempotency: the key, and the digest of recording and options.
            job_id: of the job that will be accepted.
            request: digest of the request, for `find_bound`; None where it holds the recording.

        Raises IdempotencyKeyReused when the digest differs.
        """
        name = _binding_key(tenant, idempotency.key)
        expires = (datetime.now(UTC) + IDEMPOTENCY_LIFE).isoformat()
        entry = {"job_id": job_id, "digest": idempotency.digest, "expires": expires}
        if request is not None:
            entry["request"] = request
        if self._objects.create(name, dump(entry).encode()):
            return job_id
        known = _binding(self._objects.read(name))
        if known is None or datetime.fromisoformat(known["expires"]) < datetime.now(UTC):
            self._objects.put(name, dump(entry).encode())
            return job_id
        if known["digest"] != idempotency.digest:
            raise IdempotencyKeyReused("This Idempotency-Key was used for another recording or other options.")
        return known["job_id"]

    def find_bound(self, tenant: str, key: str, request: str) -> str | None:
        """Return the job id that an idempotency key was bound to by the same request, None without one."""
        try:
            found = self._objects.read(_binding_key(tenant, key))
        except KeyError:
            return None
        known = _binding(found)
        if known is None or datetime.fromisoformat(known["expires"]) < datetime.now(UTC):
            return None
        return known["job_id"] if known["request"] == request else None

    def forget_purged(self, day: str, before: datetime, note_progress: Callable[[], None]) -> None:
        """Remove the tombstones of a day that were left before then, and the day's notes on changes of that time.

        A tombstone stays while anything else is left of its job.
        """
        for job_id, group in groupby(self._objects.entries(f"jobs/{day}/"), lambda entry: entry.key.split("/")[2]):
            note_progress()
            found = list(group)
            if [entry.key for entry in found] == [f"{_folder(job_id)}/{PURGED}"] and found[0].modified < before:
                self._objects.delete(found[0].key)
        for entry in self._objects.entries(f"changes/{day}/"):
            note_progress()
            if entry.modified < before:
                self._objects.delete(entry.key)

    def forget_keys(self, note_progress: Callable[[], None]) -> None:
        """Remove the bindings whose 24 hours are over; tell of each that was looked at."""
        oldest = datetime.now(UTC) - IDEMPOTENCY_LIFE
        for entry in self._objects.entries("idempotency/"):
            note_progress()
            if entry.modified < oldest:
                self._objects.delete(entry.key)


def _folder(job_id: str) -> str:
    return f"jobs/{day_of(job_id)}/{job_id}"


def _binding_key(tenant: str, key: str) -> str:
    return f"idempotency/{hashlib.sha256(f'{tenant}:{key}'.encode()).hexdigest()}.json"


def _delivered(job_id: str, run: int) -> str:
    return f"{_folder(job_id)}/delivered-{run}"


def _change(job_id: str, what: str) -> str:
    return f"changes/{datetime.now(UTC).date().isoformat()}/{job_id}.{what}"


def _trace(job_id: str, names: list[str]) -> JobTrace:
    retries = (RETRY.fullmatch(name) for name in names)
    run = max((int(retry.group(1)) for retry in retries if retry), default=0)
    ended = f"end-{run}.json" in names
    return JobTrace(job_id, MANIFEST in names, run, ended, PURGED in names, RECORDING_REMOVED in names)


def _binding(text: bytes) -> dict[str, str] | None:
    """Return what a key is bound to, None for a document that is damaged."""
    try:
        plain = plain_object(text)
        known = {name: str(plain[name]) for name in ("job_id", "digest", "expires")}
        return known | {"request": str(plain.get("request", ""))}
    except (KeyError, ValueError):
        return None
