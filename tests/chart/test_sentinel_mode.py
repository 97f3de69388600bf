"""Mode sentinel of the chart: its scripts, configuration and access lists on three real servers and three Sentinels."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from redis.exceptions import NoPermissionError

from parley_core.celery_queue import CeleryJobQueue
from parley_core.errors import JobStoreUnavailable
from parley_core.job import dispatch_of
from parley_core.redis import RedisJobStore
from parley_core.settings import Settings
from parley_local.valkey import find_server
from tests.chart.redis_pods import Pod, Service
from tests.chart.rendering import KEDA, Manifest, render, tool
from tests.chart.test_tls import tls_server
from tests.support.access_lists import write_access_lists
from tests.support.certificates import Authority
from tests.support.fakes import new_job
from tests.support.waiting import until

VALUES: Manifest = {"redis": {"mode": "sentinel", "sentinel": {"downAfterMilliseconds": 1000}}}
TLS: Manifest = {"tls": {"enabled": True, "existingSecret": "given"}}
NAME = "-redis-ha"


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    tool("redis-cli")
    if sys.platform != "linux":
        pytest.skip("only Linux has the addresses 127.x.x.x")
    started = Service(tmp_path_factory.mktemp("sentinel"), VALUES, find_server())
    try:
        started.start()
        yield started
    finally:
        for pod in started.pods.values():
            pod.kill()


def settings(role: str, service: Service) -> Settings:
    authority = service.pods[service.hosts[0]].certificate / "ca.crt" if service.authority else None
    return Settings(redis_url=service.url(role), ca_file=authority)


def store_as(role: str, service: Service) -> RedisJobStore:
    return RedisJobStore.from_settings(settings(role, service))


def records(service: Service) -> str:
    """Record and publish a job, and return its id."""
    store = store_as("api", service)
    job = store.create(new_job()).job
    CeleryJobQueue.from_settings(settings("api", service)).publish(dispatch_of(job))
    assert store.health()
    return job.id


def works(service: Service) -> bool:
    try:
        return bool(records(service))
    except Exception:  # noqa: BLE001 - any error means not yet
        return False


def created(store: RedisJobStore) -> str:
    try:
        return store.create(new_job()).job.id
    except JobStoreUnavailable:
        return ""


def replace(pod: Pod) -> None:
    """Replace a pod by one of the new version."""
    pod.stop()
    pod.configure()
    pod.start()


def test_the_first_pod_is_the_first_primary_and_takes_jobs(service: Service) -> None:
    assert service.primary() == service.hosts[0]
    job_id = records(service)
    assert store_as("worker", service).get(job_id).id == job_id


def test_a_client_may_ask_the_sentinels_and_not_command_them(service: Service) -> None:
    for command in (("SENTINEL", "FAILOVER", "parley"), ("SENTINEL", "REMOVE", "parley"), ("SHUTDOWN",)):
        with pytest.raises(NoPermissionError):
            service.sentinel(service.hosts[0]).execute_command(*command)


def test_a_primary_that_stops_hands_over_first_and_loses_nothing(service: Service) -> None:
    before, job_id = service.primary(), records(service)
    service.pods[before].stop()
    assert service.primary() != before, "the hook has waited for the change"
    assert store_as("api", service).get(job_id).id == job_id
    service.pods[before].start()
    until(service.whole)
    assert service.primary() != before


def test_another_pod_takes_over_from_a_killed_primary_which_returns_as_a_replica(service: Service) -> None:
    before = service.primary()
    service.pods[before].kill()
    until(lambda: service.primary() not in ("", before))
    until(lambda: works(service))
    service.pods[before].start()
    until(service.whole)
    assert service.primary() != before


def test_after_a_stop_of_all_pods_there_is_one_primary_with_every_record(service: Service) -> None:
    job_id = records(service)
    for pod in service.pods.values():
        pod.kill()
    for pod in service.pods.values():
        pod.start()
    until(service.whole)
    # Sentinels may elect a replica while the old primary starts: that there is one primary is promised, not which pod.
    until(lambda: len({service.sentinel(host).sentinel_masters()["parley"]["ip"] for host in service.hosts}) == 1)
    assert store_as("api", service).get(job_id).id == job_id


def test_tls_is_switched_on_pod_by_pod_and_no_record_is_lost(tmp_path: Path) -> None:
    service = Service(tmp_path, VALUES, tls_server())
    last, *others = (service.pods[host] for host in service.hosts)
    try:
        service.start()
        last.stop()  # an upgrade meets a primary that has to hand over
        last.start()
        until(service.whole)
        before = store_as("api", service)
        job_ids = [records(service)]
        service.upgrade(VALUES | TLS, Authority())
        for pod in reversed(others):
            replace(pod)
            until((pod.data / "waiting").exists)
            if pod is others[-1]:  # the primary has a replica left, and takes a job that this pod does not get
                until(lambda: job_ids.append(created(before)) or job_ids[-1])
        replace(last)
        until(service.whole)
        job_ids.append(records(service))
        after = store_as("api", service)
        assert all(after.get(job_id).id == job_id for job_id in filter(None, job_ids))
        assert not any((pod.data / "waiting").exists() for pod in service.pods.values())
    finally:
        for pod in service.pods.values():
            pod.kill()


def test_the_pods_are_spread_and_a_drain_takes_one_at_a_time() -> None:
    rendered = render(VALUES)
    stateful = rendered.one("StatefulSet", NAME)["spec"]
    assert stateful["replicas"] == 3
    assert stateful["template"]["spec"]["topologySpreadConstraints"][0]["topologyKey"] == "kubernetes.io/hostname"
    assert rendered.one("PodDisruptionBudget", NAME)["spec"]["maxUnavailable"] == 1
    assert rendered.one("Service", NAME)["spec"]["clusterIP"] == "None"
    hook = stateful["template"]["spec"]["containers"][0]["lifecycle"]["preStop"]["exec"]["command"]
    assert hook == ["sh", "/etc/parley/config/step-down.sh"]
    single = render()
    assert not single.of("PodDisruptionBudget", "redis")
    assert single.one("StatefulSet", "-redis")["spec"]["replicas"] == 1


def test_only_this_release_and_keda_reach_the_sentinels() -> None:
    policy = render(VALUES).one("NetworkPolicy", "-redis")["spec"]
    (rule,) = policy["ingress"]
    labels = [peer["podSelector"]["matchLabels"] for peer in rule["from"] if "podSelector" in peer]
    assert {label["app.kubernetes.io/component"] for label in labels} == {"api", "keeper", "worker", "flower", "redis"}
    assert [port["port"] for port in rule["ports"]] == [6379, 26379]
    assert {port["port"] for rule in policy["egress"] for port in rule["ports"]} == {53, 6379, 26379}


def test_keda_asks_the_sentinels_for_the_primary() -> None:
    rendered = render(VALUES, KEDA)
    (trigger,) = rendered.one("ScaledObject", "-worker-batch")["spec"]["triggers"]
    assert trigger["type"] == "redis-sentinel"
    assert trigger["metadata"]["addresses"].split(",") == [
        f"release-parley-redis-ha-{number}.release-parley-redis-ha.space.svc:26379" for number in range(3)
    ]
    assert (trigger["metadata"]["sentinelMaster"], trigger["metadata"]["sentinelUsername"]) == ("parley", "client")
    references = rendered.one("TriggerAuthentication", "-keda")["spec"]["secretTargetRef"]
    assert {(found["parameter"], found["key"]) for found in references} == {
        ("password", "keda-password"),
        ("sentinelPassword", "client-password"),
    }


def test_every_user_has_its_own_password_and_the_access_lists_only_hashes(tmp_path: Path) -> None:
    rendered = render(VALUES)
    secret: dict[str, str] = rendered.one("Secret", "-redis")["stringData"]
    folder = write_access_lists(rendered.one("ConfigMap", "-redis-config")["data"], secret, tmp_path)
    lists = [(folder / name).read_text() for name in ("users.acl", "sentinel.acl")]
    assert len(set(secret.values())) == len(secret) == 9
    assert not any(password in text for password in secret.values() for text in lists)
