"""Workers are added for waiting jobs, removed when idle, and never interrupted."""

from __future__ import annotations

import os
import time
from typing import Any

import pytest

from tests.cluster.conftest import SLOW, Results
from tests.cluster.kubernetes import Manifest, until
from tests.cluster.release import Release

pytestmark = pytest.mark.timeout(1200)
JOB_SECONDS = float(os.environ.get("PARLEY_E2E_JOB_SECONDS", "60"))
JOBS = 20
MOST = 5
CONCURRENCY = 2


def values(seconds: float, **scaling: Any) -> Manifest:
    """Return values with one queue that scales from zero, and an engine that takes `seconds`."""
    quick = {"minReplicas": 0, "maxReplicas": MOST, "cooldownSeconds": 10, "pollingSeconds": 1}
    slow_down = {"scaleDownWindowSeconds": 5, "scaleDownPodsPerMinute": 60}
    return {
        "api": {"autoscaling": {"enabled": False}, "replicas": 1},
        "flower": {"enabled": False},
        "workers": [
            {
                "name": "batch",
                "queue": "batch",
                "concurrency": CONCURRENCY,
                "engine": SLOW,
                "extraEnv": [{"name": "PARLEY_SCRIPTED_SECONDS", "value": str(seconds)}],
                "resources": {"requests": {"cpu": "20m", "memory": "128Mi"}, "limits": {"memory": "1Gi"}},
                "autoscaling": quick | slow_down | scaling,
            }
        ],
    }


@pytest.fixture(scope="module")
def scaled(release: Release) -> Release:
    release.install(values(JOB_SECONDS))
    release.wait_for_api()
    until("KEDA knows the queue", 60, lambda: keda_ready(release))
    until("no worker is left", 120, lambda: gone(release))
    return release


def gone(release: Release) -> bool:
    """Return whether KEDA has removed the first pod: one that is ending could still take a job."""
    deployment = release.space.get("deployment", f"{release.fullname}-worker-batch")
    pods = release.space.get("pods", selector=release.worker("batch"))["items"]
    return deployment["spec"]["replicas"] == 0 and not pods


def keda_ready(release: Release) -> bool:
    status = release.space.get("scaledobject", f"{release.fullname}-worker-batch").get("status", {})
    return any(c["type"] == "Ready" and c["status"] == "True" for c in status.get("conditions", []))


def test_from_zero_to_one(scaled: Release, short: bytes, results: Results) -> None:
    started = time.monotonic()
    job_id = scaled.submit(short, "batch")
    until("the job runs", 15, lambda: scaled.job(job_id)["state"] == "running")
    took = time.monotonic() - started
    results.add("0 → 1: submit into a queue with no worker", "running ≤ 15 s after the submit", f"{took:.1f} s")
    scaled.http.post(f"/v1/jobs/{job_id}/cancel")


def test_from_one_to_many_and_back_without_interrupting_a_job(scaled: Release, short: bytes, results: Results) -> None:
    started = time.monotonic()
    ids = scaled.submit_many(JOBS, short, "batch")
    submitted = time.monotonic() - started
    selector = scaled.worker("batch")
    until("the target is reached", 120, lambda: len(scaled.space.ready(selector)) == MOST)
    reached = time.monotonic() - started
    results.add(
        f"1 → N: {JOBS} jobs at once, target {MOST} pods",
        "one HPA sync + pod start after KEDA sees them",
        f"{reached:.1f} s after the first submit, {reached - submitted:.1f} s after the last",
    )
    costs_seen = until("busy pods are marked", 60, lambda: busy_costs(scaled))
    assert set(costs_seen) <= {"1", "2"}
    jobs = scaled.finish(ids, JOBS / (MOST * CONCURRENCY) * JOB_SECONDS * 2 + 180)
    quiet = time.monotonic()
    assert {job["state"] for job in jobs} == {"succeeded"}
    interrupted = [job["id"] for job in jobs if len(job["attempts"]) != 1]
    assert interrupted == []
    until("replicas are back at the minimum", 180, lambda: not scaled.space.pods(selector))
    results.add(
        f"scale-in: {JOBS} jobs of {JOB_SECONDS:.0f} s, then silence",
        "0 jobs interrupted (attempts all 1), replicas back at the minimum",
        f"{len(interrupted)} interrupted, at the minimum {time.monotonic() - quiet:.0f} s after the last job",
    )


def busy_costs(release: Release) -> list[str]:
    """Return the deletion costs of worker pods that are marked as busy."""
    annotations = [pod["metadata"].get("annotations", {}) for pod in release.space.pods(release.worker("batch"))]
    return [
        a["controller.kubernetes.io/pod-deletion-cost"]
        for a in annotations
        if a.get("controller.kubernetes.io/pod-deletion-cost", "0") != "0"
    ]


def test_a_pod_that_gets_sigterm_gives_its_job_back(scaled: Release, short: bytes, results: Results) -> None:
    job_id = scaled.submit(short, "batch")
    until("the job runs", 30, lambda: scaled.job(job_id)["state"] == "running")
    worker = scaled.job(job_id)["attempts"][-1]["worker"].partition("/")[0]
    stop = time.monotonic()
    scaled.space.kubectl("delete", "pod", worker, "--wait=true")
    seconds = time.monotonic() - stop
    (job,) = scaled.finish([job_id], JOB_SECONDS + 60)
    assert job["state"] == "succeeded"
    assert len(job["attempts"]) == 1
    assert job["attempts"][0]["worker"].partition("/")[0] != worker
    assert seconds <= 30
    results.add(
        "`kubectl delete pod` on a busy worker",
        "gone ≤ 30 s; its job goes on elsewhere, and no attempt is counted",
        f"gone after {seconds:.0f} s; 1 attempt, succeeded",
    )
