"""Validates what callers send, and explains in plain sentences what is wrong. No wording of Pydantic reaches them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, ValidationError

from parley_api.http.errors import InvalidOption, UnknownOption
from parley_api.schemas.base import SENTENCE, UNKNOWN
from parley_core.validation import requirement

Model = TypeVar("Model", bound=BaseModel)

SHOWN_NAME = 64  # characters of an unknown name that are repeated to the caller
UNKNOWN_KINDS = frozenset({"extra_forbidden", UNKNOWN})
BODY_RULES: Mapping[str, str] = {
    "json_invalid": "The body is not valid JSON.",
    "model_type": "The body must be a JSON object.",
    "model_attributes_type": "The body must be a JSON object.",
    "dict_type": "The body must be a JSON object.",
}


def validated(model: type[Model], values: Mapping[str, object], context: Mapping[str, object] | None = None) -> Model:
    """Return values as a model. Raises RequestValidationError."""
    try:
        return model.model_validate(values, context=dict(context or {}))
    except ValidationError as error:
        raise request_error(error) from None


def request_error(error: ValidationError) -> RequestValidationError:
    """Return the error that the handler turns into a problem. It does not hold what the caller sent."""
    return RequestValidationError(error.errors(include_url=False, include_input=False))


def code_of(errors: Sequence[Mapping[str, Any]]) -> str:
    """Return the problem's code: `unknown_option` if nothing else is wrong."""
    unknown = all(error["type"] in UNKNOWN_KINDS for error in errors)
    return UnknownOption.code if unknown else InvalidOption.code


def explain(error: Mapping[str, Any]) -> tuple[str, str]:
    """Return the name of the wrong value and a sentence that says what is wrong with it."""
    kind, location = error["type"], [str(part) for part in error["loc"]]
    name = location[-1][:SHOWN_NAME] if location else ""
    if kind in (SENTENCE, UNKNOWN):
        return name, error["msg"]
    if kind in BODY_RULES:
        return "", BODY_RULES[kind]
    if kind in UNKNOWN_KINDS:
        return name, f"There is no {'query parameter' if location[0] == 'query' else 'member'} `{name}` here."
    return name, f"`{name}` {requirement(error)}."
