"""The checks of the server, for keys that may read; why a store is down, for keys that may administer."""

from __future__ import annotations

import shutil
from collections import namedtuple
from pathlib import Path

import httpx
import pytest

from parley_api.use_cases import health
from parley_core.job import Queue
from parley_core.settings import Settings
from parley_core.status import QueueStatus, StoreHealth
from tests.support.api_fixture import ApiFixture, assert_problem
from tests.unit.api.test_access import bearer, line

pytestmark = pytest.mark.anyio

WELL = StoreHealth(10, 100, "noeviction", True, 0, 0.0, 0)
DiskUsage = namedtuple("DiskUsage", "total used free")


async def checks(client: httpx.AsyncClient, **headers: str) -> dict[str, dict[str, str | None]]:
    answer = (await client.get("/v1/health", headers=headers)).json()
    return {check["name"]: check for check in answer["checks"]}


async def test_a_server_without_workers_is_named_with_what_to_do(api: ApiFixture, client: httpx.AsyncClient) -> None:
    answer = (await client.get("/v1/health")).json()
    found = {check["name"]: check for check in answer["checks"]}
    assert found["redis"]["state"] == found["objects"]["state"] == found["keeper"]["state"] == "good"
    assert found["queue_batch"]["advice"] == "Its recordings wait until a worker starts."
    api.store.register_worker("host/1", Queue.BATCH, 2, 60)
    batch = (await checks(client))["queue_batch"]
    assert (batch["state"], batch["advice"]) == ("good", None)
    assert batch["text"] == "Queue batch: 1 worker, 0 running, 0 waiting."
    assert "host" not in str(answer)
    assert answer["flower_url"] is None


async def test_who_may_not_read_sees_nothing_and_reasons_are_for_administrators(
    api: ApiFixture, tmp_path: Path
) -> None:
    keys = line("north", "a") + line("north", "r").strip() + ":read\n" + line("south", "s").strip() + ":submit\n"
    (tmp_path / "keys").write_text(keys)
    api.settings = api.settings.model_copy(update={"api_keys_file": tmp_path / "keys"})
    async with api.client() as client:
        assert_problem(await client.get("/v1/health"), 401, "unauthenticated")
        assert_problem(await client.get("/v1/health", headers=bearer("s")), 403, "scope_missing")
        api.store.available = False
        seen, known = await checks(client, **bearer("r")), await checks(client, **bearer("a"))
    assert (seen["redis"]["state"], seen["redis"]["alert"], seen["redis"]["detail"]) == ("bad", "ParleyNotReady", None)
    assert known["redis"]["detail"]
    assert "queue_batch" not in seen


@pytest.mark.parametrize(
    ("status", "state", "alert"),
    [
        (QueueStatus(Queue.BATCH, 0, 0, None, 1), "good", None),
        (QueueStatus(Queue.BATCH, 5, 1, 9000.0, 1), "good", None),
        (QueueStatus(Queue.BATCH, 1, 0, 10.0, 0), "warn", None),
        (QueueStatus(Queue.BATCH, 1, 0, 130.0, 0), "bad", "ParleyNoWorker"),
        (QueueStatus(Queue.BATCH, 1, 0, 700.0, 1), "bad", "ParleyQueueNotMoving"),
        (QueueStatus(Queue.BATCH, 95, 5, 1.0, 9), "bad", "ParleyQueueFull"),
    ],
    ids=["idle", "busy", "scaled to zero", "no worker", "stuck", "full"],
)
def test_a_queue_is_judged_as_the_alerts_do(status: QueueStatus, state: str, alert: str | None) -> None:
    check = health._of_queue(status, limit=100)
    assert (check.state, check.alert, check.advice is None) == (state, alert, state == "good")


@pytest.mark.parametrize(
    ("store", "bad"),
    [
        (WELL, {}),
        (StoreHealth(65, 100, "noeviction", True, 0, 0.0, 0), {"memory": "ParleyJobStoreFilling"}),
        (StoreHealth(80, 100, "noeviction", True, 0, 0.0, 0), {"memory": "ParleyJobStoreNearlyFull"}),
        (StoreHealth(1, 0, "noeviction", False, 0, 0.0, 0), {"persistence": None}),
        (StoreHealth(1, 0, "noeviction", True, 1, 300.0, 0), {"keeper": "ParleyKeeperLate"}),
        (StoreHealth(1, 0, "noeviction", True, 1, 0.0, 0, 7200.0), {"retention": "ParleyAudioPastRetention"}),
    ],
    ids=["well", "filling", "nearly full", "no file", "keeper late", "retention late"],
)
def test_redis_and_keeper_are_judged_as_the_alerts_do(store: StoreHealth, bad: dict[str, str | None]) -> None:
    assert {one.name: one.alert for one in health._of_store(store) if one.state != "good"} == bad


@pytest.mark.parametrize(("free", "state"), [(50, "good"), (10, "warn"), (1, "bad")])
def test_the_disk_of_a_folder_is_judged(free: int, state: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _: DiskUsage(100, 100 - free, free))
    [check] = health._of_disk(Settings(objects_url="file:///srv/parley"))
    assert (check.state, "/srv" in check.text) == (state, False)
    assert list(health._of_disk(Settings(objects_url="s3://bucket"))) == []
