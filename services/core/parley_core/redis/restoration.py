"""Bringing the record back to what the object store holds, after Redis has lost writes."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

from redis import Redis

from parley_core.job import History, JobEnd, JobState, NewJob, Queue
from parley_core.redis.connection import translated_errors
from parley_core.redis.record import engine_document, fields_of_end, fields_of_new_job, milliseconds, moment
from parley_core.redis.scripts import Scripts, in_pairs

HISTORY = "parley:history"
BEGINNING = datetime(1970, 1, 1, tzinfo=UTC)

# A primary that was cut off takes writes until it learns of its successor, and loses them. Their manifests are listed
# after this time. `min-replicas-max-lag` of the server has to be shorter.
LOOK_AGAIN_AFTER = timedelta(minutes=1)


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
        fields = fields_of_new_job(new, self._default_retain) | {"run": run}
        arguments: list[Any] = [new.id, new.tenant, new.options.queue, milliseconds(created_at)]
        if end is None:
            arguments += [JobState.ACCEPTED, "", "", "", "", ""]
        else:
            arguments += _end_arguments(end)
            fields |= fields_of_end(new.id, end)
        return bool(self._restore_script("restore", *arguments, *in_pairs(fields)) == "restored")

    def apply_end(self, job_id: str, run: int, end: JobEnd) -> None:
        """Show a run's end in the record. No effect where the record shows an end, another run, or is not there."""
        fields = in_pairs(fields_of_end(job_id, end))
        self._restore_script("apply_end", job_id, run, *_end_arguments(end), *fields)

    def unfinished_ids(self) -> Iterator[str]:
        """Yield the ids of jobs that have not ended, as the record believes."""
        with translated_errors():
            for queue in Queue:
                for job_id, _ in self._raw.zscan_iter(f"parley:unfinished:{queue}", count=1000):
                    yield job_id

    def history(self) -> History:
        """Return how far this server's history is known to be complete. A data set without an id gets one."""
        with translated_errors():
            self._raw.hsetnx(HISTORY, "id", secrets.token_hex(8))
            info = self._raw.info("server") | self._raw.info("replication") | self._raw.info("stats")
            known, (seconds, microseconds) = self._raw.hgetall(HISTORY), self._raw.time()
        identity = f"{info['run_id']}:{info.get('master_replid', '')}"
        same_server, evictions = known.get("server") == identity, int(info.get("evicted_keys", 0))
        now = datetime.fromtimestamp(seconds + microseconds / 1e6, UTC)
        again_at = moment(known.get("again_at"))
        return History(
            id=known.get("id", ""),
            ticks=int(known.get("ticks", 0)),
            complete_until=moment(known.get("at")) or BEGINNING,
            same_server=same_server,
            server=identity,
            now=now,
            look_again_since=moment(known.get("again_since")) if again_at and again_at <= now else None,
            evictions=evictions,
            evicted=evictions > (int(known.get("evictions", 0)) if same_server else 0),
        )

    def confirm_history(self, seen: History, look_again: bool) -> int | None:
        """Note that the record is complete up to now; return the number of notes.

        Args:
            seen: what `history` said before the record was compared with the object store.
            look_again: writes were lost, so compare once more later: what the old server has taken since then.

        Returns:
            None when Redis has lost writes since `seen`: nothing is noted.
        """
        again = str(milliseconds(seen.now)) if look_again else "done" if seen.look_again_since else ""
        wait = int(LOOK_AGAIN_AFTER.total_seconds() * 1000)
        return self._restore_script("history", seen.id, seen.ticks, seen.server, again, wait, seen.evictions) or None


def _end_arguments(end: JobEnd) -> list[Any]:
    code = end.error.code if end.error else ""
    return [end.state, milliseconds(end.finished_at), end.token, code, *engine_document(end.result)]
