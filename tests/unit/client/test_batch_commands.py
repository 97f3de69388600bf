"""Batches from the client and the command."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from parley import BatchUnfinished, Parley
from parley.cli.exit_codes import Exit
from tests.unit.client.command import ago, parley
from tests.unit.client.scripted import Reply, ScriptedServer, problem

ID = "019a0000-0000-7000-8000-000000000000"
PATH = f"/v1/batches/{ID}"
PROBLEM = {"code": "link_unusable", "detail": "The host answered with status 404.", "status": 422}


def batch(*states: str) -> dict[str, Any]:
    items = [
        {
            "index": index,
            "reference": f"visit {index}",
            "job": None if state == "refused" else ID,
            "state": state,
            "problem": PROBLEM if state == "refused" else None,
        }
        for index, state in enumerate(states)
    ]
    counts = {state: states.count(state) for state in states}
    done = not set(states) & {"queued", "running"}
    return {"id": ID, "created_at": ago(days=1), "reference": "night", "done": done, "counts": counts, "items": items}


def test_the_client_submits_links_and_documents(server: ScriptedServer, client: Parley) -> None:
    server.on("POST", "/v1/batches", Reply(202, batch("queued", "queued", "refused")))
    named = ["https://a.example/1.wav", "s3://calls/2.wav", {"upload": "u", "reference": "visit"}]
    made = client.submit_batch(
        named, options={"queue": "batch", "channels": ("clinician", "patient")}, reference="night"
    )
    assert json.loads(server.requests[0].body) == {
        "jobs": [{"url": named[0]}, {"object": named[1]}, named[2]],
        "options": {"queue": "batch", "channels": "clinician,patient"},
        "reference": "night",
    }
    assert server.requests[0].headers["Idempotency-Key"]
    assert (made.id, made.done, made.items[2].problem and made.items[2].problem.code) == (ID, False, "link_unusable")
    with pytest.raises(TypeError, match="link"):
        client.submit_batch(["visit.wav"])


def test_a_batch_is_waited_for(server: ScriptedServer, client: Parley, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("parley._batches.FIRST_PAUSE", 0.001)
    server.on("GET", PATH, *(Reply(document=batch(state)) for state in ("running", "succeeded", "running")))
    assert client.wait_batch(ID).counts == {"succeeded": 1}
    with pytest.raises(BatchUnfinished):
        client.wait_batch(ID, timeout=0.01)


def test_batches_are_listed_over_pages(server: ScriptedServer) -> None:
    row = {"id": ID, "created_at": ago(days=1), "reference": None, "jobs": 3, "refused": 1}
    pages = [{"batches": [row], "next_cursor": ID}, {"batches": [row | {"reference": "last"}], "next_cursor": None}]
    server.on("GET", "/v1/batches", *(Reply(document=page) for page in pages))
    shown = parley("batch")
    assert shown.exit_code == Exit.OK
    assert shown.stdout.count(ID) == 2
    assert "last" in shown.stdout


def test_a_file_of_links_is_submitted_a_hundred_at_a_time(server: ScriptedServer, tmp_path: Path) -> None:
    links = [f"https://a.example/{number}.wav" for number in range(130)]
    (tmp_path / "links.txt").write_text("# of the night\n\n" + "\n".join(links))
    server.on("POST", "/v1/batches", Reply(202, batch("queued")))
    runs = [parley("batch", "submit", str(tmp_path / "links.txt"), "--reference", "night") for _ in range(2)]
    assert [run.exit_code for run in runs] == [Exit.OK, Exit.OK]
    sent = [[job["url"] for job in json.loads(request.body)["jobs"]] for request in server.requests]
    assert sent == [links[:100], links[100:]] * 2
    keys = [request.headers["Idempotency-Key"] for request in server.requests]
    assert (keys[:2], len(set(keys))) == (keys[2:], 2)


def test_json_is_sent_as_it_is(server: ScriptedServer, tmp_path: Path) -> None:
    request = {"jobs": [{"url": "https://a.example/1", "num_speakers": 2}], "options": {"queue": "batch"}}
    (tmp_path / "night.json").write_text(json.dumps(request))
    server.on("POST", "/v1/batches", Reply(202, batch("refused")))
    run = parley("batch", "submit", str(tmp_path / "night.json"), "--json")
    assert run.exit_code == Exit.REFUSED
    assert json.loads(server.requests[0].body) == request | {"reference": None}
    assert json.loads(run.stdout)[0]["id"] == ID


@pytest.mark.parametrize(
    ("states", "code"),
    [
        (("succeeded", "purged"), Exit.OK),
        (("succeeded", "failed"), Exit.JOB_FAILED),
        (("cancelled",), Exit.JOB_FAILED),
        (("failed", "refused"), Exit.REFUSED),
    ],
)
def test_the_exit_code_tells_of_failures(server: ScriptedServer, states: tuple[str, ...], code: Exit) -> None:
    server.on("GET", PATH, Reply(document=batch(*states)))
    shown = parley("batch", "show", ID, "--watch")
    assert shown.exit_code == code
    assert all(state in shown.stdout for state in states)


def test_a_batch_is_cancelled(server: ScriptedServer) -> None:
    missing = problem(404, "batch_not_found", "Your tenant has no batch with this id.")
    server.on("POST", f"{PATH}/cancel", Reply(202, batch("cancelled")), missing)
    assert "cancelled" in parley("batch", "cancel", ID).stdout
    assert parley("batch", "cancel", ID).exit_code == Exit.REFUSED


@pytest.mark.parametrize("text", ["{", '{"job": []}', '{"jobs": {}}', "[1"])
def test_a_file_that_is_no_batch_is_refused_here(server: ScriptedServer, tmp_path: Path, text: str) -> None:
    (tmp_path / "b.json").write_text(text)
    assert parley("batch", "submit", str(tmp_path / "b.json")).exit_code == Exit.USAGE
    assert not server.requests


def test_text_that_is_no_link_is_refused_here(server: ScriptedServer, tmp_path: Path) -> None:
    (tmp_path / "links.txt").write_text("visit.wav")
    run = parley("batch", "submit", str(tmp_path / "links.txt"))
    assert (run.exit_code, server.requests) == (Exit.USAGE, [])
    assert parley("batch", "submit", str(tmp_path / "none.txt")).exit_code == Exit.USAGE
