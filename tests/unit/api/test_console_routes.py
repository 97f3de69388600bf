"""The page, its files and the picture, as the API serves them."""

from __future__ import annotations

import re
from pathlib import PurePosixPath
from uuid import uuid4

import httpx
import pytest

from parley_console import CONTENT_SECURITY_POLICY, FILES
from parley_console.image import png_of
from parley_core.recording import peaks_key
from tests.support.api_fixture import AUDIO, ApiFixture, assert_problem, fail, succeed

pytestmark = pytest.mark.anyio
RAW = {"Content-Type": "audio/flac"}


async def submitted(client: httpx.AsyncClient) -> str:
    return str((await client.post("/v1/jobs", content=AUDIO, headers=RAW)).json()["id"])


async def test_both_paths_are_the_page(client: httpx.AsyncClient) -> None:
    start = await client.get("/")
    assert start.headers["content-type"] == "text/html; charset=utf-8"
    assert (await client.get(f"/v1/jobs/{uuid4()}/timeline")).text == start.text


async def test_the_page_allows_nothing_inline_and_nothing_foreign(client: httpx.AsyncClient) -> None:
    response = await client.get("/")
    policy = dict(rule.partition(" ")[::2] for rule in response.headers["content-security-policy"].split("; "))
    assert policy["default-src"] == "'none'"
    assert policy["script-src"] == policy["style-src"] == policy["connect-src"] == "'self'"
    assert "unsafe" not in CONTENT_SECURITY_POLICY
    assert not re.search(r"<script>|<style|style=|\son\w+=|//[a-z]", response.text)


async def test_every_file_that_the_page_names_is_served(client: httpx.AsyncClient) -> None:
    page = (await client.get("/")).text
    for path in re.findall(r'(?:src|href)="(/console/[^"]+)"', page):
        response = await client.get(path)
        assert response.status_code == 200, path
        assert response.headers["cache-control"] == "no-cache"


async def test_every_import_of_a_script_is_a_file() -> None:
    for script in FILES.rglob("*.js"):
        for name in re.findall(r'^import .* from "(.+)";$', script.read_text(), re.MULTILINE):
            assert (script.parent / PurePosixPath(name)).resolve().is_file(), (script, name)


async def test_the_peaks_are_those_beside_the_result(api: ApiFixture, client: httpx.AsyncClient) -> None:
    job_id = await submitted(client)
    assert_problem(await client.get(f"/v1/jobs/{job_id}/peaks"), 409, "job_not_finished")
    succeed(api, job_id)
    assert_problem(await client.get(f"/v1/jobs/{job_id}/peaks"), 404, "peaks_not_kept")
    result = api.store.get(job_id).result
    assert result is not None
    api.recordings.put(peaks_key(result.key), b"peaks")
    answer = await client.get(f"/v1/jobs/{job_id}/peaks")
    assert (answer.content, answer.headers["cache-control"]) == (b"peaks", "no-store")


async def test_peaks_go_with_the_job(api: ApiFixture, client: httpx.AsyncClient) -> None:
    job_id = await submitted(client)
    succeed(api, job_id)
    result = api.store.get(job_id).result
    assert result is not None
    api.recordings.put(peaks_key(result.key), b"peaks")
    await client.delete(f"/v1/jobs/{job_id}")
    assert api.sounds == {}


async def test_the_picture_is_the_result(api: ApiFixture, client: httpx.AsyncClient) -> None:
    job_id = await submitted(client)
    succeed(api, job_id)
    picture = await client.get(f"/v1/jobs/{job_id}/timeline.svg")
    assert picture.headers["content-type"] == "image/svg+xml"
    assert "SPEAKER_00" in picture.text
    image = await client.get(f"/v1/jobs/{job_id}/timeline.png")
    assert (image.headers["content-type"], image.headers["result-version"]) == ("image/png", "0")
    assert image.content == png_of(picture.text)


async def test_a_job_without_turns_has_no_picture(api: ApiFixture, client: httpx.AsyncClient) -> None:
    job_id = await submitted(client)
    for ending in ("svg", "png"):
        answer = await client.get(f"/v1/jobs/{job_id}/timeline.{ending}")
        assert_problem(answer, 409, "job_not_finished")
    fail(api, job_id)
    assert_problem(await client.get(f"/v1/jobs/{job_id}/timeline.svg"), 409, "job_not_succeeded")
