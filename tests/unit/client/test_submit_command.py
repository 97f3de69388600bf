"""`parley submit`: what it sends, what it prints where, and how it exits."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from parley.cli.exit_codes import Exit
from parley.cli.options import TurnFormat
from tests.unit.client.command import FAILED, RTTM, SUCCEEDED, every_submit_ends_as, parley
from tests.unit.client.scripted import JOB_ID, Reply, ScriptedServer, job_document, problem, turns_document


def test_submit_prints_the_turns_and_the_timeline(server: ScriptedServer, recording: Path) -> None:
    every_submit_ends_as(server, SUCCEEDED)
    result = parley("submit", recording)
    assert result.exit_code == Exit.OK
    assert f"consult.flac  job {JOB_ID}" in result.stdout
    assert "    12.00     30.00  SPEAKER_01" in result.stdout
    assert "█" in result.stdout
    assert "consult.flac: succeeded" in result.stderr


def test_submit_json_is_one_document_and_nothing_else(server: ScriptedServer, recording: Path) -> None:
    every_submit_ends_as(server, SUCCEEDED)
    result = parley("submit", recording, "--json")
    (entry,) = json.loads(result.stdout)
    assert entry["file"] == str(recording)
    assert entry["job"] == SUCCEEDED
    assert entry["turns"]["speakers"] == ["SPEAKER_00", "SPEAKER_01"]
    assert entry["error"] is None


def test_submit_without_waiting_prints_the_id_alone(server: ScriptedServer, recording: Path) -> None:
    every_submit_ends_as(server, SUCCEEDED)
    result = parley("submit", recording, "--no-wait", "--queue", "batch", "--speakers", 2)
    assert (result.exit_code, result.stdout) == (Exit.OK, f"{JOB_ID}\n")
    (request,) = server.requests
    assert request.query == {"queue": "batch", "num_speakers": "2", "file_name": "consult.flac"}


def test_submit_sends_speaker_embeddings_and_channels(server: ScriptedServer, recording: Path) -> None:
    every_submit_ends_as(server, SUCCEEDED)
    assert parley("submit", recording, "--speaker-embeddings", "--channels", "clinician,patient").exit_code == Exit.OK
    query = server.requests[0].query
    assert (query["speaker_embeddings"], query["channels"]) == ("true", "clinician,patient")


def test_a_link_is_fetched_by_the_server_and_its_signature_is_not_shown(server: ScriptedServer) -> None:
    every_submit_ends_as(server, SUCCEEDED)
    result = parley("submit", "https://pacs.example/calls/visit%204711.wav?sig=secret", "--json", "--speakers", 2)
    assert result.exit_code == Exit.OK
    assert json.loads(server.requests[0].body)["url"].endswith("?sig=secret")
    (entry,) = json.loads(result.stdout)
    assert entry["file"] == "https://pacs.example/calls/visit%204711.wav"
    assert "visit 4711.wav: fetched by the server" in result.stderr
    assert "secret" not in result.stdout + result.stderr


def test_a_folder_is_submitted_under_keys_that_a_second_run_repeats(
    server: ScriptedServer, recording: Path, tmp_path: Path
) -> None:
    every_submit_ends_as(server, SUCCEEDED)
    folder = tmp_path / "calls"
    (folder / "monday").mkdir(parents=True)
    for name in ("a.flac", "monday/b.FLAC", "notes.txt", ".hidden.flac"):
        (folder / name).write_bytes(b"fLaC" + name[:1].encode())

    def keys(*arguments: object) -> list[str]:
        server.requests.clear()
        assert parley("submit", "--no-wait", *arguments).exit_code == Exit.OK
        return sorted(request.headers["Idempotency-Key"] for request in server.requests)

    first = keys(folder)
    assert (len(set(first)), keys(folder)) == (2, first)
    assert not set(keys(folder, "--speakers", 2)) & set(first)
    (folder / "a.flac").write_bytes(b"fLaC another")
    assert len(set(keys(folder)) & set(first)) == 1
    assert keys(recording) != keys(recording)  # whoever names a file twice means two jobs
    (tmp_path / "empty").mkdir()
    assert "has no recordings" in parley("submit", tmp_path / "empty").stderr


def test_several_pictures_need_a_folder(server: ScriptedServer, recording: Path) -> None:
    result = parley("submit", recording, recording, "--format", "png")
    assert result.exit_code == Exit.USAGE
    assert "--output FOLDER" in result.stderr
    assert not server.requests


def test_submit_prints_why_a_job_failed(server: ScriptedServer, recording: Path) -> None:
    every_submit_ends_as(server, FAILED)
    result = parley("submit", recording)
    assert result.exit_code == Exit.JOB_FAILED
    assert "failed: The recording is damaged. (unreadable_recording)" in result.stderr
    assert result.stdout == ""


def test_one_bad_file_does_not_stop_the_others(server: ScriptedServer, recording: Path, tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("no audio")
    every_submit_ends_as(server, SUCCEEDED)
    server.on("POST", "/v1/jobs", problem(415, "not_audio", "This is not audio that Parley reads."))
    result = parley("submit", recording, tmp_path / "notes.txt", "--json")
    errors = [entry["error"] for entry in json.loads(result.stdout)]
    assert result.exit_code == Exit.REFUSED
    assert sorted(error["code"] for error in errors if error) == ["not_audio"]
    assert errors.count(None) == 1
    assert "This is not audio that Parley reads. (415 not_audio)" in result.stderr


def test_a_validation_problem_is_printed_as_a_sentence(server: ScriptedServer, recording: Path) -> None:
    server.on("POST", "/v1/jobs", problem(422, "invalid_request", "min_speakers must not be above max_speakers."))
    result = parley("submit", recording, "--min-speakers", 5, "--max-speakers", 2)
    assert result.exit_code == Exit.REFUSED
    assert "min_speakers must not be above max_speakers." in result.stderr
    assert "Traceback" not in result.output


def test_an_error_after_the_submit_names_the_job(server: ScriptedServer, recording: Path) -> None:
    server.on("POST", "/v1/jobs", Reply(202, job_document()))
    server.on("GET", f"/v1/jobs/{JOB_ID}", problem(410, "job_purged", "The job was purged."))
    result = parley("submit", recording, "--json")
    (entry,) = json.loads(result.stdout)
    assert (entry["job"]["id"], entry["error"]["code"]) == (JOB_ID, "job_purged")
    assert f"The server keeps job {JOB_ID}." in result.stderr


@pytest.mark.parametrize(("form", "content"), [("json", f'"job_id": "{JOB_ID}"'), ("rttm", RTTM), ("textgrid", RTTM)])
def test_submit_writes_files(server: ScriptedServer, recording: Path, tmp_path: Path, form: str, content: str) -> None:
    every_submit_ends_as(server, SUCCEEDED)
    if form != "json":
        server.on("GET", f"/v1/jobs/{JOB_ID}/turns", Reply(text=RTTM))
    result = parley("submit", recording, "-o", tmp_path / "turns", "--format", form)
    assert result.exit_code == Exit.OK
    assert content in (tmp_path / "turns" / f"consult.{TurnFormat(form).extension}").read_text()
    assert result.stdout == ""


def test_submit_prints_json_and_rttm(server: ScriptedServer, recording: Path) -> None:
    every_submit_ends_as(server, SUCCEEDED)
    assert json.loads(parley("submit", recording, "--format", "json").stdout) == [turns_document()]
    server.on("GET", f"/v1/jobs/{JOB_ID}/turns", Reply(text=RTTM))
    assert parley("submit", recording, "--format", "rttm").stdout == RTTM


def test_a_file_that_cannot_be_written_is_named(server: ScriptedServer, recording: Path, tmp_path: Path) -> None:
    every_submit_ends_as(server, SUCCEEDED)
    (tmp_path / "turns" / "consult.json").mkdir(parents=True)
    result = parley("submit", recording, "-o", tmp_path / "turns", "--format", "json")
    assert result.exit_code == Exit.USAGE
    assert "consult.json: Is a directory." in result.stderr


def test_turns_of_a_folder_keep_its_subfolders(server: ScriptedServer, tmp_path: Path) -> None:
    every_submit_ends_as(server, SUCCEEDED)
    for name in ("monday/visit.WAV", "tuesday/visit.3gp", "visit.mkv"):
        path = tmp_path / "calls" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"RIFF")
    assert parley("submit", tmp_path / "calls", "-o", tmp_path / "turns", "--format", "json").exit_code == Exit.OK
    written = sorted(str(path.relative_to(tmp_path / "turns")) for path in (tmp_path / "turns").rglob("*.json"))
    assert written == ["monday/visit.json", "tuesday/visit.json", "visit.json"]


def test_a_file_name_is_one_line(server: ScriptedServer, tmp_path: Path) -> None:
    every_submit_ends_as(server, SUCCEEDED)
    recording = tmp_path / "two\nlines.wav"
    recording.write_bytes(b"RIFF")
    result = parley("submit", recording)
    assert "two�lines.wav: uploading\n" in result.stderr
    assert "two�lines.wav  job" in result.stdout


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (("nowhere.wav",), "does not exist"),
        (("{file}", "--no-wait", "--format", "rttm"), "--no-wait does not wait"),
        (("{file}", "-o", "{folder}", "--format", "table"), "`table` is for the terminal"),
        (("{file}", "{file}", "-o", "{folder}"), "2 recordings would write consult.rttm"),
        (("{file}", "--queue", "fast"), "'--queue': 'fast' is not one of"),
        (("{file}", "--speakers", "two"), "'--speakers': must be a whole number."),
        (("/dev/null",), "'/dev/null' is not a file."),
        ((), "FILE"),
    ],
)
def test_invalid_usage_submits_nothing(
    server: ScriptedServer, recording: Path, tmp_path: Path, arguments: tuple[str, ...], reason: str
) -> None:
    result = parley("submit", *(text.format(file=recording, folder=tmp_path / "turns") for text in arguments))
    assert result.exit_code == Exit.USAGE
    assert reason in result.stderr
    assert server.requests == []
