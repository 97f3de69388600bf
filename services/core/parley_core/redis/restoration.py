"""Bringing the record back to what the object store holds, after Redis has lost writes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

from redis import Redis

from parley_core.job import History, JobEnd, NewJob, Queue
from parley_core.redis.connection import translated_errors
from parley_core.redis.record import dump, moment, options_to_plain, result_to_fields
from parley_core.redis.scripts import Scripts

HISTORY = "parley:history"
BEGINNING = datetime(1970, 1, 1, tzinfo=UTC)


class Restoration:
    """The restoring part of the Redis job store."""

    def __init__(self, client: Redis, retain_seconds: int) -> None:
        self._raw: Any = client
        self._restore_script = Scripts(client).run
        self._default_retain = retain_seconds

    def restore(self, new: NewJob, created_at: datetime, run: int, end: JobEnd | None) -> bool:
        """Write a job's record unless there is one: unfinished and due without an end, else as it ended.

        Args:
            run: number of retries by hand.

        Returns:
            whether this call wrote it; False also for a purged job.
        """
        retain = new.options.retain_seconds
        arguments: list[Any] = [
            new.id,
            new.tenant,
            new.options.queue,
            new.options.reference or "",
            dump(options_to_plain(new.options)),
            dump(asdict(new.recording)),
            dump(asdict(new.limits)),
            self._default_retain if retain is None else retain,
            _milliseconds(created_at),
            run,
            *(_end_arguments(end) if end else ["accepted", "", "", 0, "", "", "", ""]),
        ]
        arguments += _attempts_arguments(end)
        return bool(self._restore_script("restore", *arguments) == "restored")

    def apply_end(self, job_id: str, run: int, end: JobEnd) -> None:
        """Show a run's end in the record. No effect where the record shows an end, another run, or is not there."""
        self._restore_script("apply_end", job_id, run, *_end_arguments(end), *_attempts_arguments(end))

    def unfinished_ids(self) -> Iterator[str]:
        """Yield the ids of jobs that have not ended, as the record believes."""
        with translated_errors():
            for queue in Queue:
                for job_id, _ in self._raw.zscan_iter(f"parley:unfinished:{queue}", count=1000):
                    yield job_id

    def history(self) -> History:
        """Return how far this server's history is known to be complete."""
        with translated_errors():
            server, replication = self._raw.info("server"), self._raw.info("replication")
            known = self._raw.hgetall(HISTORY)
        identity = f"{server['run_id']}:{replication.get('master_replid', '')}"
        return History(
            id=known.get("id", ""),
            ticks=int(known.get("ticks", 0)),
            complete_until=moment(known.get("at")) or BEGINNING,
            same_server=known.get("server") == identity,
            server=identity,
        )

    def confirm_history(self, server: str) -> tuple[str, int]:
        """Note that the history of this server is complete up to now; return its id and the number of notes.

        Args:
            server: identity from `history`.
        """
        identity, ticks = self._restore_script("history", server)
        return str(identity), int(ticks)


def _end_arguments(end: JobEnd) -> list[Any]:
    result, more = result_to_fields(end.result) if end.result else ("", "")
    started = _milliseconds(end.started_at) if end.started_at else ""
    code, detail = (end.error.code, end.error.detail) if end.error else ("", "")
    return [end.state, _milliseconds(end.finished_at), started, end.token, code, detail, result, more]


def _attempts_arguments(end: JobEnd | None) -> list[Any]:
    arguments: list[Any] = []
    for attempt in end.attempts if end else ():
        ended = _milliseconds(attempt.ended_at) if attempt.ended_at else ""
        code, detail = (attempt.error.code, attempt.error.detail) if attempt.error else ("", "")
        arguments += [attempt.worker, _milliseconds(attempt.started_at), ended, code, detail]
    return arguments


def _milliseconds(moment: datetime) -> int:
    return round(moment.timestamp() * 1000)
