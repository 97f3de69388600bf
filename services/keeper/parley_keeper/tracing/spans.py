"""The spans of a job. Their ids are derived from the job, so that a trace that is sent twice is the same trace."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.trace import SpanContext, SpanKind, Status, StatusCode, TraceFlags

from parley_core.job import JobState
from parley_core.trace_context import trace_id_of
from parley_keeper.tracing.journal import AttemptTime, RunTrace

NANOSECONDS = 1_000_000  # in a millisecond
SAMPLED = TraceFlags(TraceFlags.SAMPLED)

Attributes = dict[str, str | int | float]


@dataclass(frozen=True, slots=True)
class DeliveryTrace:
    """An attempt to deliver the end of a run; times are milliseconds since 1970."""

    job_id: str
    run: int
    traceparent: str | None
    outcome: str
    start: int
    end: int


def parent_of(traceparent: str | None) -> SpanContext | None:
    """Return the caller's span."""
    if traceparent is None:
        return None
    _, trace_id, span_id, flags = traceparent.split("-")
    return SpanContext(int(trace_id, 16), int(span_id, 16), is_remote=True, trace_flags=TraceFlags(int(flags, 16)))


def span_id_of(job_id: str, *what: str | int) -> int:
    """Return the id of a span: the same for the same part of the same job, and never 0."""
    name = " ".join(map(str, (job_id, *what)))
    return int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], "big") or 1


class JobSpans:
    """Makes the spans of one run of a job.

    The span of the first run is a child of the caller's span. That of a later run, which a retry by hand began, is a
    child of the first one.
    """

    def __init__(self, job_id: str, run: int, traceparent: str | None, resource: Resource) -> None:
        self._job_id, self._run, self._resource = job_id, run, resource
        self._caller = parent_of(traceparent)
        self._trace_id = int(trace_id_of(job_id, traceparent), 16)
        self._root = span_id_of(job_id, "job", run)

    def of_run(self, run: RunTrace) -> Iterator[ReadableSpan]:
        """Yield the job, its submit, its waits, its attempts and their phases."""
        yield self._job(run)
        if run.submitted is not None:
            yield self._part("submit", run.submitted, run.accepted, SpanKind.SERVER)
        yield from self._waits(run)
        for number, attempt in enumerate(run.attempts, 1):
            yield from self._attempt(number, attempt)

    def of_delivery(self, delivery: DeliveryTrace) -> ReadableSpan:
        """Return the span of one attempt to deliver."""
        delivered = delivery.outcome.startswith("2") or delivery.outcome == "delivered_before"
        attributes: Attributes = {"parley.delivery.outcome": delivery.outcome}
        error = None if delivered else delivery.outcome
        return self._part("deliver", delivery.start, delivery.end, SpanKind.CLIENT, attributes, error)

    def _job(self, run: RunTrace) -> ReadableSpan:
        attributes: Attributes = {
            "parley.tenant": run.tenant,
            "parley.queue": run.queue,
            "parley.job.state": run.state.value,
            "parley.job.attempts": len(run.attempts),
            "parley.audio.seconds": run.audio_seconds,
            "parley.audio.bytes": run.audio_bytes,
            "parley.audio.media_type": run.media_type,
        }
        first = None if self._run == 0 else self._context(span_id_of(self._job_id, "job", 0))
        start = run.accepted if run.submitted is None else run.submitted
        error = (run.error_code or run.state.value) if run.state is JobState.FAILED else None
        parent = first or self._caller
        return self._span(self._root, "job", parent, start, run.finished, SpanKind.INTERNAL, attributes, error)

    def _waits(self, run: RunTrace) -> Iterator[ReadableSpan]:
        """Yield the times in which no attempt runs, before the first and between two."""
        starts = [attempt.start for attempt in run.attempts] or [run.finished]
        yield self._part("wait", run.accepted, starts[0])
        for before, after in pairwise(run.attempts):
            yield self._part("wait", before.end, after.start)

    def _attempt(self, number: int, attempt: AttemptTime) -> Iterator[ReadableSpan]:
        own = span_id_of(self._job_id, "attempt", attempt.worker, attempt.start)
        attributes: Attributes = {"parley.attempt.number": number, "parley.worker": attempt.worker}
        parent, start, end = self._context(self._root), attempt.start, attempt.end
        yield self._span(own, "attempt", parent, start, end, SpanKind.CONSUMER, attributes, attempt.code)
        for phase in attempt.phases:
            span_id = span_id_of(self._job_id, "phase", phase.phase, attempt.worker, phase.start)
            yield self._span(span_id, phase.phase, self._context(own), phase.start, phase.end)

    def _part(
        self,
        name: str,
        start: int,
        end: int,
        kind: SpanKind = SpanKind.INTERNAL,
        attributes: Attributes | None = None,
        error: str | None = None,
    ) -> ReadableSpan:
        span_id = span_id_of(self._job_id, name, self._run, start)
        return self._span(span_id, name, self._context(self._root), start, end, kind, attributes, error)

    def _span(
        self,
        span_id: int,
        name: str,
        parent: SpanContext | None,
        start: int,
        end: int,
        kind: SpanKind = SpanKind.INTERNAL,
        attributes: Attributes | None = None,
        error: str | None = None,
    ) -> ReadableSpan:
        failed = {"error.type": error} if error else {}
        return ReadableSpan(
            name=name,
            context=self._context(span_id),
            parent=parent,
            resource=self._resource,
            attributes={"parley.job.id": self._job_id, "parley.job.run": self._run, **(attributes or {}), **failed},
            kind=kind,
            status=Status(StatusCode.ERROR) if error else Status(),
            start_time=start * NANOSECONDS,
            end_time=max(start, end) * NANOSECONDS,
        )

    def _context(self, span_id: int) -> SpanContext:
        return SpanContext(self._trace_id, span_id, is_remote=False, trace_flags=SAMPLED)
