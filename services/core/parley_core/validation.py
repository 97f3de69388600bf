"""What pydantic finds wrong, in plain words: no wording of a library reaches an operator or a caller."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError

RULES: Mapping[str, str] = {
    "missing": "is required",
    "extra_forbidden": "is not known here",
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
    "string_too_short": "must have at least {min_length} characters",
    "string_too_long": "must have at most {max_length} characters",
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
}
"""Pydantic's kind of error to the end of a sentence: https://docs.pydantic.dev/latest/errors/validation_errors/"""

EMPTY_TEXT = "must not be empty"
OTHER_RULE = "has a value that is not allowed"


def requirement(error: Mapping[str, Any]) -> str:
    """Return what a value must be, to follow its name: `must be at least 1`.

    Args:
        error: one entry of pydantic's `errors()`, not a `value_error`: a validator brings a sentence of its own.
    """
    limits = {name: _plain(value) for name, value in error.get("ctx", {}).items()}
    if error["type"] == "string_too_short" and limits["min_length"] == 1:
        return EMPTY_TEXT
    return RULES.get(error["type"], OTHER_RULE).format(**limits)


def _plain(value: object) -> object:
    """Return a limit as a caller would write it: `60` for 60.0, `a, b` for `'a' or 'b'`."""
    if isinstance(value, float):
        return int(value) if value.is_integer() else value
    return ", ".join(re.findall(r"'([^']*)'", value)) if isinstance(value, str) else value


def wrong_settings(error: ValidationError) -> list[str]:
    """Return a sentence per wrong variable of the environment, or per wrong combination of them."""
    return [
        f"{one['ctx']['error']}."
        if one["type"] == "value_error"
        else f"{' '.join(f'PARLEY_{part}'.upper() for part in one['loc'])} {requirement(one)}."
        for one in error.errors()
    ]
