"""What pydantic finds wrong, in plain words: no wording of a library reaches an operator or a caller."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

REQUIREMENTS: Mapping[str, str] = {
    "missing": "is required",
    "extra_forbidden": "is not known here",
    "int_parsing": "must be a whole number",
    "int_type": "must be a whole number",
    "int_from_float": "must be a whole number",
    "float_parsing": "must be a number",
    "float_type": "must be a number",
    "finite_number": "must be a finite number",
    "bool_parsing": "must be true or false",
    "bool_type": "must be true or false",
    "string_type": "must be text",
    "string_too_short": "must have at least {min_length} characters",
    "string_too_long": "must have at most {max_length} characters",
    "string_pattern_mismatch": "has a form that is not allowed",
    "greater_than": "must be greater than {gt}",
    "greater_than_equal": "must be at least {ge}",
    "less_than": "must be less than {lt}",
    "less_than_equal": "must be at most {le}",
    "too_long": "must have at most {max_length} entries",
    "too_short": "must have at least {min_length} entries",
    "enum": "must be one of: {expected}",
    "literal_error": "must be one of: {expected}",
    "uuid_parsing": "must be a UUID",
    "dict_type": "must be an object",
    "model_type": "must be an object",
    "model_attributes_type": "must be an object",
    "list_type": "must be a list",
    "path_type": "must be a path",
    "json_invalid": "is not valid JSON",
}
"""Error types of pydantic to requirements; https://docs.pydantic.dev/latest/errors/validation_errors/"""

UNKNOWN = "is not valid"


def requirement(error: Mapping[str, Any]) -> str:
    """Return what one error asks for, to be put behind a name: `must be at least 1`.

    Args:
        error: one entry of pydantic's `errors()`. A ValueError of a validator of ours brings its own sentence.
    """
    given: Mapping[str, Any] = error.get("ctx", {})
    context = {name: f"{value:g}" if isinstance(value, float) else value for name, value in given.items()}
    if error["type"] == "value_error":
        return str(context["error"])
    if "expected" in context:
        context["expected"] = str(context["expected"]).replace("'", "").replace(" or ", ", ")
    return REQUIREMENTS.get(error["type"], UNKNOWN).format(**context)
