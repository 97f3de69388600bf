"""What only reads the record."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from itertools import islice
from typing import Any

from redis import Redis

from parley_core.batches import JobOutline
from parley_core.errors import (
    InvalidRequest,
    JobNotFound,
    JobPurged,
    JobStoreUnavailable,
    JobStoreUnusable,
    RecordUnreadable,
)
from parley_core.forecast import Estimate, Forecast
from parley_core.job import Job, JobEvent, JobPage, JobQuery, JobState, LapsedLease, Lease, Phase, Queue
from parley_core.logs import get_logger
from parley_core.redis.connection import RIGHTS_CHANGE, RightsChangeError, require_usable_server, translated_errors
from parley_core.redis.record import job_from, moment, present
from parley_core.redis.scripts import Scripts
from parley_core.status import Exemplar, QueueStatus, Stats, StoreHealth, Usage
from parley_core.tenants import TenantLoad

UNKNOWN = -1  # in a forecast
SCAN_LIMIT = 5_000  # records read per page by reference: then the page ends early, with a cursor
UNFINISHED = tuple(state for state in JobState if not state.terminal)
UNREADABLE = (KeyError, TypeError, ValueError)
JOB_ID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
EPOCH = date(1970, 1, 1)  # days of usage are counted from here
LAST = "~"  # sorts after every character of an id

log = get_logger(__name__)


def forecast_from(reply: Sequence[int]) -> Forecast:
    """Return the forecast that a script found: position, then milliseconds."""
    position, *milliseconds = reply
    estimate = None if milliseconds[0] == UNKNOWN else Estimate(*(one / 1000 for one in milliseconds))
    return Forecast(None if position == UNKNOWN else position, estimate)


class Queries:
    """The reading half of the Redis job store."""

    def __init__(self, client: Redis, lease_seconds: float) -> None:
        self._client: Any = client  # redis-py types every reply as sync or async at once
        self._lease_seconds = lease_seconds
        self._run = Scripts(client).run
        self._engines: dict[str, dict[str, object]] = {}
        self._had_rights = False

    def get(self, job_id: str) -> Job:
        with translated_errors():
            record = self._client.hgetall(f"parley:job:{job_id}")
            if not record:
                self._raise_missing(job_id)
            try:
                return self._job(job_id, record, self._forecasts([(job_id, record)])[0])
            except UNREADABLE as error:
                raise RecordUnreadable("This version of Parley cannot read the record of the job.") from error

    def _raise_missing(self, job_id: str) -> None:
        with translated_errors():
            purged = self._client.exists(f"parley:purged:{job_id}")
        if purged:
            raise JobPurged
        raise JobNotFound("There is no job with this id.")

    def _job(self, job_id: str, record: Mapping[str, str], forecast: Forecast) -> Job:
        name = record.get("engine")
        if name and name not in self._engines:
            self._engines[name] = json.loads(self._client.hget("parley:engines", name) or "{}")
        return job_from(job_id, record, self._engines.get(name or ""), forecast)

    def _jobs(self, ids: Sequence[str]) -> list[Job]:
        """Return the jobs that have a readable record, in two round trips."""
        with self._client.pipeline(transaction=False) as pipe:
            for job_id in ids:
                pipe.hgetall(f"parley:job:{job_id}")
            replies = pipe.execute(raise_on_error=False)
        # An error in place of a record (a key of another type) counts as a record without fields.
        found = [
            (job_id, {} if isinstance(reply, Exception) else reply)
            for job_id, reply in zip(ids, replies, strict=True)
            if reply
        ]
        jobs = []
        for (job_id, record), forecast in zip(found, self._forecasts(found), strict=True):
            with self._skipped_if_unreadable(job_id):
                jobs.append(self._job(job_id, record, forecast))
        return jobs

    def _forecasts(self, records: Sequence[tuple[str, Mapping[str, str]]]) -> list[Forecast]:
        """Return the place of each job in its queue, and the estimate of its end, as far as they are known.

        Nothing is known while an upgrade replaces the access list: versions keep their queues under different keys, and
        whoever reads a job is not refused for the lack of its place.
        """
        unfinished = [job_id for job_id, record in records if record.get("state") in UNFINISHED]
        try:
            replies = self._run("forecast", *unfinished) if unfinished else []
        except JobStoreUnavailable as error:
            if not isinstance(error.__cause__, RightsChangeError):
                raise
            log.warning("forecasts left out: rights in Redis are being changed", jobs=len(unfinished))
            return [Forecast() for _ in records]
        found = {job_id: forecast_from(reply) for job_id, reply in zip(unfinished, replies, strict=True)}
        return [found.get(job_id, Forecast()) for job_id, _ in records]

    @contextmanager
    def _skipped_if_unreadable(self, job_id: str) -> Iterator[None]:
        """Log and count what this version cannot read, and go on: one bad record must not stop the others."""
        try:
            yield
        except UNREADABLE as error:
            log.error("record skipped: it cannot be read", job_id=job_id, error=type(error).__name__)
            self._run("count", "unreadable_records", 1)

    def outlines(self, job_ids: Sequence[str]) -> Mapping[str, JobOutline]:
        """Return state and reference of those of the jobs that have a record, in one round trip."""
        with translated_errors(), self._client.pipeline(transaction=False) as pipe:
            for job_id in job_ids:
                pipe.hmget(f"parley:job:{job_id}", "state", "reference")
            replies = pipe.execute()
        found = zip(job_ids, replies, strict=True)
        return {job_id: JobOutline(JobState(state), reference) for job_id, (state, reference) in found if state}

    def page(self, query: JobQuery) -> JobPage:
        if query.cursor is not None and not JOB_ID.fullmatch(query.cursor):
            raise InvalidRequest("`cursor` must be the `next_cursor` of an earlier page.")
        with translated_errors():
            if query.reference is not None:
                return self._page_by_reference(query)
            ids = self._newest(query)
            page = ids[: query.limit]
            jobs = [job for job in self._jobs(page) if _matches(job, query)]
            return JobPage(tuple(jobs), page[-1] if len(ids) > query.limit else None)

    def _newest(self, query: JobQuery) -> list[str]:
        """Return the ids of the newest jobs, by their lists: one more than a page has."""
        queues = Queue if query.queue is None else (query.queue,)
        states = JobState if query.state is None else (query.state,)
        newest, oldest = _bounds("", query)
        with self._client.pipeline(transaction=True) as pipe:  # or a job that changes its list is missed, or seen twice
            for queue in queues:
                for state in states:
                    key = f"parley:jobs:{query.tenant}:{queue}:{state}"
                    pipe.zrange(key, newest, oldest, desc=True, bylex=True, offset=0, num=query.limit + 1)
            found = [job_id for ids in pipe.execute() for job_id in ids]
        return sorted(found, reverse=True)[: query.limit + 1]

    def _page_by_reference(self, query: JobQuery) -> JobPage:
        prefix = hashlib.sha1(str(query.reference).encode(), usedforsecurity=False).hexdigest()[:16] + ":"
        newest, oldest = _bounds(prefix, query)
        key = f"parley:references:{query.tenant}"
        jobs: list[Job] = []
        batch = query.limit + 1
        for _ in range(0, SCAN_LIMIT, batch):
            members = self._client.zrange(key, newest, oldest, desc=True, bylex=True, offset=0, num=batch)
            ids = [member.removeprefix(prefix) for member in members]
            jobs += [job for job in self._jobs(ids) if _matches(job, query)]
            if len(jobs) > query.limit:
                return JobPage(tuple(jobs[: query.limit]), jobs[query.limit - 1].id)
            if len(ids) < batch:
                return JobPage(tuple(jobs), None)
            newest = f"({members[-1]}"
        return JobPage(tuple(jobs), ids[-1])

    def events(self, job_id: str, after: str = "0") -> Sequence[JobEvent]:
        with translated_errors(), self._client.pipeline(transaction=True) as pipe:
            pipe.hmget(f"parley:job:{job_id}", "events", "state", "progress", "finished_at")
            pipe.lrange(f"parley:events:{job_id}", 0, -1)
            (number, state, progress, finished_at), events = pipe.execute()
        if finished_at:
            events = [f"{number} {finished_at} {state} {progress} "]
        seen = int(after.partition("-")[0])
        if seen > int(number or 0):
            seen = 0  # the record has been restored, and counts again
        found = [event for event in map(_event, events) if int(event.id) > seen]
        if found and not found[-1].state.terminal:
            estimate = self._forecasts([(job_id, {"state": state})])[0].estimate
            found[-1] = replace(found[-1], estimate=estimate)
        return found

    def lapsed_leases(self, limit: int) -> Sequence[LapsedLease]:
        lapsed = []
        for job_id, *lease in self._run("lapsed_leases", limit, int(self._lease_seconds * 1000), *Queue):
            if not lease:
                log.error("lease skipped: its record cannot be read", job_id=job_id)
                continue
            token, nonce, attempt, worker = lease
            lapsed.append(LapsedLease(Lease(job_id, int(token), nonce), int(attempt), worker))
        return lapsed

    def running_by_worker(self) -> dict[str, int]:
        with translated_errors():
            return {worker: int(jobs) for worker, jobs in self._client.hgetall("parley:running").items()}

    def queues(self) -> Sequence[QueueStatus]:
        with translated_errors():
            now = _milliseconds(self._client.time())
            with self._client.pipeline(transaction=False) as pipe:
                for queue in Queue:
                    pipe.zcard(f"parley:unfinished:{queue}")
                    pipe.zcard(f"parley:leases:{queue}")
                    pipe.zrange(f"parley:unfinished:{queue}", 0, 0, withscores=True)
                    pipe.zrange(f"parley:workers:{queue}", f"({now}", "+inf", byscore=True)
                replies = iter(pipe.execute())
        found = []
        for queue in Queue:
            unfinished, running, oldest, workers = islice(replies, 4)
            age = max(0.0, (now - oldest[0][1]) / 1000) if oldest else None
            capacity = sum(int(member.partition(":")[0]) for member in workers)
            found.append(QueueStatus(queue, unfinished, running, age, len(workers), capacity))
        return found

    def stats(self) -> Stats:
        with translated_errors(), self._client.pipeline(transaction=False) as pipe:
            counters, exemplars = pipe.hgetall("parley:stats").hgetall("parley:exemplars").execute()
        traces = {}
        for name, text in exemplars.items():
            trace_id, value, noted_at = text.split(" ")
            traces[name] = Exemplar(trace_id, float(value), datetime.fromtimestamp(int(noted_at) / 1000, UTC))
        return Stats({name: int(value) for name, value in counters.items()}, traces)

    def tenant_load(self, tenant: str) -> TenantLoad:
        with translated_errors(), self._client.pipeline(transaction=True) as pipe:
            for queue in Queue:
                for state in UNFINISHED:
                    pipe.zcard(f"parley:jobs:{tenant}:{queue}:{state}")
            pipe.hget("parley:stored_bytes", tenant)
            *unfinished, stored_bytes = pipe.execute()
        return TenantLoad(sum(unfinished), int(stored_bytes or 0))

    def usage(self, tenant: str, first: date, last: date) -> Sequence[Usage]:
        days = [first + timedelta(days=number) for number in range((last - first).days + 1)]
        with translated_errors(), self._client.pipeline(transaction=False) as pipe:
            for day in days:
                pipe.hgetall(f"parley:usage:{tenant}:{(day - EPOCH).days}")
            replies = pipe.execute()
        found = []
        for day, counters in zip(days, replies, strict=True):
            for queue in Queue:
                own = {name.partition(":")[2]: int(n) for name, n in counters.items() if name.startswith(f"{queue}:")}
                found.append(Usage.from_counters(day, queue, own))
        return [usage for usage in found if usage]

    def health(self) -> StoreHealth:
        with translated_errors():
            info = self._client.info("server", "memory", "persistence", "cluster")
            require_usable_server(info)
            missing = self._run("prove_write")
            self._had_rights = self._had_rights or not missing
            if missing and self._had_rights and self._client.rights_may_change():
                raise JobStoreUnavailable(RIGHTS_CHANGE)
            if missing:
                raise JobStoreUnusable(f"The user of PARLEY_REDIS_URL may not {', '.join(missing)}.")
            with self._client.pipeline(transaction=False) as pipe:
                pipe.time()
                pipe.zcard("parley:due")
                pipe.zrange("parley:due", 0, 0, withscores=True)
                pipe.zrange("parley:removing", 0, 0, withscores=True)
                for expiry in ("parley:expiry", "parley:audio_expiry"):
                    pipe.zrange(expiry, 0, 0, withscores=True)
                for queue in Queue:
                    pipe.zcard(f"parley:leases:{queue}")
                time, due, oldest, removing, expiring, audio, *leases = pipe.execute()
                now = _milliseconds(time)
            return StoreHealth(
                used_memory=int(info["used_memory"]),
                max_memory=int(info["maxmemory"]),
                eviction_policy=str(info["maxmemory_policy"]),
                append_only=bool(info["aof_enabled"]),
                due=int(due),
                lag_seconds=_lag_seconds(now, oldest),
                leases=sum(leases),
                retention_lag_seconds=_lag_seconds(now, [*removing, *expiring, *audio]),
            )


def _milliseconds(server_time: tuple[int, int]) -> int:
    return server_time[0] * 1000 + server_time[1] // 1000


def _lag_seconds(now: int, members: Sequence[tuple[str, float]]) -> float:
    """Return for how long the first of these members of a sorted set of times has been due."""
    return max((0.0, *((now - score) / 1000 for _, score in members)))


def _bounds(prefix: str, query: JobQuery) -> tuple[str, str]:
    """Return the ends of the range of an index, newest first, whose members are `prefix` and an id."""
    first = prefix + (query.id_prefix or "")
    end = f"({first}{LAST}"
    return (end if query.cursor is None else min(end, f"({prefix}{query.cursor}")), f"[{first}"


def _matches(job: Job, query: JobQuery) -> bool:
    wanted = (query.state, query.queue, query.reference)
    have = (job.state, job.options.queue, job.options.reference)
    return all(one in (None, other) for one, other in zip(wanted, have, strict=True))


def _event(text: str) -> JobEvent:
    number, at, state, progress, phase = text.split(" ")
    return JobEvent(number, JobState(state), Phase(phase) if phase else None, float(progress), present(moment(at)))
