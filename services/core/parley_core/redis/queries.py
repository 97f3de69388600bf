"""What only looks at the record."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

from redis import Redis

from parley_core.errors import InvalidRequest, JobNotFound, JobPurged, JobStoreUnusable
from parley_core.job import (
    Job,
    JobEvent,
    JobPage,
    JobQuery,
    JobState,
    LapsedLease,
    Lease,
    Phase,
    Queue,
    QueueStatus,
    Stats,
    StoreHealth,
)
from parley_core.job_id import times_of
from parley_core.redis.connection import require_usable_server, translated_errors
from parley_core.redis.record import job_from, moment, present
from parley_core.redis.scripts import Scripts

SCAN_BATCH = 200  # records looked at per round trip of a filtered listing
SCAN_LIMIT = 5_000  # records looked at per page: then the page ends early, with a cursor
ID_BATCH = 5_000  # ids looked at per round trip of a listing by id: only the records of matching ids are read
ID_SCAN_LIMIT = 50_000  # ids looked at per page of it
ID_SLACK_MS = 3_600_000  # between the time in an id and that of its record: clocks differ, and the upload lies between
POSITIONED = frozenset({JobState.ACCEPTED, JobState.QUEUED})


class Reads:
    """The reading half of the Redis job store."""

    def __init__(self, client: Redis, lease_seconds: float) -> None:
        self._client: Any = client  # redis-py types every reply as sync or async at once
        self._lease_seconds = lease_seconds
        self._run = Scripts(client).run

    def get(self, job_id: str) -> Job:
        with translated_errors():
            record = self._client.hgetall(f"parley:job:{job_id}")
            if not record:
                self._raise_missing(job_id)
            return job_from(record, self._position(record))

    def _raise_missing(self, job_id: str) -> None:
        with translated_errors():
            purged = self._client.exists(f"parley:purged:{job_id}")
        if purged:
            raise JobPurged("This job was purged: its recording, result and record are gone.")
        raise JobNotFound("There is no job with this id.")

    def _position(self, record: dict[str, str]) -> int | None:
        if record["state"] not in POSITIONED:
            return None
        rank = self._client.zrank(f"parley:unfinished:{record['queue']}", record["id"])
        return None if rank is None else int(rank)

    def page(self, query: JobQuery) -> JobPage:
        found: list[str] = []
        key, cursor = f"parley:jobs:{query.tenant}", _checked(query.cursor)
        with translated_errors():
            start, stop = self._ranks(key, query.id_prefix)
            start = max(start, self._resume(query.tenant, cursor))
            batch, most = (ID_BATCH, ID_SCAN_LIMIT) if query.id_prefix else (SCAN_BATCH, SCAN_LIMIT)
            enough = start + most
            while len(found) < query.limit and start < enough:
                ids = self._client.zrevrange(key, start, min(start + batch, stop) - 1) if start < stop else []
                if not ids:
                    return JobPage(self._jobs(found), None)
                taken, matched = self._matching(ids, query, query.limit - len(found))
                found += matched
                start += taken
            return JobPage(self._jobs(found), self._cursor_at(query.tenant, start) if start < stop else None)

    def _ranks(self, key: str, id_prefix: str | None) -> tuple[int, int]:
        """Return the ranks between which the ids of a prefix lie, newest first; the second is not among them."""
        if id_prefix is None:
            return 0, int(self._client.zcard(key))
        first, last = times_of(id_prefix)
        newer = self._client.zcount(key, f"({last + ID_SLACK_MS}", "+inf")
        return int(newer), int(self._client.zcount(key, first - ID_SLACK_MS, "+inf"))

    def _resume(self, tenant: str, cursor: str | None) -> int:
        """Rank of the first job older than the cursor's: new jobs must not shift a page."""
        if cursor is None:
            return 0
        score, _, last = cursor.partition(":")
        newer = self._client.zcount(f"parley:jobs:{tenant}", f"({score}", "+inf")
        same = self._client.zrevrangebyscore(f"parley:jobs:{tenant}", score, score)
        return int(newer) + sum(1 for job_id in same if job_id >= last)

    def _cursor_at(self, tenant: str, rank: int) -> str | None:
        last = self._client.zrevrange(f"parley:jobs:{tenant}", rank - 1, rank, withscores=True)
        return None if len(last) < 2 else f"{int(last[0][1])}:{last[0][0]}"

    def _matching(self, ids: Sequence[str], query: JobQuery, wanted: int) -> tuple[int, list[str]]:
        """(number of ids looked at, those that match): stops at the last one wanted."""
        candidates = [job_id for job_id in ids if job_id.startswith(query.id_prefix or "")]
        with self._client.pipeline(transaction=False) as pipe:
            for job_id in candidates:
                pipe.hmget(f"parley:job:{job_id}", "state", "queue", "reference")
            rows = dict(zip(candidates, pipe.execute(), strict=True))
        matched: list[str] = []
        for looked_at, job_id in enumerate(ids, 1):
            if job_id in rows and _matches(rows[job_id], query):
                matched.append(job_id)
                if len(matched) == wanted:
                    return looked_at, matched
        return len(ids), matched

    def _jobs(self, ids: Iterable[str]) -> tuple[Job, ...]:
        with self._client.pipeline(transaction=False) as pipe:
            for job_id in ids:
                pipe.hgetall(f"parley:job:{job_id}")
            return tuple(job_from(record, self._position(record)) for record in pipe.execute() if record)

    def events(self, job_id: str, after: str = "0") -> Sequence[JobEvent]:
        with translated_errors():
            entries = self._client.xrange(f"parley:events:{job_id}", f"({after}" if after != "0" else "-", "+")
        return [_event(entry_id, fields) for entry_id, fields in entries]

    def lapsed_leases(self, limit: int) -> Sequence[LapsedLease]:
        with translated_errors():
            if self._client.info("server")["uptime_in_seconds"] <= self._lease_seconds:
                return []
            now = _milliseconds(self._client.time())
            ids = self._client.zrange("parley:leases", "-inf", now, byscore=True, offset=0, num=limit)
            return [_lapsed(record) for record in self._records(ids) if record.get("state") == JobState.RUNNING]

    def _records(self, ids: Iterable[str]) -> list[dict[str, str]]:
        with self._client.pipeline(transaction=False) as pipe:
            for job_id in ids:
                pipe.hgetall(f"parley:job:{job_id}")
            return list(pipe.execute())

    def running_by_worker(self) -> dict[str, int]:
        return dict(Counter(record["worker"] for record in self._running()))

    def _running(self) -> list[dict[str, str]]:
        with translated_errors():
            records = self._records(self._client.zrange("parley:leases", 0, -1))
        return [record for record in records if record.get("state") == JobState.RUNNING]

    def queues(self) -> Sequence[QueueStatus]:
        running = Counter(record["queue"] for record in self._running())
        with translated_errors():
            now = _milliseconds(self._client.time())
            return [self._queue_status(queue, running[queue], now) for queue in Queue]

    def _queue_status(self, queue: Queue, running: int, now: int) -> QueueStatus:
        key = f"parley:unfinished:{queue}"
        oldest = self._client.zrange(key, 0, 0, withscores=True)
        age = max(0.0, (now - oldest[0][1]) / 1000) if oldest else None
        present = self._client.zrange(f"parley:workers:{queue}", f"({now}", "+inf", byscore=True)
        capacity = sum(int(member.partition(":")[0]) for member in present)
        return QueueStatus(queue, int(self._client.zcard(key)), running, age, len(present), capacity)

    def stats(self) -> Stats:
        with translated_errors():
            return Stats({name: int(value) for name, value in self._client.hgetall("parley:stats").items()})

    def health(self) -> StoreHealth:
        with translated_errors():
            info = self._client.info()
            require_usable_server(info)
            missing = self._run("prove_write")
            if missing:
                raise JobStoreUnusable(f"The user of PARLEY_REDIS_URL may not {', '.join(missing)}.")
            oldest_due = self._client.zrange("parley:due", 0, 0, withscores=True)
            now = _milliseconds(self._client.time())
            return StoreHealth(
                used_memory=int(info["used_memory"]),
                max_memory=int(info["maxmemory"]),
                eviction_policy=str(info["maxmemory_policy"]),
                append_only=bool(info["aof_enabled"]),
                due=int(self._client.zcard("parley:due")),
                lag_seconds=max(0.0, (now - oldest_due[0][1]) / 1000) if oldest_due else 0.0,
                leases=int(self._client.zcard("parley:leases")),
            )


def _milliseconds(server_time: tuple[int, int]) -> int:
    return server_time[0] * 1000 + server_time[1] // 1000


def _checked(cursor: str | None) -> str | None:
    if cursor is not None and not (cursor.partition(":")[0].isdigit() and cursor.partition(":")[2]):
        raise InvalidRequest("`cursor` must be the `next_cursor` of an earlier page.")
    return cursor


def _matches(row: Sequence[str | None], query: JobQuery) -> bool:
    wanted = (query.state, query.queue, query.reference)
    return row[0] is not None and all(w is None or w == have for w, have in zip(wanted, row, strict=True))


def _event(entry_id: str, fields: dict[str, str]) -> JobEvent:
    phase = fields["phase"]
    return JobEvent(
        id=entry_id,
        state=JobState(fields["state"]),
        phase=Phase(phase) if phase else None,
        progress=float(fields["progress"]),
        at=present(moment(fields["at"])),
    )


def _lapsed(record: dict[str, str]) -> LapsedLease:
    lease = Lease(record["id"], int(record["token"]), record["nonce"])
    return LapsedLease(lease, int(record["attempt"]), record["worker"])
