"""The stock instrumentation of Celery in a worker, as its manual sets it up, for a comparison with Parley's traces."""

# celery and its instrumentation have no types
# mypy: allow-untyped-calls

from __future__ import annotations

from typing import Any

from celery.signals import task_prerun, worker_process_init
from opentelemetry import trace
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.instrumentation.celery import CeleryInstrumentor
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor


def install(endpoint: str) -> None:
    """Send a span of every task that a child of this worker runs to this address."""

    def instrument(**_: Any) -> None:
        provider = TracerProvider()
        provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(f"{endpoint}/v1/traces")))
        trace.set_tracer_provider(provider)
        CeleryInstrumentor().instrument()
        task_prerun.connect(name_the_job, weak=False)  # after that of the instrumentation, which begins the span

    worker_process_init.connect(instrument, weak=False)


def name_the_job(args: tuple[str, ...], **_: Any) -> None:
    """Add the job's id, since the id of a message says nothing of its job."""
    trace.get_current_span().set_attribute("parley.job.id", args[0])
