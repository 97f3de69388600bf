"""The loss of a node loses pods, but no job. Runs last, since the node does not come back."""

from __future__ import annotations

import os
import shlex
import subprocess
import time

import pytest

from tests.cluster.conftest import Results
from tests.cluster.kubernetes import Manifest, Namespace, run, tool, until
from tests.cluster.release import Release
from tests.cluster.test_faults import WORKING, check, succeeded

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
    kept: Manifest = {"nodeSelector": {HOST: nodes(release)[0]}}
    release.install({**WORKING, "redis": kept, "objects": kept}, "--wait", "--timeout", "5m")
    release.wait_for_api()
    return release


def test_the_loss_of_a_node_loses_no_job_and_runs_none_twice(spread: Release, short: bytes, results: Results) -> None:
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


def running_on(release: Release, ids: list[str], node: str) -> bool:
    running = [job for job in map(release.job, ids) if job["state"] == "running"]
    return any(node_of(release, job["attempts"][-1]["worker"]) == node for job in running)
