"""A small JSON body: read up to a limit, checked by a model."""

from __future__ import annotations

from typing import TypeVar

from fastapi import Request
from pydantic import BaseModel, ValidationError

from parley_api.http.errors import BodyTooLarge, UnsupportedBody
from parley_api.http.validation import request_error
from parley_api.intake.upload import arriving

MEDIA_TYPE = "application/json"
MAX_BYTES = 16 * 1024  # the largest honest body is a name and two ids

Model = TypeVar("Model", bound=BaseModel)


def is_json(request: Request) -> bool:
    """Return whether the body is announced as JSON."""
    return request.headers.get("content-type", "").partition(";")[0].strip().lower() == MEDIA_TYPE


async def read_json(request: Request, model: type[Model], max_bytes: int = MAX_BYTES) -> Model:
    """Return the body as a model.

    Raises:
        UnsupportedBody: it is not announced as JSON: a page of another site could send it as anything else.
        BodyTooLarge: it is longer than `max_bytes`.
        BodyStalled: nothing comes any more.
        RequestValidationError: it is no JSON, or not what the model says.
    """
    if not is_json(request):
        raise UnsupportedBody(f"Send the body as {MEDIA_TYPE}.")
    body = b""
    async for chunk in arriving(request.stream()):
        body += chunk
        if len(body) > max_bytes:
            raise BodyTooLarge(f"The body is longer than {max_bytes} bytes.")
    try:
        return model.model_validate_json(body)
    except ValidationError as error:
        raise request_error(error) from None
