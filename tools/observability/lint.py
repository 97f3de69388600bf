"""`python -m tools.observability.lint`: fails for an alert that nobody can act on, and for a metric that nobody knows.

It compares the files of the chart with the code: no helm and no Prometheus are needed.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml
from prometheus_client.core import Metric

from tools.observability import dashboards, expressions, metrics

ROOT = Path(__file__).parents[2]
FILES = ROOT / "charts" / "parley" / "files"
RUNBOOK = ROOT / "docs" / "runbook.md"
SEVERITIES = frozenset({"critical", "warning"})

Alert = Mapping[str, Any]


def alerts() -> list[Alert]:
    """Return the entries of `files/alerts.yaml` and `files/objectives.yaml`."""
    return [
        entry for name in ("alerts", "objectives") for entry in yaml.safe_load((FILES / f"{name}.yaml").read_text())
    ]


def headings() -> set[str]:
    """Return the headings of the runbook that name alerts."""
    return set(re.findall(r"^## (Parley\w+)$", RUNBOOK.read_text(), re.MULTILINE))


def of_alerts(found: Iterable[Alert], known_headings: set[str], boards: Iterable[str]) -> Iterator[str]:
    """Yield what an alert lacks: a heading in the runbook, a summary, a severity, its dashboard."""
    names = {alert["alert"] for alert in found}
    yield from (f"runbook: {name} is no alert" for name in sorted(known_headings - names))
    for alert in found:
        name = alert["alert"]
        if name not in known_headings:
            yield f"{name}: no heading in the runbook"
        if not alert.get("summary"):
            yield f"{name}: no summary"
        if "expr" in alert and alert.get("severity") not in SEVERITIES:
            yield f"{name}: no severity"
        if alert.get("dashboard") not in boards:
            yield f"{name}: no dashboard {alert.get('dashboard')}"


def of_inhibitions(found: Iterable[Mapping[str, Any]], names: Iterable[str]) -> Iterator[str]:
    """Yield every expression of `files/inhibition.yaml` that matches no alert."""
    for entry in found:
        for expression in (*entry["causes"].split("|"), *entry["effects"].split("|")):
            if not any(re.fullmatch(expression, name) for name in names):
                yield f"inhibition.yaml: {expression} is no alert"


def of_metrics(found: Iterable[Metric]) -> Iterator[str]:
    """Yield every metric without a text of help."""
    yield from (f"{family.name}: no help" for family in found if not family.documentation.strip())


def of_expressions(found: Mapping[str, str], known: expressions.Known) -> Iterator[str]:
    """Yield every unknown metric or label, and every metric that is not selected by release."""
    for where, text in found.items():
        yield from (f"{where}: unknown {name}" for name in expressions.unknown(text, known))
        for name, labels in expressions.selectors(text):
            if not labels >= {"namespace", "release"}:
                yield f"{where}: {name} of every release"


def rules() -> dict[str, str]:
    """Return the expressions of alerts and objectives by where they stand."""
    found = {}
    for alert in alerts():
        for part in ("expr", "events", "errors"):
            if part in alert:
                found[f"{alert['alert']} {part}"] = alert[part].replace("SELECTOR", dashboards.SELECTOR)
    return found


def of_dashboards(boards: Iterable[dashboards.Board], known_headings: set[str]) -> Iterator[str]:
    """Yield every dashboard whose file is not what the code makes, and every link to a heading that is not there."""
    for board in boards:
        file = dashboards.path(board)
        if not file.exists() or file.read_text() != dashboards.render(board):
            yield f"{file.name}: run `make dashboards`"
        linked = {panel.alert for row in board.rows for panel in row.panels if panel.alert}
        yield from (f"{file.name}: no heading {name} in the runbook" for name in sorted(linked - known_headings))
    for file in sorted(dashboards.FOLDER.glob("*.json")):
        if file not in {dashboards.path(board) for board in boards}:
            yield f"{file.name}: no code makes it"


def problems() -> list[str]:
    """Return everything that is wrong, one line each."""
    known, boards = expressions.known(), dashboards.BOARDS
    return [
        *of_alerts(alerts(), headings(), {board.uid for board in boards}),
        *of_inhibitions(yaml.safe_load((FILES / "inhibition.yaml").read_text()), [one["alert"] for one in alerts()]),
        *of_metrics(metrics.families()),
        *of_expressions(rules() | queries(), known),
        *of_dashboards(boards, headings()),
    ]


def queries() -> dict[str, str]:
    """Return every query of the dashboards in the chart that Prometheus answers, by dashboard, panel and letter."""
    found = {}
    for file in sorted(dashboards.FOLDER.glob("*.json")):
        for panel in json.loads(file.read_text())["panels"]:
            for target in panel.get("targets", []):
                if target.get("datasource", {}).get("type") == "prometheus":
                    found[f"{file.stem}: {panel['title']} {target['refId']}"] = target["expr"]
    return found


if __name__ == "__main__":
    wrong = problems()
    print("\n".join(wrong), end="\n" if wrong else "")
    sys.exit(bool(wrong))
