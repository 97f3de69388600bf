"""What /docs and /openapi.json say beyond the types: bodies that stream, problems, other media types."""

from __future__ import annotations

from importlib.resources import files
from typing import Any

from fastapi import APIRouter, FastAPI
from fastapi.responses import HTMLResponse, Response
from pydantic import BaseModel

from parley_api.http.problems import MEDIA_TYPE, title
from parley_api.schemas import MOST_CHANNELS, EnrolRequest, EventAnswer, ProblemAnswer
from parley_audio.container import FORMATS_READ
from parley_core.voiceprints import Role

Responses = dict[int | str, dict[str, Any]]

DESCRIPTION = """Recordings of conversations in, who spoke when out.

Every error is an `application/problem+json` document (RFC 9457) with a stable `code`."""

_ROLE = "|".join(Role)
_OPTIONS: dict[str, dict[str, Any]] = {
    "num_speakers": {"type": "integer", "minimum": 1, "description": "How many speakers there are, if known."},
    "min_speakers": {"type": "integer", "minimum": 1},
    "max_speakers": {"type": "integer", "minimum": 1},
    "queue": {"type": "string", "enum": ["interactive", "batch"], "default": "interactive"},
    "reference": {"type": "string", "maxLength": 200, "description": "Your own name for the conversation."},
    "retain_seconds": {
        "type": "integer",
        "minimum": 0,
        "description": "How long recording and result are kept after the end.",
    },
    "speaker_embeddings": {
        "type": "string",
        "enum": ["true", "false"],
        "default": "false",
        "description": "Keep a vector of each speaker's voice (biometric) in the result: to enrol, and to be named.",
    },
    "channels": {
        "type": "string",
        "pattern": f"^({_ROLE})(,({_ROLE})){{1,{MOST_CHANNELS - 1}}}$",
        "description": "Whose microphone each channel is, in order: `clinician,patient` for left and right.",
    },
}
_AUDIO = {"type": "string", "format": "binary", "description": f"The recording: {FORMATS_READ}."}
_KEY = {
    "name": "Idempotency-Key",
    "in": "header",
    "description": "The same key with the same recording and options answers the same job, for 24 hours.",
    "schema": {"type": "string", "maxLength": 255},
}
_SESSION = {
    "name": "X-Session-ID",
    "in": "header",
    "required": True,
    "description": "The consult's session.",
    "schema": {"type": "string", "minLength": 1, "maxLength": 200},
}


def _schema(model: type[BaseModel]) -> dict[str, Any]:
    """Describe a model; what it refers to is described beside it because other answers use it too."""
    schema = model.model_json_schema(mode="serialization", ref_template="#/components/schemas/{model}")
    schema.pop("$defs", None)
    return schema


_EVENT = {
    "type": "object",
    "properties": {
        "id": {"type": "string"},
        "event": {"const": "change"},
        "data": {
            "type": "string",
            "contentMediaType": "application/json",
            "contentSchema": _schema(EventAnswer),
        },
    },
}


def _form(options: dict[str, dict[str, Any]]) -> dict[str, Any]:
    return {"schema": {"type": "object", "required": ["audio"], "properties": {"audio": _AUDIO, **options}}}


def _query(options: dict[str, dict[str, Any]]) -> list[dict[str, Any]]:
    return [{"name": name, "in": "query", "schema": schema} for name, schema in options.items()]


def _body(options: dict[str, dict[str, Any]]) -> dict[str, Any]:
    content = {"multipart/form-data": _form(options), "audio/*": {"schema": _AUDIO}}
    return {"required": True, "content": content}


_CONSULT_OPTIONS = {name: schema for name, schema in _OPTIONS.items() if name != "reference"}
SUBMIT_BODY: dict[str, Any] = {"requestBody": _body(_OPTIONS), "parameters": [_KEY, *_query(_OPTIONS)]}
CONSULT_BODY: dict[str, Any] = {
    "requestBody": _body(_CONSULT_OPTIONS),
    "parameters": [_SESSION, _KEY, *_query(_CONSULT_OPTIONS)],
}
SESSION_HEADER: dict[str, Any] = {"parameters": [_SESSION]}
ENROL_BODY: dict[str, Any] = {
    "requestBody": {"required": True, "content": {"application/json": {"schema": _schema(EnrolRequest)}}}
}
TURNS: Responses = {200: {"content": {"text/x-rttm": {"schema": {"type": "string"}}}}}
EVENTS: Responses = {200: {"content": {"text/event-stream": {"itemSchema": _EVENT}}}}
RECORDING: Responses = {200: {"content": {"audio/*": {"schema": _AUDIO}}}}


def problems(*statuses: int) -> Responses:
    """Describe the problem responses of a call: those that all share, and the given ones."""
    return {status: _problem(status) for status in (*statuses, 401, 422, 503)}


def _problem(status: int) -> dict[str, Any]:
    return {
        "description": title(status),
        "content": {MEDIA_TYPE: {"schema": _schema(ProblemAnswer)}},
    }


DOCS_PAGE = """<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><title>Parley</title>
<link rel="stylesheet" href="docs/swagger-ui.css"></head>
<body><div id="swagger-ui"></div>
<script src="docs/swagger-ui-bundle.js"></script><script src="docs/start.js"></script></body></html>
"""
START_SCRIPT = "SwaggerUIBundle({url: 'openapi.json', dom_id: '#swagger-ui', deepLinking: true});\n"
DOCS_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; connect-src 'self'"
)
ASSETS = {"swagger-ui-bundle.js": "text/javascript", "swagger-ui.css": "text/css"}

router = APIRouter(include_in_schema=False)


@router.get("/docs")
async def docs() -> HTMLResponse:
    """Show the API for people; nothing is loaded from anywhere else."""
    return HTMLResponse(DOCS_PAGE, headers={"Content-Security-Policy": DOCS_POLICY})


@router.get("/docs/start.js")
async def start_script() -> Response:
    return Response(START_SCRIPT, media_type="text/javascript")


def describe_access(app: FastAPI, needs_key: bool) -> None:
    """Name API keys in the description only where the server asks for them."""
    document = app.openapi()
    if not needs_key:
        document["components"].pop("securitySchemes", None)
        for call in (call for path in document["paths"].values() for call in path.values()):
            call.pop("security", None)


def install_docs(app: FastAPI) -> None:
    """Serve /docs and the files of Swagger UI, which come from a package."""
    app.include_router(router)
    folder = files("fastapi_swagger.resources")
    for name, media_type in ASSETS.items():
        app.add_api_route(f"/docs/{name}", _asset((folder / name).read_bytes(), media_type), include_in_schema=False)


def _asset(content: bytes, media_type: str) -> Any:
    async def asset() -> Response:
        return Response(content, media_type=media_type, headers={"Cache-Control": "max-age=86400"})

    return asset
