"""The check of metrics, alerts and dashboards in `make lint` finds each kind of mistake."""

from __future__ import annotations

from pathlib import Path

import pytest
from prometheus_client.core import GaugeMetricFamily

from tools.observability import dashboards, lint
from tools.observability.dashboards.panels import Board, Panel, Query, Row
from tools.observability.expressions import Known, known, selectors, unknown

GOOD = {"alert": "ParleyA", "summary": "A.", "severity": "warning", "dashboard": "parley-a", "expr": "1"}


@pytest.fixture(scope="module")
def exported() -> Known:
    return known()


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"alert": "ParleyB"}, "ParleyB: no heading in the runbook"),
        ({"summary": ""}, "ParleyA: no summary"),
        ({"severity": "page"}, "ParleyA: no severity"),
        ({"dashboard": "parley"}, "ParleyA: no dashboard parley"),
    ],
)
def test_an_alert_that_nobody_can_act_on_is_found(change: dict[str, str], problem: str) -> None:
    assert list(lint.of_alerts([GOOD], {"ParleyA"}, {"parley-a"})) == []
    assert problem in list(lint.of_alerts([GOOD | change], {"ParleyA"}, {"parley-a"}))


def test_a_heading_without_an_alert_is_found() -> None:
    assert list(lint.of_alerts([GOOD], {"ParleyA", "ParleyGone"}, {"parley-a"})) == ["runbook: ParleyGone is no alert"]


def test_an_inhibition_of_no_alert_is_found() -> None:
    entry = {"causes": "ParleyA", "effects": "Parley.+|ParleyGone"}
    assert list(lint.of_inhibitions([entry], ["ParleyA"])) == ["inhibition.yaml: ParleyGone is no alert"]


def test_a_metric_without_help_is_found() -> None:
    assert list(lint.of_metrics([GaugeMetricFamily("parley_a", " "), GaugeMetricFamily("parley_b", "B.")])) == [
        "parley_a: no help"
    ]


def test_a_wrong_metric_or_label_is_found(exported: Known) -> None:
    assert unknown('parley_queue_waiting{queue="batch"} > 0', exported) == [
        "parley_queue_waiting",
        "parley_queue_waiting: queue",
    ]
    assert unknown('max by (que) (parley_queue_running{namespace="a",quee=~"b"})', exported) == [
        "by que",
        "parley_queue_running: quee",
    ]
    assert unknown('slo:budget:ratio{release="a"}', exported) == ["slo:budget:ratio"]


def test_a_query_of_every_release_is_found(exported: Known) -> None:
    assert list(lint.of_expressions({"here": "max(parley_up)"}, exported)) == ["here: parley_up of every release"]
    assert list(selectors("rate(parley_a_total[5m])")) == [("parley_a_total", set())]


def test_a_dashboard_that_differs_from_its_code_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dashboards, "FOLDER", tmp_path)
    board = Board("parley-a", "A", "", (Row("A", (Panel("A", (Query("1"),), alert="ParleyGone"),)),))
    dashboards.path(board).write_text(dashboards.render(board))
    assert list(lint.of_dashboards([board], {"ParleyGone"})) == []
    assert list(lint.of_dashboards([board], set())) == ["a.json: no heading ParleyGone in the runbook"]
    assert list(lint.of_dashboards([], set())) == ["a.json: no code makes it"]
    dashboards.path(board).write_text("{}")
    assert list(lint.of_dashboards([board], {"ParleyGone"})) == ["a.json: run `make dashboards`"]
