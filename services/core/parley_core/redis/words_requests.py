"""Requests for the words of jobs that have ended, on Redis: callers make them, the keeper publishes, workers answer.

A request of a caller is noted in the object store first (`Manifests.note_words_request`). A Redis that loses its newest
writes gets it back from there.
"""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from redis import Redis

from parley_core.errors import JobNotRetryable, JobNotSucceeded, JobPurged, LeaseLost
from parley_core.job import Dispatch, Job, Lease, Phase, Queue
from parley_core.redis.connection import connect
from parley_core.redis.record import fields_of_transcription, job_from, limits_from
from parley_core.redis.scripts import Scripts, in_pairs
from parley_core.settings import Settings
from parley_core.transcript import Transcription

CLAIM_MS = 120_000  # from publishing to the start; then the message counts as lost


@dataclass(frozen=True, slots=True)
class DueWords:
    """A request to publish: its attempts so far, and the worker of the last one if it has not renewed its lease."""

    dispatch: Dispatch
    attempts: int
    lost_worker: str


class RedisWordsRequests:
    """The requests of all jobs. Every method raises JobStoreUnavailable when Redis does not answer in time."""

    def __init__(self, client: Redis) -> None:
        self._run = Scripts(client).run

    @classmethod
    def from_settings(cls, settings: Settings) -> RedisWordsRequests:
        """Return a store that connects at its first call."""
        return cls(connect(settings.redis_url.get_secret_value(), settings.redis_timeout_seconds))

    def request(self, job_id: str, asked_at: int, lost: bool = False) -> bool:
        """Ask for the words of a job. While they are asked for, this changes nothing.

        Args:
            asked_at: milliseconds since 1970.
            lost: ask only if Redis knows of no request of that time or later, answered or not.

        Returns whether that was so; True where `lost` is not given.

        Raises:
            JobPurged: the job is gone, or about to go.
            JobNotSucceeded: it has no result.
            JobNotRetryable: its recording is gone.
        """
        outcome = self._run("request_words", job_id, asked_at, int(lost))
        if outcome in ("missing", "condemned"):
            raise JobPurged
        if outcome == "refused":
            raise JobNotSucceeded("Words can be asked for once the job has succeeded.")
        if outcome == "no_recording":
            raise JobNotRetryable("The recording of this job is no longer kept. Send its transcript instead.")
        return bool(outcome != "known")

    def claim_due(self) -> Sequence[DueWords]:
        """Return requests to publish now, each claimed for some minutes."""
        return [
            DueWords(Dispatch(job_id, Queue(queue), limits_from(limits), int(token)), int(attempts), lost_worker)
            for job_id, queue, limits, attempts, token, lost_worker in self._run(
                "claim_words_requests", CLAIM_MS, *Queue
            )
        ]

    def start(self, job_id: str, worker: str, lease_seconds: float) -> tuple[Job, Lease] | None:
        """Begin an attempt at a request. Returns None where there is none, or where another worker has it."""
        flat: Any = self._run("start_words", job_id, worker, int(lease_seconds * 1000), secrets.token_hex(8))
        if not flat:
            return None
        job = job_from(job_id, dict(zip(flat[::2], flat[1::2], strict=True)))
        assert job.words_request is not None, "the script has written it"
        return job, Lease(job_id, job.token, job.words_request.nonce)

    def renew(self, lease: Lease, lease_seconds: float, phase: Phase | None, progress: float) -> None:
        """Extend the lease, and write the progress. Raises LeaseLost."""
        if self._run("renew_words", lease.job_id, lease.nonce, int(lease_seconds * 1000), f"{progress:.3f}") != "held":
            raise LeaseLost("Another worker has the request, or the job is about to be removed.")

    def give_back(self, lease: Lease) -> None:
        """End the attempt without counting it; the request is due at once. No effect for another attempt."""
        self._run("give_back_words", lease.job_id, lease.nonce)

    def answer(self, job_id: str, nonce: str, found: Transcription) -> bool:
        """Answer a request; no effect for another attempt. Return whether the job is still there.

        Args:
            nonce: of the attempt; empty gives the request up, whoever has it.
        """
        fields = in_pairs(fields_of_transcription(found))
        return bool(self._run("answer_words", job_id, nonce, *fields) != "missing")
