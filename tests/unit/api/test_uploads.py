"""Resumable uploads by the tus protocol: over one API, and over two that share their stores."""

from __future__ import annotations

import asyncio
import base64
import hashlib
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest
from starlette.requests import ClientDisconnect

from parley_api.runtime import uploads as runtime
from parley_api.use_cases import uploads
from parley_core.tenants import TenantQuota
from parley_keeper.abandoned_uploads import UploadCollector
from tests.support.api_fixture import AUDIO, DAMAGED, ApiFixture, assert_problem, in_chunks
from tests.support.fakes import MemoryRecordingStore
from tests.unit.api.test_access import bearer, line

pytestmark = pytest.mark.anyio

TUS = {"Tus-Resumable": "1.0.0"}
BYTES = TUS | {"Content-Type": "application/offset+octet-stream"}
DIGEST = hashlib.sha256(AUDIO).hexdigest()


async def begin(client: httpx.AsyncClient, length: int = len(AUDIO), **headers: str) -> httpx.Response:
    return await client.post("/v1/uploads", headers=TUS | {"Upload-Length": str(length)} | headers)


async def address(client: httpx.AsyncClient, length: int = len(AUDIO), **headers: str) -> str:
    begun = await begin(client, length, **headers)
    assert begun.status_code == 201, begun.text
    return str(begun.headers["location"])


async def append(client: httpx.AsyncClient, path: str, data: bytes, offset: int = 0, **headers: str) -> httpx.Response:
    return await client.patch(path, content=data, headers=BYTES | {"Upload-Offset": str(offset)} | headers)


async def offset_of(client: httpx.AsyncClient, path: str) -> int:
    asked = await client.head(path, headers=TUS)
    assert asked.status_code == 200
    assert asked.headers["cache-control"] == "no-store"
    return int(asked.headers["upload-offset"])


async def submit(client: httpx.AsyncClient, path: str, **members: object) -> httpx.Response:
    return await client.post("/v1/jobs", json={"upload": path.rpartition("/")[2], **members})


def uploaded(api: ApiFixture) -> list[str]:
    return [key for key in api.recordings.objects if key.startswith("uploads/")]


async def test_a_recording_in_parts_becomes_a_job_as_if_it_were_sent_whole(
    api: ApiFixture, client: httpx.AsyncClient
) -> None:
    name = base64.b64encode(b"visit 4711.flac").decode()
    begun = await begin(client, **{"Upload-Metadata": f"filename {name},filetype YXVkaW8="})
    assert (begun.status_code, begun.headers["upload-offset"], begun.content) == (201, "0", b"")
    path = begun.headers["location"]
    for start in range(0, len(AUDIO), 4000):
        sent = await append(client, path, AUDIO[start : start + 4000], start)
        assert (sent.status_code, sent.headers["tus-resumable"]) == (204, "1.0.0")
        assert int(sent.headers["upload-offset"]) == min(start + 4000, len(AUDIO))
        assert "GMT" in sent.headers["upload-expires"]
    accepted = await submit(client, path, num_speakers=2, reference="visit-1", sha256=DIGEST.upper())
    assert accepted.status_code == 202, accepted.text
    job = accepted.json()
    assert (job["recording"]["sha256"], job["recording"]["file_name"]) == (DIGEST, "visit 4711.flac")
    assert (job["speakers"], job["reference"]) == ({"min": 2, "max": 2}, "visit-1")
    assert list(api.sounds.values()) == [AUDIO]
    assert not uploaded(api)


async def test_a_submit_of_an_upload_can_be_repeated(api: ApiFixture, client: httpx.AsyncClient) -> None:
    path = await address(client)
    await append(client, path, AUDIO)
    first = await submit(client, path)
    again = await submit(client, path)
    assert (again.status_code, again.json()["id"]) == (202, first.json()["id"])
    assert again.headers["idempotency-replayed"] == "true"
    assert_problem(await submit(client, path, num_speakers=2), 404, "upload_not_found")
    assert len(api.sounds) == 1


async def test_the_first_bytes_may_come_with_the_beginning(client: httpx.AsyncClient) -> None:
    headers = BYTES | {"Upload-Length": str(len(AUDIO))}
    begun = await client.post("/v1/uploads", content=AUDIO[:5000], headers=headers)
    assert (begun.status_code, begun.headers["upload-offset"]) == (201, "5000")
    assert await offset_of(client, begun.headers["location"]) == 5000


async def test_what_has_arrived_before_a_cut_is_kept(api: ApiFixture, client: httpx.AsyncClient) -> None:
    async def cut() -> AsyncIterator[bytes]:
        async for chunk in in_chunks(AUDIO[:6000], 1000):
            yield chunk
        raise ClientDisconnect

    path = await address(client)
    assert (await client.patch(path, content=cut(), headers=BYTES | {"Upload-Offset": "0"})).status_code == 499
    assert await offset_of(client, path) == 6000
    async with api.client() as other:  # another process
        assert (await append(other, path, AUDIO[6000:], 6000)).status_code == 204
        assert (await submit(other, path, sha256=DIGEST)).status_code == 202


async def test_a_large_body_is_stored_in_parts(
    api: ApiFixture, client: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(uploads, "PART_BYTES", 3000)
    path = await address(client)
    await client.patch(path, content=in_chunks(AUDIO, 1000), headers=BYTES | {"Upload-Offset": "0"})
    assert sorted(key.rpartition("/")[2] for key in uploaded(api)) == [
        *(f"{start:015}" for start in range(0, len(AUDIO), 3000)),
        "info.json",
    ]
    assert (await submit(client, path, sha256=DIGEST)).status_code == 202


async def test_parts_that_do_not_fit_are_refused_and_change_nothing(client: httpx.AsyncClient) -> None:
    path = await address(client)
    await append(client, path, AUDIO[:5000])
    for offset in (0, 4999, 5001):
        refused = assert_problem(await append(client, path, b"x", offset), 409, "upload_offset_conflict")
        assert refused["offset"] == 5000
    assert_problem(await append(client, path, AUDIO, 5000), 413, "upload_too_long")
    longer = in_chunks(AUDIO, 1000)  # without an announced length
    answer = await client.patch(path, content=longer, headers=BYTES | {"Upload-Offset": "5000"})
    assert_problem(answer, 413, "upload_too_long")
    assert_problem(
        await append(client, path, b"", 5000, **{"Content-Type": "audio/flac"}), 415, "unsupported_media_type"
    )
    assert_problem(await append(client, path, b"", 5000, **{"Upload-Offset": "-1"}), 422, "invalid_option")
    assert await offset_of(client, path) == 5000
    assert_problem(await submit(client, path), 409, "upload_incomplete")


async def test_of_two_writers_at_one_offset_one_wins(api: ApiFixture, client: httpx.AsyncClient) -> None:
    path = await address(client)
    [info] = uploaded(api)

    async def overtaken() -> AsyncIterator[bytes]:
        yield AUDIO[:5000]
        api.recordings.put(info.replace("info.json", "0" * 15), AUDIO[:7000])

    answer = await client.patch(path, content=overtaken(), headers=BYTES | {"Upload-Offset": "0"})
    assert_problem(answer, 409, "upload_offset_conflict")
    assert await offset_of(client, path) == 7000


async def test_an_upload_in_very_many_parts_is_refused(
    client: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runtime, "MOST_PARTS", 2)
    path = await address(client)
    for offset in range(2):
        assert (await append(client, path, AUDIO[offset : offset + 1], offset)).status_code == 204
    assert_problem(await append(client, path, AUDIO[2:], 2), 413, "too_many_parts")


async def test_a_request_that_is_not_of_tus_is_refused(api: ApiFixture, client: httpx.AsyncClient) -> None:
    refused = await client.post("/v1/uploads", content=AUDIO, headers={"Upload-Length": str(len(AUDIO))})
    assert_problem(refused, 422, "invalid_option")
    assert api.empty()


@pytest.mark.parametrize("version", ["", "0.2.2", "2.0.0"])
async def test_another_version_of_the_protocol_is_refused(client: httpx.AsyncClient, version: str) -> None:
    path = await address(client)
    given = {"Tus-Resumable": version}
    assert_problem(await begin(client, **given), 412, "unsupported_tus_version")
    assert_problem(await append(client, path, AUDIO, **given), 412, "unsupported_tus_version")
    assert (await client.head(path, headers=given)).status_code == 412
    assert await offset_of(client, path) == 0


@pytest.mark.parametrize(
    ("headers", "status", "code"),
    [
        ({"Upload-Length": "0"}, 422, "empty_recording"),
        ({"Upload-Length": "100001"}, 413, "recording_too_large"),
        ({"Upload-Length": "many"}, 422, "invalid_option"),
        ({"Upload-Length": "", "Upload-Defer-Length": "1"}, 422, "invalid_option"),
        ({"Upload-Metadata": "filename ???"}, 422, "invalid_option"),
        ({"Upload-Metadata": f"filename {'A' * 5000}"}, 422, "invalid_option"),
    ],
)
async def test_an_upload_that_cannot_become_a_job_does_not_begin(
    api: ApiFixture, client: httpx.AsyncClient, headers: dict[str, str], status: int, code: str
) -> None:
    assert_problem(await begin(client, **headers), status, code)
    assert api.empty()


@pytest.mark.parametrize("first", [9000, 5])
async def test_what_is_no_recording_leaves_nothing(api: ApiFixture, client: httpx.AsyncClient, first: int) -> None:
    text = b"no recording " * 1000
    path = await address(client, len(text))
    answers = [await append(client, path, text[:first])]
    if answers[0].status_code == 204:  # too little to say
        answers += [await append(client, path, text[first:], first), await submit(client, path)]
    assert_problem(answers[-1], 415, "not_audio")
    assert api.empty()


async def test_a_damaged_recording_leaves_nothing(api: ApiFixture, client: httpx.AsyncClient) -> None:
    path = await address(client, len(DAMAGED))
    await append(client, path, DAMAGED)
    assert_problem(await submit(client, path), 422, "unreadable_recording")
    assert api.empty()


async def test_a_submit_that_is_refused_for_another_reason_keeps_the_upload(client: httpx.AsyncClient) -> None:
    path = await address(client)
    await append(client, path, AUDIO)
    assert_problem(await submit(client, path, sha256="0" * 64), 422, "link_changed")
    assert_problem(await submit(client, path, num_speakers=99), 422, "invalid_option")
    assert_problem(await submit(client, path, etag="v1"), 422, "invalid_option")
    assert (await submit(client, path)).status_code == 202


async def test_a_removed_upload_is_gone_also_for_a_request_that_is_on_its_way(
    api: ApiFixture, client: httpx.AsyncClient
) -> None:
    path = await address(client)
    await append(client, path, AUDIO[:5000])

    async def removed_meanwhile() -> AsyncIterator[bytes]:
        yield AUDIO[5000:6000]
        assert (await client.delete(path, headers=TUS)).status_code == 204

    refused = await client.patch(path, content=removed_meanwhile(), headers=BYTES | {"Upload-Offset": "5000"})
    assert_problem(refused, 404, "upload_not_found")
    assert_problem(await client.delete(path, headers=TUS), 404, "upload_not_found")
    assert_problem(await append(client, path, AUDIO), 404, "upload_not_found")
    assert api.empty()


async def test_a_removed_upload_gets_no_bytes_of_a_connection_that_is_cut(
    api: ApiFixture, client: httpx.AsyncClient
) -> None:
    path = await address(client)

    async def removed_and_cut() -> AsyncIterator[bytes]:
        yield AUDIO[:6000]
        assert (await client.delete(path, headers=TUS)).status_code == 204
        raise ClientDisconnect

    await client.patch(path, content=removed_and_cut(), headers=BYTES | {"Upload-Offset": "0"})
    assert api.empty()


async def test_another_tenant_does_not_find_it(api: ApiFixture, tmp_path: Path) -> None:
    (tmp_path / "keys").write_text(line("north", "n") + line("south", "s"))
    api.settings = api.settings.model_copy(update={"api_keys_file": tmp_path / "keys"})
    async with api.client(**bearer("n")) as north, api.client(**bearer("s")) as south:
        path = await address(north)
        await append(north, path, AUDIO)
        assert (await south.head(path, headers=TUS)).status_code == 404
        assert_problem(await append(south, path, b"", len(AUDIO)), 404, "upload_not_found")
        assert_problem(await south.delete(path, headers=TUS), 404, "upload_not_found")
        assert_problem(await submit(south, path), 404, "upload_not_found")
        assert (await submit(north, path)).status_code == 202


async def test_open_uploads_count_for_the_limits_of_their_tenant(api: ApiFixture, tmp_path: Path) -> None:
    (tmp_path / "keys").write_text(line("north", "n") + line("south", "s"))
    quotas = {"north": TenantQuota(open_uploads=2), "south": TenantQuota(stored_bytes=2 * len(AUDIO))}
    api.settings = api.settings.model_copy(update={"api_keys_file": tmp_path / "keys", "tenants": quotas})
    async with api.client(**bearer("n")) as north, api.client(**bearer("s")) as south:
        first = await address(north)
        await address(north)
        refused = await begin(north)
        assert assert_problem(refused, 429, "quota_exceeded")["limit"] == "open_uploads"
        assert "retry-after" in refused.headers
        await north.delete(first, headers=TUS)
        await address(north)
        for _ in range(2):
            await address(south)
        assert assert_problem(await begin(south), 429, "quota_exceeded")["limit"] == "stored_bytes"


async def test_parallel_uploads_do_not_pass_the_limit_of_their_tenant(api: ApiFixture, tmp_path: Path) -> None:
    (tmp_path / "keys").write_text(line("north", "n"))
    quotas = {"north": TenantQuota(open_uploads=3)}
    api.settings = api.settings.model_copy(update={"api_keys_file": tmp_path / "keys", "tenants": quotas})
    async with api.client(**bearer("n")) as one, api.client(**bearer("n")) as other:  # two processes of the API
        begun = await asyncio.gather(*(begin(client) for client in (one, other) for _ in range(6)))
        assert {answer.status_code for answer in begun} <= {201, 429}
        assert len((await one.get("/v1/uploads")).json()["uploads"]) <= 3
        left = [answer.headers["location"] for answer in begun if answer.status_code == 201]
        assert len(uploaded(api)) == len(left) <= 3


async def test_uploads_are_listed_for_their_tenant_alone(api: ApiFixture, tmp_path: Path) -> None:
    (tmp_path / "keys").write_text(line("north", "n") + line("south", "s"))
    api.settings = api.settings.model_copy(update={"api_keys_file": tmp_path / "keys"})
    name = base64.b64encode("visite é.wav".encode()).decode()
    async with api.client(**bearer("n")) as north, api.client(**bearer("s")) as south:
        paths = [await address(north, **{"Upload-Metadata": f"filename {name},kind ZGljdGF0aW9u"}) for _ in range(3)]
        await append(north, paths[0], AUDIO[:5000])
        first = (await north.get("/v1/uploads?limit=2")).json()
        rest = (await north.get("/v1/uploads", params={"limit": 2, "cursor": first["next_cursor"]})).json()
        listed = [*first["uploads"], *rest["uploads"]]
        assert [f"/v1/uploads/{one['id']}" for one in listed] == sorted(paths, reverse=True)
        assert {(one["file_name"], one["length"]) for one in listed} == {("visite é.wav", len(AUDIO))}
        assert sorted(one["offset"] for one in listed) == [0, 0, 5000]
        assert rest["next_cursor"] is None
        assert (await south.get("/v1/uploads", params={"cursor": first["next_cursor"]})).json()["uploads"] == []
        assert_problem(await north.get("/v1/uploads?cursor=../south"), 422, "invalid_option")
        told = await north.head(paths[0], headers=TUS)
        assert told.headers["upload-metadata"] == f"filename {name},kind ZGljdGF0aW9u"
        assert "upload-metadata" not in (await south.head(await address(south), headers=TUS)).headers


async def test_an_upload_ends_with_its_time_and_the_keeper_removes_it(api: ApiFixture) -> None:
    clock = [datetime.now(UTC)]
    api.recordings = MemoryRecordingStore(lambda: clock[0])
    api.settings = api.settings.model_copy(update={"upload_seconds": 600})
    collector = UploadCollector(api.recordings, 600, lambda: clock[0])
    async with api.client() as client:
        path, busy = await address(client), await address(client)
        await append(client, path, AUDIO[:5000])
        assert collector.collect(lambda: None) == 0
        clock[0] += timedelta(hours=3)
        await append(client, busy, AUDIO[:5000])  # the clocks of API and object store differ: somebody is at work
        api.recordings.put("uploads/north/notes/1", b"")
        assert collector.collect(lambda: None) == 1
        assert sorted(key.rpartition("/")[2] for key in uploaded(api)) == ["0" * 15, "1", "info.json"]
        assert await offset_of(client, busy) == 5000
    api.settings = api.settings.model_copy(update={"upload_seconds": 0})
    async with api.client() as client:
        assert_problem(await append(client, busy, b"", 5000), 410, "upload_expired")


async def test_the_server_says_what_it_speaks(client: httpx.AsyncClient) -> None:
    described = await client.options("/v1/uploads")
    assert described.status_code == 204
    assert described.headers["tus-version"] == "1.0.0"
    assert described.headers["tus-extension"] == "creation,creation-with-upload,expiration,termination"
    assert described.headers["tus-max-size"] == "100000"


async def test_while_the_object_store_is_away_nothing_is_acknowledged(
    api: ApiFixture, client: httpx.AsyncClient
) -> None:
    path = await address(client)
    api.recordings.available = False
    assert_problem(await append(client, path, AUDIO), 503, "object_store_unavailable")
    assert_problem(await begin(client), 503, "object_store_unavailable")
    api.recordings.available = True
    assert await offset_of(client, path) == 0
