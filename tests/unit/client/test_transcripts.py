"""Sending transcripts and reading who said each word."""

from __future__ import annotations

from email import message_from_bytes
from email.message import Message
from pathlib import Path
from typing import cast

import pytest

from parley import Parley, SpokenWord
from parley.cli.exit_codes import Exit
from tests.unit.client.command import parley
from tests.unit.client.scripted import JOB_ID, Reply, Request, ScriptedServer, job_document, problem

JOB = f"/v1/jobs/{JOB_ID}"
PATH = f"{JOB}/transcript"
WORD = {"text": "Hello\x1b[31m.", "start": 0.5, "end": 1.0, "speaker": "SPEAKER_00", "confidence": 0.9}
SILENT = WORD | {"text": "Hm?", "speaker": None}
READ = {"job_id": JOB_ID, "speakers": ["SPEAKER_00"], "identities": None, "utterances": [WORD, SILENT], "words": [WORD]}
RESULT = {"speakers": 1, "turns": 1, "seconds_of_speech": 1.0, "transcription": None}
AWAY = {"code": "recogniser_unavailable", "detail": "It is away."}
RECEIPT = {"job_id": JOB_ID, "words": 7, "format": "vtt"}


@pytest.fixture
def words(tmp_path: Path) -> Path:
    path = tmp_path / "words.json"
    path.write_bytes(b'[{"word": "Hello."}]')
    return path


@pytest.fixture
def answering(server: ScriptedServer) -> ScriptedServer:
    server.on("POST", PATH, Reply(201, RECEIPT))
    server.on("GET", PATH, Reply(document=READ))
    return server


def parts_of(request: Request) -> dict[str | None, bytes]:
    """Return the parts of a form, read by the standard library."""
    head = f"Content-Type: {request.headers['Content-Type']}\r\n\r\n".encode()
    message = message_from_bytes(head + request.body)
    parts = cast("list[Message]", message.get_payload())
    return {part.get_param("name", header="content-disposition"): part.get_payload(decode=True) for part in parts}  # type: ignore[misc]


def test_a_recording_goes_with_its_transcript_as_one_form(
    server: ScriptedServer, client: Parley, recording: Path, words: Path
) -> None:
    server.on("POST", "/v1/jobs", Reply(202, job_document()))
    client.submit(recording, transcript=words, num_speakers=2)
    (request,) = server.requests
    assert parts_of(request) == {"transcript": words.read_bytes(), "audio": b"fLaC"}
    assert request.headers["Content-Length"] == str(len(request.body))
    assert request.query == {"num_speakers": "2", "file_name": recording.name}


def test_a_transcript_is_sent_and_read(answering: ScriptedServer, client: Parley, words: Path) -> None:
    assert client.send_transcript(JOB_ID, words, file_format="words") == RECEIPT
    found = client.transcript(JOB_ID)
    assert found.words == (SpokenWord("Hello\x1b[31m.", 0.5, 1.0, "SPEAKER_00", 0.9),)
    sent = answering.requests[0]
    assert (sent.body, sent.query) == (words.read_bytes(), {"format": "words"})
    assert sent.headers["Content-Type"] == "application/octet-stream"


def test_the_command_sends_a_transcript(answering: ScriptedServer, words: Path) -> None:
    run = parley("transcript", JOB_ID, str(words), "--format", "vtt")
    assert (run.exit_code, run.stderr.strip()) == (Exit.OK, f"{JOB_ID}: 7 words, read as vtt")
    assert '"words": 7' in parley("transcript", JOB_ID, str(words), "--json").stdout


def test_the_command_prints_who_said_what(answering: ScriptedServer) -> None:
    run = parley("transcript", JOB_ID)
    assert "\x1b" not in run.stdout
    assert run.stdout.splitlines()[1] == "UNKNOWN: Hm?"
    assert '"confidence": 0.9' in parley("transcript", JOB_ID, "--json").stdout


def test_the_command_says_why_a_transcript_is_refused(server: ScriptedServer, words: Path) -> None:
    server.on("POST", PATH, problem(422, "invalid_transcript", "The transcript has no words."))
    assert parley("transcript", JOB_ID, str(words)).exit_code == Exit.REFUSED
    assert parley("transcript", JOB_ID, "--format", "vtt").exit_code == Exit.USAGE
    assert parley("submit", str(words), str(words), "--transcript", str(words)).exit_code == Exit.USAGE


def asked(state: str, words: int = 0, error: dict[str, str] | None = None) -> dict[str, object]:
    found = {"state": state, "progress": 0.5, "words": words, "audio_seconds": 1.0, "error": error}
    return job_document(state="succeeded", result=RESULT | {"transcription": found})


def test_the_command_asks_for_words_and_waits(server: ScriptedServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("parley.cli.transcript.POLL_SECONDS", 0.0)
    replies = [asked("waiting"), asked("waiting"), asked("failed", error=AWAY)]
    nothing = job_document(state="succeeded", result=RESULT)
    server.on("POST", f"{JOB}/transcribe", *(Reply(202, one) for one in (*replies, nothing)))
    server.on("GET", JOB, *(Reply(document=one) for one in (asked("running"), asked("succeeded", 7))))
    run = parley("transcribe", JOB_ID)
    assert (run.exit_code, run.stderr.strip()) == (
        Exit.OK,
        f"{JOB_ID}: 7 words. `parley transcript {JOB_ID}` prints them.",
    )
    assert "the words are asked for" in parley("transcribe", JOB_ID, "--no-wait").stderr
    assert parley("transcribe", JOB_ID).exit_code == Exit.JOB_FAILED
    assert "Ask again" in parley("transcribe", JOB_ID).stderr
