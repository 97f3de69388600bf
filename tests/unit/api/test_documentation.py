"""The API's description of itself, and the page that shows it."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from openapi_spec_validator import validate
from pydantic import BaseModel

from parley_api import schemas
from parley_api.http.openapi import EVENT_STREAM
from parley_api.http.problem_kinds import KINDS
from parley_api.schemas import examples
from parley_api.schemas.base import OkAnswer, Problem, ReadyAnswer
from tests.support.api_fixture import ApiFixture
from tests.support.routes import openapi
from tests.unit.api.test_access import line
from tools.reference import pages

pytestmark = pytest.mark.anyio

Document = dict[str, Any]


@pytest.fixture
def document() -> Document:
    return openapi()


def calls(document: Document) -> Iterator[tuple[str, Document]]:
    for path, methods in document["paths"].items():
        for method, call in methods.items():
            yield f"{method.upper()} {path}", call


async def test_the_described_document_is_served(client: httpx.AsyncClient, document: Document) -> None:
    assert (await client.get("/openapi.json")).json() == document


async def test_docs_need_nothing_from_another_origin(client: httpx.AsyncClient) -> None:
    page = await client.get("/docs")
    links = re.findall(r'(?:src|href)="([^"]+)"', page.text)
    assert len(links) == 3
    for link in links:
        assert "//" not in link
        asset = await client.get(f"/{link}")
        assert asset.status_code == 200
        assert asset.headers["cache-control"] == "max-age=86400"
        assert len(asset.content) > 50
    assert "//" not in page.text.replace("<!-- `SwaggerUIBundle` is now available on the page -->", "")


async def test_the_policy_of_docs_allows_its_own_script_and_no_other(client: httpx.AsyncClient) -> None:
    page = await client.get("/docs")
    [script] = re.findall(r"<script>(.*?)</script>", page.text, re.DOTALL)
    allowed = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    policy = dict(rule.split(" ", 1) for rule in page.headers["content-security-policy"].split("; "))
    assert policy["default-src"] == "'none'"
    assert policy["script-src"] == f"'self' 'sha256-{allowed}'"
    assert policy["connect-src"] == "'self'"


async def test_a_server_with_keys_offers_to_authorize(api: ApiFixture, tmp_path: Path) -> None:
    (tmp_path / "keys").write_text(line("north", "n"))
    api.settings = api.settings.model_copy(update={"api_keys_file": tmp_path / "keys"})
    async with api.client() as client:
        described = (await client.get("/openapi.json")).json()
    assert described["components"]["securitySchemes"]["HTTPBearer"]["scheme"] == "bearer"
    assert described["paths"]["/v1/queues"]["get"]["security"] == [{"HTTPBearer": []}]
    assert "*Authorize*" in described["info"]["description"]
    assert {"401"} <= set(described["paths"]["/v1/queues"]["get"]["responses"]) - {"421"}


async def test_a_server_without_keys_says_that_no_key_is_needed(document: Document) -> None:
    assert "no key is needed" in document["info"]["description"]
    assert list(document["components"]["securitySchemes"]) == ["SharedLink"]
    closed = {name.split()[1] for name, call in calls(document) if "security" in call or "401" in call["responses"]}
    assert closed == {f"/v1/shared{part}" for part in ("", "/turns", "/peaks", "/audio")}
    assert "421" in document["paths"]["/v1/queues"]["get"]["responses"]


async def test_every_call_is_described(document: Document) -> None:
    for name, call in calls(document):
        assert re.fullmatch(r"[A-Z][^.]*", call["summary"]), name
        assert re.fullmatch(r"[A-Z].*\.", call["description"], re.DOTALL), name
        assert call["tags"][0] in {tag["name"] for tag in document["tags"]}, name
        for parameter in call.get("parameters", ()):
            assert parameter["description"].endswith("."), (name, parameter)


async def test_every_field_is_described(document: Document) -> None:
    models = document["components"]["schemas"]
    for name, schema in models.items():
        for field, described in schema.get("properties", {}).items():
            referred = models.get(described.get("$ref", "").rpartition("/")[2], {})
            assert (described | referred).get("description", "").endswith("."), (name, field)
    form = document["paths"]["/v1/jobs"]["post"]["requestBody"]["content"]["multipart/form-data"]["schema"]
    assert all(described["description"].endswith(".") for described in form["properties"].values())


async def test_every_call_has_an_example_of_its_request_and_its_response(document: Document) -> None:
    models = document["components"]["schemas"]
    for name, call in calls(document):
        for media_type, content in call.get("requestBody", {}).get("content", {}).items():
            if media_type == "application/json":
                assert "examples" in models[content["schema"]["$ref"].rpartition("/")[2]], name
        for status, response in call["responses"].items():
            for media_type, content in response.get("content", {}).items():
                if media_type == "application/json":
                    assert "examples" in models[content["schema"]["$ref"].rpartition("/")[2]], name
                elif media_type.endswith("problem+json"):
                    assert content["example"]["status"] == int(status), name


async def test_every_reference_leads_somewhere(document: Document) -> None:
    for name in re.findall(r"#/components/schemas/(\w+)", str(document)):
        assert name in document["components"]["schemas"]


EXAMPLES: dict[type[BaseModel], Document] = {
    schemas.JobAnswer: examples.JOB,
    schemas.JobPageAnswer: examples.JOB_PAGE,
    schemas.EventAnswer: examples.EVENT,
    schemas.ReceiptAnswer: examples.RECEIPT,
    schemas.TurnsAnswer: examples.TURNS,
    schemas.TranscriptAnswer: examples.TRANSCRIPT,
    schemas.TranscriptReceiptAnswer: examples.TRANSCRIPT_RECEIPT,
    schemas.ConsultAccepted: examples.CONSULT_ACCEPTED,
    schemas.ConsultAnswer: examples.CONSULT,
    schemas.EnrolRequest: examples.ENROL,
    schemas.VoiceprintAnswer: examples.VOICEPRINT,
    schemas.VoiceprintsAnswer: examples.VOICEPRINTS,
    schemas.VoiceprintReceiptAnswer: examples.VOICEPRINT_RECEIPT,
    schemas.CorrectionRequest: examples.CORRECTION_REQUEST,
    schemas.CorrectionAnswer: examples.CORRECTION,
    schemas.CorrectionsAnswer: examples.CORRECTIONS,
    schemas.QuestionsAnswer: examples.QUESTIONS,
    schemas.QueuesAnswer: examples.QUEUES,
    schemas.UsageAnswer: examples.USAGE,
    schemas.DeliveryAnswer: examples.DELIVERY,
    schemas.DeliveriesAnswer: examples.DELIVERIES,
    schemas.JobEndMessage: examples.MESSAGE,
    schemas.KeyRequest: examples.NEW_KEY,
    schemas.ShareRequest: examples.NEW_SHARE,
    schemas.ShareAnswer: examples.SHARE,
    schemas.CreatedShareAnswer: examples.CREATED_SHARE,
    schemas.SharesAnswer: examples.SHARES,
    schemas.ShareReceiptAnswer: examples.SHARE_RECEIPT,
    schemas.SharedJobAnswer: examples.SHARED_JOB,
    schemas.KeyAnswer: examples.KEY,
    schemas.CreatedKeyAnswer: examples.CREATED_KEY,
    schemas.KeysAnswer: examples.KEYS,
    schemas.KeyReceiptAnswer: examples.KEY_RECEIPT,
}


@pytest.mark.parametrize("model", EXAMPLES, ids=lambda model: model.__name__)
def test_every_example_is_what_its_model_writes(model: type[BaseModel]) -> None:
    example = EXAMPLES[model]
    assert model.model_config["json_schema_extra"] == {"examples": [example]}
    written = model.model_validate(example).model_dump(mode="json", exclude_unset=True)
    assert written == example
    assert list(written) == [name for name in model.model_fields if name in written]


def test_every_model_of_a_response_has_an_example() -> None:
    shown = {OkAnswer, ReadyAnswer, Problem, *EXAMPLES}
    whole = {one for one in vars(schemas).values() if isinstance(one, type) and issubclass(one, BaseModel)}
    assert {one.__name__ for one in whole - shown} == {
        "ConsultOptions", "ErrorAnswer", "QueueAnswer", "RecordingAnswer", "SubmitOptions", "UsageQuery",
    }  # fmt: skip


async def test_a_submit_is_described_with_its_limits(document: Document) -> None:
    submit = document["paths"]["/v1/jobs"]["post"]
    content = submit["requestBody"]["content"]
    assert set(content) == {"multipart/form-data", "application/json", "application/octet-stream"}
    form = content["multipart/form-data"]["schema"]["properties"]
    query = {one["name"]: one["schema"] for one in submit["parameters"] if one["in"] == "query"}
    assert set(form) - {"audio", "transcript"} == set(query) == set(schemas.SubmitOptions.model_fields)
    link = document["components"]["schemas"]["SubmitLink"]["properties"]
    assert set(link) - set(query) == {"url", "object", "upload", "sha256", "etag"}
    for described in (form, link, query):
        assert (described["num_speakers"]["minimum"], described["num_speakers"]["maximum"]) == (1, 50)
        assert described["speaker_embeddings"]["type"] == "boolean"
        assert described["reference"]["maxLength"] == 200
    assert {"401", "408", "409", "413", "415", "422", "429", "500", "503"} - set(submit["responses"]) == {"401"}
    headers = {one["name"] for one in submit["parameters"] if one["in"] == "header"}
    assert headers == {"Idempotency-Key"}


async def test_a_consult_takes_its_reference_from_the_session(document: Document) -> None:
    consult = document["paths"]["/api/workflows/aurity/consult"]["post"]
    names = {one["name"] for one in consult["parameters"]}
    assert {"X-Session-ID", "Idempotency-Key", "num_speakers"} <= names
    assert "reference" not in names


async def test_events_are_described_with_their_data(document: Document) -> None:
    events = document["paths"]["/v1/jobs/{job_id}/events"]["get"]["responses"]["200"]["content"]
    assert events == {"text/event-stream": {"schema": EVENT_STREAM, "example": examples.EVENT_STREAM}}
    assert "EventAnswer" in document["components"]["schemas"]


def test_the_committed_document_is_in_step_with_the_code() -> None:
    text = pages.path("openapi").read_text()
    assert text == pages.render("openapi"), "write it with: python -m tools.reference openapi"
    validate(json.loads(text))


async def test_every_error_is_one_problem_that_lists_its_codes(document: Document) -> None:
    for name, call in calls(document):
        for status, response in call["responses"].items():
            if int(status) >= 400:
                schema = response["content"]["application/problem+json"]["schema"]
                assert schema == {"$ref": "#/components/schemas/Problem"}, name
    assert document["components"]["schemas"]["Problem"]["properties"]["code"]["x-extensible-enum"] == sorted(KINDS)


async def test_every_call_has_a_name_of_its_own(document: Document) -> None:
    names = [call["operationId"] for _, call in calls(document)]
    assert {"submit_job", "get_job", "submit_consult", "delete_voiceprint"} <= set(names)
    assert len(set(names)) == len(names)
