"""Making, listing and revoking links."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest

from parley import Parley
from parley.cli.exit_codes import Exit
from tests.unit.client.command import ago, parley
from tests.unit.client.scripted import Reply, ScriptedServer, problem

JOB = "019a0000-0000-7000-8000-000000000000"
PATH = f"/v1/jobs/{JOB}/shares"
SHARE = {"id": "5c1b7f20a9d3e864", "audio": False, "created_at": ago(days=3), "expires_at": "2999-11-25T00:00:00Z"}
CREATED = SHARE | {"link": "/shared#ps_secret"}


@pytest.fixture
def sharing(server: ScriptedServer) -> ScriptedServer:
    server.on("POST", PATH, Reply(201, CREATED))
    server.on("GET", PATH, Reply(document={"shares": [SHARE, SHARE | {"expires_at": ago(days=1), "audio": True}]}))
    server.on("DELETE", f"{PATH}/{SHARE['id']}", Reply(document={"share_id": SHARE["id"], "revoked_at": ago(days=0)}))
    return server


def test_the_client_makes_lists_and_revokes_links(sharing: ScriptedServer, client: Parley) -> None:
    made = client.share(JOB, 3600, audio=True)
    assert (made.id, made.link) == (SHARE["id"], CREATED["link"])
    assert "secret" not in repr(made)
    assert json.loads(sharing.requests[0].body) == {"seconds": 3600, "audio": True}
    assert [(share.audio, share.link) for share in client.shares(JOB)] == [(False, None), (True, None)]
    assert client.revoke_share(JOB, made.id)["share_id"] == made.id


def test_the_whole_address_is_all_that_is_printed(sharing: ScriptedServer) -> None:
    made = parley("share", JOB, "--for", "2d")
    assert made.exit_code == Exit.OK
    assert made.stdout.startswith("http://")
    assert made.stdout.endswith("/shared#ps_secret\n")
    seconds = timedelta(days=2).total_seconds()
    assert json.loads(sharing.requests[0].body) == {"seconds": seconds, "audio": False}
    assert json.loads(parley("share", JOB, "--json").stdout)["url"] == made.stdout.strip()
    assert json.loads(sharing.requests[1].body)["seconds"] == timedelta(days=7).total_seconds()


def test_links_are_listed_and_revoked(sharing: ScriptedServer) -> None:
    one, other = parley("shares", JOB).stdout.splitlines()[1:]
    assert ("in" in one.split(), "no" in one.split()) == (True, True)
    assert ("over" in other.split(), "yes" in other.split()) == (True, True)
    revoked = parley("shares", JOB, "--revoke", SHARE["id"])
    assert (revoked.exit_code, sharing.requests[-1].method) == (Exit.OK, "DELETE")


def test_a_server_that_shares_nothing_says_so(server: ScriptedServer) -> None:
    server.on("POST", PATH, problem(409, "sharing_off", "This server shares no recordings by link."))
    refused = parley("share", JOB)
    assert refused.exit_code != Exit.OK
    assert "shares no recordings" in refused.stderr
