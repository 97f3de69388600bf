"""`parley audit` on the lines that an API writes, alone and among other logs."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from parley_api.http.audit_log import AuditLog
from tests.unit.client.command import parley
from tests.unit.client.scripted import JOB_ID

OTHER = "01a21e20-b595-7b59-bf36-5eb08669adbe"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """The audit file of an API that two callers have read from."""
    log = AuditLog(tmp_path / "audit")
    log.write("audio.read", outcome="done", tenant="clinic", key="3f9a1c07d2be", job=JOB_ID, target=JOB_ID)
    log.write("result.read", outcome="refused", code="scope_missing", tenant="clinic", share="5a5a5a5a5a5a", job=OTHER)
    log.write("peaks.read", outcome="done", tenant="clinic", key="3f9a1c07d2be", job=OTHER, target=OTHER)
    [found] = (tmp_path / "audit").iterdir()
    return found


def test_it_prints_who_did_what_to_a_job(file: Path) -> None:
    shown = parley("audit", file, "--about", JOB_ID.upper())
    assert shown.exit_code == 0
    assert "audio.read" in shown.stdout
    assert "result.read" not in shown.stdout
    everything = parley("audit", file).stdout
    assert "scope_missing" in everything
    assert "link 5a5a5a5a5a5a" in everything


def test_it_finds_events_among_other_lines_of_a_pod(file: Path) -> None:
    lines = file.read_text().splitlines()
    text = "\n".join(["[pod/parley-api-0/api] " + lines[0], '{"event":"request"}', "", lines[1][:50], *lines[1:]])
    found = parley("audit", "-", "--json", input=text)
    assert found.exit_code == 0
    assert [one["action"] for one in json.loads(found.stdout)["events"]] == ["audio.read", "result.read", "peaks.read"]


@pytest.mark.parametrize("change", ["changed", "removed", "moved"])
def test_it_fails_where_an_event_is_not_as_it_was_written(file: Path, change: str) -> None:
    log = file.read_text()
    first, second, third = log.splitlines(keepends=True)
    broken = {
        "changed": log.replace("scope_missing", "none"),
        "removed": first + third,
        "moved": first + third.replace('"sequence":3', '"sequence":2') + second.replace('"sequence":2', '"sequence":3'),
    }
    file.write_text(broken[change])
    ended = parley("audit", file, "--json")
    assert ended.exit_code == 1
    assert json.loads(ended.stdout)["problems"]
    assert "of chain" in parley("audit", file).stderr


def test_a_file_that_is_not_there_is_a_usage_error(tmp_path: Path) -> None:
    assert parley("audit", tmp_path / "none").exit_code == 2
