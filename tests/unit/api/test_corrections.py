"""Corrections over HTTP, and what becomes of the turns."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import httpx
import pytest

from parley_api.corrections import log
from tests.support.api_fixture import AUDIO, CONSENT, ENGINE, ApiFixture, assert_problem, fail, form, succeed
from tests.unit.api.test_access import bearer, line

pytestmark = pytest.mark.anyio

RAW = {"Content-Type": "audio/flac"}
TURNS = [
    {"start": 0.0, "end": 1.0, "speaker": "SPEAKER_00", "confidence": 0.9},
    {"start": 0.8, "end": 2.0, "speaker": "SPEAKER_01", "confidence": 0.4},
    {"start": 2.0, "end": 3.0, "speaker": "SPEAKER_00", "confidence": 0.8},
]
EXCLUSIVE = [TURNS[0] | {"end": 0.8}, TURNS[1], TURNS[2]]
FOUND = {
    "turns": TURNS,
    "exclusive_turns": EXCLUSIVE,
    "overlaps": [{"start": 0.8, "end": 1.0}],
    "speakers": ["SPEAKER_00", "SPEAKER_01"],
    "speaker_count": {"found": 2, "plausible": [2, 3]},
    "purity": {"SPEAKER_00": 0.4, "SPEAKER_01": 0.9},
    "engine": ENGINE | {"parameters": {"review_below": 0.6}},
}


async def job_of(api: ApiFixture, client: httpx.AsyncClient, **headers: str) -> str:
    job_id = str((await client.post("/v1/jobs", content=AUDIO, headers=RAW | headers)).json()["id"])
    succeed(api, job_id, **FOUND)
    return job_id


async def correct(client: httpx.AsyncClient, job_id: str, base: int, *operations: dict[str, Any]) -> httpx.Response:
    body = {"base_version": base, "author": "A. Weber", "operations": operations}
    return await client.post(f"/v1/jobs/{job_id}/corrections", json=body)


async def turns(client: httpx.AsyncClient, job_id: str, **query: object) -> dict[str, Any]:
    answer = await client.get(f"/v1/jobs/{job_id}/turns", params={"format": "json", **query})
    assert answer.status_code == 200, answer.text
    document: dict[str, Any] = answer.json()
    assert answer.headers["result-version"] == str(document["version"])
    return document


def brief(document: dict[str, Any]) -> list[tuple[str, float, float, str]]:
    return [(turn["id"], turn["start"], turn["end"], turn["speaker"][-1]) for turn in document["turns"]]


def spoken(document: dict[str, Any]) -> list[tuple[float, float, str]]:
    return [(one["start"], one["end"], one["speaker"][-1]) for one in document["exclusive_turns"]]


ENGINES = [("1", 0.0, 1.0, "0"), ("2", 0.8, 2.0, "1"), ("3", 2.0, 3.0, "0")]


@pytest.mark.parametrize(("operation", "expected"), [
    ({"operation": "merge_speakers", "speaker": "SPEAKER_01", "into": "SPEAKER_00"},
     [("1", 0.0, 2.0, "0"), ("3", 2.0, 3.0, "0")]),
    ({"operation": "split_speaker", "turns": ["3"]}, [*ENGINES[:2], ("3", 2.0, 3.0, "2")]),
    ({"operation": "reassign_turns", "turns": ["3"], "speaker": "SPEAKER_01"}, [*ENGINES[:2], ("3", 2.0, 3.0, "1")]),
    ({"operation": "split_turn", "turn": "3", "at": 2.25},
     [*ENGINES[:2], ("3", 2.0, 2.25, "0"), ("1-1", 2.25, 3.0, "0")]),
    ({"operation": "move_turn", "turn": "3", "start": 0.9, "end": 1.5}, [("1", 0.0, 1.5, "0"), ENGINES[1]]),
    ({"operation": "add_turn", "start": 1.2, "end": 1.5}, [*ENGINES[:2], ("1-1", 1.2, 1.5, "2"), ENGINES[2]]),
    ({"operation": "add_turn", "start": 1.2, "end": 2.5, "speaker": "SPEAKER_00"},
     [*ENGINES[:2], ("1-1", 1.2, 3.0, "0")]),
    ({"operation": "remove_turns", "turns": ["2", "3"]}, [ENGINES[0]]),
    ({"operation": "confirm_turns", "turns": ["2"]}, ENGINES),
])  # fmt: skip
async def test_an_operation_changes_the_turns_and_undo_brings_them_back(
    api: ApiFixture, client: httpx.AsyncClient, operation: dict[str, Any], expected: list[Any]
) -> None:
    job_id = await job_of(api, client)
    before = await turns(client, job_id)
    answer = await correct(client, job_id, 0, operation)
    assert answer.status_code == 201, answer.text
    after = await turns(client, job_id)
    assert (after["version"], brief(after)) == (1, expected)
    assert (await correct(client, job_id, 1, {"operation": "undo"})).status_code == 201
    assert await turns(client, job_id) == before | {"version": 2}
    assert (await correct(client, job_id, 2, {"operation": "redo"})).status_code == 201
    assert await turns(client, job_id) == after | {"version": 3}
    assert await turns(client, job_id, version=0) == before
    assert await turns(client, job_id, version=1) == after


async def test_a_person_decides_for_good(api: ApiFixture, client: httpx.AsyncClient) -> None:
    job_id = await job_of(api, client)
    assert [turn["needs_review"] for turn in (await turns(client, job_id))["turns"]] == [False, True, False]
    await correct(client, job_id, 0, {"operation": "confirm_turns", "turns": ["2"]})
    second = (await turns(client, job_id))["turns"][1]
    assert (second["needs_review"], second["confirmed"], second["confidence"]) == (False, True, 1.0)


async def test_overlaps_and_exclusive_turns_follow(api: ApiFixture, client: httpx.AsyncClient) -> None:
    job_id = await job_of(api, client)
    moved = {"operation": "move_turn", "turn": "2", "start": 0.5, "end": 2.5}
    await correct(client, job_id, 0, moved)
    document = await turns(client, job_id)
    assert document["overlaps"] == [{"start": 0.5, "end": 1.0}, {"start": 2.0, "end": 2.5}]
    assert spoken(document) == [(0.0, 0.8, "0"), (0.8, 2.0, "1"), (2.0, 3.0, "0")]
    await correct(client, job_id, 1, {"operation": "remove_turns", "turns": ["1"]})
    assert spoken(await turns(client, job_id)) == [(0.5, 2.0, "1"), (2.0, 3.0, "0")]


@pytest.mark.parametrize(
    ("operation", "counted", "pure"),
    [
        ({"operation": "rename_speaker", "speaker": "SPEAKER_00", "name": "Kim"}, True, ["SPEAKER_00", "SPEAKER_01"]),
        ({"operation": "reassign_turns", "turns": ["3"], "speaker": "SPEAKER_01"}, True, []),
        ({"operation": "split_speaker", "turns": ["3"]}, False, ["SPEAKER_01"]),
        ({"operation": "merge_speakers", "speaker": "SPEAKER_01", "into": "SPEAKER_00"}, False, []),
    ],
    ids=lambda value: value["operation"] if isinstance(value, dict) else "",
)
async def test_doubt_about_speakers_whom_a_person_has_changed_is_withdrawn(
    api: ApiFixture, client: httpx.AsyncClient, operation: dict[str, Any], counted: bool, pure: list[str]
) -> None:
    job_id = await job_of(api, client)
    assert (await turns(client, job_id))["speaker_count"] == {"found": 2, "plausible": [2, 3], "needs_review": True}
    assert (await correct(client, job_id, 0, operation)).is_success
    document = await turns(client, job_id)
    assert (document["speaker_count"] is not None) == counted
    assert [one["speaker"] for one in document["purity"]] == pure


async def test_names_and_roles_reach_every_format_and_the_file_name(api: ApiFixture, client: httpx.AsyncClient) -> None:
    job_id = await job_of(api, client)
    name = "<script>alert(1)</script>"
    renamed = {"operation": "rename_speaker", "speaker": "SPEAKER_00", "name": name}
    await correct(client, job_id, 0, renamed, {"operation": "set_role", "speaker": "SPEAKER_01", "role": "patient"})
    identities = (await turns(client, job_id))["identities"]
    assert [(one["name"], one["role"]) for one in identities] == [(name, None), (None, "patient")]
    csv = await client.get(f"/v1/jobs/{job_id}/turns?format=csv")
    assert name in csv.text
    assert csv.headers["content-disposition"].endswith('.v1.csv"')
    vtt = await client.get(f"/v1/jobs/{job_id}/turns?format=vtt")
    picture = await client.get(f"/v1/jobs/{job_id}/timeline.svg")
    assert "<script" not in vtt.text + picture.text
    assert "&lt;script&gt;" in picture.text
    await correct(client, job_id, 1, renamed | {"name": None})
    assert "identities" in await turns(client, job_id)
    assert (await turns(client, job_id))["identities"][0]["name"] is None


async def test_of_two_people_on_one_version_one_wins(api: ApiFixture, client: httpx.AsyncClient) -> None:
    job_id = await job_of(api, client)
    confirm = {"operation": "confirm_turns", "turns": ["2"]}
    remove = {"operation": "remove_turns", "turns": ["2"]}
    answers = await asyncio.gather(*(correct(client, job_id, 0, one) for one in [confirm, remove] * 8))
    assert sorted(answer.status_code for answer in answers) == [201] + [409] * 15
    lost = next(answer for answer in answers if answer.status_code == 409)
    assert assert_problem(lost, 409, "correction_conflict")["version"] == 1
    assert (await turns(client, job_id))["version"] == 1


async def test_the_list_says_who_did_what_and_what_counts(api: ApiFixture, client: httpx.AsyncClient) -> None:
    job_id = await job_of(api, client)
    for base, turn in enumerate("123"):
        await correct(client, job_id, base, {"operation": "confirm_turns", "turns": [turn]})
    await correct(client, job_id, 3, {"operation": "undo"})
    await correct(client, job_id, 4, {"operation": "undo"})
    document = (await client.get(f"/v1/jobs/{job_id}/corrections")).json()
    assert (document["version"], document["can_undo"], document["can_redo"]) == (5, True, True)
    assert [one["counts"] for one in document["corrections"]] == [True, False, False, False, False]
    assert {one["author"] for one in document["corrections"]} == {"A. Weber"}
    await correct(client, job_id, 5, {"operation": "confirm_turns", "turns": ["3"]})
    assert_problem(await correct(client, job_id, 6, {"operation": "redo"}), 422, "invalid_correction")
    assert [turn["confirmed"] for turn in (await turns(client, job_id))["turns"]] == [True, False, True]


@pytest.mark.parametrize("operations", [
    [], [{"operation": "explode"}], [{}], ["undo"], [{"operation": "undo"}, {"operation": "undo"}],
    [{"operation": "undo"}], [{"operation": "redo"}],
    [{"operation": "confirm_turns", "turns": []}], [{"operation": "confirm_turns", "turns": ["4"]}],
    [{"operation": "confirm_turns", "turns": ["1"], "note": "x"}],
    [{"operation": "merge_speakers", "speaker": "SPEAKER_00", "into": "SPEAKER_00"}],
    [{"operation": "merge_speakers", "speaker": "SPEAKER_00", "into": "SPEAKER_07"}],
    [{"operation": "rename_speaker", "speaker": "SPEAKER_00", "name": ""}],
    [{"operation": "rename_speaker", "speaker": "SPEAKER_00", "name": "a\nb"}],
    [{"operation": "rename_speaker", "speaker": "SPEAKER_00", "name": "x" * 201}],
    [{"operation": "set_role", "speaker": "SPEAKER_00", "role": "king"}],
    [{"operation": "move_turn", "turn": "1", "start": 2, "end": 1}],
    [{"operation": "move_turn", "turn": "1", "start": -1, "end": 1}],
    [{"operation": "move_turn", "turn": "1", "start": 1, "end": 1.0004}],
    [{"operation": "move_turn", "turn": "1", "start": 0, "end": 3.1}],
    [{"operation": "add_turn", "start": 0, "end": 1e300}],
    [{"operation": "split_turn", "turn": "1", "at": 1}],
    [{"operation": "confirm_turns", "turns": ["1"]}, {"operation": "remove_turns", "turns": ["9"]}],
])  # fmt: skip
async def test_a_correction_that_does_not_fit_leaves_nothing(
    api: ApiFixture, client: httpx.AsyncClient, operations: list[Any]
) -> None:
    job_id = await job_of(api, client)
    before = dict(api.recordings.objects)
    answer = await correct(client, job_id, 0, *operations)
    assert answer.status_code == 422, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    assert "pydantic" not in answer.text.lower()
    assert api.recordings.objects == before


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity", "-1", "1e999", '"1"', "null", "true"])
async def test_times_that_are_no_numbers_are_refused(api: ApiFixture, client: httpx.AsyncClient, number: str) -> None:
    job_id = await job_of(api, client)
    body = (
        '{"base_version": 0, "author": "x", "operations": '
        f'[{{"operation": "move_turn", "turn": "1", "start": {number}, "end": 1}}]}}'
    )
    headers = {"Content-Type": "application/json"}
    answer = await client.post(f"/v1/jobs/{job_id}/corrections", content=body, headers=headers)
    assert_problem(answer, 422, "invalid_option")


async def test_jobs_without_turns_take_no_corrections(api: ApiFixture, client: httpx.AsyncClient) -> None:
    undo = {"operation": "undo"}
    job_id = str((await client.post("/v1/jobs", content=AUDIO, headers=RAW)).json()["id"])
    assert_problem(await correct(client, job_id, 0, undo), 409, "job_not_finished")
    fail(api, job_id)
    assert_problem(await correct(client, job_id, 0, undo), 409, "job_not_succeeded")
    await client.post(f"/v1/jobs/{job_id}/retry")
    assert_problem(await correct(client, job_id, 0, undo), 409, "job_not_finished")
    assert_problem(await client.get(f"/v1/jobs/{job_id}/corrections"), 409, "job_not_finished")


async def test_corrections_go_with_the_job(api: ApiFixture, client: httpx.AsyncClient) -> None:
    job_id = await job_of(api, client)
    await correct(client, job_id, 0, {"operation": "rename_speaker", "speaker": "SPEAKER_00", "name": "Dr. Weber"})
    assert (await client.delete(f"/v1/jobs/{job_id}")).status_code == 200
    assert api.sounds == {}
    assert_problem(await correct(client, job_id, 1, {"operation": "undo"}), 410, "job_purged")


async def test_a_job_deleted_while_it_is_corrected_keeps_no_name(
    api: ApiFixture, client: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    job_id = await job_of(api, client)
    create = api.recordings.create

    def create_after_the_deletion(key: str, data: bytes) -> bool:
        if ".corrections/" in key:
            api.durable.remove(api.durable.get(job_id))
        return create(key, data)

    monkeypatch.setattr(api.recordings, "create", create_after_the_deletion)
    named = {"operation": "rename_speaker", "speaker": "SPEAKER_00", "name": "Dr. Weber"}
    assert_problem(await correct(client, job_id, 0, named), 410, "job_purged")
    assert b"Weber" not in b"".join(api.recordings.objects.values())


async def test_a_result_takes_a_bounded_number_of_corrections(
    api: ApiFixture, client: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(log, "MAX_CORRECTIONS", 40)
    monkeypatch.setattr(log, "BLOCK", 16)
    job_id = await job_of(api, client)
    for base in range(40):
        name = {"operation": "rename_speaker", "speaker": "SPEAKER_00", "name": f"Name {base}"}
        assert (await correct(client, job_id, base, name)).status_code == 201
    assert_problem(await correct(client, job_id, 40, name), 409, "too_many_corrections")
    for version in (1, 16, 17, 32, 40):
        document = await turns(client, job_id, version=version)
        assert (document["version"], document["identities"][0]["name"]) == (version, f"Name {version - 1}")
    assert_problem(await client.get(f"/v1/jobs/{job_id}/turns?version=41"), 404, "version_not_found")
    assert_problem(await client.get(f"/v1/jobs/{job_id}/timeline.svg?version=41"), 404, "version_not_found")


async def test_a_voiceprint_is_enrolled_under_the_corrected_labels(api: ApiFixture, client: httpx.AsyncClient) -> None:
    body, headers = form(("audio", AUDIO), ("speaker_embeddings", b"true"))
    job_id = (await client.post("/v1/jobs", content=body, headers=headers)).json()["id"]
    vectors = {"SPEAKER_00": [1.0, 0.0], "SPEAKER_01": [0.0, 1.0]}
    succeed(api, job_id, **FOUND, speaker_embeddings=vectors, embedding_model="m")
    await correct(client, job_id, 0, {"operation": "merge_speakers", "speaker": "SPEAKER_01", "into": "SPEAKER_00"})
    enrolment = {"name": "Dr. Weber", "job_id": job_id, "speaker": "SPEAKER_01", "consent": CONSENT}
    assert_problem(await client.post("/v1/voiceprints", json=enrolment), 422, "unknown_speaker")
    assert (await client.post("/v1/voiceprints", json=enrolment | {"speaker": "SPEAKER_00"})).status_code == 201
    assert (await turns(client, job_id))["identities"][0]["name"] == "Dr. Weber"
    await correct(client, job_id, 1, {"operation": "rename_speaker", "speaker": "SPEAKER_00", "name": "Dr. Ruiz"})
    [identity] = (await turns(client, job_id))["identities"]
    assert (identity["name"], identity["voiceprint_id"]) == ("Dr. Ruiz", None)


async def test_jobs_of_another_tenant_are_not_corrected(api: ApiFixture, tmp_path: Path) -> None:
    (tmp_path / "keys").write_text(line("default", "ours") + line("south", "theirs"))
    api.settings = api.settings.model_copy(update={"api_keys_file": tmp_path / "keys"})
    async with api.client(**bearer("ours")) as ours, api.client(**bearer("theirs")) as theirs:
        job_id = await job_of(api, ours)
        before = dict(api.recordings.objects)
        undo = {"operation": "undo"}
        assert_problem(await correct(theirs, job_id, 0, undo), 404, "job_not_found")
        assert_problem(await theirs.get(f"/v1/jobs/{job_id}/corrections"), 404, "job_not_found")
    assert api.recordings.objects == before
