"""Questions by voice, and what follows from an answer."""

from __future__ import annotations

from typing import Any

import httpx
import numpy as np
import pytest

from parley_api.corrections.redecision import decided_again, questions
from parley_api.corrections.voice_model import Voiced, at_once, noise_of
from parley_core.recording import voices_key
from parley_core.turn_voices import STEPS, TurnVoices
from tests.support.api_fixture import AUDIO, ENGINE, ApiFixture, assert_problem, succeed

pytestmark = pytest.mark.anyio

RAW = {"Content-Type": "audio/flac"}
PEOPLE = "ABABBAAB"  # who speaks in each turn
LABELS = "01010010"  # what the engine found: turns 5 and 7, 8 are wrong
FOUND = [
    {"start": 4.0 * n, "end": 4.0 * n + 3.5, "speaker": f"SPEAKER_0{label}", "confidence": 0.7}
    for n, label in enumerate(LABELS)
]

KNOWN = {"operation": "confirm_turns", "turns": ["1", "2"]}  # a turn of each speaker
FIFTH_IS_SECOND = {"operation": "reassign_turns", "turns": ["5"], "speaker": "SPEAKER_01"}

OVERLAPS = [{"start": 1.0, "end": 1.2}, {"start": 34.0, "end": 38.0}]


def turn(start: float, end: float, label: int) -> dict[str, object]:
    return {"start": start, "end": end, "speaker": f"SPEAKER_0{label}", "confidence": 0.7}


def voices(people: str, seed: int = 1) -> TurnVoices:
    """Return voices of turns in which these people speak."""
    source = np.random.default_rng(seed)
    means = np.linalg.qr(source.normal(size=(12, 12)))[0]
    vectors = np.array([0.85 * means["ABC".index(one)] for one in people]) + source.normal(size=(len(people), 12)) * 0.1
    unit = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    return TurnVoices(12, np.rint(unit * STEPS).astype(np.int8).tobytes(), bytes([35] * len(people)))


async def job_of(api: ApiFixture, client: httpx.AsyncClient, found: TurnVoices | None, *more: dict[str, object]) -> str:
    job_id = str((await client.post("/v1/jobs", content=AUDIO, headers=RAW)).json()["id"])
    turns = [*FOUND, *more]
    labels = sorted({str(turn["speaker"]) for turn in turns})
    succeed(
        api, job_id, turns=turns, exclusive_turns=FOUND, overlaps=OVERLAPS, speakers=labels, engine=ENGINE,
        recording={"sha256": "ab" * 32, "seconds": 40.0},
    )  # fmt: skip
    if found:
        key = next(key for key in api.sounds if key.endswith(".json") and job_id in key)
        api.recordings.put(voices_key(key), found.to_bytes())
    return job_id


async def answer(client: httpx.AsyncClient, job_id: str, *operations: dict[str, Any], **more: Any) -> dict[str, Any]:
    body = {"base_version": more.pop("base", 0), "author": "A. Weber", "operations": operations, **more}
    made = await client.post(f"/v1/jobs/{job_id}/corrections", json=body)
    assert made.status_code == 201, made.text
    correction: dict[str, Any] = made.json()
    return correction


async def labels_of(client: httpx.AsyncClient, job_id: str) -> str:
    document = (await client.get(f"/v1/jobs/{job_id}/turns", params={"format": "json"})).json()
    return "".join(turn["speaker"][-1] for turn in document["turns"])


async def test_an_answer_decides_the_rest_again_and_undo_takes_all_of_it_back(
    api: ApiFixture, client: httpx.AsyncClient
) -> None:
    job_id = await job_of(api, client, voices(PEOPLE))
    asked = (await client.get(f"/v1/jobs/{job_id}/corrections/questions")).json()
    assert (asked["version"], asked["by_voice"]) == (0, True)
    first = next(one["turn"] for one in asked["questions"] if one["kind"] == "speaker_of_turn")
    assert first in {"5", "7", "8"}, "the question is about a turn whose voice is another"
    right = "SPEAKER_00" if PEOPLE[int(first) - 1] == "A" else "SPEAKER_01"
    made = await answer(
        client, job_id, {"operation": "reassign_turns", "turns": [first], "speaker": right}, KNOWN, redecide=True
    )
    assert {one["turn"] for one in made["redecided"]} == {"5", "7", "8"} - {first}
    assert await labels_of(client, job_id) == PEOPLE.translate(str.maketrans("AB", "01"))
    await answer(client, job_id, {"operation": "undo"}, base=1)
    assert await labels_of(client, job_id) == LABELS


async def test_turns_that_a_person_has_given_never_change(api: ApiFixture, client: httpx.AsyncClient) -> None:
    job_id = await job_of(api, client, voices(PEOPLE))
    await answer(client, job_id, {"operation": "confirm_turns", "turns": ["7"]})
    made = await answer(
        client, job_id, {"operation": "reassign_turns", "turns": ["5"], "speaker": "SPEAKER_01"}, base=1, redecide=True
    )
    assert "7" not in {one["turn"] for one in made["redecided"]}
    assert (await labels_of(client, job_id))[6] == LABELS[6]


async def test_turns_move_only_to_speakers_of_whom_a_person_has_given_a_turn(
    api: ApiFixture, client: httpx.AsyncClient
) -> None:
    job_id = await job_of(api, client, voices(PEOPLE))
    made = await answer(client, job_id, FIFTH_IS_SECOND, redecide=True)
    assert {one["turn"]: one["speaker"] for one in made["redecided"]} == {"8": "SPEAKER_01"}


async def test_nobody_speaks_two_turns_at_once(api: ApiFixture, client: httpx.AsyncClient) -> None:
    """The last turn lies within the first one, whose voice is in it."""
    job_id = await job_of(api, client, voices(f"{PEOPLE}A"), turn(1.0, 2.0, 1))
    made = await answer(client, job_id, FIFTH_IS_SECOND, KNOWN, redecide=True)
    assert {one["turn"] for one in made["redecided"]} == {"7", "8"}


async def test_a_turn_that_is_spoken_over_moves_nothing_and_is_no_example(
    api: ApiFixture, client: httpx.AsyncClient
) -> None:
    job_id = await job_of(api, client, voices(f"{PEOPLE}AA"), turn(33.8, 36.0, 1), turn(36.0, 38.0, 2))
    made = await answer(client, job_id, FIFTH_IS_SECOND, KNOWN, redecide=True)
    assert {one["turn"] for one in made["redecided"]} == {"7", "8"}
    asked = (await client.get(f"/v1/jobs/{job_id}/corrections/questions")).json()["questions"]
    examples = {one["example"] for question in asked for one in question["candidates"]}
    assert examples & {"1", "2"}
    assert not examples & {"9", "10"}


async def test_a_turn_of_which_a_person_has_given_a_part_never_changes(
    api: ApiFixture, client: httpx.AsyncClient
) -> None:
    """The given turn becomes one with a longer turn of the speaker, and its voice is another one's."""
    job_id = await job_of(api, client, voices(f"{PEOPLE}AB"), turn(33.0, 34.0, 0), turn(33.5, 38.0, 1))
    given = {"operation": "reassign_turns", "turns": ["5", "9"], "speaker": "SPEAKER_01"}
    made = await answer(client, job_id, given, KNOWN, redecide=True)
    assert {one["turn"] for one in made["redecided"]} == {"7", "8"}
    shown = (await client.get(f"/v1/jobs/{job_id}/turns", params={"format": "json"})).json()["turns"]
    assert [shown[-1][name] for name in ("start", "end", "speaker")] == [33.0, 38.0, "SPEAKER_01"]


async def test_nothing_is_decided_again_unless_asked_for(api: ApiFixture, client: httpx.AsyncClient) -> None:
    job_id = await job_of(api, client, voices(PEOPLE))
    made = await answer(client, job_id, {"operation": "reassign_turns", "turns": ["5"], "speaker": "SPEAKER_01"})
    assert made["redecided"] == []


@pytest.mark.parametrize("operation", ["undo", "redo"])
async def test_what_is_brought_back_is_not_decided_again(
    api: ApiFixture, client: httpx.AsyncClient, operation: str
) -> None:
    job_id = await job_of(api, client, voices(PEOPLE))
    await answer(client, job_id, {"operation": "reassign_turns", "turns": ["5"], "speaker": "SPEAKER_01"})
    await answer(client, job_id, {"operation": "undo"}, base=1)
    body = {"base_version": 2, "author": "A. Weber", "operations": [{"operation": operation}], "redecide": True}
    refused = await client.post(f"/v1/jobs/{job_id}/corrections", json=body)
    assert "does not go with" in str(assert_problem(refused, 422, "invalid_option")["detail"])
    assert len((await client.get(f"/v1/jobs/{job_id}/corrections")).json()["corrections"]) == 2


async def test_a_result_without_voices_has_no_questions_and_takes_answers(
    api: ApiFixture, client: httpx.AsyncClient
) -> None:
    job_id = await job_of(api, client, None)
    asked = (await client.get(f"/v1/jobs/{job_id}/corrections/questions")).json()
    assert (asked["by_voice"], asked["questions"]) == (False, [])
    made = await answer(client, job_id, {"operation": "confirm_turns", "turns": ["5"]}, redecide=True)
    assert made["redecided"] == []


async def test_two_labels_of_one_person_are_asked_about(api: ApiFixture, client: httpx.AsyncClient) -> None:
    job_id = await job_of(api, client, voices("AAAAAAAA"))
    asked = (await client.get(f"/v1/jobs/{job_id}/corrections/questions")).json()["questions"]
    same = next(one for one in asked if one["kind"] == "same_person")
    (other,) = same["candidates"]
    assert {same["speaker"], other["speaker"]} == {"SPEAKER_00", "SPEAKER_01"}
    no = {"operation": "confirm_turns", "turns": [same["turn"], other["example"]]}
    await answer(client, job_id, no, redecide=True)
    asked = (await client.get(f"/v1/jobs/{job_id}/corrections/questions")).json()["questions"]
    assert "same_person" not in {one["kind"] for one in asked}, "a person has told them apart"


async def test_voices_go_with_their_job(api: ApiFixture, client: httpx.AsyncClient) -> None:
    job_id = await job_of(api, client, voices(PEOPLE))
    await client.delete(f"/v1/jobs/{job_id}")
    assert not [key for key in api.sounds if job_id in key and not key.startswith("tombstones/")]
    assert_problem(await client.get(f"/v1/jobs/{job_id}/corrections/questions"), 410, "job_purged")


def test_of_an_hour_more_is_right_after_a_few_answers() -> None:
    source = np.random.default_rng(2)
    people = source.integers(0, 6, 800)
    vectors = source.normal(size=(6, 48))[people] + source.normal(size=(800, 48)) * 0.5
    unit = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    found = np.where(source.random(800) < 0.2, source.integers(0, 6, 800), people)
    seconds, confidence, given = np.full(800, 3.0), np.full(800, 0.8), np.arange(800) < 5
    start = np.arange(800) * 4.0
    apart = at_once(start, start + seconds)
    turns = Voiced(unit, noise_of(seconds), seconds > 0, seconds, confidence, found, found.copy(), given, 6, apart)
    after = decided_again(turns)
    assert (after.speaker == people)[~given].mean() > (found == people)[~given].mean()
    assert (after.speaker[given] == found[given]).all()
    assert questions(turns)[0].seconds > 0
