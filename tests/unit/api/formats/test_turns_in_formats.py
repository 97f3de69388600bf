"""The choice of a format, over HTTP."""

from __future__ import annotations

from typing import Any, get_args

import httpx
import pytest

from parley_api.formats import BY_NAME, FORMATS, shown_names
from parley_api.formats.choice import negotiated
from parley_api.http.errors import NotAcceptable
from parley_api.schemas.queries import FormatName
from parley_api.speaker_identification import SpeakerIdentity
from tests.support.api_fixture import AUDIO, ApiFixture, assert_problem, succeed

pytestmark = pytest.mark.anyio

RAW = {"Content-Type": "audio/flac"}


async def job_id_of(api: ApiFixture, client: httpx.AsyncClient, **query: str) -> str:
    job: dict[str, Any] = (await client.post("/v1/jobs", content=AUDIO, headers=RAW, params=query)).json()
    succeed(api, job["id"])
    return str(job["id"])


CHOICES = [
    ("text/x-rttm", "rttm"),
    ("text/plain", "txt"),
    ("text/*", "txt"),
    ("text/*, text/plain;q=0.2", "md"),
    ("text/vtt;q=0.5, application/x-subrip;q=0.8", "srt"),
    ("TEXT/CSV", "csv"),
    ("application/json;q=0.1, text/vtt", "vtt"),
    ("application/pdf, text/x-eaf+xml", "eaf"),
    ("*/*;q=1, application/json;q=0", "txt"),
    ("application/json;q=0.5, */*;q=0.1", "json"),
    ("text/vtt;q=2, text/csv;q=0.001", "csv"),
    ("text/vtt;q=nan, text/csv;q=0.001", "csv"),
    ("", "json"),
]


@pytest.mark.parametrize(("accept", "name"), CHOICES)
def test_the_preferred_format_is_chosen(accept: str, name: str) -> None:
    assert negotiated(accept).name == name


@pytest.mark.parametrize("accept", ["application/pdf", "*/*;q=0", "text/vtt;q=-1", "audio/*"])
def test_no_format_is_acceptable(accept: str) -> None:
    with pytest.raises(NotAcceptable):
        negotiated(accept)


def test_the_query_knows_every_format() -> None:
    assert get_args(FormatName) == tuple(BY_NAME)
    assert len({one.media_type for one in FORMATS}) == len({one.extension for one in FORMATS}) == len(FORMATS)


@pytest.mark.parametrize("chosen", [one for one in FORMATS if one.write], ids=lambda one: one.name)
async def test_query_and_accept_give_the_same_file(api: ApiFixture, client: httpx.AsyncClient, chosen: Any) -> None:
    job_id = await job_id_of(api, client, file_name="visit 4711.flac")
    url = f"/v1/jobs/{job_id}/turns"
    by_query = await client.get(url, params={"format": chosen.name})
    by_accept = await client.get(url, headers={"Accept": chosen.media_type})
    assert by_query.text == by_accept.text
    assert "SPEAKER_00" in by_query.text.replace("\\", "")
    assert by_accept.headers["content-type"].partition(";")[0] == chosen.media_type
    assert by_query.headers["content-disposition"] == f"attachment; filename*=UTF-8''visit%204711.{chosen.extension}"
    assert by_query.headers["vary"] == "Accept"


async def test_a_recording_without_a_name_gives_files_named_by_the_job(
    api: ApiFixture, client: httpx.AsyncClient
) -> None:
    job_id = await job_id_of(api, client)
    response = await client.get(f"/v1/jobs/{job_id}/turns", params={"format": "srt"})
    assert response.headers["content-disposition"] == f'attachment; filename="{job_id}.srt"'


async def test_speakers_are_no_choice_for_json(api: ApiFixture, client: httpx.AsyncClient) -> None:
    job_id = await job_id_of(api, client)
    response = await client.get(f"/v1/jobs/{job_id}/turns", params={"speakers": "labels"})
    assert_problem(response, 422, "invalid_option")


def test_names_stay_distinct() -> None:
    labels = ["SPEAKER_00", "SPEAKER_01", "SPEAKER_02", "SPEAKER_03"]
    identities = [
        SpeakerIdentity("SPEAKER_00", "Kim"),
        SpeakerIdentity("SPEAKER_01", "Kim"),
        SpeakerIdentity("SPEAKER_02", "SPEAKER_03"),
    ]
    assert shown_names(labels, identities) == {
        "SPEAKER_00": "Kim (SPEAKER_00)",
        "SPEAKER_01": "Kim (SPEAKER_01)",
        "SPEAKER_02": "SPEAKER_03 (SPEAKER_02)",
        "SPEAKER_03": "SPEAKER_03",
    }
