"""The spans of a job. Their ids are derived from the job, so that a trace that is sent twice is the same trace.

They are made as messages of OTLP at once: spans of the SDK that are then encoded take four times as long.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise

from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue
from opentelemetry.proto.trace.v1.trace_pb2 import Span, SpanFlags, Status
from opentelemetry.trace import SpanContext, TraceFlags

from parley_core.job import JobState
from parley_core.trace_context import trace_id_of
from parley_keeper.tracing.journal import AttemptTime, RunTrace

NANOSECONDS = 1_000_000  # in a millisecond
LOCAL_PARENT = SpanFlags.SPAN_FLAGS_CONTEXT_HAS_IS_REMOTE_MASK
REMOTE_PARENT = LOCAL_PARENT | SpanFlags.SPAN_FLAGS_CONTEXT_IS_REMOTE_MASK
FAILED = Status(code=Status.STATUS_CODE_ERROR)


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


def span_id_of(job_id: str, *what: str | int) -> bytes:
    """Return the id of a span (8 bytes): the same for the same part of the same job."""
    return hashlib.sha256(" ".join(map(str, (job_id, *what))).encode()).digest()[:8]


def attributes_of(values: Mapping[str, str | int | float]) -> list[KeyValue]:
    """Return attributes as OTLP has them."""
    return [_attribute(key, value) for key, value in values.items()]


@lru_cache(maxsize=1024, typed=True)  # many jobs share their tenant, queue, state and worker
def _attribute(key: str, value: str | int | float) -> KeyValue:
    return KeyValue(key=key, value=_value(value))


def _value(value: str | int | float) -> AnyValue:
    if isinstance(value, str):
        return AnyValue(string_value=value)
    if isinstance(value, int):
        return AnyValue(int_value=value)
    return AnyValue(double_value=value)


class JobSpans:
    """Makes the spans of one run of a job.

    The span of the first run is a child of the caller's span. That of a later run, which a retry by hand began, is a
    child of the first one.
    """

    def __init__(self, job_id: str, run: int, traceparent: str | None) -> None:
        self._job_id, self._run = job_id, run
        self._caller = traceparent.split("-")[2] if traceparent else ""
        self._root = span_id_of(job_id, "job", run)
        common = Span(trace_id=bytes.fromhex(trace_id_of(job_id, traceparent)), flags=LOCAL_PARENT)
        common.attributes.add(key="parley.job.id").value.string_value = job_id
        common.attributes.add(key="parley.job.run").value.int_value = run
        self._common = common.SerializeToString()  # parsing it takes half the time of setting its fields

    def of_run(self, run: RunTrace) -> Iterator[Span]:
        """Yield the job, its submit, its waits, its attempts and their phases."""
        yield self._job(run)
        if run.submitted is not None:
            yield self._part("submit", run.submitted, run.accepted, Span.SPAN_KIND_SERVER)
        yield from self._waits(run)
        for number, attempt in enumerate((attempt for attempt in run.attempts if attempt.counted), 1):
            yield from self._attempt("attempt", attempt, {"parley.attempt.number": number})
        for attempt in (attempt for attempt in run.attempts if not attempt.counted):
            yield from self._attempt("superseded attempt", attempt, {})

    def of_delivery(self, delivery: DeliveryTrace) -> Span:
        """Return the span of one attempt to deliver."""
        delivered = delivery.outcome.startswith("2") or delivery.outcome == "delivered_before"
        attributes = attributes_of({"parley.delivery.outcome": delivery.outcome})
        error = None if delivered else delivery.outcome
        return self._part("deliver", delivery.start, delivery.end, Span.SPAN_KIND_CLIENT, attributes, error)

    def _job(self, run: RunTrace) -> Span:
        attributes = attributes_of(
            {
                "parley.tenant": run.tenant,
                "parley.queue": run.queue,
                "parley.job.state": run.state.value,
                "parley.job.attempts": sum(attempt.counted for attempt in run.attempts),
                "parley.audio.seconds": run.audio_seconds,
                "parley.audio.bytes": run.audio_bytes,
                "parley.audio.media_type": run.media_type,
            }
        )
        start = run.accepted if run.submitted is None else run.submitted
        error = (run.error_code or run.state.value) if run.state is JobState.FAILED else None
        parent = bytes.fromhex(self._caller) if self._run == 0 else span_id_of(self._job_id, "job", 0)
        span = self._span(self._root, "job", parent, start, run.finished, Span.SPAN_KIND_INTERNAL, attributes, error)
        if self._run == 0 and self._caller:
            span.flags = REMOTE_PARENT
        return span

    def _waits(self, run: RunTrace) -> Iterator[Span]:
        """Yield the times in which no attempt runs, before the first and between two."""
        yield self._part("wait", run.accepted, run.attempts[0].start if run.attempts else run.finished)
        for before, after in pairwise(run.attempts):
            yield self._part("wait", before.end, after.start)

    def _attempt(self, name: str, attempt: AttemptTime, about: Mapping[str, int]) -> Iterator[Span]:
        own = span_id_of(self._job_id, "attempt", attempt.worker, attempt.start)
        attributes = attributes_of({**about, "parley.worker": attempt.worker})
        start, end = attempt.start, attempt.end
        yield self._span(own, name, self._root, start, end, Span.SPAN_KIND_CONSUMER, attributes, attempt.code)
        for phase in attempt.phases:
            span_id = span_id_of(self._job_id, "phase", phase.phase, attempt.worker, phase.start)
            yield self._span(span_id, phase.phase, own, phase.start, phase.end)

    def _part(
        self,
        name: str,
        start: int,
        end: int,
        kind: Span.SpanKind.ValueType = Span.SPAN_KIND_INTERNAL,
        attributes: Sequence[KeyValue] = (),
        error: str | None = None,
    ) -> Span:
        span_id = span_id_of(self._job_id, name, self._run, start)
        return self._span(span_id, name, self._root, start, end, kind, attributes, error)

    def _span(
        self,
        span_id: bytes,
        name: str,
        parent: bytes,
        start: int,
        end: int,
        kind: Span.SpanKind.ValueType = Span.SPAN_KIND_INTERNAL,
        attributes: Sequence[KeyValue] = (),
        error: str | None = None,
    ) -> Span:
        span = Span()
        span.ParseFromString(self._common)
        span.span_id, span.parent_span_id, span.name, span.kind = span_id, parent, name, kind
        span.start_time_unix_nano = start * NANOSECONDS
        span.end_time_unix_nano = max(start, end) * NANOSECONDS
        span.attributes.extend(attributes)
        if error:
            span.attributes.extend(attributes_of({"error.type": error}))
            span.status.CopyFrom(FAILED)
        return span
