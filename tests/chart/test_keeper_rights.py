"""What the keeper may do in Kubernetes: its Role and its admission policy on a real API server."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from parley_keeper.pod_deletion_cost import BUSY_MARKS, COST
from tests.chart.rendering import Manifest, render
from tests.support.kubernetes import KubernetesApi, programs
from tests.support.waiting import until

SPACE = "space"
PODS = f"/api/v1/namespaces/{SPACE}/pods"
KEEPER = f"system:serviceaccount:{SPACE}:release-parley-keeper"
POLICIES = "/apis/admissionregistration.k8s.io/v1"
RBAC = f"/apis/rbac.authorization.k8s.io/v1/namespaces/{SPACE}"
PATHS = {
    "Role": f"{RBAC}/roles",
    "RoleBinding": f"{RBAC}/rolebindings",
    "ValidatingAdmissionPolicy": f"{POLICIES}/validatingadmissionpolicies",
    "ValidatingAdmissionPolicyBinding": f"{POLICIES}/validatingadmissionpolicybindings",
}


def pod(name: str, instance: str, component: str) -> Manifest:
    labels = {"app.kubernetes.io/instance": instance, "app.kubernetes.io/component": component}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "labels": labels, "annotations": {"kept": "yes"}},
        "spec": {"containers": [{"name": "one", "image": "one"}], "automountServiceAccountToken": False},
    }


@pytest.fixture(scope="module")
def api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[KubernetesApi]:
    """An API server with the keeper's rights of a rendered release, and four pods."""
    if not programs():
        pytest.skip("etcd and kube-apiserver are neither on PATH nor built for the development cluster")
    server = KubernetesApi(tmp_path_factory.mktemp("kubernetes"))
    try:
        server.start()
        server.create("/api/v1/namespaces", {"metadata": {"name": SPACE}})
        for manifest in render({"keeper": {"admissionPolicy": "always"}}):
            if manifest["kind"] in PATHS:
                server.create(PATHS[manifest["kind"]], manifest)
        for name, instance, component in (
            ("worker", "release", "worker"),
            ("api", "release", "api"),
            ("foreign", "other", "worker"),
        ):
            server.create(PODS, pod(name, instance, component))
        # A policy holds some moments after it was created.
        until(lambda: patch(server, "api", {"metadata": {"annotations": {"probe": os.urandom(4).hex()}}}).is_error)
        yield server
    finally:
        server.stop()


def patch(api: KubernetesApi, name: str, body: Any, user: str = KEEPER) -> httpx.Response:
    """Patch a pod as somebody; a list is a JSON patch."""
    kind = "json-patch" if isinstance(body, list) else "merge-patch"
    headers = {"Impersonate-User": user, "Content-Type": f"application/{kind}+json"}
    return api.http.patch(f"{PODS}/{name}", json=body, headers=headers)


def test_the_keeper_sets_and_removes_the_marks_of_a_busy_worker(api: KubernetesApi) -> None:
    for marks in ({COST: "2", **BUSY_MARKS}, {COST: "0", **dict.fromkeys(BUSY_MARKS)}):
        answer = patch(api, "worker", {"metadata": {"annotations": marks}})
        assert answer.is_success, answer.text
        written = {name: value for name, value in marks.items() if value is not None}
        assert answer.json()["metadata"]["annotations"] == {"kept": "yes", **written}


@pytest.mark.parametrize(
    ("name", "body"),
    [
        ("api", {"metadata": {"annotations": {COST: "1"}}}),
        ("foreign", {"metadata": {"annotations": {COST: "1"}}}),
        ("worker", {"metadata": {"annotations": {"other": "1"}}}),
        ("worker", {"metadata": {"annotations": {"kept": "no"}}}),
        ("worker", {"metadata": {"annotations": {"kept": None}}}),
        ("worker", {"metadata": {"annotations": None}}),
        ("worker", {"metadata": {"labels": {"app.kubernetes.io/instance": "other"}}}),
        ("worker", {"metadata": {"labels": None}}),
        ("worker", {"metadata": {"finalizers": ["stuck.example/here"]}}),
        ("worker", {"metadata": {"ownerReferences": [{"apiVersion": "v1", "kind": "Pod", "name": "x", "uid": "y"}]}}),
        ("worker", {"spec": {"activeDeadlineSeconds": 1}}),
        ("worker", [{"op": "replace", "path": "/spec/containers/0/image", "value": "evil"}]),
    ],
    ids=lambda value: value if isinstance(value, str) else None,
)
def test_the_keeper_changes_nothing_else(api: KubernetesApi, name: str, body: Any) -> None:
    answer = patch(api, name, body)
    assert answer.status_code in (403, 422), answer.text
    assert "The keeper changes" in answer.json()["message"]


def test_the_keeper_neither_creates_nor_deletes_pods_and_others_are_not_concerned(api: KubernetesApi) -> None:
    as_keeper = {"Impersonate-User": KEEPER}
    assert api.http.post(PODS, json=pod("new", "release", "worker"), headers=as_keeper).status_code == 403
    assert api.http.delete(f"{PODS}/worker", headers=as_keeper).status_code == 403
    status = api.http.patch(
        f"{PODS}/worker/status",
        json={"status": {"phase": "Failed"}},
        headers=as_keeper | {"Content-Type": "application/merge-patch+json"},
    )
    assert status.status_code == 403
    answer = api.http.patch(
        f"{PODS}/foreign",
        json={"metadata": {"annotations": {"other": "1"}}},
        headers={"Content-Type": "application/merge-patch+json"},
    )
    assert answer.is_success, answer.text


def test_the_policy_is_made_where_the_cluster_serves_it_or_by_value() -> None:
    kind, served = "ValidatingAdmissionPolicy", "admissionregistration.k8s.io/v1/ValidatingAdmissionPolicy"
    assert len(render(None, served).of(kind)) == len(render({"keeper": {"admissionPolicy": "always"}}).of(kind)) == 1
    assert not render({"keeper": {"admissionPolicy": "never"}}, served).of(kind)
    (made,) = render(None, served).of(kind)
    assert "namespace" not in made["metadata"]
    assert made["metadata"]["name"] == "space-release-parley-keeper"
