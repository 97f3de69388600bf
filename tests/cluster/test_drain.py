"""A node that is drained has its jobs go on elsewhere, from where they were, within seconds."""

from __future__ import annotations

import time
from typing import Any

import pytest

from chaos.client import conversation
from tests.cluster.conftest import Results
from tests.cluster.kubernetes import Manifest, run, tool, until
from tests.cluster.release import TERMINAL, Release

pytestmark = pytest.mark.timeout(1800)
DRAINS = 20
MINUTES = 90  # about 20 s of work: a drain finds the engine in the middle of it
GONE_SECONDS = 30.0  # a drained pod
MARKS = {"cluster-autoscaler.kubernetes.io/safe-to-evict": "false", "karpenter.sh/do-not-disrupt": "true"}
VALUES: Manifest = {
    "api": {"autoscaling": {"enabled": False}, "replicas": 1},
    "flower": {"enabled": False},
    "workers": [{"name": "batch", "queue": "batch", "concurrency": 1, "autoscaling": {"keda": "never"}}],
}


@pytest.fixture(scope="module")
def computing(release: Release) -> Release:
    """A release with one worker and the real engine."""
    if len(release.space.get("nodes")["items"]) < 2:
        pytest.skip("the cluster has one node")
    release.install(VALUES, "--wait", "--timeout", "5m")
    release.wait_for_api()
    return release


def marks(release: Release) -> list[dict[str, str]]:
    """Return the marks for node autoscalers of each worker pod."""
    found = [pod["metadata"].get("annotations", {}) for pod in release.space.pods(release.worker("batch"))]
    return [{name: value for name, value in annotations.items() if name in MARKS} for annotations in found]


def in_the_engine(release: Release, ids: list[str]) -> Manifest | None:
    """Return a job whose engine has done some of its work."""
    jobs = [release.job(job_id) for job_id in ids]
    return next((job for job in jobs if job["state"] == "running" and (job["progress"] or 0) > 0.1), None)


def went_on(release: Release, job_id: str) -> bool:
    """Return whether a living worker says that it continued the work of a job."""
    lines = release.space.kubectl("logs", f"--selector={release.worker('batch')}", "--tail=-1").splitlines()
    return any(job_id in line and "work continued" in line for line in lines)


def drain(release: Release, pod: str) -> float:
    """Drain the node of a worker pod of worker pods, and return how long that took in seconds."""
    node = str(release.space.get("pod", pod)["spec"]["nodeName"])
    began = time.monotonic()
    selector = f"--pod-selector={release.worker('batch')}"
    run(tool("kubectl"), "drain", node, selector, "--ignore-daemonsets", "--delete-emptydir-data", "--timeout=120s")
    took = time.monotonic() - began
    run(tool("kubectl"), "uncordon", node)
    return took


def test_jobs_of_a_drained_node_go_on_elsewhere(computing: Release, results: Results) -> None:
    recording = conversation(MINUTES * 60)
    ids = [computing.submit(recording, "batch")]
    computing.finish(ids, 600)
    undisturbed: list[Any] = computing.turns(ids[0])
    took: list[float] = []
    for _ in range(DRAINS):
        if computing.job(ids[-1])["state"] in TERMINAL:
            ids.append(computing.submit(recording, "batch"))
        job = until("the engine works", 180, lambda: in_the_engine(computing, ids))
        until("the busy pod is marked", 30, lambda: MARKS in marks(computing))
        took.append(drain(computing, str(job["attempts"][-1]["worker"]).partition("/")[0]))
        until("the job goes on from where it was", 120, lambda job_id=job["id"]: went_on(computing, job_id))
    jobs = computing.finish(ids, 600)
    assert {(job["state"], len(job["attempts"])) for job in jobs} == {("succeeded", 1)}
    assert [job_id for job_id in ids if computing.turns(job_id) != undisturbed] == []
    until("the idle pod has no mark", 60, lambda: marks(computing) == [{}])
    assert max(took) <= GONE_SECONDS
    results.add(
        f"`kubectl drain` of a busy node, {DRAINS} times, recordings of {MINUTES} minutes, real engine",
        "no job from zero, equal turns, 1 attempt; gone ≤ 30 s; marks for node autoscalers while it is busy alone",
        f"0 from zero of {len(jobs)} jobs; gone after {sorted(took)[len(took) // 2]:.1f} s, at most {max(took):.1f} s",
    )
