"""A larger volume is refused by Helm with a message, and made by the driver."""

from __future__ import annotations

import json
from types import SimpleNamespace
from typing import Any

import pytest
from kubernetes import client
from kubernetes.client.exceptions import ApiException

from k8s import volumes
from k8s.deploy import merged, reason_of
from tests.chart.rendering import VALUES, Manifest, refusal, render

Calls = list[tuple[str, str, Any]]


def checking(size: str, installed: str) -> Manifest:
    """Return values that call the check of the chart: a render without a cluster finds no installed volume."""
    arguments = f'"key" "redis.persistence.size" "size" "{size}" "installed" "{installed}"'
    name = f'{{{{ include "parley.checks.size" (dict {arguments}) }}}}same'
    return {"extraManifests": [{"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}}]}


SAME = [("4Gi", "4Gi"), ("1024Mi", "1Gi"), ("0.5Gi", "512Mi"), ("2000M", "2G")]


@pytest.mark.parametrize(("size", "installed"), SAME)
def test_an_upgrade_with_the_same_size_is_accepted(size: str, installed: str) -> None:
    assert "same" in [manifest["metadata"]["name"] for manifest in render(checking(size, installed)).of("ConfigMap")]


def test_helm_refuses_a_larger_volume_and_says_what_to_do() -> None:
    said = refusal(checking("8Gi", "4Gi"))
    assert "redis.persistence.size is 8Gi, and the installed volume has 4Gi" in said
    assert "python -m k8s.deploy upgrade" in said
    assert "Kubernetes cannot shrink volumes. Set it to 4Gi." in refusal(checking("4000M", "4Gi"))


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> Calls:
    """A cluster with the volumes of a release `clinic`; the calls that change it."""
    made: Calls = []
    deleted: set[str] = set()

    def stateful_sets(_: Any, namespace: str, label_selector: str = "", field_selector: str = "") -> Any:
        component = label_selector.rpartition("=")[2] or field_selector.rpartition("-")[2]
        name = f"clinic-parley-{component}"
        requests = {"storage": {"redis": "4Gi", "objects": "50Gi"}[component]}
        claim = SimpleNamespace(
            metadata=SimpleNamespace(name="data"), spec=SimpleNamespace(resources=SimpleNamespace(requests=requests))
        )
        found = SimpleNamespace(
            metadata=SimpleNamespace(name=name), spec=SimpleNamespace(volume_claim_templates=[claim], replicas=1)
        )
        return SimpleNamespace(items=[] if name in deleted else [found])

    def patch(_: Any, name: str, namespace: str, body: Any) -> None:
        made.append(("patch", name, body["spec"]["resources"]["requests"]["storage"]))

    def delete(_: Any, name: str, namespace: str, propagation_policy: str) -> None:
        made.append(("delete", name, propagation_policy))
        deleted.add(name)

    monkeypatch.setattr(client.AppsV1Api, "list_namespaced_stateful_set", stateful_sets)
    monkeypatch.setattr(client.CoreV1Api, "patch_namespaced_persistent_volume_claim", patch)
    monkeypatch.setattr(client.AppsV1Api, "delete_namespaced_stateful_set", delete)
    return made


def growths(values: Manifest) -> list[volumes.Growth]:
    return volumes.growths(merged(VALUES, values), "clinic", "space")


def test_the_driver_enlarges_the_claim_and_then_deletes_the_stateful_set_without_its_pod(calls: Calls) -> None:
    (growth,) = growths({"redis": {"persistence": {"size": "8Gi"}}})
    assert str(growth) == "redis.persistence.size: data-clinic-parley-redis-0 grows from 4Gi to 8Gi"
    volumes.grow(growth, "space")
    assert calls == [
        ("patch", "data-clinic-parley-redis-0", "8Gi"),
        ("delete", "clinic-parley-redis", "Orphan"),
    ]


def test_the_driver_enlarges_the_claim_of_each_pod(calls: Calls) -> None:
    claims = ("data-clinic-parley-redis-0", "data-clinic-parley-redis-1")
    growth = volumes.Growth("redis.persistence.size", "clinic-parley-redis", claims, "4Gi", "8Gi")
    assert str(growth).endswith("data-clinic-parley-redis-0, data-clinic-parley-redis-1 grow from 4Gi to 8Gi")
    volumes.grow(growth, "space")
    assert [name for _, name, _ in calls] == [*claims, "clinic-parley-redis"]


def test_the_driver_changes_nothing_where_sizes_are_equal_or_there_is_no_volume(calls: Calls) -> None:
    assert growths({}) == []
    assert growths({"redis": {"persistence": {"size": "4096Mi"}}}) == []
    assert growths({"redis": {"mode": "external"}, "objects": {"kind": "url"}}) == []
    assert calls == []


def test_the_driver_refuses_a_smaller_volume(calls: Calls) -> None:
    with pytest.raises(SystemExit, match=r"size is 10Gi, and the volume has 50Gi\. .* cannot shrink"):
        growths({"objects": {"embedded": {"size": "10Gi"}}})


def test_a_storage_class_that_cannot_enlarge_volumes_leaves_the_stateful_set(
    calls: Calls, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: Any) -> None:
        raise ApiException(status=403, reason="Forbidden")

    monkeypatch.setattr(client.CoreV1Api, "patch_namespaced_persistent_volume_claim", refuse)
    (growth,) = growths({"redis": {"persistence": {"size": "8Gi"}}})
    with pytest.raises(ApiException):
        volumes.grow(growth, "space")
    assert calls == []


def test_the_reason_of_the_api_server_is_shown() -> None:
    error = ApiException(status=403, reason="Forbidden")
    assert reason_of(error) == "403 Forbidden"
    error.body = json.dumps({"message": "the storageclass must support resize"})
    assert reason_of(error) == "the storageclass must support resize"
