"""A collector of traces: a real OTLP receiver over HTTP that decodes what it gets."""

from __future__ import annotations

import gzip
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from tests.support.receivers import Receiver


@dataclass(frozen=True, slots=True)
class Span:
    """A span as it arrived. Ids are hex; `parent` is empty without one."""

    name: str
    trace_id: str
    span_id: str
    parent: str
    start: datetime
    end: datetime
    failed: bool
    attributes: Mapping[str, Any]
    resource: Mapping[str, Any]


class Collector(Receiver):
    """Answers as Receiver does: its `answers` first, then 204."""

    def spans(self) -> list[Span]:
        """Every span of every request, refused ones too, in the order of arrival."""
        return [span for received in self.received for span in decoded(received.headers, received.body)]

    def named(self, name: str) -> list[Span]:
        return [span for span in self.spans() if span.name == name]

    def count(self) -> Counter[str]:
        """Number of spans by name."""
        return Counter(span.name for span in self.spans())

    @property
    def endpoint(self) -> str:
        """The base of its addresses."""
        return f"http://{self.host}:{self.port}"

    @property
    def environment(self) -> dict[str, str]:
        """The variables that make a keeper send here."""
        return {"OTEL_EXPORTER_OTLP_ENDPOINT": self.endpoint}


def decoded(headers: Mapping[str, str], body: bytes) -> list[Span]:
    """Return the spans of a request."""
    request = ExportTraceServiceRequest()
    request.ParseFromString(gzip.decompress(body) if headers.get("content-encoding") == "gzip" else body)
    return [
        Span(
            name=span.name,
            trace_id=span.trace_id.hex(),
            span_id=span.span_id.hex(),
            parent=span.parent_span_id.hex(),
            start=datetime.fromtimestamp(span.start_time_unix_nano / 1e9, UTC),
            end=datetime.fromtimestamp(span.end_time_unix_nano / 1e9, UTC),
            failed=span.status.code == 2,
            attributes=_plain(span.attributes),
            resource=_plain(group.resource.attributes),
        )
        for group in request.resource_spans
        for scope in group.scope_spans
        for span in scope.spans
    ]


def _plain(attributes: Any) -> dict[str, Any]:
    return {one.key: getattr(one.value, one.value.WhichOneof("value")) for one in attributes}
