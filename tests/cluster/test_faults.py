"""Pods that are killed cost time, but no job."""

from __future__ import annotations

import time

import pytest

from tests.cluster.conftest import SLOW, Results
from tests.cluster.kubernetes import Manifest, until
from tests.cluster.release import Release

pytestmark = pytest.mark.timeout(900)
JOBS = 8
SUBMITS = 10  # before and after the object store is killed
PROBED_SECONDS = 20.0  # longer than three readiness probes, after which a failing pod leaves the Service
WORKING: Manifest = {
    "limits": {"leaseSeconds": 10},
    "api": {"autoscaling": {"enabled": False}, "replicas": 2},
    "flower": {"enabled": False},
    "workers": [
        {
            "name": "batch",
            "queue": "batch",
            "engine": SLOW,
            "extraEnv": [{"name": "PARLEY_SCRIPTED_SECONDS", "value": "5"}],
            "replicas": 2,
            "autoscaling": {"keda": "never"},
            "resources": {"requests": {"cpu": "20m", "memory": "128Mi"}, "limits": {"memory": "1Gi"}},
        }
    ],
}


@pytest.fixture(scope="module")
def working(release: Release) -> Release:
    release.install(WORKING, "--wait", "--timeout", "5m")
    release.wait_for_api()
    return release


def kill(release: Release, pod: str) -> None:
    release.space.kubectl("delete", "pod", pod, "--force", "--grace-period=0")


def check(release: Release, ids: list[str], seconds: float = 240) -> list[Manifest]:
    """Return the jobs. All succeeded, and once: the record counts each transition in its script."""
    jobs = release.finish(ids, seconds)
    assert [job["state"] for job in jobs] == ["succeeded"] * len(ids)
    assert len({job["id"] for job in jobs}) == len(ids)
    return jobs


def succeeded(release: Release) -> int:
    return int(release.redis("hget", "parley:stats", "jobs_succeeded|queue=batch") or 0)


@pytest.mark.parametrize("part", ["worker", "redis", "api", "keeper"])
def test_killing_a_pod_loses_no_job_and_runs_none_twice(
    working: Release, short: bytes, results: Results, part: str
) -> None:
    until("every part is up", 120, lambda: working.is_ready() and idle(working))
    before = succeeded(working)
    ids = working.submit_many(JOBS, short, "batch")
    until("a job runs", 30, lambda: any(working.job(job_id)["state"] == "running" for job_id in ids))
    pods = [pod["metadata"]["name"] for pod in working.space.pods(working.component(part))]
    started = time.monotonic()
    kill(working, busy_pod(working, ids) if part == "worker" else pods[0])
    until("the API answers", 120, working.is_ready)
    jobs = check(working, ids)
    doubled = succeeded(working) - before - len(ids)
    assert doubled == 0
    again = sum(len(job["attempts"]) - 1 for job in jobs)
    results.add(
        f"`kubectl delete pod --force` on {part}",
        "0 lost, 0 doubled",
        f"0 lost, 0 doubled; {again} attempts repeated, all done {time.monotonic() - started:.0f} s later",
    )


def test_submits_wait_for_a_killed_object_store(working: Release, short: bytes, results: Results) -> None:
    until("every part is up", 120, lambda: working.is_ready() and idle(working))
    before, waits = succeeded(working), []
    ids = []
    for turn in range(SUBMITS):
        if turn == 2:
            kill(working, f"{working.fullname}-objects-0")
        started = time.monotonic()
        ids.append(working.submit(short, "batch"))
        waits.append(time.monotonic() - started)
    jobs = check(working, ids)
    assert succeeded(working) - before == len(ids)
    again = sum(len(job["attempts"]) - 1 for job in jobs)
    results.add(
        "`kubectl delete pod --force` on the object store, submits under way",
        "0 lost, 0 doubled, no submit refused",
        f"{len(ids)} of {len(ids)} accepted and done, the longest wait {max(waits):.1f} s; {again} attempts repeated",
    )


def test_submits_are_accepted_while_redis_is_away(working: Release, short: bytes, results: Results) -> None:
    until("every part is up", 120, lambda: working.is_ready() and idle(working))
    before = succeeded(working)
    redis = f"statefulset/{working.fullname}-redis"
    working.space.kubectl("scale", redis, "--replicas", "0")
    until("redis is gone", 60, lambda: not working.space.get("pods", selector=working.component("redis"))["items"])
    time.sleep(PROBED_SECONDS)
    ids = [working.submit(short, "batch") for _ in range(3)]
    working.space.kubectl("scale", redis, "--replicas", "1")
    check(working, ids)
    assert succeeded(working) - before == len(ids)
    results.add(
        f"Redis away for {PROBED_SECONDS:.0f} s: submits through the Service",
        "202, and done when it is back",
        f"{len(ids)} of {len(ids)} accepted and done, 0 doubled",
    )


def idle(release: Release) -> bool:
    """Return whether the queue is empty: a job of an earlier test would count as doubled."""
    ready = release.space.ready(release.component("redis"))
    return bool(ready) and release.redis("zcard", "parley:unfinished:batch") == "0"


def busy_pod(release: Release, ids: list[str]) -> str:
    running = [job for job in (release.job(job_id) for job_id in ids) if job["state"] == "running"]
    return str(running[0]["attempts"][-1]["worker"].partition("/")[0])
