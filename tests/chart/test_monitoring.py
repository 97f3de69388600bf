"""Alerts and dashboard use metrics that exist, and every alert has a section in the runbook."""

from __future__ import annotations

import json
import re
import subprocess
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from prometheus_client.samples import Sample

from tests.chart.rendering import PROMETHEUS, Manifest, environment, refusal, render, tool
from tools.observability import metrics

ROOT = Path(__file__).parents[2]
CASES = Path(__file__).parent / "alerts_test.yaml"
FROM_PROMETHEUS = {"namespace", "release", "le"}  # labels that scraping adds, and that of histogram buckets
MONITORED: Manifest = {"monitoring": {"dashboard": {"enabled": True}}}


@pytest.fixture(scope="module")
def rule() -> Manifest:
    return render(MONITORED, PROMETHEUS).one("PrometheusRule", "-alerts")


@pytest.fixture(scope="module")
def alerts(rule: Manifest) -> dict[str, Manifest]:
    (group,) = rule["spec"]["groups"]
    return {alert["alert"]: alert for alert in group["rules"]}


@pytest.fixture(scope="module")
def objectives() -> list[Manifest]:
    found = render(MONITORED, PROMETHEUS).one("PrometheusRule", "-objectives")
    return [rule for group in found["spec"]["groups"] for rule in group["rules"]]


def dashboard() -> Any:
    (found,) = render(MONITORED).of("ConfigMap", "monitoring")
    (text,) = found["data"].values()
    return json.loads(text)


def queries() -> dict[str, str]:
    """Return every query of the dashboard by the title of its panel and its letter."""
    return {
        f"{panel['title']} {target['refId']}": target["expr"]
        for panel in dashboard()["panels"]
        for target in panel.get("targets", [])
    }


@pytest.fixture(scope="module")
def exported() -> dict[str, set[str]]:
    """The labels of every sample that API and keeper export."""
    found: dict[str, set[str]] = defaultdict(set)
    for family in metrics.families():
        for sample in family.samples or [Sample(family.name, {}, 0)]:
            found[sample.name] |= set(sample.labels)
    return found


def selectors(expression: str) -> Iterator[tuple[str, set[str]]]:
    """Yield every metric in an expression with the labels that select it."""
    for name, matchers in re.findall(r"\b(parley_\w+)(?:\{(.*?)\})?", re.sub(r"\n\s*", " ", expression)):
        yield name, set(re.findall(r"(\w+)\s*[=!]", re.sub(r'"[^"]*"', '""', matchers)))


def unknown(expression: str, exported: dict[str, set[str]]) -> list[str]:
    """Return the metrics and labels in an expression that nothing exports."""
    found = [name for name, _ in selectors(expression) if name not in exported]
    grouped = {label.strip() for group in re.findall(r"by \((.*?)\)", expression) for label in group.split(",")}
    known = set().union(*(exported.get(name, set()) for name, _ in selectors(expression)), FROM_PROMETHEUS)
    found += [f"by {label}" for label in grouped - known]
    for name, labels in selectors(expression):
        found += [f"{name}: {label}" for label in labels - exported.get(name, set()) - FROM_PROMETHEUS]
    return found


def test_alerts_use_metrics_that_exist(alerts: dict[str, Manifest], exported: dict[str, set[str]]) -> None:
    for name, alert in alerts.items():
        assert list(selectors(alert["expr"])), name
        assert unknown(alert["expr"], exported) == [], name


def test_objectives_use_metrics_that_exist(objectives: list[Manifest], exported: dict[str, set[str]]) -> None:
    rules = [rule for rule in objectives if rule.get("record", "").startswith("parley:slo_")]
    assert len(rules) == 14
    for rule in rules:
        assert list(selectors(rule["expr"])), rule
        assert unknown(rule["expr"], exported) == [], rule
        for name, labels in selectors(rule["expr"]):
            assert {"namespace", "release"} <= labels, (name, rule)


def test_the_dashboard_uses_metrics_that_exist(exported: dict[str, set[str]]) -> None:
    assert len(queries()) > 20
    for where, expression in queries().items():
        assert list(selectors(expression)), where
        assert unknown(expression, exported) == [], where


def test_a_wrong_metric_or_label_would_be_found(exported: dict[str, set[str]]) -> None:
    assert unknown('parley_queue_waiting{queue="batch"} > 0', exported) == [
        "parley_queue_waiting",
        "parley_queue_waiting: queue",
    ]
    assert unknown('max by (que) (parley_queue_running{namespace="a",quee=~"b"})', exported) == [
        "by que",
        "parley_queue_running: quee",
    ]


def test_every_expression_selects_this_release(alerts: dict[str, Manifest]) -> None:
    for expression in [*(alert["expr"] for alert in alerts.values()), *queries().values()]:
        for name, labels in selectors(expression):
            assert {"namespace", "release"} <= labels, (name, expression)


def test_alerts_and_sections_of_the_runbook_match(alerts: dict[str, Manifest], objectives: list[Manifest]) -> None:
    alerts = alerts | {rule["alert"]: rule for rule in objectives if "alert" in rule}
    headings = re.findall(r"^## (Parley\w+)$", (ROOT / "docs" / "runbook.md").read_text(), re.MULTILINE)
    assert sorted(headings) == sorted(alerts)
    for name, alert in alerts.items():
        assert alert["annotations"]["runbook_url"] == f"docs/runbook.md#{name.lower()}"
        assert alert["labels"]["severity"] in {"critical", "warning"}
        assert not re.search(r"\b(SELECTOR|QUEUE_LIMIT|OLDEST_\w+)\b", yaml.safe_dump(alert)), name


def test_thresholds_come_from_the_values() -> None:
    values: Manifest = {
        "limits": {"queueLimit": 500},
        "monitoring": {"alerts": {"oldestSeconds": {"batch": 77}, "runbook": "https://wiki.example/parley"}},
    }
    text = yaml.safe_dump(render(values, PROMETHEUS).one("PrometheusRule", "-alerts")["spec"])
    for wanted in ("0.9 * 500", "> 77", "> 1800", "https://wiki.example/parley#parleyqueuefull"):
        assert wanted in text


def test_each_object_of_monitoring_can_be_switched() -> None:
    kinds = ("PodMonitor", "PrometheusRule")
    assert not any(render().of(kind) for kind in kinds)
    assert not render({}, PROMETHEUS).of("ConfigMap", "monitoring")
    assert all(render({}, PROMETHEUS).of(kind) for kind in kinds)
    assert not render({"monitoring": {"alerts": {"enabled": "never"}}}, PROMETHEUS).of("PrometheusRule")
    always: Manifest = {"monitoring": {"monitors": "always", "alerts": {"enabled": "always"}}}
    assert all(render(always).of(kind) for kind in kinds)
    assert "interval" in refusal({"monitoring": {"interval": "often"}})


def test_objects_have_the_labels_that_grafana_and_prometheus_select_by() -> None:
    values: Manifest = {"monitoring": {"labels": {"prometheus": "clinic"}, "dashboard": {"enabled": True}}}
    rendered = render(values, PROMETHEUS)
    for kind in ("PodMonitor", "PrometheusRule"):
        assert rendered.of(kind)[0]["metadata"]["labels"]["prometheus"] == "clinic"
    assert rendered.one("ConfigMap", "-dashboard")["metadata"]["labels"]["grafana_dashboard"] == "1"


def test_monitors_scrape_existing_ports_and_add_the_release() -> None:
    rendered = render({}, PROMETHEUS)
    for monitor in rendered.of("PodMonitor"):
        (endpoint,) = monitor["spec"]["podMetricsEndpoints"]
        pod = rendered.pods()[monitor["metadata"]["name"]]
        assert endpoint["port"] in [port["name"] for port in pod["containers"][0]["ports"]]
        assert endpoint["relabelings"] == [{"targetLabel": "release", "replacement": "release"}]


def test_only_prometheus_reaches_the_metrics_of_the_api() -> None:
    rendered = render({"networkPolicy": {"monitoringNamespace": "watch"}})
    everybody, prometheus = rendered.one("NetworkPolicy", "-api")["spec"]["ingress"]
    assert everybody == {"ports": [{"port": 7001, "protocol": "TCP"}]}
    assert prometheus["ports"] == [{"port": 7003, "protocol": "TCP"}]
    assert prometheus["from"] == [{"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "watch"}}}]
    assert [port["port"] for port in rendered.one("Service", "-api")["spec"]["ports"]] == [7001]
    assert environment(rendered.pods()["release-parley-api"])["PARLEY_METRICS_PORT"] == "7003"


def test_panels_do_not_overlap() -> None:
    taken: set[tuple[int, int]] = set()
    for panel in dashboard()["panels"]:
        place = panel["gridPos"]
        cells = {(place["x"] + x, place["y"] + y) for x in range(place["w"]) for y in range(place["h"])}
        assert not cells & taken, panel["title"]
        assert max(x for x, _ in cells) < 24
        taken |= cells
    ids = [panel["id"] for panel in dashboard()["panels"]]
    assert len(ids) == len(set(ids))


def promtool(*arguments: str, folder: Path) -> None:
    command = [tool("promtool"), *arguments]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_prometheus_accepts_the_alerts_and_they_fire_as_tested(rule: Manifest, tmp_path: Path) -> None:
    (tmp_path / "rules.yaml").write_text(yaml.safe_dump(rule["spec"]))
    (tmp_path / CASES.name).write_text(CASES.read_text())
    promtool("check", "rules", "rules.yaml", folder=tmp_path)
    promtool("test", "rules", CASES.name, folder=tmp_path)


def test_every_alert_has_a_case_in_which_it_fires(alerts: dict[str, Manifest]) -> None:
    cases = [case for test in yaml.safe_load(CASES.read_text())["tests"] for case in test["alert_rule_test"]]
    assert {case["alertname"] for case in cases if case["exp_alerts"]} == set(alerts)


def test_prometheus_accepts_the_queries_of_the_dashboard(tmp_path: Path) -> None:
    rules = [
        {"record": f"query:{number}", "expr": expression.replace("$__rate_interval", "5m")}
        for number, expression in enumerate(queries().values())
    ]
    (tmp_path / "rules.yaml").write_text(yaml.safe_dump({"groups": [{"name": "dashboard", "rules": rules}]}))
    promtool("check", "rules", "rules.yaml", folder=tmp_path)
