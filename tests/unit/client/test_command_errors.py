"""How commands fail: a sentence on stderr, an exit code, and with --json an error in JSON on stdout."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from parley.cli.exit_codes import Exit
from tests.unit.client.command import parley
from tests.unit.client.scripted import JOB_ID, Reply, ScriptedServer, problem

EVERY_KIND = ("jobs", f"job {JOB_ID} --wait", "queues", f"cancel {JOB_ID}", "submit {file}", "doctor")


def error_of(stdout: str) -> dict[str, Any]:
    (name,) = document = json.loads(stdout)
    assert name == "error"
    return dict(document["error"])


@pytest.fixture
def no_server(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PARLEY_URL", "http://127.0.0.1:9")
    monkeypatch.setattr("random.uniform", lambda low, high: 0.0)


@pytest.mark.usefixtures("no_server")
@pytest.mark.parametrize("command", EVERY_KIND)
def test_without_a_server_a_command_exits_with_4_and_says_how_to_start_one(recording: Path, command: str) -> None:
    result = parley(*command.format(file=recording).split())
    assert result.exit_code == Exit.UNAVAILABLE
    assert "Start a server on this machine with `make run`" in result.output
    assert "Traceback" not in result.output


@pytest.mark.usefixtures("no_server")
def test_without_a_server_the_json_error_says_so() -> None:
    result = parley("jobs", "--json")
    error = error_of(result.stdout)
    assert (result.exit_code, error["code"]) == (Exit.UNAVAILABLE, "connection_failed")
    assert "`make run`" in error["detail"]
    assert "`make run`" in result.stderr


def test_an_invalid_address_is_invalid_usage() -> None:
    result = parley("--url", "parley.example", "jobs")
    assert result.exit_code == Exit.USAGE
    assert "is not the address of a server" in result.stderr
    assert error_of(parley("--url", "parley.example", "jobs", "--json").stdout)["code"] == "invalid_usage"


def test_a_refusal_is_a_sentence_on_stderr(server: ScriptedServer) -> None:
    result = parley("job", JOB_ID)
    assert result.exit_code == Exit.REFUSED
    assert (result.stdout, result.stderr) == ("", "There is no such job. (404 job_not_found)\n")


def test_a_refusal_in_json_has_the_servers_code_detail_and_status(server: ScriptedServer) -> None:
    result = parley("job", JOB_ID, "--json")
    assert result.exit_code == Exit.REFUSED
    assert error_of(result.stdout) == {
        "code": "job_not_found",
        "detail": "There is no such job.",
        "status": 404,
        "retry_after": None,
    }
    assert result.stderr == "There is no such job. (404 job_not_found)\n"


def test_a_server_that_is_unavailable_is_tried_again_and_then_an_error(
    server: ScriptedServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("random.uniform", lambda low, high: 0.0)
    server.on("GET", "/v1/queues", problem(503, "job_store_unavailable", "Redis does not answer.", Retry_After="0"))
    result = parley("queues", "--json")
    assert (result.exit_code, len(server.requests)) == (Exit.UNAVAILABLE, 3)
    assert error_of(result.stdout)["retry_after"] == 0.0
    assert "Trying again" in result.stderr


def test_another_server_is_an_unexpected_response(server: ScriptedServer) -> None:
    server.on("GET", "/v1/queues", Reply(text="<html>Welcome</html>"))
    result = parley("queues", "--json")
    assert (result.exit_code, error_of(result.stdout)["code"]) == (Exit.UNAVAILABLE, "unexpected_response")


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (("jobs", "--lmit", "3", "--json"), "No such option: --lmit"),
        (("jobs", "--limit", "many", "--json"), "--limit"),
        (("jobs", "--older-than", "1d", "--json"), "--older-than needs --stuck."),
        (("job", "--json"), "Missing argument"),
        (("jobz", "--json"), "No such command 'jobz'"),
        (("--lmit", "jobs", "--json"), "No such option: --lmit"),
    ],
)
def test_invalid_usage_is_an_error_in_json_too(arguments: tuple[str, ...], reason: str) -> None:
    result = parley(*arguments)
    error = error_of(result.stdout)
    assert (result.exit_code, error["code"]) == (Exit.USAGE, "invalid_usage")
    assert reason in error["detail"]


def test_invalid_usage_without_json_shows_the_usage_on_stderr() -> None:
    result = parley("jobs", "--lmit", 3)
    assert (result.exit_code, result.stdout) == (Exit.USAGE, "")
    assert "jobs [OPTIONS]" in result.stderr
    assert "No such option: --lmit" in result.stderr


def test_a_file_that_cannot_be_written_is_an_error_in_json_too(recording: Path, tmp_path: Path) -> None:
    folder = recording / "turns"
    result = parley("submit", recording, "-o", folder, "--json")
    assert (result.exit_code, error_of(result.stdout)["code"]) == (Exit.USAGE, "file_error")


def test_a_defect_keeps_its_traceback(monkeypatch: pytest.MonkeyPatch, server: ScriptedServer) -> None:
    monkeypatch.setattr("parley.client.Parley.queues", lambda self: 1 / 0)
    assert isinstance(parley("queues").exception, ZeroDivisionError)


def test_version_needs_no_server() -> None:
    assert json.loads(parley("version", "--json").stdout)["version"] in parley("version").stdout
