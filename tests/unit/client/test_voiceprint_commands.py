"""Enrolling, listing and deleting voices; names where speakers are shown."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from parley import Parley, ParleyApiError, ParleyConnectionError, UnexpectedAnswer
from parley.cli.exits import Exit
from tests.unit.client.scripted import HANG_UP, Reply, ScriptedServer, job_document, problem, turns_document
from tests.unit.client.test_command_line import RTTM, SUCCEEDED, answers, parley

WEBER = {
    "id": "voice-1",
    "name": "Dr. Weber",
    "role": "clinician",
    "enrolled_at": "2026-01-02T03:04:05Z",
    "model": "onnx/0123456789abcdef0123456789abcdef",
}
RECEIPT = {"voiceprint_id": "voice-1", "deleted_at": "2026-01-02T03:04:05Z", "removed": ["name", "role", "vector"]}
PEOPLE = [
    {"speaker": "SPEAKER_00", "name": "Dr. Weber", "score": 0.71, "voiceprint_id": "voice-1", "role": "clinician"},
    {"speaker": "SPEAKER_01", "name": None, "score": None, "voiceprint_id": None, "role": "patient"},
]


@pytest.fixture
def knowing(server: ScriptedServer) -> ScriptedServer:
    """A server on which everything about voices goes well."""
    server.on("POST", "/v1/voiceprints", Reply(201, WEBER))
    server.on("GET", "/v1/voiceprints", Reply(document={"voiceprints": [WEBER]}))
    server.on("DELETE", "/v1/voiceprints/voice-1", Reply(document=RECEIPT))
    return server


def bodies(server: ScriptedServer, path: str) -> list[dict[str, Any]]:
    return [json.loads(request.body) for request in server.requests if request.path == path and request.body]


def test_a_speaker_of_a_job_is_enrolled(knowing: ScriptedServer, client: Parley) -> None:
    voice = client.enrol("Dr. Weber", "job-1", "SPEAKER_00", role="clinician")
    assert (voice.id, voice.name, voice.role, voice.enrolled_at.year) == ("voice-1", "Dr. Weber", "clinician", 2026)
    (request,) = knowing.requests
    assert json.loads(request.body) == {
        "name": "Dr. Weber",
        "job_id": "job-1",
        "speaker": "SPEAKER_00",
        "role": "clinician",
    }
    assert request.headers["Content-Type"] == "application/json"


def test_an_enrolment_whose_answer_is_lost_is_not_sent_again(server: ScriptedServer, client: Parley) -> None:
    """The second one would be refused: the name is taken by the first."""
    server.on("POST", "/v1/voiceprints", HANG_UP)
    with pytest.raises(ParleyConnectionError):
        client.enrol("Dr. Weber", "job-1", "SPEAKER_00")
    assert len(server.requests) == 1


def test_voices_and_channels_are_asked_for_at_the_submit(
    server: ScriptedServer, client: Parley, recording: Path
) -> None:
    server.on("POST", "/v1/jobs", Reply(202, job_document()))
    client.submit(recording, speaker_embeddings=True, channels=["clinician", "patient"])
    client.submit(recording)
    assert [request.query for request in server.requests] == [
        {"speaker_embeddings": "true", "channels": "clinician,patient"},
        {},
    ]


def test_turns_tell_their_people_and_vectors_on_request(server: ScriptedServer, client: Parley) -> None:
    server.on("GET", "/v1/jobs/job-1/turns", Reply(document=turns_document() | {"identities": PEOPLE}))
    turns = client.turns("job-1", embeddings=True)
    assert [(person.name, person.role) for person in turns.identities] == [
        ("Dr. Weber", "clinician"),
        (None, "patient"),
    ]
    client.turns("job-1")
    assert [request.query for request in server.requests] == [
        {"format": "json", "embeddings": "true"},
        {"format": "json"},
    ]


def test_turns_of_a_job_that_kept_nothing_have_no_people(server: ScriptedServer, client: Parley) -> None:
    server.on("GET", "/v1/jobs/job-1/turns", Reply(document=turns_document()))
    assert client.turns("job-1").identities == ()


def test_an_answer_that_is_no_voice_is_named(server: ScriptedServer, client: Parley) -> None:
    server.on("GET", "/v1/voiceprints", Reply(document={"voiceprints": [{}]}))
    with pytest.raises(UnexpectedAnswer):
        client.voiceprints()
    with pytest.raises(ParleyApiError):
        client.delete_voiceprint("../jobs/job-1")
    assert server.requests[-1].path == "/v1/voiceprints/..%2Fjobs%2Fjob-1"


def test_enrol_from_a_job_prints_the_id(knowing: ScriptedServer) -> None:
    result = parley("enrol", "Dr. Weber", "--job", "job-1", "--speaker", "SPEAKER_00", "--role", "clinician")
    assert (result.exit_code, result.stdout) == (Exit.OK, "voice-1\n"), result.stderr
    assert "Dr. Weber is enrolled." in result.stderr
    as_json = parley("enrol", "Dr. Weber", "--job", "job-1", "--speaker", "SPEAKER_00", "--json")
    assert json.loads(as_json.stdout) == WEBER
    assert [body["role"] for body in bodies(knowing, "/v1/voiceprints")] == ["clinician", None]


def test_enrol_from_a_recording_submits_waits_and_enrols_the_one_speaker(
    knowing: ScriptedServer, recording: Path
) -> None:
    answers(knowing, SUCCEEDED)
    result = parley("enrol", "Dr. Weber", recording)
    assert (result.exit_code, result.stdout) == (Exit.OK, "voice-1\n"), result.stderr
    assert knowing.requests[0].query == {"speaker_embeddings": "true", "num_speakers": "1"}
    (asked,) = bodies(knowing, "/v1/voiceprints")
    assert (asked["job_id"], asked["speaker"]) == ("job-1", "SPEAKER_00")


def test_a_recording_in_which_nobody_speaks_enrols_nobody(knowing: ScriptedServer, recording: Path) -> None:
    knowing.on("POST", "/v1/jobs", Reply(202, job_document()))
    knowing.on("GET", "/v1/jobs/job-1", Reply(document=SUCCEEDED))
    silent = turns_document() | {"turns": [], "exclusive_turns": [], "speakers": []}
    knowing.on("GET", "/v1/jobs/job-1/turns", Reply(document=silent))
    result = parley("enrol", "Dr. Weber", recording)
    assert (result.exit_code, "Nobody speaks" in result.stderr) == (Exit.REFUSED, True)
    assert bodies(knowing, "/v1/voiceprints") == []


def test_a_recording_that_fails_ends_the_command_as_a_submit_would(knowing: ScriptedServer, recording: Path) -> None:
    error = {"code": "unreadable_recording", "detail": "The recording is damaged."}
    answers(knowing, job_document(state="failed", error=error))
    result = parley("enrol", "Dr. Weber", recording)
    assert (result.exit_code, "damaged" in result.stderr) == (Exit.JOB_FAILED, True)


@pytest.mark.parametrize("arguments", [(), ("--job", "job-1"), ("--speaker", "SPEAKER_00")])
def test_half_of_what_enrol_needs_is_wrong_usage(server: ScriptedServer, arguments: tuple[str, ...]) -> None:
    assert parley("enrol", "Dr. Weber", *arguments).exit_code == Exit.USAGE
    assert server.requests == []


def test_both_ways_to_enrol_at_once_are_wrong_usage(server: ScriptedServer, recording: Path) -> None:
    result = parley("enrol", "Dr. Weber", recording, "--job", "job-1", "--speaker", "SPEAKER_00")
    assert result.exit_code == Exit.USAGE
    assert server.requests == []


def test_a_refused_enrolment_says_why(server: ScriptedServer) -> None:
    server.on(
        "POST",
        "/v1/voiceprints",
        problem(409, "speaker_embeddings_not_kept", "Submit the recording again with `speaker_embeddings=true`."),
    )
    result = parley("enrol", "Dr. Weber", "--job", "job-1", "--speaker", "SPEAKER_00")
    assert (result.exit_code, "speaker_embeddings=true" in result.stderr) == (Exit.REFUSED, True)


def test_voices_are_listed(knowing: ScriptedServer) -> None:
    shown = parley("voiceprints")
    assert shown.exit_code == Exit.OK
    assert all(part in shown.stdout for part in ("voice-1", "Dr. Weber", "clinician", "onnx/0123"))
    assert json.loads(parley("voiceprints", "--json").stdout) == [WEBER]


def test_no_voices_is_no_error(server: ScriptedServer) -> None:
    server.on("GET", "/v1/voiceprints", Reply(document={"voiceprints": []}))
    result = parley("voiceprints")
    assert (result.exit_code, result.stdout, "No voiceprints." in result.stderr) == (Exit.OK, "", True)


@pytest.mark.parametrize("which", ["voice-1", "Dr. Weber"])
def test_a_voice_is_deleted_by_id_or_name(knowing: ScriptedServer, which: str) -> None:
    result = parley("voiceprints", "delete", which, "--yes", "--json")
    assert (result.exit_code, json.loads(result.stdout)) == (Exit.OK, [RECEIPT])
    assert knowing.requests[-1].path == "/v1/voiceprints/voice-1"


def test_nothing_is_deleted_without_a_yes(knowing: ScriptedServer) -> None:
    for answer, code in (("n\n", Exit.OK), ("", Exit.USAGE)):
        result = parley("voiceprints", "delete", "voice-1", input=answer)
        assert (result.exit_code, "Nothing was deleted." in result.stderr) == (code, True)
    assert all(request.method != "DELETE" for request in knowing.requests)
    assert parley("voiceprints", "delete", "voice-1", input="y\n").exit_code == Exit.OK


def test_an_unknown_voice_is_refused_and_the_others_are_deleted(knowing: ScriptedServer) -> None:
    knowing.on(
        "DELETE", "/v1/voiceprints/none", problem(404, "voiceprint_not_found", "There is no voice with this id.")
    )
    result = parley("voiceprints", "delete", "none", "Dr. Weber", "--yes")
    assert result.exit_code == Exit.REFUSED
    assert "none: There is no voice" in result.stderr
    assert "voice-1: deleted" in result.stderr


def test_names_and_roles_stand_beside_the_labels(server: ScriptedServer) -> None:
    nasty = PEOPLE[0] | {"name": "Dr.\x1b[2J Weber"}
    server.on("GET", "/v1/jobs/job-1/turns", Reply(document=turns_document() | {"identities": [nasty, PEOPLE[1]]}))
    shown = parley("turns", "job-1").stdout
    assert "12.50  SPEAKER_00 (Dr.�[2J Weber, clinician)" in shown
    assert "SPEAKER_01 (patient)" in shown
    assert "\x1b[2J" not in shown


def test_rttm_keeps_the_labels(server: ScriptedServer) -> None:
    server.on("GET", "/v1/jobs/job-1/turns", Reply(text=RTTM))
    assert parley("turns", "job-1", "--format", "rttm").stdout == RTTM


def test_submit_asks_for_voices_and_channels(server: ScriptedServer, recording: Path) -> None:
    answers(server, SUCCEEDED)
    assert parley("submit", recording, "--speaker-embeddings", "--channels", "clinician,patient").exit_code == Exit.OK
    assert server.requests[0].query == {"speaker_embeddings": "true", "channels": "clinician,patient"}
