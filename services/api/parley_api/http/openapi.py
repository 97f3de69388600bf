"""What /openapi.json says beyond the types of the routes: bodies that stream, problems, other media types."""

from __future__ import annotations

import copy
import re
from collections import defaultdict
from typing import Any

from fastapi import FastAPI
from pydantic import BaseModel, TypeAdapter

from parley_api.http.errors import (
    AuditUnavailable,
    ExpiredKey,
    InvalidOption,
    RateLimited,
    ScopeMissing,
    Unauthenticated,
    UnknownHost,
    UnknownKey,
    UnknownOption,
)
from parley_api.http.problem_kinds import INTERNAL_ERROR, KINDS
from parley_api.http.problems import MEDIA_TYPE, phrase
from parley_api.schemas import (
    ConsultOptions,
    CorrectionRequest,
    EnrolRequest,
    EventAnswer,
    JobEndMessage,
    KeyRequest,
    Problem,
    Reference,
    ShareRequest,
    SubmitOptions,
    examples,
)
from parley_api.schemas.batches import BatchRequest
from parley_api.schemas.links import LinkBody
from parley_audio.container import FORMATS_READ
from parley_core.errors import JobStoreUnavailable, ObjectStoreUnavailable, ParleyError

Schema = dict[str, Any]
Responses = dict[int | str, dict[str, Any]]

SHARED, LINK_SCHEME = "/v1/shared", "SharedLink"
"""Path of the routes that take a link instead of a key, and the name of this access."""

CODE_OF_LIST = re.compile(r"^- `(\w+)`", re.MULTILINE)  # in the description of a problem response
REFERENCE = "#/components/schemas/{model}"

DESCRIPTION = f"""Parley takes recordings of conversations and finds out who spoke when (speaker diarization).

Submit a recording with `POST /v1/jobs`, wait for its job with `GET /v1/jobs/{{job_id}}?wait=30`, and read its turns
with `GET /v1/jobs/{{job_id}}/turns`.

Every error is an `{MEDIA_TYPE}` document (RFC 9457) with a stable `code`."""
WITH_KEYS = "Every call under `/v1` and `/api` needs an API key: click *Authorize* and enter it."
WITHOUT_KEYS = "This server has no API keys: no key is needed, and it answers only requests of its own machine."

TAGS = [
    {"name": "jobs", "description": "Submit recordings, follow their jobs, read results."},
    {"name": "batches", "description": "Many recordings by one request."},
    {"name": "uploads", "description": "Recordings that arrive in parts, by the tus protocol 1.0."},
    {"name": "voiceprints", "description": "Enrol the voices of persons, so that their turns get names."},
    {"name": "deliveries", "description": "Ends of jobs, sent to the `callback_url` of their submit."},
    {"name": "shares", "description": "Links that open the timeline of one job without an API key."},
    {"name": "keys", "description": "API keys of your tenant."},
    {"name": "consult", "description": "The consult workflow: a recording under the caller's session id."},
    {"name": "queues", "description": "How busy the queues are."},
    {"name": "usage", "description": "What a tenant has used."},
    {"name": "health", "description": "Liveness, readiness and metrics. No key is needed."},
]

AUDIO: Schema = {"type": "string", "format": "binary", "description": f"The recording: {FORMATS_READ}."}
TRANSCRIPT: Schema = {
    "type": "string",
    "format": "binary",
    "description": "What a recogniser has written.",
}
IDEMPOTENCY_KEY: Schema = {
    "name": "Idempotency-Key",
    "in": "header",
    "description": "A submit with the same key, recording and options returns the same job for 24 hours.",
    "schema": {"type": "string", "minLength": 1, "maxLength": 255, "pattern": "^[!-~]+$"},
    "example": "4711-upload-1",
}
SESSION: Schema = {
    "name": "X-Session-ID",
    "in": "header",
    "required": True,
    "description": "Id of the consult's session: printable characters.",
    "schema": TypeAdapter(Reference).json_schema(),
    "example": "session-7",
}
ACCESS = (
    Unauthenticated,
    UnknownKey,
    ExpiredKey,
    ScopeMissing,
    UnknownHost,
    InvalidOption,
    UnknownOption,
    RateLimited,
    JobStoreUnavailable,
    ObjectStoreUnavailable,
    AuditUnavailable,
)
"""Errors of every call that needs a key where the server has keys."""


COMPONENTS: tuple[type[BaseModel], ...] = (
    Problem,
    BatchRequest,
    CorrectionRequest,
    EventAnswer,
    EnrolRequest,
    JobEndMessage,
    KeyRequest,
    ShareRequest,
)
"""Models that no route names, because the framework neither reads nor writes them."""


def reference_to(model: type[BaseModel]) -> Schema:
    """Return a reference to one of `COMPONENTS`."""
    return {"$ref": REFERENCE.format(model=model.__name__)}


def options_of(model: type[BaseModel]) -> dict[str, Schema]:
    """Return a schema per option, as forms and queries can express it: absent instead of null."""
    schemas = {}
    for name, schema in model.model_json_schema(ref_template=REFERENCE)["properties"].items():
        alternatives = [one for one in schema.pop("anyOf", []) if one != {"type": "null"}]
        shown = schema | (alternatives[0] if alternatives else {})
        schemas[name] = {key: value for key, value in shown.items() if key != "title" and value is not None}
    return schemas


LINK_BODY, DEFAULTS = "SubmitLink", "SubmitDefaults"  # names of schemas


def link_body() -> Schema:
    """Return the schema of a submit that names its recording."""
    return {
        "type": "object",
        "description": "Where the recording is, in `url`, `object` or `upload`, and the options.",
        "additionalProperties": False,
        "properties": options_of(LinkBody) | options_of(SubmitOptions),
        "examples": [examples.LINK],
    }


def submit_call(model: type[ConsultOptions], *headers: Schema) -> Schema:
    """Return the request of a submit: a form, the recording itself with options in the query, or a link."""
    options = options_of(model)
    files = {"audio": AUDIO, "transcript": TRANSCRIPT}
    form = {"type": "object", "required": ["audio"], "properties": {**files, **options}}
    # Generated clients send a parameter that has a default: the option would be given twice, here and in the form.
    left_out = ("description", "examples", "default")
    query = [
        {
            "name": name,
            "in": "query",
            "description": schema["description"],
            "schema": {key: value for key, value in schema.items() if key not in left_out},
        }
        for name, schema in options.items()
    ]
    content: Schema = {"multipart/form-data": {"schema": form}, "application/octet-stream": {"schema": AUDIO}}
    # Generators of clients refuse media ranges in a request, so that `audio/*` stands in the text alone.
    description = (
        "A form with the recording in the part `audio`; or the recording itself, as `application/octet-stream`, "
        "`audio/*` or `video/*`, with the options in the query"
    )
    if model is SubmitOptions:
        content["application/json"] = {"schema": {"$ref": REFERENCE.format(model=LINK_BODY)}}
        description += "; or JSON with a link to the recording, or the id of an upload, and the options"
    body = {"required": True, "description": f"{description}.", "content": content}
    return {"requestBody": body, "parameters": [*headers, *query]}


BATCH_CALL: Schema = {
    "parameters": [
        IDEMPOTENCY_KEY
        | {
            "required": True,
            "description": "The same request with the same key returns the "
            "same batch for 24 hours, and goes on with one that was broken off.",
        }
    ],
    "requestBody": {"required": True, "content": {"application/json": {"schema": reference_to(BatchRequest)}}},
}
ENROL_CALL: Schema = {
    "requestBody": {"required": True, "content": {"application/json": {"schema": reference_to(EnrolRequest)}}}
}
CORRECTION_CALL: Schema = {
    "requestBody": {"required": True, "content": {"application/json": {"schema": reference_to(CorrectionRequest)}}}
}
KEY_CALL: Schema = {
    "requestBody": {"required": True, "content": {"application/json": {"schema": reference_to(KeyRequest)}}}
}
SHARE_CALL: Schema = {
    "requestBody": {"required": True, "content": {"application/json": {"schema": reference_to(ShareRequest)}}}
}
TRANSCRIPT_FORM: Schema = {"type": "object", "required": ["transcript"], "properties": {"transcript": TRANSCRIPT}}
TRANSCRIPT_CALL: Schema = {
    "requestBody": {
        "required": True,
        "description": "A form with the transcript in the part `transcript`, or the transcript itself, also as "
        "`application/json`, `text/vtt`, `application/x-subrip` or `text/plain`.",
        "content": {
            "multipart/form-data": {"schema": TRANSCRIPT_FORM},
            "application/octet-stream": {"schema": TRANSCRIPT},
        },
    }
}
SESSION_CALL: Schema = {"parameters": [SESSION]}

EVENT_STREAM: Schema = {
    "type": "string",
    "description": "Server-sent events named `change`. The `id` of the last one, sent as `Last-Event-ID`, resumes the "
    "stream; `data` is an `EventAnswer` in JSON.",
    "contentMediaType": "text/event-stream",
}
EVENTS: Responses = {
    200: {"content": {"text/event-stream": {"schema": EVENT_STREAM, "example": examples.EVENT_STREAM}}},
}
# The type that generated clients read as bytes comes first; `audio/*` is what the server sends.
VERSION_HEADER = "Result-Version"
VERSION_HEADERS: Schema = {
    VERSION_HEADER: {
        "description": "Version of the result: the number of its corrections.",
        "schema": {"type": "integer"},
    }
}
RECORDING_CONTENT: Schema = {"application/octet-stream": {"schema": AUDIO}, "audio/*": {"schema": AUDIO}}
RECORDING: Responses = {
    200: {"description": "The whole recording", "content": RECORDING_CONTENT},
    206: {"description": "The part that `Range` asks for", "content": RECORDING_CONTENT},
}
PEAKS: Responses = {
    200: {
        "description": "A binary file of audiowaveform, version 2: one channel of 8 bits.",
        "content": {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}},
    },
}
ACCEPTED: Responses = {
    202: {
        "headers": {
            "Location": {"description": "Path of the job.", "schema": {"type": "string"}},
            "Idempotency-Replayed": {
                "description": "`true` if an earlier request with the same `Idempotency-Key` made the job.",
                "schema": {"type": "string", "enum": ["true"]},
            },
        },
    }
}

BATCH_ACCEPTED: Responses = {
    202: {
        "headers": ACCEPTED[202]["headers"]
        | {"Location": {"description": "Path of the batch.", "schema": {"type": "string"}}}
    }
}


WEBHOOKS: Schema = {
    "job-end": {
        "post": {
            "summary": "A job has ended",
            "description": "Sent to the `callback_url` of the submit, signed as Standard Webhooks says. Each end is "
            "delivered at least once; repeated deliveries have the same `webhook-id`.",
            "operationId": "job_end",
            "tags": ["deliveries"],
            "parameters": [
                {"name": name, "in": "header", "required": True, "description": meaning, "schema": {"type": "string"}}
                for name, meaning in (
                    ("webhook-id", "The same for every attempt: ignore those that you have seen."),
                    ("webhook-timestamp", "When the attempt was made, in seconds since 1970."),
                    ("webhook-signature", "One signature per valid secret, separated by spaces."),
                )
            ],
            "requestBody": {"required": True, "content": {"application/json": {"schema": reference_to(JobEndMessage)}}},
            "responses": {
                "2XX": {"description": "Received."},
                "410": {"description": "Not wanted: no further attempt is made."},
            },
        }
    }
}


def picture(media_type: str) -> Responses:
    """Return the response with a picture."""
    schema = {"type": "string"} if media_type.endswith("+xml") else {"type": "string", "format": "binary"}
    # As with recordings: generated clients read the first type, and know no pictures.
    content = {
        "application/octet-stream": {"schema": AUDIO | {"description": "The picture."}},
        media_type: {"schema": schema},
    }
    return {200: {"description": "The picture", "headers": VERSION_HEADERS, "content": content}}


def problems(*errors: type[ParleyError]) -> Responses:
    """Return the problem responses of a call that needs a key: the given errors, and those of every such call."""
    return open_problems(*errors, *ACCESS)


def open_problems(*errors: type[ParleyError]) -> Responses:
    """Return the problem responses of a call that needs no key."""
    by_status: defaultdict[int, list[str]] = defaultdict(list)
    for code in (*(error.code for error in errors), INTERNAL_ERROR):
        by_status[KINDS[code].status].append(code)
    return {status: problem_response(status, codes) for status, codes in sorted(by_status.items())}


def problem_response(status: int, codes: list[str]) -> dict[str, Any]:
    """Return the response of one status; `codes` are the problems that have it."""
    meanings = "\n".join(f"- `{code}`: {KINDS[code].meaning}" for code in dict.fromkeys(codes))
    kind = KINDS[codes[0]]
    example = {
        "type": f"urn:parley:problem:{codes[0]}",
        "title": kind.title,
        "status": status,
        "detail": kind.meaning,
        "code": codes[0],
    }
    content = {MEDIA_TYPE: {"schema": reference_to(Problem), "example": example}}
    return {"description": f"{phrase(status)}\n\n{meanings}", "content": content}


def install(app: FastAPI, needs_key: bool, max_speakers: int) -> None:
    """Complete the application's description of itself, when it is first asked for.

    Args:
        needs_key: whether the server has API keys.
        max_speakers: the largest number of speakers that a caller can give.
    """
    generate = app.openapi

    def described() -> Schema:
        if app.openapi_schema is None:
            app.openapi_schema = complete(copy.deepcopy(generate()), needs_key, max_speakers)
        return app.openapi_schema

    app.openapi = described  # type: ignore[method-assign]


def complete(document: Schema, needs_key: bool, max_speakers: int) -> Schema:
    """Return the document for one server: with its access, its limits, and no call's responses that cannot occur."""
    document["info"]["description"] = f"{DESCRIPTION}\n\n{WITH_KEYS if needs_key else WITHOUT_KEYS}"
    components = document["components"]["schemas"]
    for model in COMPONENTS:
        schema = model.model_json_schema(ref_template=REFERENCE)
        components |= schema.pop("$defs", {}) | {model.__name__: schema}
    components[LINK_BODY] = link_body()
    components[DEFAULTS] = {
        "type": "object",
        "description": "Options of all jobs, where a job does not give its own.",
        "additionalProperties": False,
        "properties": options_of(SubmitOptions),
    }
    batch = components[BatchRequest.__name__]["properties"]
    batch["jobs"]["items"] = {"$ref": REFERENCE.format(model=LINK_BODY)}
    batch["options"] = {"$ref": REFERENCE.format(model=DEFAULTS)}
    components.pop(LinkBody.__name__, None)
    components[Problem.__name__]["properties"]["code"]["x-extensible-enum"] = sorted(KINDS)
    without_keys = {error.code for error in (Unauthenticated, UnknownKey, ExpiredKey, ScopeMissing)}
    impossible = {UnknownHost.code} if needs_key else without_keys
    for path, call in ((path, call) for path, calls in document["paths"].items() for call in calls.values()):
        of_links = path.startswith(SHARED)
        for status, response in list(call["responses"].items()):
            codes = set(CODE_OF_LIST.findall(response["description"]))
            if codes and codes <= impossible and not of_links:
                del call["responses"][status]
        for response in call["responses"].values():
            response.get("content", {}).get("text/event-stream", {}).pop("itemSchema", None)  # of OpenAPI 3.2
        form = call.get("requestBody", {}).get("content", {}).get("multipart/form-data", {}).get("schema", {})
        query = {one["name"]: one["schema"] for one in call.get("parameters", ())}
        for name in ("num_speakers", "min_speakers", "max_speakers"):
            for schemas in (
                form.get("properties", {}),
                query,
                components[LINK_BODY]["properties"],
                components[DEFAULTS]["properties"],
            ):
                if name in schemas:
                    schemas[name]["maximum"] = max_speakers
        if not (needs_key or of_links):
            call.pop("security", None)
    document["webhooks"] = WEBHOOKS
    if not needs_key:
        schemes = document["components"]["securitySchemes"]
        document["components"]["securitySchemes"] = {LINK_SCHEME: schemes[LINK_SCHEME]}
    return document
