"""The objectives of the chart: their alerts fire when a budget burns, at any traffic, and stay silent otherwise."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from tests.chart.rendering import PROMETHEUS, VALUES, Manifest, refusal, render, tool

MINUTES = 480
BUSY = 60.0  # events a minute
RELEASE = 'namespace="space",release="release"'

Series = dict[str, list[float]]
"""Values of each series, one a minute."""


@pytest.fixture(scope="module")
def groups() -> list[Manifest]:
    return rendered_groups()


def rendered_groups(values: Manifest | None = None) -> list[Manifest]:
    found: list[Manifest] = render(values, PROMETHEUS).one("PrometheusRule", "-objectives")["spec"]["groups"]
    return found


def counter(per_minute: list[float]) -> list[float]:
    total = [0.0]
    for events in per_minute:
        total.append(round(total[-1] + events, 6))
    return total


def failures_beside_successes(failures: str, successes: str) -> Callable[[list[float], list[float]], Series]:
    """Objectives whose misses are counted apart from the rest."""
    return lambda events, misses: {
        failures: counter(misses),
        successes: counter([one - missed for one, missed in zip(events, misses, strict=True)]),
    }


def total_and_part(total: str, part: str) -> Callable[[list[float], list[float]], Series]:
    """Objectives whose hits are a part of the total, as in a histogram."""
    return lambda events, misses: {
        total: counter(events),
        part: counter([one - missed for one, missed in zip(events, misses, strict=True)]),
    }


ATTEMPTS, RESULTS = "parley_job_attempts", "parley_result_seconds"
REQUESTS, DURATIONS = "parley_http_requests_total", "parley_http_request_seconds"
JOBS: dict[str, Callable[[list[float], list[float]], Series]] = {
    "completion": failures_beside_successes(
        'parley_jobs_failed_total{queue="interactive",code="engine_error"',
        'parley_jobs_succeeded_total{queue="interactive"',
    ),
    "retries": total_and_part(
        ATTEMPTS + '_count{queue="interactive"', ATTEMPTS + '_bucket{queue="interactive",le="2.0"'
    ),
    "submitToResult": total_and_part(
        RESULTS + '_count{queue="interactive"', RESULTS + '_bucket{queue="interactive",le="600.0"'
    ),
    "apiAvailability": failures_beside_successes(
        REQUESTS + '{method="GET",route="/v1/jobs",status="500"',
        REQUESTS + '{method="GET",route="/v1/jobs",status="200"',
    ),
    "apiLatency": total_and_part(
        DURATIONS + '_count{method="GET",route="/v1/jobs"', DURATIONS + '_bucket{method="GET",route="/v1/jobs",le="1.0"'
    ),
}
SLOS = ("completion", "retries", "submit-to-result", "api-availability", "api-latency")
BUDGETS = {name: 1 - VALUES["monitoring"]["objectives"][name]["target"] / 100 for name in JOBS}


def case(name: str, series: Series, alert: str, expected: dict[int, list[str]]) -> Manifest:
    """Return a case for promtool: the severities with which an alert fires, by minute."""
    return {
        "name": name,
        "interval": "1m",
        "input_series": [
            {"series": f'{selector},{RELEASE},pod="a"}}', "values": " ".join(f"{value:g}" for value in values)}
            for selector, values in series.items()
        ],
        "promql_expr_test": [
            {
                "eval_time": f"{minute}m",
                "expr": f'count by (severity) (ALERTS{{alertname="{alert}",alertstate="firing"}})',
                "exp_samples": [{"labels": f'{{severity="{severity}"}}', "value": 1} for severity in severities],
            }
            for minute, severities in expected.items()
        ],
    }


def alert_of(name: str) -> str:
    return f"Parley{name[0].upper()}{name[1:]}BudgetBurns"


def cases_of_events(name: str) -> list[Manifest]:
    """At high traffic a burning budget is noticed and a good day is not; at low traffic single misses are not."""
    busy, shape, budget, alert = [BUSY] * MINUTES, JOBS[name], BUDGETS[name], alert_of(name)
    quiet = [1.0 if minute in (60, 200, 300) else 0.0 for minute in range(MINUTES)]
    night = [1.0 if minute % 20 == 0 else 0.0 for minute in range(MINUTES)]
    halfway = [0.0] * 240 + [BUSY] * 240
    return [
        case(f"{name}: everything misses", shape(busy, busy), alert, {15: ["critical", "warning"]}),
        case(f"{name}: starts to miss", shape(busy, halfway), alert, {230: [], 300: ["critical", "warning"]}),
        case(
            f"{name}: twice the budget",
            shape(busy, [2 * budget * BUSY] * MINUTES),
            alert,
            {470: ["warning"]},
        ),
        case(f"{name}: half the budget", shape(busy, [budget * BUSY / 2] * MINUTES), alert, {30: [], 470: []}),
        case(f"{name}: three misses in a night", shape(quiet, quiet), alert, {65: [], 205: [], 305: [], 470: []}),
        case(f"{name}: few jobs, all miss", shape(night, night), alert, {60: [], 200: ["critical", "warning"]}),
        case(f"{name}: nothing happens", shape([0.0] * MINUTES, [0.0] * MINUTES), alert, {470: []}),
    ]


def cases_of_time() -> list[Manifest]:
    minute = [60.0] * MINUTES
    served = total_and_part(
        'parley_queue_busy_seconds_total{queue="batch"', 'parley_queue_served_seconds_total{queue="batch"'
    )
    uptime, unfinished = "ParleyWorkerUptimeBudgetBurns", "ParleyUnfinishedBudgetBurns"
    short_outage = [60.0 if 100 <= one < 103 else 0.0 for one in range(MINUTES)]
    long_outage = [60.0 if 100 <= one < 200 else 0.0 for one in range(MINUTES)]
    gauge = 'parley_queue_unfinished{queue="interactive"'
    return [
        case("uptime: no worker for 3 minutes", served(minute, short_outage), uptime, {110: [], 470: []}),
        case("uptime: no worker for long", served(minute, long_outage), uptime, {95: [], 130: ["critical", "warning"]}),
        case("uptime: served", served(minute, [0.0] * MINUTES), uptime, {470: []}),
        case("uptime: one job an hour, no worker", served([1.0] * MINUTES, [1.0] * MINUTES), uptime, {120: []}),
        case("unfinished: too many for long", {gauge: [10.0] * MINUTES}, unfinished, {60: ["warning"]}),
        case("unfinished: few", {gauge: [9.0] * MINUTES}, unfinished, {470: []}),
        case("unfinished: many for 5 minutes", {gauge: [9.0] * 60 + [99.0] * 5 + [9.0] * 415}, unfinished, {70: []}),
    ]


def promtool(folder: Path, groups: list[Manifest], cases: list[Manifest]) -> None:
    (folder / "rules.yaml").write_text(yaml.safe_dump({"groups": groups}))
    tests = {"rule_files": ["rules.yaml"], "evaluation_interval": "2m", "tests": cases}
    (folder / "tests.yaml").write_text(yaml.safe_dump(tests))
    for arguments in (("check", "rules", "rules.yaml"), ("test", "rules", "tests.yaml")):
        command = [tool("promtool"), *arguments]
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr


def groups_of(groups: list[Manifest], slo: str) -> list[Manifest]:
    """Return the groups of one objective: all of them in every case take a minute of processor time."""
    found = [group for group in groups if group["name"].endswith(f"-{slo}")]
    assert len(found) == 2
    return found


@pytest.mark.parametrize(("name", "slo"), list(zip(JOBS, SLOS, strict=True)))
def test_a_burning_budget_raises_alerts_at_any_traffic(
    groups: list[Manifest], tmp_path: Path, name: str, slo: str
) -> None:
    promtool(tmp_path, groups_of(groups, slo), cases_of_events(name))


@pytest.mark.parametrize("slo", ["worker-uptime", "unfinished"])
def test_a_burning_budget_of_time_raises_alerts(groups: list[Manifest], tmp_path: Path, slo: str) -> None:
    alert = "ParleyWorkerUptimeBudgetBurns" if slo == "worker-uptime" else "ParleyUnfinishedBudgetBurns"
    cases = [one for one in cases_of_time() if alert in one["promql_expr_test"][0]["expr"]]
    assert len(cases) > 2
    promtool(tmp_path, groups_of(groups, slo), cases)


def test_the_rest_of_a_budget_is_what_the_period_has_left(groups: list[Manifest], tmp_path: Path) -> None:
    busy = [BUSY] * MINUTES
    one = case("a quarter of the budget", JOBS["completion"](busy, [0.0125 * BUSY] * MINUTES), "-", {})
    labels = 'namespace="space",queue="interactive",release="release",sloth_id="parley-completion"'
    labels += ',sloth_service="parley",sloth_slo="completion"'
    one["promql_expr_test"] = [
        {
            "eval_time": "470m",
            "expr": "round(slo:period_error_budget_remaining:ratio, 0.01)",
            "exp_samples": [{"labels": f"{{{labels}}}", "value": 0.75}],
        }
    ]
    promtool(tmp_path, groups_of(groups, "completion"), [one])


def test_every_alert_of_an_objective_has_links_and_a_severity(groups: list[Manifest]) -> None:
    alerts = [rule for group in groups for rule in group["rules"] if "alert" in rule]
    assert {alert["alert"] for alert in alerts} == {
        alert_of(name) for name in VALUES["monitoring"]["objectives"] if name != "days"
    }
    for alert in alerts:
        assert alert["labels"]["severity"] in {"critical", "warning"}
        assert {"summary", "runbook_url", "dashboard_url"} == set(alert["annotations"])
    unfinished = [alert["labels"]["severity"] for alert in alerts if alert["alert"] == alert_of("unfinished")]
    assert unfinished == ["warning"]


def test_objectives_come_from_the_values() -> None:
    objectives = {
        "completion": {"target": 99.5},
        "retries": {"target": 0},
        "submitToResult": {"seconds": {"batch": 86400}},
        "unfinished": {"below": 77, "queues": ["interactive", "batch"]},
        "days": 7,
    }
    rules = [rule for group in rendered_groups({"monitoring": {"objectives": objectives}}) for rule in group["rules"]]
    text = "\n".join(str(value) for rule in rules for value in rule.values())
    for wanted in ('le="86400.0"', 'le="600.0"', "vector(0.995)", "0.072", ">= bool 77", '"interactive|batch"', "[7d]"):
        assert wanted in text, wanted
    assert "parley-retries" not in text
    for capitals in ("SELECTOR", "QUEUES", "BELOW", "_SECONDS", "UNMEASURED", "TARGET"):
        assert capitals not in text


def test_a_bound_that_the_histogram_lacks_is_refused() -> None:
    assert "seconds" in refusal({"monitoring": {"objectives": {"submitToResult": {"seconds": {"batch": 599}}}}})
    assert "target" in refusal({"monitoring": {"objectives": {"completion": {"target": 100}}}})
