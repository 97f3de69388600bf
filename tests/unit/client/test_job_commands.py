"""`parley jobs`, `job`, `turns`, `cancel`, `retry`, `delete` and `queues`: what they print where, and how they exit."""

from __future__ import annotations

import json
from typing import Any

import pytest

from parley.cli.exit_codes import Exit
from tests.unit.client.command import FAILED, RTTM, SUCCEEDED, ago, parley
from tests.unit.client.scripted import JOB_ID, Reply, ScriptedServer, job_document, turns_document

JOB = f"/v1/jobs/{JOB_ID}"
OTHER_ID = "01a21a6c-6602-7000-8000-000000000002"


def listed(server: ScriptedServer, *jobs: dict[str, Any]) -> None:
    server.on("GET", "/v1/jobs", Reply(document={"jobs": list(jobs), "next_cursor": None}))


def named(document: dict[str, Any], file_name: str) -> dict[str, Any]:
    return document | {"recording": document["recording"] | {"file_name": file_name}}


def test_a_narrow_terminal_shows_short_ids_files_and_outcomes_in_80_columns(server: ScriptedServer) -> None:
    running = job_document(OTHER_ID, "running", phase="embedding", progress=0.5, created_at=ago(hours=3))
    listed(server, named(running, "consult-of-dr-weber-on-monday-morning.flac"), named(FAILED, "second.wav"))
    result = parley("jobs", "--state", "running", env={"COLUMNS": "80"})
    head, first, second = result.stdout.splitlines()
    assert server.requests[0].query["state"] == "running"
    assert head.split() == ["ID", "STATE", "AGE", "LENGTH", "FILE", "OUTCOME"]
    *start, file_name, outcome, progress = first.split()
    assert (start, outcome, progress) == (["01a21a6c-6602", "running", "3h", "0:30"], "embedding", "50%")
    assert file_name.startswith("consult-of-dr")
    assert file_name.endswith("…")
    assert second.split()[0] == "01a21a6c-6601"
    assert second.split()[-2:] == ["second.wav", "unreadable_recording"]
    assert max(map(len, result.stdout.splitlines())) <= 80


def test_a_wide_terminal_shows_full_ids_queues_and_references(server: ScriptedServer) -> None:
    listed(server, job_document(reference="consult 7"))
    (_, row) = parley("jobs", env={"COLUMNS": "160"}).stdout.splitlines()
    assert row.split() == [JOB_ID, "accepted", *row.split()[2:4], "interactive", "consult", "7"]


def test_short_ids_are_as_long_as_they_need_to_be_distinct(server: ScriptedServer) -> None:
    listed(server, job_document(f"{JOB_ID[:20]}1{JOB_ID[21:]}"), job_document(), job_document(OTHER_ID))
    ids = [row.split()[0] for row in parley("jobs", env={"COLUMNS": "80"}).stdout.splitlines()[1:]]
    assert ids == [f"{JOB_ID[:20]}1", JOB_ID[:21], OTHER_ID[:21]]


def test_a_terminal_shows_states_in_colours(server: ScriptedServer) -> None:
    listed(server, FAILED, job_document(OTHER_ID, "succeeded"))
    shown = parley("jobs", env={"COLUMNS": "80", "FORCE_COLOR": "1", "TERM": "xterm"}).stdout
    assert "\x1b[31mfailed" in shown
    assert "\x1b[32msucceeded" in shown


@pytest.mark.parametrize(
    "command",
    [
        "job {id}",
        "turns {id}",
        "cancel {id}",
        "retry {id}",
        "delete {id} --yes",
        "enrol Kim --job {id} --speaker A --without-consent",
    ],
)
def test_every_command_takes_the_prefix_of_an_id(server: ScriptedServer, command: str) -> None:
    listed(server, job_document())
    parley(*command.format(id=JOB_ID[:13]).split())
    search, request = server.requests
    assert (search.path, search.query["id"]) == ("/v1/jobs", "01a21a6c-6601")
    assert JOB_ID in request.path or JOB_ID in request.body.decode()


def test_a_full_id_needs_no_search(server: ScriptedServer) -> None:
    parley("job", JOB_ID)
    assert [request.path for request in server.requests] == [JOB]


def test_an_ambiguous_prefix_is_an_error_that_lists_the_candidates(server: ScriptedServer) -> None:
    listed(server, named(job_document(), "first.wav"), named(job_document(OTHER_ID, "running"), "second.wav"))
    result = parley("cancel", "01a21a6c", "--json")
    (entry,) = json.loads(result.stdout)
    assert result.exit_code == Exit.USAGE
    assert (entry["error"]["code"], entry["error"]["candidates"]) == ("ambiguous_id", [JOB_ID, OTHER_ID])
    assert f"  {OTHER_ID}  running  second.wav" in result.stderr
    assert all(request.method == "GET" for request in server.requests)


def test_a_prefix_of_no_job_is_refused(server: ScriptedServer) -> None:
    listed(server)
    result = parley("turns", "01a21a6c", "--json")
    assert (result.exit_code, json.loads(result.stdout)["error"]["code"]) == (Exit.REFUSED, "job_not_found")


@pytest.mark.parametrize("prefix", ["", "01a"])
def test_a_prefix_that_could_mean_any_job_is_invalid_usage(server: ScriptedServer, prefix: str) -> None:
    listed(server, job_document())
    assert parley("delete", prefix, "--yes").exit_code == Exit.USAGE
    assert server.requests == []


def test_delete_deletes_nothing_if_one_of_the_prefixes_is_ambiguous(server: ScriptedServer) -> None:
    listed(server, job_document(), job_document(OTHER_ID))
    assert parley("delete", JOB_ID, "01a21a6c", "--yes").exit_code == Exit.USAGE
    assert all(request.method == "GET" for request in server.requests)


@pytest.mark.parametrize(("to_review", "outcome"), [(0, "2 turns"), (1, "2 turns, 1 to review"), (None, "2 turns")])
def test_a_job_says_how_many_turns_need_review(server: ScriptedServer, to_review: int | None, outcome: str) -> None:
    result = SUCCEEDED["result"] | {"turns_to_review": to_review, "seconds_to_review": 9.5}
    server.on("GET", JOB, Reply(document=SUCCEEDED | {"result": result}))
    assert f"result    2 speakers, {outcome}\n" in parley("job", JOB_ID).stdout


@pytest.mark.parametrize(
    ("number", "outcome"),
    [(0, "0 speakers, 0 turns, 0 words"), (1, "1 speaker, 1 turn, 1 word"), (2, "2 speakers, 2 turns, 2 words")],
)
def test_one_of_a_kind_is_not_counted_in_the_plural(server: ScriptedServer, number: int, outcome: str) -> None:
    transcription = {"state": "succeeded", "progress": 1.0, "words": number}
    result = SUCCEEDED["result"] | {"speakers": number, "turns": number, "transcription": transcription}
    listed(server, SUCCEEDED | {"result": result})
    server.on("GET", JOB, Reply(document=SUCCEEDED | {"result": result}))
    assert f"result    {outcome}\n" in parley("job", JOB_ID).stdout
    assert outcome in parley("jobs", env={"COLUMNS": "200"}).stdout


@pytest.mark.parametrize(
    ("plausible", "shown"), [([2, 3], "2 speakers (2 to 3 plausible), "), ([2, 2], "2 speakers, ")]
)
def test_a_job_says_how_many_speakers_are_plausible(server: ScriptedServer, plausible: list[int], shown: str) -> None:
    result = SUCCEEDED["result"] | {"plausible_speakers": plausible, "speakers_to_review": 1}
    server.on("GET", JOB, Reply(document=SUCCEEDED | {"result": result}))
    assert f"result    {shown}" in parley("job", JOB_ID).stdout


def test_doubts_stand_below_the_turns(server: ScriptedServer) -> None:
    noise = {"code": "noise", "detail": "The noise is loud.", "needs_review": True}
    doubts = {
        "speaker_count": {"found": 2, "plausible": [2, 3], "needs_review": True},
        "purity": [{"speaker": f"SPEAKER_0{n}", "purity": 0.5, "needs_review": n == 1} for n in (0, 1)],
        "audio_quality": {"needs_review": True, "measures": {}, "warnings": [noise]},
    }
    server.on("GET", f"{JOB}/turns", Reply(document=turns_document() | doubts))
    shown = parley("turns", JOB_ID).stdout
    assert "The number of speakers is uncertain: 2 to 3 are plausible." in shown
    assert "SPEAKER_01 may be several people." in shown
    assert "The noise is loud.\n" in shown
    assert "SPEAKER_00 may be" not in shown


def test_jobs_requests_no_page_beyond_the_limit(server: ScriptedServer) -> None:
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


def test_stuck_with_another_minimum_age(server: ScriptedServer) -> None:
    young = job_document("young", "queued", created_at=ago(minutes=3))
    server.on("GET", "/v1/jobs", Reply(document={"jobs": [young], "next_cursor": None}))
    assert len(json.loads(parley("jobs", "--stuck", "--older-than", "1m", "--json").stdout)) == 1
    assert len(json.loads(parley("jobs", "--stuck", "--older-than", "0s", "--json").stdout)) == 1
    assert "No job is unfinished for more than 10m." in parley("jobs", "--stuck").stderr
    assert parley("jobs", "--stuck", "--older-than", "soon").exit_code == Exit.USAGE
    assert parley("jobs", "--older-than", "1m").exit_code == Exit.USAGE


def test_job_shows_attempts_and_errors(server: ScriptedServer) -> None:
    attempt = {"number": 1, "worker": "worker-a", "started_at": ago(minutes=2), "ended_at": ago(minutes=1)}
    lost = attempt | {"error": {"code": "worker_lost", "detail": "The worker did not renew its lease."}}
    server.on("GET", JOB, Reply(document=FAILED | {"attempts": [lost]}))
    result = parley("job", JOB_ID)
    assert result.exit_code == Exit.OK
    assert "The recording is damaged. (unreadable_recording)" in result.stdout
    assert "attempt 1 by worker-a" in result.stdout
    assert "The worker did not renew its lease. (worker_lost)" in result.stdout


@pytest.mark.parametrize(("final", "code"), [(SUCCEEDED, Exit.OK), (FAILED, Exit.JOB_FAILED)])
def test_job_wait_exits_according_to_the_end_of_the_job(
    server: ScriptedServer, final: dict[str, Any], code: Exit
) -> None:
    server.on("GET", JOB, Reply(document=job_document(state="queued")), Reply(document=final))
    result = parley("job", JOB_ID, "--wait", "--json")
    assert result.exit_code == code
    assert json.loads(result.stdout) == final


def test_turns_in_every_format(server: ScriptedServer) -> None:
    server.on("GET", f"{JOB}/turns", Reply(text=RTTM), Reply(document=turns_document()))
    assert parley("turns", JOB_ID, "--format", "rttm").stdout == RTTM
    assert json.loads(parley("turns", JOB_ID, "--format", "json").stdout) == turns_document()
    assert json.loads(parley("turns", JOB_ID, "--json").stdout) == turns_document()
    assert "SPEAKER_01  ? 0.60" in parley("turns", JOB_ID).stdout


def test_turns_for_another_program_with_labels(server: ScriptedServer) -> None:
    server.on("GET", f"{JOB}/turns", Reply(text="1\n00:00:00,000 --> 00:00:01,000\nMüller\n\n"))
    assert "Müller" in parley("turns", JOB_ID, "--format", "srt", "--labels").stdout
    assert server.requests[-1].query == {"format": "srt", "speakers": "labels"}
    assert "table" in parley("turns", JOB_ID, "--labels").stderr


@pytest.mark.parametrize("command", ["cancel", "retry"])
def test_a_refused_change_does_not_stop_the_others(server: ScriptedServer, command: str) -> None:
    server.on("POST", f"{JOB}/{command}", Reply(202, job_document()))
    result = parley(command, OTHER_ID, JOB_ID, "--json")
    assert result.exit_code == Exit.REFUSED
    refused, done = json.loads(result.stdout)
    assert (refused["id"], refused["error"]["code"]) == (OTHER_ID, "job_not_found")
    assert done == job_document()
    assert "job_not_found" in result.stderr


def test_delete_asks_and_deletes_nothing_after_a_no(server: ScriptedServer) -> None:
    result = parley("delete", JOB_ID, input="n\n")
    assert (result.exit_code, server.requests) == (Exit.OK, [])
    assert f"Delete recording, result and record of job {JOB_ID}? [y/N]" in result.stderr
    assert "Nothing was deleted." in result.stderr


def test_delete_without_an_answer_deletes_nothing(server: ScriptedServer) -> None:
    result = parley("delete", JOB_ID, input="")
    assert (result.exit_code, server.requests) == (Exit.USAGE, [])
    assert "--yes" in result.stderr


def test_delete_says_what_was_removed(server: ScriptedServer) -> None:
    receipt = {"job_id": JOB_ID, "deleted_at": "2026-01-02T03:04:05Z", "removed": ["recording", "result", "record"]}
    server.on("DELETE", JOB, Reply(document=receipt))
    result = parley("delete", JOB_ID, "--json", input="y\n")
    assert json.loads(result.stdout) == [receipt]
    assert f"{JOB_ID}: deleted (recording, result, record)" in result.stderr


def test_delete_older_than_deletes_the_old_jobs_of_a_state(server: ScriptedServer) -> None:
    old = FAILED | {"id": "old", "finished_at": ago(days=31)}
    young = FAILED | {"id": "young", "finished_at": ago(days=29)}
    server.on("GET", "/v1/jobs", Reply(document={"jobs": [young, old], "next_cursor": None}))
    server.on("DELETE", "/v1/jobs/old", Reply(document={"id": "old"}))
    result = parley("delete", "--older-than", "30d", "--state", "failed", "--yes", "--json")
    assert json.loads(result.stdout) == [{"id": "old"}]
    assert server.requests[0].query["state"] == "failed"


@pytest.mark.parametrize(
    "arguments",
    [(), (JOB_ID, "--older-than", "1d"), (JOB_ID, "--state", "failed"), ("--older-than", "1d", "--state", "queued")],
)
def test_delete_without_a_clear_choice_is_invalid_usage(server: ScriptedServer, arguments: tuple[str, ...]) -> None:
    assert parley("delete", *arguments, "--yes").exit_code == Exit.USAGE
    assert server.requests == []


def test_queues_as_a_table_and_as_json(server: ScriptedServer) -> None:
    queue = {"queue": "batch", "unfinished": 5, "running": 2, "oldest_seconds": 130.0, "workers": 1}
    server.on("GET", "/v1/queues", Reply(document={"queues": [queue]}))
    assert parley("queues").stdout.splitlines()[1].split() == ["batch", "5", "3", "2", "2m", "1"]
    assert json.loads(parley("queues", "--json").stdout) == [queue]


def test_names_from_elsewhere_do_not_control_the_terminal(server: ScriptedServer) -> None:
    evil = job_document(reference="\x1b]0;owned\x07[red]x[/red]")
    server.on("GET", "/v1/jobs", Reply(document={"jobs": [evil], "next_cursor": None}))
    output = parley("jobs", env={"COLUMNS": "200"}).stdout
    assert "\x1b" not in output
    assert "[red]x[/red]" in output
