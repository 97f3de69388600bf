"""The headers of the tus protocol, version 1.0.0: https://tus.io/protocols/resumable-upload."""

from __future__ import annotations

import base64
import binascii
import re
from datetime import datetime
from email.utils import format_datetime
from typing import Any

from starlette.datastructures import Headers

from parley_api.http.errors import InvalidOption, UnsupportedBody, UnsupportedTus

VERSION = "1.0.0"
EXTENSIONS = "creation,creation-with-upload,expiration,termination"
OFFSET_BYTES = "application/offset+octet-stream"
BYTES = frozenset({OFFSET_BYTES, "application/octet-stream"})  # generated clients know the second one only
MAX_METADATA = 4096  # characters
NUMBER = re.compile(r"[0-9]{1,15}")

Schema = dict[str, Any]


def _header(name: str, description: str, required: bool, schema: Schema, example: object) -> Schema:
    found = {"name": name, "in": "header", "required": required, "description": description, "schema": schema}
    return found | {"example": example}


COUNT: Schema = {"type": "integer", "minimum": 0}
RESUMABLE = _header("Tus-Resumable", "Version of the protocol.", True, {"type": "string"}, VERSION)
LENGTH = _header("Upload-Length", "Bytes of the whole recording.", True, COUNT | {"minimum": 1}, 2552408)
OFFSET = _header("Upload-Offset", "Number of bytes that the server has.", True, COUNT, 0)
METADATA = _header(
    "Upload-Metadata",
    "Names, each with a value in base64, separated by commas. `filename` is shown with the job.",
    False,
    {"type": "string", "maxLength": MAX_METADATA},
    "filename dmlzaXQtNDcxMS53YXY=",
)
PART: Schema = {"schema": {"type": "string", "format": "binary", "description": "Bytes of the recording."}}
PART_BODY: Schema = {
    "description": f"Bytes from the offset on, as `{OFFSET_BYTES}`.",
    "content": {"application/octet-stream": PART},
}
SENT: dict[str, Schema] = {
    "Tus-Resumable": {"description": "Version of the protocol.", "schema": {"type": "string"}},
    "Upload-Offset": {"description": "Number of bytes that the server has.", "schema": COUNT},
    "Upload-Expires": {"description": "When the upload is removed.", "schema": {"type": "string"}},
}


def require_version(headers: Headers) -> None:
    """Raise InvalidOption or UnsupportedTus unless the request follows this version of the protocol."""
    given = headers.get("tus-resumable")
    if given is None:
        raise InvalidOption(f"Send the header `Tus-Resumable: {VERSION}`.")
    if given != VERSION:
        raise UnsupportedTus(f"Send `Tus-Resumable: {VERSION}`, the one version of the protocol that is spoken here.")


def number_in(headers: Headers, name: str) -> int:
    """Return the whole number in a header. Raises InvalidOption."""
    text = headers.get(name, "")
    if not NUMBER.fullmatch(text):
        raise InvalidOption(f"`{name}` must be a whole number of bytes.")
    return int(text)


def require_bytes(headers: Headers) -> None:
    """Raise UnsupportedBody unless the body is announced as bytes of an upload."""
    if headers.get("content-type", "").partition(";")[0].strip().lower() not in BYTES:
        raise UnsupportedBody(f"Send the bytes as {OFFSET_BYTES}.")


def file_name_in(headers: Headers) -> str | None:
    """Return the file name in `Upload-Metadata`, None without one. Raises InvalidOption."""
    text = headers.get("upload-metadata", "")
    wrong = InvalidOption(
        f"`Upload-Metadata` must be names with values in base64, separated by commas, of {MAX_METADATA} characters at "
        "most."
    )
    if len(text) > MAX_METADATA:
        raise wrong
    for pair in filter(None, (one.strip() for one in text.split(","))):
        name, _, value = pair.partition(" ")
        try:
            decoded = base64.b64decode(value, validate=True)
        except (binascii.Error, ValueError):
            raise wrong from None
        if name == "filename":
            return decoded.decode(errors="replace")
    return None


def http_date(moment: datetime) -> str:
    """Return a time as `Upload-Expires` has it."""
    return format_datetime(moment, usegmt=True)
