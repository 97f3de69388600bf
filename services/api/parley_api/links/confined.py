"""Fetches one recording over a connection that is open already. It runs in a confined process.

The process has two descriptors: the connection, and a pipe to its owner. It can open no file and no other connection,
so a host that takes it over gets nothing but its own recording.
"""

from __future__ import annotations

import codecs
import os
import ssl
from collections.abc import Callable
from typing import Any, TypeVar

import h11

READ_BYTES = 64 * 1024
MOST_ROUNDS = 1000  # of a step of TLS: one that takes more sends records without data

T = TypeVar("T")

TRUSTED = ssl.create_default_context()  # files are out of reach later
codecs.lookup("idna")  # what the check of a certificate imports
TRUSTED.set_alpn_protocols(["http/1.1"])


class Plain:
    """The connection itself."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor

    def read(self) -> bytes:
        return os.read(self._descriptor, READ_BYTES)

    def write(self, data: bytes) -> None:
        write_all(self._descriptor, data)


class Tls:
    """TLS on the connection, with the certificate of the host."""

    def __init__(self, plain: Plain, host: str) -> None:
        self._plain = plain
        self._arrived, self._leaving = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._tls = TRUSTED.wrap_bio(self._arrived, self._leaving, server_hostname=host)
        self._through(self._tls.do_handshake)

    def read(self) -> bytes:
        return self._through(lambda: self._tls.read(READ_BYTES))

    def write(self, data: bytes) -> None:
        self._through(lambda: self._tls.write(data))

    def _through(self, step: Callable[[], T]) -> T:
        """Do a step, with the bytes that it needs and those that it makes."""
        for _ in range(MOST_ROUNDS):
            try:
                result = step()
            except ssl.SSLWantReadError:
                self._send()
                data = self._plain.read()
                self._arrived.write(data) if data else self._arrived.write_eof()
            else:
                self._send()
                return result
        raise ssl.SSLError("no end of records without data")

    def _send(self) -> None:
        if self._leaving.pending:
            self._plain.write(self._leaving.read())


def fetch(source: int, sink: int, request: dict[str, Any], max_bytes: int) -> dict[str, Any]:
    """Write the recording into `sink`; return `outcome` and, with the outcome `status`, the `status`.

    Args:
        source: a connected socket that blocks.
        sink: a pipe.
        request: `host`, `tls`, `path`, `headers`, the `etag` that is wanted or None, and `digest`: whether the owner
            knows the digest of the recording, and so needs no length.
        max_bytes: largest recording.
    """
    try:
        plain = Plain(source)
        stream = Tls(plain, request["host"]) if request["tls"] else plain
        return _converse(stream, sink, request, max_bytes)
    except ssl.SSLCertVerificationError:
        return {"outcome": "certificate"}
    except ssl.SSLError as error:
        return {"outcome": "connection" if isinstance(error, ssl.SSLEOFError) else "tls"}
    except BlockingIOError:
        return {"outcome": "silent"}
    except h11.ProtocolError:
        return {"outcome": "protocol"}
    except OSError:
        return {"outcome": "connection"}


def _converse(stream: Plain | Tls, sink: int, request: dict[str, Any], max_bytes: int) -> dict[str, Any]:
    http = h11.Connection(h11.CLIENT)
    headers = [(name.encode(), value.encode()) for name, value in request["headers"]]
    stream.write(http.send(h11.Request(method="GET", target=request["path"], headers=headers)) or b"")
    http.send(h11.EndOfMessage())  # a GET has no body, so that this gives no bytes
    left = max_bytes
    while True:
        event = http.next_event()
        if event is h11.NEED_DATA:
            http.receive_data(stream.read())
        elif isinstance(event, h11.Response):
            if (refusal := _refusal(event, request, max_bytes)) is not None:
                return refusal
        elif isinstance(event, h11.Data):
            left -= len(event.data)
            if left < 0:
                return {"outcome": "too_large"}
            write_all(sink, event.data)
        elif isinstance(event, h11.EndOfMessage):
            return {"outcome": "complete"}
        elif isinstance(event, h11.ConnectionClosed):
            return {"outcome": "connection"}


def _refusal(response: h11.Response, request: dict[str, Any], max_bytes: int) -> dict[str, Any] | None:
    """Return why a response is not taken, by its head; None if it is taken."""
    headers = {name.decode("ascii"): value.decode("latin-1") for name, value in response.headers}
    if response.status_code == 412 and request["etag"] is not None:
        return {"outcome": "changed"}
    if response.status_code != 200:
        return {"outcome": "status", "status": response.status_code}
    if request["etag"] is not None and headers.get("etag") != request["etag"]:
        return {"outcome": "changed"}
    if headers.get("content-encoding", "identity").lower() not in ("", "identity"):
        return {"outcome": "encoded"}
    length = headers.get("content-length")
    if length is not None and int(length) > max_bytes:
        return {"outcome": "too_large"}
    if length is None and "transfer-encoding" not in headers and not request["digest"]:
        return {"outcome": "endless"}
    return None


def write_all(descriptor: int, data: bytes | bytearray) -> None:
    """Write all bytes. Raises OSError."""
    rest = memoryview(data)
    while rest:
        rest = rest[os.write(descriptor, rest) :]
