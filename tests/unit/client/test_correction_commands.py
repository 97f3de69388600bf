"""Correcting, listing corrections, and asking what to correct."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from parley import Candidate, Parley, Question, Redecided
from parley.cli.exit_codes import Exit
from tests.unit.client.command import ago, parley
from tests.unit.client.scripted import JOB_ID, Reply, ScriptedServer, problem, turns_document

PATH = f"/v1/jobs/{JOB_ID}/corrections"
UNDO = {"operation": "undo"}
MADE = {
    "version": 3,
    "author": "A. Weber",
    "created_at": ago(hours=1),
    "operations": [UNDO],
    "redecided": [],
    "counts": False,
}
FOLLOWED = [{"turn": "7", "speaker": "SPEAKER_01", "confidence": 0.93}]
ASKED = [
    {
        "kind": "same_person",
        "turn": "2",
        "speaker": "SPEAKER_01",
        "candidates": [{"speaker": "SPEAKER_00", "example": "1"}],
        "seconds": 14.24,
    },
    {
        "kind": "speaker_of_turn",
        "turn": "1",
        "speaker": "SPEAKER_00",
        "candidates": [{"speaker": "SPEAKER_00", "example": None}, {"speaker": "SPEAKER_01", "example": "2"}],
        "seconds": 3.0,
    },
]


@pytest.fixture
def corrected(server: ScriptedServer) -> ScriptedServer:
    server.on("GET", PATH, Reply(document={"corrections": [MADE | {"version": one} for one in (1, 2)]}))
    server.on("POST", PATH, Reply(201, MADE))
    return server


@pytest.fixture
def asking(server: ScriptedServer) -> ScriptedServer:
    document = {"job_id": JOB_ID, "version": 2, "by_voice": True, "questions": ASKED}
    turns = [turn | {"id": str(number)} for number, turn in enumerate(turns_document()["turns"], 1)]
    server.on("GET", f"{PATH}/questions", Reply(document=document))
    server.on("GET", f"/v1/jobs/{JOB_ID}/turns", Reply(document=turns_document() | {"version": 2, "turns": turns}))
    return server


def sent(server: ScriptedServer) -> dict[str, object]:
    document: dict[str, object] = json.loads(server.requests[-1].body)
    return document


def test_the_client_corrects_the_newest_version_or_the_given_one(corrected: ScriptedServer, client: Parley) -> None:
    made = client.correct(JOB_ID, [UNDO], author="A. Weber")
    assert (made.version, made.counts, made.operations) == (3, False, (UNDO,))
    assert sent(corrected) == {"base_version": 2, "author": "A. Weber", "operations": [UNDO]}
    client.correct(JOB_ID, [UNDO], author="A. Weber", base_version=7)
    assert sent(corrected)["base_version"] == 7


def test_the_client_lets_the_rest_follow_if_asked_to(server: ScriptedServer, client: Parley) -> None:
    server.on("POST", PATH, Reply(201, MADE | {"redecided": FOLLOWED}))
    made = client.correct(JOB_ID, [UNDO], author="A. Weber", base_version=2, redecide=True)
    assert sent(server) == {"base_version": 2, "author": "A. Weber", "operations": [UNDO], "redecide": True}
    assert made.redecided == (Redecided("7", "SPEAKER_01", 0.93),)


def test_the_client_reads_questions(asking: ScriptedServer, client: Parley) -> None:
    asked = client.questions(JOB_ID)
    assert (asked.version, asked.by_voice, asked.document["questions"]) == (2, True, ASKED)
    assert asked.questions == (
        Question("same_person", "2", "SPEAKER_01", (Candidate("SPEAKER_00", "1"),), 14.24),
        Question(
            "speaker_of_turn", "1", "SPEAKER_00", (Candidate("SPEAKER_00", None), Candidate("SPEAKER_01", "2")), 3.0
        ),
    )


def test_a_version_of_the_turns_can_be_asked_for(server: ScriptedServer, client: Parley) -> None:
    first = {**turns_document()["turns"][0], "id": "1", "confirmed": True}
    server.on("GET", f"/v1/jobs/{JOB_ID}/turns", Reply(document=turns_document() | {"version": 4, "turns": [first]}))
    server.on("GET", f"/v1/jobs/{JOB_ID}/timeline.svg", Reply(text="<svg/>"))
    turns = client.turns(JOB_ID, version=4)
    assert (turns.version, turns.turns[0].id, turns.turns[0].confirmed) == (4, "1", True)
    assert client.export(JOB_ID, "svg", version=0) == "<svg/>"
    server.on("GET", f"/v1/jobs/{JOB_ID}/timeline.png", Reply(text="PNG"))
    assert client.picture(JOB_ID) == b"PNG"
    shown = parley("turns", JOB_ID, "--format", "png", "--result-version", "7")
    assert (shown.exit_code, shown.stdout) == (Exit.OK, "PNG")
    assert [request.query.get("version") for request in server.requests] == ["4", "0", None, "7"]


def test_the_command_makes_one_correction_of_all_options(corrected: ScriptedServer, tmp_path: Path) -> None:
    file = tmp_path / "more.json"
    file.write_text('[{"operation": "remove_turns", "turns": ["9"]}]')
    options = ("--rename", "SPEAKER_00=Dr. Weber", "--rename", "SPEAKER_01=", "--role", "SPEAKER_01=patient")
    more = ("--merge", "SPEAKER_02=SPEAKER_00", "--reassign", "4=SPEAKER_01", "--confirm", "5", "--confirm", "6")
    more += ("--new-speaker", "7", "--new-speaker", "8")
    made = parley("correct", JOB_ID, *options, *more, "--file", str(file), "--author", "A. Weber")
    assert made.exit_code == Exit.OK, made.stderr
    assert sent(corrected)["author"] == "A. Weber"
    assert sent(corrected)["operations"] == [
        {"operation": "rename_speaker", "speaker": "SPEAKER_00", "name": "Dr. Weber"},
        {"operation": "rename_speaker", "speaker": "SPEAKER_01", "name": None},
        {"operation": "set_role", "speaker": "SPEAKER_01", "role": "patient"},
        {"operation": "merge_speakers", "speaker": "SPEAKER_02", "into": "SPEAKER_00"},
        {"operation": "reassign_turns", "turns": ["4"], "speaker": "SPEAKER_01"},
        {"operation": "split_speaker", "turns": ["7", "8"]},
        {"operation": "confirm_turns", "turns": ["5", "6"]},
        {"operation": "remove_turns", "turns": ["9"]},
    ]


def test_the_command_says_how_many_turns_followed(server: ScriptedServer) -> None:
    server.on("GET", PATH, Reply(document={"corrections": []}))
    server.on("POST", PATH, Reply(201, MADE | {"redecided": FOLLOWED}))
    made = parley("correct", JOB_ID, "--reassign", "4=SPEAKER_01", "--redecide")
    assert (made.exit_code, made.stderr.strip()) == (Exit.OK, "This is version 3. Turns that followed by voice: 1.")
    assert sent(server)["redecide"] is True


def test_the_version_that_was_seen_is_sent_and_not_asked_for(server: ScriptedServer) -> None:
    server.on("POST", PATH, Reply(201, MADE))
    assert parley("correct", JOB_ID, "--confirm", "5", "--base-version", "2").exit_code == Exit.OK
    assert [(request.method, sent(server)["base_version"]) for request in server.requests] == [("POST", 2)]


@pytest.mark.parametrize(
    "options",
    [
        (),
        ("--base-version", "-1", "--undo"),
        ("--rename", "SPEAKER_00"),
        ("--merge", "=SPEAKER_00"),
        ("--redecide",),
        ("--undo", "--redecide"),
    ],
)
def test_wrong_options_send_nothing(corrected: ScriptedServer, options: tuple[str, ...]) -> None:
    assert parley("correct", JOB_ID, *options).exit_code == Exit.USAGE
    assert corrected.requests == []


@pytest.mark.parametrize("text", ["{}", "no JSON"])
def test_a_file_that_is_no_list_sends_nothing(corrected: ScriptedServer, tmp_path: Path, text: str) -> None:
    (tmp_path / "file").write_text(text)
    assert parley("correct", JOB_ID, "--file", str(tmp_path / "file")).exit_code == Exit.USAGE
    assert corrected.requests == []


def test_corrections_are_listed(corrected: ScriptedServer) -> None:
    shown = parley("corrections", JOB_ID).stdout
    assert ("A. Weber" in shown, "undo" in shown, "no" in shown) == (True, True, True)
    assert len(json.loads(parley("corrections", JOB_ID, "--json").stdout)) == 2


def test_a_lost_race_is_said(server: ScriptedServer) -> None:
    server.on("GET", PATH, Reply(document={"corrections": []}))
    server.on("POST", PATH, problem(409, "correction_conflict", "Another correction was made in the meantime."))
    made = parley("correct", JOB_ID, "--redo")
    assert made.exit_code == Exit.REFUSED
    assert "meantime" in made.stderr


def test_questions_say_when_to_listen(asking: ScriptedServer) -> None:
    rows = [line.split() for line in parley("questions", JOB_ID).stdout.splitlines()[1:]]
    assert rows == [
        ["2", "0:12", "14.2", "SPEAKER_01", "Same", "person?", "SPEAKER_00", "(turn", "1,", "0:00)"],
        ["1", "0:00", "3.0", "SPEAKER_00", "Who", "speaks?", "SPEAKER_00,", "SPEAKER_01", "(turn", "2,", "0:12)"],
    ]
    assert asking.requests[-1].query["version"] == "2", "the turns are those that the questions are about"
    assert json.loads(parley("questions", JOB_ID, "--json").stdout)["questions"] == ASKED


@pytest.mark.parametrize("by_voice", [True, False])
def test_no_questions_are_said_with_the_reason(server: ScriptedServer, by_voice: bool) -> None:
    nothing = {"job_id": JOB_ID, "version": 0, "by_voice": by_voice, "questions": []}
    server.on("GET", f"{PATH}/questions", Reply(document=nothing))
    asked = parley("questions", JOB_ID)
    assert (asked.exit_code, asked.stdout, "no voices" in asked.stderr) == (Exit.OK, "", not by_voice)
