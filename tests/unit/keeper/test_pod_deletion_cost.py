"""Busy pods are marked, idle ones unmarked, and Kubernetes hears of changes alone."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from parley_core.errors import JobStoreUnavailable
from parley_keeper.pod_deletion_cost import (
    BUSY_MARKS,
    COST,
    INCOMPLETE,
    KubernetesPods,
    PodDeletionCosts,
    PodsUnavailable,
    host_name,
    leases_by_pod,
    worker_pods,
)
from tests.support.fakes.jobs import MemoryJobStore


class Pods:
    """Worker pods in memory."""

    def __init__(self, **costs: int) -> None:
        self.current = {name.replace("_", "-"): cost for name, cost in costs.items()}
        self.written: list[tuple[str, int]] = []

    def costs(self) -> dict[str, int]:
        return dict(self.current)

    def set_cost(self, pod: str, cost: int) -> None:
        self.current[pod] = cost
        self.written.append((pod, cost))


class Leases:
    """The one question that is asked of the store."""

    def __init__(self, **running: int) -> None:
        self.running = running

    def running_by_worker(self) -> dict[str, int]:
        return self.running


def scale_in(leases: dict[str, int], pods: Pods) -> PodDeletionCosts:
    store: Any = Leases(**leases)
    return PodDeletionCosts(store, pods)


def test_a_pod_costs_what_its_processes_hold() -> None:
    assert leases_by_pod({"pod-a/x1/17": 1, "pod-a/x1/18": 1, "pod-b/y2/17": 1}) == {"pod-a": 2, "pod-b": 1}


def test_only_changes_are_written() -> None:
    pods = Pods(busy=0, idle=2, same=1, quiet=0)
    run_once = scale_in({"busy/i/1": 1, "same/i/1": 1}, pods).run_once
    assert run_once(lambda: None) == 2
    assert sorted(pods.written) == [("busy", 1), ("idle", 0)]
    assert run_once(lambda: None) == 0
    assert len(pods.written) == 2


def test_a_pod_with_a_long_name_goes_by_its_cut_host_name() -> None:
    name = "release-with-a-name-of-forty-characters-worker-interactive-7d9c5b8f6d-x2x4z"
    assert len(host_name(name)) <= 63
    pods = Pods()
    pods.current = {name: 0}
    scale_in({f"{host_name(name)}/i/1": 1}, pods).run_once(lambda: None)
    assert pods.written == [(name, 1)]


def test_nothing_is_unmarked_while_the_store_is_away() -> None:
    class Away(MemoryJobStore):
        def running_by_worker(self) -> dict[str, int]:
            raise JobStoreUnavailable("away")

    pods = Pods(busy=2)
    with pytest.raises(JobStoreUnavailable):
        PodDeletionCosts(Away(), pods).run_once(lambda: None)
    assert pods.written == []


def test_outside_a_cluster_there_are_no_pods(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PARLEY_WORKER_PODS", "app=worker")
    assert worker_pods() is None


class FakeApi:
    """Answers as the Kubernetes client does."""

    def __init__(self, status: int = 200) -> None:
        self.status = status
        self.patched: list[tuple[str, str, Any]] = []

    def list_namespaced_pod(self, namespace: str, **options: Any) -> Any:
        self._refuse()
        assert options["label_selector"] == "app=worker"
        annotated = [
            ("new", None),
            ("busy", {COST: "3", **BUSY_MARKS}),
            ("nonsense", {COST: "nonsense"}),
            ("busy without marks", {COST: "3"}),
            ("idle with a mark", {COST: "0", "karpenter.sh/do-not-disrupt": "true"}),
        ]
        return SimpleNamespace(
            items=[SimpleNamespace(metadata=SimpleNamespace(name=n, annotations=a)) for n, a in annotated]
        )

    def patch_namespaced_pod(self, pod: str, namespace: str, body: Any, **options: Any) -> None:
        self._refuse()
        self.patched.append((pod, namespace, body))

    def _refuse(self) -> None:
        exceptions = pytest.importorskip("kubernetes.client.exceptions")
        if self.status != 200:
            raise exceptions.ApiException(status=self.status, reason="no")


def test_costs_are_read_and_written_as_annotations() -> None:
    api = FakeApi()
    pods = KubernetesPods(api, "space", "app=worker")
    wrong = dict.fromkeys(("nonsense", "busy without marks", "idle with a mark"), INCOMPLETE)
    assert pods.costs() == {"new": 0, "busy": 3} | wrong
    pods.set_cost("a", 2)
    busy = {
        COST: "2",
        "cluster-autoscaler.kubernetes.io/safe-to-evict": "false",
        "karpenter.sh/do-not-disrupt": "true",
    }
    assert api.patched == [("a", "space", {"metadata": {"annotations": busy}})]


def test_an_idle_pod_lets_node_autoscalers_take_its_node() -> None:
    api = FakeApi()
    KubernetesPods(api, "space", "app=worker").set_cost("b", 0)
    ((_, _, body),) = api.patched
    assert body["metadata"]["annotations"] == {
        COST: "0",
        "cluster-autoscaler.kubernetes.io/safe-to-evict": None,
        "karpenter.sh/do-not-disrupt": None,
    }


def test_a_pod_that_is_gone_needs_no_mark_but_a_refusal_is_told() -> None:
    KubernetesPods(FakeApi(404), "space", "app=worker").set_cost("a", 1)
    with pytest.raises(PodsUnavailable, match="403"):
        KubernetesPods(FakeApi(403), "space", "app=worker").set_cost("a", 1)
    with pytest.raises(PodsUnavailable, match="404"):
        KubernetesPods(FakeApi(404), "space", "app=worker").costs()
