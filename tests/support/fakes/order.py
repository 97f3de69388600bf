"""The fair order of the job store in memory."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from contextlib import AbstractContextManager

from parley_core.job import Dispatch, JobState, Queue, dispatch_of
from tests.support.fakes.restoration import Entry

MESSAGES_WITHOUT_WORKERS = 4
JOB_COST = 5.0  # seconds
WAITING = frozenset({JobState.ACCEPTED, JobState.QUEUED})


class MemoryOrder:
    """Lines of tenants, and whose turn is next. Every tenant has the weight 1."""

    _entries: dict[str, Entry]
    _workers: dict[tuple[Queue, str], tuple[int, float]]

    def __init__(self) -> None:
        super().__init__()
        self._order: defaultdict[Queue, dict[str, float]] = defaultdict(dict)
        self._times: defaultdict[tuple[Queue, str], float] = defaultdict(float)
        self._virtual_now: defaultdict[Queue, float] = defaultdict(float)

    def _transition(self) -> AbstractContextManager[float]:
        raise NotImplementedError

    def _change(self, entry: Entry, **changes: object) -> None:
        raise NotImplementedError

    def take_turns(self, limit: int, accepted: str | None = None) -> Sequence[Dispatch]:
        with self._transition() as now:
            entry = self._entries.get(accepted or "")
            if entry and entry.job.state is JobState.ACCEPTED:
                entry.due = now + 600
                self._change(entry, state=JobState.QUEUED)
            return [dispatch for queue in Queue for dispatch in self._turns(queue, limit, now)][:limit]

    def _line_up(self, entry: Entry) -> None:
        queue, tenant = entry.job.options.queue, entry.job.tenant
        entry.lined = True
        self._order[queue].setdefault(tenant, max(self._virtual_now[queue], self._times[queue, tenant]))

    def _leave_line(self, entry: Entry) -> None:
        queue, tenant = entry.job.options.queue, entry.job.tenant
        entry.lined = False
        if not self._line(queue, tenant):
            self._order[queue].pop(tenant, None)

    def _line(self, queue: Queue, tenant: str) -> list[Entry]:
        lined = [entry for entry in self._entries.values() if entry.lined and entry.job.tenant == tenant]
        here = [entry for entry in lined if entry.job.options.queue == queue]
        return sorted(here, key=lambda entry: (entry.accepted_at, entry.job.id))

    def _turns(self, queue: Queue, limit: int, now: float) -> list[Dispatch]:
        there = [size for (served, _), (size, until) in self._workers.items() if served == queue and until > now]
        room = (sum(there) or MESSAGES_WITHOUT_WORKERS) - len(self._published(queue))
        found: list[Dispatch] = []
        while self._order[queue] and len(found) < min(room, limit):
            tenant = min(self._order[queue], key=lambda name: (self._order[queue][name], name))
            time = self._order[queue][tenant]
            entry = self._line(queue, tenant)[0]
            self._leave_line(entry)
            self._virtual_now[queue] = time
            self._times[queue, tenant] = time + entry.job.recording.seconds + JOB_COST
            if tenant in self._order[queue]:
                self._order[queue][tenant] = self._times[queue, tenant]
            entry.turn, entry.due, entry.published_at = True, now + 10, now
            found.append(dispatch_of(entry.job))
        return found

    def _published(self, queue: Queue) -> list[Entry]:
        there = [e for e in self._entries.values() if e.published_at is not None and e.job.options.queue == queue]
        return sorted(there, key=lambda entry: (entry.published_at or 0, entry.job.id))

    def _position(self, entry: Entry) -> int:
        queue = entry.job.options.queue
        running = sum(e.job.state is JobState.RUNNING for e in self._entries.values() if e.job.options.queue == queue)
        published = self._published(queue)
        if entry in published:
            return running + published.index(entry)
        if not entry.lined:
            return running
        lines = {tenant: self._line(queue, tenant) for tenant in self._order[queue]}
        times = dict(self._order[queue])
        position = running + len(published)
        while True:
            tenant = min((name for name in times if lines[name]), key=lambda name: (times[name], name))
            first = lines[tenant].pop(0)
            if first is entry:
                return position
            times[tenant] += first.job.recording.seconds + JOB_COST
            position += 1
