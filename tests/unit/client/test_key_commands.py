"""Making, listing and revoking API keys."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import pytest

from parley import Parley
from parley.cli.exit_codes import Exit
from tests.unit.client.command import ago, parley
from tests.unit.client.scripted import Reply, ScriptedServer, problem

KEY = {
    "id": "3f9a1c07d2be",
    "name": "records import",
    "scopes": ["read", "submit"],
    "created_at": ago(days=3),
    "expires_at": "2999-11-25T00:00:00Z",
    "last_used_at": None,
}
CREATED = KEY | {"key": "pk_3f9a1c07d2be_secret"}


@pytest.fixture
def keyed(server: ScriptedServer) -> ScriptedServer:
    server.on("POST", "/v1/keys", Reply(201, CREATED))
    server.on("GET", "/v1/keys", Reply(document={"keys": [KEY | {"last_used_at": ago(hours=1)}, KEY]}))
    server.on("DELETE", "/v1/keys/3f9a1c07d2be", Reply(document={"key_id": KEY["id"], "revoked_at": ago(days=0)}))
    return server


def test_the_client_makes_lists_and_revokes(keyed: ScriptedServer, client: Parley) -> None:
    made = client.create_key("records import", ["read", "submit"], expires_at=datetime(2999, 11, 25, tzinfo=UTC))
    assert (made.id, made.key, made.scopes) == (KEY["id"], CREATED["key"], ("read", "submit"))
    assert "secret" not in repr(made)
    assert json.loads(keyed.requests[0].body)["expires_at"] == "2999-11-25T00:00:00+00:00"
    used, unused = client.keys()
    assert used.last_used_at is not None
    assert (unused.last_used_at, unused.key) == (None, None)
    assert client.revoke_key(made.id)["key_id"] == made.id


def test_a_new_key_is_all_that_is_printed(keyed: ScriptedServer) -> None:
    made = parley("keys", "create", "records import", "--scope", "read", "--scope", "submit", "--expires-in", "90d")
    assert (made.exit_code, made.stdout) == (Exit.OK, f"{CREATED['key']}\n")
    body = json.loads(keyed.requests[0].body)
    left = datetime.fromisoformat(body["expires_at"]) - datetime.now(UTC)
    assert timedelta(days=89) < left < timedelta(days=91)
    assert body["scopes"] == ["read", "submit"]


def test_a_key_needs_a_scope(keyed: ScriptedServer) -> None:
    assert parley("keys", "create", "records import").exit_code == Exit.USAGE


def test_keys_are_listed(keyed: ScriptedServer) -> None:
    shown = parley("keys").stdout
    assert "never" in shown
    assert "2999-11-25" in shown
    assert len(json.loads(parley("keys", "--json").stdout)) == 2


def test_keys_are_revoked(keyed: ScriptedServer) -> None:
    keyed.on("DELETE", "/v1/keys/0", problem(404, "key_not_found", "There is none."))
    assert parley("keys", "revoke", KEY["id"], "0").exit_code == Exit.REFUSED
    assert parley("keys", "revoke", KEY["id"]).exit_code == Exit.OK
