"""Correcting and listing corrections."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from parley import Parley
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


@pytest.fixture
def corrected(server: ScriptedServer) -> ScriptedServer:
    server.on("GET", PATH, Reply(document={"corrections": [MADE | {"version": one} for one in (1, 2)]}))
    server.on("POST", PATH, Reply(201, MADE))
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


def test_a_version_of_the_turns_can_be_asked_for(server: ScriptedServer, client: Parley) -> None:
    first = {**turns_document()["turns"][0], "id": "1", "confirmed": True}
    server.on("GET", f"/v1/jobs/{JOB_ID}/turns", Reply(document=turns_document() | {"version": 4, "turns": [first]}))
    server.on("GET", f"/v1/jobs/{JOB_ID}/timeline.svg", Reply(text="<svg/>"))
    turns = client.turns(JOB_ID, version=4)
    assert (turns.version, turns.turns[0].id, turns.turns[0].confirmed) == (4, "1", True)
    assert client.export(JOB_ID, "svg", version=0) == "<svg/>"
    assert [request.query["version"] for request in server.requests] == ["4", "0"]


def test_the_command_makes_one_correction_of_all_options(corrected: ScriptedServer, tmp_path: Path) -> None:
    file = tmp_path / "more.json"
    file.write_text('[{"operation": "remove_turns", "turns": ["9"]}]')
    options = ("--rename", "SPEAKER_00=Dr. Weber", "--rename", "SPEAKER_01=", "--role", "SPEAKER_01=patient")
    more = ("--merge", "SPEAKER_02=SPEAKER_00", "--reassign", "4=SPEAKER_01", "--confirm", "5", "--confirm", "6")
    made = parley("correct", JOB_ID, *options, *more, "--file", str(file), "--author", "A. Weber")
    assert made.exit_code == Exit.OK, made.stderr
    assert sent(corrected)["author"] == "A. Weber"
    assert sent(corrected)["operations"] == [
        {"operation": "rename_speaker", "speaker": "SPEAKER_00", "name": "Dr. Weber"},
        {"operation": "rename_speaker", "speaker": "SPEAKER_01", "name": None},
        {"operation": "set_role", "speaker": "SPEAKER_01", "role": "patient"},
        {"operation": "merge_speakers", "speaker": "SPEAKER_02", "into": "SPEAKER_00"},
        {"operation": "reassign_turns", "turns": ["4"], "speaker": "SPEAKER_01"},
        {"operation": "confirm_turns", "turns": ["5", "6"]},
        {"operation": "remove_turns", "turns": ["9"]},
    ]


@pytest.mark.parametrize("options", [(), ("--rename", "SPEAKER_00"), ("--merge", "=SPEAKER_00")])
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
