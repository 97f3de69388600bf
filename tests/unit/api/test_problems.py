"""Errors as problems: one table, plain sentences, no wording of a library."""

from __future__ import annotations

import re
from typing import Any

import httpx
import pytest

from parley_api.http import validation
from parley_api.http.attempt_kinds import ATTEMPT_KINDS
from parley_api.http.problem_kinds import KINDS
from parley_api.http.problems import from_error
from parley_api.runtime.record_metrics import ENDS_ATTEMPTS
from parley_core import errors
from parley_core.errors import AttemptEnded, ParleyError, RecordingError
from tests.support.api_fixture import AUDIO, ApiFixture, assert_problem, form, in_chunks
from tools.reference import pages

pytestmark = pytest.mark.anyio


async def test_nowhere_is_a_problem(client: httpx.AsyncClient) -> None:
    assert_problem(await client.get("/nowhere"), 404, "not_found")
    assert_problem(await client.get("/v1/jobs/"), 404, "not_found")
    assert_problem(await client.get("/docs/nothing.js"), 404, "not_found")


async def test_a_wrong_method_is_a_problem_that_names_the_right_ones(client: httpx.AsyncClient) -> None:
    response = await client.put("/v1/queues")
    assert_problem(response, 405, "method_not_allowed")
    assert response.headers["allow"] == "GET"
    assert (await client.put("/v1/jobs/x")).headers["allow"] == "DELETE, GET"
    assert (await client.put("/docs")).headers["allow"] == "GET"
    assert_problem(await client.post("/docs/swagger-ui.css"), 405, "method_not_allowed")


def every(kind: type[ParleyError]) -> set[type[ParleyError]]:
    return {kind, *(found for child in kind.__subclasses__() for found in every(child))}


NOT_OVER_HTTP = every(AttemptEnded) | {
    ParleyError,
    errors.PermanentError,
    errors.RetryableError,
    RecordingError,
    errors.UnsafeSettings,
    errors.UnsafeTarget,
    errors.EngineMismatch,
    errors.EngineError,
    errors.WorkerLost,
    errors.AttemptTimedOut,
    errors.RecogniserRefused,
    errors.RecogniserUnavailable,
    errors.TranscriptionTimedOut,
    errors.UnusableTranscription,
}


def test_every_error_that_a_request_can_meet_has_a_row_in_the_table() -> None:
    ours = {kind for kind in every(ParleyError) if kind.__module__.startswith(("parley_core", "parley_api"))}
    assert {kind.code for kind in ours - NOT_OVER_HTTP} <= set(KINDS)


def test_every_error_that_an_attempt_can_end_with_has_a_meaning() -> None:
    ends = {kind.code for kind in (*ENDS_ATTEMPTS, errors.JobCancelled)}
    assert ends <= set(ATTEMPT_KINDS) | {kind.code for kind in RecordingError.__subclasses__()}


def test_only_what_can_succeed_later_says_when() -> None:
    for code, kind in KINDS.items():
        retryable = kind.status in (408, 424, 429, 503) or code == errors.IdempotencyKeyInUse.code
        assert (kind.retry_after is not None) == retryable, code


def test_the_table_speaks_in_sentences() -> None:
    for code, kind in KINDS.items():
        assert re.fullmatch(r"[a-z_]+", code)
        assert len(kind.title) <= 30
        assert not kind.title.endswith(".")
        for text in (kind.meaning, kind.action):
            assert re.fullmatch(r"[A-Z`].*\.", text), text


def test_an_error_without_a_row_is_the_servers_fault() -> None:
    assert from_error(errors.EngineMismatch("other weights")).status_code == 500


def test_the_reference_page_is_in_step_with_the_table() -> None:
    assert pages.path("errors").read_text() == pages.render("errors")


ID = "00000000-0000-4000-8000-000000000000"
RAW = {"Content-Type": "audio/flac"}
JSON = {"Content-Type": "application/json"}
CONSULT = "/api/workflows/aurity/consult"
ENROL = {"name": "Dr. Weber", "role": "clinician", "job_id": ID, "speaker": "SPEAKER_00"}
OPTIONS = (
    *("num_speakers", "min_speakers", "max_speakers", "queue", "retain_seconds", "retain_audio_seconds"),
    *("speaker_embeddings", "channels"),
)
VALUES = ("", " ", "0", "-1", "1.5", "9" * 30, "x" * 300, "nan", "a\nb", "\u0662", "None", "true,", "clinician,doctor")
QUERIES: list[tuple[str, str, dict[str, Any]]] = [
    *[("POST", "/v1/jobs", {name: value}) for name in (*OPTIONS, "reference") for value in VALUES],
    ("POST", "/v1/jobs", {"min_speakers": "3", "max_speakers": "2"}),
    ("POST", "/v1/jobs", {"num_speakers": "3", "max_speakers": "2"}),
    ("POST", "/v1/jobs", {"callback_url": "https://example.org"}),
    ("POST", "/v1/jobs", {"speakers": "2"}),
    ("POST", "/v1/jobs", {"queue": ["batch", "batch"]}),
    *[
        ("GET", "/v1/jobs", {name: value})
        for name in ("state", "queue", "limit", "cursor", "reference", "order")
        for value in VALUES
    ],
    *[("GET", "/v1/jobs/{job}", {"wait": value}) for value in VALUES],
    *[("GET", "/v1/jobs/{job}/turns", {name: value}) for name in ("format", "embeddings") for value in VALUES],
    *[("POST", f"/v1/jobs/{{job}}/{call}", {"force": "1"}) for call in ("cancel", "retry")],
    ("DELETE", "/v1/jobs/{job}", {"force": "1"}),
    ("GET", "/v1/queues", {"queue": "batch"}),
    *[("GET", "/v1/usage", {name: value}) for name in ("first", "last", "tenant") for value in VALUES],
    ("GET", "/v1/usage", {"first": "2025-11-02", "last": "2025-11-01"}),
    ("GET", "/v1/usage", {"first": "0001-01-01", "last": "9999-12-31"}),
    ("GET", "/readyz", {"degraded": "maybe"}),
    ("GET", "/v1/voiceprints", {"limit": "1"}),
]
BODIES: list[bytes | dict[str, Any]] = [
    b"", b"{", b"[]", b"7", b'"name"', b"null", b"\xff\xfe", b'{"name": NaN}', {}, ENROL | {"vector": [1]},
    *[ENROL | {name: value} for name in ENROL for value in ("", " x", "W\x1b[2J", "W" * 300, 7, None, True, [1], {})],
    ENROL | {"role": "other"},
]  # fmt: skip
FORMS = [
    form(("audio", b"")), form(), form(("num_speakers", b"2")), form(("file", AUDIO), file="file"),
    form(("audio", AUDIO), ("audio", AUDIO)), form(("queue", b"batch"), ("queue", b"batch"), ("audio", AUDIO)),
    form(("speakers", b"2"), ("audio", AUDIO)), form(("reference", b"x" * 5000), ("audio", AUDIO)),
    form(("reference", b"\xff"), ("audio", AUDIO)), form(("audio", AUDIO), ("num_speakers", b"many")),
    (form(("audio", AUDIO))[0][:500], form()[1]), (b"nothing", {"Content-Type": "multipart/form-data"}),
]  # fmt: skip
FOREIGN = re.compile(
    r"Value error|Input |Extra inputs|[Ff]ield required|unable to parse|should (be|have|match)|valid (string|integer)|"
    r"pydantic|<\w+\.|Error\(|Traceback|NoneType|\bdict\b|\bint\b|\bstr\b|loc\b|Expecting value|EOF while"
)


def assert_plain(response: httpx.Response) -> None:
    """The problem says what is wrong in sentences of ours, and repeats no long text of the caller."""
    problem = response.json()
    assert not FOREIGN.search(response.text), response.text
    assert re.fullmatch(r"[A-Z`].*\.", problem["detail"], re.DOTALL), problem["detail"]
    assert problem["detail"].count("`") % 2 == 0
    assert len(problem["detail"]) < 500
    assert set(problem) <= {"type", "title", "status", "detail", "code", "errors", "state"}
    for one in problem.get("errors", ()):
        assert one["detail"] in problem["detail"]
    if problem["code"] in ("invalid_option", "unknown_option"):
        assert "Unprocessable" not in problem["title"]


@pytest.fixture
async def job_id(client: httpx.AsyncClient) -> str:
    return str((await client.post("/v1/jobs", content=AUDIO, headers=RAW)).json()["id"])


async def test_every_422_of_a_query_is_a_plain_sentence(client: httpx.AsyncClient, job_id: str) -> None:
    refused = 0
    for method, path, query in QUERIES:
        response = await client.request(
            method, path.format(job=job_id), params=query, content=AUDIO if path == "/v1/jobs" else None, headers=RAW
        )
        if response.status_code == 422:
            refused += 1
            assert_plain(response)
    assert refused > 130


async def test_every_422_of_a_body_is_a_plain_sentence(client: httpx.AsyncClient) -> None:
    refused = 0
    for body in BODIES:
        sent = {"content": body, "headers": JSON} if isinstance(body, bytes) else {"json": body}
        response = await client.post("/v1/voiceprints", **sent)  # type: ignore[arg-type]
        if response.status_code == 422:
            refused += 1
            assert_plain(response)
    assert refused > 35


async def test_every_422_of_a_form_is_a_plain_sentence(api: ApiFixture, client: httpx.AsyncClient) -> None:
    for body, headers in FORMS:
        response = await client.post("/v1/jobs", content=in_chunks(body, 1000), headers=headers)
        assert response.status_code == 422, response.text
        assert_plain(response)
        assert_plain(await client.post(CONSULT, content=body, headers=headers | {"X-Session-ID": "s" * 300}))
    assert api.empty()


async def test_every_422_of_a_header_is_a_plain_sentence(client: httpx.AsyncClient, job_id: str) -> None:
    for name, value in [("Idempotency-Key", "a b"), ("Idempotency-Key", "x" * 300)]:
        assert_plain(await client.post("/v1/jobs", content=AUDIO, headers=RAW | {name: value}))
    assert_plain(await client.get(f"/v1/jobs/{job_id}/events", headers={"Last-Event-ID": "the last"}))
    assert_plain(await client.get(f"{CONSULT}/{job_id}"))


@pytest.mark.parametrize(
    ("query", "detail"),
    [
        ({"num_speakers": "two"}, "`num_speakers` must be a whole number."),
        ({"num_speakers": "51"}, "`num_speakers` must be at most 50."),
        ({"num_speakers": "0"}, "`num_speakers` must be at least 1."),
        ({"queue": "express"}, "`queue` must be one of: interactive, batch."),
        ({"speaker_embeddings": "yes"}, "`speaker_embeddings` must be true or false."),
        ({"reference": ""}, "`reference` must not be empty."),
        ({"reference": "x" * 201}, "`reference` must have at most 200 characters."),
        ({"retain_seconds": "-5"}, "`retain_seconds` must be at least 0."),
        (
            {"num_speakers": "0", "queue": "x"},
            "`num_speakers` must be at least 1. `queue` must be one of: interactive, batch.",
        ),
    ],
)  # fmt: skip
async def test_a_wrong_option_says_what_is_right(client: httpx.AsyncClient, query: dict[str, str], detail: str) -> None:
    problem = assert_problem(
        await client.post("/v1/jobs", content=AUDIO, params=query, headers=RAW), 422, "invalid_option"
    )
    assert problem["detail"] == detail
    assert [one["name"] for one in problem["errors"]] == list(query)  # type: ignore[attr-defined]


async def test_an_unknown_option_names_the_known_ones(client: httpx.AsyncClient) -> None:
    response = await client.post("/v1/jobs", content=AUDIO, headers=RAW, params={"speakers": "2"})
    detail = str(assert_problem(response, 422, "unknown_option")["detail"])
    assert detail.startswith("There is no option `speakers` here. The options are: num_speakers, min_speakers,")


async def test_a_recording_in_another_part_says_which_part_it_belongs_in(client: httpx.AsyncClient) -> None:
    body, headers = form(("file", AUDIO), file="file")
    detail = str(
        assert_problem(await client.post("/v1/jobs", content=body, headers=headers), 422, "audio_missing")["detail"]
    )
    assert "`file`" in detail
    assert "-F audio=@" in detail


def test_a_kind_of_error_that_nobody_foresaw_is_still_a_sentence() -> None:
    assert validation.explain({"type": "brand_new", "loc": ("query", "limit"), "msg": "Input should be nicer"}) == (
        "limit",
        "`limit` has a value that is not allowed.",
    )


GIVEN_TWICE: dict[str, tuple[str, list[tuple[str, str]]]] = {
    "a parameter": ("/v1/jobs?limit=1&limit=2", []),
    "a parameter in another spelling": ("/v1/jobs?limit=1&lim%69t=2", []),
    "a parameter without a value": ("/v1/jobs?state=&state=", []),
    "the type of the body": ("/v1/jobs", [("Content-Type", "audio/wav"), ("content-type", "application/json")]),
    "the length of an upload": ("/v1/uploads", [("Upload-Length", "5"), ("Upload-Length", "6")]),
    "the key": ("/v1/jobs", [("Authorization", "Bearer a"), ("Authorization", "Bearer b")]),
}


@pytest.mark.parametrize("case", GIVEN_TWICE)
async def test_what_is_given_twice_is_refused(api: ApiFixture, client: httpx.AsyncClient, case: str) -> None:
    path, headers = GIVEN_TWICE[case]
    for method in ("GET", "POST"):
        refused = await client.request(method, path, headers=headers)
        assert "twice" in str(assert_problem(refused, 422, "invalid_option")["detail"])
    assert api.empty()


async def test_a_body_with_a_coding_is_refused_before_it_is_read(api: ApiFixture, client: httpx.AsyncClient) -> None:
    headers = {"Content-Type": "audio/flac", "Content-Encoding": "gzip"}
    refused = await client.post("/v1/jobs", content=AUDIO, headers=headers)
    assert_problem(refused, 415, "unsupported_media_type")
    assert refused.headers["accept-encoding"] == "identity"
    assert api.empty()
    taken = await client.post("/v1/jobs", content=AUDIO, headers=headers | {"Content-Encoding": "identity"})
    assert taken.status_code == 202
