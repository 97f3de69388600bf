"""The audit log: which calls it notes, what it never holds, and what happens where it cannot be written."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest

from parley.cli.audit import audit_lines, problems
from parley_api.http import audit_log
from parley_api.http.audit_log import AuditLog
from parley_api.http.audit_trail import ACTIONS, NOT_AUDITED
from parley_api.routes import context
from tests.support.api_fixture import AUDIO, ApiFixture, assert_problem, succeed
from tests.unit.api.test_access import bearer, line

pytestmark = pytest.mark.anyio

NAME = "doe-jane"
RAW = {"Content-Type": "audio/flac"}


@pytest.fixture
def audited(api: ApiFixture, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ApiFixture:
    """A server with a key of each of two tenants, and a folder of audit files."""
    monkeypatch.setattr(context, "UNKNOWN_KEY_SECONDS", 0.0)
    (tmp_path / "keys").write_text(line("north", "n") + line("south", "s"))
    update = {"api_keys_file": tmp_path / "keys", "audit_folder": tmp_path / "audit"}
    api.settings = api.settings.model_copy(update=update)
    return api


@pytest.fixture
def full_disk(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Standard output of the audit log is a device that is full."""
    full = os.open("/dev/full", os.O_WRONLY)
    monkeypatch.setattr(audit_log, "STANDARD_OUTPUT", full)
    yield
    os.close(full)


def text_of(folder: Path) -> str:
    return "".join(path.read_text() for path in sorted(folder.glob("*.jsonl"))) if folder.exists() else ""


def events(api: ApiFixture) -> list[dict[str, Any]]:
    assert api.settings.audit_folder
    return [json.loads(text) for text in text_of(api.settings.audit_folder).splitlines()]


async def job_of_the_north(client: httpx.AsyncClient, api: ApiFixture) -> str:
    target = f"/v1/jobs?reference={NAME}"
    answer = await client.post(target, content=AUDIO, headers=RAW | bearer("n"))
    job_id: str = answer.json()["id"]
    succeed(api, job_id)
    return job_id


def test_each_call_is_an_event_or_named_as_none(api: ApiFixture) -> None:
    paths = api.app().openapi()["paths"]
    calls = {(method.upper(), path) for path, methods in paths.items() for method in methods}
    assert calls == ACTIONS.keys() | NOT_AUDITED


async def test_events_say_who_did_what_to_which_job(audited: ApiFixture) -> None:
    async with audited.client() as client:
        job_id = await job_of_the_north(client, audited)
        share = await client.post(f"/v1/jobs/{job_id}/shares", json={"seconds": 60}, headers=bearer("n"))
        link = bearer(share.json()["link"].rpartition("#")[2])
        key = (await client.post("/v1/keys", json={"name": NAME, "scopes": ["read"]}, headers=bearer("n"))).json()
        await client.get(f"/v1/jobs/{job_id}/turns", headers=bearer(key["key"]) | {"X-Request-ID": "r-1"})
        await client.get(f"/v1/jobs/{job_id}/turns?embeddings=true", headers=bearer(key["key"]))
        await client.get(f"/v1/jobs/{job_id}", headers=bearer("n"))
        await client.get("/v1/shared/turns", headers=link)
        await client.delete(f"/v1/jobs/{job_id}", headers=bearer("n"))
    found = events(audited)
    assert [(one["action"], one["outcome"], one["status"]) for one in found] == [
        ("job.submit", "done", 202),
        ("share.make", "done", 201),
        ("key.make", "done", 201),
        ("result.read", "done", 200),
        ("embeddings.export", "refused", 403),
        ("result.read", "done", 200),
        ("job.delete", "done", 200),
    ]
    assert {one["tenant"] for one in found} == {"north"}
    assert [one["target"] for one in found[:3]] == [job_id, share.json()["id"], key["id"]]
    assert [one["job"] for one in found[3:]] == [job_id] * 4
    assert (found[3]["key"], found[3]["request_id"], found[4]["code"]) == (key["id"], "r-1", "scope_missing")
    assert found[3]["trace_id"] == job_id.replace("-", "")
    assert (found[5]["share"], "key" in found[5]) == (share.json()["id"], False)


async def test_no_event_holds_a_name_a_key_or_text_of_a_caller(audited: ApiFixture) -> None:
    async with audited.client() as client:
        job_id = await job_of_the_north(client, audited)
        await client.get(f"/v1/jobs/{NAME}/turns", headers=bearer("n"))
        await client.get(f"/v1/jobs/{job_id}/turns?format={NAME}", headers=bearer("s"))
        await client.post("/v1/keys", json={"name": NAME, "scopes": ["read"]}, headers=bearer("n"))
        await client.delete(f"/v1/keys/{NAME}", headers=bearer("n"))
    found = events(audited)
    assert [one["outcome"] for one in found] == ["done", "refused", "refused", "done", "refused"]
    assert NAME not in json.dumps(found)
    assert "pk_" not in json.dumps(found)


async def test_strangers_add_no_events(audited: ApiFixture) -> None:
    async with audited.client() as client:
        await client.get("/v1/jobs/0/turns", headers=bearer("unknown"))
        await client.get("/v1/shared", headers=bearer("ps_unknown"))
        await client.get("/v1/keys")
    assert events(audited) == []


async def test_calls_are_served_and_counted_where_the_log_cannot_be_written(api: ApiFixture, full_disk: None) -> None:
    async with api.client() as client:
        assert (await client.post("/v1/jobs", content=AUDIO, headers=RAW)).status_code == 202
        scraped = (await client.get("/metrics")).text
    assert "parley_audit_failures_total 1.0" in scraped
    assert "parley_audit_writable 0.0" in scraped


async def test_a_server_that_requires_the_log_serves_nothing_without_it(
    api: ApiFixture, full_disk: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    api.settings = api.settings.model_copy(update={"audit_required": True})
    reading, writing = os.pipe()
    async with api.client() as client:
        withheld = await client.get("/v1/voiceprints")
        assert_problem(withheld, 503, "audit_unavailable")
        assert withheld.headers["retry-after"]
        refused = await client.post("/v1/jobs", content=AUDIO, headers=RAW)
        assert_problem(refused, 503, "audit_unavailable")
        assert api.empty()
        assert (await client.get("/healthz")).status_code == 200
        monkeypatch.setattr(audit_log, "STANDARD_OUTPUT", writing)
        assert (await client.post("/v1/jobs", content=AUDIO, headers=RAW)).status_code == 202
    os.close(writing)
    with os.fdopen(reading) as pipe:
        found = [json.loads(text) for text in pipe if text.strip()]
    assert [(one["action"], one.get("lost")) for one in found] == [("audit.resume", 2), ("job.submit", None)]


async def test_an_unexpected_error_is_an_event(audited: ApiFixture, monkeypatch: pytest.MonkeyPatch) -> None:
    def breaks(*_: object) -> None:
        raise RuntimeError(NAME)

    monkeypatch.setattr(type(audited.voiceprints), "all", breaks)
    async with audited.client() as client:
        assert (await client.get("/v1/voiceprints", headers=bearer("n"))).status_code == 500
    assert [(one["action"], one["outcome"]) for one in events(audited)] == [("voiceprint.list", "failed")]


def chain(folder: Path) -> list[str]:
    """Return what `parley audit` finds wrong in the files of a folder."""
    (folder / "all").write_text(text_of(folder))
    return list(problems(list(audit_lines(folder / "all"))))


def test_a_line_that_is_changed_or_removed_breaks_the_chain(tmp_path: Path) -> None:
    log = AuditLog(tmp_path)
    for number in range(4):
        log.write("audio.read", job=f"job-{number}")
    [file] = tmp_path.glob("*.jsonl")
    whole = file.read_text().splitlines(keepends=True)
    assert chain(tmp_path) == []
    file.write_text("".join(whole).replace("job-1", "job-9"))
    assert [text.split(" of ")[0] for text in chain(tmp_path)] == ["Event 2"]
    file.write_text("".join(whole[:1] + whole[2:]))
    assert [text.split(" of ")[0] for text in chain(tmp_path)] == ["Events 2 to 2"]
    file.write_text("".join(whole[2:]))  # what was before has gone with its retention
    assert chain(tmp_path) == []


def test_events_that_were_lost_are_stated_and_break_no_chain(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    log = AuditLog(tmp_path)
    log.write("audio.read")

    def cut_off(file: int, data: bytes) -> int:
        return os.pwrite(file, data[:20], 0)  # appends, as the file was opened

    with monkeypatch.context() as patch:
        patch.setattr(audit_log.os, "write", cut_off)
        assert not log.write("audio.read")
    assert log.write("audio.read")
    assert [json.loads(text).get("lost") for text in text_of(tmp_path).splitlines()] == [None, 1]
    assert chain(tmp_path) == []


def test_a_day_has_a_file_and_old_ones_go(tmp_path: Path) -> None:
    for name in ("audit-2020-01-01-0123456789ab.jsonl", "notes-2020-01-01.jsonl"):
        (tmp_path / name).touch()
    log = AuditLog(tmp_path, retain_days=30)
    log.write("audio.read")
    today = datetime.now(UTC).date().isoformat()
    assert [path.name.split("-")[0] for path in sorted(tmp_path.iterdir())] == ["audit", "notes"]
    [file] = tmp_path.glob(f"audit-{today}-*.jsonl")
    assert file.stat().st_mode & 0o777 == 0o600
    log._sink.append(b"{}\n", date(2999, 1, 1))
    assert [path.name.split("-")[1] for path in tmp_path.glob("audit-*")] == ["2999"]


def test_a_file_that_somebody_removes_is_made_again(tmp_path: Path) -> None:
    log = AuditLog(tmp_path)
    log.write("audio.read")
    [file] = tmp_path.iterdir()
    file.unlink()
    assert log.write("audio.read")
    assert json.loads(file.read_text())["sequence"] == 2


def test_a_folder_that_cannot_be_made_is_a_failure(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    log = AuditLog(tmp_path / "file")
    assert not log.write("audio.read")
    assert not log.writable
