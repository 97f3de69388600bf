"""Enrolling, listing and deleting voiceprints; names where speakers are shown."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from parley import Consent, Parley, ParleyApiError, ParleyConnectionError, UnexpectedResponse
from parley.cli.exit_codes import Exit
from tests.unit.client.command import RTTM, SUCCEEDED, every_submit_ends_as, parley
from tests.unit.client.scripted import HANG_UP, JOB_ID, Reply, ScriptedServer, job_document, problem, turns_document

CONSENT = ("--purpose", "Names in notes", "--consent-for", "365d")
JOB = f"/v1/jobs/{JOB_ID}"
TURNS = f"{JOB}/turns"
WEBER: dict[str, Any] = {
    "id": "voiceprint-1",
    "name": "Dr. Weber",
    "role": "clinician",
    "enrolled_at": "2026-01-02T03:04:05Z",
    "model": "onnx/0123456789abcdef0123456789abcdef",
    "consent": {
        "given_by": "Dr. Weber",
        "given_at": "2026-01-02T00:00:00Z",
        "purpose": "Names in notes",
        "until": "2030-05-06T00:00:00Z",
    },
}
RECEIPT = {"voiceprint_id": "voiceprint-1", "deleted_at": "2026-01-02T03:04:05Z", "removed": ["name", "role", "vector"]}
IDENTITIES = [
    {
        "speaker": "SPEAKER_00",
        "name": "Dr. Weber",
        "similarity": 0.71,
        "voiceprint_id": "voiceprint-1",
        "role": "clinician",
    },
    {"speaker": "SPEAKER_01", "name": None, "similarity": None, "voiceprint_id": None, "role": "patient"},
]


@pytest.fixture
def enrolled(server: ScriptedServer) -> ScriptedServer:
    """A server with one voiceprint."""
    server.on("POST", "/v1/voiceprints", Reply(201, WEBER))
    server.on("GET", "/v1/voiceprints", Reply(document={"voiceprints": [WEBER]}))
    server.on("DELETE", "/v1/voiceprints/voiceprint-1", Reply(document=RECEIPT))
    return server


def bodies(server: ScriptedServer, path: str) -> list[dict[str, Any]]:
    return [json.loads(request.body) for request in server.requests if request.path == path and request.body]


def test_a_speaker_of_a_job_is_enrolled(enrolled: ScriptedServer, client: Parley) -> None:
    voiceprint = client.enrol("Dr. Weber", JOB_ID, "SPEAKER_00", role="clinician")
    assert (voiceprint.id, voiceprint.name, voiceprint.role, voiceprint.enrolled_at.year) == (
        "voiceprint-1",
        "Dr. Weber",
        "clinician",
        2026,
    )
    (request,) = enrolled.requests
    assert json.loads(request.body) == {
        "name": "Dr. Weber",
        "job_id": JOB_ID,
        "speaker": "SPEAKER_00",
        "role": "clinician",
    }
    assert request.headers["Content-Type"] == "application/json"


def test_an_enrolment_sends_the_consent(enrolled: ScriptedServer, client: Parley) -> None:
    consent = Consent.from_document(WEBER["consent"])
    assert client.enrol("Dr. Weber", JOB_ID, "SPEAKER_00", consent=consent).consent == consent
    (body,) = bodies(enrolled, "/v1/voiceprints")
    assert Consent.from_document(body["consent"]) == consent


def test_the_command_sends_the_consent_of_the_person(enrolled: ScriptedServer) -> None:
    job = ("--job", JOB_ID, "--speaker", "SPEAKER_00")
    assert parley("enrol", "Kim", *job, *CONSENT).exit_code == Exit.OK
    assert parley("enrol", "Kim", *job, *CONSENT, "--consent-by", "Ann", "--consent-at", "2026-01-02").exit_code == 0
    assert parley("enrol", "Kim", *job, "--without-consent").exit_code == Exit.OK
    own, other, none = (body.get("consent") for body in bodies(enrolled, "/v1/voiceprints"))
    assert own is not None and other is not None and none is None
    assert (own["given_by"], own["purpose"], other["given_by"]) == ("Kim", "Names in notes", "Ann")
    assert datetime.fromisoformat(own["until"]) - datetime.fromisoformat(own["given_at"]) == timedelta(days=365)
    assert other["given_at"] == "2026-01-02T00:00:00+00:00"


@pytest.mark.parametrize("given", [(), CONSENT[:2], CONSENT[2:]])
def test_a_recording_is_not_uploaded_without_a_whole_consent(
    enrolled: ScriptedServer, recording: Path, given: tuple[str, ...]
) -> None:
    result = parley("enrol", "Dr. Adler", recording, *given)
    assert (result.exit_code, enrolled.requests) == (Exit.USAGE, [])
    assert "consent" in result.stderr


def test_an_enrolment_without_a_response_is_not_repeated(server: ScriptedServer, client: Parley) -> None:
    """The first one may have taken the name; the second one would be refused."""
    server.on("POST", "/v1/voiceprints", HANG_UP)
    with pytest.raises(ParleyConnectionError):
        client.enrol("Dr. Weber", JOB_ID, "SPEAKER_00")
    assert len(server.requests) == 1


def test_a_submit_sends_speaker_embeddings_and_channels(
    server: ScriptedServer, client: Parley, recording: Path
) -> None:
    server.on("POST", "/v1/jobs", Reply(202, job_document()))
    client.submit(recording, speaker_embeddings=True, channels=["clinician", "patient"])
    client.submit(recording)
    assert [request.query for request in server.requests] == [
        {"speaker_embeddings": "true", "channels": "clinician,patient", "file_name": "consult.flac"},
        {"file_name": "consult.flac"},
    ]


def test_turns_have_identities_and_on_request_embeddings(server: ScriptedServer, client: Parley) -> None:
    server.on("GET", TURNS, Reply(document=turns_document() | {"identities": IDENTITIES}))
    turns = client.turns(JOB_ID, embeddings=True)
    assert [(identity.name, identity.similarity, identity.role) for identity in turns.identities] == [
        ("Dr. Weber", 0.71, "clinician"),
        (None, None, "patient"),
    ]
    client.turns(JOB_ID)
    assert [request.query for request in server.requests] == [
        {"format": "json", "embeddings": "true"},
        {"format": "json"},
    ]


def test_turns_of_a_job_without_embeddings_have_no_identities(server: ScriptedServer, client: Parley) -> None:
    server.on("GET", TURNS, Reply(document=turns_document()))
    assert client.turns(JOB_ID).identities == ()


def test_a_response_without_voiceprints_is_unexpected(server: ScriptedServer, client: Parley) -> None:
    server.on("GET", "/v1/voiceprints", Reply(document={"voiceprints": [{}]}))
    with pytest.raises(UnexpectedResponse):
        client.voiceprints()
    with pytest.raises(ParleyApiError):
        client.delete_voiceprint("../jobs/1")
    assert server.requests[-1].path == "/v1/voiceprints/..%2Fjobs%2F1"


def test_enrol_from_a_job_prints_the_id(enrolled: ScriptedServer) -> None:
    result = parley("enrol", *CONSENT, "Dr. Weber", "--job", JOB_ID, "--speaker", "SPEAKER_00", "--role", "clinician")
    assert (result.exit_code, result.stdout) == (Exit.OK, "voiceprint-1\n"), result.stderr
    assert "Dr. Weber is enrolled." in result.stderr
    as_json = parley("enrol", *CONSENT, "Dr. Weber", "--job", JOB_ID, "--speaker", "SPEAKER_00", "--json")
    assert json.loads(as_json.stdout) == WEBER
    assert [body["role"] for body in bodies(enrolled, "/v1/voiceprints")] == ["clinician", None]


def speaking(server: ScriptedServer, *speakers: str) -> None:
    """Let every submit end with these speakers, and every job be deleted."""
    server.on("POST", "/v1/jobs", Reply(202, job_document()))
    server.on("GET", JOB, Reply(document=SUCCEEDED))
    server.on("GET", TURNS, Reply(document=turns_document() | {"speakers": list(speakers)}))
    server.on("DELETE", JOB, Reply(document={"job_id": JOB_ID, "removed": ["recording"]}))


def asked(server: ScriptedServer) -> list[tuple[str, str]]:
    return [(request.method, request.path) for request in server.requests]


def test_enrol_from_a_recording_enrols_its_only_speaker_and_deletes_the_job(
    enrolled: ScriptedServer, recording: Path
) -> None:
    speaking(enrolled, "SPEAKER_00")
    result = parley("enrol", *CONSENT, "Dr. Adler", recording)
    assert (result.exit_code, result.stdout) == (Exit.OK, "voiceprint-1\n"), result.stderr
    query = next(request.query for request in enrolled.requests if request.method == "POST")
    assert query == {"speaker_embeddings": "true", "file_name": "consult.flac"}
    (enrolment,) = bodies(enrolled, "/v1/voiceprints")
    assert (enrolment["job_id"], enrolment["speaker"]) == (JOB_ID, "SPEAKER_00")
    assert asked(enrolled)[-2:] == [("POST", "/v1/voiceprints"), ("DELETE", JOB)]


@pytest.mark.parametrize("name", ["Dr. Weber", " dr. WEBER "])
def test_a_name_that_is_taken_uploads_nothing(enrolled: ScriptedServer, recording: Path, name: str) -> None:
    result = parley("enrol", *CONSENT, name, recording, "--json")
    assert result.exit_code == Exit.REFUSED
    assert json.loads(result.stdout)["error"]["code"] == "voiceprint_name_taken"
    assert asked(enrolled) == [("GET", "/v1/voiceprints")]


@pytest.mark.parametrize("name", ["", "  ", "a\x1b[2J", "x" * 201])
def test_a_name_that_the_server_would_refuse_uploads_nothing(
    enrolled: ScriptedServer, recording: Path, name: str
) -> None:
    assert parley("enrol", *CONSENT, name, recording).exit_code == Exit.USAGE
    assert enrolled.requests == []


@pytest.mark.parametrize(
    ("speakers", "code", "said"),
    [((), "no_speech", "Nobody speaks"), (("SPEAKER_00", "SPEAKER_01"), "several_speakers", "2 people seem to speak")],
)
def test_a_recording_without_exactly_one_speaker_enrols_nobody_and_is_deleted(
    enrolled: ScriptedServer, recording: Path, speakers: tuple[str, ...], code: str, said: str
) -> None:
    speaking(enrolled, *speakers)
    result = parley("enrol", *CONSENT, "Dr. Adler", recording, "--json")
    assert (result.exit_code, json.loads(result.stdout)["error"]["code"]) == (Exit.REFUSED, code)
    assert said in result.stderr
    assert bodies(enrolled, "/v1/voiceprints") == []
    assert asked(enrolled)[-1] == ("DELETE", JOB)


def test_a_recording_that_fails_ends_the_command_like_a_submit_and_is_deleted(
    enrolled: ScriptedServer, recording: Path
) -> None:
    error = {"code": "unreadable_recording", "detail": "The recording is damaged."}
    every_submit_ends_as(enrolled, job_document(state="failed", error=error))
    enrolled.on("DELETE", JOB, Reply(document={"job_id": JOB_ID, "removed": ["recording"]}))
    result = parley("enrol", *CONSENT, "Dr. Adler", recording)
    assert (result.exit_code, "damaged" in result.stderr) == (Exit.JOB_FAILED, True)
    assert asked(enrolled)[-1] == ("DELETE", JOB)


def test_an_enrolment_whose_job_cannot_be_deleted_says_so(enrolled: ScriptedServer, recording: Path) -> None:
    enrolled.on("DELETE", JOB, problem(403, "missing_scope", "The key must not delete."))
    speaking(enrolled, "SPEAKER_00")
    result = parley("enrol", *CONSENT, "Dr. Adler", recording)
    assert (result.exit_code, result.stdout) == (Exit.OK, "voiceprint-1\n")
    assert f"parley delete {JOB_ID}" in result.stderr


@pytest.mark.parametrize("arguments", [(), ("--job", JOB_ID), ("--speaker", "SPEAKER_00")])
def test_enrol_without_a_source_is_invalid_usage(server: ScriptedServer, arguments: tuple[str, ...]) -> None:
    assert parley("enrol", *CONSENT, "Dr. Weber", *arguments).exit_code == Exit.USAGE
    assert server.requests == []


def test_enrol_with_two_sources_is_invalid_usage(server: ScriptedServer, recording: Path) -> None:
    result = parley("enrol", *CONSENT, "Dr. Weber", recording, "--job", JOB_ID, "--speaker", "SPEAKER_00")
    assert result.exit_code == Exit.USAGE
    assert server.requests == []


def test_a_refused_enrolment_prints_the_reason(server: ScriptedServer) -> None:
    server.on(
        "POST",
        "/v1/voiceprints",
        problem(409, "speaker_embeddings_not_kept", "Submit the recording again with `speaker_embeddings=true`."),
    )
    result = parley("enrol", *CONSENT, "Dr. Weber", "--job", JOB_ID, "--speaker", "SPEAKER_00")
    assert (result.exit_code, "speaker_embeddings=true" in result.stderr) == (Exit.REFUSED, True)


def test_voiceprints_are_listed(enrolled: ScriptedServer) -> None:
    shown = parley("voiceprints")
    assert shown.exit_code == Exit.OK
    assert all(part in shown.stdout for part in ("voiceprint-1", "Dr. Weber", "clinician", "onnx/0123"))
    assert json.loads(parley("voiceprints", "--json").stdout) == [WEBER]


def test_no_voiceprints_are_no_error(server: ScriptedServer) -> None:
    server.on("GET", "/v1/voiceprints", Reply(document={"voiceprints": []}))
    result = parley("voiceprints")
    assert (result.exit_code, result.stdout, "No voiceprints." in result.stderr) == (Exit.OK, "", True)


@pytest.mark.parametrize("which", ["voiceprint-1", "Dr. Weber"])
def test_a_voiceprint_is_deleted_by_id_or_name(enrolled: ScriptedServer, which: str) -> None:
    result = parley("voiceprints", "delete", which, "--yes", "--json")
    assert (result.exit_code, json.loads(result.stdout)) == (Exit.OK, [RECEIPT])
    assert enrolled.requests[-1].path == "/v1/voiceprints/voiceprint-1"


def test_nothing_is_deleted_without_a_yes(enrolled: ScriptedServer) -> None:
    for answer, code in (("n\n", Exit.OK), ("", Exit.USAGE)):
        result = parley("voiceprints", "delete", "voiceprint-1", input=answer)
        assert (result.exit_code, "Nothing was deleted." in result.stderr) == (code, True)
    assert all(request.method != "DELETE" for request in enrolled.requests)
    assert parley("voiceprints", "delete", "voiceprint-1", input="y\n").exit_code == Exit.OK


def test_an_unknown_voiceprint_is_refused_and_the_others_are_deleted(enrolled: ScriptedServer) -> None:
    enrolled.on(
        "DELETE", "/v1/voiceprints/none", problem(404, "voiceprint_not_found", "There is no voiceprint with this id.")
    )
    result = parley("voiceprints", "delete", "none", "Dr. Weber", "--yes")
    assert result.exit_code == Exit.REFUSED
    assert "none: There is no voiceprint" in result.stderr
    assert "voiceprint-1: deleted" in result.stderr


def test_names_and_roles_are_shown_beside_the_labels(server: ScriptedServer) -> None:
    nasty = IDENTITIES[0] | {"name": "Dr.\x1b[2J Weber"}
    server.on("GET", TURNS, Reply(document=turns_document() | {"identities": [nasty, IDENTITIES[1]]}))
    shown = parley("turns", JOB_ID).stdout
    assert "12.50  SPEAKER_00 (Dr.�[2J Weber, clinician)" in shown
    assert "SPEAKER_01 (patient)" in shown
    assert "\x1b[2J" not in shown


def test_rttm_keeps_the_labels(server: ScriptedServer) -> None:
    server.on("GET", TURNS, Reply(text=RTTM))
    assert parley("turns", JOB_ID, "--format", "rttm").stdout == RTTM
