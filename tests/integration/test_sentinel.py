"""A Redis of three servers and three Sentinels: the primary is killed, frozen or demoted while jobs come in and run."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import httpx
import pytest
from redis.exceptions import TimeoutError as RedisTimeoutError

from parley_core.errors import JobNotFound, JobStoreUnavailable
from parley_core.job import JobState
from parley_core.redis import connect
from parley_core.settings import Settings
from tests.support.api_process import ApiProcess
from tests.support.sentinels import Sentinels
from tests.support.sounds import wav
from tests.support.waiting import HANG_SECONDS, until
from tests.support.worker import System, running_system

PAUSE = 0.25  # seconds between two submits
RECOVERY_SECONDS = 15  # from the fault to the next end of a job, beside what this machine needs to start an API


@pytest.fixture
def sentinels(tmp_path: Path) -> Iterator[Sentinels]:
    service = Sentinels(tmp_path)
    try:
        service.start()
        yield service
    finally:
        service.stop()


@pytest.fixture
def system(sentinels: Sentinels, tmp_path: Path) -> Iterator[System]:
    settings = Settings(
        redis_url=sentinels.url,
        objects_url=f"file://{tmp_path}/objects",
        lease_seconds=6,
        lease_renewal_seconds=0.5,
        redis_timeout_seconds=2,
    )
    with running_system(settings, tmp_path) as system:
        yield system


def test_a_reply_that_comes_late_answers_no_other_call(sentinels: Sentinels) -> None:
    pool: Any = connect(sentinels.url, 0.3).connection_pool
    connection = pool.make_connection()
    connection.connect()
    server = sentinels.servers[sentinels.primary()]
    server.pause()
    connection.send_command("PING", check_health=False)
    with pytest.raises(RedisTimeoutError):
        connection.read_response()
    server.resume()
    connection.send_command("ECHO", "mine", check_health=False)
    assert connection.read_response() == "mine"
    connection.disconnect()


class Load:
    """Submits one job after the other; `accepted` holds those that were promised, with the time of the promise."""

    def __init__(self, api: ApiProcess) -> None:
        self._api, self._body = api, wav(seconds=1.0)
        self.accepted: dict[str, float] = {}
        self.refused: list[int] = []
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._stop.set()
        self._thread.join(HANG_SECONDS)

    def _run(self) -> None:
        while not self._stop.is_set():
            with suppress(httpx.TransportError):
                answer = self._api.http.post("/v1/jobs", content=self._body, headers={"Content-Type": "audio/wav"})
                if answer.status_code == 202:
                    self.accepted[answer.json()["id"]] = time.time()
                else:
                    self.refused.append(answer.status_code)
            self._stop.wait(PAUSE)


def kill(sentinels: Sentinels) -> None:
    primary = sentinels.primary()
    sentinels.servers[primary].kill()
    sentinels.wait_for_another(primary)


def freeze(sentinels: Sentinels) -> None:
    """Cut the primary off; it wakes up believing that it is the primary still."""
    primary = sentinels.primary()
    sentinels.servers[primary].pause()
    sentinels.wait_for_another(primary)
    sentinels.servers[primary].resume()


def swap(sentinels: Sentinels) -> None:
    """Promote a replica at once; the old primary takes writes until it is told, a second or two."""
    sentinels.fail_over()


def swap_without_loss(sentinels: Sentinels) -> None:
    """Promote a replica once it has everything (Valkey 9)."""
    sentinels.fail_over("COORDINATED")


def is_recorded(system: System, job_id: str) -> bool:
    try:
        system.store.get(job_id)
    except (JobNotFound, JobStoreUnavailable):
        return False
    return True


@pytest.mark.parametrize("fault", [kill, freeze, swap, swap_without_loss])
def test_every_accepted_job_ends_once_when_the_primary_changes(
    sentinels: Sentinels, system: System, tmp_path: Path, fault: Callable[[Sentinels], None]
) -> None:
    """Also those that Redis has lost: their manifests bring them back."""
    with ApiProcess(system.settings, tmp_path / "api.log") as api:
        keeper, worker = system.keeper(), system.worker(PARLEY_SCRIPTED_SECONDS=0.3, PARLEY_CONCURRENCY=1)
        worker.wait_until_ready()
        load = Load(api)
        load.start()
        until(lambda: len(load.accepted) >= 5)
        began = time.time()
        fault(sentinels)
        changed = time.time()
        until(lambda: sum(at > changed for at in load.accepted.values()) >= 5)
        load.stop()
        assert set(load.refused) <= {503}
        until(lambda: all(is_recorded(system, job_id) for job_id in load.accepted))
        jobs = [system.wait_for_end(job_id) for job_id in load.accepted]
        assert {job.state for job in jobs} == {JobState.SUCCEEDED}
        for job in jobs:
            assert job.result is not None
            until(lambda job=job: system.results(job.id) == [job.result.key])  # type: ignore[misc]
        ends = [job.finished_at.timestamp() for job in jobs if job.finished_at]
        assert min(end for end in ends if end > changed) - began < RECOVERY_SECONDS + api.start_seconds
        until(lambda: api.http.get("/readyz").status_code == 200)
    assert worker.process.poll() is None
    assert keeper.process.poll() is None
