"""The reference of the metrics, from the code that exports them."""

from __future__ import annotations

from collections.abc import Iterable

from prometheus_client.core import Metric

from tools.observability import metrics
from tools.reference import markdown

INTRODUCTION = """# Metrics

The API serves `/metrics` on `PARLEY_METRICS_PORT`, the keeper on `PARLEY_KEEPER_PORT`, a worker on
`PARLEY_WORKER_METRICS_PORT`, as Prometheus text or
OpenMetrics. Without API keys and without that setting, the API serves them on its own port.

Metrics of jobs are counted in the record, by the transitions themselves. So they are exact whatever process dies, and
every pod of the API exports the same numbers: take `max` over pods, never `sum`. Metrics of HTTP requests are those of
one process: sum their rates. Metrics of the keeper are those of one keeper, and those of a
worker of one worker and its attempts since it started. A value that cannot be read is left out; it
is never shown as 0.

A scrape reads the same among 10,000 jobs as among 1,000: 1.0 ms (`make bench`, AMD EPYC). Histograms are classic ones:
the Python client of Prometheus exposes no native histograms."""


def render() -> str:
    """Return the page."""
    parts = [INTRODUCTION]
    for heading, found in (
        ("API", metrics.of_the_api()),
        ("Keeper", metrics.of_the_keeper()),
        ("Worker", metrics.of_the_worker()),
    ):
        parts += [f"## {heading}", markdown.table(("Metric", "Type", "Labels", "Meaning"), _rows(found))]
    return "\n\n".join(parts)


def _rows(families: Iterable[Metric]) -> Iterable[tuple[str, ...]]:
    for family in sorted(families, key=lambda one: one.name):
        labels = {label for sample in family.samples for label in sample.labels if label != "le"}
        name = f"{family.name}_total" if family.type == "counter" else family.name
        yield f"`{name}`", family.type, ", ".join(f"`{label}`" for label in sorted(labels)), family.documentation
