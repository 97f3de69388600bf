"""Streams multipart/form-data (RFC 7578) part by part, with at most one network chunk in memory."""

from __future__ import annotations

from collections import deque
from collections.abc import AsyncIterator
from dataclasses import dataclass

from python_multipart.exceptions import FormParserError, MultipartParseError
from python_multipart.multipart import MultipartParser, parse_options_header

from parley_api.http.errors import MalformedBody

MAX_PARTS = 20  # twice as many as there are names


@dataclass(frozen=True, slots=True)
class Part:
    """One part of a form. `chunks` must be read to its end before the next part.

    Attributes:
        file_name: as sent; None for a field that is not a file.
    """

    name: str
    file_name: str | None
    chunks: AsyncIterator[bytes]


@dataclass(frozen=True, slots=True)
class _Begin:
    name: str
    file_name: str | None


class _End:
    """The end of a part."""


_Event = _Begin | bytes | _End


class MultipartBody:
    """Reads the parts of a body. Raises MalformedBody for one that is damaged, cut off, or has too many."""

    def __init__(self, body: AsyncIterator[bytes], content_type: str) -> None:
        self._body = body
        self._events: deque[_Event] = deque()
        self._header: tuple[bytes, bytes] = (b"", b"")
        self._disposition = b""
        self._parts, self._complete = 0, False
        self._parser = self._make_parser(parse_options_header(content_type)[1].get(b"boundary", b""))

    def _make_parser(self, boundary: bytes) -> MultipartParser:
        if not boundary:
            raise MalformedBody("The Content-Type names no boundary.")
        try:
            return MultipartParser(
                boundary,
                {
                    "on_part_begin": self._on_part_begin,
                    "on_header_field": self._on_header_field,
                    "on_header_value": self._on_header_value,
                    "on_header_end": self._on_header_end,
                    "on_headers_finished": self._on_headers_finished,
                    "on_part_data": self._on_part_data,
                    "on_part_end": self._on_part_end,
                    "on_end": self._on_end,
                },
            )
        except FormParserError as error:
            raise MalformedBody("The boundary is too long.") from error

    async def parts(self) -> AsyncIterator[Part]:
        """Yield the parts in the order of the body."""
        while (event := await self._next()) is not None:
            if isinstance(event, _Begin):
                yield Part(event.name, event.file_name, self._chunks())

    async def _chunks(self) -> AsyncIterator[bytes]:
        while isinstance(event := await self._next(), bytes):
            yield event

    async def _next(self) -> _Event | None:
        while not self._events and not self._complete:
            chunk = await anext(self._body, None)
            if chunk is None:
                raise MalformedBody("The form is cut off: its last boundary is missing.")
            self._feed(chunk)
        return self._events.popleft() if self._events else None

    def _feed(self, chunk: bytes) -> None:
        try:
            self._parser.write(chunk)
        except MultipartParseError as error:
            raise MalformedBody("The body is not a well-formed multipart form.") from error

    def _on_part_begin(self) -> None:
        self._parts += 1
        if self._parts > MAX_PARTS:
            raise MalformedBody(f"A form has at most {MAX_PARTS} parts.")
        self._disposition, self._header = b"", (b"", b"")

    def _on_header_field(self, data: bytes, start: int, end: int) -> None:
        self._header = (self._header[0] + data[start:end], self._header[1])

    def _on_header_value(self, data: bytes, start: int, end: int) -> None:
        self._header = (self._header[0], self._header[1] + data[start:end])

    def _on_header_end(self) -> None:
        name, value = self._header
        if name.lower() == b"content-disposition":
            self._disposition = value
        self._header = (b"", b"")

    def _on_headers_finished(self) -> None:
        kind, parameters = parse_options_header(self._disposition)
        name, file_name = parameters.get(b"name"), parameters.get(b"filename")
        if kind != b"form-data" or not name:
            raise MalformedBody("A part of the form has no name.")
        self._events.append(_Begin(_text(name), None if file_name is None else _text(file_name)))

    def _on_part_data(self, data: bytes, start: int, end: int) -> None:
        self._events.append(data[start:end])

    def _on_part_end(self) -> None:
        self._events.append(_End())

    def _on_end(self) -> None:
        self._complete = True


def _text(value: bytes) -> str:
    return value.decode("utf-8", "replace")
