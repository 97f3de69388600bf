"""The loss of a node loses pods, but no job. Runs last, since the node does not come back."""

from __future__ import annotations

import os
import shlex
import subprocess
import time
from collections.abc import Iterator

import pytest

from tests.cluster.conftest import Results
from tests.cluster.kubernetes import Manifest, Namespace, run, tool, until
from tests.cluster.release import Release
from tests.cluster.test_faults import WORKING, check, succeeded
from tests.cluster.watched import UNWATCHED, Watch, watched

pytestmark = pytest.mark.timeout(900)
KILL = os.environ.get("PARLEY_E2E_KILL_NODE")  # a command that kills the node in its last argument
JOBS = 8
HOST = "kubernetes.io/hostname"
DNS = Namespace("kube-system"), "k8s-app=kube-dns"


def nodes(release: Release) -> list[str]:
    return sorted(node["metadata"]["name"] for node in release.space.get("nodes")["items"])


def node_of(release: Release, worker: str) -> str:
    return str(release.space.get("pod", worker.partition("/")[0])["spec"]["nodeName"])


def keep_dns_from(node: str) -> None:
    """Move DNS to other nodes: the development cluster has one DNS pod, where others have several."""
    system, selector = DNS
    run(tool("kubectl"), "cordon", node)
    for pod in system.pods(selector):
        if pod["spec"]["nodeName"] == node:
            system.kubectl("delete", "pod", pod["metadata"]["name"])
    until("DNS is ready elsewhere", 60, lambda: len(system.ready(selector)) == len(system.pods(selector)) > 0)
    run(tool("kubectl"), "uncordon", node)


@pytest.fixture(scope="module")
def spread(release: Release) -> Release:
    """A release whose data is on the first node, since a volume is a folder of its node here."""
    if KILL is None:
        pytest.skip("PARLEY_E2E_KILL_NODE names no command that kills a node")
    if len(nodes(release)) < 2:
        pytest.skip("the cluster has one node")
    keep_dns_from(nodes(release)[-1])
    release.install(on_the_first_of(nodes(release)), "--wait", "--timeout", "5m")
    release.wait_for_api()
    return release


def on_the_first_of(names: list[str]) -> Manifest:
    kept: Manifest = {"nodeSelector": {HOST: names[0]}}
    return {**WORKING, **UNWATCHED, "redis": kept, "objects": kept}


@pytest.fixture(scope="module")
def watch(spread: Release, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Watch]:
    with watched(spread, tmp_path_factory.mktemp("prometheus"), on_the_first_of(nodes(spread))) as found:
        yield found


def test_the_loss_of_a_node_loses_no_job_and_runs_none_twice(
    spread: Release, watch: Watch, short: bytes, results: Results
) -> None:
    victim = nodes(spread)[-1]
    before = succeeded(spread)
    ids = spread.submit_many(JOBS, short, "batch")
    until("a job runs on the node that is killed", 30, lambda: running_on(spread, ids, victim))
    subprocess.run([*shlex.split(str(KILL)), victim], check=True, timeout=60)
    started = time.monotonic()
    jobs = check(spread, ids)
    assert succeeded(spread) - before == len(ids)
    again = sum(len(job["attempts"]) - 1 for job in jobs)
    assert again > 0
    results.add(
        "node loss: one of two, with busy workers, an API and a keeper",
        "0 lost, 0 doubled",
        f"0 lost, 0 doubled; {again} attempts repeated, all done {time.monotonic() - started:.0f} s later",
    )
    until("Prometheus counts every end", 60, lambda: watch.ends() >= len(ids))
    watch.wait_until_it_sees_all(pods=2)
    budgets = watch.budgets()
    assert (budgets["completion"], watch.fired("critical")) == (1.0, set())
    results.add(
        "objectives over the loss of a node",
        "completion keeps its whole budget, nobody is paged",
        f"kept; retries have {budgets['retries']:.0%} of their budget; warnings: {watch.fired('warning') or 'none'}",
    )


def running_on(release: Release, ids: list[str], node: str) -> bool:
    running = [job for job in map(release.job, ids) if job["state"] == "running"]
    return any(node_of(release, job["attempts"][-1]["worker"]) == node for job in running)
