"""A worker decodes untrusted recordings: it reaches Redis, the object store and DNS, and nothing else."""

from __future__ import annotations

import json

import pytest

from tests.cluster.conftest import Results
from tests.cluster.release import Release

pytestmark = pytest.mark.timeout(600)

PROBE = """
import json, socket, sys
def reach(host, port):
    try:
        socket.create_connection((host, port), timeout=3).close()
        return "reached"
    except OSError as error:
        return type(error).__name__
print(json.dumps({name: reach(host, port) for name, host, port in json.loads(sys.argv[1])}))
"""


def address(release: Release, service: str, namespace: str = "") -> str:
    space = ["--namespace", namespace] if namespace else []
    found = release.space.kubectl("get", "service", service, *space, "--output", "jsonpath={.spec.clusterIP}")
    return found.strip()


def test_egress_of_a_worker(release: Release, results: Results) -> None:
    release.install({}, "--wait", "--timeout", "5m")
    pod = release.space.ready(release.worker("interactive"))[0]
    targets = [
        ("redis", f"{release.fullname}-redis", 6379),
        ("object store", f"{release.fullname}-objects", 7070),
        ("api", address(release, f"{release.fullname}-api"), 7001),
        ("flower", address(release, f"{release.fullname}-flower"), 5555),
        ("kubernetes", address(release, "kubernetes", "default"), 443),
        ("keeper", f"{release.space.pods(release.component('keeper'))[0]['status']['podIP']}", 7002),
        ("host", release.space.pods(release.component("keeper"))[0]["status"]["hostIP"], 10250),
    ]
    said = release.space.kubectl("exec", pod, "--", "python", "-c", PROBE, json.dumps(targets))
    reached = {name for name, answer in json.loads(said).items() if answer == "reached"}
    assert reached == {"redis", "object store"}, said
    refused = ", ".join(name for name, _, _ in targets if name not in reached)
    results.add("egress from a worker", "Redis, object store, DNS; all else refused", f"refused: {refused}")


def test_the_keeper_reaches_the_kubernetes_api_and_changes_marks_alone(release: Release, results: Results) -> None:
    keeper = release.space.ready(release.component("keeper"))[0]
    host = release.space.pods(release.component("keeper"))[0]["status"]["hostIP"]
    targets = [
        ("kubernetes", address(release, "kubernetes", "default"), 443),
        ("api", address(release, f"{release.fullname}-api"), 7001),
        ("host", host, 10250),
    ]
    said = release.space.kubectl("exec", keeper, "--", "python", "-c", PROBE, json.dumps(targets))
    assert {name for name, answer in json.loads(said).items() if answer == "reached"} == {"kubernetes"}, said
    worker = release.space.ready(release.worker("interactive"))[0]
    user = f"system:serviceaccount:{release.space.name}:{release.fullname}-keeper"
    cost = "controller.kubernetes.io/pod-deletion-cost=7"
    release.space.kubectl("annotate", "pod", worker, cost, "--overwrite", "--as", user)
    refused = [("annotate", worker, "other=1"), ("label", worker, "other=1"), ("annotate", keeper, cost)]
    for verb, pod, words in refused:
        with pytest.raises(AssertionError, match="The keeper changes"):
            release.space.kubectl(verb, "pod", pod, words, "--as", user)
    results.add(
        "rights of the keeper",
        "Kubernetes API alone; three annotations of workers",
        f"refused: api, host; {len(refused)} of {len(refused)} other changes",
    )


def test_the_api_reaches_no_webhook_and_no_cluster(release: Release) -> None:
    pod = release.space.ready(release.component("api"))[0]
    targets = [
        ("kubernetes", address(release, "kubernetes", "default"), 443),
        ("redis", f"{release.fullname}-redis", 6379),
    ]
    said = release.space.kubectl("exec", pod, "--", "python", "-c", PROBE, json.dumps(targets))
    assert json.loads(said)["kubernetes"] != "reached"
    assert json.loads(said)["redis"] == "reached"
