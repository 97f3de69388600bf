"""Sends traces to a collector by OTLP. Off unless the standard variables of OpenTelemetry name a collector.

https://opentelemetry.io/docs/specs/otel/configuration/sdk-environment-variables/
"""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence

from opentelemetry.proto.trace.v1.trace_pb2 import Span
from opentelemetry.sdk.resources import SERVICE_NAME, SERVICE_VERSION, Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.sampling import Decision, Sampler
from opentelemetry.trace import NonRecordingSpan, set_span_in_context
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric

from parley_core import __version__
from parley_core.errors import UnsafeSettings
from parley_core.logs import get_logger
from parley_core.settings import Settings
from parley_core.trace_context import trace_id_of
from parley_keeper.loop import NoteProgress
from parley_keeper.tracing.exemplars import samples_of
from parley_keeper.tracing.exporter import SpanExporter
from parley_keeper.tracing.journal import read_run
from parley_keeper.tracing.outbox import RedisTraces, Sample, TraceEntry
from parley_keeper.tracing.spans import DeliveryTrace, JobSpans, parent_of

BATCH = 50  # traces of one request: some hundreds of spans
CLAIM_SECONDS = 30.0  # longer than a request with its repetitions takes (OTEL_EXPORTER_OTLP_TIMEOUT, 10 s)
KEPT_SECONDS = 2 * 86400  # what no collector takes for so long is given up

log = get_logger(__name__)


def is_on(environment: Mapping[str, str] = os.environ) -> bool:
    """Return whether traces are sent.

    Raises:
        UnsafeSettings: a variable asks for another exporter or protocol than Parley has.
    """
    wanted = environment.get("OTEL_TRACES_EXPORTER", "").strip().lower()
    if wanted not in ("", "otlp", "none"):
        raise UnsafeSettings("OTEL_TRACES_EXPORTER must be `otlp` or `none`.")
    named = _variable(environment, "ENDPOINT") is not None
    if environment.get("OTEL_SDK_DISABLED", "").lower() == "true" or wanted == "none" or not (named or wanted):
        return False
    if _variable(environment, "PROTOCOL") not in (None, "http/protobuf"):
        raise UnsafeSettings("OTEL_EXPORTER_OTLP_PROTOCOL must be `http/protobuf`; collectors listen for it on 4318.")
    return True


def _variable(environment: Mapping[str, str], name: str) -> str | None:
    own = environment.get(f"OTEL_EXPORTER_OTLP_TRACES_{name}")
    return own or environment.get(f"OTEL_EXPORTER_OTLP_{name}") or None


def _resource() -> Resource:
    """Return what the spans say of this deployment: OTEL_RESOURCE_ATTRIBUTES and OTEL_SERVICE_NAME, else `parley`."""
    described = Resource.create({SERVICE_VERSION: __version__})
    if not str(described.attributes[SERVICE_NAME]).startswith("unknown_service"):
        return described
    return described.merge(Resource({SERVICE_NAME: "parley"}))


def trace_metrics(spans_sent: int = 0, failures: int = 0, waiting: int = 0) -> Iterator[Metric]:
    """Yield what a keeper that sends traces exports."""
    yield CounterMetricFamily("parley_keeper_spans_sent", "Spans that the collector has taken.", value=spans_sent)
    yield CounterMetricFamily(
        "parley_keeper_trace_failures", "Requests with spans that the collector has not taken.", value=failures
    )
    yield GaugeMetricFamily("parley_keeper_traces_waiting", "Entries of the outbox of traces.", value=waiting)


class TraceSender:
    """Sends the traces of jobs that have ended. A collector that is away delays traces, never jobs."""

    def __init__(self, traces: RedisTraces, exporter: SpanExporter, sampler: Sampler) -> None:
        self._traces, self._exporter, self._sampler = traces, exporter, sampler
        self._away = False
        self.spans_sent = self.failures = self.waiting = 0

    @classmethod
    def from_environment(cls, settings: Settings) -> TraceSender | None:
        """Return a sender as the variables of OpenTelemetry describe it, None where traces are off.

        Raises UnsafeSettings.
        """
        if not is_on():
            return None
        logging.getLogger("opentelemetry").setLevel(logging.CRITICAL)  # it logs every attempt; this logs outages
        sampler = TracerProvider(shutdown_on_exit=False).sampler
        return cls(RedisTraces.from_settings(settings), SpanExporter(_resource()), sampler)

    def announce(self) -> None:
        """Make transitions note traces from now on. Raises JobStoreUnavailable."""
        self._traces.announce()

    def run_once(self, note_progress: NoteProgress) -> int:
        """Send the traces that wait; return how many were sent. Raises JobStoreUnavailable.

        A failure is no error of the keeper: the traces are due again once their claim has lapsed.
        """
        sent = 0
        while entries := self._traces.claim(BATCH, CLAIM_SECONDS):
            samples: list[Sample] = []
            spans = [span for entry in entries for span in self._spans(entry, samples)]
            note_progress()
            if not self._exported(spans):
                break
            if samples:
                self._traces.note(samples)
            self.waiting = self._traces.forget(entries)
            sent += len(entries)
        return sent

    def metrics(self) -> Iterable[Metric]:
        """What this keeper has sent since it started."""
        return trace_metrics(self.spans_sent, self.failures, self.waiting)

    def _exported(self, spans: Sequence[Span]) -> bool:
        done = not spans or self._exporter.send(spans)
        if done:
            self.spans_sent += len(spans)
        else:
            self.failures += 1
        if done is self._away:
            self._away = not done
            if done:
                log.info("the collector of traces answers again")
            else:
                log.warning("the collector of traces does not take spans; jobs go on, and their traces wait")
        return done

    def _spans(self, entry: TraceEntry, samples: list[Sample]) -> Sequence[Span]:
        """Return the spans of an entry, and add its samples; none if it is too old, unreadable or not sampled."""
        try:
            what, job_id, run, *rest = entry.text.split(" ")
            if what == "end" and entry.lines:
                found = read_run(job_id, int(run), entry.lines)
                if not self._is_sampled(job_id, found.traceparent):
                    return ()
                samples += samples_of(found)
                return tuple(JobSpans(job_id, found.run, found.traceparent).of_run(found))
            if what == "delivery" and int(rest[3]) / 1000 > time.time() - KEPT_SECONDS:
                caller = None if rest[0] == "-" else rest[0]
                return self._of_delivery(DeliveryTrace(job_id, int(run), caller, rest[1], int(rest[2]), int(rest[3])))
        except (ValueError, KeyError, TypeError, IndexError) as error:
            log.error("a trace cannot be read", entry=entry.text[:100], error=type(error).__name__)
        self._traces.count_dropped(1)
        return ()

    def _of_delivery(self, delivery: DeliveryTrace) -> Sequence[Span]:
        job_id, caller = delivery.job_id, delivery.traceparent
        if not self._is_sampled(job_id, caller):
            return ()
        return (JobSpans(job_id, delivery.run, caller).of_delivery(delivery),)

    def _is_sampled(self, job_id: str, traceparent: str | None) -> bool:
        """Ask the sampler that OTEL_TRACES_SAMPLER names; by default the caller decides, and else all are sent."""
        parent = parent_of(traceparent)
        context = None if parent is None else set_span_in_context(NonRecordingSpan(parent))
        trace_id = int(trace_id_of(job_id, traceparent), 16)
        return self._sampler.should_sample(context, trace_id, "job").decision is Decision.RECORD_AND_SAMPLE
