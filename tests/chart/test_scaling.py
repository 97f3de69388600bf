"""Workers scale on unfinished jobs, and nothing that scales has a fixed number of replicas."""

from __future__ import annotations

from typing import Any

import pytest

from parley_worker.celery.planned_stop import FORCE_SECONDS
from tests.chart.rendering import KEDA, Manifest, environment, refusal, render

BATCH: Manifest = {"name": "batch", "queue": "batch"}


def workers(*entries: Manifest, **values: Any) -> Manifest:
    return {"workers": list(entries), **values}


def test_one_deployment_per_entry_with_its_own_settings() -> None:
    big: Manifest = {"name": "big", "queue": "batch", "concurrency": 4, "resources": {"limits": {"memory": "8Gi"}}}
    rendered = render(workers(BATCH, big))
    assert len(rendered.of("Deployment", "worker")) == 2
    pod = rendered.one("Deployment", "-worker-big")["spec"]["template"]["spec"]
    assert environment(pod)["PARLEY_CONCURRENCY"] == "4"
    assert environment(pod)["PARLEY_QUEUES"] == "batch"
    # requests come from workerDefaults, since the entry sets limits only
    assert pod["containers"][0]["resources"] == {
        "requests": {"cpu": "1", "memory": "1Gi"},
        "limits": {"memory": "8Gi"},
    }


def test_workers_of_two_entries_select_different_pods() -> None:
    deployments = render(workers(BATCH, {"name": "more", "queue": "batch"})).of("Deployment", "worker")
    selectors = [tuple(sorted(d["spec"]["selector"]["matchLabels"].items())) for d in deployments]
    assert len(set(selectors)) == 2


def test_keda_reads_the_unfinished_jobs_of_the_queue() -> None:
    rendered = render(workers(BATCH | {"concurrency": 3}), KEDA)
    (trigger,) = rendered.one("ScaledObject", "-worker-batch")["spec"]["triggers"]
    assert trigger["metadata"]["listName"] == "parley:unfinished:batch"
    assert trigger["metadata"]["listLength"] == "3"
    assert trigger["metadata"]["address"] == "release-parley-redis.space.svc:6379"
    assert "password" not in str(trigger["metadata"]).lower()


def test_keda_has_its_own_password() -> None:
    (reference,) = render({}, KEDA).one("TriggerAuthentication", "-keda")["spec"]["secretTargetRef"]
    assert (reference["parameter"], reference["key"]) == ("password", "keda-password")


def test_replicas_are_not_set_beside_an_autoscaler() -> None:
    with_keda, without = render({}, KEDA), render()
    for deployment in with_keda.of("Deployment", "worker"):
        assert "replicas" not in deployment["spec"]
    for deployment in without.of("Deployment", "worker"):
        assert deployment["spec"]["replicas"] == 1
    assert not without.of("ScaledObject")
    assert "replicas" not in without.one("Deployment", "-api")["spec"]
    fixed = render({"api": {"replicas": 3, "autoscaling": {"enabled": False}}})
    assert fixed.one("Deployment", "-api")["spec"]["replicas"] == 3
    assert not fixed.of("HorizontalPodAutoscaler")


@pytest.mark.parametrize(("keda", "apis", "scaled"), [("always", (), True), ("never", (KEDA,), False)])
def test_keda_can_be_forced_or_disabled(keda: str, apis: tuple[str, ...], scaled: bool) -> None:
    rendered = render({"workerDefaults": {"autoscaling": {"keda": keda}}}, *apis)
    assert bool(rendered.of("ScaledObject")) is scaled
    assert all(("replicas" in d["spec"]) is not scaled for d in rendered.of("Deployment", "worker"))


def test_a_queue_can_scale_to_zero() -> None:
    rendered = render({}, KEDA)
    assert rendered.one("ScaledObject", "-worker-batch")["spec"]["minReplicaCount"] == 0
    assert rendered.one("ScaledObject", "-worker-batch")["spec"]["cooldownPeriod"] == 300
    assert rendered.one("ScaledObject", "-worker-interactive")["spec"]["minReplicaCount"] == 1


def test_an_outage_of_redis_removes_no_pod() -> None:
    for scaled in render({}, KEDA).of("ScaledObject"):
        assert scaled["spec"]["fallback"]["behavior"] == "currentReplicasIfHigher"
        assert scaled["spec"]["fallback"]["replicas"] >= 1


def test_workers_scale_up_at_once_and_down_slowly() -> None:
    spec = render({}, KEDA).one("ScaledObject", "-worker-interactive")["spec"]
    behavior = spec["advanced"]["horizontalPodAutoscalerConfig"]["behavior"]
    assert behavior["scaleUp"]["stabilizationWindowSeconds"] == 0
    assert behavior["scaleUp"]["policies"][0]["value"] == spec["maxReplicaCount"]
    assert behavior["scaleDown"]["stabilizationWindowSeconds"] == 300


def test_the_grace_period_is_enough_to_give_jobs_back_and_no_node_waits_for_hours() -> None:
    rendered = render()
    for deployment in rendered.of("Deployment", "worker"):
        grace = deployment["spec"]["template"]["spec"]["terminationGracePeriodSeconds"]
        assert FORCE_SECONDS + 5 < grace <= 120
    assert "gracePeriodSeconds" in refusal(workers(BATCH | {"gracePeriodSeconds": 29}))
    assert render(workers(BATCH | {"gracePeriodSeconds": 30}))


def test_the_liveness_probe_reads_the_liveness_file() -> None:
    container = render().one("Deployment", "-worker-batch")["spec"]["template"]["spec"]["containers"][0]
    assert container["livenessProbe"]["exec"]["command"] == ["python", "-m", "parley_worker.liveness"]
    assert container["command"] == ["python", "-m", "parley_worker"]


def test_a_gpu_is_a_limit_of_the_pod() -> None:
    entry: Manifest = {"name": "gpu", "queue": "batch", "concurrency": 1, "gpu": {"count": 1}}
    container = render(workers(entry)).one("Deployment", "-worker-gpu")["spec"]["template"]["spec"]["containers"][0]
    assert container["resources"]["limits"]["nvidia.com/gpu"] == 1
    assert "share its memory" in refusal(workers(entry | {"concurrency": 2}))


def test_pods_spread_over_nodes_unless_an_affinity_is_set() -> None:
    spread = render().one("Deployment", "-worker-batch")["spec"]["template"]["spec"]
    assert spread["topologySpreadConstraints"][0]["labelSelector"]["matchLabels"]["parley/worker"] == "batch"
    placed = render(workers(BATCH | {"affinity": {"nodeAffinity": {}}})).one("Deployment", "-worker-batch")
    assert "topologySpreadConstraints" not in placed["spec"]["template"]["spec"]


def test_components_with_several_pods_have_disruption_budgets() -> None:
    names = {budget["metadata"]["name"] for budget in render().of("PodDisruptionBudget")}
    parts = ("api", "keeper", "worker-batch", "worker-interactive")
    assert names == {f"release-parley-{part}" for part in parts}
    assert not render({"podDisruptionBudgets": False}).of("PodDisruptionBudget")
    alone = render({"api": {"replicas": 1, "autoscaling": {"enabled": False}}, "keeper": {"replicas": 1}})
    assert not alone.of("PodDisruptionBudget", "api")
    assert not alone.of("PodDisruptionBudget", "keeper")
