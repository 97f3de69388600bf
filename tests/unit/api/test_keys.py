"""API keys: making and revoking them, their scopes and their end."""

from __future__ import annotations

import hashlib
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from parley_api.runtime import stored_keys
from parley_api.runtime.expiries import Expiries
from parley_api.runtime.keys import Scope
from tests.support.api_fixture import AUDIO, ApiFixture, assert_problem, succeed
from tests.support.certificates import make_certificate
from tests.unit.api.test_access import CLOSED, bearer, line

pytestmark = pytest.mark.anyio

RAW = {"Content-Type": "audio/flac"}
ROOT = "the operator's key"
PAST, FUTURE = datetime(2020, 1, 1, tzinfo=UTC), datetime(2999, 1, 1, tzinfo=UTC)

NEEDED = {
    ("GET", "jobs"): Scope.READ, ("POST", "jobs"): Scope.SUBMIT, ("DELETE", "jobs"): Scope.DELETE,
    ("GET", "aurity"): Scope.READ, ("POST", "aurity"): Scope.SUBMIT, ("GET", "queues"): Scope.READ,
    ("GET", "usage"): Scope.READ, ("GET", "health"): Scope.READ,
    ("GET", "deliveries"): Scope.READ, ("POST", "deliveries"): Scope.SUBMIT,
    **{(method, "voiceprints"): Scope.VOICEPRINTS for method in ("GET", "POST", "DELETE")},
    ("GET", "batches"): Scope.READ, ("POST", "batches"): Scope.SUBMIT,
    **{(method, "uploads"): Scope.SUBMIT for method in ("GET", "OPTIONS", "POST", "HEAD", "PATCH", "DELETE")},
    **{(method, "keys"): Scope.ADMIN for method in ("GET", "POST", "DELETE")},
}  # fmt: skip


@pytest.fixture
def keyed(api: ApiFixture, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ApiFixture:
    """A server with one key of the operator, which forgets its own look-ups at once."""
    monkeypatch.setattr(stored_keys, "FRESH_SECONDS", 0.0)
    (tmp_path / "keys").write_text(line("north", ROOT) + line("south", "of the south"))
    api.settings = api.settings.model_copy(update={"api_keys_file": tmp_path / "keys"})
    return api


def needed(method: str, path: str) -> Scope:
    if (method, path.rpartition("/")[2]) == ("POST", "corrections"):
        return Scope.CORRECT
    if "/shares" in path:
        return Scope.SHARE
    return NEEDED[method, re.sub(r"^/(v1|api/workflows)/", "", path).split("/")[0]]


async def made(client: httpx.AsyncClient, *scopes: str, owner: str = ROOT, **members: Any) -> dict[str, Any]:
    body = {"name": "import", "scopes": list(scopes), **members}
    answer = await client.post("/v1/keys", json=body, headers=bearer(owner))
    assert answer.status_code == 201, answer.text
    document: dict[str, Any] = answer.json()
    return document


async def test_a_key_is_made_used_listed_and_revoked(keyed: ApiFixture) -> None:
    async with keyed.client() as client:
        key = await made(client, "submit", "read")
        assert re.fullmatch(r"pk_[0-9a-f]{12}_[A-Za-z0-9_-]{43}", key["key"])
        own = bearer(key["key"])
        assert (await client.post("/v1/jobs", content=AUDIO, headers=RAW | own)).status_code == 202
        [job] = (await client.get("/v1/jobs", headers=bearer(ROOT))).json()["jobs"]
        assert (await client.get(f"/v1/jobs/{job['id']}", headers=own)).status_code == 200
        [listed] = (await client.get("/v1/keys", headers=bearer(ROOT))).json()["keys"]
        assert listed.pop("last_used_at") is not None
        assert listed == {name: value for name, value in key.items() if name not in ("key", "last_used_at")}
        assert (await client.delete(f"/v1/keys/{key['id']}", headers=bearer(ROOT))).status_code == 200
        assert_problem(await client.get("/v1/jobs", headers=own), 401, "unknown_key")
        assert (await client.get("/v1/keys", headers=bearer(ROOT))).json()["keys"] == []


async def test_only_the_hash_of_a_key_is_kept(keyed: ApiFixture) -> None:
    async with keyed.client() as client:
        key = await made(client, "read")
    kept = b"".join(keyed.recordings.objects.values())
    assert key["key"].encode() not in kept
    assert hashlib.sha256(key["key"].encode()).hexdigest().encode() in kept


async def test_a_key_with_another_secret_is_unknown(keyed: ApiFixture) -> None:
    async with keyed.client() as client:
        key = await made(client, "read")
        forged = key["key"][:-1] + ("a" if key["key"][-1] != "a" else "b")
        for wrong in (forged, f"pk_{key['id']}_", "pk_../../jobs_x", f"pk_{'0' * 12}_{'0' * 43}"):
            assert_problem(await client.get("/v1/jobs", headers=bearer(wrong)), 401, "unknown_key")


async def test_keys_of_another_tenant_are_not_there(keyed: ApiFixture) -> None:
    async with keyed.client() as client:
        key = await made(client, "admin", owner="of the south")
        assert (await client.get("/v1/keys", headers=bearer(ROOT))).json()["keys"] == []
        for key_id in (key["id"], "0" * 12, "x", "..%2f..%2fjobs"):
            answer = await client.delete(f"/v1/keys/{key_id}", headers=bearer(ROOT))
            assert answer.status_code == 404, answer.text
        assert (await client.get("/v1/keys", headers=bearer(key["key"]))).status_code == 200


@pytest.mark.parametrize(("method", "path"), CLOSED)
async def test_every_route_asks_for_its_scope_and_no_other(keyed: ApiFixture, method: str, path: str) -> None:
    scope = needed(method, path)
    async with keyed.client() as client:
        others = await made(client, *(one for one in Scope if one != scope))
        refused = await client.request(method, path, headers=bearer(others["key"]))
        detail = str(assert_problem(refused, 403, "scope_missing")["detail"])
        assert scope in detail or method == "HEAD"
        alone = await made(client, scope)
        assert (await client.request(method, path, headers=bearer(alone["key"]))).status_code not in (401, 403)


async def test_speaker_embeddings_need_a_scope_of_their_own(keyed: ApiFixture) -> None:
    async with keyed.client() as client:
        job = (await client.post("/v1/jobs", content=AUDIO, headers=RAW | bearer(ROOT))).json()
        succeed(keyed, job["id"])
        reader = bearer((await made(client, Scope.READ))["key"])
        path = f"/v1/jobs/{job['id']}/turns"
        assert (await client.get(path, headers=reader)).status_code == 200
        problem = assert_problem(await client.get(f"{path}?embeddings=true", headers=reader), 403, "scope_missing")
        assert "`export`" in str(problem["detail"])
        exporter = bearer((await made(client, Scope.READ, Scope.EXPORT))["key"])
        answer = await client.get(f"{path}?embeddings=true", headers=exporter)
        assert_problem(answer, 409, "speaker_embeddings_not_kept")


@pytest.mark.parametrize(("method", "path"), CLOSED)
async def test_an_expired_key_opens_nothing(keyed: ApiFixture, method: str, path: str) -> None:
    async with keyed.client() as client:
        key = await made(client, *Scope, expires_at=PAST.isoformat())
        assert_problem(await client.request(method, path, headers=bearer(key["key"])), 401, "expired_key")


@pytest.mark.parametrize(("rest", "status", "code"), [
    (":read", 200, None), (":submit", 403, "scope_missing"), (":read:2999-01-01T00:00:00Z", 200, None),
    ("::2026-01-31T00:00:00Z", 401, "expired_key"), ("::2999-01-01T00:00:00+01:00", 200, None),
])  # fmt: skip
async def test_a_key_of_the_file_may_have_scopes_and_an_end(
    keyed: ApiFixture, rest: str, status: int, code: str | None
) -> None:
    file = keyed.settings.api_keys_file
    assert file is not None
    file.write_text(line("north", ROOT).strip() + rest)
    async with keyed.client() as client:
        answer = await client.get("/v1/jobs", headers=bearer(ROOT))
    assert answer.status_code == status, answer.text
    if code:
        assert_problem(answer, status, code)


@pytest.mark.parametrize("body", [
    {}, {"name": "x"}, {"name": "x", "scopes": []}, {"name": "x", "scopes": ["root"]}, {"name": "", "scopes": ["read"]},
    {"name": "x", "scopes": ["read"], "expires_at": "tomorrow"}, {"name": "x", "scopes": "read"},
    {"name": "x", "scopes": ["read"], "expires_at": "2030-01-01T00:00:00"},
    {"name": "x", "scopes": ["read"], "expires_at": 1_900_000_000},
    {"name": "x", "scopes": ["read"], "expires_at": "9999-12-31T23:59:59-10:00"},
    {"name": "x", "scopes": ["read"], "key": "k"},
])  # fmt: skip
async def test_a_wrong_request_makes_no_key(keyed: ApiFixture, body: dict[str, Any]) -> None:
    async with keyed.client() as client:
        answer = await client.post("/v1/keys", json=body, headers=bearer(ROOT))
    assert answer.status_code == 422, answer.text
    assert not keyed.recordings.keys("keys/")


async def test_a_tenant_cannot_make_keys_without_end(keyed: ApiFixture, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stored_keys, "MOST_KEYS", 1)
    async with keyed.client() as client:
        await made(client, "read")
        body = {"name": "import", "scopes": ["read"]}
        assert_problem(await client.post("/v1/keys", json=body, headers=bearer(ROOT)), 409, "too_many_keys")


async def test_a_server_without_keys_makes_none(client: httpx.AsyncClient) -> None:
    answer = await client.post("/v1/keys", json={"name": "import", "scopes": ["read"]})
    assert_problem(answer, 409, "keys_off")


async def test_an_outage_of_the_object_store_locks_no_known_caller_out(keyed: ApiFixture) -> None:
    async with keyed.client() as client:
        known, new = await made(client, "read"), await made(client, "read")
        assert (await client.get("/v1/jobs", headers=bearer(known["key"]))).status_code == 200
        keyed.recordings.available = False
        assert (await client.get("/v1/jobs", headers=bearer(known["key"]))).status_code == 200
        assert (await client.get("/v1/jobs", headers=bearer(ROOT))).status_code == 200
        assert_problem(await client.get("/v1/jobs", headers=bearer(new["key"])), 503, "object_store_unavailable")


async def test_metrics_say_when_keys_in_use_and_certificates_expire(
    keyed: ApiFixture, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    soon, short = datetime.now(UTC) + timedelta(days=60), datetime.now(UTC) + timedelta(days=5)
    hashed = hashlib.sha256(b"of the file").hexdigest()
    with (tmp_path / "keys").open("a") as file:
        file.write(f"west:{hashed}:read:2999-01-01T00:00:00Z\n")
    make_certificate(tmp_path / "certificates" / "parley-tls", 40)
    (tmp_path / "certificates" / "damaged").mkdir()
    (tmp_path / "certificates" / "damaged" / "tls.crt").write_text("no certificate")
    keyed.settings = keyed.settings.model_copy(update={"certificates_folder": tmp_path / "certificates"})
    async with keyed.client() as client:
        used = await made(client, "read", expires_at=soon.isoformat())
        await made(client, "read", expires_at=soon.isoformat())  # nobody uses it
        for key in (used, await made(client, "read", expires_at=short.isoformat())):
            assert (await client.get("/v1/jobs", headers=bearer(key["key"]))).status_code == 200
        await client.get("/v1/jobs", headers=bearer("of the file"))
        expiries = client._transport.app.state.deps.expiries  # type: ignore[attr-defined]
        found = samples(expiries)
        assert found.pop(("north", used["id"])) == pytest.approx(soon.timestamp())
        assert found.pop(("west", hashed[:12])) == FUTURE.replace(year=2999).timestamp()
        assert found.pop(("parley-tls",)) == pytest.approx((datetime.now(UTC) + timedelta(days=40)).timestamp(), abs=60)
        assert found == {}
        monkeypatch.setattr("parley_api.runtime.expiries.USED_SECONDS", 0.0)
        assert set(samples(expiries)) == {("parley-tls",)}


def samples(expiries: Expiries) -> dict[tuple[str, ...], float]:
    """Return what expires when, by the labels."""
    return {tuple(sample.labels.values()): sample.value for family in expiries.collect() for sample in family.samples}
