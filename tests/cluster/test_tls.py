"""A release that encrypts everything inside, on a real cluster: switched on under work, with KEDA and three Redis."""

from __future__ import annotations

import httpx
import pytest
import yaml

from k8s.images import REDIS_WITH_TLS
from tests.cluster.conftest import Results
from tests.cluster.kubernetes import Manifest, Namespace, until
from tests.cluster.release import IMAGES, Release
from tests.cluster.test_faults import check
from tests.cluster.test_scaling import keda_ready, values

pytestmark = pytest.mark.timeout(1200)
JOBS = 8
SECURE: Manifest = {"tls": {"enabled": True}}


def redis_with_tls() -> Manifest:
    """Return values that name a Redis with TLS, where `make images` has built replacements of the upstream images."""
    replaced = yaml.safe_load(IMAGES.read_text())["images"].get("registry") == "localhost"
    return {"images": {"redis": REDIS_WITH_TLS}} if replaced else {}


def test_tls_is_switched_on_without_losing_a_job(space: Namespace, short: bytes, results: Results) -> None:
    plain, secure = Release(space, "main"), Release(space, "main", secure=True)
    installed = values(5.0) | {"redis": {"mode": "sentinel"}} | redis_with_tls()
    plain.install(installed, "--wait", "--timeout", "8m")
    plain.wait_for_api()
    pod = space.ready(plain.component("redis"))[0]
    if "--tls" not in space.kubectl("exec", pod, "--container", "redis", "--", "redis-cli", "--help"):
        pytest.skip("the image of Redis speaks no TLS")
    until("KEDA knows the queue", 60, lambda: keda_ready(plain))
    before = plain.submit_many(JOBS, short, "batch")
    plain.install(installed | SECURE, "--wait", "--timeout", "8m")
    secure.wait_for_api()
    check(secure, before)
    until("no worker is left", 240, lambda: not space.pods(secure.component("worker")))
    check(secure, secure.submit_many(JOBS, short, "batch"))
    with pytest.raises(httpx.HTTPError):
        plain.http.get("/livez")
    results.add(
        f"TLS inside switched on while {JOBS} jobs are under way; then {JOBS} jobs from zero workers",
        "0 lost, 0 doubled; KEDA reaches Redis over TLS; plain text is refused",
        "0 lost, 0 doubled; KEDA scaled from zero, plain text was refused",
    )
