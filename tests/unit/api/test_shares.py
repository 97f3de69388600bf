"""Shared links: what they open, what they never open, and when they end."""

from __future__ import annotations

import hashlib
import json
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
import structlog

from parley_api.routes import context, shared
from parley_api.runtime.shares import MOST_SHARES, Shares
from parley_core.recording import peaks_key
from tests.support.api_fixture import AUDIO, TURN, ApiFixture, assert_problem, fail, succeed
from tests.unit.api.test_access import CLOSED, bearer, line

pytestmark = pytest.mark.anyio

WEEK = 7 * 86_400
OPENED = ("/v1/shared", "/v1/shared/turns", "/v1/shared/peaks")


@pytest.fixture
def keyed(api: ApiFixture, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ApiFixture:
    """A server with keys of two tenants, which answers wrong links and keys at once."""
    monkeypatch.setattr(context, "UNKNOWN_KEY_SECONDS", 0.0)
    monkeypatch.setattr(shared, "UNKNOWN_LINK_SECONDS", 0.0)
    (tmp_path / "keys").write_text(line("north", "n") + line("south", "s"))
    api.settings = api.settings.model_copy(update={"api_keys_file": tmp_path / "keys"})
    return api


async def submitted(client: httpx.AsyncClient, api: ApiFixture) -> str:
    """Return a job of the north that has succeeded, with the peaks of its waveform."""
    headers = {"Content-Type": "audio/flac"} | bearer("n")
    options = {"reference": "consult-4711", "file_name": "A. Patient.flac", "speaker_embeddings": "true"}
    job_id = str((await client.post("/v1/jobs", params=options, content=AUDIO, headers=headers)).json()["id"])
    succeed(api, job_id)
    result = api.store.get(job_id).result
    assert result is not None
    api.recordings.put(peaks_key(result.key), b"peaks")
    return job_id


async def made(client: httpx.AsyncClient, job_id: str, **asked: Any) -> dict[str, Any]:
    answer = await client.post(f"/v1/jobs/{job_id}/shares", json={"seconds": WEEK, **asked}, headers=bearer("n"))
    assert answer.status_code == 201, answer.text
    document: dict[str, Any] = answer.json()
    return document


def text_of(share: dict[str, Any]) -> str:
    path, _, text = str(share["link"]).partition("#")
    assert path == "/shared"
    return text


async def test_a_link_opens_its_job_without_a_key_and_without_names_of_files(keyed: ApiFixture) -> None:
    async with keyed.client() as client:
        job_id = await submitted(client, keyed)
        share = await made(client, job_id)
        link = bearer(text_of(share))
        page = await client.get("/shared")
        assert page.headers["referrer-policy"] == "no-referrer"
        assert page.text == (await client.get("/")).text
        opened = await client.get("/v1/shared", headers=link)
        turns = await client.get("/v1/shared/turns", headers=link)
        peaks = await client.get("/v1/shared/peaks", headers=link)
        audio = await client.get("/v1/shared/audio", headers=link)
    assert (opened.json()["expires_at"], opened.json()["links"]["audio"]) == (share["expires_at"], None)
    lasts = datetime.fromisoformat(share["expires_at"]) - datetime.fromisoformat(share["created_at"])
    assert lasts == timedelta(seconds=WEEK)
    assert turns.json()["turns"][0].items() >= TURN.items()
    assert {one["voiceprint_id"] for one in turns.json()["identities"]} == {None}
    assert "speaker_embeddings" not in turns.json()
    assert peaks.content == b"peaks"
    assert_problem(audio, 403, "audio_not_shared")
    for answer in (opened, turns):
        assert answer.headers["cache-control"] == "no-store"
        assert not re.search("4711|Patient|worker/1|north", answer.text)


async def test_a_link_with_the_recording_plays_it_in_ranges_under_no_name(keyed: ApiFixture) -> None:
    async with keyed.client() as client:
        share = await made(client, await submitted(client, keyed), audio=True)
        path = (await client.get("/v1/shared", headers=bearer(text_of(share)))).json()["links"]["audio"]
        part = await client.get(path, headers=bearer(text_of(share)) | {"Range": "bytes=0-3"})
    assert (part.status_code, part.content) == (206, AUDIO[:4])
    assert "Patient" not in part.headers["content-disposition"]


async def test_a_link_opens_no_other_route_and_only_reads(keyed: ApiFixture) -> None:
    async with keyed.client() as client:
        job_id = await submitted(client, keyed)
        link = bearer(text_of(await made(client, job_id, audio=True)))
        for method, path in CLOSED:
            own = re.sub(r"(?<=/jobs/)[0-9a-f-]{36}", job_id, path)
            assert_problem(await client.request(method, own, headers=link), 401, "unknown_key")
        assert_problem(await client.get("/metrics", headers=link), 404, "not_found")
        for path in (*OPENED, "/v1/shared/audio"):
            for method in ("POST", "PUT", "PATCH", "DELETE"):
                assert_problem(await client.request(method, path, headers=link), 405, "method_not_allowed")
        assert (await client.get(f"/v1/jobs/{job_id}", headers=bearer("n"))).json()["state"] == "succeeded"


async def test_forged_links_and_keys_open_nothing(keyed: ApiFixture) -> None:
    async with keyed.client() as client:
        one, other = await submitted(client, keyed), await submitted(client, keyed)
        text = text_of(await made(client, one))
        foreign = text.replace(one.replace("-", ""), other.replace("-", ""))
        wrong = text[:-1] + ("a" if text[-1] != "a" else "b")
        for forged in (foreign, wrong, text[:-1], text.upper(), "ps_../../x", f"ps_{'0' * 32}_", "n"):
            assert_problem(await client.get("/v1/shared", headers=bearer(forged)), 401, "unknown_link")
        assert_problem(await client.get("/v1/shared"), 401, "unauthenticated")
        assert_problem(await client.get(f"/v1/shared?link={text}"), 401, "unauthenticated")


async def test_only_the_hash_of_a_link_is_kept_and_its_text_is_not_logged(keyed: ApiFixture) -> None:
    with structlog.testing.capture_logs() as lines:
        async with keyed.client() as client:
            text = text_of(await made(client, await submitted(client, keyed)))
            await client.get("/v1/shared/turns", headers=bearer(text))
            await client.get("/v1/shared/turns", headers=bearer(text + "x"))
    kept = b"".join(keyed.recordings.objects.values())
    secret = text.rpartition("_")[2]
    assert secret.encode() not in kept
    assert hashlib.sha256(text.encode()).hexdigest().encode() in kept
    assert secret not in repr(lines)


async def test_a_link_ends_with_its_time_and_with_a_shorter_limit(keyed: ApiFixture) -> None:
    async with keyed.client() as client:
        job_id = await submitted(client, keyed)
        text = text_of(await made(client, job_id, seconds=3600))
    [key] = [key for key in keyed.recordings.objects if "/shares/" in key]
    stored = json.loads(keyed.recordings.objects[key])
    stored["created_at"] = (datetime.now(UTC) - timedelta(seconds=1800)).isoformat()
    keyed.recordings.put(key, json.dumps(stored).encode())
    for limit, code in ((3600, None), (1700, "expired_link"), (0, "unknown_link")):
        keyed.settings = keyed.settings.model_copy(update={"longest_share_seconds": limit})
        async with keyed.client() as client:
            answer = await client.get("/v1/shared", headers=bearer(text))
        if code is None:
            assert answer.status_code == 200
        else:
            assert_problem(answer, 401, code)
    keyed.settings = keyed.settings.model_copy(update={"longest_share_seconds": WEEK})
    keyed.recordings.put(key, json.dumps(stored | {"expires_at": datetime.now(UTC).isoformat()}).encode())
    async with keyed.client() as client:
        for path in OPENED:
            assert_problem(await client.get(path, headers=bearer(text)), 401, "expired_link")


async def test_links_are_listed_revoked_and_go_with_their_job(keyed: ApiFixture) -> None:
    async with keyed.client() as client:
        job_id = await submitted(client, keyed)
        one, other = await made(client, job_id), await made(client, job_id, audio=True)
        path = f"/v1/jobs/{job_id}/shares"
        listed = (await client.get(path, headers=bearer("n"))).json()["shares"]
        assert listed == [{name: value for name, value in share.items() if name != "link"} for share in (one, other)]
        assert_problem(await client.get(path, headers=bearer("s")), 404, "job_not_found")
        assert_problem(await client.delete(f"{path}/{one['id']}", headers=bearer("s")), 404, "job_not_found")
        for share_id in ("0" * 16, "..%2f..%2fx", one["id"][:-1]):
            assert (await client.delete(f"{path}/{share_id}", headers=bearer("n"))).status_code == 404
        assert (await client.delete(f"{path}/{one['id']}", headers=bearer("n"))).json()["share_id"] == one["id"]
        assert_problem(await client.get("/v1/shared", headers=bearer(text_of(one))), 401, "unknown_link")
        assert (await client.get("/v1/shared", headers=bearer(text_of(other)))).status_code == 200
        await client.delete(f"/v1/jobs/{job_id}", headers=bearer("n"))
        assert_problem(await client.get("/v1/shared", headers=bearer(text_of(other))), 401, "unknown_link")
    assert keyed.sounds == {}


async def test_a_link_that_is_made_while_its_job_is_deleted_leaves_nothing(keyed: ApiFixture) -> None:
    async with keyed.client() as client:
        job_id = await submitted(client, keyed)
        keyed.durable.manifests.condemn(job_id)
        answer = await client.post(f"/v1/jobs/{job_id}/shares", json={"seconds": WEEK}, headers=bearer("n"))
    assert_problem(answer, 410, "job_purged")
    assert not [key for key in keyed.recordings.objects if "/shares/" in key]


WRONG: tuple[dict[str, Any], ...] = (
    {}, {"seconds": 59}, {"seconds": 31 * 86_400}, {"seconds": 10**12}, {"seconds": "600"}, {"seconds": True},
    {"seconds": 600.5}, {"seconds": 600, "audio": "yes"}, {"seconds": 600, "job": "other"},
)  # fmt: skip


async def test_a_wrong_request_for_a_link_is_refused_and_makes_none(keyed: ApiFixture) -> None:
    async with keyed.client() as client:
        path = f"/v1/jobs/{await submitted(client, keyed)}/shares"
        for asked in WRONG:
            answer = await client.post(path, json=asked, headers=bearer("n"))
            assert_problem(answer, 422, "unknown_option" if "job" in asked else "invalid_option")
        assert (await client.get(path, headers=bearer("n"))).json() == {"shares": []}


async def test_a_job_without_turns_is_not_shared_and_links_are_few(keyed: ApiFixture) -> None:
    async with keyed.client() as client:
        headers = {"Content-Type": "audio/flac"} | bearer("n")
        waits = str((await client.post("/v1/jobs", content=AUDIO, headers=headers)).json()["id"])
        path = f"/v1/jobs/{waits}/shares"
        assert_problem(await client.post(path, json={"seconds": 600}, headers=bearer("n")), 409, "job_not_finished")
        fail(keyed, waits)
        assert_problem(await client.post(path, json={"seconds": 600}, headers=bearer("n")), 409, "job_not_succeeded")
        job_id = await submitted(client, keyed)
        shares = Shares(keyed.recordings, WEEK)
        for _ in range(MOST_SHARES):
            shares.create(job_id, 600, False, lambda: False)
        answer = await client.post(f"/v1/jobs/{job_id}/shares", json={"seconds": 600}, headers=bearer("n"))
        assert_problem(answer, 409, "too_many_shares")


async def test_a_server_that_shares_nothing_says_so(keyed: ApiFixture) -> None:
    keyed.settings = keyed.settings.model_copy(update={"longest_share_seconds": 0})
    async with keyed.client() as client:
        path = f"/v1/jobs/{await submitted(client, keyed)}/shares"
        assert_problem(await client.post(path, json={"seconds": 600}, headers=bearer("n")), 409, "sharing_off")


@pytest.mark.usefixtures("within_a_minute")
async def test_readers_of_a_link_do_not_use_up_the_rate_of_the_tenant(keyed: ApiFixture) -> None:
    keyed.settings = keyed.settings.model_copy(update={"tenant_requests_per_minute": 6})
    async with keyed.client() as client:
        link = bearer(text_of(await made(client, await submitted(client, keyed))))
        codes = [(await client.get("/v1/shared", headers=link)).status_code for _ in range(8)]
        assert (codes[0], codes[-1]) == (200, 429)
        assert (await client.get("/v1/jobs", headers=bearer("n"))).status_code == 200
