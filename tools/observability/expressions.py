"""What expressions for Prometheus name: metrics and labels, compared with what exists."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator, Mapping
from pathlib import Path

from prometheus_client.samples import Sample

from tools.observability import metrics

TEMPLATE = Path(__file__).parents[2] / "charts" / "parley" / "templates" / "monitoring" / "objectives.yaml"
FROM_PROMETHEUS = frozenset(
    {"namespace", "release", "pod", "le"}
)  # labels that scraping adds, and that of histogram buckets
OF_OBJECTIVES = frozenset({"sloth_slo", "sloth_id", "sloth_service", "queue", "namespace", "release"})

Known = Mapping[str, set[str]]
"""Labels by the name of a sample."""


def known() -> Known:
    """Return the samples that API, keeper and the recording rules of the chart produce."""
    found: dict[str, set[str]] = defaultdict(set)
    for family in metrics.families():
        for sample in family.samples or [Sample(family.name, {}, 0)]:
            found[sample.name] |= set(sample.labels)
    for name in re.findall(r"record: ([\w:]+)$", TEMPLATE.read_text(), re.MULTILINE):
        found[name] |= OF_OBJECTIVES
    return dict(found)


def selectors(expression: str) -> Iterator[tuple[str, set[str]]]:
    """Yield every metric in an expression with the labels that select it."""
    text = re.sub(r"\n\s*", " ", expression)
    for name, matchers in re.findall(r"\b((?:parley_|parley:|slo:)[\w:]+)(?:\{(.*?)\})?", text):
        yield name, set(re.findall(r"(\w+)\s*[=!]", re.sub(r'"[^"]*"', '""', matchers)))


def unknown(expression: str, exported: Known) -> list[str]:
    """Return the metrics and labels in an expression that nothing exports."""
    found = [name for name, _ in selectors(expression) if name not in exported]
    grouped = {label.strip() for group in re.findall(r"by \((.*?)\)", expression) for label in group.split(",")}
    labels_of_all = set().union(*(exported.get(name, set()) for name, _ in selectors(expression)), FROM_PROMETHEUS)
    found += [f"by {label}" for label in sorted(grouped - labels_of_all)]
    for name, labels in selectors(expression):
        found += [f"{name}: {label}" for label in sorted(labels - exported.get(name, set()) - FROM_PROMETHEUS)]
    return found
