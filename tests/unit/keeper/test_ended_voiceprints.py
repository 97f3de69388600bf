"""Voiceprints that end are taken out of Redis and of results, and nothing brings them back."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import fields
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from parley_core.errors import ObjectStoreUnavailable
from parley_core.storage.manifests import HistoryMarker
from parley_core.voiceprints import NewVoiceprint
from parley_keeper import ended_voiceprints
from parley_keeper.ended_voiceprints import VoiceprintCollector
from parley_keeper.reconciliation import Reconciler
from tests.support.api_fixture import CONSENT, ApiFixture, assert_problem
from tests.support.fakes import MemoryVoiceprintStore
from tests.unit.api.test_access import bearer, line
from tests.unit.api.test_voiceprints import OKAFOR, WEBER, asking, enrolled, heard, people_of

pytestmark = pytest.mark.anyio


class KeeperOf:
    """The keeper of an API, whose history was compared."""

    def __init__(self, api: ApiFixture) -> None:
        self._api = api
        self.compare()
        self.restart()

    def compare(self) -> None:
        Reconciler(self._api.durable).run_once(lambda: None)

    def restart(self) -> None:
        api = self._api
        self._collector = VoiceprintCollector(api.durable, api.recordings, api.voiceprints, 0.45)

    def run(self) -> int:
        return self._collector.run_once(lambda: None)


@pytest.fixture
def api() -> ApiFixture:
    return ApiFixture()


@pytest.fixture
async def client(api: ApiFixture) -> AsyncIterator[httpx.AsyncClient]:
    async with api.client() as client:
        yield client


@pytest.fixture(autouse=True)
def no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ended_voiceprints, "SECOND_PASS", timedelta())
    monkeypatch.setattr(ended_voiceprints, "TOMBSTONES_EVERY", timedelta())


async def rename(client: httpx.AsyncClient, job_id: str, version: int, label: str, name: str) -> None:
    operations = [{"operation": "rename_speaker", "speaker": label, "name": name}]
    body = {"base_version": version, "author": "Ann", "operations": operations}
    response = await client.post(f"/v1/jobs/{job_id}/corrections", json=body)
    assert response.status_code == 201, response.text


async def exported(client: httpx.AsyncClient, job_id: str) -> dict[str, Any]:
    embeddings = {"embeddings": "true"}
    document: dict[str, Any] = (await client.get(f"/v1/jobs/{job_id}/turns", params=embeddings)).json()
    return dict(document["speaker_embeddings"])


def stored(api: ApiFixture, word: str) -> list[str]:
    """Return the objects whose content has a word."""
    return sorted(key for key, data in api.recordings.objects.items() if word.encode() in data)


async def test_a_deleted_voice_is_taken_out_of_the_results_that_it_named(
    api: ApiFixture, client: httpx.AsyncClient
) -> None:
    source = await heard(api, client, WEBER, OKAFOR)
    voice = (await client.post("/v1/voiceprints", json=asking(source))).json()
    other = await enrolled(api, client, OKAFOR, name="Ms. Okafor")
    named, unnamed = await heard(api, client, [0.8, 0.0, 0.6], OKAFOR), await heard(api, client, OKAFOR)
    await rename(client, named, 0, "SPEAKER_00", "Ann")
    await rename(client, named, 1, "SPEAKER_00", "DR. WEBER")
    await rename(client, unnamed, 0, "SPEAKER_00", "Somebody")
    assert (await client.delete(f"/v1/voiceprints/{voice['id']}")).status_code == 200
    keeper = KeeperOf(api)
    assert [keeper.run(), keeper.run(), keeper.run()] == [2, 0, 0]
    assert await exported(client, source) == {"SPEAKER_01": OKAFOR}
    assert await exported(client, unnamed) == {"SPEAKER_00": OKAFOR}
    assert [person["name"] for person in await people_of(client, named)] == [None]
    assert [person["voiceprint_id"] for person in await people_of(client, source)] == [None, other["id"]]
    assert [person["name"] for person in await people_of(client, unnamed)] == ["Somebody"]
    corrections = (await client.get(f"/v1/jobs/{named}/corrections")).json()["corrections"]
    assert [one["operations"][0]["name"] for one in corrections] == ["Ann", None]
    assert stored(api, "Weber") == stored(api, "WEBER") == []
    assert_problem(await client.post("/v1/voiceprints", json=asking(source)), 422, "speaker_without_embedding")


async def test_a_voice_ends_with_its_consent_and_its_name_is_free(api: ApiFixture) -> None:
    moment = datetime.now(UTC)
    api.voiceprints = MemoryVoiceprintStore(now=lambda: moment)
    async with api.client() as client:
        source = await heard(api, client, WEBER)
        await client.post("/v1/voiceprints", json=asking(source))
        keeper = KeeperOf(api)
        assert keeper.run() == 0
        moment = datetime.fromisoformat(str(CONSENT["until"]))
        assert [keeper.run(), keeper.run()] == [1, 0]
        assert await exported(client, source) == {}
        assert list(api.voiceprints.expired(10)) == []
        assert stored(api, "Weber") == []
        moment = datetime.now(UTC)
        assert (await enrolled(api, client, WEBER))["name"] == "Dr. Weber"


async def test_a_restored_redis_brings_no_ended_voice_back(api: ApiFixture, client: httpx.AsyncClient) -> None:
    job_id = await heard(api, client, WEBER)
    voice = (await client.post("/v1/voiceprints", json=asking(job_id))).json()
    kept = api.voiceprints.get("default", voice["id"])
    snapshot = NewVoiceprint(**{field.name: getattr(kept, field.name) for field in fields(NewVoiceprint)})
    await client.delete(f"/v1/voiceprints/{voice['id']}")
    keeper = KeeperOf(api)
    api.voiceprints.enrol(snapshot)  # before the keeper has looked at any result
    assert [keeper.run(), keeper.run()] == [1, 0]
    api.voiceprints.enrol(snapshot)  # and long after
    keeper.restart()
    assert keeper.run() == 0
    assert list(api.voiceprints.all("default")) == []
    assert await exported(client, job_id) == {}


async def test_no_result_is_passed_over_while_redis_lacks_writes(api: ApiFixture, client: httpx.AsyncClient) -> None:
    source = await heard(api, client, WEBER)
    voice = (await client.post("/v1/voiceprints", json=asking(source))).json()
    await client.delete(f"/v1/voiceprints/{voice['id']}")
    keeper = KeeperOf(api)
    api.durable.manifests.mark(HistoryMarker("another data set", 1))
    assert [keeper.run(), keeper.run()] == [0, 0]
    assert await exported(client, source) == {"SPEAKER_00": WEBER}


async def test_a_pass_that_was_broken_off_is_made_again(api: ApiFixture, client: httpx.AsyncClient) -> None:
    source = await heard(api, client, WEBER)
    voice = (await client.post("/v1/voiceprints", json=asking(source))).json()
    keeper = KeeperOf(api)
    api.voiceprints.available = False
    assert_problem(await client.delete(f"/v1/voiceprints/{voice['id']}"), 503, "job_store_unavailable")
    api.voiceprints.available = True
    api.recordings.available = False
    refused = await client.delete(f"/v1/voiceprints/{voice['id']}")
    assert_problem(refused, 503, "object_store_unavailable")
    with pytest.raises(ObjectStoreUnavailable):
        keeper.run()
    assert [one.id for one in api.voiceprints.all("default")] == [voice["id"]]
    api.recordings.available = True
    await client.delete(f"/v1/voiceprints/{voice['id']}")
    keeper.run()
    keeper.restart()
    assert [keeper.run(), keeper.run()] == [0, 0]
    assert await exported(client, source) == {}


async def test_results_of_other_tenants_keep_their_embeddings(api: ApiFixture, tmp_path: Path) -> None:
    (tmp_path / "keys").write_text(line("north", "n") + line("south", "s"))
    api.settings = api.settings.model_copy(update={"api_keys_file": tmp_path / "keys"})
    async with api.client(**bearer("n")) as north, api.client(**bearer("s")) as south:
        voice = await enrolled(api, north, WEBER)
        theirs = await heard(api, south, WEBER)
        foreign = (await south.post("/v1/voiceprints", json=asking(theirs))).json()
        assert_problem(await south.delete(f"/v1/voiceprints/{voice['id']}"), 404, "voiceprint_not_found")
        await north.delete(f"/v1/voiceprints/{voice['id']}")
        keeper = KeeperOf(api)
        assert [keeper.run(), keeper.run()] == [1, 0]
        assert await exported(south, theirs) == {"SPEAKER_00": WEBER}
        assert [person["voiceprint_id"] for person in await people_of(south, theirs)] == [foreign["id"]]


async def test_a_purged_result_does_not_come_back(
    api: ApiFixture, client: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The purge comes between the keeper's look and its write."""
    source = await heard(api, client, WEBER)
    voice = (await client.post("/v1/voiceprints", json=asking(source))).json()
    await client.delete(f"/v1/voiceprints/{voice['id']}")
    keeper, put = KeeperOf(api), api.recordings.put

    def late(key: str, data: bytes) -> None:
        if key.startswith("results/"):
            monkeypatch.setattr(api.recordings, "put", put)
            api.durable.remove(api.store.get(source))
        put(key, data)

    monkeypatch.setattr(api.recordings, "put", late)
    keeper.run()
    assert not [key for key in api.recordings.objects if key.startswith("results/")]


async def test_the_tombstone_holds_nothing_of_the_person(api: ApiFixture, client: httpx.AsyncClient) -> None:
    voice = await enrolled(api, client, [0.424242, 0.5, 0.5])
    await client.delete(f"/v1/voiceprints/{voice['id']}")
    keeper = KeeperOf(api)
    keeper.run()
    keeper.run()
    left = {key: data for key, data in api.recordings.objects.items() if key.startswith("voiceprints/")}
    assert left == {f"voiceprints/ended/{voice['id']}.default": b""}
    assert stored(api, "424242") == []
