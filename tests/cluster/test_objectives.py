"""Objectives, budgets and alerts of the chart in a real Prometheus, over a scale-out and the loss of the primary."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.cluster.conftest import Results
from tests.cluster.kubernetes import Manifest, until
from tests.cluster.release import Release
from tests.cluster.test_faults import check, kill
from tests.cluster.test_scaling import keda_ready, values
from tests.cluster.watched import UNWATCHED, Watch, watched

pytestmark = pytest.mark.timeout(1200)
JOBS = 12
JOB_SECONDS = 10.0
INSTALLED: Manifest = {**values(JOB_SECONDS), **UNWATCHED, "redis": {"mode": "sentinel"}}


@pytest.fixture(scope="module")
def objectives(release: Release, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Watch]:
    """A release with three Redis and a queue that scales from zero, watched since its start."""
    release.install(INSTALLED, "--wait", "--timeout", "8m")
    release.wait_for_api()
    until("KEDA knows the queue", 60, lambda: keda_ready(release))
    with watched(release, tmp_path_factory.mktemp("prometheus"), INSTALLED) as watch:
        yield watch


def primary(release: Release) -> str:
    """Return the pod whose Redis is the primary."""
    password = release.space.secret(f"{release.fullname}-redis", "keeper-password")
    login = ["env", f"REDISCLI_AUTH={password}", "redis-cli", "--user", "keeper", "--no-auth-warning"]

    def look() -> str | None:
        for pod in release.space.ready(release.component("redis")):
            said = release.space.kubectl("exec", pod, "--container", "redis", "--", *login, "info", "replication")
            if "role:master" in said:
                return pod
        return None

    return until("Redis has a primary", 60, look)


def run_and_count(release: Release, watch: Watch, short: bytes) -> tuple[int, int]:
    """Run jobs to their end; return how many ends and attempts Prometheus counts meanwhile."""
    ends, attempts = max(0, watch.ends()), max(0, watch.attempts())
    jobs = check(release, release.submit_many(JOBS, short, "batch"))
    until("Prometheus counts every end", 60, lambda: watch.ends() - ends >= len(jobs))
    assert watch.attempts() - attempts == sum(len(job["attempts"]) for job in jobs)
    return watch.ends() - ends, watch.attempts() - attempts


def test_a_scale_out_costs_no_budget_and_raises_no_alert(
    release: Release, objectives: Watch, short: bytes, results: Results
) -> None:
    ends, _ = run_and_count(release, objectives, short)
    objectives.wait_until_it_sees_all()
    until("workers were scraped", 60, lambda: objectives.number("count(count_over_time(parley_worker_slots[10m]))") > 0)
    budgets = objectives.budgets()
    assert (ends, budgets["completion"], budgets["retries"]) == (JOBS, 1.0, 1.0)
    assert objectives.fired("critical") | objectives.fired("warning") == set()
    results.add(
        f"objectives over a scale-out from zero: {JOBS} jobs",
        "every objective has a budget, none is used for completion and retries, no alert",
        f"{len(budgets)} budgets, no alert; worker uptime has {budgets['worker-uptime']:.0%} of its budget",
    )


@pytest.mark.parametrize("how", ["handed over", "killed"])
def test_the_loss_of_the_primary_pages_nobody(
    release: Release, objectives: Watch, short: bytes, results: Results, how: str
) -> None:
    """A killed pod is often back before the others agree on another primary: then it stays the primary."""
    before = primary(release)
    ids = release.submit_many(JOBS, short, "batch")
    if how == "killed":
        kill(release, before)
    else:
        release.space.kubectl("delete", "pod", before)
        until("another Redis is the primary", 60, lambda: primary(release) != before)
    jobs = check(release, ids)
    run_and_count(release, objectives, short)
    budgets = objectives.budgets()
    assert budgets["completion"] == 1.0
    assert objectives.fired("critical") == set()
    again = sum(len(job["attempts"]) - 1 for job in jobs)
    place = "the same pod" if primary(release) == before else "another pod"
    results.add(
        f"objectives while the primary of three Redis is {how}: {JOBS} jobs under way",
        "completion keeps its whole budget, nobody is paged",
        f"kept, {place} is the primary; {again} attempts repeated; of the availability of the API "
        f"{budgets['api-availability']:.0%} is left",
    )
