"""The restoring part of the job store in memory."""

from __future__ import annotations

import pickle
import secrets
import threading
from collections import Counter, defaultdict
from collections.abc import Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

from parley_core.job import History, Job, JobEnd, JobEvent, JobState, NewJob, Queue
from parley_core.redis.restoration import BEGINNING, LOOK_AGAIN_AFTER


@dataclass
class Entry:
    """One job with what the indexes of the real store hold about it."""

    job: Job
    sequence: int
    accepted_at: float
    due: float | None = None
    not_before: float = 0.0
    published_at: float | None = None
    lease_until: float = 0.0
    expires: float | None = None
    audio_expires: float | None = None
    condemned: bool = False
    lined: bool = False
    turn: bool = False
    events: list[JobEvent] = field(default_factory=list)
    events_so_far: int = 0


class MemoryRestoration:
    """Brings jobs back as the object store has them. `roll_back` forgets, like a Redis that lost its newest writes."""

    _entries: dict[str, Entry]
    _purged: set[str]
    _counters: Counter[str]
    _removing: dict[str, float]
    _lock: threading.RLock
    _retain: float
    _order: defaultdict[Queue, dict[str, float]]
    _times: defaultdict[tuple[Queue, str], float]
    _virtual_now: defaultdict[Queue, float]

    def __init__(self) -> None:
        self._history = History("", 0, BEGINNING, same_server=False, server="server-1", now=BEGINNING)
        self._again: tuple[datetime | None, float | None] = (None, None)

    def _transition(self) -> AbstractContextManager[float]:
        raise NotImplementedError

    def _change(self, entry: Entry, **changes: object) -> None:
        raise NotImplementedError

    def _count(self, what: str, job: Job, **labels: str) -> None:
        raise NotImplementedError

    def _list(self, job: Job) -> None:
        raise NotImplementedError

    def _line_up(self, entry: Entry) -> None:
        raise NotImplementedError

    def _leave_line(self, entry: Entry) -> None:
        raise NotImplementedError

    def _observe_end(self, entry: Entry, ended: float) -> None:
        raise NotImplementedError

    def restore(self, new: NewJob, created_at: datetime, run: int, end: JobEnd | None) -> bool:
        with self._transition() as now:
            if new.id in self._entries or new.id in self._purged:
                return False
            job = Job(
                new.id, new.tenant, JobState.ACCEPTED, new.options, new.recording, new.limits, created_at, run=run
            )
            entry = self._entries[new.id] = Entry(job, len(self._entries), created_at.timestamp(), due=now)
            if end is None:
                self._line_up(entry)
            self._list(job)
            self._count("jobs_accepted", job)
            self._count("jobs_restored", job)
            if end is None:
                self._change(entry)
            else:
                self._show(entry, end)
            return True

    def apply_end(self, job_id: str, run: int, end: JobEnd) -> None:
        with self._transition():
            entry = self._entries.get(job_id)
            if entry and entry.job.run == run and not entry.job.state.terminal:
                self._show(entry, end)

    def note_recording_removed(self, job_id: str) -> None:
        with self._transition():
            entry = self._entries.get(job_id)
            if entry and not entry.job.recording_removed:
                entry.audio_expires, entry.job = None, replace(entry.job, recording_removed=True)
                self._removing.pop(f"{job_id}:audio", None)
                self._count("stored_recording_bytes", entry.job, -entry.job.recording.bytes)

    def _show(self, entry: Entry, end: JobEnd) -> None:
        retain = entry.job.options.retain_seconds
        entry.due, entry.published_at, entry.turn = None, None, False
        self._leave_line(entry)
        entry.expires = end.finished_at.timestamp() + (self._retain if retain is None else retain)
        retain_audio = entry.job.options.retain_audio_seconds
        entry.audio_expires = None if retain_audio is None else end.finished_at.timestamp() + retain_audio
        self._counters[f"attempts_started|queue={entry.job.options.queue}"] += max(0, end.token - entry.job.token)
        labels = {"code": end.error.code} if end.state is JobState.FAILED and end.error else {}
        self._count(f"jobs_{end.state}", entry.job, **labels)
        self._change(
            entry,
            state=end.state,
            started_at=end.started_at or entry.job.started_at,
            finished_at=end.finished_at,
            token=max(end.token, entry.job.token),
            attempts=end.attempts or entry.job.attempts,
            error=end.error,
            result=end.result,
            phase=None,
            progress=1.0 if end.result else entry.job.progress,
        )
        self._observe_end(entry, end.finished_at.timestamp())

    def snapshot(self) -> bytes:
        """Return all that the store holds now."""
        order = (self._order, self._times, self._virtual_now)
        return pickle.dumps(
            (self._entries, self._purged, self._keys, self._counters, self._history, self._again, order)
        )

    def roll_back(self, snapshot: bytes) -> None:
        """Hold what the store held then, as another server."""
        with self._lock:
            server = self._history.server
            self._entries, self._purged, self._keys, self._counters, history, self._again, order = pickle.loads(
                snapshot
            )
            self._order, self._times, self._virtual_now = order
            self._history = replace(history, same_server=False, server=f"{server}+")

    def unfinished_ids(self) -> Iterator[str]:
        with self._transition():
            ids = [job_id for job_id, entry in self._entries.items() if not entry.job.state.terminal]
        yield from ids

    def history(self) -> History:
        with self._transition() as now:
            if not self._history.id:
                self._history = replace(self._history, id=secrets.token_hex(8))
            since, at = self._again
            due = since if at is not None and at <= now else None
            return replace(self._history, now=datetime.fromtimestamp(now, UTC), look_again_since=due)

    def confirm_history(self, seen: History, look_again: bool) -> int | None:
        with self._transition() as now:
            known = self._history
            if (known.id, known.server) != (seen.id, seen.server) or known.ticks < seen.ticks:
                return None
            if look_again:
                self._again = (seen.now, now + LOOK_AGAIN_AFTER.total_seconds())
            elif seen.look_again_since:
                self._again = (None, None)
            until = datetime.fromtimestamp(now, UTC)
            self._history = replace(known, ticks=known.ticks + 1, complete_until=until, same_server=True)
            return self._history.ticks
