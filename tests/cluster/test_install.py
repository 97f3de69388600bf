"""One command installs a working, private service: first turns, stable passwords, two releases."""

from __future__ import annotations

import time

import pytest

from tests.cluster.conftest import Results
from tests.cluster.kubernetes import Manifest, Namespace, namespace, until
from tests.cluster.release import Release

pytestmark = pytest.mark.timeout(900)
FIRST_SECONDS = 120


@pytest.fixture(scope="module")
def installed(release: Release, sample: bytes, results: Results) -> Release:
    started = time.monotonic()
    said = release.install()
    assert "would violate PodSecurity" not in said, said
    release.wait_for_api()
    ready = time.monotonic() - started
    (job,) = release.finish([release.submit(sample)], FIRST_SECONDS)
    took = time.monotonic() - started
    assert job["state"] == "succeeded", job
    assert took <= FIRST_SECONDS
    speakers = {turn["speaker"] for turn in release.turns(job["id"])}
    assert len(speakers) >= 2
    results.add(
        "`helm install` with default values, one recording by the API",
        f"turns, first `succeeded` ≤ {FIRST_SECONDS} s",
        f"API ready after {ready:.0f} s, {len(speakers)} speakers after {took:.0f} s",
    )
    results.add("namespace that enforces `restricted`", "installs with no warning", "no warning")
    return release


def test_the_first_recording_gives_turns(installed: Release) -> None:
    assert installed.space.pods(installed.component("api"))


def test_helm_test_passes(installed: Release, results: Results) -> None:
    said = installed.helm("test", "--logs", chart=False)
    assert "Succeeded" in said
    line = next(line for line in said.splitlines() if "turns of" in line)
    results.add("`helm test`", "the shipped conversation comes back as turns", line)


def test_every_pod_is_ready_and_none_restarted(installed: Release) -> None:
    selector = f"app.kubernetes.io/instance={installed.name},app.kubernetes.io/component!=test"
    until("every pod is ready", 60, lambda: len(installed.space.ready(selector)) == len(installed.space.pods(selector)))
    for pod in installed.space.pods(selector):
        for status in pod["status"]["containerStatuses"]:
            assert status["restartCount"] == 0, pod["metadata"]["name"]


def test_no_role_was_refused_by_redis(installed: Release) -> None:
    """Redis counts every command or key that its access list refused: a working service has none."""
    denied = installed.redis("info", "stats", user="probe")
    counts = dict(line.strip().split(":", 1) for line in denied.splitlines() if ":" in line)
    refused = {key: value for key, value in counts.items() if key.startswith("acl_access_denied")}
    assert set(refused.values()) == {"0"}, refused


def test_redis_refuses_access_without_a_password(installed: Release) -> None:
    answer = installed.space.kubectl(
        "exec", f"{installed.fullname}-redis-0", "--", "env", "-u", "REDISCLI_AUTH", "redis-cli", "ping"
    )
    assert "NOAUTH" in answer


def test_passwords_are_unchanged_after_three_upgrades(installed: Release, results: Results) -> None:
    before = installed.password_fingerprint()
    for annotation in ("one", "two", "three"):
        installed.install({"commonAnnotations": {"upgrade": annotation}}, "--wait", "--timeout", "5m")
    assert installed.password_fingerprint() == before
    results.add("passwords and keys after three upgrades", "unchanged", "unchanged")


def test_a_second_release_in_the_same_namespace_works_beside_the_first(
    installed: Release, space: Namespace, sample: bytes, results: Results
) -> None:
    second = Release(space, "second")
    second.install()
    second.wait_for_api()
    (job,) = second.finish([second.submit(sample)], 180)
    assert job["state"] == "succeeded", job
    assert second.key != installed.key
    assert second.http.get(f"/v1/jobs/{job['id']}").status_code == 200
    assert installed.http.get(f"/v1/jobs/{job['id']}").status_code == 404
    results.add("two releases in one namespace", "both work", "both work, neither sees the other's jobs")
    second.helm("uninstall", "--wait", chart=False)


def test_a_second_install_in_another_namespace_works_beside_the_first(
    installed: Release, sample: bytes, results: Results
) -> None:
    with namespace("e2e-install-other") as other:
        second = Release(other, installed.name)  # the same name, too
        second.install({"userId": 1000650000})  # such as OpenShift gives: no image knows it
        second.wait_for_api()
        (job,) = second.finish([second.submit(sample)], 180)
        assert job["state"] == "succeeded", job
        assert installed.http.get(f"/v1/jobs/{job['id']}").status_code == 404
        with_other_key = {"Authorization": f"Bearer {second.key}"}
        assert installed.http.get("/v1/jobs", headers=with_other_key).status_code == 401
    results.add(
        "second install in another namespace, same name, as user 1000650000",
        "both work",
        "both work, neither takes the other's key",
    )


WRONG: dict[str, tuple[Manifest, str]] = {
    "unknown key": ({"wokers": []}, "wokers"),
    "external Redis without address": ({"redis": {"mode": "external"}}, "set the host of your Redis"),
    "eviction policy": ({"redis": {"maxmemoryPolicy": "allkeys-lru"}}, "only noeviction keeps accepted jobs"),
    "grace too short": ({"workers": [{"name": "b", "queue": "batch", "gracePeriodSeconds": 5}]}, "gracePeriodSeconds"),
}


def test_wrong_values_are_refused_with_a_message(space: Namespace, results: Results) -> None:
    wrong = Release(space, "wrong")
    for values, message in WRONG.values():
        with pytest.raises(AssertionError, match=message):
            wrong.install(values)
    assert "wrong" not in space.kubectl("get", "all,secrets,persistentvolumeclaims", "--output", "name")
    results.add(f"wrong values: {', '.join(WRONG)}", "refused with a message", f"{len(WRONG)} of {len(WRONG)} refused")
