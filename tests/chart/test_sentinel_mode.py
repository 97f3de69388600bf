"""Mode sentinel of the chart: its scripts, configuration and access lists on three real servers and three Sentinels."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from redis import Redis
from redis.exceptions import NoPermissionError, RedisError

from parley_core.celery_queue import CeleryJobQueue
from parley_core.job import dispatch_of
from parley_core.redis import RedisJobStore
from parley_core.secret_files import with_password, with_sentinel_password
from parley_core.settings import Settings
from parley_local.valkey import find_server
from tests.chart.rendering import KEDA, Manifest, environment, render, tool
from tests.support.access_lists import write_access_lists
from tests.support.api_process import free_port
from tests.support.fakes import new_job
from tests.support.waiting import HANG_SECONDS, until

VALUES: Manifest = {"redis": {"mode": "sentinel", "sentinel": {"downAfterMilliseconds": 1000}}}
NAME = "-redis-ha"


class Pod:
    """A server and a Sentinel, started by the chart's scripts on an address of their own."""

    def __init__(self, service: Service, number: int) -> None:
        self.host, self._folder = service.hosts[number], service.folder / f"pod-{number}"
        self._service = service
        self._running: list[subprocess.Popen[bytes]] = []
        (self._folder / "data").mkdir(parents=True)
        write_access_lists(service.config, service.secret, self._folder)
        for name, text in service.config.items():
            self._write("config", name, text)
        for role in ("probe", "replica", "sentinel"):
            self._write("own", f"{role}-password", service.secret[f"{role}-password"])

    def _write(self, folder: str, name: str, text: str) -> None:
        """Write a file of the chart with ports and folders of this test."""
        text = text.replace("26379", str(self._service.sentinel_port)).replace("6379", str(self._service.port))
        text = text.replace("/run/parley", str(self._folder / "lists"))
        text = text.replace("/etc/parley", str(self._folder)).replace("/data", str(self._folder / "data"))
        if name == "redis.conf":
            text += f"bind {self.host}\n"
        text = text.replace('echo "dir ', f'echo "bind {self.host}"; echo "dir ')
        (self._folder / folder).mkdir(exist_ok=True)
        (self._folder / folder / name).write_text(text)

    def start(self) -> None:
        self._running = [self._script("start-redis.sh"), self._script("start-sentinel.sh")]

    def _script(self, name: str) -> subprocess.Popen[bytes]:
        variables = {
            "PATH": f"{self._service.folder}/bin:{os.environ['PATH']}",
            "HOST": self.host,
            "HOSTS": " ".join(self._service.hosts),
            "FIRST": self._service.hosts[0],
        }
        with (self._folder / f"{name}.log").open("ab") as log:
            command = ["sh", str(self._folder / "config" / name)]
            return subprocess.Popen(command, env=variables, stdout=log, stderr=log)

    def kill(self) -> None:
        for process in self._running:
            process.send_signal(signal.SIGKILL)
            process.wait(HANG_SECONDS)

    def stop(self) -> None:
        """Stop as Kubernetes does: first the hook, then SIGTERM."""
        assert self._script("step-down.sh").wait(HANG_SECONDS) == 0
        for process in self._running:
            process.terminate()
            process.wait(HANG_SECONDS)


class Service:
    """The three pods."""

    def __init__(self, folder: Path) -> None:
        rendered = render(VALUES)
        self.folder = folder
        self.config: dict[str, str] = rendered.one("ConfigMap", "-redis-config")["data"]
        self.secret: dict[str, str] = rendered.one("Secret", "-redis")["stringData"]
        self.port, self.sentinel_port = free_port(), free_port()
        network = os.getpid() % 250 + 1
        self.hosts = [f"127.{network}.0.{number}" for number in (1, 2, 3)]
        self._url = environment(rendered.pods()["release-parley-api"])["PARLEY_REDIS_URL"]
        (folder / "bin").mkdir()
        (folder / "bin/redis-server").symlink_to(Path(str(find_server())).resolve())
        self.pods = {host: Pod(self, number) for number, host in enumerate(self.hosts)}

    def url(self, role: str) -> str:
        """Return the address that the chart gives a role, with the passwords and the addresses of this test."""
        url = with_password(self._url.replace("//api@", f"//{role}@"), self.secret[f"{role}-password"])
        url = with_sentinel_password(url, self.secret["client-password"])
        for number, host in enumerate(self.hosts):
            url = re.sub(rf"release-parley-redis-ha-{number}[^:]*:26379", f"{host}:{self.sentinel_port}", url)
        return url

    def sentinel(self, host: str, user: str = "client") -> Any:
        password = self.secret[f"{user}-password"]
        return Redis(host, self.sentinel_port, username=user, password=password, socket_timeout=2)

    def primary(self) -> str:
        """Return the host of the primary, as a Sentinel says that answers."""
        for host in self.hosts:
            try:
                found: str = self.sentinel(host).sentinel_get_master_addr_by_name("parley")[0].decode()
            except RedisError:
                continue
            return found
        return ""

    def whole(self) -> bool:
        """Whether every Sentinel knows both others and two replicas that follow."""
        try:
            states = [self.sentinel(host).sentinel_masters()["parley"] for host in self.hosts]
            slaves = self.sentinel(self.hosts[0]).sentinel_slaves("parley")
        except (RedisError, KeyError):
            return False
        following = [slave for slave in slaves if slave["master-link-status"] == "ok" and not slave["is_disconnected"]]
        return len(following) == 2 and all((s["num-slaves"], s["num-other-sentinels"]) == (2, 2) for s in states)


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    tool("redis-cli")
    if sys.platform != "linux":
        pytest.skip("only Linux has the addresses 127.x.x.x")
    started = Service(tmp_path_factory.mktemp("sentinel"))
    try:
        for pod in started.pods.values():
            pod.start()
        until(started.whole)
        yield started
    finally:
        for pod in started.pods.values():
            pod.kill()


def store_as(role: str, service: Service) -> RedisJobStore:
    return RedisJobStore.from_settings(Settings(redis_url=service.url(role)))


def records(service: Service) -> str:
    """Record and publish a job, and return its id."""
    store = store_as("api", service)
    job = store.create(new_job()).job
    CeleryJobQueue.from_settings(Settings(redis_url=service.url("api"))).publish(dispatch_of(job))
    assert store.health()
    return job.id


def works(service: Service) -> bool:
    try:
        return bool(records(service))
    except Exception:  # noqa: BLE001 - any error means not yet
        return False


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
