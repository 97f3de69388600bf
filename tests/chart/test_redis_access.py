"""The access list of the chart on a real server: every role can do its work, and no more."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import psutil
import pytest
from pydantic import SecretStr
from redis import Redis
from redis.exceptions import AuthenticationError, NoPermissionError

from parley_core.errors import JobStoreUnusable
from parley_core.redis import RedisJobStore, connect
from parley_core.redis.voiceprints import RedisVoiceprintStore
from parley_core.settings import Settings
from parley_core.voiceprints import Consent, NewVoiceprint, Role
from tests.chart.rendering import render
from tests.chart.test_tls import tls_server
from tests.support.access_lists import write_access_lists
from tests.support.api_process import ApiProcess, free_port
from tests.support.fakes import new_job
from tests.support.sounds import wav
from tests.support.valkey import Valkey
from tests.support.waiting import until
from tests.support.worker import running_system
from tests.unit.api.test_access import bearer, line

VOICEPRINT = NewVoiceprint("voiceprint-1", "clinic", "Dr. Weber", Role.CLINICIAN, "onnx/abc", (0.6, 0.8), None)


class Server:
    """A Valkey with the access list of the chart."""

    def __init__(self, folder: Path) -> None:
        rendered = render()
        config = rendered.one("ConfigMap", "-redis-config")["data"]
        self.passwords: dict[str, str] = rendered.one("Secret", "-redis")["stringData"]
        self._folder = folder / "passwords"
        lists = write_access_lists(config, self.passwords, folder)
        self._port = free_port()
        self.valkey = Valkey(folder, "--aclfile", str(lists / "users.acl"), "--port", str(self._port))
        self.valkey.start_as("probe", self.passwords["probe-password"])

    def login(self, role: str) -> dict[str, str]:
        """Return the variables of a role: its password is in a file, as in the chart."""
        return {
            "PARLEY_REDIS_URL": f"redis://{role}@127.0.0.1:{self._port}/0",
            "PARLEY_REDIS_PASSWORD_FILE": str(self._folder / f"{role}-password"),
        }

    def url(self, role: str) -> str:
        return f"redis://{role}:{self.passwords[f'{role}-password']}@127.0.0.1:{self._port}/0"

    def refusals(self) -> dict[str, int]:
        """Return how often the access list has refused something, by kind."""
        # Without the name of the library, whose command the user `probe` may not send.
        stats: dict[str, int] = Redis.from_url(self.url("probe"), driver_info=None).info("stats")
        return {key: count for key, count in stats.items() if key.startswith("acl_access_denied")}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    started = Server(tmp_path_factory.mktemp("acl"))
    yield started
    started.valkey.stop()


def test_a_process_sees_at_once_when_a_key_of_its_transitions_is_not_in_the_access_list(valkey: Valkey) -> None:
    """After an upgrade Redis may still have the list of the older chart: the new pods must not be ready until then."""
    users = render().one("ConfigMap", "-redis-config")["data"]["users.acl"].splitlines()
    rules = {user.split()[1]: user.split()[2:] for user in users}
    shared = set(rules["api"]) & set(rules["keeper"]) & set(rules["worker"])
    keys = sorted(rule for rule in shared if rule.startswith("~parley:") and rule != "~parley:probe")
    assert len(keys) > 20
    for key in keys:
        left = [rule for rule in rules["worker"] if rule != key]
        valkey.client().execute_command("ACL", "SETUSER", "worker", "reset", "on", ">right", *left)
        url = valkey.url.replace("unix://", "unix://worker:right@")
        with pytest.raises(JobStoreUnusable, match=f"may not .*{key[1:].rstrip('*')}"):
            RedisJobStore.from_settings(Settings(redis_url=url)).health()


def test_an_older_server_has_every_transition_after_a_restart(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tests.support.valkey.find_server", tls_server)
    older = Server(tmp_path)
    try:
        store = RedisJobStore.from_settings(Settings(redis_url=SecretStr(older.url("api"))))
        created = store.create(new_job()).job
        older.valkey.kill()
        older.valkey.start()
        assert store.get(created.id) == created
        for login in ({}, {"username": "default", "password": "x"}):
            with pytest.raises(AuthenticationError):
                Redis.from_url(older.valkey.url, **login).ping()
    finally:
        older.valkey.kill()


@pytest.mark.parametrize("role", ["api", "keeper", "worker", "flower", "keda"])
@pytest.mark.parametrize("command", ["SCAN 0", "KEYS *", "RANDOMKEY", "FLUSHALL", "CONFIG GET *", "ACL LIST"])
def test_no_role_lists_keys_or_manages_the_server(role: str, command: str, server: Server) -> None:
    with pytest.raises(NoPermissionError):
        connect(server.url(role), 5.0).execute_command(*command.split())


def voiceprints_as(role: str, server: Server) -> RedisVoiceprintStore:
    return RedisVoiceprintStore(connect(server.url(role), 5.0), 10)


def test_api_keeper_and_worker_run_jobs_to_every_end_without_a_refusal(server: Server, tmp_path: Path) -> None:
    (tmp_path / "keys").write_text(line("north", "a key"))  # with keys, tenants have limits, which Redis counts
    settings = Settings(
        redis_url=SecretStr(server.url("api")),
        objects_url=f"file://{tmp_path}/objects",
        api_keys_file=tmp_path / "keys",
        tenant_audio_hours_per_day=1.0,
        lease_seconds=3,
        lease_renewal_seconds=0.5,
    )
    before = server.refusals()
    with (
        running_system(settings, tmp_path) as system,
        ApiProcess(settings, tmp_path / "api.log", **server.login("api")) as api,
    ):
        api.http.headers.update(bearer("a key"))
        keeper = system.keeper(**server.login("keeper"))
        worker = system.worker(**server.login("worker"), PARLEY_SCRIPTED_SECONDS=0.1, PARLEY_QUEUES="interactive")
        first, cancelled = (submit(api, queue) for queue in ("interactive", "batch"))
        assert api.http.post(f"/v1/jobs/{cancelled}/cancel").is_success
        until(lambda: api.http.get(f"/v1/jobs/{first}").json()["state"] == "succeeded")
        lists = ("/v1/jobs", "/v1/jobs?reference=r", "/v1/queues", "/v1/voiceprints", "/v1/deliveries")
        for path in (
            *lists,
            "/readyz",
            "/metrics",
            f"/v1/jobs/{first}/turns",
            f"/v1/jobs/{first}/events",
            f"/v1/jobs/{cancelled}?wait=1",
        ):
            assert api.http.get(path).is_success, path
        assert api.http.delete(f"/v1/jobs/{first}").is_success
        assert api.http.post(f"/v1/jobs/{cancelled}/retry").is_success
        assert api.http.post(f"/v1/jobs/{cancelled}/cancel").is_success
        passing = submit(api, "interactive", retain_seconds="0")  # the keeper purges it
        until(lambda: api.http.get(f"/v1/jobs/{passing}").status_code == 410)
        for pid in (api.running.pid, keeper.process.pid, worker.process.pid):
            shown = environments(pid) if os.getuid() == 0 else ""  # closed to all others
            assert not [name for name in server.passwords if server.passwords[name] in shown], "a password is shown"
    assert server.refusals() == before


def test_flower_watches_a_worker_without_a_refusal(server: Server, tmp_path: Path) -> None:
    settings = Settings(redis_url=SecretStr(server.url("worker")), objects_url=f"file://{tmp_path}/objects")
    before = server.refusals()
    port = free_port()
    command = (sys.executable, "-m", "celery", "--app", "parley_core.celery_app", "flower", f"--port={port}")
    with running_system(settings, tmp_path) as system, (tmp_path / "flower.log").open("wb") as log:
        system.worker(**server.login("worker"))
        flower = subprocess.Popen(
            [*command, "--address=127.0.0.1", "--basic-auth=someone:secret"],
            env=os.environ | server.login("flower"),
            stdout=log,
            stderr=subprocess.STDOUT,
        )
        try:
            until(lambda: workers_of_flower(port))
        finally:
            flower.terminate()
            flower.wait()
    assert server.refusals() == before, (tmp_path / "flower.log").read_text()


def workers_of_flower(port: int) -> bool:
    """Return whether Flower has asked a worker for its numbers, through the broker."""
    try:
        answer = httpx.get(
            f"http://127.0.0.1:{port}/api/workers", params={"refresh": "1"}, auth=("someone", "secret"), timeout=30.0
        )
    except httpx.TransportError:
        return False
    return answer.is_success and any("stats" in worker for worker in answer.json().values())


def environments(pid: int) -> str:
    """Return the environments and command lines of a process and its descendants, as root sees them in /proc."""
    process = psutil.Process(pid)
    return str([(one.environ(), one.cmdline()) for one in (process, *process.children(recursive=True))])


def submit(api: ApiProcess, queue: str, **options: str) -> str:
    form = {"queue": queue, "reference": "r", **options}
    headers = {"Idempotency-Key": f"{queue}{len(options)}"}
    answer = api.http.post("/v1/jobs", files={"audio": ("a.wav", wav(2.0))}, data=form, headers=headers)
    assert answer.status_code == 202, answer.text
    return str(answer.json()["id"])


def test_the_api_has_full_access_to_voiceprints(server: Server) -> None:
    store = voiceprints_as("api", server)
    enrolled = store.enrol(VOICEPRINT)
    assert list(store.all("clinic")) == [store.get("clinic", "voiceprint-1")] == [enrolled]
    store.remove("clinic", "voiceprint-1")
    assert list(store.all("clinic")) == []


def test_the_keeper_ends_voiceprints_with_their_consent(server: Server) -> None:
    now = datetime.now(UTC)
    consent = Consent("Ms. Weber", now - timedelta(days=1), "Names in notes", now - timedelta(seconds=1))
    ended = voiceprints_as("api", server).enrol(replace(VOICEPRINT, consent=consent))
    keeper = voiceprints_as("keeper", server)
    assert list(keeper.expired(10)) == [ended]
    assert list(keeper.all("clinic")) == []
    keeper.remove("clinic", ended.id)
    assert list(keeper.expired(10)) == []


@pytest.mark.parametrize("role", ["worker", "flower", "probe", "keda"])
def test_only_api_and_keeper_have_access_to_voiceprints(role: str, server: Server) -> None:
    with pytest.raises(JobStoreUnusable, match="lacks rights"):
        voiceprints_as(role, server).all("clinic")
