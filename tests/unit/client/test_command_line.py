"""Every command of `parley`: what it prints where, and how it exits."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from parley.cli.app import app
from parley.cli.exits import Exit
from tests.unit.client.scripted import Reply, ScriptedServer, job_document, problem, turns_document

RTTM = "SPEAKER job-1 1 0.000 12.500 <NA> <NA> SPEAKER_00 <NA> <NA>\n"
FAILED = job_document(state="failed", error={"code": "unreadable_recording", "detail": "The recording is damaged."})
SUCCEEDED = job_document(state="succeeded", result={"speakers": 2, "turns": 2, "seconds_of_speech": 30.0})


def parley(*arguments: object, **options: Any) -> Result:
    return CliRunner().invoke(app, [str(argument) for argument in arguments], **options)


def ago(**duration: float) -> str:
    return (datetime.now(UTC) - timedelta(**duration)).isoformat()


def answers(server: ScriptedServer, final: dict[str, Any]) -> None:
    """Let every submit become the job `final`."""
    server.on("POST", "/v1/jobs", Reply(202, job_document()))
    server.on("GET", "/v1/jobs/job-1", Reply(document=final))
    server.on("GET", "/v1/jobs/job-1/turns", Reply(document=turns_document()))


def test_submit_prints_the_turns_and_the_timeline(server: ScriptedServer, recording: Path) -> None:
    answers(server, SUCCEEDED)
    result = parley("submit", recording)
    assert result.exit_code == Exit.OK
    assert "consult.flac  job job-1" in result.stdout
    assert "    12.00     30.00  SPEAKER_01" in result.stdout
    assert "█" in result.stdout
    assert "consult.flac: succeeded" in result.stderr


def test_submit_json_is_one_document_and_nothing_else(server: ScriptedServer, recording: Path) -> None:
    answers(server, SUCCEEDED)
    result = parley("submit", recording, "--json")
    (entry,) = json.loads(result.stdout)
    assert entry["file"] == str(recording)
    assert entry["job"] == SUCCEEDED
    assert entry["turns"]["speakers"] == ["SPEAKER_00", "SPEAKER_01"]
    assert entry["error"] is None


def test_submit_without_waiting_prints_the_id_alone(server: ScriptedServer, recording: Path) -> None:
    answers(server, SUCCEEDED)
    result = parley("submit", recording, "--no-wait", "--queue", "batch", "--speakers", 2)
    assert (result.exit_code, result.stdout) == (Exit.OK, "job-1\n")
    assert server.requests[0].query == {"queue": "batch", "num_speakers": "2"}
    assert len(server.requests) == 1


def test_submit_says_why_a_job_failed(server: ScriptedServer, recording: Path) -> None:
    answers(server, FAILED)
    result = parley("submit", recording)
    assert result.exit_code == Exit.JOB_FAILED
    assert "failed: The recording is damaged. (unreadable_recording)" in result.stderr
    assert result.stdout == ""


def test_one_bad_file_does_not_stop_the_others(server: ScriptedServer, recording: Path, tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("no audio")
    refusal = problem(415, "not_audio", "This is no audio that Parley reads.")
    answers(server, SUCCEEDED)
    server.on("POST", "/v1/jobs", refusal)
    result = parley("submit", recording, tmp_path / "notes.txt", "--json")
    outcomes = json.loads(result.stdout)
    assert result.exit_code == Exit.REFUSED
    assert sorted(entry["error"] is None for entry in outcomes) == [False, True]
    assert "This is no audio that Parley reads. (415 not_audio)" in result.stderr


def test_a_validation_problem_is_shown_as_a_sentence(server: ScriptedServer, recording: Path) -> None:
    server.on("POST", "/v1/jobs", problem(422, "invalid_request", "min_speakers must not be above max_speakers."))
    result = parley("submit", recording, "--min-speakers", 5, "--max-speakers", 2)
    assert result.exit_code == Exit.REFUSED
    assert "min_speakers must not be above max_speakers." in result.stderr
    assert "Traceback" not in result.output


@pytest.mark.parametrize(("form", "content"), [("json", '"job_id": "job-1"'), ("rttm", RTTM)])
def test_submit_writes_files(server: ScriptedServer, recording: Path, tmp_path: Path, form: str, content: str) -> None:
    answers(server, SUCCEEDED)
    if form == "rttm":
        server.on("GET", "/v1/jobs/job-1/turns", Reply(text=RTTM))
    result = parley("submit", recording, "-o", tmp_path / "turns", "--format", form)
    assert result.exit_code == Exit.OK
    assert content in (tmp_path / "turns" / f"consult.{form}").read_text()
    assert result.stdout == ""


def test_a_folder_that_cannot_be_written_is_named(server: ScriptedServer, recording: Path, tmp_path: Path) -> None:
    answers(server, SUCCEEDED)
    (tmp_path / "turns" / "consult.json").mkdir(parents=True)
    result = parley("submit", recording, "-o", tmp_path / "turns", "--format", "json")
    assert result.exit_code == Exit.USAGE
    assert "consult.json" in result.stderr


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (("nowhere.wav",), "does not exist"),
        (("{file}", "--no-wait", "--format", "rttm"), "--no-wait does not wait"),
        (("{file}", "-o", "{folder}", "--format", "table"), "a table is for the eye"),
        (("{file}", "{file}", "-o", "{folder}"), "2 files would all write consult.rttm"),
        (("{file}", "--queue", "fast"), "--queue"),
        ((), "FILE"),
    ],
)
def test_wrong_usage_submits_nothing(
    server: ScriptedServer, recording: Path, tmp_path: Path, arguments: tuple[str, ...], reason: str
) -> None:
    result = parley("submit", *(text.format(file=recording, folder=tmp_path / "turns") for text in arguments))
    assert result.exit_code == Exit.USAGE
    assert reason in " ".join(result.stderr.replace("│", " ").split())
    assert server.requests == []


@pytest.mark.parametrize("command", ["jobs", "job job-1 --wait", "queues", "cancel job-1", "submit {file}", "doctor"])
def test_a_server_that_is_not_there_is_exit_4_with_advice(
    monkeypatch: pytest.MonkeyPatch, recording: Path, command: str
) -> None:
    monkeypatch.setenv("PARLEY_URL", "http://127.0.0.1:9")
    monkeypatch.setattr("random.uniform", lambda low, high: 0.0)
    result = parley(*command.format(file=recording).split())
    assert result.exit_code == Exit.UNAVAILABLE
    assert "`make run` starts it" in result.output
    assert "Traceback" not in result.output


def test_an_address_that_is_none_is_wrong_usage() -> None:
    result = parley("--url", "parley.example", "jobs")
    assert result.exit_code == Exit.USAGE
    assert "is not the address of a server" in result.stderr


def test_jobs_lists_a_row_each_and_ids_in_full(server: ScriptedServer) -> None:
    long_id = "01234567-89ab-cdef-0123-456789abcdef"
    running = job_document(long_id, "running", phase="embedding", progress=0.5, reference="consult 7")
    server.on("GET", "/v1/jobs", Reply(document={"jobs": [running, FAILED], "next_cursor": None}))
    result = parley("jobs", "--state", "running", env={"COLUMNS": "60"})
    assert result.exit_code == Exit.OK
    assert long_id in result.stdout
    assert server.requests[0].query["state"] == "running"
    wide = parley("jobs", env={"COLUMNS": "200"}).stdout
    assert "embedding 50%" in wide
    assert "consult 7" in wide
    assert "unreadable_recording" in wide


@pytest.mark.parametrize(("doubtful", "outcome"), [(0, "2 turns"), (1, "2 turns, 1 to review"), (None, "2 turns")])
def test_a_job_says_how_many_turns_need_review(server: ScriptedServer, doubtful: int | None, outcome: str) -> None:
    result = SUCCEEDED["result"] | {"turns_to_review": doubtful, "seconds_to_review": 9.5}
    server.on("GET", "/v1/jobs/job-1", Reply(document=SUCCEEDED | {"result": result}))
    assert f"result    2 speakers, {outcome}\n" in parley("job", "job-1").stdout


def test_jobs_stops_asking_at_the_limit(server: ScriptedServer) -> None:
    page = {"jobs": [job_document("a"), job_document("b")], "next_cursor": "more"}
    server.on("GET", "/v1/jobs", Reply(document=page))
    result = parley("jobs", "--limit", 2, "--json")
    assert [job["id"] for job in json.loads(result.stdout)] == ["a", "b"]
    assert len(server.requests) == 1


def test_stuck_jobs_are_the_old_unfinished_ones_oldest_first(server: ScriptedServer) -> None:
    queued = [
        job_document("young", "queued", created_at=ago(minutes=3)),
        job_document("old", "queued", created_at=ago(hours=1)),
    ]
    running = [job_document("older", "running", created_at=ago(hours=2))]
    pages = [[], queued, running]
    server.on("GET", "/v1/jobs", *(Reply(document={"jobs": jobs, "next_cursor": None}) for jobs in pages))
    result = parley("jobs", "--stuck", "--json")
    assert [job["id"] for job in json.loads(result.stdout)] == ["older", "old"]
    assert [request.query["state"] for request in server.requests] == ["accepted", "queued", "running"]


def test_stuck_takes_another_age(server: ScriptedServer) -> None:
    young = job_document("young", "queued", created_at=ago(minutes=3))
    server.on("GET", "/v1/jobs", Reply(document={"jobs": [young], "next_cursor": None}))
    assert len(json.loads(parley("jobs", "--stuck", "--older-than", "1m", "--json").stdout)) == 1
    assert len(json.loads(parley("jobs", "--stuck", "--older-than", "0s", "--json").stdout)) == 1
    assert "No job is unfinished for longer than 10m." in parley("jobs", "--stuck").stderr
    assert parley("jobs", "--stuck", "--older-than", "soon").exit_code == Exit.USAGE
    assert parley("jobs", "--older-than", "1m").exit_code == Exit.USAGE


def test_job_shows_attempts_and_errors(server: ScriptedServer) -> None:
    attempt = {"number": 1, "worker": "worker-a", "started_at": ago(minutes=2), "ended_at": ago(minutes=1)}
    lost = attempt | {"error": {"code": "worker_lost", "detail": "The worker was not heard of."}}
    server.on("GET", "/v1/jobs/job-1", Reply(document=FAILED | {"attempts": [lost]}))
    result = parley("job", "job-1")
    assert result.exit_code == Exit.OK
    assert "The recording is damaged. (unreadable_recording)" in result.stdout
    assert "attempt 1 by worker-a" in result.stdout
    assert "The worker was not heard of. (worker_lost)" in result.stdout


@pytest.mark.parametrize(("final", "code"), [(SUCCEEDED, Exit.OK), (FAILED, Exit.JOB_FAILED)])
def test_job_wait_exits_with_how_the_job_ended(server: ScriptedServer, final: dict[str, Any], code: Exit) -> None:
    server.on("GET", "/v1/jobs/job-1", Reply(document=job_document(state="queued")), Reply(document=final))
    result = parley("job", "job-1", "--wait", "--json")
    assert result.exit_code == code
    assert json.loads(result.stdout) == final


def test_an_unknown_job_is_refused(server: ScriptedServer) -> None:
    result = parley("job", "nobody")
    assert result.exit_code == Exit.REFUSED
    assert result.stderr == "There is no such job. (404 job_not_found)\n"


def test_turns_in_every_format(server: ScriptedServer) -> None:
    server.on("GET", "/v1/jobs/job-1/turns", Reply(text=RTTM), Reply(document=turns_document()))
    assert parley("turns", "job-1", "--format", "rttm").stdout == RTTM
    assert json.loads(parley("turns", "job-1", "--format", "json").stdout) == turns_document()
    assert json.loads(parley("turns", "job-1", "--json").stdout) == turns_document()
    assert "SPEAKER_01  ? 0.60" in parley("turns", "job-1").stdout


@pytest.mark.parametrize("command", ["cancel", "retry"])
def test_a_change_goes_on_after_a_refusal(server: ScriptedServer, command: str) -> None:
    server.on("POST", f"/v1/jobs/job-1/{command}", Reply(202, job_document()))
    result = parley(command, "nobody", "job-1", "--json")
    assert result.exit_code == Exit.REFUSED
    refused, done = json.loads(result.stdout)
    assert refused == {"id": "nobody", "error": {"code": "job_not_found", "detail": "There is no such job."}}
    assert done == job_document()
    assert "job_not_found" in result.stderr


def test_purge_asks_and_takes_no_for_an_answer(server: ScriptedServer) -> None:
    result = parley("purge", "job-1", input="n\n")
    assert (result.exit_code, server.requests) == (Exit.OK, [])
    assert "for good?" in result.stderr


def test_purge_without_anybody_to_ask_deletes_nothing(server: ScriptedServer) -> None:
    result = parley("purge", "job-1", input="")
    assert (result.exit_code, server.requests) == (Exit.USAGE, [])
    assert "--yes" in result.stderr


def test_purge_prints_the_receipts(server: ScriptedServer) -> None:
    receipt = {"id": "job-1", "deleted": ["recording", "result", "record"], "at": "2026-01-02T03:04:05Z"}
    server.on("DELETE", "/v1/jobs/job-1", Reply(document=receipt))
    result = parley("purge", "job-1", "--json", input="y\n")
    assert json.loads(result.stdout) == [receipt]


def test_purge_older_than_takes_the_old_ones_of_a_state(server: ScriptedServer) -> None:
    old = FAILED | {"id": "old", "finished_at": ago(days=31)}
    young = FAILED | {"id": "young", "finished_at": ago(days=29)}
    server.on("GET", "/v1/jobs", Reply(document={"jobs": [young, old], "next_cursor": None}))
    server.on("DELETE", "/v1/jobs/old", Reply(document={"id": "old"}))
    result = parley("purge", "--older-than", "30d", "--state", "failed", "--yes", "--json")
    assert json.loads(result.stdout) == [{"id": "old"}]
    assert server.requests[0].query["state"] == "failed"


@pytest.mark.parametrize(
    "arguments",
    [(), ("job-1", "--older-than", "1d"), ("job-1", "--state", "failed"), ("--older-than", "1d", "--state", "queued")],
)
def test_purge_wants_to_know_exactly_what(server: ScriptedServer, arguments: tuple[str, ...]) -> None:
    assert parley("purge", *arguments, "--yes").exit_code == Exit.USAGE
    assert server.requests == []


def test_queues_as_a_table_and_as_json(server: ScriptedServer) -> None:
    queue = {"queue": "batch", "unfinished": 5, "running": 2, "oldest_seconds": 130.0}
    server.on("GET", "/v1/queues", Reply(document={"queues": [queue]}))
    assert parley("queues").stdout.splitlines()[1].split() == ["batch", "5", "3", "2", "2m"]
    assert json.loads(parley("queues", "--json").stdout) == [queue]


def test_names_from_elsewhere_do_not_command_the_terminal(server: ScriptedServer) -> None:
    evil = job_document(reference="\x1b]0;owned\x07[red]x[/red]")
    server.on("GET", "/v1/jobs", Reply(document={"jobs": [evil], "next_cursor": None}))
    output = parley("jobs").stdout
    assert "\x1b" not in output
    assert "[red]x[/red]" in output


def test_version_needs_no_server() -> None:
    assert json.loads(parley("version", "--json").stdout)["version"] in parley("version").stdout
