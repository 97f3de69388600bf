"""Enrolling voices, and how they name the speakers of recordings until they are deleted."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest
import structlog

from parley_api.intake.json_body import MAX_BYTES
from tests.support.api_fixture import (
    ANSWERED_TURNS,
    AUDIO,
    CONSENT,
    TURN,
    ApiFixture,
    assert_problem,
    fail,
    form,
    succeed,
)
from tests.support.fakes import MemoryVoiceprintStore
from tests.unit.api.test_access import bearer, line

pytestmark = pytest.mark.anyio

MODEL = "knowing/abc"
WEBER, OKAFOR, NOBODY = [1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]
UNKNOWN_ID = "00000000-0000-4000-8000-000000000000"


async def submit(client: httpx.AsyncClient, **options: str) -> str:
    response = await client.post("/v1/jobs", content=AUDIO, headers={"Content-Type": "audio/flac"}, params=options)
    assert response.status_code == 202, response.text
    return str(response.json()["id"])


async def heard(api: ApiFixture, client: httpx.AsyncClient, *vectors: list[float], model: str = MODEL) -> str:
    """Return a job that has succeeded, with these speakers."""
    job_id = await submit(client, speaker_embeddings="true")
    labels = [f"SPEAKER_{number:02d}" for number in range(len(vectors))]
    succeed(
        api, job_id, speakers=labels, speaker_embeddings=dict(zip(labels, vectors, strict=True)), embedding_model=model
    )
    return job_id


def asking(job: str, **more: object) -> dict[str, object]:
    whole = {"name": "Dr. Weber", "role": "clinician", "job_id": job, "speaker": "SPEAKER_00", "consent": CONSENT}
    return whole | more


async def enrolled(api: ApiFixture, client: httpx.AsyncClient, vector: list[float], **more: object) -> dict[str, Any]:
    response = await client.post("/v1/voiceprints", json=asking(await heard(api, client, vector), **more))
    assert response.status_code == 201, response.text
    voice: dict[str, Any] = response.json()
    return voice


async def people_of(client: httpx.AsyncClient, job_id: str) -> list[dict[str, Any]]:
    people: list[dict[str, Any]] = (await client.get(f"/v1/jobs/{job_id}/turns")).json()["identities"]
    return people


async def test_a_speaker_is_enrolled_and_its_vector_never_shown(api: ApiFixture, client: httpx.AsyncClient) -> None:
    response = await client.post("/v1/voiceprints", json=asking(await heard(api, client, [0.6, 0.8, 0.0])))
    assert response.status_code == 201
    voice = response.json()
    assert set(voice) == {"id", "name", "role", "enrolled_at", "model", "consent"}
    assert voice["consent"] == CONSENT
    assert (voice["name"], voice["role"], voice["model"]) == ("Dr. Weber", "clinician", MODEL)
    assert abs((datetime.fromisoformat(voice["enrolled_at"]) - datetime.now(UTC)).total_seconds()) < 60
    assert response.headers["location"] == f"/v1/voiceprints/{voice['id']}"
    assert (await client.get(response.headers["location"])).json() == voice
    assert (await client.get("/v1/voiceprints")).json() == {"voiceprints": [voice]}


async def test_an_enrolled_voice_is_found_in_earlier_and_later_jobs_until_it_is_deleted(
    api: ApiFixture, client: httpx.AsyncClient
) -> None:
    before = await heard(api, client, NOBODY, WEBER)
    voice = await enrolled(api, client, [0.8, 0.0, 0.6])
    after = await heard(api, client, WEBER, OKAFOR, NOBODY)
    unknown = {"name": None, "similarity": None, "voiceprint_id": None, "role": None}
    weber = {"name": "Dr. Weber", "similarity": 0.8, "voiceprint_id": voice["id"], "role": "clinician"}
    assert await people_of(client, before) == [
        {"speaker": "SPEAKER_00", **unknown, "role": "patient"},
        {"speaker": "SPEAKER_01", **weber},
    ]
    assert (await people_of(client, after))[0] == {"speaker": "SPEAKER_00", **weber}
    receipt = (await client.delete(f"/v1/voiceprints/{voice['id']}")).json()
    assert (receipt["voiceprint_id"], receipt["removed"]) == (voice["id"], ["name", "role", "vector"])
    for job_id in (before, after):
        assert all(person | unknown == person for person in await people_of(client, job_id))
    assert_problem(await client.get(f"/v1/voiceprints/{voice['id']}"), 404, "voiceprint_not_found")
    assert_problem(await client.delete(f"/v1/voiceprints/{voice['id']}"), 404, "voiceprint_not_found")


async def test_a_voice_outlives_the_job_it_was_enrolled_from(api: ApiFixture, client: httpx.AsyncClient) -> None:
    enrolment = await heard(api, client, WEBER)
    await client.post("/v1/voiceprints", json=asking(enrolment))
    assert (await client.delete(f"/v1/jobs/{enrolment}")).status_code == 200
    assert [person["name"] for person in await people_of(client, await heard(api, client, WEBER))] == ["Dr. Weber"]


async def test_vectors_are_purged_with_their_job(api: ApiFixture, client: httpx.AsyncClient) -> None:
    job_id = await heard(api, client, [0.123456, 0.5, 0.5])
    assert any(b"0.123456" in stored for stored in api.sounds.values())
    await client.delete(f"/v1/jobs/{job_id}")
    assert not api.sounds


async def test_voices_of_another_model_are_not_compared(api: ApiFixture, client: httpx.AsyncClient) -> None:
    await enrolled(api, client, WEBER)
    other = await heard(api, client, WEBER, model="knowing/def")
    assert [person["name"] for person in await people_of(client, other)] == [None]


async def test_vectors_come_only_where_they_are_asked_for(api: ApiFixture, client: httpx.AsyncClient) -> None:
    job_id = await heard(api, client, WEBER)
    plain = (await client.get(f"/v1/jobs/{job_id}/turns")).json()
    assert not {"speaker_embeddings", "embedding_model", "roles"} & set(plain)
    asked = (await client.get(f"/v1/jobs/{job_id}/turns", params={"embeddings": "true"})).json()
    assert asked == plain | {"speaker_embeddings": {"SPEAKER_00": WEBER}, "embedding_model": MODEL}
    rttm = await client.get(f"/v1/jobs/{job_id}/turns", params={"embeddings": "true", "format": "rttm"})
    assert_problem(rttm, 422, "invalid_option")
    without = await submit(client)
    succeed(api, without)
    refused = await client.get(f"/v1/jobs/{without}/turns", params={"embeddings": "true"})
    assert "speaker_embeddings=true" in str(assert_problem(refused, 409, "speaker_embeddings_not_kept")["detail"])


async def test_a_job_that_asked_for_nothing_answers_as_ever(api: ApiFixture, client: httpx.AsyncClient) -> None:
    job_id = await submit(client)
    result = succeed(api, job_id)
    api.voiceprints.available = False
    assert (await client.get(f"/v1/jobs/{job_id}/turns")).json() == result | ANSWERED_TURNS


async def test_labels_stay_in_rttm(api: ApiFixture, client: httpx.AsyncClient) -> None:
    await enrolled(api, client, WEBER)
    job_id = await heard(api, client, WEBER)
    rttm = (await client.get(f"/v1/jobs/{job_id}/turns", params={"format": "rttm"})).text
    assert rttm.split()[7] == TURN["speaker"]


async def test_named_channels_give_roles_without_any_voice(api: ApiFixture, client: httpx.AsyncClient) -> None:
    api.probe.channels = 2
    job_id = await submit(client, channels="clinician,patient")
    assert (await client.get(f"/v1/jobs/{job_id}")).json()["channels"] == ["clinician", "patient"]
    succeed(api, job_id, speakers=["SPEAKER_00", "SPEAKER_01"], roles={"SPEAKER_01": "clinician"})
    assert [person["role"] for person in await people_of(client, job_id)] == [None, "clinician"]


@pytest.mark.parametrize("channels", [1, 3])
async def test_more_or_fewer_channels_than_the_recording_has_are_refused(
    api: ApiFixture, client: httpx.AsyncClient, channels: int
) -> None:
    api.probe.channels = channels
    for body, headers in (
        (AUDIO, {"Content-Type": "audio/flac"}),
        form(("audio", AUDIO), ("channels", b"clinician,patient")),
    ):
        query = {"channels": "clinician,patient"} if body is AUDIO else {}
        response = await client.post("/v1/jobs", content=body, headers=headers, params=query)
        assert f"has {channels}" in str(assert_problem(response, 422, "invalid_option")["detail"])
    assert api.empty()


WRONG_OPTIONS = [
    ("speaker_embeddings", ""), ("speaker_embeddings", "1"), ("speaker_embeddings", "on"),
    ("speaker_embeddings", "yes"), ("channels", ""), ("channels", "clinician"),
    ("channels", "clinician,"), ("channels", "clinician,doctor"), ("channels", "clinician, patient"),
    ("channels", "Clinician,Patient"), ("channels", ",".join(["other"] * 9)), ("channels", "," * 500),
    ("channels", "clinician\u0000,patient"),
]  # fmt: skip


@pytest.mark.parametrize(("name", "value"), WRONG_OPTIONS)
async def test_wrong_options_are_refused_before_the_recording_is_stored(
    api: ApiFixture, client: httpx.AsyncClient, name: str, value: str
) -> None:
    api.probe.channels = 2
    response = await client.post(
        "/v1/jobs", content=AUDIO, headers={"Content-Type": "audio/flac"}, params={name: value}
    )
    assert_problem(response, 422, "invalid_option")
    assert api.empty()


async def test_an_idempotency_key_stands_for_the_new_options_too(api: ApiFixture, client: httpx.AsyncClient) -> None:
    headers = {"Content-Type": "audio/flac", "Idempotency-Key": "key-1"}
    first = await client.post("/v1/jobs", content=AUDIO, headers=headers, params={"speaker_embeddings": "true"})
    again = await client.post("/v1/jobs", content=AUDIO, headers=headers, params={"speaker_embeddings": "true"})
    assert again.json()["id"] == first.json()["id"]
    other = await client.post("/v1/jobs", content=AUDIO, headers=headers)
    assert_problem(other, 422, "idempotency_key_reused")


async def test_a_consult_tells_its_people(api: ApiFixture, client: httpx.AsyncClient) -> None:
    await enrolled(api, client, WEBER)
    body, headers = form(("audio", AUDIO), ("speaker_embeddings", b"true"))
    session = {"X-Session-ID": "session-7"}
    url = "/api/workflows/aurity/consult"
    job_id = (await client.post(url, content=body, headers=headers | session)).json()["job_id"]
    assert (await client.get(f"{url}/{job_id}", headers=session)).json()["identities"] is None
    labels = ["SPEAKER_00", "SPEAKER_01"]
    succeed(
        api,
        job_id,
        speakers=labels,
        speaker_embeddings=dict(zip(labels, [OKAFOR, WEBER], strict=True)),
        embedding_model=MODEL,
    )
    seen = (await client.get(f"{url}/{job_id}", headers=session)).json()
    assert [(person["name"], person["role"]) for person in seen["identities"]] == [
        (None, "patient"),
        ("Dr. Weber", "clinician"),
    ]
    assert "speaker_embeddings" not in seen


async def test_what_cannot_be_enrolled_says_what_to_do(api: ApiFixture, client: httpx.AsyncClient) -> None:
    async def enrol(**asked: object) -> httpx.Response:
        return await client.post("/v1/voiceprints", json=asking("", **asked))

    assert_problem(await enrol(job_id=UNKNOWN_ID), 404, "job_not_found")
    without = await submit(client)
    succeed(api, without)
    assert "speaker_embeddings=true" in str(
        assert_problem(await enrol(job_id=without), 409, "speaker_embeddings_not_kept")["detail"]
    )
    unfinished = await submit(client, speaker_embeddings="true")
    assert_problem(await enrol(job_id=unfinished), 409, "job_not_finished")
    fail(api, unfinished)
    assert_problem(await enrol(job_id=unfinished), 409, "job_not_succeeded")
    job_id = await submit(client, speaker_embeddings="true")
    succeed(
        api,
        job_id,
        speakers=["SPEAKER_00", "SPEAKER_01"],
        speaker_embeddings={"SPEAKER_00": WEBER},
        embedding_model=MODEL,
    )
    assert_problem(await enrol(job_id=job_id, speaker="SPEAKER_07"), 422, "unknown_speaker")
    assert_problem(await enrol(job_id=job_id, speaker="SPEAKER_01"), 422, "speaker_without_embedding")
    assert (await client.get("/v1/voiceprints")).json() == {"voiceprints": []}
    await client.delete(f"/v1/jobs/{job_id}")
    assert_problem(await enrol(job_id=job_id), 410, "job_purged")


async def test_an_operator_may_keep_consents_elsewhere(api: ApiFixture) -> None:
    api.settings = api.settings.model_copy(update={"voiceprint_consent_required": False})
    async with api.client() as client:
        voice = await enrolled(api, client, WEBER, consent=None)
        assert voice["consent"] is None
        assert (await client.get("/v1/voiceprints")).json() == {"voiceprints": [voice]}


async def test_a_voice_names_nobody_after_its_consent_has_ended(api: ApiFixture) -> None:
    moment = datetime.now(UTC)
    api.voiceprints = MemoryVoiceprintStore(now=lambda: moment)
    async with api.client() as client:
        voice = await enrolled(api, client, WEBER)
        job_id = await heard(api, client, WEBER)
        assert [person["name"] for person in await people_of(client, job_id)] == ["Dr. Weber"]
        moment = datetime.fromisoformat(str(CONSENT["until"]))
        assert [person["name"] for person in await people_of(client, job_id)] == [None]
        assert (await client.get("/v1/voiceprints")).json() == {"voiceprints": []}
        assert_problem(await client.get(f"/v1/voiceprints/{voice['id']}"), 404, "voiceprint_not_found")


async def test_a_name_is_enrolled_once_and_so_many_voices_at_most(api: ApiFixture, client: httpx.AsyncClient) -> None:
    api.voiceprints = MemoryVoiceprintStore(voiceprints_per_tenant=2)
    async with api.client() as small:
        job_id = await heard(api, small, WEBER)
        assert (await small.post("/v1/voiceprints", json=asking(job_id))).status_code == 201
        assert_problem(
            await small.post("/v1/voiceprints", json=asking(job_id, name="DR. WEBER")), 409, "voiceprint_name_taken"
        )
        assert (await small.post("/v1/voiceprints", json=asking(job_id, name="Other"))).status_code == 201
        third = await small.post("/v1/voiceprints", json=asking(job_id, name="Third"))
        assert "2 voices" in str(assert_problem(third, 409, "too_many_voiceprints")["detail"])


@pytest.mark.parametrize(
    ("wrong", "code"),
    [
        ({"name": ""}, "invalid_option"),
        ({"name": " Weber"}, "invalid_option"),
        ({"name": "W\x1b[2J"}, "invalid_option"),
        ({"name": "W" * 201}, "invalid_option"),
        ({"name": 7}, "invalid_option"),
        ({"role": "other"}, "invalid_option"),
        ({"role": "nurse"}, "invalid_option"),
        ({"speaker": None}, "invalid_option"),
        ({"speaker": "S" * 65}, "invalid_option"),
        ({"vector": [1]}, "unknown_option"),
        ({"consent": None}, "consent_required"),
        ({"consent": CONSENT | {"until": "2026-01-03T00:00:00Z"}}, "invalid_option"),
        ({"consent": CONSENT | {"until": "2400-01-01T00:00:00"}}, "invalid_option"),
        ({"consent": CONSENT | {"until": 99_999_999_999}}, "invalid_option"),
        ({"consent": CONSENT | {"until": None}}, "invalid_option"),
        ({"consent": CONSENT | {"given_at": "2390-01-01T00:00:00Z"}}, "invalid_option"),
        ({"consent": CONSENT | {"until": "9999-12-31T23:59:59-05:00"}}, "invalid_option"),
        ({"consent": CONSENT | {"given_at": "0001-01-01T00:00:00+05:00"}}, "invalid_option"),
        ({"consent": CONSENT | {"given_by": " "}}, "invalid_option"),
        ({"consent": CONSENT | {"purpose": ""}}, "invalid_option"),
        ({"consent": CONSENT | {"vector": 1}}, "unknown_option"),
    ],
)
async def test_wrong_bodies_are_refused(
    api: ApiFixture, client: httpx.AsyncClient, wrong: dict[str, object], code: str
) -> None:
    job_id = await heard(api, client, WEBER)
    assert_problem(await client.post("/v1/voiceprints", json=asking(job_id, **wrong)), 422, code)


async def test_bodies_that_are_no_honest_json_are_refused(client: httpx.AsyncClient) -> None:
    json_type = {"Content-Type": "application/json"}
    for broken in (b"", b"{", b"[]", b"\xff\xfe", b'"name"'):
        assert_problem(await client.post("/v1/voiceprints", content=broken, headers=json_type), 422, "invalid_option")
    large = json.dumps(asking(UNKNOWN_ID, name="W" * MAX_BYTES)).encode()
    assert_problem(await client.post("/v1/voiceprints", content=large, headers=json_type), 413, "body_too_large")
    text = {"Content-Type": "text/plain"}
    response = await client.post("/v1/voiceprints", content=json.dumps(asking(UNKNOWN_ID)), headers=text)
    assert_problem(response, 415, "unsupported_media_type")


@pytest.mark.parametrize("voiceprint_id", [UNKNOWN_ID, "none", "..%2f..", "ü" * 400])
async def test_unknown_and_impossible_voices_are_not_found(client: httpx.AsyncClient, voiceprint_id: str) -> None:
    for method in ("GET", "DELETE"):
        response = await client.request(method, f"/v1/voiceprints/{voiceprint_id}")
        assert response.status_code == 404
        assert response.headers["content-type"] == "application/problem+json"


async def test_one_tenants_voices_are_nobody_elses(api: ApiFixture, tmp_path: Path) -> None:
    (tmp_path / "keys").write_text(line("north", "n") + line("south", "s"))
    api.settings = api.settings.model_copy(update={"api_keys_file": tmp_path / "keys"})
    async with api.client(**bearer("n")) as north, api.client(**bearer("s")) as south:
        theirs = await heard(api, north, WEBER)
        voice = (await north.post("/v1/voiceprints", json=asking(theirs))).json()
        assert (await south.get("/v1/voiceprints")).json() == {"voiceprints": []}
        assert_problem(await south.get(f"/v1/voiceprints/{voice['id']}"), 404, "voiceprint_not_found")
        assert_problem(await south.delete(f"/v1/voiceprints/{voice['id']}"), 404, "voiceprint_not_found")
        assert_problem(await south.post("/v1/voiceprints", json=asking(theirs)), 404, "job_not_found")
        own = await heard(api, south, WEBER)
        assert [person["name"] for person in await people_of(south, own)] == [None]
        assert (await south.post("/v1/voiceprints", json=asking(own))).status_code == 201


async def test_neither_vector_nor_name_is_logged(api: ApiFixture, client: httpx.AsyncClient) -> None:
    with structlog.testing.capture_logs() as logs:
        voice = await enrolled(api, client, [0.424242, 0.5, 0.5])
        await people_of(client, await heard(api, client, [0.424242, 0.5, 0.5]))
        await client.delete(f"/v1/voiceprints/{voice['id']}")
    assert {"voiceprint enrolled", "voiceprint deleted"} <= {entry["event"] for entry in logs}
    assert not any(secret in str(logs) for secret in ("424242", "Weber"))


async def test_with_the_voice_store_down_nobody_is_called_unknown(api: ApiFixture, client: httpx.AsyncClient) -> None:
    job_id = await heard(api, client, WEBER)
    api.voiceprints.available = False
    assert_problem(await client.get(f"/v1/jobs/{job_id}/turns"), 503, "job_store_unavailable")
    assert_problem(await client.get("/v1/voiceprints"), 503, "job_store_unavailable")
