"""Validates what callers send, and explains in plain sentences what is wrong. No wording of Pydantic reaches them."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, ValidationError

from parley_api.http.errors import InvalidOption, UnknownOption
from parley_api.schemas.base import SENTENCE, UNKNOWN

Model = TypeVar("Model", bound=BaseModel)

SHOWN_NAME = 64  # characters of an unknown name that are repeated to the caller
UNKNOWN_KINDS = frozenset({"extra_forbidden", UNKNOWN})
OTHER_RULE = "has a value that is not allowed"
RULES: Mapping[str, str] = {  # Pydantic's kind of error to the end of a sentence that begins with the name
    "missing": "is required",
    "int_type": "must be a whole number",
    "int_parsing": "must be a whole number",
    "int_parsing_size": "must be a whole number of fewer digits",
    "int_from_float": "must be a whole number",
    "float_type": "must be a number",
    "float_parsing": "must be a number",
    "finite_number": "must be a finite number",
    "bool_type": "must be true or false",
    "bool_parsing": "must be true or false",
    "string_type": "must be text",
    "string_unicode": "must be text in UTF-8",
    "string_too_short": "must not be empty",  # no text here has another lower limit
    "string_too_long": "must have at most {max_length} characters",
    "greater_than_equal": "must be at least {ge}",
    "less_than_equal": "must be at most {le}",
    "enum": "must be one of: {expected}",
    "literal_error": "must be one of: {expected}",
}
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
    rule = RULES.get(kind, OTHER_RULE).format(**{key: _plain(value) for key, value in error.get("ctx", {}).items()})
    return name, f"`{name}` {rule}."


def _plain(value: object) -> object:
    """Return a limit as a caller would write it: `60` for 60.0, `a, b` for `'a' or 'b'`."""
    if isinstance(value, float) and value.is_integer():
        return int(value)
    return ", ".join(re.findall(r"'([^']*)'", value)) if isinstance(value, str) else value
