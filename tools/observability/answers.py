"""Queries of dashboards, answered by a Prometheus."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

import httpx

from tools.observability.dashboards.panels import Query

TIMEOUT_SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class Series:
    """One line of a panel: its legend and its points as (seconds since 1970, value)."""

    legend: str
    points: tuple[tuple[float, float], ...]


class Answers:
    """A Prometheus and the release that is looked at, for as long as the context lasts."""

    def __init__(self, url: str, labels: Mapping[str, str], rate: str = "1m", span: str = "1h") -> None:
        self._http = httpx.Client(base_url=url, timeout=TIMEOUT_SECONDS)
        self._labels, self._rate, self._span = labels, rate, span

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._http.close()

    def now(self, query: Query) -> list[Series]:
        """Return the current values. Raises httpx.HTTPError without an answer."""
        found = self._ask("query", {"query": self._concrete(query)})
        return [_series(query, one["metric"], [one["value"]]) for one in found]

    def between(self, query: Query, start: float, end: float, step: float) -> list[Series]:
        """Return the values of a span of time. Raises httpx.HTTPError without an answer."""
        parameters = {"query": self._concrete(query), "start": start, "end": end, "step": step}
        return [_series(query, one["metric"], one["values"]) for one in self._ask("query_range", parameters)]

    def _ask(self, what: str, parameters: Mapping[str, Any]) -> list[Any]:
        found: list[Any] = (
            self._http.get(f"/api/v1/{what}", params=parameters).raise_for_status().json()["data"]["result"]
        )
        return found

    def _concrete(self, query: Query) -> str:
        text = query.text.replace("$__rate_interval", self._rate).replace("$__range", self._span)
        for name, value in self._labels.items():
            text = text.replace(f"${name}", value)
        return text


def _series(query: Query, labels: Mapping[str, str], points: list[Any]) -> Series:
    legend = re.sub(r"{{(\w+)}}", lambda found: labels.get(found[1], ""), query.legend).strip()
    if "{{" not in query.legend:  # a table has a row per series, and the legend names its column
        legend = (
            " ".join(filter(None, (labels.get("alertname"), labels.get("sloth_slo"), labels.get("queue")))) or legend
        )
    return Series(legend, tuple((float(when), float(value)) for when, value in points))
