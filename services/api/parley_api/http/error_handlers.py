"""Makes every error of the application a problem response."""

from __future__ import annotations

from http import HTTPStatus

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import Response
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.routing import Route

from parley_api.http.problem_kinds import CLIENT_CLOSED, METHOD_NOT_ALLOWED, NOT_FOUND
from parley_api.http.problems import from_error, phrase, problem
from parley_api.http.validation import code_of, explain
from parley_core.errors import ParleyError


def install(app: FastAPI) -> None:
    """Add the handlers."""
    app.add_exception_handler(ParleyError, _on_parley_error)
    app.add_exception_handler(HTTPException, _on_http_exception)
    app.add_exception_handler(RequestValidationError, _on_validation_error)
    app.add_exception_handler(ClientDisconnect, _on_disconnect)


async def _on_parley_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, ParleyError)
    return from_error(error)


async def _on_http_exception(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    if error.status_code == HTTPStatus.NOT_FOUND:
        return problem(NOT_FOUND, "The API has no such path. /docs lists all calls.")
    if error.status_code == HTTPStatus.METHOD_NOT_ALLOWED:
        detail = f"This path does not have the method {request.method}."
        return problem(METHOD_NOT_ALLOWED, detail, {"Allow": ", ".join(sorted(_methods_of_path(request)))})
    code = phrase(error.status_code).lower().replace(" ", "_")
    return problem(code, f"{phrase(error.status_code)}.", error.headers, error.status_code)


def _methods_of_path(request: Request) -> set[str]:
    """Return all methods of the path: the framework names those of the first route only."""
    route = request.scope.get("route")
    if not isinstance(route, Route):
        return {"GET", "HEAD"}  # files
    described = request.app.openapi()["paths"].get(route.path, {})
    return {method.upper() for method in (*described, *(route.methods or ()))}


async def _on_validation_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    explained = [explain(one) for one in error.errors()]
    detail = " ".join(text for _, text in explained)
    errors = [{"name": name, "detail": text} for name, text in explained]
    return problem(code_of(error.errors()), detail, errors=errors)


async def _on_disconnect(request: Request, error: Exception) -> Response:
    return problem(CLIENT_CLOSED, "The caller closed the connection.")
