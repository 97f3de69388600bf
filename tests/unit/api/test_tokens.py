"""Signed tokens of other issuers, with real keys: which open what, and every forgery that is refused."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from joserfc import jwt
from joserfc.jwk import ECKey, Key, OctKey, RSAKey

from parley_api.runtime.tokens import Tokens, subject_digest
from parley_core.errors import UnsafeSettings
from tests.support.api_fixture import AUDIO, ApiFixture, assert_problem

pytestmark = pytest.mark.anyio

ISSUER = "https://kubernetes.default.svc"
SUBJECT = "system:serviceaccount:records:importer"
RSA, OTHER = (RSAKey.generate_key(2048, {"kid": "one"}) for _ in range(2))
EC = ECKey.generate_key("P-256", {"kid": "two"})
RAW = {"Content-Type": "audio/flac"}


def issuers(*scopes: str, keys: list[dict[str, Any]] | None = None) -> list[dict[str, Any]]:
    public = [key.as_dict(private=False) for key in (RSA, EC)]
    subjects = {SUBJECT: {"tenant": "north", "scopes": list(scopes)}}
    return [{"issuer": ISSUER, "audience": "parley", "jwks": {"keys": keys or public}, "subjects": subjects}]


@pytest.fixture
def keyed(api: ApiFixture, tmp_path: Path) -> ApiFixture:
    (tmp_path / "keys").write_text(
        f"north:{hashlib.sha256(b'n').hexdigest()}\nsouth:{hashlib.sha256(b's').hexdigest()}\n"
    )
    (tmp_path / "issuers.json").write_text(json.dumps(issuers("submit", "read")))
    files = {"api_keys_file": tmp_path / "keys", "token_issuers_file": tmp_path / "issuers.json"}
    api.settings = api.settings.model_copy(update=files)
    return api


def claims(**changed: object) -> dict[str, object]:
    now = int(time.time())
    sound = {"iss": ISSUER, "sub": SUBJECT, "aud": ["parley"], "iat": now, "nbf": now, "exp": now + 600}
    return {name: value for name, value in (sound | changed).items() if value is not None}


def signed(key: Key = RSA, algorithm: str = "RS256", kid: str | None = None, **changed: object) -> str:
    header = {"alg": algorithm, "kid": kid or key.as_dict(private=False).get("kid", "one")}
    return jwt.encode(header, claims(**changed), key, algorithms=[algorithm])


def part(document: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(document).encode()).rstrip(b"=").decode()


def unsigned(algorithm: str = "none") -> str:
    return f"{part({'alg': algorithm, 'typ': 'JWT', 'kid': 'one'})}.{part(claims())}."


def confused() -> str:
    """Return a token whose shared secret is the text of the public key."""
    head = f"{part({'alg': 'HS256', 'kid': 'one'})}.{part(claims())}"
    signature = hmac.new(RSA.as_pem(private=False), head.encode(), hashlib.sha256).digest()
    return f"{head}.{base64.urlsafe_b64encode(signature).rstrip(b'=').decode()}"


def own_key() -> str:
    """Return a token that brings the key that it was signed with."""
    header = {"alg": "RS256", "kid": "one", "jwk": OTHER.as_dict(private=False)}
    return jwt.encode(header, claims(), OTHER, algorithms=["RS256"])


def altered() -> str:
    head, _, signature = signed().split(".")
    return f"{head}.{part(claims(sub='system:serviceaccount:records:admin'))}.{signature}"


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


SOUND: dict[str, Callable[[], str]] = {
    "RSA": signed,
    "an elliptic curve": lambda: signed(EC, "ES256"),
    "PSS": lambda: signed(algorithm="PS256"),
    "one audience": lambda: signed(aud="parley"),
    "no beginning": lambda: signed(nbf=None),
    "no end that a date has": lambda: signed(exp=10**400),
}


async def test_the_audit_log_names_the_bearer_by_a_hash(keyed: ApiFixture, tmp_path: Path) -> None:
    keyed.settings = keyed.settings.model_copy(update={"audit_folder": tmp_path / "audit"})
    async with keyed.client() as client:
        await client.post("/v1/jobs", content=AUDIO, headers=RAW | bearer(signed()))
    [text] = [file.read_text() for file in (tmp_path / "audit").iterdir()]
    assert json.loads(text)["key"] == subject_digest(ISSUER, SUBJECT)
    assert SUBJECT not in text


@pytest.mark.parametrize("sound", SOUND.values(), ids=SOUND)
async def test_a_sound_token_is_its_tenant_with_its_scopes(keyed: ApiFixture, sound: Callable[[], str]) -> None:
    token = sound()
    async with keyed.client() as client:
        made = await client.post("/v1/jobs", content=AUDIO, headers=RAW | bearer(token))
        assert made.status_code == 202
        path = made.headers["location"]
        assert (await client.get(path, headers=bearer(token))).status_code == 200
        assert (await client.get(path, headers=bearer("n"))).status_code == 200
        assert (await client.get(path, headers=bearer("s"))).status_code == 404
        assert_problem(await client.delete(path, headers=bearer(token)), 403, "scope_missing")
        assert_problem(await client.get("/v1/keys", headers=bearer(token)), 403, "scope_missing")


FORGED: dict[str, Callable[[], str]] = {
    "no signature": unsigned,
    "no signature, in other letters": lambda: unsigned("nOnE"),
    "the public key as a secret": confused,
    "a secret of its own": lambda: signed(OctKey.generate_key(256, {"kid": "one"}), "HS256"),
    "another key of the same name": lambda: signed(OTHER),
    "a key of its own in the header": own_key,
    "an unknown key": lambda: signed(OTHER, kid="three"),
    "the key of another kind": lambda: signed(RSA, kid="two"),
    "altered claims": altered,
    "another issuer": lambda: signed(iss="https://elsewhere.example"),
    "another audience": lambda: signed(aud=["https://kubernetes.default.svc"]),
    "no audience": lambda: signed(aud=None),
    "a part of the audience": lambda: signed(aud="parley-test"),
    "another subject": lambda: signed(sub="system:serviceaccount:records:other"),
    "a subject that is no text": lambda: signed(sub=None),
    "no expiry": lambda: signed(exp=None),
    "an expiry that is no number": lambda: signed(exp=float("nan")),
    "an expiry that is a text": lambda: signed(exp="9999999999"),
    "valid later": lambda: signed(nbf=int(time.time()) + 3600),
    "cut off": lambda: signed()[:-20],
    "not a token": lambda: "a.b.c",
    "too long": lambda: signed(more="x" * 20_000),
}


@pytest.mark.parametrize("forged", FORGED.values(), ids=FORGED)
async def test_a_forged_token_opens_nothing(
    keyed: ApiFixture, forged: Callable[[], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("parley_api.routes.context.UNKNOWN_KEY_SECONDS", 0)
    async with keyed.client() as client:
        assert_problem(await client.get("/v1/jobs", headers=bearer(forged())), 401, "unknown_key")


async def test_an_expired_token_says_so(keyed: ApiFixture) -> None:
    async with keyed.client() as client:
        response = await client.get("/v1/jobs", headers=bearer(signed(exp=int(time.time()) - 60)))
        assert_problem(response, 401, "expired_key")


def test_rotated_keys_and_new_subjects_take_effect(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("parley_api.runtime.tokens.RELOAD_SECONDS", 0)
    file = tmp_path / "issuers.json"
    file.write_text(json.dumps(issuers("read")))
    tokens = Tokens(file)
    assert tokens.find(signed())
    file.write_text(json.dumps(issuers("read", keys=[OTHER.as_dict(private=False)])))
    assert tokens.find(signed()) is None
    assert tokens.find(signed(OTHER))
    file.write_text("damaged")
    assert tokens.find(signed(OTHER)), "a damaged file changes nothing"
    os.unlink(file)
    assert tokens.find(signed(OTHER))


@pytest.mark.parametrize("text", [
    "", "{}", json.dumps([{"issuer": ISSUER}]), json.dumps(issuers("everything")), json.dumps(issuers()),
    json.dumps(issuers("read", keys=[{"kty": "oct", "k": "c2VjcmV0" * 4}])),
    json.dumps(issuers("read", keys=[RSA.as_dict(private=True)])),
    json.dumps(issuers("read", keys=[{"kty": "RSA", "n": "x"}])),
])  # fmt: skip
def test_a_wrong_file_is_refused_at_the_start(tmp_path: Path, text: str) -> None:
    file = tmp_path / "issuers.json"
    file.write_text(text)
    with pytest.raises(UnsafeSettings):
        Tokens(file)
